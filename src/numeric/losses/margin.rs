//! Margins: binary classification with targets of -1 and 1.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<Hinge, _, _>(),
    Loss::pointwise::<SquaredHinge, _, _>(),
    Loss::pointwise::<SmoothHinge, _, _>(),
    Loss::pointwise::<ModifiedHuber, _, _>(),
    Loss::pointwise::<Perceptron, _, _>(),
    Loss::pointwise::<Exponential, _, _>(),
    Loss::pointwise::<SoftMargin, _, _>(),
    Loss::pointwise::<HingeEmbedding, _, _>(),
];

const SIGNS: Input = Input { domain: Domain::Sign, doc: "-1 or 1", ..Input::TARGETS };
const SCORES: Input = Input { doc: "scores", ..Input::PREDICTIONS };

/// What the losses of a score and a sign have in common.
const SCORE: Card = Card {
    inputs: &[SCORES, SIGNS],
    tasks: &[Task::Binary],
    use_case: "binary classification with targets of -1 and 1",
    outliers: "partly: linear in the violation",
    ..Card::PAIR
};

struct Hinge;

impl Pointwise<2, 1> for Hinge {
    const CARD: Card = Card {
        name: "hinge",
        title: "Hinge",
        summary: "What the score lacks to a margin of 1.",
        formula: r"\max(0,\ 1 - t p)",
        kinks: "0 exactly at the margin",
        source: "sklearn SGDClassifier, keras.losses.Hinge, optax.hinge_loss; Cortes and Vapnik, 1995",
        differences: &[
            "at the margin scikit-learn gives -t, and optax and Keras on JAX half of it",
            "Keras silently turns targets of 0 into -1",
        ],
        aliases: &["binary:hinge"],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..SCORE
    };

    fn new(_args: &Args) -> Hinge {
        Hinge
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let lack = R::of(1.0) - t * p;
        (pick(lack < zero, zero, lack), [pick(zero < lack, -t, zero)])
    }
}

struct SquaredHinge;

impl Pointwise<2, 1> for SquaredHinge {
    const CARD: Card = Card {
        name: "squared_hinge",
        title: "Squared hinge",
        summary: "The square of what the score lacks to a margin of 1.",
        formula: r"\max(0,\ 1 - t p)^2",
        outliers: "yes: violations are squared",
        source: "sklearn SGDClassifier, keras.losses.SquaredHinge",
        aliases: &[],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..SCORE
    };

    fn new(_args: &Args) -> SquaredHinge {
        SquaredHinge
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let lack = R::of(1.0) - t * p;
        let lack = pick(lack < zero, zero, lack);
        (lack * lack, [-(t * (lack + lack))])
    }
}

struct SmoothHinge;

impl Pointwise<2, 1> for SmoothHinge {
    const CARD: Card = Card {
        name: "smooth_hinge",
        title: "Smooth hinge",
        summary: "The hinge with its corner rounded off: quadratic for margins from 0 to 1.",
        formula: r"\begin{cases} \tfrac12 - z & z \le 0 \\ \tfrac12 (1 - z)^2 & 0 < z < 1 \\ 0 & \text{else} \end{cases},\quad z = t p",
        source: "Rennie, Smooth hinge classification, 2005",
        aliases: &[],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..SCORE
    };

    fn new(_args: &Args) -> SmoothHinge {
        SmoothHinge
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (zero, one, half) = (R::of(0.0), R::of(1.0), R::of(0.5));
        let z = t * p;
        let lack = one - z;
        let inner = pick(lack < zero, zero, lack);
        let value = pick(z < zero, half - z, inner * inner * half);
        (value, [-(t * pick(z < zero, one, inner))])
    }
}

struct ModifiedHuber;

impl Pointwise<2, 1> for ModifiedHuber {
    const CARD: Card = Card {
        name: "modified_huber",
        title: "Modified Huber",
        summary: "The squared hinge that turns linear for margins below -1.",
        formula: r"\begin{cases} \max(0,\ 1 - z)^2 & z \ge -1 \\ -4 z & \text{else} \end{cases},\quad z = t p",
        source: "sklearn SGDClassifier; Zhang, 2004",
        aliases: &[],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..SCORE
    };

