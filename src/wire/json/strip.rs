//! A strip of number literals to numbers: many at a time, each rounded once.
//!
//! The digits become an integer m in double precision, the point and the exponent a power of ten
//! d, and the value is m / d. For `f64` that is one correctly rounded operation where m and d are
//! exact (Clinger, "How to read floating point numbers accurately", 1990). For `f32` the quotient
//! is off by a few units in the last place of an `f64`, which matters only next to the midpoint of
//! two neighbours. Everything else is left to the careful conversion in `number`.

use super::number::{FromLiteral, Literal, POWER_MAX, POWERS};
use super::vector::{BLOCK, Digits, Vector};

/// How many literals are converted at once, or up to half a block more.
const STRIP: usize = 256;
const LITERALS: usize = STRIP + BLOCK / 2;

/// An exponent beyond the table, whose literal is left to the careful conversion.
const CAREFUL: i32 = 4 * POWER_MAX;

/// Literals that are found, and room for their parts.
pub struct Strip {
    /// The first byte of each literal and the one after its last, in turn.
    edges: [u32; 2 * LITERALS],
    count: usize,
    /// Whether any literal has an exponent.
    has_exponents: bool,
    /// Where the digits are; three more fill the last group of four up.
    digits: [Digits; LITERALS + 3],
    /// The sign, as the top bit.
    sign: [u64; LITERALS],
    /// The exponent that a literal states.
    exponent: [i32; LITERALS],
    /// The digits as an integer.
    mantissa: [f64; LITERALS + 3],
    /// How many digits stand behind the point.
    fraction: [i32; LITERALS + 3],
}

impl Strip {
    /// Without literals.
    pub fn new() -> Strip {
        Strip {
            edges: [0; 2 * LITERALS],
            count: 0,
            has_exponents: false,
            digits: [Digits::default(); LITERALS + 3],
            sign: [0; LITERALS],
            exponent: [0; LITERALS],
            mantissa: [0.0; LITERALS + 3],
            fraction: [0; LITERALS + 3],
        }
    }

    /// Adds the edges of a block that begins at `base`.
    #[inline(always)]
    pub fn add<V: Vector>(&mut self, vector: V, edges: u64, base: u32, has_exponents: bool) {
        let rest = self.edges[self.count..].first_chunk_mut().expect("a full strip is converted");
        self.count += vector.places(edges, base, rest);
        self.has_exponents |= has_exponents;
    }

