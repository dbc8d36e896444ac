//! How long each loss and its gradient take, at every CPU level: `cargo bench --bench losses`.
//! One thread, 65,536 predictions, which fit into the second cache.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lossd::numeric::args::Args;
use lossd::numeric::card::{Card, Domain};
use lossd::numeric::catalogue;
use lossd::numeric::job::{Job, Options, Values};
use lossd::numeric::simd::Level;
use lossd::numeric::tensor::Tensor;

const ELEMENTS: usize = 1 << 16;
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
        Domain::NotNegative | Domain::Variance => real(|x| 10.0 * x),
        Domain::Class | Domain::ClassOrDistribution | Domain::ClassList => {
            let classes = (0..count).map(|at| (at * 7 % CLASSES) as i64).collect();
            Values::Whole(Tensor::new(shape, classes))
        }
        _ => real(|x| 8.0 * x - 4.0),
    }
}

/// A batch for a loss of elements or rows.
fn job(card: &'static Card, level: Level) -> Job<f32> {
    let rows = vec![ELEMENTS / CLASSES, CLASSES];
    let inputs = card.inputs.iter().map(|input| {
        let per_row = card.unreduced != Card::PAIR.unreduced
            && matches!(input.domain, Domain::Class | Domain::Sign | Domain::ClassOrDistribution);
        let shape = if per_row { rows[..1].to_vec() } else { rows.clone() };
        Some(values(input.domain, shape))
    });
    let options = Options { level, ..Options::default() };
    let args = Args::defaults(card);
    Job { card, inputs: inputs.collect(), args, sample_weight: None, options }
}

fn losses(criterion: &mut Criterion) {
    // Sequences are not counted in elements.
    let of_elements = |card: &Card| card.inputs.iter().all(|i| i.domain != Domain::Length);
    for loss in catalogue::all().filter(|loss| of_elements(&loss.card)) {
        let mut group = criterion.benchmark_group(loss.card.name);
        group.throughput(Throughput::Elements(ELEMENTS as u64));
        for &level in Level::available() {
            let job = job(&loss.card, level);
            group.bench_function(BenchmarkId::from_parameter(level.name()), |bencher| {
                bencher.iter(|| loss.evaluate_f32(&job).expect("the batch fits the loss"));
            });
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
