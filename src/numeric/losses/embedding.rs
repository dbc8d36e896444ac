//! Pairs and triplets of vectors: what belongs together should be near, what does not should not.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind, Task};
use crate::numeric::distance::{Metric, SURELY_DIVIDES};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise::<TripletMargin, _>(),
    Loss::rowwise::<TripletMarginWithDistance, _>(),
    Loss::rowwise_in_double::<SoftTriplet, _>(),
    Loss::pointwise::<Contrastive, _, _>(),
    Loss::pointwise::<MarginRanking, _, _>(),
];

const ANCHOR: Input = Input {
    name: "anchor",
    shape: "[n, d] or [d]",
    doc: "the vectors to compare with",
    ..Input::PREDICTIONS
};
const POSITIVE: Input =
    Input { name: "positive", doc: "vectors that belong to the anchors", ..ANCHOR };
const NEGATIVE: Input = Input { name: "negative", doc: "vectors that do not", ..ANCHOR };

const TRIPLET_MARGIN: Param = Param::number(
    "margin",
    1.0,
    Bounds::POSITIVE,
    "by how much the negative should be farther than the positive",
);
const NORM_POWER: Param = Param::number(
    "p",
    2.0,
    Bounds { max: f64::INFINITY, ..Bounds::POSITIVE },
    "the norm of the distance; \"Infinity\" for the largest component",
);
const NORM_EPS: Param =
    Param::number("eps", 1e-6, Bounds::NOT_NEGATIVE, "added to each component of a difference");
const SWAP: Param = Param::flag(
    "swap",
    false,
    "whether the distance between positive and negative counts if it is the smaller one",
);

/// The loss of a triplet under any distance, with its slopes.
#[inline(always)]
fn triplet<R: Real>(
    metric: Metric,
    margin: f64,
    swap: bool,
    [anchor, positive, negative]: [&[R]; 3],
    [slope_a, slope_p, slope_n]: [&mut [R]; 3],
) -> R {
    let (zero, one) = (R::of(0.0), R::of(1.0));
    let near = metric.distance(anchor, positive);
    let far = metric.distance(anchor, negative);
    let other = if swap { metric.distance(positive, negative) } else { far };
    // The smaller one; NaN in either is kept, and a tie shares the slope.
    let smaller = pick(other < far || other.partial_cmp(&other).is_none(), other, far);
    let violation = R::of(margin) + near - smaller;
    let inactive = violation <= zero;
    if !inactive {
        // A NaN violation is not active, but the NaN in a distance stays in its slope.
        let active = pick(zero < violation, one, zero);
        let half = R::of(0.5);
        let share_of_far = if !swap || far < other {
            one
        } else if other < far {
            zero
        } else {
            half
        };
        metric.add_slope([anchor, positive], near, active, [&mut *slope_a, &mut *slope_p]);
        if share_of_far != zero {
            let factor = -(active * share_of_far);
            metric.add_slope([anchor, negative], far, factor, [&mut *slope_a, &mut *slope_n]);
        }
        if share_of_far != one {
            let factor = -(active * (one - share_of_far));
            metric.add_slope([positive, negative], other, factor, [slope_p, slope_n]);
        }
    }
    pick(violation < zero, zero, violation)
}

/// The same under the Euclidean distance without a swap, written over whatever the slopes were;
/// none where a distance is 0 or next to it, or NaN.
#[inline(always)]
fn euclidean_triplet<R: Real>(
    margin: f64,
    eps: f64,
    [anchor, positive, negative]: [&[R]; 3],
    [slope_a, slope_p, slope_n]: [&mut [R]; 3],
) -> Option<R> {
    let metric = Metric::Norm { p: 2.0, eps };
    let near = metric.distance(anchor, positive);
    let far = metric.distance(anchor, negative);
    let least = R::of(SURELY_DIVIDES);
    if !(least < near && least < far) {
        return None;
    }
    let (zero, eps) = (R::of(0.0), R::of(eps));
    let violation = R::of(margin) + near - far;
    if violation <= zero {
        for slope in [slope_a, slope_p, slope_n] {
            slope.fill(zero);
        }
        return Some(zero);
    }
    let active = pick(zero < violation, R::of(1.0), zero);
    let (to_near, to_far) = (active / near, active / far);
    let inputs = anchor.iter().zip(positive).zip(negative);
    let slopes = slope_a.iter_mut().zip(slope_p).zip(slope_n);
    for (((&a, &p), &n), ((slope_a, slope_p), slope_n)) in inputs.zip(slopes) {
        let pull = (a - p + eps) * to_near;
        let push = (a - n + eps) * to_far;
        *slope_a = pull - push;
        *slope_p = zero - pull;
        *slope_n = push;
    }
    Some(violation)
}

struct TripletMargin {
    margin: f64,
    p: f64,
    eps: f64,
    swap: bool,
}

