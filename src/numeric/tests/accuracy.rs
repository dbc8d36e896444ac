//! The elementary functions in single precision against double precision, over arguments of every
//! size: their documented errors hold.

use crate::numeric::math::{
    FusedOnce, MulAdd, Separate, exp, exp_m1, exp_of_negative, ln, ln_1p, ln_1p_unit, tanh,
};

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

/// The largest error of a function over every `step`th number up to one of those bits.
fn worst(
    step: usize,
    last: u32,
    function: impl Fn(f32) -> f32,
    exact: impl Fn(f64) -> f64,
) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for bits in (0..=last).step_by(step) {
        let x = f32::from_bits(bits);
        let error = ulps(function(x), exact(f64::from(x)));
        if worst.0 < error {
            worst = (error, x);
        }
    }
    worst
}

fn check<M: MulAdd>(step: usize) {
    type Row = (&'static str, fn(f32) -> f32, fn(f64) -> f64, f64);
    let of_negative = |x: f64| x.min(0.0).exp();
    let bounds: [Row; 7] = [
        ("exp", exp::<M>, f64::exp, 1.1),
        ("exp_of_negative", |x| exp_of_negative::<M>(x.min(0.0)), of_negative, 1.1),
        ("exp_m1", exp_m1::<M>, f64::exp_m1, 3.0),
        ("ln", ln::<M>, f64::ln, 1.1),
        ("ln_1p", ln_1p::<M>, f64::ln_1p, 2.0),
        ("ln_1p_unit", ln_1p_unit::<M>, f64::ln_1p, 2.0),
        ("tanh", tanh::<M>, f64::tanh, 2.0),
    ];
    for (name, function, exact, bound) in bounds {
        let last = if name == "ln_1p_unit" { 1f32.to_bits() } else { u32::MAX };
        let (error, x) = worst(step, last, function, exact);
        assert!(error <= bound, "{name}({x:e}) is off by {error} ulp");
    }
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
