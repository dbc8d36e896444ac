//! Binary classification: yes or no.

use crate::numeric::args::Args;
use crate::numeric::card::{
    Bounds, Card, Default, Domain, Input, Param, ParamKind, Preset, PresetValue, Profile, Task,
};
use crate::numeric::drive::pointwise::{Arrangement, Lane, Pointwise};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Logistic, Real, pick, product_or_zero};
use crate::numeric::simd::Number;
use crate::numeric::tensor::{Tensor, broadcast, show};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<BinaryCrossEntropy, _, _>(),
    Loss::pointwise::<BinaryCrossEntropyWithLogits, _, _>(),
    Loss::pointwise::<SigmoidFocal, _, _>(),
    Loss::pointwise::<Asymmetric, _, _>(),
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

/// For each element of a loss, the place of its weight in an array that is repeated over them.
fn places_over(param: &Param, weights: &Tensor<f64>, shape: &[usize]) -> Result<Vec<usize>, Fault> {
    broadcast(&weights.shape, shape).ok_or_else(|| {
        let detail = format!(
            "{} is {} and cannot be repeated over predictions {}",
            param.name,
            show(&weights.shape),
            show(shape)
        );
        Fault::parameter(param.name, detail)
    })
}

/// An array of weights repeated over the elements of a loss.
pub(super) fn spread<T: Number>(
    param: &Param,
    weights: &Tensor<f64>,
    shape: &[usize],
) -> Result<Vec<T>, Fault> {
    let places = places_over(param, weights, shape)?;
    Ok(places.into_iter().map(|place| T::of(weights.values[place])).collect())
}

#[inline(always)]
fn smoothed<R: Real>(t: R, smoothing: f64) -> R {
    if smoothing == 0.0 { t } else { t * R::of(1.0 - smoothing) + R::of(0.5 * smoothing) }
}

const CLAMP: Param = Param {
    name: "clamp",
    kind: ParamKind::NumberOrOff(Bounds { max: 0.5, ..Bounds::POSITIVE }),
    default: Default::None,
    doc: "keeps probabilities from clamp to 1 - clamp, without gradient outside, in the place of torch's bounds on logarithms",
};

