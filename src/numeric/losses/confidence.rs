//! Cross-entropy bent: losses of the probability that the softmax gives to the right class.
//!
//! All of them are functions of that one probability, so one body computes them: the softmax of a
//! row, then the function and its slope.

use super::classes::{CLASS_AXIS, CLASSES, IGNORE_INDEX, LOGITS};
use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Param, Preset, Profile, Task};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::verbs::{Softmax, gap, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise::<Confidence, _>().described(SOFTMAX_FOCAL),
    Loss::rowwise::<Confidence, _>().described(GENERALIZED),
    Loss::rowwise::<Confidence, _>().described(SYMMETRIC),
    Loss::rowwise::<Confidence, _>().described(POLY1),
    Loss::rowwise::<ZLoss, _>(),
];

const FOCAL_ALPHA: Param =
    Param::number("alpha", 1.0, Bounds::NOT_NEGATIVE, "a factor on every class");
const GAMMA: Param = Param::number(
    "gamma",
    2.0,
    Bounds::NOT_NEGATIVE,
    "how strongly easy examples are weighed down",
);
const Q: Param = Param::number(
    "q",
    0.7,
    Bounds { max: 1.0, ..Bounds::POSITIVE },
    "from cross-entropy (near 0) to the absolute error of the probability (1)",
);
const ALPHA: Param =
    Param::number("alpha", 0.1, Bounds::NOT_NEGATIVE, "weight of the cross-entropy");
const BETA: Param =
    Param::number("beta", 1.0, Bounds::NOT_NEGATIVE, "weight of the reverse cross-entropy");
const LOG_ZERO: Param = Param::number(
    "log_zero",
    -4.0,
    Bounds { max: 0.0, ..Bounds::ANY },
    "what stands for the logarithm of 0 in the reverse cross-entropy",
);
const EPSILON: Param = Param::number(
    "epsilon",
    2.0,
    Bounds { min: -1.0, min_included: true, ..Bounds::ANY },
    "weight of the term that is linear in the probability",
);

const SOFTMAX_FOCAL: Card = Card {
    name: "softmax_focal",
    title: "Softmax focal",
    summary: "Cross-entropy, weighed down for examples that are already right.",
    formula: r"-\alpha (1 - q)^\gamma \ln q,\quad q = \mathrm{softmax}(p)_t",
    params: &[FOCAL_ALPHA, GAMMA, IGNORE_INDEX, CLASS_AXIS],
    kinks: "smooth; for gamma below 1 a saturated logit gives the limit, 0",
    use_case: "class imbalance in multi-class classification and segmentation",
    outliers: "no: easy examples are weighed down",
    source: "Keras CategoricalFocalCrossentropy with logits, smp softmax_focal_loss_with_logits; Lin et al., 2017",
    differences: &[
        "Keras has alpha 0.25, a factor on every class; the profile keras sets it",
        "MONAI weighs the first class by 1 - alpha and the others by alpha; smp's multiclass mode is one sigmoid per class",
    ],
    presets: &[Preset::number(Profile::Keras, "alpha", 0.25)],
    aliases: &["categorical_focal_crossentropy", "multiclass_focal"],
    example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}"#,
    ..CLASSES
};

const GENERALIZED: Card = Card {
    name: "generalized_cross_entropy",
    title: "Generalized cross-entropy",
    summary: "Between cross-entropy and absolute error, so that wrong labels pull less.",
    formula: r"\frac{1 - q_t^{\,q}}{q},\quad q_t = \mathrm{softmax}(p)_t",
    params: &[Q, IGNORE_INDEX, CLASS_AXIS],
    use_case: "multi-class classification with noisy labels",
    outliers: "no: bounded by 1/q",
    source: "Zhang and Sabuncu, Generalized cross entropy loss for training deep neural networks with noisy labels, 2018; Keras CategoricalGeneralizedCrossEntropy",
    differences: &["Keras takes probabilities, and has q 0.5; the profile keras sets q"],
    presets: &[Preset::number(Profile::Keras, "q", 0.5)],
    aliases: &["gce", "categorical_generalized_cross_entropy"],
    example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}"#,
    ..CLASSES
};

const SYMMETRIC: Card = Card {
    name: "symmetric_cross_entropy",
    title: "Symmetric cross-entropy",
    summary: "Cross-entropy plus its reverse, in which a wrong label costs no more than a constant.",
    formula: r"-\alpha \ln q - \beta A\,(1 - q),\quad q = \mathrm{softmax}(p)_t,\ A = \mathrm{log\_zero}",
    params: &[ALPHA, BETA, LOG_ZERO, IGNORE_INDEX, CLASS_AXIS],
    use_case: "multi-class classification with noisy labels",
    outliers: "partly: the cross-entropy part has no bound",
    source: "Wang et al., Symmetric cross entropy for robust learning with noisy labels, 2019",
    aliases: &["sce"],
    example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}"#,
    ..CLASSES
};

