//! `Real`: the arithmetic that a loss body may use, whatever number it runs on.
//!
//! A body is written once against this trait and run with `f32` and [`Fused`](super::simd::Fused)
//! (the serving types), `f64`, and in tests with a dual number that carries the exact derivative.
//! Bodies choose with [`pick`] and never branch on data around a costly call, so that the
//! compiler can turn the loop around them into vector instructions.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::math::{self, Separate};
use super::simd::Number;
use super::special;

/// A number that a loss body can compute with.
///
/// Comparisons look at the value alone. Every method is total: out of range gives NaN or an
/// infinity as IEEE 754 has it, never a panic.
pub trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// The type that tensors of this number are stored in.
    type Elem: Number;

    /// Reads stored numbers as this type; costs nothing.
    fn view(elements: &[Self::Elem]) -> &[Self];
    /// Writes this type into stored numbers; costs nothing.
    fn view_mut(elements: &mut [Self::Elem]) -> &mut [Self];

    /// The nearest representable number.
    fn of(x: f64) -> Self;
    /// The value in double precision.
    fn to_f64(self) -> f64;

    /// Absolute value; its slope at 0 is 0.
    fn abs(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// e to the power of `self`.
    fn exp(self) -> Self;
    /// The same for `self` of at most 0, which takes less.
    fn exp_of_negative(self) -> Self {
        self.exp()
    }
    /// e to the power of `self`, less one, exact near 0.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Natural logarithm, for `self` from 0 to 1 and callers who take whatever is below -103, which
    /// it is for 0, for the same.
    fn ln_of_probability(self) -> Self {
        self.ln()
    }
    /// `self` times its natural logarithm; 0 for 0.
    fn x_ln_x(self) -> Self {
        product_or_zero(self, self.ln())
    }
    /// Natural logarithm of one plus `self`, exact near 0.
    fn ln_1p(self) -> Self;
    /// The same for `self` from 0 to 1, which takes less.
    fn ln_1p_unit(self) -> Self {
        self.ln_1p()
    }
    /// The same for `self` above -1 and finite; a finite number for others.
    fn ln_1p_above(self) -> Self {
        self.ln_1p()
    }
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The logarithm of the gamma function, for `self` above 0.
    fn ln_gamma(self) -> Self;
    /// ln Γ(x) - ln Γ(x + step), for x and the sum above 0, in double precision and rounded once.
    fn ln_gamma_step(self, step: Self) -> Self;
    /// ψ(x) - ψ(x + step), ψ the derivative of ln Γ, in double precision and rounded once.
    fn digamma_step(self, step: Self) -> Self;
    /// The error function, in double precision and rounded once.
    fn erf(self) -> Self;
    /// ln Φ(x), Φ the normal distribution function, in double precision and rounded once.
    fn ln_ndtr(self) -> Self;
    /// φ(x) / Φ(x), the slope of `ln_ndtr`, in double precision and rounded once.
    fn inverse_mills(self) -> Self;
    /// The angle whose tangent is `self` over `x`, from -π to π.
    fn atan2(self, x: Self) -> Self;
    /// `self` to a constant power, for `self` of at least 0.
    fn powf(self, exponent: f64) -> Self;

    /// The probabilities of yes and no that a logit stands for, and their costs: one exponential
    /// serves all four, without overflow and exact in both tails.
    #[inline(always)]
    fn logistic(self) -> Logistic<Self> {
        let (zero, one) = (Self::of(0.0), Self::of(1.0));
        // NaN reaches every part through the tail.
        let tail = (-self.abs()).exp_of_negative();
        let log_tail = tail.ln_1p_unit();
        let large = one / (one + tail);
        let small = tail * large;
        Logistic {
            yes: pick(self < zero, small, large),
            no: pick(self < zero, large, small),
            cost_of_yes: pick(self < zero, -self, zero) + log_tail,
            cost_of_no: pick(zero < self, self, zero) + log_tail,
        }
    }

    /// The binary cross-entropy of a logit with these weights of yes and no, and its slope in the
    /// logit.
    #[inline(always)]
    fn binary_cross_entropy(self, of_yes: Self, of_no: Self) -> (Self, Self) {
        let zero = Self::of(0.0);
        let negative = self < zero;
        let size = self.abs();
        let tail = (-size).exp_of_negative();
        // Of the answer that the logit is against, and of the one that it is for.
        let (against, agreed) = (pick(negative, of_yes, of_no), pick(negative, of_no, of_yes));
        // An infinite logit costs nothing where nothing speaks against it; NaN is in the tail.
        let linear = pick(against == zero, zero, against * size);
        let value = linear + (against + agreed) * tail.ln_1p_unit();
        let slope = (against - agreed * tail) * (Self::of(1.0) / (Self::of(1.0) + tail));
        (value, pick(negative, -slope, slope))
    }

    /// ln(1 + x²), without overflow.
    #[inline(always)]
    fn ln_1p_square(self) -> Self {
        let a = self.abs();
        let one = Self::of(1.0);
        let small = pick(a < one, a, one / a);
        let large = pick(a < one, one, a);
        Self::of(2.0) * large.ln() + (small * small).ln_1p_unit()
    }

    /// x - ln(1 + x), without cancelling near 0.
    #[inline(always)]
    fn log_excess(self) -> Self {
        // By the series of ln(1 + x) = 2 atanh s in s = x / (2 + x), whose first term takes x away.
        let s = self / (self + Self::of(2.0));
        let z = s * s;
        let mut series = Self::of(0.0);
        for odd in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
            series = series * z + Self::of(1.0 / odd);
        }
        let near = s * (self - (z + z) * series);
        pick(self.abs() < Self::of(0.25), near, self - self.ln_1p())
    }

    /// -1, 0 or 1; 0 for NaN, as torch's subgradient of the absolute value has it.
    #[inline(always)]
    fn sign(self) -> Self {
        let zero = Self::of(0.0);
        let negative = pick(self < zero, Self::of(-1.0), zero);
        pick(zero < self, Self::of(1.0), negative)
    }

    /// The same number as a constant: nothing is differentiated through it.
    #[inline(always)]
    fn detached(self) -> Self {
        Self::of(self.to_f64())
    }

    /// The larger of two numbers; NaN in `self` is kept.
    #[inline(always)]
    fn at_least(self, floor: f64) -> Self {
        let floor = Self::of(floor);
        pick(self < floor, floor, self)
    }

    /// The square.
    #[inline(always)]
    fn squared(self) -> Self {
        self * self
    }
}

