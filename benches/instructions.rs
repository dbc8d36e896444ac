//! The hottest paths, each run a fixed number of times on one thread at the level avx2, for
//! `tests/instructions.sh` to count instructions: `CASE` runs a case, no argument lists them.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::{env, io};

use lossd::numeric::args::Args;
use lossd::numeric::card::Domain;
use lossd::numeric::catalogue;
use lossd::numeric::job::{Job, Options, Values};
use lossd::numeric::loss::Loss;
use lossd::numeric::simd::Level;
use lossd::numeric::tensor::Tensor;
use lossd::service;
use lossd::service::request::{Request, Scalars};
use lossd::wire::evaluate::{Clock, Form, Run};
use lossd::wire::json::answer::{Printed, print};
use lossd::wire::json::request::{Read, read};

const ELEMENTS: usize = 1 << 16;
const SIDE: usize = 1 << 8;
const REPEATS: usize = 8;
/// A small request is over soon.
const SMALL_REQUESTS: usize = 64;

type Work = Box<dyn Fn()>;
type Case = (&'static str, fn(Level) -> Work);

const CASES: [Case; 15] = [
    ("mse", |level| kernel("mse", &[ELEMENTS], level)),
    ("l1", |level| kernel("l1", &[ELEMENTS], level)),
    ("huber", |level| kernel("huber", &[ELEMENTS], level)),
    ("binary_cross_entropy", |level| kernel("binary_cross_entropy", &[ELEMENTS], level)),
    ("binary_cross_entropy_with_logits", |level| {
        kernel("binary_cross_entropy_with_logits", &[ELEMENTS], level)
    }),
    ("sigmoid_focal", |level| kernel("sigmoid_focal", &[ELEMENTS], level)),
    ("kl_div", |level| kernel("kl_div", &[SIDE, SIDE], level)),
    ("triplet_margin", |level| kernel("triplet_margin", &[SIDE, SIDE], level)),
    ("cross_entropy_10", |level| kernel("cross_entropy", &[ELEMENTS / 10, 10], level)),
    ("cross_entropy_1000", |level| kernel("cross_entropy", &[ELEMENTS / 1000, 1000], level)),
    ("read_short", |level| reading(&body(",", |x| format!("{x:?}")), level)),
    ("read_python", |level| reading(&body(", ", |x| format!("{:?}", f64::from(x))), level)),
    ("read_exponents", |level| reading(&body(",", |x| format!("{:e}", x * 1e-6)), level)),
    ("print_gradients", printing),
    ("small_request", small_requests),
];

fn main() -> Result<(), Box<dyn Error>> {
    let Some(wanted) = env::args().nth(1) else {
        CASES.iter().try_for_each(|(name, _)| writeln!(io::stdout(), "{name}"))?;
        return Ok(());
    };
    let level = Level::named("avx2").ok_or("this machine has no AVX2")?;
    let case = CASES.iter().find(|(name, _)| *name == wanted);
    let (_, prepare) = case.ok_or_else(|| format!("there is no case {wanted}"))?;
    let work = prepare(level);
    // What is made once, spare buffers above all, is there before the count begins.
    work();
    run_case(&*work);
    Ok(())
}

/// All that is counted: callgrind finds it by its name.
#[inline(never)]
fn run_case(work: &dyn Fn()) {
    for _ in 0..REPEATS {
        work();
    }
}

fn find(name: &str) -> &'static Loss {
    catalogue::find(name).expect("a loss of that name")
}

/// A number that jumps about between 0 and 1, differently in each input.
fn unit(at: usize, place: usize) -> f32 {
    (at as f64 * 0.618_033_988_75 + place as f64 * 0.377).fract() as f32 * 0.98 + 0.01
}

