//! The targets beside rows: classes, numbers or rows of numbers, checked before the walk.

use crate::numeric::args::Args;
use crate::numeric::card::Domain;
use crate::numeric::fault::{Fault, Kind, Place};
use crate::numeric::job::{Job, Values};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::{Rows, Tensor, agree, index_of, show};

/// The parameter that names the classes whose targets are left out.
const IGNORE_INDEX: &str = "ignore_index";

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
pub enum Targets<'a, T> {
    /// The loss has no targets.
    None,
    /// A class per row.
    Classes(&'a [i64]),
    /// A number per row.
    Values(&'a [T]),
    /// A row of numbers per row.
    Rows(&'a [T]),
    /// A list of classes per row, ended by -1.
    Lists(&'a [i64]),
}

/// Reads the targets beside the rows, checks them, and says which rows count and how much.
///
/// # Errors
/// `Kind::Shape` or `Kind::Class` for targets that do not fit the rows.
pub fn arrange<'a, T: Number>(
    job: &'a Job<T>,
    shape: &[usize],
    axis: usize,
    classes_beyond_row: usize,
    masses: Option<&[f64]>,
) -> Result<(Targets<'a, T>, Elements<T>), Fault> {
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
            let classes = rows.length + classes_beyond_row;
            elements.ignored = ignored_and_checked(&job.args, name, targets, classes)?;
            elements.mass = masses.map(|masses| {
                let mass = |&class: &i64| usize::try_from(class).ok().and_then(|c| masses.get(c));
                targets.values.iter().map(|class| mass(class).copied().unwrap_or(0.0)).collect()
            });
            Ok((Targets::Classes(&targets.values), elements))
        }
        _ if job.card.inputs[place].per_row => {
            let targets = job.real(place)?;
            agree_per_row(name, &targets.shape, first, shape, &elements.shape)?;
            elements.missing.clone_from(&targets.missing);
            Ok((Targets::Values(&targets.values), elements))
        }
        _ => {
            let targets = job.real(place)?;
            agree(name, &targets.shape, first, shape)?;
            let is_class = |&class: &i64| (0..rows.length as i64).contains(&class);
            if job.args.integers_named(IGNORE_INDEX).iter().any(is_class) {
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
fn ignored_and_checked(
    args: &Args,
    name: &'static str,
    targets: &Tensor<i64>,
    classes: usize,
) -> Result<Option<Vec<bool>>, Fault> {
    let left_out = args.integers_named(IGNORE_INDEX);
    let ignores = |class: i64| left_out.contains(&class);
    let is_class = |class: i64| usize::try_from(class).is_ok_and(|class| class < classes);
    // Without an early exit, so that it is vector instructions: a sign says that one is outside.
    let last = classes as i64 - 1;
    let outside =
        targets.values.iter().fold(0, |signs, &class| signs | class | last.wrapping_sub(class));
    if targets.missing.is_none()
        && 0 <= outside
        && !left_out.iter().any(|&class| is_class(class) && targets.values.contains(&class))
    {
        return Ok(None);
    }
    let ignored: Vec<bool> = targets.values.iter().map(|&class| ignores(class)).collect();
    for (place, &class) in targets.values.iter().enumerate() {
        if !is_class(class) && !ignored[place] && !targets.is_missing(place) {
            return Err(no_such_class(name, targets, place, classes));
        }
    }
    Ok(ignored.contains(&true).then_some(ignored))
}

/// A class that is not there, at a place of the targets.
pub fn no_such_class(
    name: &'static str,
    targets: &Tensor<i64>,
    place: usize,
    classes: usize,
) -> Fault {
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
