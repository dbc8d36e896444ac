//! Warnings: what looks wrong with inputs that are valid. They never change a number.
//!
//! Only a sample of the rows is looked at, so that a warning costs next to nothing on a large
//! batch, and only what is true of all of them is said.

use super::card::{Domain, Input};
use super::job::{Job, Values};
use super::real::Real;
use super::simd::{Kernel, Number};
use super::tensor::{Rows, Tensor};
use super::validate::meant;
use super::verbs::sum_of;

/// Something that looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which kind it is.
    pub kind: WarningKind,
    /// The input that it is about.
    pub input: &'static str,
}

/// The kinds of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// Probabilities stand where logits are asked for.
    LooksLikeProbabilities,
    /// Logits stand where log-probabilities are asked for.
    LooksLikeLogits,
    /// Log-probabilities are above 0.
    PositiveLogProbabilities,
    /// Targets are 0 and 1 where -1 and 1 are asked for.
    TargetsZeroOne,
    /// Squared error on classes and probabilities.
    SquaredErrorOfProbabilities,
    /// Probabilities do not sum to 1.
    DoesNotSumToOne,
    /// Embeddings do not have length 1.
    NotNormalised,
}

impl WarningKind {
    /// All kinds.
    pub const ALL: [WarningKind; 7] = [
        WarningKind::LooksLikeProbabilities,
        WarningKind::LooksLikeLogits,
        WarningKind::PositiveLogProbabilities,
        WarningKind::TargetsZeroOne,
        WarningKind::SquaredErrorOfProbabilities,
        WarningKind::DoesNotSumToOne,
        WarningKind::NotNormalised,
    ];

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            WarningKind::LooksLikeProbabilities => "looks-like-probabilities",
            WarningKind::LooksLikeLogits => "looks-like-logits",
            WarningKind::PositiveLogProbabilities => "positive-log-probabilities",
            WarningKind::TargetsZeroOne => "targets-zero-one",
            WarningKind::SquaredErrorOfProbabilities => "squared-error-of-probabilities",
            WarningKind::DoesNotSumToOne => "does-not-sum-to-one",
            WarningKind::NotNormalised => "not-normalised",
        }
    }

    /// What it means and what to do.
    pub const fn message(self) -> &'static str {
        match self {
            WarningKind::LooksLikeProbabilities => {
                "these look like probabilities, but the loss takes raw logits and applies the \
                 softmax or sigmoid itself; applied twice it is the wrong objective"
            }
            WarningKind::LooksLikeLogits => {
                "these do not look like log-probabilities: their exponentials do not sum to 1; \
                 apply a log-softmax first, or use the loss that takes logits"
            }
            WarningKind::PositiveLogProbabilities => {
                "some of these are above 0, which the logarithm of a probability never is; \
                 apply a log-softmax first, or take the logarithm"
            }
            WarningKind::TargetsZeroOne => {
                "these are 0 and 1, but the loss takes -1 and 1; send 2 t - 1"
            }
            WarningKind::SquaredErrorOfProbabilities => {
                "targets of 0 and 1 with predictions between them look like classification, where \
                 squared error loses its gradient for confident mistakes; \
                 consider binary_cross_entropy"
            }
            WarningKind::DoesNotSumToOne => {
                "these should be probabilities over classes, but some rows do not sum to 1"
            }
            WarningKind::NotNormalised => {
                "the loss expects vectors of length 1; divide each by its length"
            }
        }
    }
}

/// How many elements of an input are looked at, at most.
const SAMPLE: usize = 1 << 10;
/// How far a sum of probabilities rounded to a few digits may be from 1.
const ROUNDING: f64 = 2e-2;
/// How many elements of a list of probabilities are no coincidence.
const ENOUGH: usize = 3;

/// What looks wrong with the inputs of a job.
pub fn warnings<T: Number>(job: &Job<T>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (input, values) in job.card.inputs.iter().zip(&job.inputs) {
        let Some(Values::Real(tensor)) = values else { continue };
        if tensor.values.is_empty() {
            continue;
        }
        let kind = match meant(input.domain, job) {
            Domain::Logits => looks_normalised(job, tensor),
            Domain::BinaryLogits => all_probabilities(tensor),
            Domain::LogProbability => log_probabilities(job, input, tensor),
            Domain::Distribution | Domain::ClassOrDistribution => sums(job, tensor),
            Domain::Sign => zero_one(tensor),
            Domain::UnitVector => lengths(job, tensor),
            _ => None,
        };
        warnings.extend(kind.map(|kind| Warning { kind, input: input.name }));
    }
    if job.card.name == "mse" {
        warnings.extend(squared_error_of_probabilities(job));
    }
    warnings
}

