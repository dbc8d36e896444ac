//! The shortest decimals that read back to the same `f32`, many at a time, written as `zmij`
//! writes them.
//!
//! A number is scaled to nine digits before the point, s, in double precision. Half a unit in its
//! last place is then h, from 3 to 60. The shortest decimal that reads back is the multiple of the
//! highest power of ten that lies less than h from s. Four powers are tried one after the other,
//! without a branch, and four more where they may read back in a group. Where rounding in double
//! precision might change the choice, and at powers of two, whose neighbours are not equally far,
//! the number is left to `zmij`.

use std::ops::{Range, RangeInclusive};

use super::number::{POWER_MAX, POWERS};
use super::sheet::Sheet;
use super::vector::Vector;

/// How many numbers are converted before they are written.
pub const STRIP: usize = 64;
/// How many numbers are converted at once.
const GROUP: usize = 16;
/// The most bytes that are written for a number: a sign, sixteen, and eight.
const LONGEST: usize = 26;

/// More than the error of a scaled number.
const DOUBT: f64 = 2e-6;
/// The least and greatest exponents of normal numbers.
const LEAST: i32 = -38;
const GREATEST: i32 = 38;
/// The exponents that are written without `e`.
const PLAIN: RangeInclusive<i32> = -6..=12;

/// Numbers as up to nine digits and how they are laid out.
pub struct Decimals([Decimal; STRIP]);

/// The last eight digits, a byte each, and from the lowest byte on: the first digit, the length of
/// sign and digits, the length with what follows, the layout, whether there is a sign, and whether
/// that is surely the shortest.
type Decimal = [u64; 2];

impl Decimals {
    /// None yet.
    pub const NONE: Decimals = Decimals([[0; 2]; STRIP]);

    /// Converts the numbers of a strip.
    #[inline(always)]
    pub fn convert(&mut self, values: &[f32; STRIP]) {
        for (values, decimals) in values.chunks_exact(GROUP).zip(self.0.chunks_exact_mut(GROUP)) {
            let values = values.first_chunk().expect("a strip has whole groups");
            let decimals = decimals.first_chunk_mut().expect("a strip has whole groups");
            convert(values, decimals);
        }
    }

    /// Writes the numbers of a part of the strip, each with a comma behind it, up to one that is
    /// not sure, and gives how many there were.
    #[inline(always)]
    pub fn write<V: Vector>(&self, vector: V, part: Range<usize>, out: &mut Sheet) -> usize {
        let text = out.room(part.len() * LONGEST);
        let mut end = 0;
        let mut written = 0;
        for decimal in &self.0[part] {
            let about = decimal[1];
            let byte = |at: u32| (about >> (8 * at)) as u8;
            if byte(5) == 0 {
                break;
            }
            let layout = &LAYOUTS[usize::from(byte(3)) % LAYOUTS.len()];
            let (sign, length) = (usize::from(byte(4) & 1), usize::from(byte(1)));
            let Some(room) = text[end..].first_chunk_mut::<LONGEST>() else { break };
            room[0] = b'-';
            let digits = vector.arrange(decimal, &layout.digit, &layout.text);
            room[sign..sign + 16].copy_from_slice(&digits);
            room[length..length + 8].copy_from_slice(&layout.tail.to_le_bytes());
            end += usize::from(byte(2));
            written += 1;
        }
        out.keep(end);
        written
    }
}

