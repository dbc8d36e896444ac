//! Bodies: at every CPU level and on any number of threads they are read alike, another parser
//! agrees, and they are answered or refused.

use std::fmt::Debug;

use axum::body::Body;
use axum::http::{Request, header};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{answer, first_line};
use crate::numeric::card::Card;
use crate::numeric::catalogue;
use crate::numeric::simd::Level;
use crate::numeric::tensor::Tensor;
use crate::service::request::{self, Numbers, Scalars};
use crate::wire::json::number::FromLiteral;
use crate::wire::json::request::{Read, read_from_places};
use crate::wire::problem::{Code, Problem};

/// Longer bodies say nothing new, and take longer.
const BYTES_MAX: usize = 1 << 14;
/// In shorter bodies no second scan finds enough numbers to keep them.
const WORTH_THREADS: usize = 1 << 11;

/// The first line names the loss, and the rest is the body. Large batches are written in few bytes:
/// a line that begins with `*` and a number stands for as many lines of what follows.
pub fn check(input: &[u8]) {
    let (name, body) = first_line(input);
    let Some(loss) = catalogue::find(name) else { return };
    let body = repeated(body);
    let single = read_alike::<f32>(&loss.card, &body);
    let double = read_alike::<f64>(&loss.card, &body);
    another_parser_agrees(&body, &double);
    let request = Request::post(format!("/loss/{}", loss.card.name))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, body.len());
    let (status, answer) = answer(request.body(Body::from(body)).expect("a valid request"));
    if status.is_success() {
        assert_eq!(single.err(), None, "what cannot be read is not answered");
        let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        assert_eq!(answer["name"], loss.card.name);
    }
}

fn repeated(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let (times, line) = times(line).unwrap_or((1, line));
        let room = (BYTES_MAX - text.len()) / line.len().max(1);
        text.extend_from_slice(&line.repeat(times.min(room)));
    }
    text
}

fn times(line: &[u8]) -> Option<(usize, &[u8])> {
    let end = line.iter().position(|&byte| byte == b' ')?;
    let number = str::from_utf8(line[..end].strip_prefix(b"*")?).ok()?;
    Some((number.parse().ok()?, &line[end + 1..]))
}

/// Reads a body in every way and gives what all of them made of it. Without vector instructions
/// all of it is read with care.
fn read_alike<T: FromLiteral + Debug>(
    card: &'static Card,
    body: &[u8],
) -> Result<Read<T>, Problem> {
    let threads_max = if body.len() < WORTH_THREADS { 1 } else { 3 };
    let read =
        |level, threads| read_from_places::<T>(card, body, Scalars::default(), level, threads);
    let careful = read(Level::Baseline, 1);
    let expected = shown(&careful);
    for &level in Level::available() {
        for threads in 1..=threads_max {
            let got = shown(&read(level, threads));
            assert_eq!(got, expected, "{} at {} on {threads}", T::DTYPE, level.name());
        }
    }
    careful
}

/// Everything that was read, with every bit of its numbers.
fn shown<T: Debug>(read: &Result<Read<T>, Problem>) -> String {
    match read {
        Err(problem) => format!("{problem:?}"),
        Ok(Read::Other(dtype)) => format!("{dtype:?}"),
        Ok(Read::Request(request)) => {
            let request::Request { card: _, inputs, sample_weight, beside_rows, scalars } = request;
            format!("{inputs:?} {sample_weight:?} {beside_rows:?} {scalars:?}")
        }
    }
}

/// What is read is JSON with these numbers, and what is not JSON is no object for `serde_json`.
fn another_parser_agrees(body: &[u8], read: &Result<Read<f64>, Problem>) {
    let value = serde_json::from_slice::<Value>(body);
    if let Err(problem) = read {
        let is_object = value.is_ok_and(|value| value.is_object());
        assert!(problem.code != Code::MalformedJson || !is_object, "{problem:?}");
        return;
    }
    // The one liberty that the reader takes: numbers that are not finite may stand without quotes.
    let has = |word: &[u8]| body.windows(word.len()).any(|bytes| bytes == word);
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    assert!(is_json || has(b"NaN") || has(b"Infinity"), "this is not JSON");
    let (Ok(Read::Request(request)), Ok(value)) = (read, value) else { return };
    for (input, numbers) in request.card.inputs.iter().zip(&request.inputs) {
        let Some(Numbers::Exact(tensor) | Numbers::Wide(tensor)) = numbers else { continue };
        let mut leaves = Vec::new();
        flatten(&value[input.name], &mut leaves);
        assert_eq!(bits(tensor), leaves, "{}", input.name);
    }
}

/// The bits of each number, none for one that is missing.
fn bits(tensor: &Tensor<f64>) -> Vec<Option<u64>> {
    let is_missing = |at: usize| tensor.missing.as_ref().is_some_and(|missing| missing[at]);
    let bits = |(at, value): (usize, &f64)| (!is_missing(at)).then_some(value.to_bits());
    tensor.values.iter().enumerate().map(bits).collect()
}

fn flatten(value: &Value, leaves: &mut Vec<Option<u64>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, leaves)),
        Value::String(word) => {
            let number: f64 = word.parse().expect("the reader takes no other words");
            leaves.push(Some(number.to_bits()));
        }
        _ => leaves.push(value.as_f64().map(f64::to_bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::{Corpus, JSON};
    use super::*;

    #[test]
    fn bodies_are_read_alike_and_answered_or_refused() {
        Corpus::read("json").mutate(&JSON, 12_000, check);
    }

    #[test]
    fn examples_of_all_losses_are_answered_or_refused_whatever_becomes_of_them() {
        let example = |card: &Card| format!("{}\n{}", card.name, card.example).into_bytes();
        let examples = Corpus::of(catalogue::all().map(|loss| example(&loss.card)));
        examples.mutate(&JSON, 20_000, check);
    }

    #[test]
    fn lines_with_a_star_are_repeated() {
        assert_eq!(repeated(b"[\n*3 [1],\n*x 2]"), b"[\n[1],\n[1],\n[1],\n*x 2]");
        assert!(repeated(b"*99999999 1,\n").len() <= BYTES_MAX);
    }
}
