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

/// 2 to the power of `k`, for `k` from -126 to 127.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// eˣ within 1.1 ulp; subnormal results within one step.
#[inline(always)]
pub fn exp<M: MulAdd>(x: f32) -> f32 {
    // Beyond these the result is 0 or infinity; NaN fails both comparisons and goes through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, ROUNDER);
    let k = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let n = shifted - ROUNDER;
    // r = x - n ln 2 lies within half of ln 2.
    let r = M::mul_add(n, -LN2_LOW, M::mul_add(n, -LN2_HIGH, x));
    let tail = horner::<M, 6>(
        r,
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5],
    );
    let power = M::mul_add(tail, r * r, r) + 1.0;
    // Two factors, because 2ᵏ alone may be out of range while the product is not.
    let half = k >> 1;
    power * power_of_two(half) * power_of_two(k.wrapping_sub(half))
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

/// ln x within 1.1 ulp; subnormal arguments included.
#[inline(always)]
pub fn ln<M: MulAdd>(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits() as i32;
    // m from √½ to √2 with x = m 2ᵉ.
    let offset = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (offset >> 23).wrapping_sub(if subnormal { 23 } else { 0 });
    let m = f32::from_bits(((offset & 0x007f_ffff).wrapping_add(0x3f35_04f3)) as u32);
    let f = m - 1.0;
    let z = f * f;
    let e = exponent as f32;
    let series = horner::<M, 9>(
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            0.333_333_3,
        ],
    );
    let small = M::mul_add(series, f * z, M::mul_add(e, LN2_LOW, -0.5 * z));
    let value = M::mul_add(e, LN2_HIGH, f + small);
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if x < 0.0 || x.is_nan() { f32::NAN } else { value }
}

/// ln(1 + x) within 2 ulp.
#[inline(always)]
pub fn ln_1p<M: MulAdd>(x: f32) -> f32 {
    let u = 1.0 + x;
    // What rounding 1 + x lost, put back to first order.
    let lost = x - (u - 1.0);
    let value = ln::<M>(u) + lost / u;
    let value = if u == f32::INFINITY || u == 0.0 { ln::<M>(u) } else { value };
    if x == 0.0 { x } else { value }
}

/// ln(1 + x) for x from 0 to 1 within 2 ulp: a polynomial, where `ln_1p` takes a logarithm and a
/// division.
#[inline(always)]
pub fn ln_1p_unit<M: MulAdd>(x: f32) -> f32 {
    let tail = horner::<M, 10>(
        x,
        [
            -2.504_923_4e-3,
            1.532_625_9e-2,
            -4.379_908e-2,
            8.062_152e-2,
            -0.113_654_69,
            0.140_128_29,
            -0.166_275_1,
            0.199_970_7,
            -0.249_999_13,
            0.333_333_33,
        ],
    );
    M::mul_add(x * x, M::mul_add(x, tail, -0.5), x)
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
