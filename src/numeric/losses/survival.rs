//! Survival: the time of an event that may not have been seen yet.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Domain, Input, Param, ParamKind, Task};
use crate::numeric::drive::batchwise::{Batchwise, Work, rows_and_columns, rows_without_label};
use crate::numeric::drive::pointwise::{Arrangement, Lane, Pointwise};
use crate::numeric::drive::targets::no_such_class;
use crate::numeric::fault::{Fault, Kind, Place};
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::{agree, show};
use crate::numeric::verbs::{gap, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::batchwise::<CoxPh, _, _>(),
    Loss::pointwise_in_double::<AftNll, _, _>(),
    Loss::batchwise::<DiscreteHazardNll, _, _>(),
];

/// When the event came, or how long it did not.
const TIME: Input = Input {
    name: "time",
    shape: "[n]",
    domain: Domain::NotNegative,
    doc: "when the event came, or the last time at which it had not",
    ..Input::TARGETS
};
/// Whether the event was seen.
const EVENT: Input = Input {
    name: "event",
    domain: Domain::Binary,
    doc: "1 if the event was seen, 0 if the sample is censored",
    ..TIME
};
const SURVIVAL: Card = Card { tasks: &[Task::Survival], unreduced: "[n]", ..Card::PAIR };

const TIES: Param = Param {
    name: "ties",
    kind: ParamKind::Choice(&["breslow", "efron"]),
    default: Default::Word("breslow"),
    doc: "how events at the same time share their risk set",
};

struct CoxPh {
    efron: bool,
}

/// The samples that count, those with the latest time first, in groups of the same time.
struct RiskSets {
    /// The samples of each group: first those with the event, then the censored ones.
    groups: Vec<Group>,
}

struct Group {
    events: Vec<usize>,
    censored: Vec<usize>,
}

impl Batchwise<1, 1> for CoxPh {
    const CARD: Card = Card {
        name: "cox_ph",
        title: "Cox proportional hazards",
        summary: "The negative log partial likelihood: at each event, how much of the risk the sample carried that had it.",
        formula: r"\sum_{i:\,e_i = 1} \left[\ln \sum_{j:\,T_j \ge T_i} e^{p_j} - p_i\right]",
        inputs: &[
            Input { shape: "[n]", doc: "logarithms of the relative risk", ..Input::PREDICTIONS },
            TIME,
            EVENT,
        ],
        params: &[TIES],
        mean: "the number of events; of samples where there is none, whose loss is 0",
        kinks: "smooth everywhere",
        use_case: "survival analysis: who has the event earlier",
        activation: "linear",
        outliers: "partly: linear in the log-risk",
        source: "Cox, 1972; Breslow, 1974; Efron, 1977; XGBoost survival:cox (breslow), lifelines (efron)",
        differences: &[
            "XGBoost gives censored times a minus sign; pycox ignores ties",
            "sample weights weigh the events' losses, not the risk sets",
            "a sample whose time or event is missing is in no risk set; the loss of a part of a batch has other risk sets than the whole",
        ],
        aliases: &["survival:cox", "cox", "partial_likelihood"],
        example: r#"{"predictions": [0.8, -0.2, 0.5, 0.1, -1.0], "time": [5.0, 8.0, 3.0, 12.0, 9.0], "event": [1, 0, 1, 1, 0]}"#,
        ..SURVIVAL
    };

    type Plan = RiskSets;