struct BinaryCrossEntropy {
    clamp: Option<f64>,
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
        params: &[WEIGHT, LABEL_SMOOTHING, CLAMP],
        mean: "the number of elements, also with weight",
        kinks: "the logarithms are not below -100, and the slope divides by p (1 - p), which is not below 1e-12",
        tasks: &[Task::Binary, Task::MultiLabel],
        use_case: "binary classification",
        activation: "sigmoid",
        outliers: "no (but confident mistakes cost without bound)",
        source: "torch.nn.functional.binary_cross_entropy",
        differences: &[
            "Keras clips probabilities to [1e-7, 1 - 1e-7] and gives them no gradient there, scikit-learn at the precision of the dtype: the profiles keras and sklearn set clamp",
            "label_smoothing is as in Keras; torch has none",
        ],
        presets: &[
            Preset::number(Profile::Keras, "clamp", 1e-7),
            Preset { profile: Profile::Sklearn, param: "clamp", value: PresetValue::Epsilon },
        ],
        aliases: &["bce", "log_loss"],
        example: r#"{"predictions": [0.9, 0.2, 0.6], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> BinaryCrossEntropy {
        BinaryCrossEntropy {
            clamp: args.number_or_off(&CLAMP),
            label_smoothing: args.number(&LABEL_SMOOTHING),
        }
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
        if let Some(clamp) = self.clamp {
            let (low, high) = (R::of(clamp), one - R::of(clamp));
            let kept = pick(p < low, low, pick(high < p, high, p));
            let value = -(t * kept.ln() + (one - t) * (-kept).ln_1p());
            let slope = (kept - t) / (kept * (one - kept));
            return (value, [pick(low <= p && p <= high, slope, R::of(0.0))]);
        }
        self.at_plain([p, t])
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.clamp.is_none() && self.label_smoothing == 0.0
    }

    #[inline(always)]
    fn at_plain<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let one = R::of(1.0);
        // torch's least logarithms, which only a probability of 1 has of its rest.
        let least = R::of(-100.0);
        let ln_p = p.ln_of_probability().at_least(-100.0);
        let ln_q = pick(p == one, least, (-p).ln_1p_above());
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
        tasks: &[Task::Binary, Task::MultiLabel],
        use_case: "binary and multi-label classification",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no (but confident mistakes cost in proportion to the logit)",
        source: "torch.nn.functional.binary_cross_entropy_with_logits",
        differences: &[
            "computed without torch's cancellation for confident negatives, whose loss torch rounds to 0 in float32",
            "an infinite logit on the right side gives 0, its limit; torch gives NaN",
            "label_smoothing is as in Keras; torch has none",
        ],
        aliases: &[
            "bce_with_logits",
            "sigmoid_binary_cross_entropy",
            "sigmoid_cross_entropy",
            "soft_bce_with_logits",
            "half_binomial",
            "binary:logistic",
            "binary:logitraw",
            "reg:logistic",
            "binary",
            "xentropy",
        ],
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
                let places = places_over(&POS_WEIGHT, weights, &shape)?;
                let values: Vec<T> = weights.values.iter().map(|&w| T::of(w)).collect();
                Lane::repeated(&weights.shape, &values, places)
            }
            None => Lane::Same(T::of(1.0)),
        };
        Ok(Arrangement { shape, lanes: [p, t, positive], missing, factor })
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t, positive]: [R; 3]) -> (R, [R; 1]) {
        let t = smoothed(t, self.label_smoothing);
        let (of_yes, of_no) = (t * positive, R::of(1.0) - t);
        let (value, slope) = p.binary_cross_entropy(of_yes, of_no);
        (value, [slope])
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
    /// The weights of the positive and the negative class.
    weights: [f64; 2],
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
        tasks: &[Task::Binary, Task::MultiLabel],
        use_case: "extreme class imbalance, detection",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no: easy examples are weighed down",
        source: "torchvision.ops.sigmoid_focal_loss; Lin et al., Focal loss for dense object detection, 2017",
        differences: &[
            "torchvision's default reduction is none, and its gradient is NaN for saturated logits with gamma below 1",
            "optax and Keras do not weigh by alpha unless asked; their profiles switch it off",
        ],
        presets: &[Preset::off(Profile::Keras, "alpha"), Preset::off(Profile::Optax, "alpha")],
        aliases: &["focal", "binary_focal_crossentropy"],
        example: r#"{"predictions": [2.0, -1.5, 0.3], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> SigmoidFocal {
        let alpha = args.number_or_off(&ALPHA).filter(|alpha| 0.0 <= *alpha);
        let weights = alpha.map_or([1.0, 1.0], |alpha| [alpha, 1.0 - alpha]);
        SigmoidFocal { weights, gamma: args.number(&GAMMA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, x: [R; 2]) -> (R, [R; 1]) {
        self.eased::<R, false>(x)
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.gamma == 2.0
    }

    #[inline(always)]
    fn at_plain<R: Real>(&self, x: [R; 2]) -> (R, [R; 1]) {
        self.eased::<R, true>(x)
    }
}

impl SigmoidFocal {
    #[inline(always)]
    fn eased<R: Real, const SQUARED: bool>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let not_t = one - t;
        let logistic = p.logistic();
        let (bce, bce_slope) = p.binary_cross_entropy(t, not_t);
        // What is missing from certainty, as a sum of positive parts.
        let miss = t * logistic.no + not_t * logistic.yes;
        let certainty = logistic.yes * logistic.no;
        let (eased, slope) = if SQUARED {
            // One factor of what is missing is enough, and nothing is divided by it.
            let steep = (not_t - t) * product_or_zero(certainty, bce);
            (product_or_zero(miss.squared(), bce), miss * (miss * bce_slope + (steep + steep)))
        } else {
            let easing = miss.powf(self.gamma);
            // σ(1 - σ) / miss; of a certain target one factor is what is missing, and may be 0.
            let between = certainty / miss;
            let ratio = pick(not_t == zero, logistic.yes, pick(t == zero, logistic.no, between));
            let steep = R::of(self.gamma) * (t - not_t) * ratio;
            let eased = product_or_zero(easing, bce);
            (eased, easing * bce_slope - product_or_zero(steep, eased))
        };
        let [positive, negative] = self.weights.map(R::of);
        let balance = t * positive + not_t * negative;
        (product_or_zero(balance, eased), [balance * slope])
    }
}

