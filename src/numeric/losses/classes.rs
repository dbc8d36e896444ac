//! Classes: which one of several, from a score for each.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind, Task};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::fault::Fault;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::verbs::{Softmax, gap, softmax, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise::<CrossEntropy, _>(),
    Loss::rowwise::<CrossEntropy, _>().described(SOFT_TARGET),
    Loss::rowwise::<Nll, _>(),
    Loss::rowwise::<MultiMargin, _>(),
];

const WEIGHT: Param = Param::list("weight", "one weight per class");
pub(super) const IGNORE_INDEX: Param = Param {
    name: "ignore_index",
    kind: ParamKind::IntegerOrList,
    default: Default::Number(-100.0),
    doc: "a class, or a list of classes, whose targets are left out",
};
/// The same, where torch ignores nothing.
const IGNORE_NONE: Param = Param { default: Default::None, ..IGNORE_INDEX };
pub(super) const CLASS_AXIS: Param = Param {
    name: "class_axis",
    kind: ParamKind::Integer,
    default: Default::Number(1.0),
    doc: "the axis of the classes: 1 as torch, -1 as Keras and optax; axis 0 if there is only one",
};
const LABEL_SMOOTHING: Param = Param::number(
    "label_smoothing",
    0.0,
    Bounds::UNIT,
    "share of the target that is spread evenly over all classes",
);

/// A score for each class.
pub(super) const SCORES: Input =
    Input { shape: "[n, c], [n, c, …] or [c]", doc: "a score per class", ..Input::PREDICTIONS };
/// A logit for each class.
pub(super) const LOGITS: Input =
    Input { domain: Domain::Logits, doc: "a logit per class", ..SCORES };
/// The class that is right.
pub(super) const CLASS: Input = Input {
    shape: "[n], [n, …] or a scalar",
    domain: Domain::Class,
    doc: "the right class",
    ..Input::TARGETS
};
/// What losses of classes have in common.
pub(super) const CLASSES: Card = Card {
    inputs: &[LOGITS, CLASS],
    params: &[IGNORE_INDEX, CLASS_AXIS],
    unreduced: "the predictions' shape without the class axis",
    mean: "the number of rows that are not ignored",
    tasks: &[Task::MultiClass],
    activation: "none: raw logits, softmax is inside",
    ..Card::PAIR
};

/// The class weights of a job, if they are given.
fn class_weights(args: &Args) -> Option<Vec<f64>> {
    let given = args.card().param(WEIGHT.name).and_then(|_| args.numbers(&WEIGHT));
    given.map(|weight| weight.values.clone())
}

/// Refuses class weights of another length than there are classes.
fn check_weights(weight: Option<&[f64]>, classes: usize) -> Result<(), Fault> {
    match weight {
        Some(weight) if weight.len() != classes => {
            let detail =
                format!("weight has {} numbers, but there are {classes} classes", weight.len());
            Err(Fault::parameter("weight", detail))
        }
        _ => Ok(()),
    }
}

/// The weight of a class, 1 where none are given.
#[inline(always)]
fn weight_of<R: Real>(weight: Option<&[f64]>, class: usize) -> R {
    R::of(weight.map_or(1.0, |weight| weight[class]))
}

const CLASS_MEAN: &str = "the sum of the weights of the targets' classes; \
    with probability targets, the number of rows";

struct CrossEntropy {
    weight: Option<Vec<f64>>,
    label_smoothing: f64,
}

impl Rowwise<1> for CrossEntropy {
    const SOFTMAX: bool = true;
    const CROSS_ENTROPY: bool = true;
    const HAS_HESSIAN: bool = true;
    const CARD: Card = Card {
        name: "cross_entropy",
        title: "Cross-entropy",
        summary: "The negative logarithm of the probability that the softmax of the logits gives to the right class.",
        formula: r"-w_t \ln \frac{e^{p_t}}{\sum_c e^{p_c}}",
        inputs: &[
            LOGITS,
            Input {
                shape: "[n], [n, …] or a scalar; of the predictions' shape for probabilities",
                domain: Domain::ClassOrDistribution,
                doc: "the right class, or a probability per class",
                ..Input::TARGETS
            },
        ],
        params: &[WEIGHT, IGNORE_INDEX, LABEL_SMOOTHING, CLASS_AXIS],
        unreduced: "the predictions' shape without the class axis",
        mean: CLASS_MEAN,
        tasks: &[Task::MultiClass],
        use_case: "multi-class classification",
        activation: "none: raw logits, softmax is inside",
        outliers: "no",
        source: "torch.nn.functional.cross_entropy",
        differences: &[
            "with weight, optax and MLX divide by the number of rows",
            "a probability of 0 against a logit of -inf gives 0, its limit; torch gives NaN",
        ],
        aliases: &[
            "softmax_cross_entropy",
            "softmax_cross_entropy_with_integer_labels",
            "half_multinomial",
            "multi:softmax",
            "categorical_crossentropy",
            "sparse_categorical_crossentropy",
            "multi:softprob",
            "multiclass",
        ],
        example: r#"{"predictions": [[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]], "targets": [0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> CrossEntropy {
        CrossEntropy {
            weight: class_weights(args),
            label_smoothing: args.number_named(LABEL_SMOOTHING.name).unwrap_or(0.0),
        }
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        check_weights(self.weight.as_deref(), shape[axis])?;
        Ok(self)
    }

