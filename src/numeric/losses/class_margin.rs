//! Margins between classes: the right score should exceed the others by some distance or angle.

use super::classes::{CLASS_AXIS, CLASSES, IGNORE_INDEX, LOGITS, SCORES};
use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::verbs::{Softmax, descending, gap, max, softmax, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise_in_double::<MulticlassHinge, _>(),
    Loss::rowwise_in_double::<CategoricalHinge, _>(),
    Loss::rowwise_in_double::<Sparsemax, _>(),
    Loss::rowwise_in_double::<AngularMargin, _>().described(ARCFACE),
    Loss::rowwise_in_double::<AngularMargin, _>().described(COSFACE),
];

/// The place of the largest `f(i)` for `i` below `length` without one place, and its value;
/// the first one on a tie.
fn largest_but<R: Real>(length: usize, but: usize, f: impl Fn(usize) -> R) -> Option<(usize, R)> {
    let others = (0..length).filter(|&i| i != but).map(|i| (i, f(i)));
    others.reduce(|best, next| if best.1 < next.1 { next } else { best })
}

struct MulticlassHinge;

impl Rowwise<1> for MulticlassHinge {
    const CARD: Card = Card {
        name: "multiclass_hinge",
        title: "Multi-class hinge (Crammer-Singer)",
        summary: "How far the largest wrong score comes within 1 of the right one.",
        formula: r"\max\left(0,\ 1 + \max_{i \ne t} p_i - p_t\right)",
        inputs: &[SCORES, super::classes::CLASS],
        kinks: "0 exactly at the margin; a tie of wrong scores goes to the first",
        use_case: "multi-class classification with margins, linear support vector machines",
        activation: "linear",
        outliers: "partly: linear in the violation",
        source: "optax.multiclass_hinge_loss, sklearn.metrics.hinge_loss; Crammer and Singer, 2001",
        aliases: &["crammer_singer"],
        example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}"#,
        ..CLASSES
    };

    fn new(_args: &Args) -> MulticlassHinge {
        MulticlassHinge
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Class(class) = target else { return R::of(f64::NAN) };
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let Some((worst, largest)) = largest_but(x.len(), class, |i| x[i]) else { return zero };
        let violation = one + largest - x[class];
        let active = pick(zero < violation, one, zero);
        slope[worst] = active;
        slope[class] = -active;
        pick(violation < zero, zero, violation)
    }
}

struct CategoricalHinge;

impl Rowwise<1> for CategoricalHinge {
    const CARD: Card = Card {
        name: "categorical_hinge",
        title: "Categorical hinge",
        summary: "How far the largest wrong score comes within 1 of the right one, as Keras has it.",
        formula: r"\max\left(0,\ 1 + \max_c (1 - t_c)\,p_c - \sum_c t_c p_c\right)",
        inputs: &[
            SCORES,
            Input {
                shape: SCORES.shape,
                domain: Domain::Unit,
                doc: "one-hot: 1 for the right class, else 0",
                ..Input::TARGETS
            },
        ],
        params: &[CLASS_AXIS],
        mean: "the number of rows",
        kinks: "0 exactly at the margin; a tie goes to the first class",
        use_case: "multi-class classification with margins",
        activation: "linear",
        outliers: "partly: linear in the violation",
        source: "Keras CategoricalHinge",
        differences: &[
            "the largest is taken over all classes, the right one's entry set to 0, so the loss is never below 1 - p of the right class; multiclass_hinge leaves that class out",
        ],
        aliases: &[],
        example: r#"{"predictions": [[1.2, 0.3, -0.5], [0.4, 0.9, 0.7]], "targets": [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]}"#,
        ..CLASSES
    };