const GAMMA_NEG: Param = Param::number(
    "gamma_neg",
    4.0,
    Bounds::NOT_NEGATIVE,
    "how strongly easy negatives are weighed down",
);
const GAMMA_POS: Param = Param::number(
    "gamma_pos",
    1.0,
    Bounds::NOT_NEGATIVE,
    "how strongly easy positives are weighed down",
);
const CLIP: Param = Param::number(
    "clip",
    0.05,
    Bounds::UNIT,
    "probability of a negative below which it costs nothing",
);

struct Asymmetric {
    gamma_neg: f64,
    gamma_pos: f64,
    clip: f64,
}

impl Pointwise<2, 1> for Asymmetric {
    const CARD: Card = Card {
        name: "asymmetric",
        title: "Asymmetric",
        summary: "Binary cross-entropy that weighs easy negatives down more than easy positives, and drops very easy ones.",
        formula: r"-t\,(1 - \sigma)^{\gamma_+}\ln\sigma - (1 - t)\,m^{\gamma_-}\ln(1 - m),\quad m = \max(\sigma - \mathrm{clip}, 0)",
        inputs: &[LOGITS, UNIT_TARGETS],
        params: &[GAMMA_NEG, GAMMA_POS, CLIP],
        kinks: "0 for a negative whose probability is clip or less",
        tasks: &[Task::MultiLabel, Task::Binary],
        use_case: "multi-label classification with few positives",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no: easy examples are weighed down",
        source: "timm AsymmetricLossMultiLabel; Ridnik et al., Asymmetric loss for multi-label classification, 2021",
        differences: &[
            "computed from the logits, so that very wrong positives keep their gradient; timm's is 0 there",
            "timm adds up the classes of a sample; this is elementwise",
        ],
        aliases: &["asl"],
        example: r#"{"predictions": [2.0, -1.5, 0.3], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Asymmetric {
        Asymmetric {
            gamma_neg: args.number(&GAMMA_NEG),
            gamma_pos: args.number(&GAMMA_POS),
            clip: args.number(&CLIP),
        }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let Logistic { yes: sigmoid, no: rest, cost_of_yes, cost_of_no } = p.logistic();
        let easing = rest.powf(self.gamma_pos);
        let positive = product_or_zero(easing, cost_of_yes);
        let gain = R::of(self.gamma_pos) * product_or_zero(sigmoid, positive) + easing * rest;
        // The probability of a negative, shifted; what is missing from it is taken without rounding.
        let shifted = sigmoid - R::of(self.clip);
        let kept = zero < shifted;
        let shifted = pick(kept, shifted, zero);
        let missing = pick(kept, rest + R::of(self.clip), one);
        let cost = if self.clip == 0.0 { cost_of_no } else { -missing.ln() };
        let easing = if self.gamma_neg == 0.0 { one } else { shifted.powf(self.gamma_neg) };
        let negative = product_or_zero(easing, cost);
        let fade = if self.gamma_neg == 0.0 {
            zero
        } else {
            R::of(self.gamma_neg) * shifted.powf(self.gamma_neg - 1.0) * cost * rest
        };
        // σ' = σ (1 - σ), with one factor taken against what is missing.
        let against = if self.clip == 0.0 { one } else { rest / missing };
        let push = sigmoid * (fade + easing * against);
        let push = pick(kept, push, zero);
        let not_t = one - t;
        let value =
            product_or_zero(t, positive) + product_or_zero(not_t, pick(kept, negative, zero));
        (value, [not_t * push - t * gain])
    }
}
