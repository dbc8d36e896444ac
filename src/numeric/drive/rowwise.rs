//! Losses that look at one row at a time: the scores of all classes, the features of a vector.

use std::array;
use std::ops::Range;

use super::short_rows::{AT_ONCE, SHORT, ShortRows};
pub use super::targets::Target;
use super::targets::{self, Targets};
use super::{empty, front, in_parallel, named_gradients, share, threads_for, under_input_names};
use crate::numeric::args::Args;
use crate::numeric::cancel;
use crate::numeric::card::Card;
use crate::numeric::fault::Fault;
use crate::numeric::job::{Job, Outcome};
use crate::numeric::real::Real;
use crate::numeric::reduce::{Frame, sum};
use crate::numeric::simd::{Kernel, Number};
use crate::numeric::spare;
use crate::numeric::tensor::{Rows, Tensor, agree};
use crate::numeric::verbs::{Softmax, cross_entropy, softmax};

/// A loss of rows of `D` inputs, each with a gradient, and of what belongs to the row in the
/// targets.
pub trait Rowwise<const D: usize>: Sized + Sync {
    /// The description.
    const CARD: Card;

    /// Whether the slope is 0 everywhere but at the target's class.
    const SLOPE_AT_CLASS_ONLY: bool = false;

    /// Whether `curve` gives second derivatives.
    const HAS_HESSIAN: bool = false;

    /// Whether it has `after_softmax`: rows then share the work of the softmax.
    const SOFTMAX: bool = false;

    /// Whether it writes all slopes of a row, whatever stood there before.
    const WRITES_SLOPES: bool = false;

    /// Whether it may be a plain cross-entropy: a constant, so that its shorter way is compiled for
    /// no other loss.
    const CROSS_ENTROPY: bool = false;

    /// Whether these parameters make it the logarithm of the sum of all powers less the logit of
    /// the target's class, which has a shorter way.
    #[inline(always)]
    fn is_cross_entropy(&self) -> bool {
        false
    }

    /// How many axes its inputs have at most.
    const AXES_MAX: usize = usize::MAX;

    /// How many classes there are beside one for each element of a row.
    const CLASSES_BEYOND_ROW: usize = 0;

    /// Reads the parameters.
    fn new(args: &Args) -> Self;

