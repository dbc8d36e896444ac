//! Losses that look at one row at a time: the scores of all classes, the features of a vector.

use std::array;
use std::ops::Range;

use super::{front, in_parallel, named_gradients, share, threads_for};
use crate::numeric::args::Args;
use crate::numeric::card::{Card, Domain};
use crate::numeric::fault::{Fault, Kind, Place};
use crate::numeric::job::{Job, Outcome, Values};
use crate::numeric::real::Real;
use crate::numeric::reduce::{Elements, Frame, sum};
use crate::numeric::simd::{Kernel, Number};
use crate::numeric::tensor::{Rows, Tensor, agree, index_of, show};

/// A loss of rows of `D` inputs, each with a gradient, and of what belongs to the row in the
/// targets.
pub trait Rowwise<const D: usize>: Sized + Sync {
    /// The description.
    const CARD: Card;

    /// Whether the slope is 0 everywhere but at the target's class.
    const SLOPE_AT_CLASS_ONLY: bool = false;

    /// Reads the parameters.
    fn new(args: &Args) -> Self;

    /// The axis that a row lies on, for inputs of so many axes.
    ///
    /// # Errors
    /// `Kind::Shape` or `Kind::Parameter` if there is no such axis.
    fn axis(&self, rank: usize) -> Result<usize, Fault> {
        Ok(rank - 1)
    }

