//! Number literals: JSON's are read, to the bits that the standard library gives them, alone and
//! many at a time; and nothing else is.

use std::str::FromStr;

use serde::de::IgnoredAny;

use crate::numeric::simd::Level;
use crate::wire::json::cursor::Cursor;
use crate::wire::json::number::{FromLiteral, Literal};
use crate::wire::json::scan::Scanner;
use crate::wire::json::tensor::read;

/// Short texts are not scanned.
const WORTH_A_SCAN: usize = 1 << 10;

/// Each line is a literal, or not one.
pub fn check(input: &[u8]) {
    let mut literals = Vec::new();
    for line in input.split(|&byte| byte == b'\n') {
        let literal = Literal::read(line).map(|literal| literal.text);
        assert!(literal.is_none_or(is_number), "{}", line.escape_ascii());
        assert_eq!(literal == Some(line), is_number(line), "{}", line.escape_ascii());
        if literal == Some(line) {
            let text = str::from_utf8(line).expect("digits are ASCII");
            assert_eq!(careful::<f32>(text), standard::<f32>(text), "{text}");
            assert_eq!(careful::<f64>(text), standard::<f64>(text), "{text}");
            literals.push(text);
        }
    }
    if literals.is_empty() {
        return;
    }
    let length: usize = literals.iter().map(|literal| literal.len() + 1).sum();
    let literals = literals.repeat(1 + WORTH_A_SCAN / length);
    agree::<f32>(&literals, ",");
    agree::<f64>(&literals, " , ");
}

/// Whether a text is a number and nothing else, as another parser sees it.
fn is_number(text: &[u8]) -> bool {
    let starts = text.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit());
    let ends = text.last().is_some_and(u8::is_ascii_digit);
    starts && ends && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

fn careful<T: FromLiteral>(text: &str) -> Option<u64> {
    Literal::read(text.as_bytes()).map(|literal| T::from_literal(&literal).to_f64().to_bits())
}

fn standard<T: FromLiteral + FromStr>(text: &str) -> Option<u64> {
    text.parse().ok().map(|value: T| value.to_f64().to_bits())
}

/// Reads a list of literals at every level and compares each with what the standard library says.
pub fn agree<T: FromLiteral + FromStr>(literals: &[impl AsRef<str>], separator: &str) {
    let literals: Vec<&str> = literals.iter().map(AsRef::as_ref).collect();
    let text = format!("[{}]", literals.join(separator));
    for &level in Level::available() {
        let mut cursor = Cursor::new(text.as_bytes());
        let mut scanner = Scanner::new(level);
        let tensor = read::<T>(&mut cursor, &mut scanner, None, "", false, &mut None);
        let tensor = tensor.expect("a list of literals is a tensor");
        assert_eq!(tensor.values.len(), literals.len());
        for (value, literal) in tensor.values.iter().zip(&literals) {
            let bits = Some(value.to_f64().to_bits());
            assert_eq!(bits, standard::<T>(literal), "{literal} at {}", level.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Corpus;
    use super::*;

    #[test]
    fn literals_are_read_as_others_read_them() {
        let tokens: [&[u8]; 14] = [
            b"\n",
            b"-",
            b"+",
            b".",
            b"e",
            b"E-",
            b"0",
            b"000000",
            b"5",
            b"9999999999999999",
            b"e38",
            b"e-45",
            b"e308",
            b"1",
        ];
        Corpus::read("number").mutate(&tokens, 30_000, check);
    }
}
