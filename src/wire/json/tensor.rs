//! Tensors in JSON: nested arrays of numbers straight into a flat buffer and a shape.

use super::cursor::Cursor;
use super::number::{FromLiteral, Literal};
use crate::numeric::tensor::Tensor;
use crate::wire::problem::{Code, Problem};

/// How many axes a tensor may have.
const AXES_MAX: usize = 16;

/// Reads a number or nested arrays of numbers. `null` is a missing label if labels may be missing.
/// The first number that is too large goes into `overflow`, because a later member may yet ask for
/// a dtype that holds it.
pub fn read<T: FromLiteral>(
    cursor: &mut Cursor<'_>,
    pointer: &str,
    label: bool,
    overflow: &mut Option<Problem>,
) -> Result<Tensor<T>, Problem> {
    let mut reader = Reader {
        cursor,
        pointer,
        label,
        overflow,
        values: Vec::new(),
        missing: None,
        counts: [0; AXES_MAX + 1],
        lengths: [None; AXES_MAX + 1],
        depth: 0,
        leaf: None,
    };
    reader.run()?;
    let axes = reader.leaf.unwrap_or(0);
    let shape = reader.lengths[1..=axes].iter().map(|length| length.unwrap_or(0)).collect();
    Ok(Tensor { shape, values: reader.values, missing: reader.missing })
}

struct Reader<'c, 'a, T> {
    cursor: &'c mut Cursor<'a>,
    pointer: &'c str,
    label: bool,
    overflow: &'c mut Option<Problem>,
    values: Vec<T>,
    missing: Option<Vec<bool>>,
    /// How many elements of each open array have been read; the first place is not used.
    counts: [usize; AXES_MAX + 1],
    /// How many elements the arrays of each depth have, once one has been closed.
    lengths: [Option<usize>; AXES_MAX + 1],
    /// How many arrays are open.
    depth: usize,
    /// The depth that numbers stand at, once one has been read.
    leaf: Option<usize>,
}

impl<T: FromLiteral> Reader<'_, '_, T> {
    fn run(&mut self) -> Result<(), Problem> {
        loop {
            if self.cursor.peek() == Some(b'[') {
                self.open()?;
                if !self.cursor.take(b']') {
                    continue;
                }
                if self.leaf.is_some_and(|leaf| leaf != self.depth) {
                    self.depth -= 1;
                    return Err(self.ragged("this array is empty, but others have arrays in them"));
                }
                self.found_leaf()?;
                self.close()?;
            } else {
                self.element()?;
            }
            if self.after_value()? {
                return Ok(());
            }
        }
    }

    fn open(&mut self) -> Result<(), Problem> {
        self.cursor.step();
        if self.leaf == Some(self.depth) {
            return Err(self.ragged("an array stands beside numbers"));
        }
        self.depth += 1;
        if AXES_MAX < self.depth {
            let detail = format!("arrays are nested more than {AXES_MAX} deep");
            return Err(Problem::new(Code::TooDeep, detail).pointer(self.pointer));
        }
        self.counts[self.depth] = 0;
        Ok(())
    }