    fn new(args: &Args) -> CoxPh {
        CoxPh { efron: args.word(&TIES) == "efron" }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(RiskSets, Elements<T>), Fault> {
        let (time, event) = (job.real(1)?, job.real(2)?);
        let count = one_per_sample(job)?;
        agree("time", &time.shape, "predictions", &[count])?;
        agree("event", &event.shape, "predictions", &[count])?;
        let missing = rows_without_label(job, count);
        let there = |i: &usize| !missing.as_ref().is_some_and(|missing| missing[*i]);
        let mut order: Vec<usize> = (0..count).filter(there).collect();
        let latest_first =
            |&a: &usize, &b: &usize| time.values[b].to_f64().total_cmp(&time.values[a].to_f64());
        order.sort_by(latest_first);
        let seen = |i: usize| T::of(0.5) < event.values[i];
        let groups = order
            .chunk_by(|&a, &b| time.values[a] == time.values[b])
            .map(|same| {
                let (events, censored) = same.iter().partition(|&&i| seen(i));
                Group { events, censored }
            })
            .collect();
        let mut elements = Elements::plain(vec![count]);
        if (0..count).filter(there).any(seen) {
            elements.mass = Some((0..count).map(|i| f64::from(u8::from(seen(i)))).collect());
        }
        elements.missing = missing;
        Ok((RiskSets { groups }, elements))
    }

    fn batch<R: Real>(&self, plan: &RiskSets, [x]: [&[R]; 1], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let (zero, one) = (R::of(0.0), R::of(1.0));
        // The risk set grows from the latest time on: its log-sum-exp about a running maximum.
        let mut top = R::of(f64::NEG_INFINITY);
        let mut risk = zero;
        // How much each group's risk set weighs in the slopes of all that are in it.
        let mut pulls = vec![zero; plan.groups.len()];
        let mut tops = vec![zero; plan.groups.len()];
        for (number, group) in plan.groups.iter().enumerate() {
            for &i in group.events.iter().chain(&group.censored) {
                let new_top = pick(top < x[i], x[i], top);
                let kept = pick(risk == zero, zero, risk * gap(top, new_top).exp());
                risk = kept + gap(x[i], new_top).exp();
                top = new_top;
            }
            let tied = sum_over(group.events.len(), |k| gap(x[group.events[k]], top).exp());
            let count = R::of(group.events.len() as f64);
            tops[number] = top;
            let factor = sum_over(group.events.len(), |k| work.factor[group.events[k]]);
            let mut log = if self.efron { zero } else { risk.ln() };
            let mut shared = zero;
            if self.efron {
                for k in 0..group.events.len() {
                    let gone = R::of(k as f64) / count;
                    let left = risk - gone * tied;
                    log = log + left.ln() / count;
                    pulls[number] = pulls[number] + factor / (count * left);
                    shared = shared + factor * gone / (count * left);
                }
            } else {
                pulls[number] = factor / risk;
            }
            for &i in &group.events {
                work.losses[i] = log - gap(x[i], top);
                slopes[i] = slopes[i] - work.factor[i] - shared * gap(x[i], top).exp();
            }
        }
        // A sample is in the risk sets of its own time and all earlier ones.
        let mut pull = zero;
        let mut about = R::of(f64::NEG_INFINITY);
        for (number, group) in plan.groups.iter().enumerate().rev() {
            let scale =
                pick(about == R::of(f64::NEG_INFINITY), one, gap(tops[number], about).exp());
            pull = pull * scale + pulls[number];
            about = tops[number];
            for &i in group.events.iter().chain(&group.censored) {
                slopes[i] = slopes[i] + pull * gap(x[i], about).exp();
            }
        }
    }
}

/// The number of samples, of predictions that are one number each.
fn one_per_sample<T: Number>(job: &Job<T>) -> Result<usize, Fault> {
    let predictions = job.real(0)?;
    if let [count] = predictions.shape[..] {
        return Ok(count);
    }
    let detail = format!("predictions is {}", show(&predictions.shape));
    Err(Fault::shape("predictions", detail).hint("send predictions of shape [n]"))
}

const DISTRIBUTION: Param = Param {
    name: "distribution",
    kind: ParamKind::Choice(&["lognormal", "logistic", "extreme"]),
    default: Default::Word("lognormal"),
    doc: "of the logarithm of time: normal, logistic, or of least extremes (a Weibull time)",
};
const SCALE: Param =
    Param::number("scale", 1.0, Bounds::POSITIVE, "the spread of the logarithm of time");

#[derive(Clone, Copy)]
enum Error {
    Normal,
    Logistic,
    Extreme,
}

struct AftNll {
    error: Error,
    scale: f64,
}

impl Error {
    /// -ln of the density at z, and its slope.
    #[inline(always)]
    fn density<R: Real>(self, z: R) -> (R, R) {
        match self {
            Error::Normal => {
                let constant = R::of(0.5 * std::f64::consts::TAU.ln());
                (R::of(0.5) * z * z + constant, z)
            }
            Error::Logistic => {
                let logistic = z.logistic();
                (logistic.cost_of_yes + logistic.cost_of_no, logistic.yes - logistic.no)
            }
            Error::Extreme => (z.exp() - z, z.exp_m1()),
        }
    }