const POLY1: Card = Card {
    name: "poly1_cross_entropy",
    title: "Poly-1 cross-entropy",
    summary: "Cross-entropy, plus a share of what the probability of the right class lacks.",
    formula: r"-\ln q + \epsilon\,(1 - q),\quad q = \mathrm{softmax}(p)_t",
    params: &[EPSILON, IGNORE_INDEX, CLASS_AXIS],
    use_case: "multi-class classification, where cross-entropy is to be tuned by one number",
    outliers: "no",
    source: "optax.poly_loss_cross_entropy; Leng et al., PolyLoss, 2022",
    differences: &["optax takes one-hot labels"],
    aliases: &["poly1_ce", "poly_loss_cross_entropy"],
    example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3], [0.2, 0.4, 1.1]], "targets": [0, 1, 1]}"#,
    ..CLASSES
};

/// A function of the probability of the right class.
#[derive(Clone, Copy)]
enum Confidence {
    Focal { alpha: f64, gamma: f64 },
    Generalized { q: f64 },
    Symmetric { alpha: f64, beta: f64, log_zero: f64 },
    Poly1 { epsilon: f64 },
}

impl Confidence {
    /// The loss, and its slope in the logarithm of the probability. `miss` is what the probability
    /// lacks to 1, without cancellation.
    #[inline(always)]
    fn of<R: Real>(self, log: R, miss: R) -> (R, R) {
        let one = R::of(1.0);
        let probability = log.exp();
        match self {
            Confidence::Focal { alpha, gamma } => {
                let (alpha, easing) = (R::of(alpha), miss.powf(gamma));
                // ln q / (1 - q), and its limit where nothing is missing.
                let ratio = pick(miss == R::of(0.0), -one, log / miss);
                let change = R::of(gamma) * easing * product_or_zero(probability, ratio);
                (-(alpha * product_or_zero(easing, log)), alpha * (change - easing))
            }
            Confidence::Generalized { q } => {
                let scaled = log * R::of(q);
                (-(scaled.exp_m1() / R::of(q)), -scaled.exp())
            }
            Confidence::Symmetric { alpha, beta, log_zero } => {
                let reverse = R::of(-beta * log_zero);
                let value = reverse * miss - product_or_zero(R::of(alpha), log);
                (value, -(R::of(alpha) + reverse * probability))
            }
            Confidence::Poly1 { epsilon } => {
                let epsilon = R::of(epsilon);
                (epsilon * miss - log, -(one + epsilon * probability))
            }
        }
    }
}

impl Rowwise<1> for Confidence {
    const SOFTMAX: bool = true;
    const CARD: Card = SOFTMAX_FOCAL;

    fn new(args: &Args) -> Confidence {
        match args.card().name {
            "generalized_cross_entropy" => Confidence::Generalized { q: args.number(&Q) },
            "symmetric_cross_entropy" => Confidence::Symmetric {
                alpha: args.number(&ALPHA),
                beta: args.number(&BETA),
                log_zero: args.number(&LOG_ZERO),
            },
            "poly1_cross_entropy" => Confidence::Poly1 { epsilon: args.number(&EPSILON) },
            _ => Confidence::Focal { alpha: args.number(&FOCAL_ALPHA), gamma: args.number(&GAMMA) },
        }
    }

    #[inline(always)]
    fn after_softmax<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        Softmax { largest, log_sum }: Softmax<R>,
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Class(class) = target else { return R::of(f64::NAN) };
        let shares = &*slope;
        let miss = sum_over(x.len(), |c| pick(c == class, R::of(0.0), shares[c]));
        let (value, steep) = self.of(gap(x[class], largest) - log_sum, miss);
        for slope in slope.iter_mut() {
            *slope = -(steep * *slope);
        }
        slope[class] = steep * miss;
        value
    }
}

const SCALE: Param = Param::number("scale", 1e-4, Bounds::NOT_NEGATIVE, "a factor on the square");

struct ZLoss {
    scale: f64,
}

impl Rowwise<1> for ZLoss {
    const SOFTMAX: bool = true;
    const CARD: Card = Card {
        name: "z_loss",
        title: "Z-loss",
        summary: "The square of the logits' log-sum-exp, which keeps them from drifting away.",
        formula: r"\lambda \left(\ln \sum_c e^{p_c}\right)^2",
        inputs: &[LOGITS],
        params: &[SCALE, CLASS_AXIS],
        mean: "the number of rows",
        tasks: &[Task::MultiClass],
        use_case: "added to cross-entropy when large language models are trained",
        outliers: "yes: the log-sum-exp is squared",
        source: "Liger-Kernel lse_square_scale; Chowdhery et al., PaLM, 2022",
        aliases: &["logsumexp_penalty"],
        example: r#"{"predictions": [[12.0, 9.5, 10.1], [3.5, 7.5, 6.3]]}"#,
        ..CLASSES
    };

    fn new(args: &Args) -> ZLoss {
        ZLoss { scale: args.number(&SCALE) }
    }

    #[inline(always)]
    fn after_softmax<R: Real>(
        &self,
        _row: usize,
        _x: [&[R]; 1],
        Softmax { largest, log_sum }: Softmax<R>,
        _target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let sum = largest + log_sum;
        let steep = R::of(2.0 * self.scale) * sum;
        for slope in slope.iter_mut() {
            *slope = product_or_zero(*slope, steep);
        }
        R::of(self.scale) * sum * sum
    }
}
