//! Losses whose element `i` looks at element `i` of each input and at nothing else.

use std::array;
use std::ops::Range;

use super::{front, in_parallel, named_gradients, share, threads_for, under_input_names};
use crate::numeric::args::Args;
use crate::numeric::cancel;
use crate::numeric::card::Card;
use crate::numeric::dual::Dual;
use crate::numeric::fault::Fault;
use crate::numeric::job::{Job, Outcome};
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::{BLOCK, BlockSum, Elements, Frame, add_up, nonfinite};
use crate::numeric::simd::{Kernel, Number};
use crate::numeric::spare;
use crate::numeric::tensor::agree;

/// A loss of `K` numbers per element, the first `D` of which have a gradient.
pub trait Pointwise<const K: usize, const D: usize>: Sized + Sync {
    /// The description.
    const CARD: Card;

    /// Whether the loss takes so few operations that moving its numbers is what costs.
    const LIGHT: bool = false;

    /// Reads the parameters.
    fn new(args: &Args) -> Self;

    /// The loss of one element and its slope in each of the first `D` numbers.
    fn at<R: Real>(&self, x: [R; K]) -> (R, [R; D]);

    /// Whether `at_plain` gives the same as `at` for these parameters.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        false
    }

    /// The same, for the parameters that most callers have: a choice between parameters would be
    /// made for each element anew, both ways.
    #[inline(always)]
    fn at_plain<R: Real>(&self, x: [R; K]) -> (R, [R; D]) {
        self.at(x)
    }

    /// Where the `K` numbers come from: the first `K` inputs of the card, all of one shape.
    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, K>, Fault> {
        Arrangement::of_inputs(job)
    }
}

/// Where the numbers of each element come from.
pub struct Arrangement<'a, T, const K: usize> {
    /// The shape of the unreduced loss.
    pub shape: Vec<usize>,
    /// One lane per number.
    pub lanes: [Lane<'a, T>; K],
    /// Which elements have no label yet.
    pub missing: Option<Vec<bool>>,
    /// A factor on each loss that does not count in the denominator.
    pub factor: Option<Vec<T>>,
}

/// The numbers of one lane, one per element of the loss.
pub enum Lane<'a, T> {
    /// As the caller sent them.
    Given(&'a [T]),
    /// The same number for every element.
    Same(T),
    /// A smaller tensor repeated over the elements; the places say which number each one gets.
    Repeated {
        /// One number per element.
        values: Vec<T>,
        /// The place of each in the smaller tensor.
        places: Vec<usize>,
        /// The smaller tensor's shape.
        shape: Vec<usize>,
    },
}

impl<'a, T: Number> Lane<'a, T> {
    /// A tensor repeated over the elements.
    pub fn repeated(shape: &[usize], values: &[T], places: Vec<usize>) -> Lane<'a, T> {
        let spread = places.iter().map(|&place| values[place]).collect();
        Lane::Repeated { values: spread, places, shape: shape.to_vec() }
    }

    fn at(&self, element: usize) -> T {
        match self {
            Lane::Given(values) => values[element],
            Lane::Same(value) => *value,
            Lane::Repeated { values, .. } => values[element],
        }
    }
}