    /// -ln of the probability above z, and its slope.
    #[inline(always)]
    fn survival<R: Real>(self, z: R) -> (R, R) {
        match self {
            Error::Normal => (-(-z).ln_ndtr(), (-z).inverse_mills()),
            Error::Logistic => {
                let logistic = z.logistic();
                (logistic.cost_of_no, logistic.yes)
            }
            Error::Extreme => (z.exp(), z.exp()),
        }
    }

    /// -ln of the probability between two places, and its slope as both move.
    #[inline(always)]
    fn between<R: Real>(self, low: R, high: R) -> (R, R) {
        let zero = R::of(0.0);
        match self {
            Error::Normal => {
                // In the lower tail nothing cancels.
                let mirrored = zero < low;
                let (a, b) = (pick(mirrored, -high, low), pick(mirrored, -low, high));
                let (log_a, log_b) = (a.ln_ndtr(), b.ln_ndtr());
                let log = log_b + (-(log_a - log_b).exp()).ln_1p();
                let density = |z: R| (-self.density(z).0 - log).exp();
                let steep = density(b) - pick(a == R::of(f64::NEG_INFINITY), zero, density(a));
                (-log, pick(mirrored, steep, -steep))
            }
            Error::Logistic => {
                let (low_side, high_side) = (low.logistic(), high.logistic());
                let width = -(low - high).exp_m1();
                let value = high_side.cost_of_yes + low_side.cost_of_no - width.ln();
                (value, low_side.yes - high_side.no)
            }
            Error::Extreme => {
                let (low, high) = (low.exp(), high.exp());
                let width = high - low;
                let share = pick(R::of(700.0) < width, zero, width / width.exp_m1());
                (low - (-(-width).exp_m1()).ln(), low - share)
            }
        }
    }
}

impl Pointwise<4, 1> for AftNll {
    const CARD: Card = Card {
        name: "aft_nll",
        title: "Accelerated failure time",
        summary: "The negative log-likelihood of an event time, exact, censored or known within an interval, whose logarithm has the predicted location.",
        formula: r"\begin{cases} -\ln f(z) + \ln s + \ln T & \text{event} \\ -\ln(1 - F(z)) & \text{censored} \\ -\ln(F(z_u) - F(z)) & \text{interval} \end{cases},\quad z = \frac{\ln T - p}{s}",
        inputs: &[
            Input { shape: "[n]", doc: "locations of the logarithm of time", ..Input::PREDICTIONS },
            TIME,
            EVENT,
            Input {
                name: "upper",
                domain: Domain::Positive,
                optional: true,
                label: false,
                doc: "for a sample without event, the time by which it had come; infinite if that is not known",
                ..TIME
            },
        ],
        params: &[DISTRIBUTION, SCALE],
        unreduced: "[…]",
        mean: "the number of samples",
        use_case: "survival analysis: when the event comes",
        activation: "linear",
        outliers: "partly: squared for lognormal, linear on one side for the others",
        source: "XGBoost survival:aft; Wei, 1992",
        differences: &[
            "XGBoost gives an interval by two bounds of the label, and calls lognormal normal",
        ],
        aliases: &["survival:aft", "aft"],
        example: r#"{"predictions": [2.1, 1.4, 2.8, 1.9], "time": [9.0, 3.5, 20.0, 6.0], "event": [1, 1, 0, 1]}"#,
        ..SURVIVAL
    };

