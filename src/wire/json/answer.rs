//! An answer in JSON. Every number reads back to the same one; NaN and the infinities are strings.

use serde_json::Value;

use crate::numeric::inspect::Warning;
use crate::numeric::job::{Outcome, Reduction};
use crate::numeric::simd::Number;
use crate::numeric::tensor::Tensor;
use crate::service::Answer;

/// A number type that can be printed shortest.
pub trait Print: Number {
    /// Appends the shortest decimal that reads back to the same number.
    fn print(self, out: &mut Vec<u8>, buffer: &mut zmij::Buffer);
}

impl Print for f32 {
    #[inline]
    fn print(self, out: &mut Vec<u8>, buffer: &mut zmij::Buffer) {
        if self.is_finite() {
            out.extend_from_slice(buffer.format_finite(self).as_bytes());
        } else {
            out.extend_from_slice(not_finite(f64::from(self)));
        }
    }
}

impl Print for f64 {
    #[inline]
    fn print(self, out: &mut Vec<u8>, buffer: &mut zmij::Buffer) {
        if self.is_finite() {
            out.extend_from_slice(buffer.format_finite(self).as_bytes());
        } else {
            out.extend_from_slice(not_finite(self));
        }
    }
}

const fn not_finite(x: f64) -> &'static [u8] {
    if x.is_nan() {
        b"\"NaN\""
    } else if 0.0 < x {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    }
}

/// Writes an answer.
pub fn write<T: Print>(answer: &Answer<T>) -> Vec<u8> {
    let outcome = &answer.outcome;
    let numbers = outcome.losses.as_ref().map_or(0, |losses| losses.values.len())
        + outcome.gradients.iter().map(|(_, gradient)| gradient.values.len()).sum::<usize>();
    // Most numbers take fewer bytes than this; the buffer grows where they do not.
    let mut writer = Writer {
        out: Vec::with_capacity(512 + numbers * 13),
        buffer: zmij::Buffer::new(),
        first: true,
    };
    writer.out.push(b'{');
    writer.member("name");
    writer.word(answer.card.name);
    if answer.outputs.loss {
        writer.member("loss");
        match (outcome.loss, &outcome.losses) {
            (Some(loss), _) => writer.number(loss),
            (None, Some(losses)) => writer.tensor(losses),
            (None, None) => writer.raw("null"),
        }
    }
    if answer.outputs.losses
        && let Some(losses) = &outcome.losses
    {
        writer.member("losses");
        writer.tensor(losses);
    }
    if answer.outputs.gradients {
        writer.member("gradients");
        writer.named(&outcome.gradients);
    }
    if answer.outputs.hessian {
        writer.member("hessian_diagonal");
        writer.named(&outcome.hessian);
    }
    writer.member("reduction");
    writer.word(answer.reduction.name());
    writer.member("dtype");
    writer.word(T::DTYPE);
    writer.member("count");
    writer.raw(&outcome.count.to_string());
    writer.member("sum");
    writer.number(outcome.sum);
    writer.member("denominator");
    writer.number(outcome.denominator);
    if 0 < outcome.missing {
        writer.member("missing");
        writer.raw(&outcome.missing.to_string());
    }
    if let Some(found) = outcome.nonfinite {
        writer.member("nonfinite");
        let (nan, inf, first) = (found.nan, found.inf, found.first);
        writer.raw(&format!("{{\"nan\":{nan},\"inf\":{inf},\"first\":{first}}}"));
    }
    writer.member("warnings");
    writer.warnings(outcome);
    writer.out.push(b'}');
    writer.out
}

/// Writes the loss alone, a number on a line; with the reduction `none`, a line for each.
pub fn write_plain<T: Print>(answer: &Answer<T>) -> Vec<u8> {
    let mut buffer = zmij::Buffer::new();
    let mut out = Vec::new();
    let mut line = |value: T| {
        if value.is_finite() {
            value.print(&mut out, &mut buffer);
        } else {
            let quoted = not_finite(value.to_f64());
            out.extend_from_slice(&quoted[1..quoted.len() - 1]);
        }
        out.push(b'\n');
    };
    match (answer.outcome.loss, &answer.outcome.losses) {
        (Some(loss), _) if answer.reduction != Reduction::None => line(loss),
        (_, Some(losses)) => losses.values.iter().for_each(|&loss| line(loss)),
        _ => {}
    }
    out
}