    fn new(_args: &Args) -> CategoricalHinge {
        CategoricalHinge
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Row(t) = target else { return R::of(f64::NAN) };
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let wrong = |c: usize| product_or_zero(one - t[c], x[c]);
        let Some((worst, largest)) = largest_but(x.len(), usize::MAX, wrong) else { return zero };
        let violation = one + largest - sum_over(x.len(), |c| product_or_zero(t[c], x[c]));
        let active = pick(zero < violation, one, zero);
        for (slope, &t) in slope.iter_mut().zip(t) {
            *slope = -(active * t);
        }
        slope[worst] = slope[worst] + active * (one - t[worst]);
        pick(violation < zero, zero, violation)
    }
}

struct Sparsemax;

impl Rowwise<1> for Sparsemax {
    const CARD: Card = Card {
        name: "sparsemax",
        title: "Sparsemax",
        summary: "The loss whose gradient is the sparsemax, the nearest point of the simplex, less the right class.",
        formula: r"\tfrac12 + \sum_c q_c\left(p_c - \tfrac12 q_c\right) - p_t,\quad q = \mathrm{sparsemax}(p)",
        inputs: &[LOGITS, super::classes::CLASS],
        kinks: "smooth once",
        use_case: "multi-class classification whose probabilities should be exactly 0 for most classes",
        activation: "none: raw logits, sparsemax is inside",
        outliers: "partly: linear in the violation",
        source: "optax.multiclass_sparsemax_loss; Martins and Astudillo, From softmax to sparsemax, 2016",
        aliases: &["multiclass_sparsemax"],
        example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}"#,
        ..CLASSES
    };

    fn new(_args: &Args) -> Sparsemax {
        Sparsemax
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Class(class) = target else { return R::of(f64::NAN) };
        let (zero, half) = (R::of(0.0), R::of(0.5));
        if x.iter().any(|z| z.partial_cmp(z).is_none()) {
            slope.fill(R::of(f64::NAN));
            return R::of(f64::NAN);
        }
        // Scores below the largest, so that large ones do not cancel.
        let largest = max(x);
        let score = |c: usize| gap(x[c], largest);
        let scores: Vec<R> = (0..x.len()).map(score).collect();
        let (mut sum, mut threshold) = (zero, zero);
        for (k, z) in descending(&scores).into_iter().map(|c| scores[c]).enumerate() {
            let count = R::of((k + 1) as f64);
            if R::of(1.0) + count * z <= sum + z {
                break;
            }
            sum = sum + z;
            threshold = (sum - R::of(1.0)) / count;
        }
        for (c, slope) in slope.iter_mut().enumerate() {
            let above = score(c) - threshold;
            *slope = pick(zero < above, above, zero);
        }
        let shares = &*slope;
        let value = half - score(class)
            + sum_over(x.len(), |c| {
                pick(zero < shares[c], shares[c] * (score(c) - half * shares[c]), zero)
            });
        slope[class] = slope[class] - R::of(1.0);
        value.at_least(0.0)
    }
}

const ANGLE: Param = Param::number(
    "margin",
    0.5,
    Bounds { max: std::f64::consts::PI, ..Bounds::NOT_NEGATIVE },
    "the angle in radians that is added to that of the right class",
);
const COSINE_MARGIN: Param = Param::number(
    "margin",
    0.35,
    Bounds { max: 2.0, ..Bounds::NOT_NEGATIVE },
    "what is taken from the cosine of the right class",
);
const SCALE: Param =
    Param::number("scale", 64.0, Bounds::POSITIVE, "the factor on cosines before the softmax");

const COSINES: Input = Input {
    domain: Domain::Cosine,
    doc: "the cosine of the angle between the embedding and each class's weights",
    ..SCORES
};

