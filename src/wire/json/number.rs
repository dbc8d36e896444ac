//! Numbers in JSON: from their text to the nearest `f32` or `f64`, correctly rounded.

use std::sync::LazyLock;

use crate::numeric::simd::Number;

/// Powers of ten with exponents between minus and plus this are in the table.
pub const POWER_MAX: i32 = 64;

/// Powers of ten, NaN at both ends.
pub static POWERS: LazyLock<[f64; 2 * POWER_MAX as usize + 1]> = LazyLock::new(|| {
    std::array::from_fn(|at| match at as i32 - POWER_MAX {
        power if power.abs() == POWER_MAX => f64::NAN,
        power => format!("1e{power}").parse().unwrap_or(f64::NAN),
    })
});

/// A number literal: its value is `mantissa` · 10^`exponent`, if it has at most 19 digits.
pub struct Literal<'a> {
    /// The whole token.
    pub text: &'a [u8],
    negative: bool,
    mantissa: u64,
    exponent: i64,
    exact: bool,
}

/// Powers of ten that are exact.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

impl<'a> Literal<'a> {
    /// Reads the number at the beginning of a text; none if there is none that JSON allows.
    #[inline]
    pub fn read(text: &'a [u8]) -> Option<Literal<'a>> {
        let mut at = 0;
        let negative = text.first() == Some(&b'-');
        at += usize::from(negative);
        let mut mantissa: u64 = 0;
        let start = at;
        at = digits(text, at, &mut mantissa);
        let whole = at - start;
        if whole == 0 || (1 < whole && text[start] == b'0') {
            return None;
        }
        let mut count = whole;
        let mut exponent = 0;
        if text.get(at) == Some(&b'.') {
            let point = at + 1;
            at = digits(text, point, &mut mantissa);
            let fraction = at - point;
            if fraction == 0 {
                return None;
            }
            count += fraction;
            exponent = -(fraction as i64);
        }
        if let Some(b'e' | b'E') = text.get(at) {
            at += 1;
            let down = text.get(at) == Some(&b'-');
            at += usize::from(matches!(text.get(at), Some(b'-' | b'+')));
            let start = at;
            let mut power: u64 = 0;
            at = digits(text, at, &mut power);
            if at == start {
                return None;
            }
            let power = if at - start < 10 { power as i64 } else { i64::from(i32::MAX) };
            exponent += if down { -power } else { power };
        }
        Some(Literal { text: &text[..at], negative, mantissa, exponent, exact: count <= 19 })
    }

    /// The value in double precision if it takes one correctly rounded operation.
    #[inline]
    fn in_one_step(&self) -> Option<f64> {
        if !self.exact || (1 << 53) < self.mantissa {
            return None;
        }
        let power = EXACT.get(usize::try_from(self.exponent.unsigned_abs()).ok()?)?;
        let mantissa = self.mantissa as f64;
        let value = if self.exponent < 0 { mantissa / power } else { mantissa * power };
        Some(if self.negative { -value } else { value })
    }

    fn as_str(&self) -> &'a str {
        str::from_utf8(self.text).unwrap_or_default()
    }
}