    /// Fits the parameters to the inputs' shape, in which rows lie on that axis.
    ///
    /// # Errors
    /// `Kind::Parameter` for weights that do not fit.
    fn fit(self, _shape: &[usize], _axis: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    /// Whether targets of this class are left out.
    fn ignores(&self, _class: i64) -> bool {
        false
    }

    /// What a target of this class counts in the denominator; none where each counts 1.
    fn masses(&self) -> Option<&[f64]> {
        None
    }

    /// The loss of the row of that number. Writes its slope in each input; the slopes come in as
    /// zeros.
    fn row<R: Real>(
        &self,
        row: usize,
        x: [&[R]; D],
        target: Target<'_, R>,
        slope: [&mut [R]; D],
    ) -> R;
}

/// What belongs to one row in the targets.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a, R> {
    /// The loss has no targets.
    None,
    /// A class.
    Class(usize),
    /// A number.
    Value(R),
    /// As many numbers as the row has.
    Row(&'a [R]),
    /// Class indices ended by -1, checked to be classes.
    Classes(&'a [i64]),
}

/// The targets of a whole batch.
enum Targets<'a, T> {
    None,
    Classes(&'a [i64]),
    Values(&'a [T]),
    Rows(&'a [T]),
    Lists(&'a [i64]),
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
    let axis = loss.axis(shape.len())?;
    let rows = Rows::around(shape, axis);
    let loss = loss.fit(shape, axis)?;
    let (targets, elements) = arrange_targets(job, &loss, shape, axis)?;
    let frame = Frame::new(job, elements)?;

    let want_slopes = job.options.gradients;
    let mut losses = vec![T::default(); frame.total()];
    let mut slopes: [Vec<T>; D] = array::from_fn(|_| {
        vec![T::default(); if want_slopes { inputs[0].values.len() } else { 0 }]
    });
    walk(job, &loss, &inputs, &targets, rows, &frame, &mut losses, &mut slopes);

    let gradients = named_gradients(job, array::from_fn(|_| shape.clone()), slopes);
    let total = sum(&losses);
    Ok(frame.outcome(job, total, Some(losses), gradients))
}

/// The answer for no rows at all: JSON cannot say how long a row of `[]` would be.
fn empty<T: Number, const D: usize>(job: &Job<T>) -> Result<Outcome<T>, Fault> {
    if let Some(place) = job.card.label() {
        let length = match &job.inputs[place] {
            Some(Values::Real(targets)) => targets.values.len(),
            Some(Values::Whole(targets)) => targets.values.len(),
            None => 0,
        };
        if length != 0 {
            let (name, first) = (job.card.inputs[place].name, job.card.inputs[0].name);
            let detail = format!("{name} has {length} elements but {first} is empty");
            let hint = format!("send as many {name} as {first}");
            return Err(Fault::shape(name, detail).hint(hint));
        }
    }
    let frame = Frame::new(job, Elements::plain(vec![0]))?;
    let losses = job.wants_losses().then(Vec::new);
    let gradients =
        named_gradients::<T, D>(job, array::from_fn(|_| vec![0]), array::from_fn(|_| Vec::new()));
    Ok(frame.outcome(job, 0.0, losses, gradients))
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

/// Reads the targets beside the rows, checks them, and says which rows count and how much.
fn arrange_targets<'a, L, T, const D: usize>(
    job: &'a Job<T>,
    loss: &L,
    shape: &[usize],
    axis: usize,
) -> Result<(Targets<'a, T>, Elements<T>), Fault>
where
    L: Rowwise<D>,
    T: Number,
{
    let rows = Rows::around(shape, axis);
    let mut reduced = shape.to_vec();
    reduced.remove(axis);
    let mut elements = Elements::plain(reduced);
    let Some(place) = job.card.label() else {
        return Ok((Targets::None, elements));
    };
    let name = job.card.inputs[place].name;
    let first = job.card.inputs[0].name;
    match (job.card.inputs[place].domain, &job.inputs[place]) {
        (Domain::ClassList, _) => {
            let targets = job.whole(place)?;
            agree(name, &targets.shape, first, shape)?;
            elements.missing = targets.missing.as_deref().map(|m| any_in_row(m, rows));
            check_lists(name, targets, rows.length, &elements)?;
            Ok((Targets::Lists(&targets.values), elements))
        }
        (Domain::Class, _) | (Domain::ClassOrDistribution, Some(Values::Whole(_))) => {
            let targets = job.whole(place)?;
            agree_per_row(name, &targets.shape, first, shape, &elements.shape)?;
            elements.missing.clone_from(&targets.missing);
            elements.ignored = ignored_and_checked(loss, name, targets, rows.length)?;
            elements.mass = loss.masses().map(|masses| {
                let mass = |&class: &i64| usize::try_from(class).ok().and_then(|c| masses.get(c));
                targets.values.iter().map(|class| mass(class).copied().unwrap_or(0.0)).collect()
            });
            Ok((Targets::Classes(&targets.values), elements))
        }
        (Domain::Sign, _) => {
            let targets = job.real(place)?;
            agree_per_row(name, &targets.shape, first, shape, &elements.shape)?;
            elements.missing.clone_from(&targets.missing);
            Ok((Targets::Values(&targets.values), elements))
        }
        _ => {
            let targets = job.real(place)?;
            agree(name, &targets.shape, first, shape)?;
            if (0..rows.length).any(|class| loss.ignores(class as i64)) {
                let detail = "ignore_index leaves out class indices, but targets are probabilities";
                return Err(Fault::parameter("ignore_index", detail));
            }
            elements.missing = targets.missing.as_deref().map(|m| any_in_row(m, rows));
            Ok((Targets::Rows(&targets.values), elements))
        }
    }
}

/// Refuses targets that are not one per row.
fn agree_per_row(
    name: &'static str,
    shape: &[usize],
    first: &'static str,
    inputs: &[usize],
    expected: &[usize],
) -> Result<(), Fault> {
    if shape == expected {
        return Ok(());
    }
    let detail = format!(
        "{name} is {} but {first} {} has one target per row: {}",
        show(shape),
        show(inputs),
        show(expected)
    );
    Err(Fault::shape(name, detail).hint(format!("send {name} of shape {}", show(expected))))
}

/// Which rows are ignored, after checking that all others have a class there is.
fn ignored_and_checked<L: Rowwise<D>, const D: usize>(
    loss: &L,
    name: &'static str,
    targets: &Tensor<i64>,
    classes: usize,
) -> Result<Option<Vec<bool>>, Fault> {
    let is_class = |class: i64| usize::try_from(class).is_ok_and(|class| class < classes);
    if targets.missing.is_none()
        && targets.values.iter().all(|&class| is_class(class) && !loss.ignores(class))
    {
        return Ok(None);
    }
    let ignored: Vec<bool> = targets.values.iter().map(|&class| loss.ignores(class)).collect();
    for (place, &class) in targets.values.iter().enumerate() {
        if !is_class(class) && !ignored[place] && !targets.is_missing(place) {
            return Err(no_such_class(name, targets, place, classes));
        }
    }
    Ok(ignored.contains(&true).then_some(ignored))
}

fn no_such_class(name: &'static str, targets: &Tensor<i64>, place: usize, classes: usize) -> Fault {
    let class = targets.values[place];
    let row = index_of(&targets.shape, place);
    let detail = format!("{name} holds class {class} at {row:?}, but there are {classes} classes");
    let hint = match classes {
        0 => "send predictions with at least one class".to_owned(),
        _ => format!("classes are counted from 0 to {}", classes - 1),
    };
    Fault::new(Kind::Class, Place::Element(name, row), detail).hint(hint)
}

/// Checks lists of classes that are ended by -1.
fn check_lists<T>(
    name: &'static str,
    targets: &Tensor<i64>,
    classes: usize,
    elements: &Elements<T>,
) -> Result<(), Fault> {
    for (row, list) in targets.values.chunks(classes.max(1)).enumerate() {
        if elements.missing.as_ref().is_some_and(|missing| missing[row]) {
            continue;
        }
        for (at, &class) in list.iter().enumerate() {
            if class == -1 {
                break;
            }
            if !usize::try_from(class).is_ok_and(|class| class < classes) {
                return Err(no_such_class(name, targets, row * classes + at, classes));
            }
        }
    }
    Ok(())
}

/// Whether any element of each row is marked.
fn any_in_row(marks: &[bool], rows: Rows) -> Vec<bool> {
    let mut any = vec![false; rows.count()];
    for (place, &mark) in marks.iter().enumerate() {
        let outer = place / (rows.length * rows.inner);
        any[outer * rows.inner + place % rows.inner] |= mark;
    }
    any
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
        let scale = R::of(self.frame.scale.to_f64());
        let whole: [&[R]; D] = self.inputs.map(|input| R::view(&input.values));
        let losses = R::view_mut(self.losses);
        let want_slopes = self.slopes.iter().all(|slope| !slope.is_empty());
        let mut outputs = self.slopes.map(|slope| R::view_mut(slope));
        let mut gathered: [Vec<R>; D] = array::from_fn(|_| vec![R::of(0.0); length]);
        let mut gathered_target = vec![R::of(0.0); length];
        let mut scratch: [Vec<R>; D] = array::from_fn(|_| vec![R::of(0.0); length]);
        for outer in self.outer.clone() {
            for i in 0..inner {
                let row = outer * inner + i;
                if !self.frame.keeps(row) {
                    continue;
                }
                let start = outer * length * inner + i;
                let target = match self.targets {
                    Targets::None => Target::None,
                    Targets::Classes(classes) => Target::Class(classes[row] as usize),
                    Targets::Values(values) => Target::Value(R::view(values)[row]),
                    Targets::Lists(lists) => {
                        Target::Classes(&lists[row * length..(row + 1) * length])
                    }
                    Targets::Rows(values) => {
                        Target::Row(row_of(R::view(values), start, inner, &mut gathered_target))
                    }
                };
                let mut places = gathered.iter_mut();
                let x = whole.map(|whole| match places.next() {
                    Some(place) => row_of(whole, start, inner, place),
                    None => &[],
                });
                for slope in &mut scratch {
                    slope.fill(R::of(0.0));
                }
                let slope = scratch.each_mut().map(Vec::as_mut_slice);
                let value = self.loss.row(row, x, target, slope);
                let weight = R::of(self.frame.weight(row).to_f64());
                let here = row - self.outer.start * inner;
                losses[here] = value * weight;
                if want_slopes {
                    let factor = weight * scale;
                    let base = start - self.outer.start * length * inner;
                    for (output, slope) in outputs.iter_mut().zip(&scratch) {
                        if let (true, Target::Class(k)) = (L::SLOPE_AT_CLASS_ONLY, target) {
                            output[base + k * inner] = slope[k] * factor;
                            continue;
                        }
                        for (k, &s) in slope.iter().enumerate() {
                            output[base + k * inner] = s * factor;
                        }
                    }
                }
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