struct Writer {
    out: Vec<u8>,
    buffer: zmij::Buffer,
    first: bool,
}

impl Writer {
    fn member(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.word(name);
        self.out.push(b':');
    }

    /// A string of ours, which needs no escapes.
    fn word(&mut self, word: &str) {
        self.out.push(b'"');
        self.raw(word);
        self.out.push(b'"');
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number<T: Print>(&mut self, x: T) {
        x.print(&mut self.out, &mut self.buffer);
    }

    /// An object of tensors.
    fn named<T: Print>(&mut self, tensors: &[(&'static str, Tensor<T>)]) {
        self.out.push(b'{');
        for (number, (name, tensor)) in tensors.iter().enumerate() {
            if 0 < number {
                self.out.push(b',');
            }
            self.word(name);
            self.out.push(b':');
            self.tensor(tensor);
        }
        self.out.push(b'}');
    }

    fn warnings<T>(&mut self, outcome: &Outcome<T>) {
        let warning = |warning: &Warning| {
            serde_json::json!({
                "code": warning.kind.code(),
                "message": warning.kind.message(),
                "input": warning.input,
            })
        };
        let warnings = outcome.warnings.iter().map(warning).collect();
        self.raw(&Value::Array(warnings).to_string());
    }

    /// Nested arrays, from the shape and the flat elements; a missing element is null.
    fn tensor<T: Print>(&mut self, tensor: &Tensor<T>) {
        let Some((&last, outer)) = tensor.shape.split_last() else {
            let place = 0;
            return self.element(tensor, place);
        };
        if tensor.values.is_empty() {
            return self.empty(&tensor.shape);
        }
        let rows = tensor.values.len() / last;
        for row in 0..rows {
            // How many arrays begin at this row: those whose place in all deeper ones is the first.
            let opening = starting(outer, row);
            if 0 < row {
                self.out.push(b',');
            }
            self.out.extend(std::iter::repeat_n(b'[', opening + 1));
            for place in row * last..(row + 1) * last {
                if row * last < place {
                    self.out.push(b',');
                }
                self.element(tensor, place);
            }
            self.out.extend(std::iter::repeat_n(b']', starting(outer, row + 1) + 1));
        }
    }

    #[inline]
    fn element<T: Print>(&mut self, tensor: &Tensor<T>, place: usize) {
        if tensor.is_missing(place) {
            self.raw("null");
        } else {
            self.number(tensor.values[place]);
        }
    }

    /// Arrays without elements, as deep as the first axis of length 0.
    fn empty(&mut self, shape: &[usize]) {
        self.out.push(b'[');
        if let Some((&length, inner)) = shape.split_first() {
            for number in 0..length {
                if 0 < number {
                    self.out.push(b',');
                }
                self.empty(inner);
            }
        }
        self.out.push(b']');
    }
}

/// How many of the outer axes have an array that begins at this row (or ended before it).
fn starting(outer: &[usize], row: usize) -> usize {
    let mut stride = 1;
    outer
        .iter()
        .rev()
        .take_while(|&&length| {
            stride *= length;
            row.is_multiple_of(stride)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(shape: &[usize], values: &[f32]) -> String {
        let tensor = Tensor::new(shape.to_vec(), values.to_vec());
        let mut writer = Writer { out: Vec::new(), buffer: zmij::Buffer::new(), first: true };
        writer.tensor(&tensor);
        String::from_utf8(writer.out).unwrap()
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
    fn numbers_read_back_and_nonfinite_ones_are_strings() {
        assert_eq!(
            printed(&[3], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
            "[\"NaN\",\"Infinity\",\"-Infinity\"]"
        );
        for bits in (0..u32::MAX).step_by(100_003) {
            let x = f32::from_bits(bits);
            if x.is_finite() {
                let text = printed(&[], &[x]);
                assert_eq!(text.parse::<f32>().unwrap().to_bits(), bits, "{text}");
                assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text}");
            }
        }
    }
}
