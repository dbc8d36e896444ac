//! The shortest decimals that read back to the same `f32`, many at a time, written as `zmij`
//! writes them.
//!
//! A number is scaled to nine digits before the point, s, in double precision. Half a unit in its
//! last place is then h, from 3 to 60. The shortest decimal that reads back is the multiple of the
//! highest power of ten that lies less than h from s; the powers are tried one after the other,
//! without a branch. Where rounding in double precision might change the choice, and at powers of
//! two, whose neighbours are not equally far, the number is left to `zmij`.

use std::ops::{Range, RangeInclusive};

use super::number::{POWER_MAX, POWERS};
use super::sheet::Sheet;
use super::vector::Vector;

/// How many numbers are converted at once.
pub const STRIP: usize = 64;
/// The most bytes that are written for a number: a sign, sixteen, and eight.
const LONGEST: usize = 26;

/// More than the error of a scaled number.
const DOUBT: f64 = 2e-6;
/// Adding this to a number and taking it away again leaves the nearest integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// Powers of ten and their inverses.
const STEPS: [(f64, f64); 8] = [
    (1e1, 1e-1),
    (1e2, 1e-2),
    (1e3, 1e-3),
    (1e4, 1e-4),
    (1e5, 1e-5),
    (1e6, 1e-6),
    (1e7, 1e-7),
    (1e8, 1e-8),
];
/// The least and greatest exponents of normal numbers.
const LEAST: i32 = -38;
const GREATEST: i32 = 38;
/// The exponents that are written without `e`.
const PLAIN: RangeInclusive<i32> = -6..=12;

/// Numbers as up to nine digits and a decimal exponent.
pub struct Decimals {
    /// The digits, the first one in the lowest byte of the first half.
    digits: [[u64; 2]; STRIP],
    /// How many digits there are before zeros.
    significant: [u32; STRIP],
    /// The exponent of the first digit.
    exponent: [i32; STRIP],
    /// Whether that is surely the shortest.
    sure: [bool; STRIP],
}

impl Decimals {
    /// None yet.
    pub const NONE: Decimals = Decimals {
        digits: [[0; 2]; STRIP],
        significant: [0; STRIP],
        exponent: [0; STRIP],
        sure: [false; STRIP],
    };

    /// Converts the numbers of a strip. Each loop is one that the compiler makes vectors of.
    #[inline(always)]
    pub fn convert(&mut self, values: &[f32; STRIP]) {
        let powers = &*POWERS;
        let mut power = [0.0; STRIP];
        for i in 0..STRIP {
            // The decimal exponent, or one less.
            self.exponent[i] = ((binary_exponent(values[i]) - 127) * 1233) >> 12;
            power[i] = powers[(8 - self.exponent[i] + POWER_MAX) as usize];
        }
        let mut scaled = [0.0; STRIP];
        let mut half_unit = [0.0; STRIP];
        for i in 0..STRIP {
            let half = (binary_exponent(values[i]) + 1023 - 127 - 24) as u64;
            let over = 1e9 <= f64::from(values[i].abs()) * power[i];
            let power = power[i] * if over { 0.1 } else { 1.0 };
            scaled[i] = f64::from(values[i].abs()) * power;
            half_unit[i] = f64::from_bits(half << 52) * power;
            self.exponent[i] += i32::from(over);
        }
        let mut best = scaled.map(|scaled| (scaled + ROUNDER) - ROUNDER);
        let mut half_step = [0.5; STRIP];
        let mut zeros = [0.0; STRIP];
        // The least distance from where the choice would be another one.
        let mut margin = [f64::INFINITY; STRIP];
        for (step, inverse) in STEPS {
            // Into new arrays: a choice whether to store would become a masked store.
            let before = (best, half_step, margin);
            for i in 0..STRIP {
                let multiple = ((scaled[i] * inverse + ROUNDER) - ROUNDER) * step;
                let distance = (multiple - scaled[i]).abs();
                let reads_back = distance < half_unit[i];
                let to_edge = (distance - half_unit[i]).abs();
                margin[i] = if to_edge < before.2[i] { to_edge } else { before.2[i] };
                best[i] = if reads_back { multiple } else { before.0[i] };
                half_step[i] = if reads_back { step * 0.5 } else { before.1[i] };
                zeros[i] += if reads_back { 1.0 } else { 0.0 };
            }
        }
        for i in 0..STRIP {
            let to_tie = ((best[i] - scaled[i]).abs() - half_step[i]).abs();
            let margin = if to_tie < margin[i] { to_tie } else { margin[i] };
            let carried = best[i] == 1e9;
            self.digits[i] = nine_digits(integer(if carried { 1e8 } else { best[i] }));
            self.significant[i] = (9 - integer(zeros[i])) as u32;
            self.exponent[i] += i32::from(carried);
            let binary = binary_exponent(values[i]);
            let ordinary = values[i].to_bits() & 0x007f_ffff != 0 && binary != 0 && binary != 255;
            self.sure[i] = ordinary && DOUBT < margin;
        }
    }
}

