//! The transducer: labels whose place in time is not known, each predicted after those before it.

use super::sequence::{check_size, label_at, lengths};
use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind, Task};
use crate::numeric::drive::batchwise::{Batchwise, Work};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::{agree, show};
use crate::numeric::verbs::{gap, log_add, log_sum_exp};

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[Loss::batchwise::<Rnnt, _, _>()];

const BLANK: Param = Param {
    name: "blank",
    kind: ParamKind::Integer,
    default: Default::Number(-1.0),
    doc: "the class that stands for going on in time; -1 for the last one",
};
const CLAMP: Param = Param::number(
    "clamp",
    -1.0,
    Bounds::ANY,
    "above 0: each sample's gradient is cut to [-clamp, clamp] before the mean",
);

struct Rnnt {
    blank: i64,
    clamp: f64,
}

/// The size of the lattice, and what each sample uses of it.
struct Plan {
    frames: usize,
    steps: usize,
    classes: usize,
    blank: usize,
    samples: Vec<Sample>,
}

struct Sample {
    frames: usize,
    labels: Vec<usize>,
}

impl Batchwise<1, 1> for Rnnt {
    const CARD: Card = Card {
        name: "rnnt",
        title: "Recurrent neural network transducer",
        summary: "The negative logarithm of the probability of a label sequence, over all ways to place it in time, each label predicted after those before it.",
        formula: r"-\ln \sum_{\pi \to t} \prod_k \mathrm{softmax}(p_{\pi_k})",
        inputs: &[
            Input {
                shape: "[n, t, u+1, c]",
                doc: "a logit per frame, number of labels so far, and class",
                ..Input::PREDICTIONS
            },
            Input {
                shape: "[n, u]",
                domain: Domain::Class,
                doc: "the labels of each sample, without blanks; what is beyond its length is not read",
                ..Input::TARGETS
            },
            Input {
                name: "input_lengths",
                shape: "[n]",
                domain: Domain::Length,
                differentiable: false,
                doc: "how many frames of each sample count, at least 1",
                ..Input::PREDICTIONS
            },
            Input {
                name: "target_lengths",
                shape: "[n]",
                domain: Domain::Length,
                differentiable: false,
                doc: "how many labels each sample has",
                ..Input::PREDICTIONS
            },
        ],
        params: &[BLANK, CLAMP],
        unreduced: "[n]",
        mean: "the number of samples, whatever their lengths",
        kinks: "smooth; with clamp the gradient is cut, and not that of any loss",
        tasks: &[Task::Sequence],
        use_case: "streaming speech recognition",
        activation: "none: raw logits, log-softmax is inside",
        outliers: "no",
        source: "Graves, Sequence transduction with recurrent neural networks, 2012; torchaudio.functional.rnnt_loss",
        differences: &["Burn has blank 0"],
        aliases: &["rnn_transducer", "transducer"],
        example: r#"{"predictions": [[[[0.6, -0.2, 0.1], [0.1, 0.3, 1.2]], [[0.4, 0.1, 0.9], [-0.3, 0.2, 1.5]]], [[[-0.5, 1.1, 0.3], [0.2, -0.4, 0.8]], [[0.1, 0.7, 0.6], [-0.2, 0.1, 1.3]]]], "targets": [[0], [1]], "input_lengths": [2, 2], "target_lengths": [1, 1]}"#,
        ..Card::PAIR
    };

    type Plan = Plan;

    fn new(args: &Args) -> Rnnt {
        Rnnt { blank: args.integers(&BLANK)[0], clamp: args.number(&CLAMP) }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Plan, Elements<T>), Fault> {
        let logits = job.real(0)?;
        let [count, frames, steps, classes] = logits.shape[..] else {
            let detail = format!("predictions is {}", show(&logits.shape));
            return Err(Fault::shape("predictions", detail)
                .hint("send predictions of shape [n, t, u+1, c]"));
        };
        let from_end = if self.blank < 0 { self.blank + classes as i64 } else { self.blank };
        let blank = usize::try_from(from_end).ok().filter(|&blank| blank < classes);
        let blank = blank.ok_or_else(|| {
            let detail = format!("blank is {}, but there are {classes} classes", self.blank);
            Fault::parameter("blank", detail)
        })?;
        let labels = job.whole(1)?;
        let expected = [count, steps.saturating_sub(1)];
        agree("targets", &labels.shape, "one label less per sample than predictions", &expected)?;
        let input_lengths = lengths(job.whole(2)?, "input_lengths", count, 1..=frames, "frames")?;
        let target_lengths =
            lengths(job.whole(3)?, "target_lengths", count, 0..=expected[1], "labels")?;
        let mut missing = vec![false; count];
        let mut samples = Vec::with_capacity(count);
        for sample in 0..count {
            let start = sample * expected[1];
            let places = start..start + target_lengths[sample];
            missing[sample] = places.clone().any(|place| labels.is_missing(place));
            let known = if missing[sample] { start..start } else { places };
            let labels = known
                .map(|place| label_at(labels, place, classes, blank))
                .collect::<Result<Vec<usize>, Fault>>()?;
            check_size(input_lengths[sample], labels.len())?;
            samples.push(Sample { frames: input_lengths[sample], labels });
        }
        let mut elements = Elements::plain(vec![count]);
        elements.missing = missing.contains(&true).then_some(missing);
        Ok((Plan { frames, steps, classes, blank, samples }, elements))
    }