impl Rowwise<3> for TripletMargin {
    const WRITES_SLOPES: bool = true;
    const CARD: Card = Card {
        name: "triplet_margin",
        title: "Triplet margin",
        summary: "How far an anchor is from lying closer to its positive than to its negative, by the margin.",
        formula: r"\max(0,\ \mathrm{margin} + \lVert a - p + \epsilon\rVert_p - \lVert a - n + \epsilon\rVert_p)",
        inputs: &[
            Input { domain: Domain::UnitVector, ..ANCHOR },
            Input { domain: Domain::UnitVector, ..POSITIVE },
            Input { domain: Domain::UnitVector, ..NEGATIVE },
        ],
        params: &[TRIPLET_MARGIN, NORM_POWER, NORM_EPS, SWAP],
        unreduced: "[n]",
        mean: "the number of triplets",
        kinks: "0 exactly at the margin; a tie of swap shares the slope; 0 where a distance is 0",
        tasks: &[Task::Embedding],
        use_case: "metric learning, embeddings, faces",
        activation: "L2-normalised",
        outliers: "partly",
        source: "torch.nn.functional.triplet_margin_loss; Balntas et al., 2016",
        differences: &[
            "optax adds eps inside the sum before the root; Burn has no eps and no swap",
        ],
        aliases: &["triplet"],
        example: r#"{"anchor": [[0.1, 0.9], [0.8, 0.2]], "positive": [[0.3, 0.8], [0.5, 0.4]], "negative": [[0.9, 0.4], [0.6, 0.9]]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> TripletMargin {
        TripletMargin {
            margin: args.number(&TRIPLET_MARGIN),
            p: args.number(&NORM_POWER),
            eps: args.number(&NORM_EPS),
            swap: args.flag(&SWAP),
        }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        x: [&[R]; 3],
        _target: Target<'_, R>,
        slope: [&mut [R]; 3],
    ) -> R {
        let mut slope = slope;
        if self.p == 2.0 && !self.swap {
            let slope = slope.each_mut().map(|slope| &mut **slope);
            if let Some(loss) = euclidean_triplet(self.margin, self.eps, x, slope) {
                return loss;
            }
        }
        for slope in &mut slope {
            slope.fill(R::of(0.0));
        }
        let metric = Metric::Norm { p: self.p, eps: self.eps };
        triplet(metric, self.margin, self.swap, x, slope)
    }
}

const DISTANCE: Param = Param {
    name: "distance",
    kind: ParamKind::Choice(&["euclidean", "cosine", "manhattan", "chebyshev"]),
    default: Default::Word("euclidean"),
    doc: "euclidean as torch's default, with 1e-6 added to each component; \
        cosine is one less the cosine similarity; manhattan the sum and chebyshev the largest \
        of the absolute differences",
};

struct TripletMarginWithDistance {
    margin: f64,
    swap: bool,
    metric: Metric,
}

impl Rowwise<3> for TripletMarginWithDistance {
    const CARD: Card = Card {
        name: "triplet_margin_with_distance",
        title: "Triplet margin with a distance of choice",
        summary: "The triplet margin loss under a distance of the caller's choice.",
        formula: r"\max(0,\ \mathrm{margin} + d(a, p) - d(a, n))",
        inputs: &[ANCHOR, POSITIVE, NEGATIVE],
        params: &[DISTANCE, TRIPLET_MARGIN, SWAP],
        kinks: "as triplet_margin; the slope of chebyshev goes to the first largest component",
        activation: "linear",
        source: "torch.nn.functional.triplet_margin_with_distance_loss",
        differences: &["torch takes a function; the four that its documents show have names here"],
        aliases: &[],
        example: r#"{"anchor": [[0.1, 0.9], [0.8, 0.2]], "positive": [[0.3, 0.8], [0.5, 0.4]], "negative": [[0.9, 0.4], [0.6, 0.9]]}"#,
        ..TripletMargin::CARD
    };

    fn new(args: &Args) -> TripletMarginWithDistance {
        let metric = match args.word(&DISTANCE) {
            "cosine" => Metric::Cosine,
            "manhattan" => Metric::Norm { p: 1.0, eps: 0.0 },
            "chebyshev" => Metric::Chebyshev,
            _ => Metric::Norm { p: 2.0, eps: 1e-6 },
        };
        TripletMarginWithDistance {
            margin: args.number(&TRIPLET_MARGIN),
            swap: args.flag(&SWAP),
            metric,
        }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        x: [&[R]; 3],
        _target: Target<'_, R>,
        slope: [&mut [R]; 3],
    ) -> R {
        triplet(self.metric, self.margin, self.swap, x, slope)
    }
}

struct SoftTriplet {
    metric: Metric,
}

impl Rowwise<3> for SoftTriplet {
    const CARD: Card = Card {
        name: "soft_triplet",
        title: "Soft triplet",
        summary: "The triplet loss with a softplus in the place of the margin: it never stops pulling.",
        formula: r"\ln\left(1 + e^{\lVert a - p + \epsilon\rVert_p - \lVert a - n + \epsilon\rVert_p}\right)",
        params: &[NORM_POWER, NORM_EPS],
        kinks: "0 where a distance is 0",
        source: "pytorch-metric-learning TripletMarginLoss with smooth_loss; Hermans et al., In defense of the triplet loss, 2017",
        differences: &["not SoftTriple, which learns centres of classes"],
        aliases: &["soft_margin_triplet"],
        example: r#"{"anchor": [[0.1, 0.9, 0.4], [0.7, 0.2, 0.5], [0.3, 0.3, 0.8]], "positive": [[0.2, 0.8, 0.5], [0.6, 0.4, 0.5], [0.5, 0.1, 0.9]], "negative": [[0.9, 0.1, 0.3], [0.8, 0.3, 0.4], [0.1, 0.9, 0.2]]}"#,
        ..TripletMargin::CARD
    };