    /// Whether the strip has to be converted before another block is added.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        2 * STRIP < self.count
    }

    /// Forgets the literal whose end has not been seen.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// The place of the literal whose end has not been seen, if there is one.
    pub fn open(&self) -> Option<usize> {
        (!self.count.is_multiple_of(2)).then(|| self.edges[self.count - 1] as usize)
    }

    /// Converts all literals that have ended and appends their values. `overflow` is the place of
    /// the first value that is too large. The text is at least a block long.
    ///
    /// None if a literal is not a number after all.
    #[inline(always)]
    pub fn convert<V: Vector, T: FromLiteral>(
        &mut self,
        vector: V,
        text: &[u8],
        values: &mut Vec<T>,
        overflow: &mut Option<usize>,
    ) -> Option<()> {
        let count = self.count / 2;
        let longest = self.find_digits(text, count);
        if self.has_exponents {
            self.split_exponents(text, count);
        }
        self.leave_out_odd_ones(count, longest);
        self.read_digits(vector, text, count, longest);

        let powers = &*POWERS;
        let mut numbers = [T::of(0.0); LITERALS];
        let mut sure = [true; LITERALS];
        let mut all_sure = true;
        for i in 0..count {
            let power = self.fraction[i] - self.exponent[i] + POWER_MAX;
            let power = powers[power.clamp(0, 2 * POWER_MAX) as usize];
            let divisor = f64::from_bits(power.to_bits() ^ self.sign[i]);
            (numbers[i], sure[i]) = T::of_quotient(self.mantissa[i], divisor);
            all_sure &= sure[i];
        }
        if !all_sure {
            for i in (0..count).filter(|&i| !sure[i]) {
                let literal = &text[self.edges[2 * i] as usize..self.edges[2 * i + 1] as usize];
                let read =
                    Literal::read(literal).filter(|read| read.text.len() == literal.len())?;
                numbers[i] = T::from_literal(&read);
                if !numbers[i].is_finite() {
                    overflow.get_or_insert(values.len() + i);
                }
            }
        }
        values.extend_from_slice(&numbers[..count]);
        if let Some(open) = self.open() {
            self.edges[0] = open as u32;
        }
        self.count %= 2;
        if self.has_exponents {
            self.exponent = [0; LITERALS];
            self.has_exponents = false;
        }
        Some(())
    }

    /// Takes the sign off each literal; gives the length of the longest one.
    #[inline(always)]
    fn find_digits(&mut self, text: &[u8], count: usize) -> u32 {
        let mut longest = 0;
        for (i, edges) in self.edges[..2 * count].chunks_exact(2).enumerate() {
            let (start, end) = (edges[0], edges[1]);
            let negative = text[start as usize] == b'-';
            let length = end - start - u32::from(negative);
            self.sign[i] = u64::from(negative) << 63;
            self.digits[i] = Digits { end, length };
            longest = longest.max(length);
        }
        longest
    }

    /// Takes the exponents off the literals that have one.
    #[inline(always)]
    fn split_exponents(&mut self, text: &[u8], count: usize) {
        for i in 0..count {
            let Digits { end, length } = self.digits[i];
            let literal = &text[(end - length) as usize..end as usize];
            if let Some((mantissa, exponent)) = split_exponent(literal) {
                let lost = length - mantissa as u32;
                self.digits[i] = Digits { end: end - lost, length: mantissa as u32 };
                self.exponent[i] = exponent;
            }
        }
    }

    /// Leaves literals that are too long, or too near the beginning of the text to be loaded, to
    /// the careful conversion, and fills the strip up to whole groups.
    #[inline(always)]
    fn leave_out_odd_ones(&mut self, count: usize, longest: u32) {
        const HARMLESS: Digits = Digits { end: BLOCK as u32, length: 1 };
        self.digits[count..count + 3].fill(HARMLESS);
        if longest <= 32 && 33 <= self.digits[0].end {
            return;
        }
        self.has_exponents = true;
        for i in 0..count {
            if 32 < self.digits[i].length || self.digits[i].end < 33 {
                self.digits[i] = HARMLESS;
                self.exponent[i] = CAREFUL;
            }
        }
    }

    #[inline(always)]
    fn read_digits<V: Vector>(&mut self, vector: V, text: &[u8], count: usize, longest: u32) {
        let number = |eight: u32| f64::from(eight as i32);
        if longest <= 16 {
            for at in (0..count).step_by(4) {
                let digits = std::array::from_fn(|k| self.digits[at + k]);
                let (halves, fractions) = vector.four_short(text, digits);
                for (k, [high, low]) in halves.into_iter().enumerate() {
                    self.mantissa[at + k] = number(high) * 1e8 + number(low);
                    self.fraction[at + k] = i32::from(fractions[k] % 16);
                }
            }
            return;
        }
        for at in (0..count).step_by(2) {
            let (quarters, fractions) =
                vector.two_long(text, [self.digits[at], self.digits[at + 1]]);
            for (k, [a, b, c, d]) in quarters.into_iter().enumerate() {
                let (high, low) = (number(a) * 1e8 + number(b), number(c) * 1e8 + number(d));
                self.mantissa[at + k] = high * 1e16 + low;
                self.fraction[at + k] = i32::from(fractions[k] % 32);
            }
        }
    }
}

/// The length of what stands before the exponent of a literal, and the exponent; none if it has
/// no exponent.
#[inline(always)]
fn split_exponent(literal: &[u8]) -> Option<(usize, i32)> {
    let length = literal.len();
    let is_mark = |back: usize| back <= length && literal[length - back] | 0x20 == b'e';
    // Two digits behind a sign, as most programs write it, or one.
    let mark = if is_mark(4) {
        length - 4
    } else if is_mark(3) {
        length - 3
    } else if is_mark(2) {
        length - 2
    } else {
        literal.iter().position(|&byte| byte | 0x20 == b'e')?
    };
    let negative = literal[mark + 1] == b'-';
    let signed = negative || literal[mark + 1] == b'+';
    let mut exponent = 0;
    for digit in &literal[mark + 1 + usize::from(signed)..] {
        exponent = (exponent * 10 + i32::from(digit - b'0')).min(CAREFUL);
    }
    Some((mark, if negative { -exponent } else { exponent }))
}
