//! Tensors to nested arrays of the shortest decimals that read back to the same numbers. NaN and
//! the infinities are strings, a missing element is null.

use std::ops::Range;

use super::decimal::{Decimals, STRIP};
use super::sheet::Sheet;
use super::vector::{Vector, Work, dispatch};
use crate::numeric::simd::{Level, Number};
use crate::numeric::tensor::Tensor;

/// A number type that can be printed shortest.
pub trait Print: Number + zmij::Float {
    /// Appends the shortest decimal that reads back to the same number.
    #[inline]
    fn print(self, out: &mut Sheet) {
        if Number::is_finite(self) {
            out.extend(zmij::Buffer::new().format_finite(self).as_bytes());
        } else {
            out.extend(not_finite(self.to_f64()));
        }
    }

    /// Prints a range of a tensor's elements with vectors, where the type can be.
    #[inline(always)]
    fn print_range<V: Vector>(
        _vector: V,
        tensor: &Tensor<Self>,
        range: Range<usize>,
        out: &mut Sheet,
    ) {
        print_each(tensor, range, out);
    }
}

impl Print for f32 {
    #[inline(always)]
    fn print_range<V: Vector>(
        vector: V,
        tensor: &Tensor<f32>,
        range: Range<usize>,
        out: &mut Sheet,
    ) {
        let (strip, end) = (range.start..range.start, range.end);
        let strips = Strips { vector, tensor, decimals: Decimals::NONE, strip, end };
        nested(&tensor.shape, range, out, strips);
    }
}

impl Print for f64 {}

/// How a number is spelled that JSON has no literal for.
pub const fn not_finite(x: f64) -> &'static [u8] {
    if x.is_nan() {
        b"\"NaN\""
    } else if 0.0 < x {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    }
}

/// Prints a range of a tensor's elements, with the brackets and commas that belong to them: what
/// consecutive ranges print makes up the whole.
pub fn print_range<T: Print>(
    tensor: &Tensor<T>,
    range: Range<usize>,
    level: Level,
    out: &mut Sheet,
) {
    // Fewer numbers are printed one by one.
    if range.len() < STRIP / 2
        || dispatch(level, Ranged { tensor, range: range.clone(), out }).is_none()
    {
        print_each(tensor, range, out);
    }
}

struct Ranged<'a, T> {
    tensor: &'a Tensor<T>,
    range: Range<usize>,
    out: &'a mut Sheet,
}

impl<T: Print> Work for Ranged<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) {
        T::print_range(vector, self.tensor, self.range, self.out);
    }
}

fn print_each<T: Print>(tensor: &Tensor<T>, range: Range<usize>, out: &mut Sheet) {
    nested(&tensor.shape, range, out, OneByOne(tensor));
}

/// Prints elements.
trait Elements {
    /// Prints the elements at these places, which are never empty and go on from call to call,
    /// each with a comma behind it.
    fn run(&mut self, places: Range<usize>, out: &mut Sheet);
}

struct OneByOne<'a, T>(&'a Tensor<T>);

impl<T: Print> Elements for OneByOne<'_, T> {
    fn run(&mut self, places: Range<usize>, out: &mut Sheet) {
        for place in places {
            if self.0.is_missing(place) {
                out.extend(b"null");
            } else {
                self.0.values[place].print(out);
            }
            out.push(b',');
        }
    }
}

/// Elements that are converted a strip at a time.
struct Strips<'a, V> {
    vector: V,
    tensor: &'a Tensor<f32>,
    decimals: Decimals,
    /// The places that are converted.
    strip: Range<usize>,
    end: usize,
}

impl<V: Vector> Elements for Strips<'_, V> {
    #[inline(always)]
    fn run(&mut self, places: Range<usize>, out: &mut Sheet) {
        let mut place = places.start;
        while place < places.end {
            if place == self.strip.end {
                self.strip = place..self.end.min(place + STRIP);
                let mut strip = [0.0; STRIP];
                strip[..self.strip.len()].copy_from_slice(&self.tensor.values[self.strip.clone()]);
                self.decimals.convert(&strip);
            }
            let end = places.end.min(self.strip.end);
            if self.tensor.missing.is_some() {
                OneByOne(self.tensor).run(place..end, out);
                place = end;
            }
            while place < end {
                let here = place - self.strip.start..end - self.strip.start;
                place += self.decimals.write(self.vector, here, out);
                if place < end {
                    OneByOne(self.tensor).run(place..place + 1, out);
                    place += 1;
                }
            }
        }
    }
}