const ARCFACE: Card = Card {
    name: "arcface",
    title: "ArcFace (additive angular margin)",
    summary: "Cross-entropy of scaled cosines, with an angle added to that of the right class.",
    formula: r"\mathrm{CE}\left(s\,p_{c \ne t},\ s\cos(\arccos p_t + m)\right)",
    inputs: &[COSINES, super::classes::CLASS],
    params: &[ANGLE, SCALE, IGNORE_INDEX, CLASS_AXIS],
    kinks: "beyond the angle π - m the right score is s (p - m sin m), which goes on falling",
    tasks: &[Task::Embedding, Task::MultiClass],
    use_case: "face recognition, embeddings with known classes",
    activation: "cosines of L2-normalised embeddings and class weights",
    outliers: "no",
    source: "Deng et al., ArcFace, 2019; pytorch-metric-learning ArcFaceLoss",
    differences: &[
        "pytorch-metric-learning gives the margin in degrees, 28.6 by default, and keeps the class weights itself",
    ],
    aliases: &[],
    example: r#"{"predictions": [[0.72, 0.31, 0.15], [0.34, 0.65, -0.12], [0.41, 0.12, 0.58]], "targets": [0, 1, 2]}"#,
    ..CLASSES
};

const COSFACE: Card = Card {
    name: "cosface",
    title: "CosFace (large margin cosine)",
    summary: "Cross-entropy of scaled cosines, with a margin taken from that of the right class.",
    formula: r"\mathrm{CE}\left(s\,p_{c \ne t},\ s\,(p_t - m)\right)",
    params: &[COSINE_MARGIN, SCALE, IGNORE_INDEX, CLASS_AXIS],
    kinks: "smooth everywhere",
    source: "Wang et al., CosFace, 2018; pytorch-metric-learning CosFaceLoss",
    differences: &["pytorch-metric-learning keeps the class weights itself"],
    aliases: &["large_margin_cosine", "am_softmax"],
    example: r#"{"predictions": [[0.72, 0.31, 0.15], [0.34, 0.65, -0.12], [0.41, 0.12, 0.58]], "targets": [0, 1, 2]}"#,
    ..ARCFACE
};

/// Cross-entropy of scaled cosines, one of which gives away a margin.
struct AngularMargin {
    angle: Option<f64>,
    margin: f64,
    scale: f64,
}

impl AngularMargin {
    /// What the right class's cosine becomes, and the slope of that.
    #[inline(always)]
    fn given_away<R: Real>(&self, cosine: R) -> (R, R) {
        let one = R::of(1.0);
        let Some(angle) = self.angle else { return (cosine - R::of(self.margin), one) };
        if cosine < R::of(-angle.cos()) {
            return (cosine - R::of(angle * angle.sin()), one);
        }
        let square = one - cosine * cosine;
        let sine = pick(R::of(0.0) < square, square, R::of(0.0)).sqrt();
        let turned = cosine * R::of(angle.cos()) - sine * R::of(angle.sin());
        // sin(θ + m) / sin θ; without bound where the angle is 0, so bounded there as in the papers' code.
        let steep = (sine * R::of(angle.cos()) + cosine * R::of(angle.sin())) / sine.at_least(1e-7);
        (turned, pick(angle == 0.0, one, steep))
    }
}

impl Rowwise<1> for AngularMargin {
    const CARD: Card = ARCFACE;

    fn new(args: &Args) -> AngularMargin {
        let arcface = args.card().name == ARCFACE.name;
        let margin = args.number(if arcface { &ANGLE } else { &COSINE_MARGIN });
        AngularMargin { angle: arcface.then_some(margin), margin, scale: args.number(&SCALE) }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Class(class) = target else { return R::of(f64::NAN) };
        let scale = R::of(self.scale);
        let (given_away, steep) = self.given_away(x[class]);
        let logits: Vec<R> = x
            .iter()
            .enumerate()
            .map(|(c, &cosine)| scale * pick(c == class, given_away, cosine))
            .collect();
        let Softmax { largest, log_sum } = softmax(&logits, slope);
        let shares = &*slope;
        let miss = sum_over(x.len(), |c| pick(c == class, R::of(0.0), shares[c]));
        for slope in slope.iter_mut() {
            *slope = scale * *slope;
        }
        slope[class] = -(scale * steep * miss);
        log_sum - gap(logits[class], largest)
    }
}
