//! Distances between vectors, and their slopes as torch has them.

use super::real::{Real, pick};
use super::verbs::{sum_of, sum_over};

/// A distance between two vectors.
#[derive(Clone, Copy, Debug)]
pub enum Metric {
    /// The p-norm of the difference, with eps added to each of its components.
    Norm {
        /// The power.
        p: f64,
        /// What is added.
        eps: f64,
    },
    /// The largest difference; only the first largest component has a slope.
    Chebyshev,
    /// One less the cosine of the angle.
    Cosine,
}

/// Lengths above this, and their squares, are exact enough to be divided by; the others take more
/// care.
pub const SURELY_DIVIDES: f64 = 1e-30;

/// torch's least norm in a cosine similarity.
const COSINE_EPS: f64 = 1e-8;

impl Metric {
    /// The distance of two vectors.
    #[inline(always)]
    pub fn distance<R: Real>(self, a: &[R], b: &[R]) -> R {
        match self {
            Metric::Norm { p, eps } => norm(p, [a, b], |[a, b]| a - b + R::of(eps)),
            Metric::Chebyshev => norm(f64::INFINITY, [a, b], |[a, b]| a - b),
            Metric::Cosine => {
                let (na, nb) = (length(a), length(b));
                R::of(1.0) - sum_of([a, b], |[a, b]| (a / na) * (b / nb))
            }
        }
    }

    /// Adds the slope of a distance, times a factor, to the slopes of both vectors.
    #[inline(always)]
    pub fn add_slope<R: Real>(
        self,
        [a, b]: [&[R]; 2],
        distance: R,
        factor: R,
        [slope_a, slope_b]: [&mut [R]; 2],
    ) {
        if let Metric::Cosine = self {
            let (na, nb) = (length(a), length(b));
            let cosine = R::of(1.0) - distance;
            // A vector shorter than eps is divided by eps, but torch's slope is of its own norm.
            let (own_a, own_b) = (norm(2.0, [a], |[x]| x), norm(2.0, [b], |[x]| x));
            for i in 0..a.len() {
                let toward_b = (b[i] / nb - over_or_zero(cosine * a[i], own_a)) / na;
                let toward_a = (a[i] / na - over_or_zero(cosine * b[i], own_b)) / nb;
                slope_a[i] = slope_a[i] - factor * toward_b;
                slope_b[i] = slope_b[i] - factor * toward_a;
            }
            return;
        }
        let (p, eps) = match self {
            Metric::Norm { p, eps } => (p, eps),
            _ => (f64::INFINITY, 0.0),
        };
        let difference = |i: usize| a[i] - b[i] + R::of(eps);
        if p == 2.0 && R::of(SURELY_DIVIDES) < distance {
            let share = factor / distance;
            let slopes = slope_a.iter_mut().zip(slope_b);
            for ((&a, &b), (slope_a, slope_b)) in a.iter().zip(b).zip(slopes) {
                let slope = (a - b + R::of(eps)) * share;
                *slope_a = *slope_a + slope;
                *slope_b = *slope_b - slope;
            }
            return;
        }
        let first = (0..a.len()).position(|i| difference(i).abs() == distance);
        let ties = sum_over(a.len(), |i| R::of(f64::from(difference(i).abs() == distance)));
        for i in 0..a.len() {
            let d = difference(i);
            let slope = if let Metric::Chebyshev = self {
                pick(Some(i) == first, d.sign(), R::of(0.0))
            } else if p == f64::INFINITY {
                pick(d.abs() == distance, d.sign() / ties, R::of(0.0))
            } else if p == 2.0 {
                over_or_zero(d, distance)
            } else if p == 1.0 {
                d.sign()
            } else {
                // The derivative of a norm is (|d| / norm)^(p - 1), and torch's is 0 at 0.
                let steep = d.sign() * (d.abs() / distance).powf(p - 1.0);
                pick(d == R::of(0.0), R::of(0.0), steep)
            };
            slope_a[i] = slope_a[i] + factor * slope;
            slope_b[i] = slope_b[i] - factor * slope;
        }
    }
}

/// The p-norm of `f` of the elements at each place of several rows.
#[inline(always)]
pub fn norm<R: Real, const K: usize>(p: f64, x: [&[R]; K], f: impl Fn([R; K]) -> R) -> R {
    if p == 1.0 {
        return sum_of(x, |x| f(x).abs());
    }
    if p == 2.0 {
        let squares = sum_of(x, |x| f(x).squared());
        if R::of(SURELY_DIVIDES) < squares && squares < R::of(1e30) {
            return squares.sqrt();
        }
    }
    let largest = (0..x[0].len()).fold(R::of(0.0), |largest, i| {
        let x = f(x.map(|x| x[i])).abs();
        pick(largest < x || x.partial_cmp(&x).is_none(), x, largest)
    });
    let scalable = R::of(0.0) < largest && largest < R::of(f64::INFINITY);
    if p == f64::INFINITY || !scalable {
        return largest;
    }
    // Powers of shares of the largest component neither overflow nor vanish.
    let share = |x| f(x).abs() / largest;
    if p == 2.0 {
        return largest * sum_of(x, |x| share(x).squared()).sqrt();
    }
    largest * sum_of(x, |x| share(x).powf(p)).powf(1.0 / p)
}

/// The Euclidean norm, raised to torch's least one.
#[inline(always)]
fn length<R: Real>(x: &[R]) -> R {
    norm(2.0, [x], |[x]| x).at_least(COSINE_EPS)
}

/// x / y, and 0 for y of exactly 0: torch's slope of a norm at 0.
#[inline(always)]
fn over_or_zero<R: Real>(x: R, y: R) -> R {
    pick(y == R::of(0.0), R::of(0.0), x / y)
}