/// Prints elements and what stands around them.
#[inline(always)]
fn nested(shape: &[usize], range: Range<usize>, out: &mut Sheet, mut elements: impl Elements) {
    let Some((&length, outer)) = shape.split_last() else {
        if !range.is_empty() {
            elements.run(range, out);
            out.unpush();
        }
        return;
    };
    let total = length * outer.iter().product::<usize>();
    if total == 0 {
        return empty(shape, out);
    }
    let mut place = range.start;
    while place < range.end {
        let row = place / length;
        if place == row * length {
            (0..=beginning(outer, row)).for_each(|_| out.push(b'['));
        }
        let row_end = (row + 1) * length;
        elements.run(place..range.end.min(row_end), out);
        place = range.end.min(row_end);
        if place == row_end {
            out.unpush();
            (0..=beginning(outer, row + 1)).for_each(|_| out.push(b']'));
            if place < total {
                out.push(b',');
            }
        }
    }
}

/// Arrays without elements, as deep as the first axis of length 0.
fn empty(shape: &[usize], out: &mut Sheet) {
    out.push(b'[');
    if let Some((&length, inner)) = shape.split_first() {
        for number in 0..length {
            if 0 < number {
                out.push(b',');
            }
            empty(inner, out);
        }
    }
    out.push(b']');
}

/// How many of the outer axes have an array that begins at this row, or ended before it.
fn beginning(outer: &[usize], row: usize) -> usize {
    let mut stride = 1;
    let begins = |&&length: &&usize| {
        stride *= length;
        row.is_multiple_of(stride)
    };
    outer.iter().rev().take_while(begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(shape: &[usize], values: &[f32]) -> String {
        let tensor = Tensor::new(shape.to_vec(), values.to_vec());
        let mut out = Sheet::with_room(64);
        print_range(&tensor, 0..values.len(), Level::best(), &mut out);
        String::from_utf8(out.into_text()).unwrap()
    }

    #[test]
    fn shapes_become_nesting() {
        assert_eq!(printed(&[], &[1.5]), "1.5");
        assert_eq!(printed(&[2], &[1.0, -0.0]), "[1.0,-0.0]");
        assert_eq!(printed(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), "[[1.0,2.0],[3.0,4.0]]");
        assert_eq!(printed(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), "[[[1.0,2.0]],[[3.0,4.0]]]");
        assert_eq!(printed(&[1, 2, 1], &[1.0, 2.0]), "[[[1.0],[2.0]]]");
        assert_eq!(printed(&[0], &[]), "[]");
        assert_eq!(printed(&[2, 0], &[]), "[[],[]]");
        assert_eq!(printed(&[0, 2], &[]), "[]");
    }

    #[test]
    fn ranges_make_up_the_whole() {
        let shape = [5, 3, 7];
        let values: Vec<f32> = (0..105).map(|i| (i as f32).sin()).collect();
        let whole = printed(&shape, &values);
        let tensor = Tensor::new(shape.to_vec(), values);
        for size in [1, 2, 7, 40, 64, 104] {
            let mut out = Sheet::with_room(64);
            for start in (0..105).step_by(size) {
                print_range(&tensor, start..105.min(start + size), Level::best(), &mut out);
            }
            assert_eq!(String::from_utf8(out.into_text()).unwrap(), whole, "{size}");
        }
    }

    /// Compares what each level prints for a list of numbers with what is printed one by one.
    fn agree(values: &[f32]) {
        let tensor = Tensor::new(vec![values.len()], values.to_vec());
        let mut expected = Sheet::with_room(64);
        print_each(&tensor, 0..values.len(), &mut expected);
        let expected = String::from_utf8(expected.into_text()).unwrap();
        for &level in Level::available() {
            let mut out = Sheet::with_room(64);
            print_range(&tensor, 0..values.len(), level, &mut out);
            let out = String::from_utf8(out.into_text()).unwrap();
            let differs = out.split(',').zip(expected.split(',')).find(|(a, b)| a != b);
            assert!(out == expected, "{}: {differs:?}", level.name());
        }
    }

    fn agree_on_every(step: usize) {
        let mut values = Vec::with_capacity(4096);
        for bits in (0..=u32::MAX).step_by(step) {
            values.push(f32::from_bits(bits));
            if values.len() == 4096 {
                agree(&values);
                values.clear();
            }
        }
    }

    #[test]
    fn numbers_are_printed_shortest() {
        agree_on_every(4099);
        let decimals: Vec<f32> = (0..200_000).map(|i| i as f32 / 1000.0).collect();
        agree(&decimals);
        let powers: Vec<f32> = (-149..128).map(|power| 2f32.powi(power)).collect();
        agree(&powers);
        for x in powers {
            agree(&[x.next_down(), x, x.next_up()].repeat(20));
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for bits in (0..u32::MAX).step_by(100_003) {
            let x = f32::from_bits(bits);
            if x.is_finite() {
                let text = printed(&[], &[x]);
                assert_eq!(text.parse::<f32>().unwrap().to_bits(), bits, "{text}");
                assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text}");
            }
        }
        let infinities = printed(&[3], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        assert_eq!(infinities, "[\"NaN\",\"Infinity\",\"-Infinity\"]");
    }

    /// `cargo test --release --lib -- --ignored every_number`
    #[test]
    #[ignore = "takes some minutes"]
    fn every_number_is_printed_shortest() {
        agree_on_every(1);
    }
}
