//! Zeros, denormals, huge numbers, infinities and NaN in every input of every loss: never a panic,
//! and never NaN from numbers of ordinary size.

use super::draw::{Batch, Input, Random, all_args, batch};
use crate::numeric::catalogue;
use crate::numeric::job::Options;

const STRANGE: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-45,
    -1e-40,
    1e30,
    -1e30,
    1000.0,
    -1000.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    88.8,
];

/// A batch with strange numbers in some places.
fn strange(drawn: &mut Batch, random: &mut Random) {
    for input in &mut drawn.inputs {
        if let Some(Input::Real(tensor)) = input {
            for value in &mut tensor.values {
                if random.unit() < 0.5 {
                    *value = STRANGE[random.below(STRANGE.len())];
                }
            }
        }
    }
}

#[test]
fn nothing_is_too_strange_to_be_answered() {
    let mut answered = 0;
    for loss in catalogue::all() {
        for (name, args) in all_args(&loss.card) {
            for seed in 0..40 {
                let mut random = Random::new(seed + 1000);
                // Of short rows some are worked on one by one, and many together.
                let rows = if seed < 4 { 70 } else { 3 };
                let mut drawn = batch(&loss.card, &args, rows, &mut random);
                strange(&mut drawn, &mut random);
                let options = Options { losses: true, validate: false, ..Options::default() };
                let single = loss.evaluate_f32(&drawn.job(&loss.card, &args, options));
                let double = loss.evaluate_f64(&drawn.job(&loss.card, &args, options));
                // Domains that torch insists on are refused in both.
                assert_eq!(single.is_ok(), double.is_ok(), "{} with {name}", loss.card.name);
                if let Ok(outcome) = double {
                    let losses = outcome.losses.unwrap().values;
                    assert_eq!(losses.iter().any(|x| !x.is_finite()), outcome.nonfinite.is_some());
                    answered += 1;
                }
            }
        }
    }
    assert!(1000 < answered);
}

#[test]
fn ordinary_numbers_never_give_nan() {
    for loss in catalogue::all() {
        for (name, args) in all_args(&loss.card) {
            for seed in 0..20 {
                let mut random = Random::new(seed + 7);
                let mut drawn = batch(&loss.card, &args, 3, &mut random);
                for input in &mut drawn.inputs {
                    let Some(Input::Real(tensor)) = input else { continue };
                    for value in &mut tensor.values {
                        // Ties, exact zeros and saturation, inside every domain.
                        *value = if random.unit() < 0.3 { value.round() } else { *value };
                    }
                }
                let options = Options { losses: true, ..Options::default() };
                let Ok(outcome) = loss.evaluate_f32(&drawn.job(&loss.card, &args, options)) else {
                    continue;
                };
                let losses = outcome.losses.unwrap().values;
                let slopes = outcome.gradients.iter().flat_map(|(_, gradient)| &gradient.values);
                assert!(
                    !losses.iter().chain(slopes).any(|x| x.is_nan()),
                    "{} with {name} and seed {seed}",
                    loss.card.name
                );
            }
        }
    }
}