/// Converts a group of numbers. Each loop is one that the compiler makes vectors of.
#[inline(always)]
fn convert(values: &[f32; GROUP], decimals: &mut [Decimal; GROUP]) {
    let powers = &*POWERS;
    let mut exponent = [0; GROUP];
    let mut scaled = [0.0; GROUP];
    let mut half_unit = [0.0; GROUP];
    for i in 0..GROUP {
        let value = f64::from(values[i].abs());
        let binary = binary_exponent(values[i]);
        // The decimal exponent, or one less.
        exponent[i] = ((binary - 127) * 1233) >> 12;
        let power = powers[(8 - exponent[i] + POWER_MAX) as usize];
        let over = 1e9 <= value * power;
        let power = power * if over { 0.1 } else { 1.0 };
        scaled[i] = value * power;
        half_unit[i] = f64::from_bits(((binary + 1023 - 127 - 24) as u64) << 52) * power;
        exponent[i] += i32::from(over);
    }

    let mut shortest = Shortests::NONE;
    let mut very_short = false;
    for i in 0..GROUP {
        let (scaled, half_unit) = (scaled[i], half_unit[i]);
        let all_nine = Shortest {
            multiple: scaled.round_ties_even(),
            half_step: 0.5,
            zeros: 0.0,
            margin: f64::INFINITY,
        };
        let found = all_nine
            .to_multiple(1e1, 1e-1, scaled, half_unit)
            .to_multiple(1e2, 1e-2, scaled, half_unit)
            .to_multiple(1e3, 1e-3, scaled, half_unit)
            .to_multiple(1e4, 1e-4, scaled, half_unit);
        shortest.set(i, found);
        very_short |= 1e3 < found.half_step;
    }
    // A number that no multiple of 10⁴ reads back as has none of a higher power either.
    if very_short {
        for i in 0..GROUP {
            let (scaled, half_unit) = (scaled[i], half_unit[i]);
            let found = shortest
                .get(i)
                .to_multiple(1e5, 1e-5, scaled, half_unit)
                .to_multiple(1e6, 1e-6, scaled, half_unit)
                .to_multiple(1e7, 1e-7, scaled, half_unit)
                .to_multiple(1e8, 1e-8, scaled, half_unit);
            shortest.set(i, found);
        }
    }

    for i in 0..GROUP {
        let Shortest { multiple, half_step, zeros, margin } = shortest.get(i);
        let to_tie = ((multiple - scaled[i]).abs() - half_step).abs();
        let margin = if to_tie < margin { to_tie } else { margin };
        let bits = values[i].to_bits();
        let binary = binary_exponent(values[i]);
        let ordinary = bits & 0x007f_ffff != 0 && binary != 0 && binary != 255;
        let sure = u32::from(ordinary && DOUBT < margin);

        let carried = multiple == 1e9;
        let exponent = exponent[i] + i32::from(carried);
        let significant = 9 - integer(zeros) as i32;
        let sign = bits >> 31;
        let (length, tail) = extent(exponent, significant);
        let length = length as u32 + sign;
        let about = length << 8 | (length + tail as u32) << 16 | ((exponent - LEAST) as u32) << 24;
        let [first, rest] = nine_digits(integer(if carried { 1e8 } else { multiple }));
        decimals[i] = [rest, first | u64::from(about) | u64::from(sign | sure << 8) << 32];
    }
}

/// The shortest decimal so far.
#[derive(Clone, Copy)]
struct Shortest {
    /// The number that its nine digits make.
    multiple: f64,
    /// Half of what the last digit counts that may be other than zero,
    half_step: f64,
    /// and how many zeros are behind that digit.
    zeros: f64,
    /// The least distance from where the choice would be another one.
    margin: f64,
}

impl Shortest {
    /// The nearest multiple of a higher power of ten, if it reads back.
    #[inline(always)]
    fn to_multiple(self, step: f64, inverse: f64, scaled: f64, half_unit: f64) -> Shortest {
        let multiple = (scaled * inverse).round_ties_even() * step;
        let beyond = (multiple - scaled).abs() - half_unit;
        let reads_back = beyond < 0.0;
        let to_edge = beyond.abs();
        Shortest {
            multiple: if reads_back { multiple } else { self.multiple },
            half_step: if reads_back { step * 0.5 } else { self.half_step },
            zeros: self.zeros + if reads_back { 1.0 } else { 0.0 },
            margin: if to_edge < self.margin { to_edge } else { self.margin },
        }
    }
}

