//! Verbs over one row: what row losses are made of. Sums run in sixteen lanes, so that the
//! compiler can add in vectors and the order is the same at every CPU level.

use super::real::{Real, pick};

const LANES: usize = 16;

/// The sum of `f(i)` for `i` below `length`.
#[inline(always)]
pub fn sum_over<R: Real>(length: usize, f: impl Fn(usize) -> R) -> R {
    let mut lanes = [R::of(0.0); LANES];
    let full = length - length % LANES;
    let mut start = 0;
    while start < full {
        for (offset, lane) in lanes.iter_mut().enumerate() {
            *lane = *lane + f(start + offset);
        }
        start += LANES;
    }
    for (offset, lane) in lanes.iter_mut().enumerate().take(length - full) {
        *lane = *lane + f(full + offset);
    }
    let mut width = LANES / 2;
    while 0 < width {
        for lane in 0..width {
            lanes[lane] = lanes[lane] + lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The largest number of a row; negative infinity for an empty one.
#[inline(always)]
pub fn max<R: Real>(x: &[R]) -> R {
    let mut lanes = [R::of(f64::NEG_INFINITY); LANES];
    let mut groups = x.chunks_exact(LANES);
    for group in &mut groups {
        for (lane, &value) in lanes.iter_mut().zip(group) {
            *lane = pick(*lane < value, value, *lane);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(groups.remainder()) {
        *lane = pick(*lane < value, value, *lane);
    }
    let mut best = lanes[0];
    for &lane in &lanes[1..] {
        best = pick(best < lane, lane, best);
    }
    best
}

/// Writes the softmax of a row and gives its largest number and the logarithm of the sum of
/// e^(x - largest): the two parts of the log-sum-exp, apart so that neither rounds the other away.
#[inline(always)]
pub fn softmax<R: Real>(x: &[R], out: &mut [R]) -> (R, R) {
    let largest = max(x);
    for (place, &value) in out.iter_mut().zip(x) {
        *place = (value - largest).exp();
    }
    let powers = &out[..x.len()];
    let sum = sum_over(x.len(), |i| powers[i]);
    let share = R::of(1.0) / sum;
    for place in out.iter_mut() {
        *place = *place * share;
    }
    (largest, sum.ln())
}

/// ln(eᵃ + eᵇ), with negative infinity as the logarithm of 0.
#[inline(always)]
pub fn log_add<R: Real>(a: R, b: R) -> R {
    let low = pick(a < b, a, b);
    let high = pick(a < b, b, a);
    let sum = high + (low - high).exp().ln_1p();
    pick(low == R::of(f64::NEG_INFINITY), high, sum)
}