/// What a logit says of a yes and a no.
#[derive(Clone, Copy, Debug)]
pub struct Logistic<R> {
    /// The probability of yes: σ(x) = 1 / (1 + e⁻ˣ).
    pub yes: R,
    /// The probability of no: 1 - σ(x) = σ(-x).
    pub no: R,
    /// -ln σ(x) = ln(1 + e⁻ˣ).
    pub cost_of_yes: R,
    /// -ln(1 - σ(x)) = ln(1 + eˣ).
    pub cost_of_no: R,
}

/// `a` where `condition` holds, else `b`. Both are computed, so a loop around it stays straight.
#[inline(always)]
pub fn pick<R>(condition: bool, a: R, b: R) -> R {
    if condition { a } else { b }
}

/// `x · y` where an `x` of exactly 0 wins over an infinite `y`; NaN still goes through.
#[inline(always)]
pub fn product_or_zero<R: Real>(x: R, y: R) -> R {
    let wins = x == R::of(0.0) && y.partial_cmp(&y).is_some();
    pick(wins, R::of(0.0), x * y)
}

/// The single-precision functions of [`Real`], for a type that wraps an `f32` and the way of
/// multiplying and adding that its CPU level has.
macro_rules! single_precision {
    ($fma:ty, $wrap:expr, $inner:expr) => {
        #[inline(always)]
        fn of(x: f64) -> Self {
            $wrap(x as f32)
        }
        #[inline(always)]
        fn to_f64(self) -> f64 {
            f64::from($inner(self))
        }
        #[inline(always)]
        fn abs(self) -> Self {
            $wrap($inner(self).abs())
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            $wrap($inner(self).sqrt())
        }
        #[inline(always)]
        fn exp(self) -> Self {
            $wrap($crate::numeric::math::exp::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn exp_of_negative(self) -> Self {
            $wrap($crate::numeric::math::exp_of_negative::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn exp_m1(self) -> Self {
            $wrap($crate::numeric::math::exp_m1::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn ln(self) -> Self {
            $wrap($crate::numeric::math::ln::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn ln_of_probability(self) -> Self {
            $wrap($crate::numeric::math::ln_of_positive::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn x_ln_x(self) -> Self {
            $wrap($crate::numeric::math::x_ln_x::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn ln_1p(self) -> Self {
            $wrap($crate::numeric::math::ln_1p::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn ln_1p_unit(self) -> Self {
            $wrap($crate::numeric::math::ln_1p_unit::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn ln_1p_above(self) -> Self {
            $wrap($crate::numeric::math::ln_1p_above::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn tanh(self) -> Self {
            $wrap($crate::numeric::math::tanh::<$fma>($inner(self)))
        }
        #[inline(always)]
        fn ln_gamma(self) -> Self {
            Self::of($crate::numeric::special::ln_gamma(self.to_f64()))
        }
        #[inline(always)]
        fn ln_gamma_step(self, step: Self) -> Self {
            Self::of(self.to_f64().ln_gamma_step(step.to_f64()))
        }
        #[inline(always)]
        fn digamma_step(self, step: Self) -> Self {
            Self::of(self.to_f64().digamma_step(step.to_f64()))
        }
        #[inline(always)]
        fn erf(self) -> Self {
            Self::of($crate::numeric::special::erf(self.to_f64()))
        }
        #[inline(always)]
        fn ln_ndtr(self) -> Self {
            Self::of($crate::numeric::special::ln_ndtr(self.to_f64()))
        }
        #[inline(always)]
        fn inverse_mills(self) -> Self {
            Self::of($crate::numeric::special::inverse_mills(self.to_f64()))
        }
        #[inline(always)]
        fn atan2(self, x: Self) -> Self {
            Self::of(self.to_f64().atan2(x.to_f64()))
        }
        #[inline(always)]
        fn powf(self, exponent: f64) -> Self {
            $wrap($crate::numeric::math::powf::<$fma>($inner(self), exponent))
        }
    };
}
pub(crate) use single_precision;

impl Real for f32 {
    type Elem = f32;

    #[inline(always)]
    fn view(elements: &[f32]) -> &[f32] {
        elements
    }
    #[inline(always)]
    fn view_mut(elements: &mut [f32]) -> &mut [f32] {
        elements
    }

    single_precision!(Separate, std::convert::identity, std::convert::identity);
}

impl Real for f64 {
    type Elem = f64;

    fn view(elements: &[f64]) -> &[f64] {
        elements
    }
    fn view_mut(elements: &mut [f64]) -> &mut [f64] {
        elements
    }
    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn abs(self) -> f64 {
        f64::abs(self)
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    fn exp_m1(self) -> f64 {
        f64::exp_m1(self)
    }
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    fn ln_1p(self) -> f64 {
        f64::ln_1p(self)
    }
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    fn ln_gamma(self) -> f64 {
        special::ln_gamma(self)
    }
    fn ln_gamma_step(self, step: f64) -> f64 {
        special::ln_gamma_step(self, step)
    }
    fn digamma_step(self, step: f64) -> f64 {
        special::digamma_step(self, step)
    }
    fn erf(self) -> f64 {
        special::erf(self)
    }
    fn ln_ndtr(self) -> f64 {
        special::ln_ndtr(self)
    }
    fn inverse_mills(self) -> f64 {
        special::inverse_mills(self)
    }
    fn atan2(self, x: f64) -> f64 {
        f64::atan2(self, x)
    }
    fn powf(self, exponent: f64) -> f64 {
        math::powf_f64(self, exponent)
    }
}