/// Reads digits into a number, which wraps around beyond 19 of them, and gives the place after.
#[inline]
fn digits(text: &[u8], mut at: usize, value: &mut u64) -> usize {
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')) {
        if 9 < digit {
            break;
        }
        *value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// A number type that a literal can be read as.
pub trait FromLiteral: Number {
    /// The nearest number; an infinity if the literal is too large.
    fn from_literal(literal: &Literal<'_>) -> Self;

    /// The number nearest to `mantissa / divisor`, an integer and a power of ten that may each be
    /// off by two units in the last place; and whether that is sure.
    fn of_quotient(mantissa: f64, divisor: f64) -> (Self, bool);
}

impl FromLiteral for f64 {
    #[inline]
    fn from_literal(literal: &Literal<'_>) -> f64 {
        literal.in_one_step().unwrap_or_else(|| literal.as_str().parse().unwrap_or(f64::NAN))
    }

    #[inline(always)]
    fn of_quotient(mantissa: f64, divisor: f64) -> (f64, bool) {
        const INTEGER_MAX: f64 = (1u64 << 53) as f64;
        let exact = mantissa < INTEGER_MAX && 1.0 <= divisor.abs() && divisor.abs() <= 1e22;
        (mantissa / divisor, exact)
    }
}

impl FromLiteral for f32 {
    #[inline]
    fn from_literal(literal: &Literal<'_>) -> f32 {
        if let Some(double) = literal.in_one_step() {
            let single = double as f32;
            // Rounding twice is wrong only if the first rounding ended exactly between two floats,
            // or if the second one has fewer bits than usual.
            let between = double.to_bits() & 0x1fff_ffff == 0x1000_0000;
            let normal = f32::MIN_POSITIVE <= single.abs() || double == 0.0;
            if !between && normal {
                return single;
            }
        }
        literal.as_str().parse().unwrap_or(f32::NAN)
    }

    #[inline(always)]
    fn of_quotient(mantissa: f64, divisor: f64) -> (f32, bool) {
        let double = mantissa / divisor;
        let single = double as f32;
        // Far enough from the midpoint of two floats, whatever the quotient's error.
        let low_bits = double.to_bits() & 0x1fff_ffff;
        let far = 16 < low_bits.wrapping_sub(0x1000_0000 - 8);
        let normal = f32::MIN_POSITIVE <= single.abs() && single.abs() <= f32::MAX;
        (single, far && (normal || double == 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromLiteral>(text: &str) -> Option<T> {
        let literal = Literal::read(text.as_bytes())?;
        (literal.text.len() == text.len()).then(|| T::from_literal(&literal))
    }

    #[test]
    fn literals_are_read_as_the_standard_library_reads_them() {
        let mut state = 0x2545_f491_4f6c_dd1du64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..200_000 {
            let single = f32::from_bits(random() as u32);
            let double = f64::from_bits(random());
            let digits = random() % 10u64.pow((random() % 20) as u32).max(1);
            let power = (random() % 60) as i64 - 40;
            let texts = [
                format!("{single:e}"),
                format!("{double:e}"),
                format!("{:.17e}", f64::from(single)),
                format!("{}.{}", digits % 1000, digits),
                format!("-{digits}e{power}"),
                format!("{}", (digits % 100_000) as f64 / 1000.0),
            ];
            for text in texts.iter().filter(|text| !text.contains(['N', 'i'])) {
                let expected: f32 = text.parse().unwrap();
                assert_eq!(read::<f32>(text).unwrap().to_bits(), expected.to_bits(), "{text}");
                let expected: f64 = text.parse().unwrap();
                assert_eq!(read::<f64>(text).unwrap().to_bits(), expected.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn numbers_between_two_floats_round_to_even() {
        // 1 + 2⁻²⁴ lies exactly between two floats, and the second text just above it.
        for text in ["1.000000059604644775390625", "1.0000000596046447753906251", "8388608.5"] {
            assert_eq!(read::<f32>(text), text.parse().ok(), "{text}");
        }
        assert_eq!(read::<f32>("1e39"), Some(f32::INFINITY));
        assert_eq!(read::<f64>("1e999999999999"), Some(f64::INFINITY));
        assert_eq!(read::<f64>("1e-999999999999"), Some(0.0));
        assert_eq!(read::<f32>("-0.0").map(f32::to_bits), Some((-0.0f32).to_bits()));
    }

    #[test]
    fn what_json_forbids_is_not_a_number() {
        for text in
            ["", "-", "01", "-01", ".5", "1.", "1.e5", "1e", "1e+", "+1", "0x10", "--1", "1_0"]
        {
            assert_eq!(read::<f64>(text), None, "{text}");
        }
    }
}