/// A number that is a small whole one.
#[inline(always)]
fn integer(x: f64) -> u64 {
    (x + (1u64 << 52) as f64).to_bits() & 0xffff_ffff
}

/// The bits of the exponent.
#[inline(always)]
fn binary_exponent(value: f32) -> i32 {
    ((value.to_bits() >> 23) & 0xff) as i32
}

impl Decimals {
    /// Writes the numbers of a part of the strip, each with a comma behind it, up to one that is
    /// not sure, and gives how many there were.
    #[inline(always)]
    pub fn write<V: Vector>(
        &self,
        vector: V,
        part: Range<usize>,
        values: &[f32],
        out: &mut Sheet,
    ) -> usize {
        let text = out.room(part.len() * LONGEST);
        let mut end = 0;
        let mut written = 0;
        for (at, value) in part.zip(values) {
            if !self.sure[at] {
                break;
            }
            let significant = self.significant[at] as usize;
            let layout = &LAYOUTS[(self.exponent[at] - LEAST) as usize];
            let Some(room) = text[end..].first_chunk_mut::<LONGEST>() else { break };
            room[0] = b'-';
            let sign = usize::from(value.is_sign_negative());
            let digits = vector.arrange(&self.digits[at], &layout.digit, &layout.text);
            room[sign..sign + 16].copy_from_slice(&digits);
            let dropped_point = usize::from(layout.has_exponent && significant == 1);
            let length = layout.least.max(significant + layout.more) - dropped_point + sign;
            room[length..length + 8].copy_from_slice(&layout.tail.to_le_bytes());
            end += length + layout.tail_length;
            written += 1;
        }
        out.keep(end);
        written
    }
}

/// The digits of a number of nine.
#[inline(always)]
fn nine_digits(number: u64) -> [u64; 2] {
    // Each multiplication and shift is a division by a power of ten.
    let first = (number * 1_441_151_881) >> 57;
    let rest = number - first * 100_000_000;
    let upper = (rest * 3_518_437_209) >> 45;
    // Fours, then twos, then ones, each split by one multiplication.
    let fours = upper | (rest - upper * 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - 10 * tens) << 8;
    [ones << 8 | first, ones >> 56]
}

/// How a number of one exponent is laid out.
struct Layout {
    /// Which digit stands at each place, if there is a digit; 0x80 for none.
    digit: [u8; 16],
    /// What each place holds beside the digit.
    text: [u8; 16],
    /// The length is the number of significant digits and so many more,
    more: usize,
    /// but at least this.
    least: usize,
    /// What follows: an exponent if there is one, and a comma.
    tail: u64,
    tail_length: usize,
    has_exponent: bool,
}

static LAYOUTS: [Layout; (GREATEST - LEAST + 1) as usize] = {
    let mut layouts = [const { layout(0) }; (GREATEST - LEAST + 1) as usize];
    let mut at = 0;
    while at < layouts.len() {
        layouts[at] = layout(LEAST + at as i32);
        at += 1;
    }
    layouts
};

const fn layout(exponent: i32) -> Layout {
    let plain = *PLAIN.start() <= exponent && exponent <= *PLAIN.end();
    // The place of the first digit if it is behind the point, and that of the point.
    let (first, point) = match exponent {
        0.. if plain => (0, exponent as usize + 1),
        _ if plain => ((1 - exponent) as usize, 1),
        _ => (0, 1),
    };
    let mut layout = Layout {
        digit: [0x80; 16],
        text: [b'0'; 16],
        more: if plain && exponent < 0 { (1 - exponent) as usize } else { 1 },
        least: if plain && 0 <= exponent { exponent as usize + 3 } else { 0 },
        tail: b',' as u64,
        tail_length: 1,
        has_exponent: !plain,
    };
    layout.text[point] = b'.';
    let mut place = first;
    let mut digit = 0;
    while place < 16 && digit < 9 {
        if place != point {
            layout.digit[place] = digit;
            digit += 1;
        }
        place += 1;
    }
    if !plain {
        let size = exponent.unsigned_abs() as u64;
        let sign = if exponent < 0 { b'-' } else { b'+' };
        layout.tail = b'e' as u64 | (sign as u64) << 8;
        let comma = b',' as u64;
        layout.tail_length = if size < 10 { 4 } else { 5 };
        layout.tail |= match size {
            0..10 => (b'0' as u64 + size) << 16 | comma << 24,
            _ => (b'0' as u64 + size / 10) << 16 | (b'0' as u64 + size % 10) << 24 | comma << 32,
        };
    }
    layout
}
