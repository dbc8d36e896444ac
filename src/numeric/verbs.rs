//! Verbs over one row: what row losses are made of. Sums run in sixteen lanes, so that the
//! compiler can add in vectors and the order is the same at every CPU level.

use std::array;

use super::real::{Real, pick};

const LANES: usize = 16;

/// The sum of `f(i)` for `i` below `length`.
#[inline(always)]
pub fn sum_over<R: Real>(length: usize, f: impl Fn(usize) -> R) -> R {
    let Lanes(lanes) = &mut Lanes([R::of(0.0); LANES]);
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
    total_of(lanes)
}

/// The sum of `f` of the elements at each place of several rows, as long as the first one, in the
/// order of `sum_over`. Indices that are never out of bounds let the compiler add in vectors.
#[inline(always)]
pub fn sum_of<R: Real, const K: usize>(x: [&[R]; K], f: impl Fn([R; K]) -> R) -> R {
    let length = x[0].len();
    let x = x.map(|x| x[..length].as_chunks::<LANES>());
    let Lanes(lanes) = &mut Lanes([R::of(0.0); LANES]);
    for group in 0..length / LANES {
        let groups: [&[R; LANES]; K] = array::from_fn(|k| &x[k].0[group]);
        for i in 0..LANES {
            lanes[i] = lanes[i] + f(array::from_fn(|k| groups[k][i]));
        }
    }
    for i in 0..length % LANES {
        lanes[i] = lanes[i] + f(array::from_fn(|k| x[k].1[i]));
    }
    total_of(lanes)
}

/// Sums side by side, none of which lies across two lines of the cache.
#[repr(align(64))]
struct Lanes<R>([R; LANES]);

/// The sum of the lanes, in pairs.
#[inline(always)]
fn total_of<R: Real>(lanes: &mut [R; LANES]) -> R {
    let mut width = LANES / 2;
    while 0 < width {
        for lane in 0..width {
            lanes[lane] = lanes[lane] + lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Writes e^(x - largest) and gives the sum of it, in the order of `sum_over`.
#[inline(always)]
fn powers<R: Real>(x: &[R], largest: R, out: &mut [R]) -> R {
    let Lanes(lanes) = &mut Lanes([R::of(0.0); LANES]);
    let (groups, rest) = x.as_chunks::<LANES>();
    let (places, places_of_rest) = out.as_chunks_mut::<LANES>();
    for (group, places) in groups.iter().zip(places) {
        for i in 0..LANES {
            places[i] = (group[i] - largest).exp_of_negative();
            lanes[i] = lanes[i] + places[i];
        }
    }
    for ((&x, place), lane) in rest.iter().zip(places_of_rest).zip(lanes.iter_mut()) {
        *place = (x - largest).exp_of_negative();
        *lane = *lane + *place;
    }
    total_of(lanes)
}

/// The largest number of a row; negative infinity for an empty one.
#[inline(always)]
pub fn max<R: Real>(x: &[R]) -> R {
    let Lanes(lanes) = &mut Lanes([R::of(f64::NEG_INFINITY); LANES]);
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

/// The two parts of a row's log-sum-exp, apart so that neither rounds the other away.
#[derive(Clone, Copy, Debug)]
pub struct Softmax<R> {
    /// The largest number.
    pub largest: R,
    /// The logarithm of the sum of e^(x - largest).
    pub log_sum: R,
}

/// Writes the softmax of a row and gives the parts of its log-sum-exp.
#[inline(always)]
pub fn softmax<R: Real>(x: &[R], out: &mut [R]) -> Softmax<R> {
    let largest = max(x);
    if largest == R::of(f64::INFINITY) {
        return softmax_of_infinities(x, out);
    }
    let sum = powers(x, largest, out);
    let share = R::of(1.0) / sum;
    for place in out.iter_mut() {
        *place = *place * share;
    }
    Softmax { largest, log_sum: sum.ln() }
}

/// The softmax where a number is infinite: all of it goes to the infinite ones.
#[cold]
fn softmax_of_infinities<R: Real>(x: &[R], out: &mut [R]) -> Softmax<R> {
    let largest = R::of(f64::INFINITY);
    let infinite = |i: usize| pick(x[i] == largest, R::of(1.0), R::of(0.0) * x[i].exp());
    let sum = sum_over(x.len(), infinite);
    for (i, place) in out.iter_mut().enumerate() {
        *place = infinite(i) / sum;
    }
    Softmax { largest, log_sum: sum.ln() }
}

/// The places from the largest number to the smallest; equal ones in their own order, NaN first.
pub fn descending<R: Real>(x: &[R]) -> Vec<usize> {
    // Adding 0 makes the two zeros one.
    let key = |place: usize| x[place].to_f64() + 0.0;
    let mut places: Vec<usize> = (0..x.len()).collect();
    places.sort_by(|&a, &b| key(b).total_cmp(&key(a)));
    places
}

/// x - largest, and 0 where they are the same infinity.
#[inline(always)]
pub fn gap<R: Real>(x: R, largest: R) -> R {
    pick(x == largest, R::of(0.0), x - largest)
}

/// The logarithm of the sum of `e^f(i)` for `i` below `length`; negative infinity for none.
pub fn log_sum_exp<R: Real>(length: usize, f: impl Fn(usize) -> R) -> R {
    let largest = (0..length).fold(R::of(f64::NEG_INFINITY), |largest, i| {
        let x = f(i);
        pick(largest < x || x.partial_cmp(&x).is_none(), x, largest)
    });
    if largest == R::of(f64::NEG_INFINITY) {
        return largest;
    }
    largest + sum_over(length, |i| gap(f(i), largest).exp_of_negative()).ln()
}

/// ln(eᵃ + eᵇ), with negative infinity as the logarithm of 0.
#[inline(always)]
pub fn log_add<R: Real>(a: R, b: R) -> R {
    let low = pick(a < b, a, b);
    let high = pick(a < b, b, a);
    let sum = high + (low - high).exp_of_negative().ln_1p_unit();
    pick(low == R::of(f64::NEG_INFINITY), high, sum)
}
