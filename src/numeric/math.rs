//! Elementary functions in single precision: branch-free, so that a loop over them becomes
//! vector instructions at every CPU level. Each states its error; `tests/accuracy.rs` measures it.
//!
//! Errors are in ulp of `f32` against the exact value, over every finite argument.

/// How a CPU level multiplies and adds: in one rounding where it has the instruction, else in two.
pub trait MulAdd {
    /// a · b + c
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// A multiplication, then an addition: the baseline, which has no fused instruction.
pub struct Separate;

impl MulAdd for Separate {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// One fused instruction. Only inside code compiled for a CPU that has it; elsewhere it would be
/// a slow library call.
pub struct FusedOnce;

impl MulAdd for FusedOnce {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// Adding this to a small number leaves its nearest integer in the low bits of the mantissa.
const ROUNDER: f32 = 12_582_912.0;
/// The high bits of ln 2, so short that multiplying by an exponent is exact.
const LN2_HIGH: f32 = 0.693_359_4;
/// What is left of ln 2.
const LN2_LOW: f32 = -2.121_944_4e-4;

#[inline(always)]
fn horner<M: MulAdd, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    let mut i = 1;
    while i < N {
        sum = M::mul_add(sum, x, coefficients[i]);
        i += 1;
    }
    sum
}

/// A polynomial of degree 4, from the highest power down, whose parts do not wait for each other.
#[inline(always)]
fn quartic<M: MulAdd>(x: f32, square: f32, [e, d, c, b, a]: [f32; 5]) -> f32 {
    let low = M::mul_add(b, x, a);
    let high = M::mul_add(e, square, M::mul_add(d, x, c));
    M::mul_add(high, square, low)
}

/// A polynomial of degree 7, as `quartic`.
#[inline(always)]
fn septic<M: MulAdd>(x: f32, square: f32, [h, g, f, e, d, c, b, a]: [f32; 8]) -> f32 {
    let low = M::mul_add(M::mul_add(d, x, c), square, M::mul_add(b, x, a));
    let high = M::mul_add(M::mul_add(h, x, g), square, M::mul_add(f, x, e));
    M::mul_add(high, square * square, low)
}

/// A power of two that keeps e to some range of powers out of the subnormals and infinities until
/// the last multiplication, and its inverse.
#[derive(Clone, Copy)]
struct Guard {
    /// With it the low bits of the sum are the exponent field of the guarded power of two.
    rounder: f32,
    inverse: f32,
}

/// For arguments of at most 0: 2⁶⁴.
const GUARD_BELOW: Guard = Guard { rounder: ROUNDER + 127.0 + 64.0, inverse: 5.421_011e-20 };
/// For arguments of at least 0: 2⁻⁶⁴.
const GUARD_ABOVE: Guard = Guard { rounder: ROUNDER + 127.0 - 64.0, inverse: 1.844_674_4e19 };

/// eˣ for x from -104 to 89.
#[inline(always)]
fn guarded_exp<M: MulAdd>(x: f32, guard: Guard) -> f32 {
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, guard.rounder);
    let n = shifted - guard.rounder;
    // r = x - n ln 2 lies within half of ln 2.
    let r = M::mul_add(n, -LN2_LOW, M::mul_add(n, -LN2_HIGH, x));
    let square = r * r;
    let tail = quartic::<M>(
        r,
        square,
        [1.381_431_8e-3, 8.368_851e-3, 4.166_84e-2, 1.666_652e-1, 4.999_999_3e-1],
    );
    let power = M::mul_add(tail, square, r) + 1.0;
    power * f32::from_bits(shifted.to_bits() << 23) * guard.inverse
}

/// eˣ within 1.1 ulp; subnormal results within one step.
#[inline(always)]
pub fn exp<M: MulAdd>(x: f32) -> f32 {
    // Beyond these the result is 0 or infinity; NaN fails both comparisons and goes through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    guarded_exp::<M>(x, if x < 0.0 { GUARD_BELOW } else { GUARD_ABOVE })
}

/// eˣ for x of at most 0: within the same error, in fewer steps.
#[inline(always)]
pub fn exp_of_negative<M: MulAdd>(x: f32) -> f32 {
    let x = if x < -104.0 { -104.0 } else { x };
    guarded_exp::<M>(x, GUARD_BELOW)
}

/// eˣ - 1 within 3 ulp.
#[inline(always)]
pub fn exp_m1<M: MulAdd>(x: f32) -> f32 {
    // The Taylor series, where the difference would cancel.
    let tail = horner::<M, 7>(
        x,
        [
            2.480_158_7e-5,
            1.984_127e-4,
            1.388_888_9e-3,
            8.333_334e-3,
            4.166_666_8e-2,
            0.166_666_67,
            0.5,
        ],
    );
    let near = M::mul_add(tail, x * x, x);
    let far = exp::<M>(x) - 1.0;
    if x.abs() < 0.5 { near } else { far }
}

/// The bits of the square root of ½.
const SQRT_HALF: i32 = 0x3f35_04f3;

/// The e and m of a normal number m 2ᵉ, with m from √½ to √2.
#[inline(always)]
fn exponent_and_mantissa(x: f32) -> (i32, f32) {
    let offset = (x.to_bits() as i32).wrapping_sub(SQRT_HALF);
    let mantissa = (offset & 0x007f_ffff).wrapping_add(SQRT_HALF);
    (offset >> 23, f32::from_bits(mantissa as u32))
}

/// ln((1 + f) 2ᵉ), for 1 + f from √½ to √2.
#[inline(always)]
fn ln_of_parts<M: MulAdd>(f: f32, exponent: i32) -> f32 {
    let z = f * f;
    let e = exponent as f32;
    let series = septic::<M>(
        f,
        z,
        [
            -7.635_588e-2,
            0.127_633,
            -0.131_605_95,
            0.142_015_58,
            -0.166_232_98,
            0.200_012_33,
            -0.250_008_23,
            0.333_333_3,
        ],
    );
    let small = M::mul_add(series, f * z, M::mul_add(e, LN2_LOW, -0.5 * z));
    M::mul_add(e, LN2_HIGH, f + small)
}

/// The logarithm of x where it is `value` for a positive, finite x.
#[inline(always)]
fn ln_or_limit(x: f32, value: f32) -> f32 {
    // On the bits, because the compiler makes many steps of the same in comparisons: 0, infinity,
    // NaN and all below 0 stand behind the largest number once 1 is taken off.
    let bits = x.to_bits();
    let is_inside = bits.wrapping_sub(1) < f32::INFINITY.to_bits() - 1;
    let below_zero = (bits as i32 >> 31) as u32;
    let limit = f32::from_bits(bits | (below_zero & f32::NAN.to_bits()));
    let limit = if x == 0.0 { f32::NEG_INFINITY } else { limit };
    if is_inside { value } else { limit }
}

/// ln x for a positive, finite x within 1.2 ulp; subnormal arguments included. For 0 it is some
/// number below -103, for all others some finite number.
#[inline(always)]
pub fn ln_of_positive<M: MulAdd>(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let (exponent, m) = exponent_and_mantissa(scaled);
    let exponent = exponent.wrapping_sub(if subnormal { 23 } else { 0 });
    ln_of_parts::<M>(m - 1.0, exponent)
}

/// ln x within 1.2 ulp; subnormal arguments included.
#[inline(always)]
pub fn ln<M: MulAdd>(x: f32) -> f32 {
    ln_or_limit(x, ln_of_positive::<M>(x))
}

/// x ln x within 2 ulp, and 0 for 0.
#[inline(always)]
pub fn x_ln_x<M: MulAdd>(x: f32) -> f32 {
    // Infinity and NaN are in the factor. Adding 0 makes a negative zero a positive one.
    let product = M::mul_add(x, ln_of_positive::<M>(x), 0.0);
    if x < 0.0 { f32::NAN } else { product }
}

/// ln(1 + x) for a finite x above -1 within 2 ulp, and some finite number for others.
#[inline(always)]
pub fn ln_1p_above<M: MulAdd>(x: f32) -> f32 {
    let u = 1.0 + x;
    let (exponent, m) = exponent_and_mantissa(u);
    // What rounding 1 + x lost, on the scale of m.
    let lost = x - (u - 1.0);
    let scale = f32::from_bits((127i32.wrapping_sub(exponent) as u32) << 23);
    ln_of_parts::<M>(M::mul_add(lost, scale, m - 1.0), exponent)
}

/// ln(1 + x) within 2 ulp.
#[inline(always)]
pub fn ln_1p<M: MulAdd>(x: f32) -> f32 {
    ln_or_limit(1.0 + x, ln_1p_above::<M>(x))
}

/// ln(1 + x) for x from 0 to 1 within 2 ulp: a polynomial, where `ln_1p` takes a logarithm and a
/// division.
#[inline(always)]
pub fn ln_1p_unit<M: MulAdd>(x: f32) -> f32 {
    let square = x * x;
    let tail = septic::<M>(
        x,
        square,
        [
            -3.677_394_4e-3,
            2.187_511e-2,
            -6.092_091_4e-2,
            0.110_250_77,
            -0.155_695_07,
            0.197_743_14,
            -0.249_750_97,
            0.333_322_5,
        ],
    );
    M::mul_add(square, M::mul_add(x, tail, -0.5), x)
}

/// tanh x within 2 ulp.
#[inline(always)]
pub fn tanh<M: MulAdd>(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let tail = horner::<M, 5>(
        z,
        [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -0.333_332_8],
    );
    let near = M::mul_add(tail, z * x, x);
    let far = (1.0 - 2.0 / (exp::<M>(a + a) + 1.0)).copysign(x);
    if a < 0.625 { near } else { far }
}

/// x to a constant power, for x of at least 0. The relative error is about `|y ln x|` half ulps,
/// and none for the powers 0, 1 and 2.
#[inline(always)]
pub fn powf<M: MulAdd>(x: f32, y: f64) -> f32 {
    if y == 0.0 {
        1.0
    } else if y == 1.0 {
        x
    } else if y == 2.0 {
        x * x
    } else {
        exp::<M>(y as f32 * ln::<M>(x))
    }
}

/// x to a constant power in double precision.
#[inline(always)]
pub fn powf_f64(x: f64, y: f64) -> f64 {
    if y == 2.0 { x * x } else { x.powf(y) }
}
