//! Tensors in JSON: nested arrays of numbers straight into a flat buffer and a shape.

use super::cursor::Cursor;
use super::nesting::{AXES_MAX, Irregular, Nesting};
use super::number::{FromLiteral, Literal};
use super::scan::{Ahead, Scanner, Stop, room_for};
use super::vector::BLOCK;
use crate::numeric::tensor::{Tensor, index_of};
use crate::wire::problem::{Code, Problem};

/// Reads a number or nested arrays of numbers. `null` is a missing label if labels may be missing.
/// The first number that is too large goes into `overflow`, because a later member may yet ask for
/// a dtype that holds it.
pub fn read<T: FromLiteral>(
    cursor: &mut Cursor<'_>,
    scanner: &mut Scanner,
    ahead: Option<&mut Ahead<'_, T>>,
    pointer: &str,
    label: bool,
    overflow: &mut Option<Problem>,
) -> Result<Tensor<T>, Problem> {
    let mut reader = Reader {
        scan_from: cursor.place(),
        values: room_for(cursor.rest().len()),
        cursor,
        pointer,
        label,
        missing: None,
        overflow: None,
        nesting: Nesting::START,
    };
    reader.run(scanner, ahead)?;
    let shape = reader.nesting.shape();
    if let Some(place) = reader.overflow {
        overflow.get_or_insert_with(|| too_large::<T>(pointer, &index_of(&shape, place)));
    }
    Ok(Tensor { shape, values: reader.values, missing: reader.missing })
}

#[cold]
fn too_large<T: FromLiteral>(pointer: &str, index: &[usize]) -> Problem {
    let detail = format!("this number is too large for {}", T::DTYPE);
    let hint = if T::DTYPE == "float32" {
        "send \"dtype\": \"float64\", or \"Infinity\" if that is meant"
    } else {
        "send \"Infinity\" if that is meant"
    };
    let pointer = index.iter().fold(pointer.to_owned(), |pointer, at| format!("{pointer}/{at}"));
    Problem::new(Code::NumberOverflow, detail).pointer(&pointer).hint(hint)
}

struct Reader<'c, 'a, T> {
    cursor: &'c mut Cursor<'a>,
    /// From which place on a scan is worth trying.
    scan_from: usize,
    pointer: &'c str,
    label: bool,
    values: Vec<T>,
    missing: Option<Vec<bool>>,
    /// The place of the first value that is too large.
    overflow: Option<usize>,
    nesting: Nesting,
}

impl<T: FromLiteral> Reader<'_, '_, T> {
    /// Scans as far as that goes, and reads with care what a scan stops at.
    fn run(
        &mut self,
        scanner: &mut Scanner,
        mut ahead: Option<&mut Ahead<'_, T>>,
    ) -> Result<(), Problem> {
        let start = self.cursor.place();
        loop {
            let mut behind_value = false;
            // A scan reads arrays: behind a number on its own it would go on to the next member.
            let in_array = 0 < self.nesting.depth() || self.cursor.peek() == Some(b'[');
            if in_array && self.scan_from <= self.cursor.place() {
                match self.scan(scanner, ahead.as_deref_mut()) {
                    Some(Stop::End) => return Ok(()),
                    Some(Stop::Value) | None => {}
                    Some(Stop::BehindValue) => behind_value = true,
                    Some(Stop::Irregular) => {
                        // Read again with care, which says where it is irregular.
                        self.cursor.go_to(start);
                        self.nesting = Nesting::START;
                        self.values.clear();
                        (self.missing, self.overflow) = (None, None);
                        self.scan_from = usize::MAX;
                    }
                }
            }
            if !behind_value {
                match self.cursor.peek() {
                    Some(b'[') => {
                        self.cursor.step();
                        if !self.cursor.take(b']') {
                            self.nesting.open().map_err(|irregular| self.irregular(irregular))?;
                            continue;
                        }
                        self.nesting.empty().map_err(|irregular| self.irregular(irregular))?;
                    }
                    // The scan has stopped inside an empty array.
                    Some(b']') if self.nesting.is_empty() => {
                        self.cursor.step();
                        self.nesting
                            .close_empty()
                            .map_err(|irregular| self.irregular(irregular))?;
                    }
                    _ => self.element()?,
                }
            }
            if self.behind_value()? {
                return Ok(());
            }
        }
    }

