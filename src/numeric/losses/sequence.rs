//! Sequences: labels whose place in time is not known.

use std::ops::RangeInclusive;

use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Card, Default, Domain, Input, Param, ParamKind, Task};
use crate::numeric::drive::batchwise::{Batchwise, Work};
use crate::numeric::fault::{Fault, Kind, Place};
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::{Tensor, show};
use crate::numeric::verbs::log_add;

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[Loss::batchwise::<Ctc, _, _>()];

const BLANK: Param = Param {
    name: "blank",
    kind: ParamKind::Integer,
    default: Default::Number(0.0),
    doc: "the class that stands for no label",
};
const ZERO_INFINITY: Param = Param::flag(
    "zero_infinity",
    false,
    "whether a sample too short for its labels costs 0, with a gradient of 0, and not infinity",
);

struct Ctc {
    blank: i64,
    zero_infinity: bool,
}

/// What one batch of sequences looks like.
struct Plan {
    samples: Vec<Sample>,
    classes: usize,
    blank: usize,
}

/// One sequence.
struct Sample {
    frames: usize,
    labels: Vec<usize>,
}

const FRAMES: Input = Input {
    shape: "[t, n, c] or [t, c]",
    domain: Domain::LogProbability,
    doc: "a log-probability per frame and class",
    ..Input::PREDICTIONS
};
const LABELS: Input = Input {
    shape: "[n, s], or all labels in one row; [s] without a batch",
    domain: Domain::Class,
    doc: "the labels of each sample, without blanks",
    ..Input::TARGETS
};
const INPUT_LENGTHS: Input = Input {
    name: "input_lengths",
    shape: "[n] or a scalar",
    domain: Domain::Length,
    differentiable: false,
    doc: "how many frames of each sample count",
    ..Input::PREDICTIONS
};
const TARGET_LENGTHS: Input =
    Input { name: "target_lengths", doc: "how many labels each sample has", ..INPUT_LENGTHS };

impl Batchwise<1, 1> for Ctc {
    const CARD: Card = Card {
        name: "ctc",
        title: "Connectionist temporal classification",
        summary: "The negative logarithm of the probability of a label sequence, over all ways to place it in time.",
        formula: r"-\ln \sum_{\pi \to t} \prod_k e^{p_{k, \pi_k}}",
        inputs: &[FRAMES, LABELS, INPUT_LENGTHS, TARGET_LENGTHS],
        params: &[BLANK, ZERO_INFINITY],
        unreduced: "[n], or a scalar without a batch",
        mean: "the number of samples, after dividing each loss by its number of labels (at least 1)",
        kinks: "as torch: e^p less the probability of the class in the frame, which is the gradient \
            through a log-softmax; the derivative in p alone lacks the e^p. NaN where a sample is \
            too short for its labels, 0 with zero_infinity",
        tasks: &[Task::Sequence],
        use_case: "speech and handwriting recognition",
        activation: "log-softmax",
        outliers: "no",
        source: "torch.nn.functional.ctc_loss; Graves et al., 2006",
        differences: &[
            "Burn and Keras take another mean; optax gives about 1e5 where this gives infinity",
        ],
        aliases: &[],
        example: r#"{"predictions": [[[-0.5, -1.6, -1.6], [-1.2, -0.7, -1.6]], [[-1.9, -0.4, -1.7], [-0.3, -2.3, -1.8]], [[-1.4, -1.8, -0.5], [-1.0, -0.9, -1.5]]], "targets": [[1, 2], [1, 0]], "input_lengths": [3, 3], "target_lengths": [2, 1]}"#,
        ..Card::PAIR
    };

    type Plan = Plan;