/// The axis of the classes: the parameter `class_axis` where the loss has it, the second axis for
/// frames of a sequence, else the last.
fn class_rows<T: Number>(job: &Job<T>, shape: &[usize]) -> Option<Rows> {
    let last = shape.len().checked_sub(1)?;
    let axis = match job.args.integer_named("class_axis") {
        Some(_) if last == 0 => 0,
        Some(axis) if axis < 0 => (shape.len() as i64 + axis) as usize,
        Some(axis) => axis as usize,
        None => last,
    };
    (axis <= last && 2 <= shape[axis]).then(|| Rows::around(shape, axis))
}

/// Some of the numbers below a limit: all of them where they are few, else picked without a
/// pattern that the data could share.
fn some_of(count: usize, limit: usize) -> impl Iterator<Item = usize> {
    let scattered = move |k: usize| {
        let mixed = (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mixed) * count as u128) >> 64) as usize
    };
    let all = count <= limit;
    (0..count.min(limit)).map(move |k| if all { k } else { scattered(k) })
}

/// The sums over some of the rows of a term of each element, without rows that do not count.
fn row_sums<T: Number>(
    job: &Job<T>,
    tensor: &Tensor<T>,
    rows: Rows,
    term: Term,
) -> impl Iterator<Item = f64> {
    let some = some_of(rows.count(), (SAMPLE / rows.length).max(1));
    some.filter(|&row| counts(job, row)).filter_map(move |row| {
        let start = rows.start(row);
        let places = (0..rows.length).map(|k| start + k * rows.inner);
        if tensor.missing.is_some() && places.clone().any(|place| tensor.is_missing(place)) {
            return None;
        }
        let sum = |row: &[T]| T::dispatch(job.options.level, Sum { row, term });
        Some(match tensor.values.get(start..start + rows.length) {
            Some(row) if rows.inner == 1 => sum(row),
            _ => sum(&places.map(|place| tensor.values[place]).collect::<Vec<T>>()),
        })
    })
}

/// What is summed over a row.
#[derive(Clone, Copy)]
enum Term {
    Itself,
    Power,
    Square,
}

/// The sum of a term over a row, which may be long.
struct Sum<'a, T> {
    row: &'a [T],
    term: Term,
}

impl<T: Number> Kernel<T> for Sum<'_, T> {
    type Out = f64;

    #[inline(always)]
    fn run<R: Real<Elem = T>>(self) -> f64 {
        let row = [R::view(self.row)];
        let sum = match self.term {
            Term::Itself => sum_of(row, |[x]| x),
            Term::Power => sum_of(row, |[x]| x.exp()),
            Term::Square => sum_of(row, |[x]| x * x),
        };
        sum.to_f64()
    }
}

/// Whether a row counts: its class is not an ignored one, and its frame is not beyond the end of
/// its sequence.
fn counts<T: Number>(job: &Job<T>, row: usize) -> bool {
    for (input, values) in job.card.inputs.iter().zip(&job.inputs) {
        let Some(Values::Whole(tensor)) = values else { continue };
        let beside_rows = tensor.values.get(row).copied();
        if input.name == "input_lengths" && !tensor.values.is_empty() {
            let samples = tensor.values.len();
            return ((row / samples) as i64) < tensor.values[row % samples];
        }
        if input.domain.is_class()
            && beside_rows.is_some_and(|class| job.args.ignores_named("ignore_index", class))
        {
            return false;
        }
    }
    true
}

fn sample<T: Number>(tensor: &Tensor<T>) -> impl Iterator<Item = f64> {
    let places = some_of(tensor.values.len(), SAMPLE);
    places.filter(|&place| !tensor.is_missing(place)).map(|place| tensor.values[place].to_f64())
}

fn is_probability(x: f64) -> bool {
    (0.0..=1.0).contains(&x)
}

