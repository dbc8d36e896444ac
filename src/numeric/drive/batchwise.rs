//! Losses that need the whole batch, or a sample of their own shape, at once.

use super::named_gradients;
use crate::numeric::args::Args;
use crate::numeric::card::Card;
use crate::numeric::fault::Fault;
use crate::numeric::job::{Job, Outcome};
use crate::numeric::real::Real;
use crate::numeric::reduce::{Elements, Frame, sum};
use crate::numeric::simd::{Kernel, Number};

/// A loss that walks the batch by itself.
pub trait Batchwise: Sized + Sync {
    /// The description.
    const CARD: Card;

    /// What the loss reads from the inputs beside the numbers: shapes, lengths, classes.
    type Plan: Sync;

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

    /// Writes the loss of each element that is kept, and its slope in the first input times the
    /// element's factor. Losses and slopes come in as zeros.
    fn batch<R: Real>(&self, plan: &Self::Plan, x: &[R], work: Work<'_, R>);
}

/// Where a loss of the whole batch writes, and how much each element counts.
pub struct Work<'a, R> {
    /// Which elements enter the reduction.
    pub keep: &'a [bool],
    /// The factor on the slope of each element.
    pub factor: &'a [R],
    /// The losses, without any factor.
    pub losses: &'a mut [R],
    /// The slopes in the first input; empty where they are not wanted.
    pub slopes: &'a mut [R],
}

/// Evaluates a loss of the whole batch.
///
/// # Errors
/// Whatever the plan or the weights find wrong.
pub fn evaluate<L: Batchwise, T: Number>(job: &Job<T>) -> Result<Outcome<T>, Fault> {
    let loss = L::new(&job.args);
    let (plan, elements) = loss.plan(job)?;
    let frame = Frame::new(job, elements)?;
    let input = job.real(0)?;
    let total = frame.total();
    let divisors = if job.options.reduction.divides() { loss.divisors(&plan) } else { None };
    let keep: Vec<bool> = (0..total).map(|i| frame.keeps(i)).collect();
    let share = |i: usize| divisors.as_ref().map_or(1.0, |d| 1.0 / d[i]);
    let weights: Vec<f64> = (0..total).map(|i| frame.weight(i).to_f64()).collect();
    let factor: Vec<T> =
        (0..total).map(|i| T::of(weights[i] * share(i) * frame.scale.to_f64())).collect();
    let mut losses = vec![T::default(); total];
    let mut slopes = vec![T::default(); if job.options.gradients { input.values.len() } else { 0 }];
    T::dispatch(
        job.options.level,
        Whole {
            loss: &loss,
            plan: &plan,
            x: &input.values,
            keep: &keep,
            factor: &factor,
            losses: &mut losses,
            slopes: &mut slopes,
        },
    );
    for (loss, weight) in losses.iter_mut().zip(&weights) {
        *loss = *loss * T::of(*weight);
    }
    let shares: Vec<f64> = (0..total).map(|i| losses[i].to_f64() * share(i)).collect();
    let shape = input.shape.clone();
    let gradients = named_gradients(job, [shape], [slopes]);
    Ok(frame.outcome(job, sum(&shares), Some(losses), gradients))
}

struct Whole<'a, L: Batchwise, T> {
    loss: &'a L,
    plan: &'a L::Plan,
    x: &'a [T],
    keep: &'a [bool],
    factor: &'a [T],
    losses: &'a mut [T],
    slopes: &'a mut [T],
}

impl<L: Batchwise, T: Number> Kernel<T> for Whole<'_, L, T> {
    type Out = ();

    #[inline(always)]
    fn run<R: Real<Elem = T>>(self) {
        let work = Work {
            keep: self.keep,
            factor: R::view(self.factor),
            losses: R::view_mut(self.losses),
            slopes: R::view_mut(self.slopes),
        };
        self.loss.batch(self.plan, R::view(self.x), work);
    }
}