    fn new(_args: &Args) -> ModifiedHuber {
        ModifiedHuber
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let z = t * p;
        let lack = R::of(1.0) - z;
        let inner = pick(lack < zero, zero, lack);
        let linear = z < R::of(-1.0);
        let value = pick(linear, R::of(-4.0) * z, inner * inner);
        (value, [-(t * pick(linear, R::of(4.0), inner + inner))])
    }
}

struct Perceptron;

impl Pointwise<2, 1> for Perceptron {
    const CARD: Card = Card {
        name: "perceptron",
        title: "Perceptron",
        summary: "How far a score is on the wrong side.",
        formula: r"\max(0,\ -t p)",
        kinks: "0 where p = 0",
        source: "sklearn Perceptron, optax.perceptron_loss; Rosenblatt, 1957",
        aliases: &[],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..SCORE
    };

    fn new(_args: &Args) -> Perceptron {
        Perceptron
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let wrong = -(t * p);
        (pick(wrong < zero, zero, wrong), [pick(zero < wrong, -t, zero)])
    }
}

struct Exponential;

impl Pointwise<2, 1> for Exponential {
    const CARD: Card = Card {
        name: "exponential",
        title: "Exponential",
        summary: "The exponential of the negative margin, as in AdaBoost.",
        formula: r"e^{-t p}",
        tasks: &[Task::Binary],
        use_case: "boosting",
        outliers: "yes: grows exponentially with the violation",
        source: "sklearn ExponentialLoss; Freund and Schapire, 1997",
        aliases: &["adaboost"],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..SCORE
    };

    fn new(_args: &Args) -> Exponential {
        Exponential
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let power = (-(t * p)).exp();
        (power, [-(t * power)])
    }
}

struct SoftMargin;

impl Pointwise<2, 1> for SoftMargin {
    const CARD: Card = Card {
        name: "soft_margin",
        title: "Soft margin (logistic)",
        summary: "The logarithm of one plus the exponential of the negative margin.",
        formula: r"\ln(1 + e^{-t p})",
        inputs: &[Input { doc: "scores", ..Input::PREDICTIONS }, SIGNS],
        tasks: &[Task::Binary],
        use_case: "binary classification with targets of -1 and 1",
        activation: "linear",
        outliers: "no",
        source: "torch.nn.functional.soft_margin_loss",
        differences: &[
            "torch overflows to infinity and NaN beyond a margin of -88 in float32; this does not",
        ],
        aliases: &["logistic"],
        example: r#"{"predictions": [0.8, -1.2, 0.3], "targets": [1, -1, -1]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> SoftMargin {
        SoftMargin
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let right = (t * p).logistic();
        (right.cost_of_yes, [-(t * right.no)])
    }
}

const MARGIN: Param = Param::number(
    "margin",
    1.0,
    Bounds::ANY,
    "distance beyond which a dissimilar pair costs nothing",
);

struct HingeEmbedding {
    margin: f64,
}

impl Pointwise<2, 1> for HingeEmbedding {
    const CARD: Card = Card {
        name: "hinge_embedding",
        title: "Hinge embedding",
        summary: "The distance of a similar pair, and what a dissimilar pair lacks to the margin.",
        formula: r"\begin{cases} p & t = 1 \\ \max(0,\ \mathrm{margin} - p) & t = -1 \end{cases}",
        inputs: &[Input { doc: "distances", ..Input::PREDICTIONS }, SIGNS],
        params: &[MARGIN],
        kinks: "0 where a dissimilar pair lies exactly at the margin",
        tasks: &[Task::Embedding],
        use_case: "learning embeddings from pairs",
        activation: "a distance",
        outliers: "partly: linear in the distance of similar pairs",
        source: "torch.nn.functional.hinge_embedding_loss",
        differences: &[
            "with validate false, a target that is neither -1 nor 1 gets both terms, as in torch",
        ],
        aliases: &[],
        example: r#"{"predictions": [0.2, 0.7, 1.5], "targets": [1, -1, -1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> HingeEmbedding {
        HingeEmbedding { margin: args.number(&MARGIN) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let lack = R::of(self.margin) - p;
        let apart = pick(lack < zero, zero, lack);
        let pull = pick(zero < lack, -one, zero);
        let value = pick(t == one, zero, apart) + pick(t == -one, zero, p);
        let slope = pick(t == one, zero, pull) + pick(t == -one, zero, one);
        (value, [slope])
    }
}