/// Rows of numbers from 0 to 1 that sum to 1, and not all of them 0 or 1.
fn looks_normalised<T: Number>(job: &Job<T>, tensor: &Tensor<T>) -> Option<WarningKind> {
    let rows = class_rows(job, &tensor.shape)?;
    if !sample(tensor).all(is_probability) || sample(tensor).all(|x| x == 0.0 || x == 1.0) {
        return None;
    }
    let near_one =
        row_sums(job, tensor, rows, Term::Itself).all(|sum| (sum - 1.0).abs() < ROUNDING);
    near_one.then_some(WarningKind::LooksLikeProbabilities)
}

/// Numbers from 0 to 1 only, enough of them, and not all of them 0 or 1.
fn all_probabilities<T: Number>(tensor: &Tensor<T>) -> Option<WarningKind> {
    let all = sample(tensor).all(is_probability);
    let between = sample(tensor).any(|x| 0.0 < x && x < 1.0);
    let enough = ENOUGH <= tensor.values.len();
    (all && between && enough).then_some(WarningKind::LooksLikeProbabilities)
}

fn log_probabilities<T: Number>(
    job: &Job<T>,
    input: &Input,
    tensor: &Tensor<T>,
) -> Option<WarningKind> {
    // A little above 0 is rounding.
    if sample(tensor).any(|x| 1e-3 < x) {
        return Some(WarningKind::PositiveLogProbabilities);
    }
    if input.label {
        return None;
    }
    // A loss without a class axis does not say where the classes are: any axis will do.
    let elementwise = job.card.batchmean;
    let axes = if elementwise { 0..tensor.shape.len() } else { 0..1 };
    let sums_to_one = |rows: Rows| {
        row_sums(job, tensor, rows, Term::Power)
            .all(|sum| (sum - 1.0).abs() < 5.0 * ROUNDING || sum.is_nan())
    };
    let normalised = if elementwise {
        axes.into_iter().any(|axis| sums_to_one(Rows::around(&tensor.shape, axis)))
            || tensor.shape.is_empty()
    } else {
        class_rows(job, &tensor.shape).is_none_or(sums_to_one)
    };
    (!normalised).then_some(WarningKind::LooksLikeLogits)
}

/// Probabilities over classes that do not sum to 1 on any axis that could be the classes'.
fn sums<T: Number>(job: &Job<T>, tensor: &Tensor<T>) -> Option<WarningKind> {
    let near_one = |rows: Rows| {
        row_sums(job, tensor, rows, Term::Itself)
            .all(|sum| (sum - 1.0).abs() < ROUNDING || sum.is_nan())
    };
    let fine = if job.card.batchmean {
        tensor.shape.is_empty()
            || (0..tensor.shape.len()).any(|axis| near_one(Rows::around(&tensor.shape, axis)))
    } else {
        class_rows(job, &tensor.shape).is_none_or(near_one)
    };
    (!fine).then_some(WarningKind::DoesNotSumToOne)
}

/// Nothing but 0 and 1, and some 0: a 1 alone is as good a sign as any.
fn zero_one<T: Number>(tensor: &Tensor<T>) -> Option<WarningKind> {
    let only = sample(tensor).all(|x| x == 0.0 || x == 1.0);
    (only && sample(tensor).any(|x| x == 0.0)).then_some(WarningKind::TargetsZeroOne)
}

fn lengths<T: Number>(job: &Job<T>, tensor: &Tensor<T>) -> Option<WarningKind> {
    let rows = Rows::around(&tensor.shape, tensor.shape.len().checked_sub(1)?);
    let unit = row_sums(job, tensor, rows, Term::Square)
        .all(|square| (square.sqrt() - 1.0).abs() < ROUNDING || square.is_nan());
    (!unit).then_some(WarningKind::NotNormalised)
}

fn squared_error_of_probabilities<T: Number>(job: &Job<T>) -> Option<Warning> {
    let (Ok(p), Ok(t)) = (job.real(0), job.real(1)) else { return None };
    let classes = sample(t).all(|x| x == 0.0 || x == 1.0)
        && sample(t).any(|x| x == 0.0)
        && sample(t).any(|x| x == 1.0);
    let probabilities = sample(p).all(is_probability) && sample(p).any(|x| 0.0 < x && x < 1.0);
    (2 <= t.values.len() && classes && probabilities).then_some(Warning {
        kind: WarningKind::SquaredErrorOfProbabilities,
        input: job.card.inputs[0].name,
    })
}