    fn masses(&self) -> Option<&[f64]> {
        self.weight.as_deref()
    }

    #[inline(always)]
    fn is_cross_entropy(&self) -> bool {
        self.weight.is_none() && self.label_smoothing == 0.0
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
        let weight = self.weight.as_deref();
        let keep = R::of(1.0) - R::of(self.label_smoothing);
        // A division, which is left to those who ask for smoothing.
        let even = || R::of(self.label_smoothing / x.len() as f64);
        // -ln softmax, without adding the largest logit only to take it away again.
        let cost = |class: usize| log_sum - gap(x[class], largest);
        if let Target::Row(t) = target {
            let even = even();
            let smoothed = |c: usize| weight_of::<R>(weight, c) * (t[c] * keep + even);
            let value = sum_over(x.len(), |c| product_or_zero(smoothed(c), cost(c)));
            let total = sum_over(x.len(), smoothed);
            for (c, slope) in slope.iter_mut().enumerate() {
                *slope = *slope * total - smoothed(c);
            }
            return value;
        }
        let Target::Class(class) = target else { return R::of(f64::NAN) };
        let mut own = weight_of::<R>(weight, class);
        if self.label_smoothing == 0.0 {
            if weight.is_some() {
                for slope in slope.iter_mut() {
                    *slope = *slope * own;
                }
            }
            slope[class] = slope[class] - own;
            return own * cost(class);
        }
        let even = even();
        own = own * keep;
        let others = sum_over(x.len(), |c| weight_of::<R>(weight, c) * cost(c));
        let total = own + even * sum_over(x.len(), |c| weight_of::<R>(weight, c));
        for (c, slope) in slope.iter_mut().enumerate() {
            *slope = *slope * total - even * weight_of::<R>(weight, c);
        }
        slope[class] = slope[class] - own;
        own * cost(class) + even * others
    }

    fn curve(&self, [x]: [&[f64]; 1], target: Target<'_, f64>, [curve]: [&mut [f64]; 1]) {
        let weight = |class: usize| weight_of::<f64>(self.weight.as_deref(), class);
        let even = self.label_smoothing / x.len() as f64;
        let keep = 1.0 - self.label_smoothing;
        let spread = even * (0..x.len()).map(weight).sum::<f64>();
        let total = spread
            + keep
                * match target {
                    Target::Class(class) => weight(class),
                    Target::Row(t) => t.iter().enumerate().map(|(c, t)| weight(c) * t).sum(),
                    _ => f64::NAN,
                };
        softmax(x, curve);
        for share in curve.iter_mut() {
            *share *= total * (1.0 - *share);
        }
    }
}

const SOFT_TARGET: Card = Card {
    name: "soft_target_cross_entropy",
    title: "Cross-entropy with soft targets",
    summary: "The cross-entropy of the softmax of the logits against a probability for each class.",
    formula: r"-\sum_c t_c \ln \frac{e^{p_c}}{\sum_k e^{p_k}}",
    inputs: &[
        LOGITS,
        Input {
            shape: "[n, c], [n, c, …] or [c]",
            domain: Domain::Distribution,
            doc: "a probability per class",
            ..Input::TARGETS
        },
    ],
    params: &[CLASS_AXIS],
    mean: "the number of rows",
    tasks: &[Task::MultiClass, Task::Distillation],
    use_case: "distillation, mixup, labels from several annotators",
    source: "timm SoftTargetCrossEntropy, optax.softmax_cross_entropy; torch cross_entropy with probabilities",
    differences: &[
        "a probability of 0 against a logit of -inf gives 0, its limit; torch gives NaN",
        "Keras CategoricalCrossentropy divides targets by their sum first",
    ],
    aliases: &["soft_cross_entropy"],
    example: r#"{"predictions": [[2.0, 1.2, 0.1], [0.5, 2.5, 0.3]], "targets": [[0.9, 0.05, 0.05], [0.1, 0.7, 0.2]]}"#,
    ..CrossEntropy::CARD
};