    /// Checks that numbers stand at one depth only.
    fn found_leaf(&mut self) -> Result<(), Problem> {
        match self.leaf {
            None => self.leaf = Some(self.depth),
            Some(leaf) if leaf == self.depth => {}
            Some(_) => return Err(self.ragged("a number stands beside arrays")),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let count = self.counts[self.depth];
        match self.lengths[self.depth] {
            None => self.lengths[self.depth] = Some(count),
            Some(length) if length == count => {}
            Some(length) => {
                self.depth -= 1;
                let detail =
                    format!("this array has {count} elements, but the ones before have {length}");
                return Err(self.ragged(&detail));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps over what follows a value: true at the end of the tensor, false before a next value.
    fn after_value(&mut self) -> Result<bool, Problem> {
        while 0 < self.depth {
            self.counts[self.depth] += 1;
            match self.cursor.peek() {
                Some(b',') => {
                    self.cursor.step();
                    return Ok(false);
                }
                Some(b']') => {
                    self.cursor.step();
                    self.close()?;
                }
                _ => return Err(self.cursor.malformed("expected `,` or `]` in an array")),
            }
        }
        Ok(true)
    }

    #[inline]
    fn element(&mut self) -> Result<(), Problem> {
        let Some(literal) = Literal::read(self.cursor.rest()) else { return self.other_element() };
        self.found_leaf()?;
        let value = T::from_literal(&literal);
        self.cursor.advance(literal.text.len());
        if !value.is_finite() && self.overflow.is_none() {
            *self.overflow = Some(self.too_large());
        }
        self.push(value, false);
        Ok(())
    }

    /// An element that is not a number literal: a non-finite number in one of its spellings, or
    /// a label that is missing.
    #[cold]
    fn other_element(&mut self) -> Result<(), Problem> {
        let not_finite =
            [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];
        for (word, value) in not_finite {
            if self.cursor.take_word(word) {
                self.found_leaf()?;
                self.push(T::of(value), false);
                return Ok(());
            }
        }
        if self.cursor.take_word("null") {
            if !self.label {
                return Err(Problem::new(Code::NullNotAllowed, "null is not a number here")
                    .pointer(&self.here())
                    .hint("only a label may be null, where it has not arrived yet"));
            }
            self.found_leaf()?;
            self.push(T::of(0.0), true);
            return Ok(());
        }
        let kind = match self.cursor.peek() {
            Some(b'"') => {
                let word = self.cursor.string()?;
                let value = not_finite.iter().find(|(name, _)| *name == word);
                if let Some((_, value)) = value {
                    self.found_leaf()?;
                    self.push(T::of(*value), false);
                    return Ok(());
                }
                "a string"
            }
            Some(b'{') => "an object",
            _ if self.cursor.take_word("true") || self.cursor.take_word("false") => "a truth value",
            _ => return Err(self.cursor.malformed("expected a number or an array")),
        };
        Err(Problem::new(Code::WrongType, format!("{kind} stands where a number is asked for"))
            .pointer(&self.here())
            .hint(
                "numbers stand without quotes; \"NaN\", \"Infinity\" and \"-Infinity\" with them",
            ))
    }

    #[inline]
    fn push(&mut self, value: T, missing: bool) {
        if missing || self.missing.is_some() {
            let before = self.values.len();
            self.missing.get_or_insert_with(|| vec![false; before]).push(missing);
        }
        self.values.push(value);
    }

    #[cold]
    fn too_large(&self) -> Problem {
        let detail = format!("this number is too large for {}", T::DTYPE);
        let hint = if T::DTYPE == "float32" {
            "send \"dtype\": \"float64\", or \"Infinity\" if that is meant"
        } else {
            "send \"Infinity\" if that is meant"
        };
        Problem::new(Code::NumberOverflow, detail).pointer(&self.here()).hint(hint)
    }

    #[cold]
    fn ragged(&self, detail: &str) -> Problem {
        Problem::new(Code::RaggedArray, detail)
            .pointer(&self.here())
            .hint("every array at one depth must have the same length")
    }

    /// The pointer to the element being read.
    fn here(&self) -> String {
        let mut pointer = self.pointer.to_owned();
        for count in &self.counts[1..=self.depth] {
            pointer.push('/');
            pointer.push_str(&count.to_string());
        }
        pointer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(text: &str) -> Result<Tensor<f32>, Problem> {
        let mut cursor = Cursor::new(text.as_bytes());
        let mut overflow = None;
        let tensor = read(&mut cursor, "/targets", true, &mut overflow)?;
        cursor.end()?;
        overflow.map_or(Ok(tensor), Err)
    }

    #[test]
    fn nesting_becomes_a_shape() {
        let cases: [(&str, &[usize], &[f32]); 7] = [
            ("3", &[], &[3.0]),
            ("[]", &[0], &[]),
            ("[[], []]", &[2, 0], &[]),
            ("[1, 2.5 ,-3e1]", &[3], &[1.0, 2.5, -30.0]),
            (" [ [1,2] , [3,4] ] ", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            ("[[[1],[2]]]", &[1, 2, 1], &[1.0, 2.0]),
            ("[\"Infinity\", -Infinity]", &[2], &[f32::INFINITY, f32::NEG_INFINITY]),
        ];
        for (text, shape, values) in cases {
            let tensor = tensor(text).unwrap();
            assert_eq!(
                (tensor.shape.as_slice(), tensor.values.as_slice()),
                (shape, values),
                "{text}"
            );
            assert_eq!(tensor.missing, None);
        }
        assert!(tensor("NaN").unwrap().values[0].is_nan());
    }

    #[test]
    fn null_is_a_missing_label() {
        let tensor = tensor("[1, null, 3]").unwrap();
        assert_eq!(tensor.missing, Some(vec![false, true, false]));
        let mut cursor = Cursor::new(b"[null]");
        let refused = read::<f32>(&mut cursor, "/predictions", false, &mut None).unwrap_err();
        assert_eq!(
            (refused.code, refused.pointer.as_deref()),
            (Code::NullNotAllowed, Some("/predictions/0"))
        );
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let cases = [
            ("[[1, 2], [3]]", Code::RaggedArray, Some("/targets/1")),
            ("[[1], 2]", Code::RaggedArray, Some("/targets/1")),
            ("[1, [2]]", Code::RaggedArray, Some("/targets/1")),
            ("[[], [1]]", Code::RaggedArray, Some("/targets/1")),
            ("[[1], []]", Code::RaggedArray, Some("/targets/1")),
            ("[1, \"2\"]", Code::WrongType, Some("/targets/1")),
            ("[[1], [true]]", Code::WrongType, Some("/targets/1/0")),
            ("[{}]", Code::WrongType, Some("/targets/0")),
            ("[1, 1e39]", Code::NumberOverflow, Some("/targets/1")),
            ("[1, 2", Code::MalformedJson, None),
            ("[1 2]", Code::MalformedJson, None),
            ("[1, ]", Code::MalformedJson, None),
            ("[01]", Code::MalformedJson, None),
            ("[+1]", Code::MalformedJson, None),
            ("[1]]", Code::MalformedJson, None),
            ("[nul]", Code::MalformedJson, None),
            ("[NaNs]", Code::MalformedJson, None),
            ("", Code::MalformedJson, None),
        ];
        for (text, code, pointer) in cases {
            let problem = tensor(text).unwrap_err();
            assert_eq!((problem.code, problem.pointer.as_deref()), (code, pointer), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(tensor(&deep).unwrap_err().code, Code::TooDeep);
    }
}