    /// Fits the parameters to the inputs' shape, in which rows lie on that axis.
    ///
    /// # Errors
    /// `Kind::Parameter` for weights that do not fit.
    fn fit(self, _shape: &[usize], _axis: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    /// What a target of this class counts in the denominator; none where each counts 1.
    fn masses(&self) -> Option<&[f64]> {
        None
    }

    /// The loss of the row of that number. Writes its slope in each input; the slopes come in as
    /// zeros, unless it writes all of them. A loss has either this or `after_softmax`.
    #[inline(always)]
    fn row<R: Real>(
        &self,
        row: usize,
        x: [&[R]; D],
        target: Target<'_, R>,
        slope: [&mut [R]; D],
    ) -> R {
        let softmax = softmax(x[0], slope[0]);
        self.after_softmax(row, x, softmax, target, slope)
    }

    /// The same, where the softmax of the first input stands in its slope already.
    #[inline(always)]
    fn after_softmax<R: Real>(
        &self,
        row: usize,
        x: [&[R]; D],
        _softmax: Softmax<R>,
        target: Target<'_, R>,
        slope: [&mut [R]; D],
    ) -> R {
        self.row(row, x, target, slope)
    }

    /// Writes the second derivative of a row's loss in each of its elements; zeros come in.
    fn curve(&self, _x: [&[f64]; D], _target: Target<'_, f64>, _curve: [&mut [f64]; D]) {}
}

/// Evaluates a row loss on a batch.
///
/// # Errors
/// Whatever is wrong with shapes, classes, parameters or weights.
pub fn evaluate<L, T, const D: usize>(job: &Job<T>) -> Result<Outcome<T>, Fault>
where
    L: Rowwise<D>,
    T: Number,
{
    let loss = L::new(&job.args);
    let inputs = same_shape::<T, D>(job)?;
    let shape = &inputs[0].shape;
    if shape.is_empty() {
        let name = job.card.inputs[0].name;
        let detail = format!("{name} is a scalar, but it needs an axis for a row");
        return Err(Fault::shape(name, detail)
            .hint(format!("send {name} of shape {}", job.card.inputs[0].shape)));
    }
    if shape[..] == [0] {
        return empty::<T, D>(job);
    }
    if L::AXES_MAX < shape.len() {
        let name = job.card.inputs[0].name;
        return Err(Fault::shape(name, format!("{name} has {} axes", shape.len()))
            .hint(format!("send {name} of shape {}", job.card.inputs[0].shape)));
    }
    let axis = axis_of_rows(&job.args, shape.len())?;
    let rows = Rows::around(shape, axis);
    let loss = loss.fit(shape, axis)?;
    let (targets, elements) =
        targets::arrange(job, shape, axis, L::CLASSES_BEYOND_ROW, loss.masses())?;
    let frame = Frame::new(job, elements)?;

    let want_slopes = job.options.gradients;
    let mut losses = vec![T::default(); frame.total()];
    let length = if want_slopes { inputs[0].values.len() } else { 0 };
    // Where no row is left out, every element is written.
    let all_written = frame.skip.is_none() && !L::SLOPE_AT_CLASS_ONLY;
    let mut slopes: [Vec<T>; D] =
        array::from_fn(
            |_| {
                if all_written { spare::stale(length) } else { vec![T::default(); length] }
            },
        );
    walk(job, &loss, &inputs, &targets, rows, &frame, &mut losses, &mut slopes);

    let gradients = named_gradients(job, array::from_fn(|_| shape.clone()), slopes);
    let hessian = if job.options.hessian {
        let curves = curves(&loss, &inputs, &targets, rows, &frame);
        under_input_names(job.card, array::from_fn(|_| shape.clone()), curves)
    } else {
        Vec::new()
    };
    let total = sum(&losses);
    let mut outcome = frame.outcome(job, total, Some(losses), gradients);
    outcome.hessian = hessian;
    Ok(outcome)
}

/// The axis that a row lies on, for inputs of so many axes: the parameter `class_axis` where the
/// loss has it, else the last one.
fn axis_of_rows(args: &Args, rank: usize) -> Result<usize, Fault> {
    let last = rank - 1;
    let Some(axis) = args.integer_named("class_axis").filter(|_| 0 < last) else {
        return Ok(last);
    };
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted).ok().filter(|&at| at < rank).ok_or_else(|| {
        let detail = format!("class_axis is {axis}, but predictions has {rank} axes");
        Fault::parameter("class_axis", detail)
    })
}

/// The second derivatives of all rows, in double precision.
fn curves<L, T, const D: usize>(
    loss: &L,
    inputs: &[&Tensor<T>; D],
    targets: &Targets<'_, T>,
    rows: Rows,
    frame: &Frame<T>,
) -> [Vec<T>; D]
where
    L: Rowwise<D>,
    T: Number,
{
    let wide = |values: &[T], start: usize| -> Vec<f64> {
        (0..rows.length).map(|k| values[start + k * rows.inner].to_f64()).collect()
    };
    let mut curves = inputs.map(|input| vec![T::default(); input.values.len()]);
    for row in (0..rows.count()).filter(|&row| frame.keeps(row)) {
        let start = rows.start(row);
        let x = inputs.map(|input| wide(&input.values, start));
        let beside =
            if let Targets::Rows(values) = targets { wide(values, start) } else { Vec::new() };
        let target = match targets {
            Targets::Classes(classes) => Target::Class(classes[row] as usize),
            Targets::Rows(_) => Target::Row(&beside),
            _ => Target::None,
        };
        let mut curve: [Vec<f64>; D] = array::from_fn(|_| vec![0.0; rows.length]);
        loss.curve(
            x.each_ref().map(Vec::as_slice),
            target,
            curve.each_mut().map(Vec::as_mut_slice),
        );
        let factor = frame.weight(row).to_f64() * frame.scale.to_f64();
        for (out, curve) in curves.iter_mut().zip(&curve) {
            for (k, c) in curve.iter().enumerate() {
                out[start + k * rows.inner] = T::of(c * factor);
            }
        }
    }
    curves
}

/// The first `D` inputs, which must have one shape.
fn same_shape<T: Number, const D: usize>(job: &Job<T>) -> Result<[&Tensor<T>; D], Fault> {
    let first = job.real(0)?;
    let mut inputs = [first; D];
    for (place, input) in inputs.iter_mut().enumerate().skip(1) {
        *input = job.real(place)?;
        let names = job.card.inputs;
        agree(names[place].name, &input.shape, names[0].name, &first.shape)?;
    }
    Ok(inputs)
}

/// Walks all rows, on several threads where they are many.
#[expect(clippy::too_many_arguments, reason = "one call, which names what each chunk is cut from")]
fn walk<L, T, const D: usize>(
    job: &Job<T>,
    loss: &L,
    inputs: &[&Tensor<T>; D],
    targets: &Targets<'_, T>,
    rows: Rows,
    frame: &Frame<T>,
    losses: &mut [T],
    slopes: &mut [Vec<T>; D],
) where
    L: Rowwise<D>,
    T: Number,
{
    let stretch = rows.length * rows.inner;
    let per_thread = share(rows.outer, threads_for(job, rows.outer * stretch));
    let mut losses = losses;
    let mut slopes = slopes.each_mut().map(Vec::as_mut_slice);
    let mut chunks = Vec::new();
    for start in (0..rows.outer).step_by(per_thread) {
        let outer = start..rows.outer.min(start + per_thread);
        chunks.push(Chunk {
            loss,
            inputs,
            targets,
            rows,
            frame,
            losses: front(&mut losses, outer.len() * rows.inner),
            slopes: slopes.each_mut().map(|slope| front(slope, outer.len() * stretch)),
            outer,
        });
    }
    in_parallel(chunks, |chunk| T::dispatch(job.options.level, chunk));
}

/// A stretch of the outer axes.
struct Chunk<'a, L, T, const D: usize> {
    loss: &'a L,
    inputs: &'a [&'a Tensor<T>; D],
    targets: &'a Targets<'a, T>,
    rows: Rows,
    frame: &'a Frame<T>,
    outer: Range<usize>,
    losses: &'a mut [T],
    slopes: [&'a mut [T]; D],
}

