//! Times the losses with their gradients, without any server: `LOSS ELEMENTS ROW THREADS` asks for
//! a round and gets nanoseconds per element. `triad` and `copy` in the place of a loss time what
//! the memory can do. One thread is measured in its CPU time, more threads in time that passes.

mod rounds;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{array, thread};

use lossd::numeric::args::Args;
use lossd::numeric::card::Domain;
use lossd::numeric::catalogue;
use lossd::numeric::job::{Job, Options, Values};
use lossd::numeric::loss::Loss;
use lossd::numeric::simd::Level;
use lossd::numeric::tensor::Tensor;
use rounds::Clock;

/// A round repeats its work for about so long.
const ROUND: Duration = Duration::from_millis(20);

fn main() -> Result<(), Box<dyn Error>> {
    let mut last: Option<Case> = None;
    rounds::serve(|words| {
        // One case at a time, because the large ones fill much memory.
        if last.as_ref().is_none_or(|case| case.request != words) {
            last = None;
            last = Some(Case::new(words)?);
        }
        last.as_mut().ok_or("there is no case")?.round()
    })
}

/// Work that is made once and measured for some rounds.
struct Case {
    request: Vec<String>,
    work: Box<dyn FnMut()>,
    repeats: u32,
    elements: usize,
    clock: Clock,
}

impl Case {
    fn new(words: &[&str]) -> Result<Case, Box<dyn Error>> {
        let &[name, elements, row, threads] = words else {
            return Err("expected LOSS ELEMENTS ROW THREADS".into());
        };
        let (row, threads) = (row.parse()?, threads.parse()?);
        let (elements, mut work) = match name {
            "triad" => triad(elements.parse()?, threads),
            "copy" => copy(elements.parse()?, threads),
            _ => {
                let loss = catalogue::find(name).ok_or("there is no such loss")?;
                let (elements, job) = job(loss, elements.parse()?, row, threads);
                (elements, evaluation(loss, job))
            }
        };
        let repeats = repeats(&mut work);
        let request = words.iter().map(ToString::to_string).collect();
        let clock = if threads == 1 { Clock::Thread } else { Clock::Wall };
        Ok(Case { request, work, repeats, elements, clock })
    }

    fn round(&mut self) -> Result<f64, Box<dyn Error>> {
        let took = self.clock.time(|| (0..self.repeats).for_each(|_| (self.work)()))?;
        Ok(took / f64::from(self.repeats) / self.elements as f64)
    }
}

/// How often some work is done in a round. Finding out warms it up, too.
fn repeats(work: &mut dyn FnMut()) -> u32 {
    let start = Instant::now();
    let mut done = 0;
    while done == 0 || start.elapsed() < ROUND {
        work();
        done += 1;
    }
    done
}

/// One loss and its gradient.
fn evaluation(loss: &'static Loss, job: Job<f32>) -> Box<dyn FnMut()> {
    Box::new(move || {
        let mut outcome = loss.evaluate_f32(black_box(&job)).expect("the batch fits the loss");
        black_box(&outcome);
        // As the server does when the answer is sent.
        outcome.recycle();
    })
}

/// A batch with about so many elements in rows of that length, and how many they are. The elements
/// of a loss are those of all inputs that have a gradient.
fn job(loss: &'static Loss, elements: usize, row: usize, threads: usize) -> (usize, Job<f32>) {
    let card = &loss.card;
    let of_gradient = if card.name == "triplet_margin" { 3 } else { 1 };
    let rows = elements / (of_gradient * row);
    let shape = if row == 1 { vec![rows] } else { vec![rows, row] };
    let inputs = card.inputs.iter().enumerate().map(|(place, input)| {
        (!input.optional).then(|| values(input.domain, shape.clone(), place))
    });
    let options = Options { level: Level::best(), threads, ..Options::default() };
    let inputs = inputs.collect();
    let job = Job { card, inputs, args: Args::defaults(card), sample_weight: None, options };
    (of_gradient * rows * row, job)
}

/// Numbers of a domain that jump about; the classes of rows in the place of the rows.
fn values(domain: Domain, shape: Vec<usize>, seed: usize) -> Values<f32> {
    let unit = |at: usize| {
        let jump = (at as f64 * 0.618_033_988_75 + seed as f64 * 0.377).fract();
        (jump * 0.98 + 0.01) as f32
    };
    let number: fn(f32) -> f32 = match domain {
        Domain::Class | Domain::ClassOrDistribution => {
            let class = |at: usize| (at * 7919 % shape[1]) as i64;
            return Values::Whole(Tensor::new(vec![shape[0]], (0..shape[0]).map(class).collect()));
        }
        Domain::Probability | Domain::Unit | Domain::DistributionOrLog => |x| x,
        Domain::LogProbability => f32::ln,
        Domain::Binary => f32::round,
        _ => |x| 8.0 * x - 4.0,
    };
    let count = shape.iter().product();
    Values::Real(Tensor::new(shape, (0..count).map(|at| number(unit(at))).collect()))
}

/// A multiplication and an addition for two numbers read and one written: 12 bytes per element.
fn triad(elements: usize, threads: usize) -> (usize, Box<dyn FnMut()>) {
    memory(elements, threads, |to, b, c| {
        for ((to, b), c) in to.iter_mut().zip(b).zip(c) {
            *to = b + 3.0 * c;
        }
    })
}

/// A number read and one written: 8 bytes per element.
fn copy(elements: usize, threads: usize) -> (usize, Box<dyn FnMut()>) {
    memory(elements, threads, |to, b, _| to.copy_from_slice(b))
}

/// Work on three arrays, each thread on its share of them.
fn memory(
    elements: usize,
    threads: usize,
    work: fn(&mut [f32], &[f32], &[f32]),
) -> (usize, Box<dyn FnMut()>) {
    let [mut to, b, c] = array::from_fn(|place| vec![place as f32; elements]);
    let share = elements.div_ceil(threads);
    let all = move || {
        let mut shares = to.chunks_mut(share).zip(b.chunks(share)).zip(c.chunks(share));
        thread::scope(|scope| {
            let first = shares.next();
            for ((to, b), c) in shares {
                scope.spawn(move || work(to, b, c));
            }
            if let Some(((to, b), c)) = first {
                work(to, b, c);
            }
        });
        black_box(&mut to);
    };
    (elements, Box::new(all))
}
