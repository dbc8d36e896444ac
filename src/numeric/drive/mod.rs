//! Drivers: each walks a batch in one form and calls the loss's body where the numbers are.
//!
//! `pointwise` for losses whose element looks at the same element of each input, `rowwise` for
//! losses that look at one row (classes, features) at a time, `batchwise` for all others.

pub mod batchwise;
pub mod pointwise;
pub mod rowwise;
mod short_rows;
pub mod targets;

use std::array;
use std::thread;

use super::cancel;
use super::card::Card;
use super::fault::Fault;
use super::job::{Job, Outcome, Values};
use super::reduce::{Elements, Frame};
use super::simd::Number;
use super::tensor::Tensor;

/// Below this many elements a second thread costs more than it saves.
const ELEMENTS_PER_THREAD: usize = 1 << 17;

/// How many threads a batch of so many elements is worth.
fn threads_for<T>(job: &Job<T>, elements: usize) -> usize {
    job.options.threads.min(elements / ELEMENTS_PER_THREAD).max(1)
}

/// Works on all chunks, each but the first on a thread of its own, and gives the results back in
/// the chunks' order.
fn in_parallel<C: Send, O: Send>(chunks: Vec<C>, work: impl Fn(C) -> O + Sync) -> Vec<O> {
    let mut chunks = chunks.into_iter();
    let Some(first) = chunks.next() else { return Vec::new() };
    if chunks.len() == 0 {
        return vec![work(first)];
    }
    thread::scope(|scope| {
        let flag = cancel::flag();
        let work = &work;
        let under_flag = |chunk| {
            let flag = flag.clone();
            scope.spawn(move || cancel::under(flag, || work(chunk)))
        };
        let others: Vec<_> = chunks.map(under_flag).collect();
        let mut results = vec![work(first)];
        for other in others {
            match other.join() {
                Ok(result) => results.push(result),
                // A panic in a body goes on to the job's own thread, which reports it.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

/// How many of `total` pieces each of `threads` threads takes.
fn share(total: usize, threads: usize) -> usize {
    total.div_ceil(threads).max(1)
}

/// Splits the front off a buffer; all of it where it is shorter: an output that is not wanted.
#[expect(clippy::mut_mut, reason = "the buffer's own slice gets shorter")]
fn front<'a, T>(buffer: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let length = length.min(buffer.len());
    buffer.split_off_mut(..length).unwrap_or_default()
}

/// The gradients under the names of their inputs.
fn named_gradients<T: Number, const D: usize>(
    job: &Job<T>,
    shapes: [Vec<usize>; D],
    slopes: [Vec<T>; D],
) -> Vec<(&'static str, Tensor<T>)> {
    if !job.options.gradients {
        return Vec::new();
    }
    under_input_names(job.card, shapes, slopes)
}

/// Tensors under the names of the first inputs.
fn under_input_names<T: Number, const D: usize>(
    card: &Card,
    shapes: [Vec<usize>; D],
    values: [Vec<T>; D],
) -> Vec<(&'static str, Tensor<T>)> {
    let tensors = shapes.into_iter().zip(values).map(|(shape, values)| Tensor::new(shape, values));
    card.inputs.iter().map(|input| input.name).zip(tensors).collect()
}

/// The answer for no rows at all: JSON cannot say how long a row of `[]` would be.
fn empty<T: Number, const D: usize>(job: &Job<T>) -> Result<Outcome<T>, Fault> {
    let first = job.card.inputs[0].name;
    for (input, values) in job.card.inputs.iter().zip(&job.inputs) {
        let length = match values {
            Some(Values::Real(tensor)) => tensor.values.len(),
            Some(Values::Whole(tensor)) => tensor.values.len(),
            None => 0,
        };
        if length != 0 {
            let name = input.name;
            let detail = format!("{name} has {length} elements but {first} is empty");
            let hint = format!("send as many {name} as {first}");
            return Err(Fault::shape(name, detail).hint(hint));
        }
    }
    let frame = Frame::new(job, Elements::plain(vec![0]))?;
    let losses = job.wants_losses().then(Vec::new);
    let nothing = || (array::from_fn(|_| vec![0]), array::from_fn(|_| Vec::new()));
    let (shapes, slopes) = nothing();
    let gradients = named_gradients::<T, D>(job, shapes, slopes);
    let mut outcome = frame.outcome(job, 0.0, losses, gradients);
    if job.options.hessian {
        let (shapes, curves) = nothing();
        outcome.hessian = under_input_names::<T, D>(job.card, shapes, curves);
    }
    Ok(outcome)
}
