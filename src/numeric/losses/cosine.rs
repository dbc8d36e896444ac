//! The angle between two vectors: losses that only look at directions.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::distance::norm;
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::verbs::sum_of;

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise_in_double::<CosineEmbedding, _>(),
    Loss::rowwise_in_double::<CosineDistance, _>(),
];

const COSINE_EPS: Param = Param::number(
    "eps",
    1e-8,
    Bounds::NOT_NEGATIVE,
    "the least length that a vector is divided by",
);

struct CosineDistance {
    eps: f64,
}

impl Rowwise<1> for CosineDistance {
    const CARD: Card = Card {
        name: "cosine_distance",
        title: "Cosine distance",
        summary: "One less the cosine of the angle between prediction and target.",
        formula: r"1 - \frac{p \cdot t}{\max(\lVert p\rVert, \epsilon)\max(\lVert t\rVert, \epsilon)}",
        inputs: &[
            Input { shape: "[n, d], […, d] or [d]", doc: "vectors", ..Input::PREDICTIONS },
            Input { shape: "[n, d], […, d] or [d]", doc: "vectors", ..Input::TARGETS },
        ],
        params: &[COSINE_EPS],
        unreduced: "the shape without its last axis",
        mean: "the number of rows",
        kinks: "a vector of length 0 has the cosine 0 with everything, and no gradient",
        tasks: &[Task::Embedding, Task::Regression],
        use_case: "regression of directions and embeddings, semantic similarity",
        activation: "linear; only the direction counts",
        outliers: "no: between 0 and 2",
        source: "optax.losses.cosine_distance; one less torch.nn.functional.cosine_similarity",
        differences: &[
            "Keras CosineSimilarity is the negative cosine: less by 1",
            "torch gives a vector of length 0 a gradient of 1e8, optax NaN",
            "below eps torch's gradient is that of the length itself, and not of the loss",
        ],
        aliases: &["cosine_similarity", "cosine"],
        example: r#"{"predictions": [[0.8, 0.2, 0.5], [0.1, 0.9, -0.3]], "targets": [[1.0, 0.0, 0.5], [0.4, 0.7, 0.2]]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> CosineDistance {
        CosineDistance { eps: args.number(&COSINE_EPS) }
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
        let own = norm(2.0, [x], |[x]| x);
        let (length_x, length_t) =
            (own.at_least(self.eps), norm(2.0, [t], |[t]| t).at_least(self.eps));
        let toward = |t: R| pick(length_t == zero, zero, t / length_t);
        let unit = |x: R| pick(length_x == zero, zero, x / length_x);
        let cosine = sum_of([x, t], |[x, t]| unit(x) * toward(t));
        // A length below eps is a constant.
        let turning = pick(own < R::of(self.eps), zero, cosine);
        for ((slope, &x), &t) in slope.iter_mut().zip(x).zip(t) {
            let change = turning * unit(x) - toward(t);
            *slope = pick(own == zero, zero, change / length_x);
        }
        one - cosine
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
                per_row: true,
                doc: "1 for similar, -1 for dissimilar",
                ..Input::TARGETS
            },
        ],
        params: &[PAIR_MARGIN],
        unreduced: "[n]",
        mean: "the number of pairs",
        kinks: "0 where the cosine of a dissimilar pair is exactly the margin; 1e-12 is added to each squared length",
        tasks: &[Task::Embedding],
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
        let square_a = sum_of([a], |[a]| a.squared()) + eps;
        let square_b = sum_of([b], |[b]| b.squared()) + eps;
        let both = square_a.sqrt() * square_b.sqrt();
        let cosine = sum_of([a, b], |[a, b]| a * b) / both;
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
