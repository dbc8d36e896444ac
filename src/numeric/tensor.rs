//! Tensors: a shape and its elements in row-major order, and arithmetic on shapes.

use super::fault::{Fault, Kind, Place};
use super::simd::Number;

/// A dense tensor in row-major order. A scalar has the empty shape and one element.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The elements, the last axis fastest.
    pub values: Vec<T>,
    /// Which elements are labels that have not arrived; none where there is no list.
    pub missing: Option<Vec<bool>>,
}

impl<T> Tensor<T> {
    /// A tensor without missing elements.
    pub fn new(shape: Vec<usize>, values: Vec<T>) -> Tensor<T> {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Tensor { shape, values, missing: None }
    }

    /// The index on every axis of the element at a place in the buffer.
    pub fn index_of(&self, place: usize) -> Vec<usize> {
        index_of(&self.shape, place)
    }

    /// Whether the element at a place in the buffer is a missing label.
    pub fn is_missing(&self, place: usize) -> bool {
        self.missing.as_ref().is_some_and(|missing| missing[place])
    }
}

impl<T: Number> Tensor<T> {
    /// The same tensor in another number type, each element rounded once.
    pub fn converted<N: Number>(&self) -> Tensor<N> {
        Tensor {
            shape: self.shape.clone(),
            values: self.values.iter().map(|x| N::of(x.to_f64())).collect(),
            missing: self.missing.clone(),
        }
    }
}

/// The index on every axis of the element at a place in the buffer of a tensor of that shape.
pub fn index_of(shape: &[usize], place: usize) -> Vec<usize> {
    let mut rest = place;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&length| {
            let at = rest % length.max(1);
            rest /= length.max(1);
            at
        })
        .collect();
    index.reverse();
    index
}

/// A shape as it is shown in messages: `[2, 3]`, and `a scalar` for no axes.
pub fn show(shape: &[usize]) -> String {
    if shape.is_empty() { "a scalar".to_owned() } else { format!("{shape:?}") }
}

/// How the axes of a tensor divide around one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// How many stretches the axes before make.
    pub outer: usize,
    /// The length of the axis itself.
    pub length: usize,
    /// How many elements apart two neighbours on the axis are.
    pub inner: usize,
}

impl Rows {
    /// Divides a shape around an axis.
    pub fn around(shape: &[usize], axis: usize) -> Rows {
        Rows {
            outer: shape[..axis].iter().product(),
            length: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }

    /// How many rows there are.
    pub fn count(self) -> usize {
        self.outer * self.inner
    }

    /// The place of a row's first element.
    #[inline(always)]
    pub fn start(self, row: usize) -> usize {
        row / self.inner * self.length * self.inner + row % self.inner
    }
}

/// For each element of a tensor of shape `to`, the place in a tensor of shape `from` that torch's
/// broadcasting gives it: axes are aligned at the end, and an axis of length 1 is repeated.
/// None where the shapes do not allow it.
pub fn broadcast(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    if to.len() < from.len() {
        return None;
    }
    let lead = to.len() - from.len();
    let mut strides = vec![0usize; to.len()];
    let mut stride = 1;
    for axis in (0..from.len()).rev() {
        if from[axis] == to[lead + axis] {
            strides[lead + axis] = stride;
        } else if from[axis] != 1 {
            return None;
        }
        stride *= from[axis];
    }
    let count = to.iter().product();
    let mut places = Vec::with_capacity(count);
    let mut index = vec![0usize; to.len()];
    let mut place = 0;
    for _ in 0..count {
        places.push(place);
        for axis in (0..to.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < to[axis] {
                break;
            }
            place -= strides[axis] * to[axis];
            index[axis] = 0;
        }
    }
    Some(places)
}

/// Refuses a shape that is not the expected one.
pub fn agree(
    member: &'static str,
    shape: &[usize],
    other: &'static str,
    expected: &[usize],
) -> Result<(), Fault> {
    if shape == expected {
        return Ok(());
    }
    let detail = format!("{member} is {} but {other} is {}", show(shape), show(expected));
    let fault = Fault::new(Kind::Shape, Place::Member(member), detail);
    let ones_apart = shape.iter().filter(|&&n| n != 1).eq(expected.iter().filter(|&&n| n != 1));
    Err(if ones_apart {
        fault.hint("nothing is broadcast: drop or add the axis of length 1 so that both agree")
    } else {
        fault.hint(format!("send {member} of shape {}", show(expected)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_torch() {
        assert_eq!(broadcast(&[3], &[2, 3]), Some(vec![0, 1, 2, 0, 1, 2]));
        assert_eq!(broadcast(&[2, 1], &[2, 3]), Some(vec![0, 0, 0, 1, 1, 1]));
        assert_eq!(broadcast(&[], &[2, 2]), Some(vec![0; 4]));
        assert_eq!(broadcast(&[2], &[2, 3]), None);
        assert_eq!(broadcast(&[2, 3], &[3]), None);
        assert_eq!(broadcast(&[3], &[0, 3]), Some(vec![]));
    }

    #[test]
    fn an_index_is_found_from_its_place() {
        assert_eq!(index_of(&[2, 3, 4], 17), vec![1, 1, 1]);
        assert_eq!(index_of(&[], 0), Vec::<usize>::new());
    }

    #[test]
    fn rows_divide_a_shape() {
        assert_eq!(Rows::around(&[2, 3, 4, 5], 1), Rows { outer: 2, length: 3, inner: 20 });
        assert_eq!(Rows::around(&[7], 0), Rows { outer: 1, length: 7, inner: 1 });
    }
}
