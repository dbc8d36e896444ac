//! The same batch in every number type, at every CPU level and on any number of threads.

use super::draw::{Random, all_args, batch};
use crate::numeric::args::Args;
use crate::numeric::catalogue;
use crate::numeric::job::{Options, Outcome, Reduction};
use crate::numeric::simd::{Level, Number};

/// The bits of every number in an answer.
fn bits<T: Number>(outcome: &Outcome<T>) -> Vec<u64> {
    let losses = outcome.losses.iter().flat_map(|losses| &losses.values);
    let gradients = outcome.gradients.iter().flat_map(|(_, gradient)| &gradient.values);
    let numbers = outcome.loss.iter().chain(losses).chain(gradients);
    numbers.map(|x| x.to_f64().to_bits()).chain([outcome.sum.to_bits()]).collect()
}

/// The largest difference between two lists, as a share of the largest number.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let largest = a.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
    let apart = a.iter().zip(b).filter(|(a, _)| a.is_finite()).map(|(a, b)| (a - b).abs());
    // Single precision has nothing to say of numbers far below its least one.
    apart.fold(0.0, f64::max) / largest.max(1e-33)
}

#[test]
fn every_level_agrees_with_double_precision() {
    for loss in catalogue::all() {
        for (seed, (name, args)) in all_args(&loss.card).into_iter().enumerate() {
            let drawn = batch(&loss.card, &args, 150, &mut Random::new(seed as u64 + 77));
            let options = Options { losses: true, validate: false, ..Options::default() };
            let exact = loss.evaluate_f64(&drawn.job(&loss.card, &args, options)).unwrap();
            let mut fused = Vec::new();
            for &level in Level::available() {
                let options = Options { level, ..options };
                let outcome = loss.evaluate_f32(&drawn.job(&loss.card, &args, options)).unwrap();
                let pairs = outcome.gradients.iter().zip(&exact.gradients);
                let tensors = pairs
                    .map(|((_, a), (_, b))| (a, b))
                    .chain(outcome.losses.iter().zip(&exact.losses));
                for (single, double) in tensors {
                    let single: Vec<f64> = single.values.iter().map(|&x| f64::from(x)).collect();
                    let apart = distance(&double.values, &single);
                    assert!(apart < 1e-5, "{} with {name} at {level:?}: {apart}", loss.card.name);
                }
                if level != Level::Baseline {
                    fused.push(bits(&outcome));
                }
            }
            // The levels with fused multiply-add do the same operations in the same order.
            assert!(fused.windows(2).all(|w| w[0] == w[1]), "{} with {name}", loss.card.name);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for loss in catalogue::all() {
        let args = Args::defaults(&loss.card);
        // A loss of the whole batch runs on one thread.
        if loss.grows_faster {
            continue;
        }
        let rows = 220_000;
        let drawn = batch(&loss.card, &args, rows, &mut Random::new(5));
        for reduction in [Reduction::Mean, Reduction::None] {
            let on = |threads: usize| {
                let options = Options { reduction, threads, validate: false, ..Options::default() };
                bits(&loss.evaluate_f32(&drawn.job(&loss.card, &args, options)).unwrap())
            };
            let one = on(1);
            for threads in [2, 3, 8] {
                assert!(on(threads) == one, "{} on {threads} threads", loss.card.name);
            }
        }
    }
}
