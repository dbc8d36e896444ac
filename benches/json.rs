//! How long JSON takes, in and out, at every CPU level: `cargo bench --bench json`. Bodies of two
//! arrays with a million numbers in all, written as short as they go and as Python writes them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lossd::numeric::catalogue;
use lossd::numeric::loss::Loss;
use lossd::numeric::simd::Level;
use lossd::numeric::tensor::Tensor;
use lossd::service::request::Scalars;
use lossd::wire::json::print::print_range;
use lossd::wire::json::request::{Read, read};
use lossd::wire::json::sheet::Sheet;

const ROWS: usize = 500;
const COLUMNS: usize = 1000;

/// A number that jumps about, of ordinary size.
fn number(at: usize) -> f32 {
    (at as f32 * 0.618_034).fract() * 4.0 - 2.0
}

fn body(separator: &str, written: impl Fn(f32) -> String) -> Vec<u8> {
    let array = |seed: usize| {
        let row = |row: usize| {
            let numbers = (0..COLUMNS).map(|at| written(number(seed + row * COLUMNS + at)));
            format!("[{}]", numbers.collect::<Vec<_>>().join(separator))
        };
        format!("[{}]", (0..ROWS).map(row).collect::<Vec<_>>().join(separator))
    };
    format!("{{\"predictions\":{},\"targets\":{}}}", array(0), array(7)).into_bytes()
}

fn reading(criterion: &mut Criterion) {
    let loss: &Loss = catalogue::find("mse").expect("a loss of that name");
    let bodies = [
        ("shortest", body(",", |x| format!("{x:?}"))),
        ("python", body(", ", |x| format!("{:?}", f64::from(x)))),
        ("exponents", body(",", |x| format!("{:e}", x * 1e-6))),
    ];
    for (name, body) in bodies {
        let mut group = criterion.benchmark_group(format!("read {name}"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        for &level in Level::available() {
            group.bench_function(BenchmarkId::from_parameter(level.name()), |bencher| {
                bencher.iter(|| {
                    let read = read::<f32>(&loss.card, &body, Scalars::default(), level, 1);
                    let Ok(Read::Request(request)) = read else { panic!("the body is a request") };
                    request.into_job(level, 1).expect("a job").recycle();
                });
            });
        }
        group.finish();
    }
}

fn printing(criterion: &mut Criterion) {
    let total = ROWS * COLUMNS;
    for (name, scale) in [("ordinary", 1.0), ("gradients", 1e-6)] {
        let values = (0..total).map(|at| number(at) * scale).collect();
        let tensor = Tensor::new(vec![ROWS, COLUMNS], values);
        let mut group = criterion.benchmark_group(format!("print {name}"));
        group.throughput(Throughput::Elements(total as u64));
        for &level in Level::available() {
            group.bench_function(BenchmarkId::from_parameter(level.name()), |bencher| {
                bencher.iter(|| {
                    let mut out = Sheet::with_room(total * 16);
                    print_range(&tensor, 0..total, level, &mut out);
                    black_box(out.into_text());
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = reading, printing
}
criterion_main!(benches);
