//! Pairs and triplets of vectors: what belongs together should be near, what does not should not.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::verbs::sum_over;

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise::<TripletMargin, _>(),
    Loss::rowwise::<TripletMarginWithDistance, _>(),
    Loss::rowwise::<CosineEmbedding, _>(),
    Loss::pointwise::<MarginRanking, _, _>(),
];

/// A distance between two vectors.
#[derive(Clone, Copy, Debug)]
enum Metric {
    /// The p-norm of the difference, with eps added to each of its components.
    Norm { p: f64, eps: f64 },
    /// The largest difference; only the first largest component has a slope.
    Chebyshev,
    /// One less the cosine of the angle.
    Cosine,
}

/// torch's least norm in a cosine similarity.
const COSINE_EPS: f64 = 1e-8;

impl Metric {
    #[inline(always)]
    fn distance<R: Real>(self, a: &[R], b: &[R]) -> R {
        match self {
            Metric::Norm { p, eps } => norm(p, a.len(), |i| a[i] - b[i] + R::of(eps)),
            Metric::Chebyshev => norm(f64::INFINITY, a.len(), |i| a[i] - b[i]),
            Metric::Cosine => {
                let (na, nb) = (length(a), length(b));
                R::of(1.0) - sum_over(a.len(), |i| (a[i] / na) * (b[i] / nb))
            }
        }
    }

    /// Adds the slope of a distance, times a factor, to the slopes of both vectors.
    #[inline(always)]
    fn add_slope<R: Real>(
        self,
        [a, b]: [&[R]; 2],
        distance: R,
        factor: R,
        [slope_a, slope_b]: [&mut [R]; 2],
    ) {
        if let Metric::Cosine = self {
            let (na, nb) = (length(a), length(b));
            let cosine = R::of(1.0) - distance;
            // A vector shorter than eps is divided by eps, but torch's slope is of its own norm.
            let (own_a, own_b) = (norm(2.0, a.len(), |i| a[i]), norm(2.0, b.len(), |i| b[i]));
            for i in 0..a.len() {
                let toward_b = (b[i] / nb - over_or_zero(cosine * a[i], own_a)) / na;
                let toward_a = (a[i] / na - over_or_zero(cosine * b[i], own_b)) / nb;
                slope_a[i] = slope_a[i] - factor * toward_b;
                slope_b[i] = slope_b[i] - factor * toward_a;
            }
            return;
        }
        let (p, eps) = match self {
            Metric::Norm { p, eps } => (p, eps),
            _ => (f64::INFINITY, 0.0),
        };
        let difference = |i: usize| a[i] - b[i] + R::of(eps);
        let first = (0..a.len()).position(|i| difference(i).abs() == distance);
        let ties = sum_over(a.len(), |i| R::of(f64::from(difference(i).abs() == distance)));
        for i in 0..a.len() {
            let d = difference(i);
            let slope = if let Metric::Chebyshev = self {
                pick(Some(i) == first, d.sign(), R::of(0.0))
            } else if p == f64::INFINITY {
                pick(d.abs() == distance, d.sign() / ties, R::of(0.0))
            } else if p == 2.0 {
                over_or_zero(d, distance)
            } else if p == 1.0 {
                d.sign()
            } else {
                // The derivative of a norm is (|d| / norm)^(p - 1), and torch's is 0 at 0.
                let steep = d.sign() * (d.abs() / distance).powf(p - 1.0);
                pick(d == R::of(0.0), R::of(0.0), steep)
            };
            slope_a[i] = slope_a[i] + factor * slope;
            slope_b[i] = slope_b[i] - factor * slope;
        }
    }
}

/// The p-norm of `f(i)` for `i` below `length`.
#[inline(always)]
fn norm<R: Real>(p: f64, length: usize, f: impl Fn(usize) -> R) -> R {
    if p == 1.0 {
        return sum_over(length, |i| f(i).abs());
    }
    if p == 2.0 {
        let squares = sum_over(length, |i| f(i).squared());
        if R::of(1e-30) < squares && squares < R::of(1e30) {
            return squares.sqrt();
        }
    }
    let largest = (0..length).fold(R::of(0.0), |largest, i| {
        let x = f(i).abs();
        pick(largest < x || x.partial_cmp(&x).is_none(), x, largest)
    });
    let scalable = R::of(0.0) < largest && largest < R::of(f64::INFINITY);
    if p == f64::INFINITY || !scalable {
        return largest;
    }
    // Powers of shares of the largest component neither overflow nor vanish.
    let share = |i| f(i).abs() / largest;
    if p == 2.0 {
        return largest * sum_over(length, |i| share(i).squared()).sqrt();
    }
    largest * sum_over(length, |i| share(i).powf(p)).powf(1.0 / p)
}

