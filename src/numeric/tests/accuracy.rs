//! The elementary functions in single precision against double precision, over arguments of every
//! size: their documented errors hold.

use super::draw::{Input, Random, batch};
use crate::numeric::args::Args;
use crate::numeric::card::Domain;
use crate::numeric::catalogue;
use crate::numeric::job::{Options, Reduction};
use crate::numeric::math::{
    FusedOnce, MulAdd, Separate, exp, exp_m1, exp_of_negative, ln, ln_1p, ln_1p_above, ln_1p_unit,
    ln_of_positive, tanh, x_ln_x,
};
use crate::numeric::simd::Level;

/// The distance to the exact value in units of the last place of `f32`.
fn ulps(got: f32, exact: f64) -> f64 {
    if exact.is_nan() {
        return if got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    let nearest = exact as f32;
    if nearest.is_infinite() || got.is_infinite() {
        // One step beyond the largest number is still the last place.
        let clamp =
            |x: f64| x.clamp(-f64::from(f32::MAX) * 1.000_000_1, f64::from(f32::MAX) * 1.000_000_1);
        return (clamp(f64::from(got)) - clamp(exact)).abs() / 2f64.powi(104);
    }
    let exponent = nearest.abs().max(f32::MIN_POSITIVE).log2().floor() as i32;
    (f64::from(got) - exact).abs() / 2f64.powi(exponent - 23)
}

/// The largest error of a function over every `step`th number that it is for.
fn worst(
    step: usize,
    is_for: impl Fn(f32) -> bool,
    function: impl Fn(f32) -> f32,
    exact: impl Fn(f64) -> f64,
) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    let numbers = (0..=u32::MAX).step_by(step).map(f32::from_bits);
    for x in numbers.filter(|&x| is_for(x)) {
        let error = ulps(function(x), exact(f64::from(x)));
        if worst.0 < error {
            worst = (error, x);
        }
    }
    worst
}

fn check<M: MulAdd>(step: usize) {
    type Row = (&'static str, fn(f32) -> bool, fn(f32) -> f32, fn(f64) -> f64, f64);
    let any = |_| true;
    let is_positive = |x: f32| 0.0 < x && x.is_finite();
    let bounds: [Row; 10] = [
        ("exp", any, exp::<M>, f64::exp, 1.1),
        ("exp_of_negative", |x| x <= 0.0 || x.is_nan(), exp_of_negative::<M>, f64::exp, 1.1),
        ("exp_m1", any, exp_m1::<M>, f64::exp_m1, 3.0),
        ("ln", any, ln::<M>, f64::ln, 1.1),
        ("ln_of_positive", is_positive, ln_of_positive::<M>, f64::ln, 1.1),
        ("x_ln_x", |x| x != 0.0, x_ln_x::<M>, |x| x * x.ln(), 2.0),
        ("ln_1p", any, ln_1p::<M>, f64::ln_1p, 2.0),
        ("ln_1p_above", |x| -1.0 < x && x.is_finite(), ln_1p_above::<M>, f64::ln_1p, 2.0),
        ("ln_1p_unit", |x| (0.0..=1.0).contains(&x), ln_1p_unit::<M>, f64::ln_1p, 2.0),
        ("tanh", any, tanh::<M>, f64::tanh, 2.0),
    ];
    for (name, is_for, function, exact, bound) in bounds {
        let (error, x) = worst(step, is_for, function, exact);
        assert!(error <= bound, "{name}({x:e}) is off by {error} ulp");
    }
    assert!(ln_of_positive::<M>(0.0) < -103.0);
    assert_eq!([0.0, -0.0].map(|x| x_ln_x::<M>(x).to_bits()), [0, 0]);
}

#[test]
fn errors_are_within_bounds_at_the_baseline() {
    check::<Separate>(1021);
}

#[test]
fn errors_are_within_bounds_with_fused_multiply_add() {
    check::<FusedOnce>(1021);
}

/// `cargo test --release --lib -- --ignored every_argument`
#[test]
#[ignore = "takes some minutes"]
fn errors_are_within_bounds_for_every_argument() {
    check::<Separate>(1);
    check::<FusedOnce>(1);
}

/// Losses none of whose values or slopes is a difference of two that may be nearly the same. Of
/// the others that difference has what its parts rounded, and `agreement.rs` holds them to that.
const WITHIN_THREE_ULPS: [&str; 22] = [
    "mse",
    "half_mse",
    "l1",
    "smooth_l1",
    "huber",
    "quantile",
    "expectile",
    "lp",
    "mape",
    "cauchy",
    "charbonnier",
    "wing",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "brier",
    "hinge",
    "squared_hinge",
    "smooth_hinge",
    "modified_huber",
    "exponential",
    "soft_margin",
    "margin_ranking",
];
/// Products of several functions.
const WITHIN_TEN_ULPS: [&str; 5] = ["log_cosh", "smape", "pseudo_huber", "fair", "sigmoid_focal"];

/// The largest error of the losses and slopes of a batch.
fn worst_of_batch(name: &str, level: Level) -> f64 {
    let loss = catalogue::find(name).unwrap();
    let args = Args::defaults(&loss.card);
    let mut drawn = batch(&loss.card, &args, 4000, &mut Random::new(7));
    for (input, values) in loss.card.inputs.iter().zip(&mut drawn.inputs).skip(1) {
        if let (Domain::Unit | Domain::Probability, Some(Input::Real(tensor))) =
            (input.domain, values)
        {
            // Between yes and no there is a logit at which the slope is 0.
            tensor.values.iter_mut().for_each(|t| *t = t.round());
        }
    }
    let options = Options { level, reduction: Reduction::None, ..Options::default() };
    let exact = loss.evaluate_f64(&drawn.job(&loss.card, &args, options)).unwrap();
    let got = loss.evaluate_f32(&drawn.job(&loss.card, &args, options)).unwrap();
    let slopes = got.gradients.iter().zip(&exact.gradients).map(|((_, a), (_, b))| (a, b));
    slopes
        .chain(got.losses.iter().zip(&exact.losses))
        .flat_map(|(got, exact)| got.values.iter().zip(&exact.values))
        .map(|(&got, &exact)| ulps(got, exact))
        .fold(0.0, f64::max)
}

#[test]
fn losses_of_elements_are_within_ulps_of_double_precision() {
    let bounds = [(&WITHIN_THREE_ULPS[..], 3.0), (&WITHIN_TEN_ULPS[..], 10.0)];
    for (names, bound) in bounds {
        for name in names {
            for &level in Level::available() {
                let error = worst_of_batch(name, level);
                assert!(error <= bound, "{name} at {level:?} is off by {error} ulp");
            }
        }
    }
}