    fn new(args: &Args) -> SoftTriplet {
        let metric = Metric::Norm { p: args.number(&NORM_POWER), eps: args.number(&NORM_EPS) };
        SoftTriplet { metric }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [anchor, positive, negative]: [&[R]; 3],
        _target: Target<'_, R>,
        [slope_a, slope_p, slope_n]: [&mut [R]; 3],
    ) -> R {
        let near = self.metric.distance(anchor, positive);
        let far = self.metric.distance(anchor, negative);
        let logistic = (near - far).logistic();
        let pull = logistic.yes;
        self.metric.add_slope([anchor, positive], near, pull, [&mut *slope_a, slope_p]);
        self.metric.add_slope([anchor, negative], far, -pull, [slope_a, slope_n]);
        logistic.cost_of_no
    }
}

const CONTRASTIVE_MARGIN: Param = Param::number(
    "margin",
    1.0,
    Bounds::NOT_NEGATIVE,
    "the distance from which a dissimilar pair costs nothing",
);

struct Contrastive {
    margin: f64,
}

impl Pointwise<2, 1> for Contrastive {
    const CARD: Card = Card {
        name: "contrastive",
        title: "Contrastive",
        summary: "Half the squared distance of a similar pair, and half the squared violation of the margin of a dissimilar one.",
        formula: r"\tfrac12 t\,p^2 + \tfrac12 (1 - t) \max(0,\ \mathrm{margin} - p)^2",
        inputs: &[
            Input { domain: Domain::NotNegative, doc: "distances of pairs", ..Input::PREDICTIONS },
            Input {
                domain: Domain::Unit,
                doc: "1 for similar, 0 for dissimilar",
                ..Input::TARGETS
            },
        ],
        params: &[CONTRASTIVE_MARGIN],
        kinks: "0 at the margin",
        tasks: &[Task::Embedding],
        use_case: "learning embeddings from pairs",
        activation: "the distance of two embeddings",
        outliers: "yes: distances are squared",
        source: "Hadsell et al., Dimensionality reduction by learning an invariant mapping, 2006",
        differences: &[
            "1 is similar, as in TensorFlow Addons and pytorch-metric-learning; the paper has 0",
            "TensorFlow Addons lacks the factor 1/2; pytorch-metric-learning is linear and averages what is not 0",
        ],
        aliases: &[],
        example: r#"{"predictions": [0.2, 1.4, 0.7, 0.3], "targets": [1, 0, 1, 0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Contrastive {
        Contrastive { margin: args.number(&CONTRASTIVE_MARGIN) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [d, t]: [R; 2]) -> (R, [R; 1]) {
        let half = R::of(0.5);
        let apart = R::of(1.0) - t;
        let violation = (R::of(self.margin) - d).at_least(0.0);
        let near = product_or_zero(t, d * d);
        let far = product_or_zero(apart, violation * violation);
        (half * (near + far), [product_or_zero(t, d) - product_or_zero(apart, violation)])
    }
}

const RANKING_MARGIN: Param = Param::number(
    "margin",
    0.0,
    Bounds::ANY,
    "by how much the right input should be the larger one",
);

struct MarginRanking {
    margin: f64,
}

impl Pointwise<3, 2> for MarginRanking {
    const CARD: Card = Card {
        name: "margin_ranking",
        title: "Margin ranking",
        summary: "How far the input that should rank higher is from exceeding the other one by the margin.",
        formula: r"\max(0,\ -t\,(x_1 - x_2) + \mathrm{margin})",
        inputs: &[
            Input { name: "input1", doc: "scores", ..Input::PREDICTIONS },
            Input { name: "input2", doc: "scores", ..Input::PREDICTIONS },
            Input {
                domain: Domain::Sign,
                doc: "1 if input1 should be larger, -1 if input2 should",
                ..Input::TARGETS
            },
        ],
        params: &[RANKING_MARGIN],
        kinks: "0 exactly at the margin",
        tasks: &[Task::Ranking],
        use_case: "learning to rank from pairs",
        outliers: "partly: linear in the violation",
        source: "torch.nn.functional.margin_ranking_loss",
        aliases: &[],
        example: r#"{"input1": [0.8, 0.3, 0.5], "input2": [0.5, 0.6, 0.4], "targets": [1, 1, -1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> MarginRanking {
        MarginRanking { margin: args.number(&RANKING_MARGIN) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [a, b, t]: [R; 3]) -> (R, [R; 2]) {
        let zero = R::of(0.0);
        let violation = -(t * (a - b)) + R::of(self.margin);
        let pull = pick(zero < violation, t, zero);
        (pick(violation < zero, zero, violation), [-pull, pull])
    }
}