struct Nll {
    weight: Option<Vec<f64>>,
}

impl Rowwise<1> for Nll {
    const SLOPE_AT_CLASS_ONLY: bool = true;
    const CARD: Card = Card {
        name: "nll",
        title: "Negative log-likelihood",
        summary: "The negative of the log-probability of the right class.",
        formula: r"-w_t\, p_t",
        inputs: &[
            Input {
                shape: "[n, c], [n, c, …] or [c]",
                domain: Domain::LogProbability,
                doc: "a log-probability per class",
                ..Input::PREDICTIONS
            },
            CLASS,
        ],
        params: &[WEIGHT, IGNORE_INDEX, CLASS_AXIS],
        unreduced: "the predictions' shape without the class axis",
        mean: "the sum of the weights of the targets' classes",
        tasks: &[Task::MultiClass],
        use_case: "multi-class classification, after log-softmax",
        activation: "log-softmax",
        outliers: "no",
        source: "torch.nn.functional.nll_loss",
        differences: &["nll of the log-softmax of logits is cross_entropy of the logits"],
        aliases: &["negative_log_likelihood"],
        example: r#"{"predictions": [[-0.4, -1.4, -2.3], [-1.6, -0.4, -2.0]], "targets": [0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Nll {
        Nll { weight: class_weights(args) }
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        check_weights(self.weight.as_deref(), shape[axis])?;
        Ok(self)
    }

    fn masses(&self) -> Option<&[f64]> {
        self.weight.as_deref()
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
        let weight = weight_of::<R>(self.weight.as_deref(), class);
        slope[class] = -weight;
        -(weight * x[class])
    }
}

const POWER: Param = Param::number(
    "p",
    1.0,
    Bounds { only: &[1.0, 2.0], ..Bounds::ANY },
    "the power of each violated margin",
);
const MARGIN: Param = Param::number(
    "margin",
    1.0,
    Bounds::ANY,
    "by how much the right score should exceed each other one",
);

struct MultiMargin {
    squared: bool,
    margin: f64,
    weight: Option<Vec<f64>>,
}

impl Rowwise<1> for MultiMargin {
    const CARD: Card = Card {
        name: "multi_margin",
        title: "Multi-class margin",
        summary: "How far each other class's score comes within the margin of the right one's, on average over classes.",
        formula: r"\frac1C \sum_{i \ne t} w_t \max(0,\ \mathrm{margin} - p_t + p_i)^p",
        inputs: &[SCORES, CLASS],
        params: &[POWER, MARGIN, WEIGHT, IGNORE_NONE, CLASS_AXIS],
        unreduced: "the predictions' shape without the class axis",
        mean: "the number of rows, also with weight",
        kinks: "0 where a score lies exactly at the margin",
        tasks: &[Task::MultiClass],
        use_case: "multi-class classification with margins",
        activation: "linear",
        outliers: "partly: linear in the violation (squared for p 2)",
        source: "torch.nn.functional.multi_margin_loss; Crammer and Singer, 2001",
        differences: &[
            "Burn has no weight",
            "torch has no ignore_index here, so that none is ignored by default, and takes two axes at most",
        ],
        aliases: &[],
        example: r#"{"predictions": [[0.1, 0.2, 0.4, 0.8], [0.7, 0.9, 0.1, 0.3]], "targets": [3, 0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> MultiMargin {
        MultiMargin {
            squared: args.number(&POWER) == 2.0,
            margin: args.number(&MARGIN),
            weight: class_weights(args),
        }
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        check_weights(self.weight.as_deref(), shape[axis])?;
        Ok(self)
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
        let zero = R::of(0.0);
        let share = weight_of::<R>(self.weight.as_deref(), class) / R::of(x.len() as f64);
        let violation = |i: usize| {
            let z = R::of(self.margin) - x[class] + x[i];
            // As in torch, a NaN score violates nothing.
            pick(zero < z && i != class, z, zero)
        };
        let value = sum_over(x.len(), |i| {
            let z = violation(i);
            if self.squared { z * z } else { z }
        });
        for (i, slope) in slope.iter_mut().enumerate() {
            let z = violation(i);
            let steep = if self.squared { z + z } else { pick(zero < z, R::of(1.0), zero) };
            *slope = steep * share;
        }
        slope[class] = -sum_over(x.len(), |i| pick(i == class, zero, slope[i]));
        value * share
    }
}