    fn new(args: &Args) -> Ctc {
        Ctc { blank: args.integers(&BLANK)[0], zero_infinity: args.flag(&ZERO_INFINITY) }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Plan, Elements<T>), Fault> {
        let frames = job.real(0)?;
        let (shape, total, count, classes) = match frames.shape[..] {
            [total, count, classes] => (vec![count], total, count, classes),
            [total, classes] => (Vec::new(), total, 1, classes),
            _ => {
                let detail = format!("predictions is {}", show(&frames.shape));
                return Err(Fault::shape("predictions", detail)
                    .hint("send predictions of shape [t, n, c] or [t, c]"));
            }
        };
        let blank = usize::try_from(self.blank).ok().filter(|&blank| blank < classes);
        let blank = blank.ok_or_else(|| {
            let detail = format!("blank is {}, but there are {classes} classes", self.blank);
            Fault::parameter("blank", detail)
        })?;
        let input_lengths = lengths(job.whole(2)?, "input_lengths", count, 0..=total, "frames")?;
        let labels = job.whole(1)?;
        let padded = match (labels.shape.as_slice(), shape.is_empty()) {
            ([rows, length], false) if *rows == count => Some(*length),
            ([length], true) => Some(*length),
            ([_], false) => None,
            _ => {
                let detail = format!(
                    "targets is {} but predictions has {count} samples",
                    show(&labels.shape)
                );
                return Err(Fault::shape("targets", detail)
                    .hint("send one row of labels per sample, or all labels in one row"));
            }
        };
        let longest = padded.unwrap_or(labels.values.len());
        let target_lengths =
            lengths(job.whole(3)?, "target_lengths", count, 0..=longest, "labels")?;
        if padded.is_none() && target_lengths.iter().sum::<usize>() != labels.values.len() {
            let detail = format!(
                "target_lengths add up to {} but targets has {} labels",
                target_lengths.iter().sum::<usize>(),
                labels.values.len()
            );
            return Err(Fault::shape("target_lengths", detail));
        }
        let mut missing = vec![false; count];
        let mut samples = Vec::with_capacity(count);
        let mut next = 0;
        for sample in 0..count {
            let start = padded.map_or(next, |length| sample * length);
            let places = start..start + target_lengths[sample];
            next = places.end;
            missing[sample] = places.clone().any(|place| labels.is_missing(place));
            let labels =
                places
                    .map(|place| {
                        if missing[sample] {
                            Ok(0)
                        } else {
                            label_at(labels, place, classes, blank)
                        }
                    })
                    .collect::<Result<Vec<usize>, Fault>>()?;
            check_size(input_lengths[sample], labels.len())?;
            samples.push(Sample { frames: input_lengths[sample], labels });
        }
        let mut elements = Elements::plain(shape);
        elements.missing = missing.contains(&true).then_some(missing);
        Ok((Plan { samples, classes, blank }, elements))
    }

    fn divisors(&self, plan: &Plan) -> Option<Vec<f64>> {
        Some(plan.samples.iter().map(|sample| sample.labels.len().max(1) as f64).collect())
    }

    fn batch<R: Real>(&self, plan: &Plan, [x]: [&[R]; 1], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let count = plan.samples.len();
        for (number, sample) in wanted(plan.samples.iter().enumerate()) {
            if !work.keep[number] {
                continue;
            }
            let frame = |t: usize| (t * count + number) * plan.classes;
            let lattice = Lattice::forward(sample, plan.blank, |t, class| x[frame(t) + class]);
            let infinite = lattice.cost == R::of(f64::INFINITY);
            if infinite && self.zero_infinity {
                continue;
            }
            work.losses[number] = lattice.cost;
            lattice.backward(
                sample,
                plan,
                |t, class| x[frame(t) + class],
                |t, class, slope| {
                    slopes[frame(t) + class] = slope * work.factor[number];
                },
            );
        }
    }
}

/// How many numbers the lattice of one sample may have: 256 MiB in double precision.
const LATTICE_MAX: usize = 1 << 25;

/// Refuses a sample whose lattice would be out of proportion to its request. One that is too short
/// for its labels needs none.
pub(super) fn check_size(frames: usize, labels: usize) -> Result<(), Fault> {
    if frames < labels || frames * (2 * labels + 1) <= LATTICE_MAX {
        return Ok(());
    }
    let detail = format!(
        "a sample of {frames} frames and {labels} labels has more than {LATTICE_MAX} places for them"
    );
    Err(Fault::shape("predictions", detail).hint("send shorter sequences"))
}

/// The label at a place, which must be a class and not the blank.
pub(super) fn label_at(
    labels: &Tensor<i64>,
    place: usize,
    classes: usize,
    blank: usize,
) -> Result<usize, Fault> {
    let class = labels.values[place];
    let index = labels.index_of(place);
    let fault = |detail: String| Fault::new(Kind::Class, Place::Element("targets", index), detail);
    match usize::try_from(class).ok().filter(|&class| class < classes) {
        Some(class) if class == blank => {
            Err(fault(format!("targets holds the blank, class {class}, which is not a label")))
        }
        Some(class) => Ok(class),
        None => Err(fault(format!("targets holds class {class}, but there are {classes} classes"))),
    }
}

