//! An answer in JSON, in parts: large tensors are printed piece by piece when they are asked for,
//! so that their text never stands whole beside the numbers.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::print::{Print, not_finite, print_range};
use super::sheet::Sheet;
use crate::numeric::inspect::Warning;
use crate::numeric::job::{Outcome, Reduction};
use crate::numeric::simd::Level;
use crate::numeric::tensor::Tensor;
use crate::service::Answer;

/// How many numbers are printed at once: some 180 kB.
const PIECE: usize = 1 << 14;
/// Most numbers take fewer bytes than this; a buffer grows where they do not.
const BYTES: usize = 13;

/// An answer that is printed piece by piece.
pub trait Pieces: Send + Sync {
    /// How many pieces there are, at least one.
    fn count(&self) -> usize;
    /// Prints a piece.
    fn print(&self, piece: usize) -> Vec<u8>;
    /// How many bytes of memory the answer holds.
    fn bytes(&self) -> usize;
}

/// An answer as text.
pub enum Printed {
    /// All of it.
    Whole(Vec<u8>),
    /// To be printed piece by piece.
    InPieces(Arc<dyn Pieces>),
}

impl Printed {
    /// How many bytes of memory the answer holds.
    pub fn bytes(&self) -> usize {
        match self {
            Printed::Whole(text) => text.capacity(),
            Printed::InPieces(pieces) => pieces.bytes(),
        }
    }

    /// The text in one piece.
    pub fn into_text(self) -> Vec<u8> {
        match self {
            Printed::Whole(text) => text,
            Printed::InPieces(pieces) => {
                (0..pieces.count()).map(|piece| pieces.print(piece)).collect::<Vec<_>>().concat()
            }
        }
    }
}

/// Prints an answer, but for tensors of many numbers, which are printed piece by piece later.
pub fn print<T: Print>(answer: Answer<T>, level: Level) -> Printed {
    let out = Sheet::with_room(512);
    let mut writer = Writer { level, parts: Vec::new(), out, first: true };
    writer.answer(&answer);
    if writer.parts.is_empty() {
        return Printed::Whole(writer.out.into_text());
    }
    writer.end_part();
    Printed::InPieces(Arc::new(Text { answer, level, parts: writer.parts }))
}

/// Prints the loss alone, a number on a line; with the reduction `none`, a line for each.
pub fn print_plain<T: Print>(answer: &Answer<T>) -> Vec<u8> {
    let mut out = Sheet::with_room(64);
    let mut line = |value: T| {
        if value.is_finite() {
            value.print(&mut out);
        } else {
            let quoted = not_finite(value.to_f64());
            out.extend(&quoted[1..quoted.len() - 1]);
        }
        out.push(b'\n');
    };
    match (answer.outcome.loss, &answer.outcome.losses) {
        (Some(loss), _) if answer.reduction != Reduction::None => line(loss),
        (_, Some(losses)) => losses.values.iter().for_each(|&loss| line(loss)),
        _ => {}
    }
    out.into_text()
}

enum Part {
    Text(Vec<u8>),
    Numbers(Source, Range<usize>),
}

/// Which tensor of an answer.
#[derive(Clone, Copy)]
enum Source {
    Losses,
    Gradient(usize),
    Hessian(usize),
}

struct Text<T: Print> {
    answer: Answer<T>,
    level: Level,
    parts: Vec<Part>,
}

impl<T: Print> Drop for Text<T> {
    fn drop(&mut self) {
        self.answer.outcome.recycle();
    }
}

impl<T: Print> Pieces for Text<T> {
    fn count(&self) -> usize {
        self.parts.len()
    }

