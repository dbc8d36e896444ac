//! Binary classification: yes or no.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind};
use crate::numeric::drive::pointwise::{Arrangement, Lane, Pointwise};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::simd::Number;
use crate::numeric::tensor::{Tensor, broadcast, show};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<BinaryCrossEntropy, _, _>(),
    Loss::pointwise::<BinaryCrossEntropyWithLogits, _, _>(),
    Loss::pointwise::<SigmoidFocal, _, _>(),
    Loss::pointwise::<SoftMargin, _, _>(),
    Loss::pointwise::<HingeEmbedding, _, _>(),
];

const WEIGHT: Param = Param::weights(
    "weight",
    "a factor on each element; repeated over leading axes as torch broadcasts it",
);
const POS_WEIGHT: Param = Param::weights(
    "pos_weight",
    "a factor on the positive part of each element; repeated over leading axes as torch broadcasts it",
);
const LABEL_SMOOTHING: Param =
    Param::number("label_smoothing", 0.0, Bounds::UNIT, "targets t become t (1 - s) + s / 2");

/// Probabilities and targets from 0 to 1.
pub(super) const UNIT_TARGETS: Input =
    Input { domain: Domain::Unit, doc: "0 or 1, or a number between them", ..Input::TARGETS };
/// Logits.
pub(super) const LOGITS: Input =
    Input { domain: Domain::BinaryLogits, doc: "logits", ..Input::PREDICTIONS };
const SIGNS: Input = Input { domain: Domain::Sign, doc: "-1 or 1", ..Input::TARGETS };

/// An array of weights repeated over the elements of a loss.
pub(super) fn spread<T: Number>(
    param: &Param,
    weights: &Tensor<f64>,
    shape: &[usize],
) -> Result<Vec<T>, Fault> {
    let places = broadcast(&weights.shape, shape).ok_or_else(|| {
        let detail = format!(
            "{} is {} and cannot be repeated over predictions {}",
            param.name,
            show(&weights.shape),
            show(shape)
        );
        Fault::parameter(param.name, detail)
    })?;
    Ok(places.into_iter().map(|place| T::of(weights.values[place])).collect())
}

#[inline(always)]
fn smoothed<R: Real>(t: R, smoothing: f64) -> R {
    if smoothing == 0.0 { t } else { t * R::of(1.0 - smoothing) + R::of(0.5 * smoothing) }
}

struct BinaryCrossEntropy {
    label_smoothing: f64,
}