impl<'a, T: Number, const K: usize> Arrangement<'a, T, K> {
    /// The first `K` inputs of the card, which must have one shape.
    pub fn of_inputs(job: &'a Job<T>) -> Result<Arrangement<'a, T, K>, Fault> {
        let first = job.real(0)?;
        let mut lanes = array::from_fn(|_| Lane::Given(first.values.as_slice()));
        for (place, lane) in lanes.iter_mut().enumerate().skip(1) {
            let tensor = job.real(place)?;
            let inputs = job.card.inputs;
            agree(inputs[place].name, &tensor.shape, inputs[0].name, &first.shape)?;
            *lane = Lane::Given(&tensor.values);
        }
        let missing = match job.card.label() {
            Some(place) => job.real(place)?.missing.clone(),
            None => None,
        };
        Ok(Arrangement { shape: first.shape.clone(), lanes, missing, factor: None })
    }
}

/// Evaluates a pointwise loss on a batch.
///
/// # Errors
/// Whatever the arrangement or the weights find wrong.
pub fn evaluate<L, T, const K: usize, const D: usize>(job: &Job<T>) -> Result<Outcome<T>, Fault>
where
    L: Pointwise<K, D>,
    T: Number,
{
    let loss = L::new(&job.args);
    let Arrangement { shape, lanes, missing, factor } = loss.arrange(job)?;
    let elements = Elements { missing, factor, ..Elements::plain(shape) };
    let frame = Frame::new(job, elements)?;
    let total = frame.total();
    // Every element of these is written.
    let mut losses = spare::stale(if job.wants_losses() { total } else { 0 });
    let mut slopes: [Vec<T>; D] =
        array::from_fn(|_| spare::stale(if job.options.gradients { total } else { 0 }));

    let sums = walk(job, &loss, &lanes, &frame, &mut losses, &mut slopes);
    let sum = add_up(sums.into_iter());
    let found = if job.wants_losses() || sum.is_finite() {
        None
    } else {
        // Only a sum that is not finite asks for the losses themselves.
        let mut losses = vec![T::default(); total];
        walk(job, &loss, &lanes, &frame, &mut losses, &mut array::from_fn(|_| Vec::new()));
        nonfinite(&losses)
    };

    let (shapes, slopes) = with_repeated_gathered(&frame, &lanes, slopes);
    let gradients = named_gradients(job, shapes, slopes);
    let hessian = if job.options.hessian {
        let (shapes, curves) =
            with_repeated_gathered(&frame, &lanes, curves(&loss, &lanes, &frame));
        under_input_names(job.card, shapes, curves)
    } else {
        Vec::new()
    };
    let losses = job.wants_losses().then_some(losses);
    let mut outcome = frame.outcome(job, sum, losses, gradients);
    outcome.nonfinite = outcome.nonfinite.or(found);
    outcome.hessian = hessian;
    Ok(outcome)
}

/// The slopes, or curves, in each input with their shapes: one of a repeated tensor is the sum
/// over the elements that each of its numbers went to.
fn with_repeated_gathered<T: Number, const K: usize, const D: usize>(
    frame: &Frame<T>,
    lanes: &[Lane<'_, T>; K],
    mut slopes: [Vec<T>; D],
) -> ([Vec<usize>; D], [Vec<T>; D]) {
    let mut shapes = array::from_fn(|_| frame.shape.clone());
    for (number, lane) in lanes.iter().take(D).enumerate() {
        if let (Lane::Repeated { places, shape, .. }, false) = (lane, slopes[number].is_empty()) {
            slopes[number] = gathered(&slopes[number], places, shape.iter().product());
            shapes[number].clone_from(shape);
        }
    }
    (shapes, slopes)
}

/// The second derivatives, as the loss's slopes in dual numbers have them.
fn curves<L, T, const K: usize, const D: usize>(
    loss: &L,
    lanes: &[Lane<'_, T>; K],
    frame: &Frame<T>,
) -> [Vec<T>; D]
where
    L: Pointwise<K, D>,
    T: Number,
{
    let element = |i: usize| lanes.each_ref().map(|lane| lane.at(i).to_f64());
    array::from_fn(|d| {
        let mut curves = vec![T::default(); frame.total()];
        for (i, place) in curves.iter_mut().enumerate().filter(|(i, _)| frame.keeps(*i)) {
            let factor = frame.weight(i).to_f64() * frame.scale.to_f64();
            *place = T::of(curve(loss, element(i), d) * factor);
        }
        curves
    })
}

/// The second derivative of one element's loss in one of its numbers.
#[inline(never)]
fn curve<L: Pointwise<K, D>, const K: usize, const D: usize>(
    loss: &L,
    element: [f64; K],
    number: usize,
) -> f64 {
    let seed = |k: usize| if k == number { 1.0 } else { 0.0 };
    let (_, slopes) = loss.at(array::from_fn(|k| Dual::new(element[k], seed(k))));
    slopes[number].derivative
}

/// The slopes of a repeated tensor: the sum over all elements that each number went to.
fn gathered<T: Number>(slopes: &[T], places: &[usize], length: usize) -> Vec<T> {
    let mut sums = vec![0.0; length];
    for (slope, &place) in slopes.iter().zip(places) {
        sums[place] += slope.to_f64();
    }
    sums.into_iter().map(T::of).collect()
}

/// Walks the whole batch, on several threads where it is large, and gives the sum of each block.
fn walk<L, T, const K: usize, const D: usize>(
    job: &Job<T>,
    loss: &L,
    lanes: &[Lane<'_, T>; K],
    frame: &Frame<T>,
    losses: &mut [T],
    slopes: &mut [Vec<T>; D],
) -> Vec<f64>
where
    L: Pointwise<K, D>,
    T: Number,
{
    let total = frame.total();
    let length = BLOCK * share(total.div_ceil(BLOCK), threads_for(job, total));
    let mut losses = losses;
    let mut slopes = slopes.each_mut().map(Vec::as_mut_slice);
    let mut chunks = Vec::new();
    for start in (0..total).step_by(length) {
        let range = start..total.min(start + length);
        chunks.push(Chunk {
            loss,
            lanes,
            frame,
            losses: front(&mut losses, range.len()),
            slopes: slopes.each_mut().map(|slope| front(slope, range.len())),
            range,
        });
    }
    in_parallel(chunks, |chunk| T::dispatch(job.options.level, chunk)).concat()
}

/// A stretch of the batch, as long as some number of blocks.
struct Chunk<'a, L, T, const K: usize, const D: usize> {
    loss: &'a L,
    lanes: &'a [Lane<'a, T>; K],
    frame: &'a Frame<T>,
    range: Range<usize>,
    losses: &'a mut [T],
    slopes: [&'a mut [T]; D],
}

/// How many elements go through the body at once: enough to fill the widest vectors several
/// times, few enough to stay in the first cache.
const STRIP: usize = 64;

impl<L, T, const K: usize, const D: usize> Kernel<T> for Chunk<'_, L, T, K, D>
where
    L: Pointwise<K, D>,
    T: Number,
{
    type Out = Vec<f64>;

    #[inline(always)]
    fn run<R: Real<Elem = T>>(self) -> Vec<f64> {
        let Chunk { loss, lanes, frame, range, losses, slopes } = self;
        let scale = R::of(frame.scale.to_f64());
        let x: [Source<R>; K] = array::from_fn(|k| lanes[k].over(&range));
        let weight = frame.weight.as_ref().map(|weight| Source::of(&weight[range.clone()]));
        let skip = frame.skip.as_ref().map(|skip| &skip[range.clone()]);
        let in_registers = L::LIGHT && weight.is_none() && skip.is_none();
        let mut factor = Strip([scale; STRIP]);
        let mut value = Strip([R::of(0.0); STRIP]);
        let mut slope: [Strip<R>; D] = array::from_fn(|_| Strip([R::of(0.0); STRIP]));
        let mut losses = Sink::new(losses);
        let mut slopes = slopes.map(|slope| Sink::<R>::new(slope));
        let (full, rest) = (range.len() / STRIP, range.len() % STRIP);
        let strips = range.len().div_ceil(STRIP);
        let mut sums = Vec::with_capacity(range.len().div_ceil(BLOCK));
        for first in (0..strips).step_by(BLOCK / STRIP) {
            if cancel::is_raised() {
                break;
            }
            let mut sum = BlockSum::ZERO;
            let end = strips.min(first + BLOCK / STRIP);
            let light_end = if in_registers { end.min(full) } else { first };
            for n in first..light_end {
                // Copies that only constants index: none of them is ever in memory.
                let x = x.each_ref().map(|x| Strip(*x.strip(n)));
                let factor = Strip([scale; STRIP]);
                let mut value = Strip([R::of(0.0); STRIP]);
                let mut slope: [Strip<R>; D] = array::from_fn(|_| Strip([R::of(0.0); STRIP]));
                let x = x.each_ref().map(|x| &x.0);
                body::<L, R, false, K, D>(loss, x, &factor, &mut value, &mut slope);
                sum.add(&value.0);
                losses.put_full(n, &value);
                for (sink, slope) in slopes.iter_mut().zip(&slope) {
                    sink.put_full(n, slope);
                }
            }
            for n in light_end..end {
                let x = x.each_ref().map(|x| x.strip(n));
                let weight = weight.as_ref().map(|weight| weight.strip(n));
                if let Some(weight) = weight {
                    for i in 0..STRIP {
                        // Weight and scale first: their product is small where a slope is large.
                        factor.0[i] = weight[i] * scale;
                    }
                }
                if loss.is_plain() {
                    body::<L, R, true, K, D>(loss, x, &factor, &mut value, &mut slope);
                } else {
                    body::<L, R, false, K, D>(loss, x, &factor, &mut value, &mut slope);
                }
                if let Some(weight) = weight {
                    for i in 0..STRIP {
                        value.0[i] = value.0[i] * weight[i];
                    }
                }
                if let Some(skip) = skip {
                    leave_out(&skip[n * STRIP..], &mut value, &mut slope);
                }
                if n < full {
                    sum.add(&value.0);
                } else {
                    sum.add(&value.0[..rest]);
                }
                losses.put(n, &value);
                for d in 0..D {
                    slopes[d].put(n, &slope[d]);
                }
            }
            sums.push(sum.total());
        }
        sums
    }
}

/// The losses of a strip and their slopes times the factor.
#[inline(always)]
fn body<L, R, const PLAIN: bool, const K: usize, const D: usize>(
    loss: &L,
    x: [&[R; STRIP]; K],
    factor: &Strip<R>,
    value: &mut Strip<R>,
    slope: &mut [Strip<R>; D],
) where
    L: Pointwise<K, D>,
    R: Real,
{
    for i in 0..STRIP {
        let x = array::from_fn(|k| x[k][i]);
        let (v, s) = if PLAIN { loss.at_plain(x) } else { loss.at(x) };
        value.0[i] = v;
        for d in 0..D {
            slope[d].0[i] = s[d] * factor.0[i];
        }
    }
}

/// Makes the losses and slopes 0 that are left out.
#[inline(always)]
fn leave_out<R: Real, const D: usize>(
    skip: &[bool],
    value: &mut Strip<R>,
    slope: &mut [Strip<R>; D],
) {
    for (i, &skip) in skip.iter().take(STRIP).enumerate() {
        value.0[i] = pick(skip, R::of(0.0), value.0[i]);
        for slope in slope.iter_mut() {
            slope.0[i] = pick(skip, R::of(0.0), slope.0[i]);
        }
    }
}

/// Numbers of one strip, where vectors of every level are aligned.
#[repr(align(64))]
struct Strip<R>([R; STRIP]);

/// Where the strips of one lane come from: read in place, but for the last one if it is not full.
struct Source<'a, R> {
    full: &'a [[R; STRIP]],
    other: Strip<R>,
}

impl<'a, R: Real> Source<'a, R> {
    /// Numbers that stand one after the other. The last strip goes on with the very last one, so
    /// that the body always sees a full strip.
    #[inline(always)]
    fn of(values: &'a [R::Elem]) -> Source<'a, R> {
        let (full, rest) = R::view(values).as_chunks();
        let last = rest.last().copied().unwrap_or(R::of(0.0));
        let mut other = Strip([last; STRIP]);
        for (place, &x) in other.0.iter_mut().zip(rest) {
            *place = x;
        }
        Source { full, other }
    }

    #[inline(always)]
    fn strip(&self, number: usize) -> &[R; STRIP] {
        self.full.get(number).unwrap_or(&self.other.0)
    }
}

/// Where the strips of one output go; nothing is kept of an output that nobody wants.
struct Sink<'a, R> {
    full: &'a mut [[R; STRIP]],
    rest: &'a mut [R],
}

impl<'a, R: Real> Sink<'a, R> {
    #[inline(always)]
    fn new(output: &'a mut [R::Elem]) -> Sink<'a, R> {
        let (full, rest) = R::view_mut(output).as_chunks_mut();
        Sink { full, rest }
    }

    /// Writes a strip, of which the last one may not be full.
    #[inline(always)]
    fn put(&mut self, number: usize, strip: &Strip<R>) {
        if let Some(place) = self.full.get_mut(number) {
            *place = strip.0;
        } else if !self.rest.is_empty() {
            self.rest.copy_from_slice(&strip.0[..self.rest.len()]);
        }
    }

    /// Writes a full strip.
    #[inline(always)]
    fn put_full(&mut self, number: usize, strip: &Strip<R>) {
        if let Some(place) = self.full.get_mut(number) {
            *place = strip.0;
        }
    }
}

impl<T: Number> Lane<'_, T> {
    /// The strips of a stretch of elements.
    #[inline(always)]
    fn over<R: Real<Elem = T>>(&self, range: &Range<usize>) -> Source<'_, R> {
        match self {
            Lane::Given(values) => Source::of(&values[range.clone()]),
            Lane::Same(value) => Source { full: &[], other: Strip([R::of(value.to_f64()); STRIP]) },
            Lane::Repeated { values, .. } => Source::of(&values[range.clone()]),
        }
    }
}