/// The shortest decimals of a group, part by part.
struct Shortests {
    multiple: [f64; GROUP],
    half_step: [f64; GROUP],
    zeros: [f64; GROUP],
    margin: [f64; GROUP],
}

impl Shortests {
    const NONE: Shortests = Shortests {
        multiple: [0.0; GROUP],
        half_step: [0.0; GROUP],
        zeros: [0.0; GROUP],
        margin: [0.0; GROUP],
    };

    #[inline(always)]
    fn get(&self, i: usize) -> Shortest {
        Shortest {
            multiple: self.multiple[i],
            half_step: self.half_step[i],
            zeros: self.zeros[i],
            margin: self.margin[i],
        }
    }

    #[inline(always)]
    fn set(&mut self, i: usize, shortest: Shortest) {
        let Shortest { multiple, half_step, zeros, margin } = shortest;
        (self.multiple[i], self.half_step[i]) = (multiple, half_step);
        (self.zeros[i], self.margin[i]) = (zeros, margin);
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

/// The first digit of nine, and the other eight, a byte each.
#[inline(always)]
fn nine_digits(number: u64) -> [u64; 2] {
    // Each multiplication and shift is a division by a power of ten.
    let first = (number * 1_441_151_881) >> 57;
    let rest = (number - first * 100_000_000) & 0xffff_ffff;
    let upper = (rest * 3_518_437_209) >> 45;
    // Fours, then twos, then ones, each split by one multiplication.
    let fours = upper | (rest - upper * 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    [first, tens | (twos - 10 * tens) << 8]
}

/// How long the digits with their point are, and what follows them, comma included.
#[inline(always)]
const fn extent(exponent: i32, significant: i32) -> (i32, i32) {
    let plain = *PLAIN.start() <= exponent && exponent <= *PLAIN.end();
    if !plain {
        let size = if exponent < 0 { -exponent } else { exponent };
        // A digit alone has no point.
        let point = if significant == 1 { 0 } else { 1 };
        return (significant + point, if size < 10 { 4 } else { 5 });
    }
    let behind_zeros = significant + 1 - exponent;
    let with_point = significant + 1;
    // A zero stands behind the point if no digit does.
    let whole = exponent + 3;
    let length = if exponent < 0 {
        behind_zeros
    } else if with_point < whole {
        whole
    } else {
        with_point
    };
    (length, 1)
}

/// How a number of one exponent is laid out.
struct Layout {
    /// Which byte of the decimal stands at each place, if there is a digit; 0x80 for none.
    digit: [u8; 16],
    /// What each place holds beside the digit.
    text: [u8; 16],
    /// What follows: an exponent if there is one, and a comma.
    tail: u64,
}

/// One for each exponent from the least on; those behind the greatest are not used.
static LAYOUTS: [Layout; 128] = {
    let mut layouts = [const { layout(0) }; 128];
    let mut exponent = LEAST;
    while exponent <= GREATEST {
        layouts[(exponent - LEAST) as usize] = layout(exponent);
        exponent += 1;
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
    let mut layout = Layout { digit: [0x80; 16], text: [b'0'; 16], tail: b',' as u64 };
    layout.text[point] = b'.';
    let mut place = first;
    let mut digit = 0;
    while place < 16 && digit < 9 {
        if place != point {
            layout.digit[place] = if digit == 0 { 8 } else { digit - 1 };
            digit += 1;
        }
        place += 1;
    }
    if !plain {
        let size = exponent.unsigned_abs() as u64;
        let sign = if exponent < 0 { b'-' } else { b'+' };
        layout.tail = b'e' as u64 | (sign as u64) << 8;
        let comma = b',' as u64;
        layout.tail |= match size {
            0..10 => (b'0' as u64 + size) << 16 | comma << 24,
            _ => (b'0' as u64 + size / 10) << 16 | (b'0' as u64 + size % 10) << 24 | comma << 32,
        };
    }
    layout
}
