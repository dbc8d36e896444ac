//! Classes: which one of several, from a score for each.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::fault::Fault;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::verbs::{softmax, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise::<CrossEntropy, _>(),
    Loss::rowwise::<Nll, _>(),
    Loss::rowwise::<MultiMargin, _>(),
];

const WEIGHT: Param = Param::list("weight", "one weight per class");
const IGNORE_INDEX: Param = Param {
    name: "ignore_index",
    kind: ParamKind::IntegerOrList,
    default: Default::Number(-100.0),
    doc: "a class, or a list of classes, whose targets are left out",
};
const CLASS_AXIS: Param = Param {
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

/// The axis of the classes in predictions of so many axes.
fn class_axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    if rank == 1 {
        return Ok(0);
    }
    let length = rank as i64;
    let counted = if axis < 0 { axis + length } else { axis };
    usize::try_from(counted).ok().filter(|&at| at < rank).ok_or_else(|| {
        let detail = format!("class_axis is {axis}, but predictions has {rank} axes");
        Fault::parameter("class_axis", detail)
    })
}

/// The last axis, of predictions that may be one row or a batch of rows.
pub(super) fn last_of_two(rank: usize) -> Result<usize, Fault> {
    if rank <= 2 {
        return Ok(rank - 1);
    }
    Err(Fault::shape("predictions", format!("predictions has {rank} axes"))
        .hint("send predictions of shape [n, c] or [c]"))
}

/// The class weights of a job, if they are given.
fn class_weights(args: &Args) -> Option<Vec<f64>> {
    args.numbers(&WEIGHT).map(|weight| weight.values.clone())
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
    ignore_index: Vec<i64>,
    label_smoothing: f64,
    class_axis: i64,
}

impl Rowwise<1> for CrossEntropy {
    const CARD: Card = Card {
        name: "cross_entropy",
        title: "Cross-entropy",
        summary: "The negative logarithm of the probability that the softmax of the logits gives to the right class.",
        formula: r"-w_t \ln \frac{e^{p_t}}{\sum_c e^{p_c}}",
        inputs: &[
            Input {
                shape: "[n, c], [n, c, …] or [c]",
                domain: Domain::Logits,
                doc: "a logit per class",
                ..Input::PREDICTIONS
            },
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
            ignore_index: args.integers(&IGNORE_INDEX),
            label_smoothing: args.number(&LABEL_SMOOTHING),
            class_axis: args.integers(&CLASS_AXIS)[0],
        }
    }

    fn axis(&self, rank: usize) -> Result<usize, Fault> {
        class_axis(self.class_axis, rank)
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        check_weights(self.weight.as_deref(), shape[axis])?;
        Ok(self)
    }

    fn ignores(&self, class: i64) -> bool {
        self.ignore_index.contains(&class)
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
        let weight = self.weight.as_deref();
        let smoothing = R::of(self.label_smoothing);
        let even = R::of(self.label_smoothing / x.len() as f64);
        let keep = R::of(1.0) - smoothing;
        let (largest, log_sum) = softmax(x, slope);
        // -ln softmax, without adding the largest logit only to take it away again.
        let cost = |class: usize| log_sum - (x[class] - largest);
        if let Target::Row(t) = target {
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
            for slope in slope.iter_mut() {
                *slope = *slope * own;
            }
            slope[class] = slope[class] - own;
            return own * cost(class);
        }
        own = own * keep;
        let others = sum_over(x.len(), |c| weight_of::<R>(weight, c) * cost(c));
        let total = own + even * sum_over(x.len(), |c| weight_of::<R>(weight, c));
        for (c, slope) in slope.iter_mut().enumerate() {
            *slope = *slope * total - even * weight_of::<R>(weight, c);
        }
        slope[class] = slope[class] - own;
        own * cost(class) + even * others
    }
}

struct Nll {
    weight: Option<Vec<f64>>,
    ignore_index: Vec<i64>,
    class_axis: i64,
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
            Input {
                shape: "[n], [n, …] or a scalar",
                domain: Domain::Class,
                doc: "the right class",
                ..Input::TARGETS
            },
        ],
        params: &[WEIGHT, IGNORE_INDEX, CLASS_AXIS],
        unreduced: "the predictions' shape without the class axis",
        mean: "the sum of the weights of the targets' classes",
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
        Nll {
            weight: class_weights(args),
            ignore_index: args.integers(&IGNORE_INDEX),
            class_axis: args.integers(&CLASS_AXIS)[0],
        }
    }

    fn axis(&self, rank: usize) -> Result<usize, Fault> {
        class_axis(self.class_axis, rank)
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        check_weights(self.weight.as_deref(), shape[axis])?;
        Ok(self)
    }

    fn ignores(&self, class: i64) -> bool {
        self.ignore_index.contains(&class)
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
        inputs: &[
            Input { shape: "[n, c] or [c]", doc: "a score per class", ..Input::PREDICTIONS },
            Input {
                shape: "[n] or a scalar",
                domain: Domain::Class,
                doc: "the right class",
                ..Input::TARGETS
            },
        ],
        params: &[POWER, MARGIN, WEIGHT],
        unreduced: "[n]",
        mean: "the number of rows, also with weight",
        kinks: "0 where a score lies exactly at the margin",
        use_case: "multi-class classification with margins",
        activation: "linear",
        outliers: "partly: linear in the violation (squared for p 2)",
        source: "torch.nn.functional.multi_margin_loss; Crammer and Singer, 2001",
        differences: &["Burn has no weight"],
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

    fn axis(&self, rank: usize) -> Result<usize, Fault> {
        last_of_two(rank)
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