/// The Euclidean norm, raised to torch's least one.
#[inline(always)]
fn length<R: Real>(x: &[R]) -> R {
    norm(2.0, x.len(), |i| x[i]).at_least(COSINE_EPS)
}

/// x / y, and 0 for y of exactly 0: torch's slope of a norm at 0.
#[inline(always)]
fn over_or_zero<R: Real>(x: R, y: R) -> R {
    pick(y == R::of(0.0), R::of(0.0), x / y)
}

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

struct TripletMargin {
    margin: f64,
    p: f64,
    eps: f64,
    swap: bool,
}

impl Rowwise<3> for TripletMargin {
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

const PAIR_MARGIN: Param = Param::number(
    "margin",
    0.0,
    Bounds::ANY,
    "the cosine below which a dissimilar pair costs nothing",
);

struct CosineEmbedding {
    margin: f64,
}

impl Rowwise<2> for CosineEmbedding {
    const CARD: Card = Card {
        name: "cosine_embedding",
        title: "Cosine embedding",
        summary: "One less the cosine of a similar pair, and how far the cosine of a dissimilar pair exceeds the margin.",
        formula: r"\begin{cases} 1 - \cos(x_1, x_2) & t = 1 \\ \max(0,\ \cos(x_1, x_2) - \mathrm{margin}) & t = -1 \end{cases}",
        inputs: &[
            Input { name: "input1", shape: "[n, d] or [d]", doc: "vectors", ..Input::PREDICTIONS },
            Input { name: "input2", shape: "[n, d] or [d]", doc: "vectors", ..Input::PREDICTIONS },
            Input {
                shape: "[n] or a scalar",
                domain: Domain::Sign,
                doc: "1 for similar, -1 for dissimilar",
                ..Input::TARGETS
            },
        ],
        params: &[PAIR_MARGIN],
        unreduced: "[n]",
        mean: "the number of pairs",
        kinks: "0 where the cosine of a dissimilar pair is exactly the margin; 1e-12 is added to each squared length",
        use_case: "learning embeddings from pairs, semantic similarity",
        activation: "linear; only the direction counts",
        outliers: "no: between 0 and 2",
        source: "torch.nn.functional.cosine_embedding_loss",
        differences: &[
            "with validate false, a target that is neither -1 nor 1 costs 0, as in torch",
        ],
        aliases: &[],
        example: r#"{"input1": [[1.0, 0.5], [0.2, 0.9]], "input2": [[0.8, 0.6], [0.7, 0.3]], "targets": [1, -1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> CosineEmbedding {
        CosineEmbedding { margin: args.number(&PAIR_MARGIN) }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [a, b]: [&[R]; 2],
        target: Target<'_, R>,
        [slope_a, slope_b]: [&mut [R]; 2],
    ) -> R {
        let Target::Value(t) = target else { return R::of(f64::NAN) };
        let (zero, one) = (R::of(0.0), R::of(1.0));
        // torch's constant is a single-precision one in double precision too.
        let eps = R::of(f64::from(1e-12f32));
        let square_a = sum_over(a.len(), |i| a[i].squared()) + eps;
        let square_b = sum_over(b.len(), |i| b[i].squared()) + eps;
        let both = (square_a * square_b).sqrt();
        let cosine = sum_over(a.len(), |i| a[i] * b[i]) / both;
        let excess = cosine - R::of(self.margin);
        let similar = t == one;
        let dissimilar = t == -one;
        // The slope of the loss in the cosine.
        let pull = pick(similar, -one, pick(dissimilar && zero < excess, one, zero));
        for i in 0..a.len() {
            slope_a[i] = pull * (b[i] / both - cosine * a[i] / square_a);
            slope_b[i] = pull * (a[i] / both - cosine * b[i] / square_b);
        }
        let apart = pick(excess < zero, zero, excess);
        pick(similar, one - cosine, pick(dissimilar, apart, zero))
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
