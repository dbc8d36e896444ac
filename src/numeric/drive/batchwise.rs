//! Losses that need the whole batch, or a sample of their own shape, at once.
//!
//! They are computed in double precision whatever the dtype: most of them subtract sums that are
//! close to each other, and one body for every dtype and CPU level keeps the program small.

use super::{empty, named_gradients};
use crate::numeric::args::Args;
use crate::numeric::card::Card;
use crate::numeric::fault::Fault;
use crate::numeric::job::{Job, Outcome, Values};
use crate::numeric::real::Real;
use crate::numeric::reduce::{Elements, Frame, sum};
use crate::numeric::simd::Number;
use crate::numeric::tensor::show;

/// A loss that walks the batch by itself. The first `K` inputs of the card are numbers, and the
/// first `D` of these have a gradient.
pub trait Batchwise<const K: usize, const D: usize>: Sized {
    /// The description.
    const CARD: Card;

    /// What the loss reads from the inputs beside the numbers: shapes, lengths, classes.
    type Plan;

    /// Reads the parameters.
    fn new(args: &Args) -> Self;

    /// Checks the inputs, and says what elements the unreduced loss has.
    ///
    /// # Errors
    /// Whatever is wrong with shapes, classes or lengths.
    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Self::Plan, Elements<T>), Fault>;

    /// What each loss is divided by before a mean is taken; none for nothing.
    fn divisors(&self, _plan: &Self::Plan) -> Option<Vec<f64>> {
        None
    }

    /// Writes the loss of each element that is kept, and adds its slopes times the element's
    /// factor. Losses and slopes come in as zeros; an input that was left out is empty.
    fn batch<R: Real>(&self, plan: &Self::Plan, x: [&[R]; K], work: Work<'_, R, D>);
}

/// Where a loss of the whole batch writes, and how much each element counts.
pub struct Work<'a, R, const D: usize> {
    /// Which elements enter the reduction.
    pub keep: &'a [bool],
    /// The factor on the slopes of each element.
    pub factor: &'a [R],
    /// The losses, without any factor.
    pub losses: &'a mut [R],
    /// The slopes in the first inputs.
    pub slopes: [&'a mut [R]; D],
}

/// Evaluates a loss of the whole batch.
///
/// # Errors
/// Whatever the plan or the weights find wrong.
pub fn evaluate<L, T, const K: usize, const D: usize>(job: &Job<T>) -> Result<Outcome<T>, Fault>
where
    L: Batchwise<K, D>,
    T: Number,
{
    if job.real(0)?.shape[..] == [0] && job.card.unreduced.starts_with('[') {
        return empty::<T, D>(job);
    }
    let loss = L::new(&job.args);
    let (plan, elements) = loss.plan(job)?;
    let frame = Frame::new(job, elements)?;
    let mut x: [&[T]; K] = [&[]; K];
    for (place, values) in x.iter_mut().enumerate() {
        if let Some(tensor) = job.optional(place)? {
            *values = &tensor.values;
        }
    }
    let total = frame.total();
    let divisors = if job.options.reduction.divides() { loss.divisors(&plan) } else { None };
    let keep: Vec<bool> = (0..total).map(|i| frame.keeps(i)).collect();
    let share = |i: usize| divisors.as_ref().map_or(1.0, |d| 1.0 / d[i]);
    let weights: Vec<f64> = (0..total).map(|i| frame.weight(i).to_f64()).collect();
    let factor: Vec<T> =
        (0..total).map(|i| T::of(weights[i] * share(i) * frame.scale.to_f64())).collect();
    let mut losses = vec![T::default(); total];
    let mut slopes: [Vec<T>; D] = std::array::from_fn(|d| vec![T::default(); x[d].len()]);
    loss.batch(
        &plan,
        x,
        Work {
            keep: &keep,
            factor: &factor,
            losses: &mut losses,
            slopes: slopes.each_mut().map(Vec::as_mut_slice),
        },
    );
    for (loss, weight) in losses.iter_mut().zip(&weights) {
        *loss = *loss * T::of(*weight);
    }
    let shares: Vec<f64> = (0..total).map(|i| losses[i].to_f64() * share(i)).collect();
    let mut shapes: [Vec<usize>; D] = std::array::from_fn(|_| Vec::new());
    for (place, shape) in shapes.iter_mut().enumerate() {
        shape.clone_from(&job.real(place)?.shape);
    }
    let gradients = named_gradients(job, shapes, slopes);
    Ok(frame.outcome(job, sum(&shares), Some(losses), gradients))
}

/// How many pairs a table may have: 128 MiB of numbers.
pub const PAIRS_MAX: usize = 1 << 24;
/// How many steps a batch may take whose cost grows faster than its size: some seconds.
pub const STEPS_MAX: usize = 1 << 30;

/// Refuses a batch whose cost, the product of these numbers, is out of proportion to its size.
///
/// # Errors
/// `Kind::Shape` if the product is above the limit.
pub fn bounded(
    input: &'static str,
    what: &str,
    parts: &[usize],
    limit: usize,
) -> Result<(), Fault> {
    let cost = parts.iter().fold(1usize, |cost, &part| cost.saturating_mul(part));
    if cost <= limit {
        return Ok(());
    }
    let detail = format!("the batch has {cost} {what}, more than {limit}");
    Err(Fault::shape(input, detail).hint("send smaller batches"))
}

/// The rows and columns of an input of two axes; none of either where nothing is in it.
///
/// # Errors
/// `Kind::Shape` for other axes.
pub fn rows_and_columns<T: Number>(job: &Job<T>, place: usize) -> Result<(usize, usize), Fault> {
    let (name, shape) = (job.card.inputs[place].name, &job.real(place)?.shape);
    match shape[..] {
        [rows, columns] => Ok((rows, columns)),
        [0] => Ok((0, 0)),
        _ => Err(Fault::shape(name, format!("{name} is {}", show(shape)))
            .hint(format!("send {name} of shape {}", job.card.inputs[place].shape))),
    }
}

/// Which of so many rows lack a label, in any input that may be missing; none if no row does.
pub fn rows_without_label<T>(job: &Job<T>, rows: usize) -> Option<Vec<bool>> {
    let mut found: Option<Vec<bool>> = None;
    for (input, values) in job.card.inputs.iter().zip(&job.inputs) {
        let missing = match values {
            Some(Values::Real(tensor)) if input.label => tensor.missing.as_deref(),
            Some(Values::Whole(tensor)) if input.label => tensor.missing.as_deref(),
            _ => None,
        };
        let Some(missing) = missing else { continue };
        let each = (missing.len() / rows.max(1)).max(1);
        let row_is_missing = missing.chunks(each).map(|row| row.contains(&true));
        let marks = found.get_or_insert_with(|| vec![false; rows]);
        marks.iter_mut().zip(row_is_missing).for_each(|(mark, missing)| *mark |= missing);
    }
    found
}