    fn batch<R: Real>(&self, plan: &Plan, [x]: [&[R]; 1], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let size = plan.frames * plan.steps * plan.classes;
        let kept = plan.samples.iter().enumerate().filter(|(n, _)| work.keep[*n]);
        for (number, sample) in wanted(kept) {
            let logits = &x[number * size..(number + 1) * size];
            let slopes = &mut slopes[number * size..(number + 1) * size];
            work.losses[number] = of_sample(plan, sample, logits, slopes);
            for slope in slopes {
                if 0.0 < self.clamp {
                    let clamp = R::of(self.clamp);
                    let cut = pick(clamp < *slope, clamp, *slope);
                    *slope = pick(cut < -clamp, -clamp, cut);
                }
                *slope = *slope * work.factor[number];
            }
        }
    }
}

/// The loss of one sample; writes its slopes.
fn of_sample<R: Real>(plan: &Plan, sample: &Sample, x: &[R], slopes: &mut [R]) -> R {
    let never = R::of(f64::NEG_INFINITY);
    let width = sample.labels.len() + 1;
    let node = |t: usize, u: usize| t * width + u;
    let row = |t: usize, u: usize| {
        let start = (t * plan.steps + u) * plan.classes;
        start..start + plan.classes
    };
    let mut sums = Vec::with_capacity(sample.frames * width);
    for t in 0..sample.frames {
        for u in 0..width {
            let logits = &x[row(t, u)];
            sums.push(log_sum_exp(logits.len(), |class| logits[class]));
        }
    }
    // The log-probabilities of going on in time, and of the next label.
    let go_on = |t: usize, u: usize| gap(x[row(t, u)][plan.blank], sums[node(t, u)]);
    let say = |t: usize, u: usize| gap(x[row(t, u)][sample.labels[u]], sums[node(t, u)]);
    let mut alpha = vec![never; sample.frames * width];
    for t in wanted(0..sample.frames) {
        for u in 0..width {
            let mut sum = if t == 0 && u == 0 { R::of(0.0) } else { never };
            if 0 < t {
                sum = log_add(sum, alpha[node(t - 1, u)] + go_on(t - 1, u));
            }
            if 0 < u {
                sum = log_add(sum, alpha[node(t, u - 1)] + say(t, u - 1));
            }
            alpha[node(t, u)] = sum;
        }
    }
    let last = (sample.frames - 1, width - 1);
    let total = alpha[node(last.0, last.1)] + go_on(last.0, last.1);
    // The log-probability of the rest of the sequence from each node on.
    let mut beta = vec![never; sample.frames * width];
    for t in wanted((0..sample.frames).rev()) {
        for u in (0..width).rev() {
            let after = if t + 1 < sample.frames {
                beta[node(t + 1, u)]
            } else if u == last.1 {
                R::of(0.0)
            } else {
                never
            };
            let time = go_on(t, u) + after;
            let label = if u < last.1 { say(t, u) + beta[node(t, u + 1)] } else { never };
            beta[node(t, u)] = log_add(time, label);
            let here = alpha[node(t, u)];
            let through = (here + beta[node(t, u)] - total).exp();
            let slopes = &mut slopes[row(t, u)];
            for (class, slope) in slopes.iter_mut().enumerate() {
                *slope = through * gap(x[row(t, u)][class], sums[node(t, u)]).exp();
            }
            slopes[plan.blank] = slopes[plan.blank] - (here + time - total).exp();
            if u < last.1 {
                let class = sample.labels[u];
                slopes[class] = slopes[class] - (here + label - total).exp();
            }
        }
    }
    -total
}