/// The lengths of all samples, within limits.
pub(super) fn lengths(
    tensor: &Tensor<i64>,
    name: &'static str,
    count: usize,
    limits: RangeInclusive<usize>,
    of: &str,
) -> Result<Vec<usize>, Fault> {
    if tensor.values.len() != count || 1 < tensor.shape.len() {
        let detail = format!("{name} is {} but there are {count} samples", show(&tensor.shape));
        return Err(Fault::shape(name, detail).hint("send one length per sample"));
    }
    let length = |(place, &length): (usize, &i64)| {
        usize::try_from(length).ok().filter(|length| limits.contains(length)).ok_or_else(|| {
            let (least, most) = (limits.start(), limits.end());
            let detail =
                format!("{name} must be from {least} to {most}, the number of {of}, got {length}");
            Fault::new(Kind::Domain, Place::Element(name, tensor.index_of(place)), detail)
        })
    };
    tensor.values.iter().enumerate().map(length).collect()
}

/// The log-probabilities of every prefix of the labels, blanks between them, at every frame.
struct Lattice<R> {
    /// The labels with a blank before, between and after them.
    states: Vec<usize>,
    /// One row of states per frame.
    alpha: Vec<R>,
    /// The loss.
    cost: R,
}

/// Whether a path may jump from the label two states before: another label, not over a blank only.
fn may_skip(states: &[usize], state: usize) -> bool {
    2 <= state && states[state] != states[state - 2] && state % 2 == 1
}

impl<R: Real> Lattice<R> {
    #[inline(always)]
    fn forward(sample: &Sample, blank: usize, x: impl Fn(usize, usize) -> R) -> Lattice<R> {
        let never = R::of(f64::NEG_INFINITY);
        let mut states = vec![blank];
        for &label in &sample.labels {
            states.extend([label, blank]);
        }
        let width = states.len();
        if sample.frames == 0 || sample.frames < sample.labels.len() {
            let cost = if sample.labels.is_empty() { 0.0 } else { f64::INFINITY };
            return Lattice { states, alpha: Vec::new(), cost: R::of(cost) };
        }
        let mut alpha = vec![never; width * sample.frames];
        for (state, place) in alpha.iter_mut().enumerate().take(width.min(2)) {
            *place = x(0, states[state]);
        }
        for t in wanted(1..sample.frames) {
            let (before, row) = alpha.split_at_mut(t * width);
            let before = &before[(t - 1) * width..];
            for state in 0..width {
                let mut sum = before[state];
                if 1 <= state {
                    sum = log_add(sum, before[state - 1]);
                }
                if may_skip(&states, state) {
                    sum = log_add(sum, before[state - 2]);
                }
                row[state] = sum + x(t, states[state]);
            }
        }
        let last = &alpha[width * (sample.frames - 1)..];
        let end = last[width - 1];
        let total = if width == 1 { end } else { log_add(end, last[width - 2]) };
        Lattice { states, alpha, cost: -total }
    }

    /// Walks back, and gives each frame's and class's slope.
    #[inline(always)]
    fn backward(
        &self,
        sample: &Sample,
        plan: &Plan,
        x: impl Fn(usize, usize) -> R,
        mut give: impl FnMut(usize, usize, R),
    ) {
        let never = R::of(f64::NEG_INFINITY);
        let width = self.states.len();
        let mut beta = vec![never; width];
        for t in wanted((0..sample.frames).rev()) {
            let after = beta.clone();
            for state in 0..width {
                let own = x(t, self.states[state]);
                if t + 1 == sample.frames {
                    beta[state] = if width <= state + 2 { own } else { never };
                    continue;
                }
                let mut sum = after[state];
                if state + 1 < width {
                    sum = log_add(sum, after[state + 1]);
                }
                if state + 2 < width && may_skip(&self.states, state + 2) {
                    sum = log_add(sum, after[state + 2]);
                }
                beta[state] = sum + own;
            }
            let mut through = vec![never; plan.classes];
            for state in 0..width {
                let class = self.states[state];
                // A sample that is too short for its labels has no lattice, and no path.
                let here = self.alpha.get(t * width + state).copied().unwrap_or(never);
                let path = here + beta[state];
                through[class] = log_add(through[class], path);
            }
            for (class, &path) in through.iter().enumerate() {
                let own = x(t, class);
                // A class that is impossible here lies on no path.
                let share = (path + self.cost - own).exp();
                let impossible = own == never && self.cost < R::of(f64::INFINITY);
                give(t, class, own.exp() - pick(impossible, R::of(0.0), share));
            }
        }
    }
}
