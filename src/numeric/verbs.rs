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
    // Copies that only constants index, so that they stay in registers.
    let mut sums = Lanes([R::of(0.0); LANES]);
    for group in 0..length / LANES {
        let mut groups = [[R::of(0.0); LANES]; K];
        for k in 0..K {
            groups[k] = x[k].0[group];
        }
        for i in 0..LANES {
            let mut element = [R::of(0.0); K];
            for k in 0..K {
                element[k] = groups[k][i];
            }
            sums.0[i] = sums.0[i] + f(element);
        }
    }
    for i in 0..length % LANES {
        sums.0[i] = sums.0[i] + f(array::from_fn(|k| x[k].1[i]));
    }
    total_of(&mut sums.0)
}

/// Sums side by side, none of which lies across two lines of the cache.
#[repr(align(64))]
struct Lanes<R>([R; LANES]);

/// The sum of the lanes, in pairs.
#[inline(always)]
fn total_of<R: Real>(lanes: &mut [R; LANES]) -> R {
    folded(lanes, |a, b| a + b)
}

/// The lanes made one, in pairs.
#[inline(always)]
fn folded<R: Real>(lanes: &mut [R; LANES], join: impl Fn(R, R) -> R) -> R {
    let mut width = LANES / 2;
    while 0 < width {
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Writes e^(x - largest) and gives the sum of it.
#[inline(always)]
fn powers<R: Real>(x: &[R], largest: R, out: &mut [R]) -> R {
    let (groups, rest) = x.as_chunks::<LANES>();
    // Copied back and forth, not changed in place, so that the sums stay in registers.
    let mut sums = Lanes([R::of(0.0); LANES]);
    for (group, places) in groups.iter().zip(out.as_chunks_mut().0) {
        let powers = powers_of(*group, largest);
        for (sum, &power) in sums.0.iter_mut().zip(&powers) {
            *sum = *sum + power;
        }
        *places = powers;
    }
    if rest.is_empty() {
        return total_of(&mut sums.0);
    }
    if let Some((last, places)) = x.last_chunk::<LANES>().zip(out.last_chunk_mut()) {
        // The last full group once more ends the row: what is counted already counts no more.
        let counted = LANES - rest.len();
        let powers = powers_of(*last, largest);
        for (i, (sum, &power)) in sums.0.iter_mut().zip(&powers).enumerate() {
            *sum = *sum + pick(i < counted, R::of(0.0), power);
        }
        *places = powers;
    } else {
        for ((&x, place), sum) in rest.iter().zip(out).zip(&mut sums.0) {
            *place = (x - largest).exp_of_negative();
            *sum = *sum + *place;
        }
    }
    total_of(&mut sums.0)
}

#[inline(always)]
fn powers_of<R: Real>(mut x: [R; LANES], largest: R) -> [R; LANES] {
    for x in &mut x {
        *x = (*x - largest).exp_of_negative();
    }
    x
}

/// Multiplies a row by a factor.
#[inline(always)]
fn scale<R: Real>(row: &mut [R], factor: R) {
    let last = row.last_chunk::<LANES>().copied();
    let (groups, rest) = row.as_chunks_mut::<LANES>();
    scale_each(groups.as_flattened_mut(), factor);
    if rest.is_empty() {
        return;
    }
    let Some(mut last) = last else { return scale_each(rest, factor) };
    scale_each(&mut last, factor);
    if let Some(place) = row.last_chunk_mut() {
        *place = last;
    }
}

#[inline(always)]
fn scale_each<R: Real>(x: &mut [R], factor: R) {
    for x in x {
        *x = *x * factor;
    }
}

/// The largest number of a row; negative infinity for an empty one.
#[inline(always)]
pub fn max<R: Real>(x: &[R]) -> R {
    let mut lanes = Lanes([R::of(f64::NEG_INFINITY); LANES]);
    let (groups, rest) = x.as_chunks::<LANES>();
    for group in groups {
        raise(&mut lanes.0, group);
    }
    // The last full group once more ends the row.
    match x.last_chunk::<LANES>() {
        _ if rest.is_empty() => {}
        Some(last) => raise(&mut lanes.0, last),
        None => raise(&mut lanes.0, rest),
    }
    folded(&mut lanes.0, |a, b| pick(a < b, b, a))
}

#[inline(always)]
fn raise<R: Real>(lanes: &mut [R; LANES], x: &[R]) {
    for (lane, &x) in lanes.iter_mut().zip(x) {
        *lane = pick(*lane < x, x, *lane);
    }
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
    scale(out, share);
    Softmax { largest, log_sum: sum.ln() }
}

/// The cross-entropy of a row whose right class is given, and its slopes times a factor: the
/// softmax is taken in the place of the slopes and need not be written for itself. None where a
/// number is infinite.
#[inline(always)]
pub fn cross_entropy<R: Real>(x: &[R], class: usize, factor: R, slope: &mut [R]) -> Option<R> {
    let largest = max(x);
    if largest == R::of(f64::INFINITY) {
        return None;
    }
    let sum = powers(x, largest, slope);
    let share = R::of(1.0) / sum;
    let own = (slope[class] * share - R::of(1.0)) * factor;
    let share = share * factor;
    scale(slope, share);
    slope[class] = own;
    Some(sum.ln() - gap(x[class], largest))
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