/// A loss and its gradients.
fn kernel(name: &str, shape: &[usize], level: Level) -> Work {
    let loss = find(name);
    let card = &loss.card;
    let inputs = card.inputs.iter().enumerate();
    let inputs = inputs
        .map(|(place, input)| (!input.optional).then(|| values(input.domain, shape, place)))
        .collect();
    let options = Options { level, threads: 1, ..Options::default() };
    let job = Job { card, inputs, args: Args::defaults(card), sample_weight: None, options };
    Box::new(move || {
        let mut outcome = loss.evaluate_f32(black_box(&job)).expect("the batch fits the loss");
        black_box(&outcome);
        outcome.recycle();
    })
}

/// Numbers of a domain, or the classes of rows.
fn values(domain: Domain, shape: &[usize], place: usize) -> Values<f32> {
    let number: fn(f32) -> f32 = match domain {
        Domain::Class | Domain::ClassOrDistribution => {
            let (rows, classes) = (shape[0], shape[1]);
            let class = |row: usize| (row * 7919 % classes) as i64;
            return Values::Whole(Tensor::new(vec![rows], (0..rows).map(class).collect()));
        }
        Domain::Probability | Domain::Unit => |x| x,
        // Rows of so many add up to about 1, and so do the squares of a vector.
        Domain::DistributionOrLog => |x| x * (2.0 / SIDE as f32),
        Domain::LogProbability => |x| (x * (2.0 / SIDE as f32)).ln(),
        Domain::UnitVector => |x| (2.0 * x - 1.0) / 0.98 * (3.0 / SIDE as f32).sqrt(),
        Domain::Binary => f32::round,
        _ => |x| 8.0 * x - 4.0,
    };
    let count = shape.iter().product();
    let values = (0..count).map(|at| number(unit(at, place))).collect();
    Values::Real(Tensor::new(shape.to_vec(), values))
}

/// Two nested arrays of numbers between -2 and 2.
fn body(separator: &str, written: fn(f32) -> String) -> Vec<u8> {
    let array = |place: usize| {
        let number = |at: usize| written(unit(at, place) * 4.0 - 2.0);
        let row = |row: usize| {
            let numbers: Vec<_> = (row * SIDE..(row + 1) * SIDE).map(number).collect();
            format!("[{}]", numbers.join(separator))
        };
        format!("[{}]", (0..SIDE).map(row).collect::<Vec<_>>().join(separator))
    };
    format!("{{\"predictions\":{},\"targets\":{}}}", array(0), array(1)).into_bytes()
}

fn request(loss: &'static Loss, body: &[u8], level: Level) -> Request<f32> {
    match read::<f32>(&loss.card, black_box(body), Scalars::default(), level, 1) {
        Ok(Read::Request(request)) => request,
        _ => panic!("the body is a request in single precision"),
    }
}

/// From a body to a job.
fn reading(body: &[u8], level: Level) -> Work {
    let (loss, body) = (find("mse"), body.to_vec());
    Box::new(move || {
        let job = request(loss, &body, level).into_job(level, 1).expect("a job");
        black_box(&job);
        job.recycle();
    })
}

/// The pieces of an answer, as the server sends them.
fn printing(level: Level) -> Work {
    let loss = find("mse");
    let body = body(",", |x| format!("{x:?}"));
    let answer = service::evaluate(loss, request(loss, &body, level), level, 1);
    let Ok(answer) = answer else { panic!("the request has an answer") };
    let Printed::InPieces(pieces) = print(answer, level) else {
        panic!("so large an answer is printed in pieces")
    };
    Box::new(move || (0..pieces.count()).for_each(|piece| drop(black_box(pieces.print(piece)))))
}

/// Whole requests, as small as the example of a card.
fn small_requests(level: Level) -> Work {
    let loss = find("mse");
    let body = loss.card.example.as_bytes();
    Box::new(move || {
        for _ in 0..SMALL_REQUESTS {
            let (body, mut clock) = (black_box(body), Clock::start());
            let run = Run { loss, body, form: Form::Json, level, threads: 1 };
            let done = run.respond(Scalars::default(), &mut clock, &mut |_| Ok(()));
            let Ok(done) = done else { panic!("the example of the card has an answer") };
            black_box(done.text.into_text());
        }
    })
}