impl<L, T, const D: usize> Kernel<T> for Chunk<'_, L, T, D>
where
    L: Rowwise<D>,
    T: Number,
{
    type Out = ();

    #[inline(always)]
    fn run<R: Real<Elem = T>>(self) {
        let Rows { length, inner, .. } = self.rows;
        let nothing = || vec![R::of(0.0); length];
        let rows = self.outer.start * inner..self.outer.end * inner;
        let mut walk = Walk {
            loss: self.loss,
            targets: self.targets,
            rows: self.rows,
            frame: self.frame,
            scale: R::of(self.frame.scale.to_f64()),
            x: self.inputs.map(|input| R::view(&input.values)),
            first: rows.start,
            losses: R::view_mut(self.losses),
            slopes: self.slopes.map(|slope| R::view_mut(slope)),
            gathered: array::from_fn(|_| nothing()),
            gathered_target: nothing(),
        };
        let mut scratch: [Vec<R>; D] = array::from_fn(|_| nothing());
        if L::SOFTMAX && (1..=SHORT).contains(&length) && AT_ONCE <= rows.len() {
            let mut short = ShortRows::new(length);
            // Where all rows count the same, the slopes of the block are scaled in one go.
            let all_at_once =
                inner == 1 && self.frame.weight.is_none() && self.frame.skip.is_none();
            let mut row = rows.start;
            while row < rows.end && !cancel::is_raised() {
                // Rows beside each other must belong to one stretch of the outer axes.
                let stretch = if inner == 1 { rows.end } else { (row / inner + 1) * inner };
                let end = stretch.min(row + AT_ONCE);
                let block = row..end;
                let outputs = (row - rows.start) * length..(end - rows.start) * length;
                if L::CROSS_ENTROPY
                    && all_at_once
                    && self.loss.is_cross_entropy()
                    && let Targets::Classes(classes) = self.targets
                    && let Some(slopes) = walk.slopes[0].get_mut(outputs.clone())
                {
                    let x = &walk.x[0][row * length..end * length];
                    let losses = &mut walk.losses[row - walk.first..end - walk.first];
                    let classes = &classes[block.clone()];
                    if short.cross_entropy(x, classes, walk.scale, losses, slopes) {
                        row = end;
                        continue;
                    }
                }
                short.rows(walk.x[0], self.rows, &block);
                for (at, row) in block.enumerate() {
                    let (softmax, shares) = short.row(at);
                    let mut shares = Some(shares);
                    // The shares stand in the slope of the first input, the only one.
                    let slope = array::from_fn(|_| shares.take().unwrap_or_default());
                    walk.row(row, Some(softmax), slope, !all_at_once);
                }
                if all_at_once {
                    let out = walk.slopes[0].get_mut(outputs).unwrap_or_default();
                    for (out, &slope) in out.iter_mut().zip(short.shares()) {
                        *out = slope * walk.scale;
                    }
                }
                row = end;
            }
            return;
        }
        for row in rows {
            if row % AT_ONCE == 0 && cancel::is_raised() {
                break;
            }
            if L::CROSS_ENTROPY && self.loss.is_cross_entropy() && walk.cross_entropy(row) {
                continue;
            }
            // A softmax is written over whatever stands there.
            if !L::SOFTMAX && !L::WRITES_SLOPES {
                for slope in &mut scratch {
                    slope.fill(R::of(0.0));
                }
            }
            walk.row(row, None, scratch.each_mut().map(Vec::as_mut_slice), true);
        }
    }
}

