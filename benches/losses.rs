//! How long each loss and its gradient take: `cargo bench --bench losses`. At every CPU level on
//! one thread with 65,536 predictions, which fit into the second cache, and at the best level on
//! one thread and on all with 16 times as many.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lossd::numeric::args::Args;
use lossd::numeric::card::{Card, Domain, Input};
use lossd::numeric::catalogue::{self, family_of};
use lossd::numeric::job::{Job, Options, Values};
use lossd::numeric::simd::Level;
use lossd::numeric::tensor::Tensor;

const ELEMENTS: usize = 1 << 16;
const MANY: usize = 1 << 20;
const CLASSES: usize = 16;

/// Numbers that jump about between 0 and 1.
fn unit(at: usize) -> f32 {
    (at as f32 * 0.618_034).fract() * 0.98 + 0.01
}

fn values(domain: Domain, shape: Vec<usize>) -> Values<f32> {
    let count = shape.iter().product();
    let real = |number: fn(f32) -> f32| {
        let values = (0..count).map(|at| number(unit(at))).collect();
        Values::Real(Tensor::new(shape.clone(), values))
    };
    match domain {
        Domain::Probability | Domain::Unit | Domain::DistributionOrLog => real(|x| x),
        Domain::LogProbability => real(|x| -3.0 * x),
        Domain::Sign => real(|x| if x < 0.5 { -1.0 } else { 1.0 }),
        Domain::NotNegative | Domain::Variance => real(|x| 10.0 * x + 0.1),
        Domain::Binary => real(f32::round),
        Domain::Positive | Domain::Mean | Domain::Tweedie => real(|x| 10.0 * x + 0.1),
        Domain::AboveMinusOne => real(|x| 4.0 * x - 0.9),
        Domain::Negative => real(|x| -3.0 * x - 0.1),
        Domain::Distribution => real(|x| x / CLASSES as f32),
        Domain::Cosine => real(|x| 1.9 * x - 0.95),
        Domain::Class | Domain::ClassOrDistribution | Domain::ClassList => {
            let classes = (0..count).map(|at| (at * 7 % CLASSES) as i64).collect();
            Values::Whole(Tensor::new(shape, classes))
        }
        _ => real(|x| 8.0 * x - 4.0),
    }
}

/// The first shape that a card's text names, where it is one of elements or rows.
fn shape(text: &str, elements: usize) -> Option<Vec<usize>> {
    let rows = elements / CLASSES;
    match text.split(']').next()? {
        "[…" | "[n, c" | "[n, d" | "[n, l" | "[n, m" | "[n, …" => Some(vec![rows, CLASSES]),
        "[n" => Some(vec![rows]),
        _ => None,
    }
}

/// A batch for a loss of elements or rows; none for other losses.
fn job(card: &'static Card, elements: usize, options: Options) -> Option<Job<f32>> {
    let input = |input: &Input| {
        let values = shape(input.shape, elements).map(|shape| values(input.domain, shape));
        if input.optional { Some(None) } else { values.map(Some) }
    };
    let inputs = card.inputs.iter().map(input).collect::<Option<Vec<_>>>()?;
    Some(Job { card, inputs, args: Args::defaults(card), sample_weight: None, options })
}

fn losses(criterion: &mut Criterion) {
    // A loss of all pairs of a batch costs by their number, not by that of elements.
    let of_pairs = |card: &Card| family_of(card.name).is_some_and(|f| f.name == "contrastive");
    let all_threads = std::thread::available_parallelism().map_or(1, usize::from);
    for loss in catalogue::all().filter(|loss| !of_pairs(&loss.card)) {
        let mut group = criterion.benchmark_group(loss.card.name);
        let mut measure = |name: &str, elements: usize, options: Options| {
            let Some(job) = job(&loss.card, elements, options) else { return };
            group.throughput(Throughput::Elements(elements as u64));
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| {
                    let mut outcome = loss.evaluate_f32(&job).expect("the batch fits the loss");
                    black_box(&outcome);
                    outcome.recycle();
                });
            });
        };
        for &level in Level::available() {
            measure(level.name(), ELEMENTS, Options { level, ..Options::default() });
        }
        if !loss.grows_faster {
            for threads in [1, all_threads] {
                let options = Options { level: Level::best(), threads, ..Options::default() };
                measure(&format!("{threads} threads"), MANY, options);
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = losses
}
criterion_main!(benches);