impl Pointwise<2, 1> for BinaryCrossEntropy {
    const CARD: Card = Card {
        name: "binary_cross_entropy",
        title: "Binary cross-entropy",
        summary: "The negative logarithm of the probability given to what happened.",
        formula: r"-\left[t\ln p + (1 - t)\ln(1 - p)\right]",
        inputs: &[
            Input { domain: Domain::Probability, doc: "probabilities", ..Input::PREDICTIONS },
            // torch refuses targets outside too.
            Input { domain: Domain::Probability, ..UNIT_TARGETS },
        ],
        params: &[WEIGHT, LABEL_SMOOTHING],
        mean: "the number of elements, also with weight",
        kinks: "the logarithms are not below -100, and the slope divides by p (1 - p), which is not below 1e-12",
        use_case: "binary classification",
        activation: "sigmoid",
        outliers: "no (but confident mistakes cost without bound)",
        source: "torch.nn.functional.binary_cross_entropy",
        differences: &[
            "Keras clips probabilities to [1e-7, 1 - 1e-7] and gives them no gradient there",
            "label_smoothing is as in Keras; torch has none",
        ],
        aliases: &["bce", "log_loss"],
        example: r#"{"predictions": [0.9, 0.2, 0.6], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> BinaryCrossEntropy {
        BinaryCrossEntropy { label_smoothing: args.number(&LABEL_SMOOTHING) }
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 2>, Fault> {
        let mut arrangement = Arrangement::of_inputs(job)?;
        if let Some(weights) = job.args.numbers(&WEIGHT) {
            arrangement.factor = Some(spread(&WEIGHT, weights, &arrangement.shape)?);
        }
        Ok(arrangement)
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let one = R::of(1.0);
        let t = smoothed(t, self.label_smoothing);
        let ln_p = p.ln().at_least(-100.0);
        let ln_q = (-p).ln_1p().at_least(-100.0);
        let value = (t - one) * ln_q - t * ln_p;
        // torch's constant is a single-precision one in double precision too.
        let slope = (p - t) / ((one - p) * p).at_least(f64::from(1e-12f32));
        (value, [slope])
    }
}

struct BinaryCrossEntropyWithLogits {
    label_smoothing: f64,
}

impl Pointwise<3, 1> for BinaryCrossEntropyWithLogits {
    const CARD: Card = Card {
        name: "binary_cross_entropy_with_logits",
        title: "Binary cross-entropy with logits",
        summary: "Binary cross-entropy of the sigmoid of a logit, exact for logits of any size.",
        formula: r"(1 - t)\,p + (1 + (w_+ - 1)\,t)\,\ln(1 + e^{-p})",
        inputs: &[LOGITS, UNIT_TARGETS],
        params: &[WEIGHT, POS_WEIGHT, LABEL_SMOOTHING],
        mean: "the number of elements, also with weight",
        use_case: "binary and multi-label classification",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no (but confident mistakes cost in proportion to the logit)",
        source: "torch.nn.functional.binary_cross_entropy_with_logits",
        differences: &[
            "computed without torch's cancellation for confident negatives, whose loss torch rounds to 0 in float32",
            "an infinite logit on the right side gives 0, its limit; torch gives NaN",
            "label_smoothing is as in Keras; torch has none",
        ],
        aliases: &["bce_with_logits", "sigmoid_binary_cross_entropy", "binary:logistic", "binary"],
        example: r#"{"predictions": [2.0, -1.5, 0.3], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> BinaryCrossEntropyWithLogits {
        BinaryCrossEntropyWithLogits { label_smoothing: args.number(&LABEL_SMOOTHING) }
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 3>, Fault> {
        let Arrangement { shape, lanes: [p, t], missing, .. } = Arrangement::of_inputs(job)?;
        let factor = match job.args.numbers(&WEIGHT) {
            Some(weights) => Some(spread(&WEIGHT, weights, &shape)?),
            None => None,
        };
        let positive = match job.args.numbers(&POS_WEIGHT) {
            Some(weights) => {
                let values = spread(&POS_WEIGHT, weights, &shape)?;
                Lane::repeated(&shape, &values, (0..values.len()).collect())
            }
            None => Lane::Same(T::of(1.0)),
        };
        Ok(Arrangement { shape, lanes: [p, t, positive], missing, factor })
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t, positive]: [R; 3]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let t = smoothed(t, self.label_smoothing);
        let weight_of_one = t * positive;
        let weight_of_zero = R::of(1.0) - t;
        // w ln(1 + e^-p) + v ln(1 + e^p): each softplus is |p| in its own half, plus the same tail.
        let tail = (-p.abs()).exp();
        let log_tail = tail.ln_1p();
        let right = pick(p < zero, -p, zero);
        let left = pick(zero < p, p, zero);
        let value = product_or_zero(weight_of_one, right + log_tail)
            + product_or_zero(weight_of_zero, left + log_tail);
        let large = R::of(1.0) / (R::of(1.0) + tail);
        let small = tail * large;
        let sigmoid = pick(p < zero, small, large);
        let rest = pick(p < zero, large, small);
        // NaN reaches both parts through the tail.
        (value, [weight_of_zero * sigmoid - weight_of_one * rest])
    }
}

const ALPHA: Param = Param {
    name: "alpha",
    kind: ParamKind::NumberOrOff(Bounds { min: -1.0, min_included: true, max: 1.0, only: &[] }),
    default: Default::Number(0.25),
    doc: "weight of the positive class, 1 - alpha of the negative one; -1 or null for none",
};
const GAMMA: Param = Param::number(
    "gamma",
    2.0,
    Bounds::NOT_NEGATIVE,
    "how strongly easy examples are weighed down",
);

struct SigmoidFocal {
    alpha: Option<f64>,
    gamma: f64,
}

impl Pointwise<2, 1> for SigmoidFocal {
    const CARD: Card = Card {
        name: "sigmoid_focal",
        title: "Sigmoid focal",
        summary: "Binary cross-entropy with logits, weighed down for examples that are already right.",
        formula: r"\alpha_t (1 - p_t)^\gamma\, \mathrm{bce},\quad p_t = \sigma(p)\,t + (1 - \sigma(p))(1 - t)",
        inputs: &[LOGITS, UNIT_TARGETS],
        params: &[ALPHA, GAMMA],
        kinks: "smooth; for gamma below 1 a saturated logit gives the limit, 0",
        use_case: "extreme class imbalance, detection",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no: easy examples are weighed down",
        source: "torchvision.ops.sigmoid_focal_loss; Lin et al., Focal loss for dense object detection, 2017",
        differences: &[
            "torchvision's default reduction is none, and its gradient is NaN for saturated logits with gamma below 1",
            "optax and Keras do not weigh by alpha unless asked",
        ],
        aliases: &["focal", "binary_focal_crossentropy"],
        example: r#"{"predictions": [2.0, -1.5, 0.3], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> SigmoidFocal {
        let alpha = args.number_or_off(&ALPHA).filter(|alpha| 0.0 <= *alpha);
        SigmoidFocal { alpha, gamma: args.number(&GAMMA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let not_t = one - t;
        let tail = (-p.abs()).exp();
        let log_tail = tail.ln_1p();
        let large = one / (one + tail);
        let sigmoid = pick(p < zero, tail * large, large);
        let rest = pick(p < zero, large, tail * large);
        let cost_of_one = pick(p < zero, -p, zero) + log_tail;
        let cost_of_zero = pick(zero < p, p, zero) + log_tail;
        let bce = product_or_zero(t, cost_of_one) + product_or_zero(not_t, cost_of_zero);
        // What is missing from certainty, as a sum of positive parts.
        let miss = t * rest + not_t * sigmoid;
        let easing = miss.powf(self.gamma);
        // σ(1 - σ) / miss with the side that is 0 left out, so that it stays finite when saturated.
        let one_side = pick(t == zero, zero, t / sigmoid);
        let other_side = pick(not_t == zero, zero, not_t / rest);
        let ratio = one / (one_side + other_side);
        let change = product_or_zero(easing, bce) * R::of(self.gamma) * (t - not_t) * ratio;
        let slope = easing * (sigmoid - t) - change;
        let balance = match self.alpha {
            Some(alpha) => t * R::of(alpha) + not_t * R::of(1.0 - alpha),
            None => one,
        };
        (balance * product_or_zero(easing, bce), [balance * slope])
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
        let wrong = -(t * p);
        (wrong.softplus(), [-(t * wrong.sigmoid())])
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