/// A walk over rows, one at a time.
struct Walk<'a, L, T, R, const D: usize> {
    loss: &'a L,
    targets: &'a Targets<'a, T>,
    rows: Rows,
    frame: &'a Frame<T>,
    scale: R,
    x: [&'a [R]; D],
    /// The row whose outputs are the first ones.
    first: usize,
    losses: &'a mut [R],
    slopes: [&'a mut [R]; D],
    gathered: [Vec<R>; D],
    gathered_target: Vec<R>,
}

impl<L, T, R, const D: usize> Walk<'_, L, T, R, D>
where
    L: Rowwise<D>,
    T: Number,
    R: Real<Elem = T>,
{
    /// Does one row of the plain cross-entropy in the place of its slopes, if it can.
    #[inline(always)]
    fn cross_entropy(&mut self, row: usize) -> bool {
        let Rows { length, inner, .. } = self.rows;
        let Targets::Classes(classes) = self.targets else { return false };
        if inner != 1 || !self.frame.keeps(row) || self.slopes[0].is_empty() {
            return false;
        }
        let start = self.rows.start(row);
        let weight = R::of(self.frame.weight(row).to_f64());
        let slope = &mut self.slopes[0][start - self.first * length..][..length];
        let x = &self.x[0][start..start + length];
        let class = classes[row] as usize;
        let Some(value) = cross_entropy(x, class, weight * self.scale, slope) else {
            return false;
        };
        self.losses[row - self.first] = value * weight;
        true
    }

    /// Does one row, whose softmax stands in `slope` if it is there, and writes its slopes out if
    /// they are not yet to be left there.
    #[inline(always)]
    fn row(
        &mut self,
        row: usize,
        softmax: Option<Softmax<R>>,
        slope: [&mut [R]; D],
        writes_out: bool,
    ) {
        let Rows { length, inner, .. } = self.rows;
        if !self.frame.keeps(row) {
            return;
        }
        let start = self.rows.start(row);
        let target = match self.targets {
            Targets::None => Target::None,
            Targets::Classes(classes) => Target::Class(classes[row] as usize),
            Targets::Values(values) => Target::Value(R::view(values)[row]),
            Targets::Lists(lists) => Target::Classes(&lists[row * length..(row + 1) * length]),
            Targets::Rows(values) => {
                let place = &mut self.gathered_target;
                Target::Row(row_of(R::view(values), start, inner, place))
            }
        };
        let mut places = self.gathered.iter_mut();
        let x = self.x.map(|x| match places.next() {
            Some(place) => row_of(x, start, inner, place),
            None => &[],
        });
        let mut slope = slope;
        let place = slope.each_mut().map(|slope| &mut **slope);
        let value = match softmax {
            Some(softmax) => self.loss.after_softmax(row, x, softmax, target, place),
            None => self.loss.row(row, x, target, place),
        };
        let weight = R::of(self.frame.weight(row).to_f64());
        self.losses[row - self.first] = value * weight;
        if !writes_out {
            return;
        }
        let factor = weight * self.scale;
        let base = start - self.first * length;
        for (output, slope) in self.slopes.iter_mut().zip(&slope) {
            if output.is_empty() {
                continue;
            }
            if let (true, Target::Class(k)) = (L::SLOPE_AT_CLASS_ONLY, target) {
                output[base + k * inner] = slope[k] * factor;
                continue;
            }
            if inner == 1 {
                for (output, &slope) in output[base..base + length].iter_mut().zip(slope.iter()) {
                    *output = slope * factor;
                }
                continue;
            }
            for (k, &slope) in slope.iter().enumerate() {
                output[base + k * inner] = slope * factor;
            }
        }
    }
}

/// One row as a slice: in place where its elements are neighbours, else gathered.
#[inline(always)]
fn row_of<'a, R: Real>(
    whole: &'a [R],
    start: usize,
    inner: usize,
    gathered: &'a mut [R],
) -> &'a [R] {
    if inner == 1 {
        return &whole[start..start + gathered.len()];
    }
    for (k, place) in gathered.iter_mut().enumerate() {
        *place = whole[start + k * inner];
    }
    gathered
}
