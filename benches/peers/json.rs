//! Times JSON without any server: `in|out ours|serde_json FILE` asks for a round and gets the CPU
//! time in nanoseconds per number. `in` reads the file, a request with predictions and targets;
//! `out` writes an answer whose gradients are the file's predictions.

mod rounds;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use lossd::numeric::catalogue;
use lossd::numeric::loss::Loss;
use lossd::numeric::simd::Level;
use lossd::numeric::tensor::Tensor;
use lossd::service;
use lossd::service::request::{Request, Scalars};
use lossd::wire::json::answer::{Pieces, Printed, print};
use lossd::wire::json::request::{Read, read};
use rounds::Clock;
use serde::{Deserialize, Serialize};

fn main() -> Result<(), Box<dyn Error>> {
    let mut last: Option<Case> = None;
    rounds::serve(|words| {
        let &[direction, program, file] = words else {
            return Err("expected in|out ours|serde_json FILE".into());
        };
        if last.as_ref().is_none_or(|case| case.file != file) {
            last = None;
            last = Some(Case::new(file)?);
        }
        last.as_ref().ok_or("there is no case")?.round(direction, program)
    })
}

/// A body and what it says.
struct Case {
    file: String,
    body: Vec<u8>,
    pair: AnyPair,
    /// How many predictions there are, and as many targets.
    numbers: usize,
    loss: &'static Loss,
    answer: Arc<dyn Pieces>,
}

impl Case {
    fn new(file: &str) -> Result<Case, Box<dyn Error>> {
        let loss = catalogue::find("mse").ok_or("there is no mse")?;
        let body = fs::read(file)?;
        let pair = AnyPair::read(&body)?;
        let (shape, numbers) = pair.predictions();
        let (file, length) = (file.to_owned(), numbers.len());
        let answer = answer(loss, Tensor::new(shape, numbers))?;
        Ok(Case { file, body, pair, numbers: length, loss, answer })
    }

    fn round(&self, direction: &str, program: &str) -> Result<f64, Box<dyn Error>> {
        let work: Box<dyn Fn() + '_> = match (direction, program) {
            ("in", "ours") => Box::new(|| {
                let request = black_box(ours_in(self.loss, &self.body));
                // As the server does when the answer is sent.
                request.into_job(Level::best(), 1).expect("the body is a job").recycle();
            }),
            ("in", "serde_json") => Box::new(|| drop(black_box(AnyPair::read(&self.body)))),
            ("out", "ours") => Box::new(|| ours_out(&*self.answer)),
            ("out", "serde_json") => Box::new(|| drop(black_box(self.pair.write()))),
            _ => return Err("expected in|out ours|serde_json FILE".into()),
        };
        let arrays = if direction == "in" { 2 } else { 1 };
        Ok(Clock::Thread.time(work)? / (arrays * self.numbers) as f64)
    }
}

/// Our reading of a request.
fn ours_in(loss: &'static Loss, body: &[u8]) -> Request<f32> {
    match read::<f32>(&loss.card, body, Scalars::default(), Level::best(), 1) {
        Ok(Read::Request(request)) => request,
        _ => panic!("the body is a request in single precision"),
    }
}

/// Our printing of an answer, in the pieces that the server sends.
fn ours_out(answer: &dyn Pieces) {
    for piece in 0..answer.count() {
        drop(black_box(answer.print(piece)));
    }
}

/// An answer with these gradients.
fn answer(loss: &'static Loss, gradients: Tensor<f32>) -> Result<Arc<dyn Pieces>, Box<dyn Error>> {
    let request = ours_in(loss, loss.card.example.as_bytes());
    let mut answer = service::evaluate(loss, request, Level::best(), 1)
        .map_err(|_| "the example of the card has no answer")?;
    let (_, place) = answer.outcome.gradients.first_mut().ok_or("mse has a gradient")?;
    *place = gradients;
    match print(answer, Level::best()) {
        Printed::InPieces(pieces) => Ok(pieces),
        Printed::Whole(_) => Err("so small an answer is not printed in pieces".into()),
    }
}

/// What a program without a reader of its own would declare.
#[derive(Deserialize)]
struct Pair<T> {
    predictions: T,
    #[expect(dead_code, reason = "read to be timed")]
    targets: T,
}

enum AnyPair {
    Flat(Pair<Vec<f32>>),
    Nested(Pair<Vec<Vec<f32>>>),
}

impl AnyPair {
    fn read(body: &[u8]) -> serde_json::Result<AnyPair> {
        if body.windows(2).take(32).any(|two| two == b"[[") {
            return serde_json::from_slice(body).map(AnyPair::Nested);
        }
        serde_json::from_slice(body).map(AnyPair::Flat)
    }

    /// Writes what an answer would have.
    fn write(&self) -> serde_json::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Reply<T> {
            loss: f32,
            gradients: T,
        }
        match self {
            AnyPair::Flat(pair) => {
                serde_json::to_vec(&Reply { loss: 1.0, gradients: &pair.predictions })
            }
            AnyPair::Nested(pair) => {
                serde_json::to_vec(&Reply { loss: 1.0, gradients: &pair.predictions })
            }
        }
    }

    /// The shape and elements of the predictions.
    fn predictions(&self) -> (Vec<usize>, Vec<f32>) {
        match self {
            AnyPair::Flat(pair) => (vec![pair.predictions.len()], pair.predictions.clone()),
            AnyPair::Nested(pair) => {
                let rows = &pair.predictions;
                (vec![rows.len(), rows.first().map_or(0, Vec::len)], rows.concat())
            }
        }
    }
}