    fn new(args: &Args) -> AftNll {
        let error = match args.word(&DISTRIBUTION) {
            "logistic" => Error::Logistic,
            "extreme" => Error::Extreme,
            _ => Error::Normal,
        };
        AftNll { error, scale: args.number(&SCALE) }
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 4>, Fault> {
        let (location, time, event) = (job.real(0)?, job.real(1)?, job.real(2)?);
        agree("time", &time.shape, "predictions", &location.shape)?;
        agree("event", &event.shape, "predictions", &location.shape)?;
        let upper = match job.optional(3)? {
            None => Lane::Same(T::of(f64::INFINITY)),
            Some(upper) => {
                agree("upper", &upper.shape, "predictions", &location.shape)?;
                let empty =
                    |i: usize| upper.values[i] <= time.values[i] && event.values[i] == T::of(0.0);
                if let Some(place) = (0..upper.values.len()).find(|&i| empty(i)) {
                    let (from, to) = (time.values[place].to_f64(), upper.values[place].to_f64());
                    let detail = format!("upper must be above time, got {to} after {from}");
                    let at = Place::Element("upper", upper.index_of(place));
                    return Err(Fault::new(Kind::Domain, at, detail));
                }
                Lane::Given(upper.values.as_slice())
            }
        };
        let missing = rows_without_label(job, location.values.len());
        Ok(Arrangement {
            shape: location.shape.clone(),
            lanes: [
                Lane::Given(&location.values),
                Lane::Given(&time.values),
                Lane::Given(&event.values),
                upper,
            ],
            missing,
            factor: None,
        })
    }

    #[inline(always)]
    fn at<R: Real>(&self, [location, time, event, upper]: [R; 4]) -> (R, [R; 1]) {
        let scale = R::of(self.scale);
        let log_time = time.ln();
        let z = (log_time - location) / scale;
        let (value, steep) = if R::of(0.5) < event {
            let (value, steep) = self.error.density(z);
            (value + scale.ln() + log_time, steep)
        } else if upper < R::of(f64::INFINITY) {
            self.error.between(z, (upper.ln() - location) / scale)
        } else {
            self.error.survival(z)
        };
        (value, [-(steep / scale)])
    }
}

struct DiscreteHazardNll;

/// The interval of each sample and whether its event was seen there.
struct Intervals {
    classes: usize,
    ends: Vec<(usize, bool)>,
}

impl Batchwise<1, 1> for DiscreteHazardNll {
    const CARD: Card = Card {
        name: "discrete_hazard_nll",
        title: "Discrete hazards (logistic hazard)",
        summary: "Binary cross-entropy of the event in each interval of time that a sample has lived through.",
        formula: r"\sum_{k \le t} \mathrm{bce}\left(p_k,\ e\,[k = t]\right)",
        inputs: &[
            Input {
                shape: "[n, c]",
                domain: Domain::BinaryLogits,
                doc: "a logit per interval: that the event comes in it if it has not come before",
                ..Input::PREDICTIONS
            },
            Input {
                shape: "[n]",
                domain: Domain::Class,
                doc: "the interval of the event, or the last one without it",
                ..Input::TARGETS
            },
            EVENT,
        ],
        mean: "the number of samples",
        use_case: "survival analysis in intervals of time",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "partly: linear in each logit on the wrong side",
        source: "pycox nll_logistic_hazard; Gensheimer and Narasimhan, 2019",
        aliases: &["logistic_hazard", "nnet_survival"],
        example: r#"{"predictions": [[-1.8, -1.2, -0.7, -0.4], [-2.1, -1.5, -0.2, 0.3], [-0.5, -0.9, -1.1, -1.4]], "targets": [2, 3, 0], "event": [1, 0, 1]}"#,
        ..SURVIVAL
    };

    type Plan = Intervals;

    fn new(_args: &Args) -> DiscreteHazardNll {
        DiscreteHazardNll
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Intervals, Elements<T>), Fault> {
        let (interval, event) = (job.whole(1)?, job.real(2)?);
        let (rows, classes) = rows_and_columns(job, 0)?;
        agree("targets", &interval.shape, "one per row of predictions", &[rows])?;
        agree("event", &event.shape, "one per row of predictions", &[rows])?;
        let missing = rows_without_label(job, rows);
        let mut ends = Vec::with_capacity(rows);
        for row in 0..rows {
            let known = usize::try_from(interval.values[row]).ok().filter(|&end| end < classes);
            if known.is_none() && !missing.as_ref().is_some_and(|missing| missing[row]) {
                return Err(no_such_class("targets", interval, row, classes));
            }
            ends.push((known.unwrap_or(0), T::of(0.5) < event.values[row]));
        }
        let mut elements = Elements::plain(vec![rows]);
        elements.missing = missing;
        Ok((Intervals { classes, ends }, elements))
    }

    fn batch<R: Real>(&self, plan: &Intervals, [x]: [&[R]; 1], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        for (row, &(end, seen)) in plan.ends.iter().enumerate().filter(|(row, _)| work.keep[*row]) {
            for k in 0..=end {
                let at = row * plan.classes + k;
                let logistic = x[at].logistic();
                let came = seen && k == end;
                let cost = pick(came, logistic.cost_of_yes, logistic.cost_of_no);
                work.losses[row] = work.losses[row] + cost;
                slopes[at] = pick(came, -logistic.no, logistic.yes) * work.factor[row];
            }
        }
    }
}