    fn print(&self, piece: usize) -> Vec<u8> {
        let (source, range) = match &self.parts[piece] {
            Part::Text(text) => return text.clone(),
            Part::Numbers(source, range) => (*source, range.clone()),
        };
        let outcome = &self.answer.outcome;
        let tensor = match source {
            Source::Losses => outcome.losses.as_ref(),
            Source::Gradient(at) => outcome.gradients.get(at).map(|(_, tensor)| tensor),
            Source::Hessian(at) => outcome.hessian.get(at).map(|(_, tensor)| tensor),
        };
        let mut out = Sheet::with_room(range.len() * BYTES + 64);
        if let Some(tensor) = tensor {
            print_range(tensor, range, self.level, &mut out);
        }
        out.into_text()
    }

    fn bytes(&self) -> usize {
        let outcome = &self.answer.outcome;
        let tensors = outcome.losses.iter();
        let tensors = tensors.chain(outcome.gradients.iter().map(|(_, tensor)| tensor));
        let tensors = tensors.chain(outcome.hessian.iter().map(|(_, tensor)| tensor));
        tensors.map(|tensor| tensor.values.capacity() * size_of::<T>()).sum()
    }
}

struct Writer {
    level: Level,
    parts: Vec<Part>,
    out: Sheet,
    /// Whether no member has been written yet.
    first: bool,
}

impl Writer {
    fn answer<T: Print>(&mut self, answer: &Answer<T>) {
        let outcome = &answer.outcome;
        self.out.push(b'{');
        self.member("name");
        self.word(answer.card.name);
        if answer.outputs.loss {
            self.member("loss");
            match (outcome.loss, &outcome.losses) {
                (Some(loss), _) => self.number(loss),
                (None, Some(losses)) => self.tensor(losses, Source::Losses),
                (None, None) => self.raw("null"),
            }
        }
        if answer.outputs.losses
            && let Some(losses) = &outcome.losses
        {
            self.member("losses");
            self.tensor(losses, Source::Losses);
        }
        if answer.outputs.gradients {
            self.member("gradients");
            self.named(&outcome.gradients, Source::Gradient);
        }
        if answer.outputs.hessian {
            self.member("hessian_diagonal");
            self.named(&outcome.hessian, Source::Hessian);
        }
        self.member("reduction");
        self.word(answer.reduction.name());
        self.member("dtype");
        self.word(T::DTYPE);
        self.member("count");
        self.raw(&outcome.count.to_string());
        self.member("sum");
        self.number(outcome.sum);
        self.member("denominator");
        self.number(outcome.denominator);
        if 0 < outcome.missing {
            self.member("missing");
            self.raw(&outcome.missing.to_string());
        }
        if let Some(found) = outcome.nonfinite {
            self.member("nonfinite");
            let (nan, inf, first) = (found.nan, found.inf, found.first);
            self.raw(&format!("{{\"nan\":{nan},\"inf\":{inf},\"first\":{first}}}"));
        }
        self.member("warnings");
        self.warnings(outcome);
        self.out.push(b'}');
    }

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
        self.out.extend(text.as_bytes());
    }

    fn number<T: Print>(&mut self, x: T) {
        x.print(&mut self.out);
    }

    /// An object of tensors.
    fn named<T: Print>(
        &mut self,
        tensors: &[(&'static str, Tensor<T>)],
        source: impl Fn(usize) -> Source,
    ) {
        self.out.push(b'{');
        for (at, (name, tensor)) in tensors.iter().enumerate() {
            if 0 < at {
                self.out.push(b',');
            }
            self.word(name);
            self.out.push(b':');
            self.tensor(tensor, source(at));
        }
        self.out.push(b'}');
    }

    /// A tensor, at once if it is small.
    fn tensor<T: Print>(&mut self, tensor: &Tensor<T>, source: Source) {
        let total = tensor.values.len();
        if total <= PIECE {
            print_range(tensor, 0..total, self.level, &mut self.out);
            return;
        }
        self.end_part();
        for start in (0..total).step_by(PIECE) {
            self.parts.push(Part::Numbers(source, start..total.min(start + PIECE)));
        }
    }

    /// Makes what has been written a part of its own.
    fn end_part(&mut self) {
        let written = std::mem::replace(&mut self.out, Sheet::with_room(512));
        self.parts.push(Part::Text(written.into_text()));
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
}
