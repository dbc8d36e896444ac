//! Multi-label classification: which of several labels apply.

use super::binary::{LOGITS, UNIT_TARGETS, spread};
use crate::numeric::args::Args;
use crate::numeric::card::{Card, Domain, Input, Param, Task};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::fault::Fault;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::tensor::Tensor;
use crate::numeric::verbs::{gap, log_sum_exp, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise::<MultilabelSoftMargin, _>(),
    Loss::rowwise::<MultilabelMargin, _>(),
    Loss::rowwise_in_double::<Zlpr, _>(),
];

const LABEL_WEIGHT: Param = Param::weights(
    "weight",
    "one weight per label, or per element; repeated over leading axes as torch broadcasts it",
);

struct MultilabelSoftMargin {
    given: Option<Tensor<f64>>,
    /// One weight per element, once the shape is known.
    weight: Option<Vec<f64>>,
}

impl Rowwise<1> for MultilabelSoftMargin {
    const CARD: Card = Card {
        name: "multilabel_soft_margin",
        title: "Multi-label soft margin",
        summary: "Binary cross-entropy with logits of each label, on average over a sample's labels.",
        formula: r"-\frac1C \sum_c w_c\left[t_c\ln\sigma(p_c) + (1 - t_c)\ln(1 - \sigma(p_c))\right]",
        inputs: &[
            Input { shape: "[n, c], […, c] or [c]", ..LOGITS },
            Input { shape: "[n, c], […, c] or [c]", ..UNIT_TARGETS },
        ],
        params: &[LABEL_WEIGHT],
        unreduced: "the shape without its last axis",
        mean: "the number of samples, also with weight",
        tasks: &[Task::MultiLabel],
        use_case: "multi-label classification",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no",
        source: "torch.nn.functional.multilabel_soft_margin_loss",
        aliases: &[],
        example: r#"{"predictions": [[1.2, -0.5, 0.3], [-1.0, 0.8, 2.0]], "targets": [[1, 0, 1], [0, 1, 1]]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> MultilabelSoftMargin {
        MultilabelSoftMargin { given: args.numbers(&LABEL_WEIGHT).cloned(), weight: None }
    }

    fn fit(self, shape: &[usize], _axis: usize) -> Result<Self, Fault> {
        let spread = |weight| spread::<f64>(&LABEL_WEIGHT, weight, shape);
        let weight = self.given.as_ref().map(spread).transpose()?;
        Ok(MultilabelSoftMargin { weight, ..self })
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Row(t) = target else { return R::of(f64::NAN) };
        let share = R::of(1.0 / x.len() as f64);
        let start = row * x.len();
        let weight =
            |c: usize| share * R::of(self.weight.as_ref().map_or(1.0, |weight| weight[start + c]));
        let part = |c: usize| x[c].binary_cross_entropy(t[c], R::of(1.0) - t[c]);
        for (c, slope) in slope.iter_mut().enumerate() {
            *slope = weight(c) * part(c).1;
        }
        sum_over(x.len(), |c| weight(c) * part(c).0)
    }
}

struct MultilabelMargin;

impl Rowwise<1> for MultilabelMargin {
    const AXES_MAX: usize = 2;
    const CARD: Card = Card {
        name: "multilabel_margin",
        title: "Multi-label margin",
        summary: "How far the score of each wrong label comes within 1 of each right one's, on average over labels.",
        formula: r"\frac1C \sum_{j \in t} \sum_{i \notin t} \max(0,\ 1 - (p_j - p_i))",
        inputs: &[
            Input { shape: "[n, c] or [c]", doc: "a score per label", ..Input::PREDICTIONS },
            Input {
                shape: "[n, c] or [c]",
                domain: Domain::ClassList,
                doc: "the right labels, ended by -1; what follows is not read",
                ..Input::TARGETS
            },
        ],
        unreduced: "[n]",
        mean: "the number of samples",
        kinks: "0 where a score lies exactly at the margin",
        tasks: &[Task::MultiLabel],
        use_case: "multi-label classification with margins",
        activation: "linear",
        outliers: "partly: linear in the violation",
        source: "torch.nn.functional.multilabel_margin_loss",
        aliases: &[],
        example: r#"{"predictions": [[0.1, 0.2, 0.4, 0.8], [0.9, 0.3, -0.2, 0.5]], "targets": [[3, 0, -1, -1], [0, -1, -1, -1]]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> MultilabelMargin {
        MultilabelMargin
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Classes(list) = target else { return R::of(f64::NAN) };
        let right = list.split(|&class| class == -1).next().unwrap_or_default();
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let share = R::of(1.0 / x.len() as f64);
        let mut is_right = vec![false; x.len()];
        for &class in right {
            is_right[class as usize] = true;
        }
        let mut value = zero;
        for &j in right {
            let j = j as usize;
            for i in 0..x.len() {
                if is_right[i] {
                    continue;
                }
                let z = one - x[j] + x[i];
                if zero < z {
                    value = value + z;
                    slope[j] = slope[j] - share;
                    slope[i] = slope[i] + share;
                }
            }
        }
        value * share
    }
}

struct Zlpr;

impl Rowwise<1> for Zlpr {
    const CARD: Card = Card {
        name: "zlpr",
        title: "Zero-bounded log-sum-exp and pairwise rank",
        summary: "Pushes the scores of all right labels above 0 and those of all wrong ones below it, each against the worst.",
        formula: r"\ln\left(1 + \sum_{t_c = 0} e^{p_c}\right) + \ln\left(1 + \sum_{t_c = 1} e^{-p_c}\right)",
        inputs: &[
            Input { shape: "[n, c], […, c] or [c]", ..LOGITS },
            Input {
                shape: "[n, c], […, c] or [c]",
                domain: Domain::Binary,
                doc: "1 for each label that applies, else 0",
                ..Input::TARGETS
            },
        ],
        unreduced: "the shape without its last axis",
        mean: "the number of samples",
        tasks: &[Task::MultiLabel],
        use_case: "multi-label classification with an uncertain number of labels, class imbalance",
        activation: "none: raw scores, the threshold is 0",
        outliers: "partly: linear in the worst score",
        source: "Su et al., ZLPR: a novel loss for multi-label classification, 2022; timm",
        differences: &["with validate false a target between 0 and 1 counts as right from 1/2 on"],
        aliases: &["multilabel_categorical_crossentropy"],
        example: r#"{"predictions": [[2.1, -1.3, 0.4], [-0.6, 1.7, -2.2]], "targets": [[1, 0, 1], [0, 1, 0]]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> Zlpr {
        Zlpr
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
        let (zero, one, half) = (R::of(0.0), R::of(1.0), R::of(0.5));
        let mut value = zero;
        for sign in [one, -one] {
            // The threshold, 0, stands at the end of the scores of this side.
            let here = |c: usize| (t[c] < half) == (zero < sign);
            let score = |c: usize| {
                let off = R::of(f64::NEG_INFINITY);
                if c == x.len() { zero } else { pick(here(c), sign * x[c], off) }
            };
            let sum = log_sum_exp(x.len() + 1, score);
            value = value + sum;
            for (c, slope) in slope.iter_mut().enumerate().filter(|(c, _)| here(*c)) {
                *slope = sign * gap(score(c), sum).exp();
            }
        }
        value
    }
}