    /// Reads regular arrays of number literals, as far as there is nothing else or, from there
    /// on, another scan has begun.
    fn scan(&mut self, scanner: &mut Scanner, ahead: Option<&mut Ahead<'_, T>>) -> Option<Stop> {
        let (text, at) = (self.cursor.text(), self.cursor.place());
        let Reader { nesting, values, overflow, .. } = self;
        let before = values.len();
        let mut ahead = ahead;
        let limit = ahead.as_mut().and_then(|ahead| ahead.next_start(at));
        let found = match ahead {
            Some(ahead) if limit == Some(at) => ahead.join(text, nesting, values, overflow),
            _ => scanner.scan(&text[..limit.unwrap_or(text.len())], at, nesting, values, overflow),
        };
        let Some((stop, place)) = found else {
            // The scan ahead was of no use, or too little is left before the limit, or at all.
            self.scan_from = limit.unwrap_or(usize::MAX);
            return None;
        };
        if let Some(missing) = &mut self.missing {
            missing.resize(missing.len() + self.values.len() - before, false);
        }
        self.cursor.go_to(place);
        self.scan_from = match limit {
            Some(limit) if at < limit => limit.min(place + BLOCK),
            _ => place + BLOCK,
        };
        Some(stop)
    }

    /// Steps over what follows a value: true at the end of the tensor, false before a next value.
    fn behind_value(&mut self) -> Result<bool, Problem> {
        while 0 < self.nesting.depth() {
            match self.cursor.peek() {
                Some(b',') => {
                    self.cursor.step();
                    return Ok(false);
                }
                Some(b']') => {
                    self.cursor.step();
                    self.nesting.close().map_err(|irregular| self.irregular(irregular))?;
                }
                _ => return Err(self.cursor.malformed("expected `,` or `]` in an array")),
            }
        }
        Ok(true)
    }

    #[inline]
    fn element(&mut self) -> Result<(), Problem> {
        let Some(literal) = Literal::read(self.cursor.rest()) else { return self.other_element() };
        let value = T::from_literal(&literal);
        self.cursor.advance(literal.text.len());
        if !value.is_finite() {
            self.overflow.get_or_insert(self.values.len());
        }
        self.push(value, false)
    }

    /// An element that is not a number literal: a non-finite number in one of its spellings, or
    /// a label that is missing.
    #[cold]
    fn other_element(&mut self) -> Result<(), Problem> {
        let not_finite =
            [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];
        for (word, value) in not_finite {
            if self.cursor.take_word(word) {
                return self.push(T::of(value), false);
            }
        }
        if self.cursor.take_word("null") {
            if !self.label {
                return Err(Problem::new(Code::NullNotAllowed, "null is not a number here")
                    .pointer(&self.nesting.pointer(self.pointer))
                    .hint("only a label may be null, where it has not arrived yet"));
            }
            return self.push(T::of(0.0), true);
        }
        let kind = match self.cursor.peek() {
            Some(b'"') => {
                let word = self.cursor.string()?;
                let value = not_finite.iter().find(|(name, _)| *name == word);
                if let Some((_, value)) = value {
                    return self.push(T::of(*value), false);
                }
                "a string"
            }
            Some(b'{') => "an object",
            _ if self.cursor.take_word("true") || self.cursor.take_word("false") => "a truth value",
            _ => return Err(self.cursor.malformed("expected a number or an array")),
        };
        Err(Problem::new(Code::WrongType, format!("{kind} stands where a number is asked for"))
            .pointer(&self.nesting.pointer(self.pointer))
            .hint(
                "numbers stand without quotes; \"NaN\", \"Infinity\" and \"-Infinity\" with them",
            ))
    }

    #[inline]
    fn push(&mut self, value: T, missing: bool) -> Result<(), Problem> {
        self.nesting.number_fits().map_err(|irregular| self.irregular(irregular))?;
        self.nesting.count(1);
        if missing || self.missing.is_some() {
            let before = self.values.len();
            self.missing.get_or_insert_with(|| vec![false; before]).push(missing);
        }
        self.values.push(value);
        Ok(())
    }

    #[cold]
    fn irregular(&self, irregular: Irregular) -> Problem {
        let detail = match irregular {
            Irregular::TooDeep => {
                let detail = format!("arrays are nested more than {AXES_MAX} deep");
                return Problem::new(Code::TooDeep, detail).pointer(self.pointer);
            }
            Irregular::NumberBesideArrays => "a number stands beside arrays".to_owned(),
            Irregular::ArrayBesideNumbers => "an array stands beside numbers".to_owned(),
            Irregular::EmptyBesideArrays => {
                "this array is empty, but others have arrays in them".to_owned()
            }
            Irregular::Length { count, length } => {
                format!("this array has {count} elements, but the ones before have {length}")
            }
        };
        Problem::new(Code::RaggedArray, detail)
            .pointer(&self.nesting.pointer(self.pointer))
            .hint("every array at one depth must have the same length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::simd::Level;

    fn tensor(text: &str) -> Result<Tensor<f32>, Problem> {
        let mut cursor = Cursor::new(text.as_bytes());
        let mut overflow = None;
        let mut scanner = Scanner::new(Level::best());
        let tensor = read(&mut cursor, &mut scanner, None, "/targets", true, &mut overflow)?;
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
        let mut scanner = Scanner::new(Level::best());
        let refused =
            read::<f32>(&mut cursor, &mut scanner, None, "/predictions", false, &mut None);
        let refused = refused.unwrap_err();
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
