//! A strip of number literals to numbers: many at a time, each rounded once.
//!
//! The digits become an integer m in double precision, the point and the exponent a power of ten
//! d, and the value is m / d. For `f64` that is one correctly rounded operation where m and d are
//! exact (Clinger, "How to read floating point numbers accurately", 1990). For `f32` the quotient
//! is off by a few units in the last place of an `f64`, which matters only next to the midpoint of
//! two neighbours. Everything else is left to the careful conversion in `number`.

use super::number::{FromLiteral, Literal, POWER_MAX, POWERS};
use super::vector::{BLOCK, LONG, SHORT, Vector};

/// How many literals are converted at once, or up to half a block more.
const STRIP: usize = 256;
const LITERALS: usize = STRIP + BLOCK / 2;

/// The longest literals that are read with vectors, and the ones that are read four at a time.
const LONGEST: u32 = 32;
const SHORT_LONGEST: u32 = 16;
/// How far from the beginning of a text a literal has to end that loads begin inside.
const FIRST_END: u32 = LONGEST + 1;

/// All lists of a strip have room for those that fill the last group up.
const WHOLE_GROUPS: &str = "a strip has room for whole groups";

/// An exponent beyond the table, whose literal is left to the careful conversion.
const CAREFUL: i32 = 4 * POWER_MAX;

/// Literals that are found, and room for their parts.
pub struct Strip {
    /// The first byte of each literal and the one after its last, in turn.
    edges: [u32; 2 * LITERALS],
    count: usize,
    /// Whether any literal has an exponent.
    has_exponents: bool,
    /// The first byte of each literal.
    first: [u8; LITERALS],
    /// Where the digits end, and how many bytes there are with their point.
    end: [u32; LITERALS],
    length: [u32; LITERALS],
    /// The exponent that a literal states.
    exponent: [i32; LITERALS],
    /// The last four bytes of a literal.
    tail: [u32; LITERALS],
    /// Where the mark of the exponent, and later the point, is: the top bit for the last byte.
    place: [u32; LITERALS],
    /// The digits by eights: two of each short literal, four of each long one.
    eights: [u32; 4 * LITERALS],
}

impl Strip {
    /// Without literals.
    pub fn new() -> Strip {
        Strip {
            edges: [0; 2 * LITERALS],
            count: 0,
            has_exponents: false,
            first: [0; LITERALS],
            end: [0; LITERALS],
            length: [0; LITERALS],
            exponent: [0; LITERALS],
            tail: [0; LITERALS],
            place: [0; LITERALS],
            eights: [0; 4 * LITERALS],
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
        self.find_digits(text, count);
        let mut longest = self.leave_out_odd_ones(count);
        if self.has_exponents {
            if longest <= SHORT_LONGEST {
                self.find_exponents::<V, SHORT>(vector, text, count);
            } else {
                self.find_exponents::<V, LONG>(vector, text, count);
            }
            self.take_exponents_off(text, count);
            longest = self.leave_out_odd_ones(count);
        }
        let mut numbers = [T::of(0.0); LITERALS];
        let mut sure = [true; LITERALS];
        let all_sure = if longest <= SHORT_LONGEST {
            self.read_digits::<V, SHORT>(vector, text, count);
            self.quotients::<T, SHORT>(count, &mut numbers, &mut sure)
        } else {
            self.read_digits::<V, LONG>(vector, text, count);
            self.quotients::<T, LONG>(count, &mut numbers, &mut sure)
        };
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
        self.has_exponents = false;
        Some(())
    }

    /// Takes the sign off each literal.
    #[inline(always)]
    fn find_digits(&mut self, text: &[u8], count: usize) {
        for (i, edges) in self.edges[..2 * count].chunks_exact(2).enumerate() {
            self.first[i] = text[edges[0] as usize];
        }
        for i in 0..count {
            let (start, end) = (self.edges[2 * i], self.edges[2 * i + 1]);
            self.end[i] = end;
            self.length[i] = end - start - u32::from(self.first[i] == b'-');
            self.exponent[i] = 0;
        }
    }

    /// Leaves literals that are too long, or too near the beginning of the text to be loaded, to
    /// the careful conversion, and fills the strip up to whole groups. Gives the length of the
    /// longest one of the others.
    #[inline(always)]
    fn leave_out_odd_ones(&mut self, count: usize) -> u32 {
        const HARMLESS: (u32, u32) = (BLOCK as u32, 1);
        for i in count..count.next_multiple_of(SHORT) {
            (self.end[i], self.length[i]) = HARMLESS;
        }
        let longest = self.length[..count].iter().copied().fold(0, u32::max);
        let first_end = self.end[..count].iter().copied().fold(FIRST_END, u32::min);
        if longest <= LONGEST && first_end == FIRST_END {
            return longest;
        }
        for i in 0..count {
            if LONGEST < self.length[i] || self.end[i] < FIRST_END {
                (self.end[i], self.length[i]) = HARMLESS;
                self.exponent[i] = CAREFUL;
            }
        }
        LONGEST
    }

    /// Finds the marks of the exponents, and what stands at the end of each literal.
    #[inline(always)]
    fn find_exponents<V: Vector, const COUNT: usize>(
        &mut self,
        vector: V,
        text: &[u8],
        count: usize,
    ) {
        for at in (0..count).step_by(COUNT) {
            let ends = *self.end[at..].first_chunk().expect(WHOLE_GROUPS);
            let marks = vector.marks::<COUNT>(text, ends, self.members::<COUNT>(at));
            self.note::<COUNT>(at, marks);
            for (tail, end) in self.tail[at..].iter_mut().zip(ends) {
                let bytes = text[..end as usize].last_chunk().expect("none ends before");
                *tail = u32::from_le_bytes(*bytes);
            }
        }
    }

    /// Takes the exponents off the literals that have one.
    #[inline(always)]
    fn take_exponents_off(&mut self, text: &[u8], count: usize) {
        let mut unusual = false;
        for i in 0..count {
            // How many bytes stand behind the mark: two digits behind a sign, as most programs
            // write it, or one, or no sign.
            let has_mark = self.place[i] != 0;
            let behind = self.place[i].leading_zeros();
            let tail = self.tail[i];
            let sign = tail.wrapping_shr(32 - 8 * behind.clamp(1, 3)) as u8;
            let digits = behind.wrapping_sub(u32::from(sign == b'-' || sign == b'+'));
            let ones = (tail >> 24 & 0xf) as i32;
            let tens = (tail >> 16 & 0xf) as i32;
            let exponent = if digits == 2 { 10 * tens + ones } else { ones };
            let exponent = if sign == b'-' { -exponent } else { exponent };
            let is_usual = behind <= 3 && (digits == 1 || digits == 2);
            let off = if has_mark && is_usual { behind + 1 } else { 0 };
            self.end[i] -= off;
            self.length[i] -= off;
            self.exponent[i] = if off != 0 { exponent } else { self.exponent[i] };
            unusual |= has_mark && !is_usual;
        }
        if unusual {
            for i in 0..count {
                self.take_exponent_off(text, i);
            }
        }
    }

    /// Takes the exponent off a literal that has one yet, and is not left out.
    #[cold]
    fn take_exponent_off(&mut self, text: &[u8], i: usize) {
        if self.exponent[i] == CAREFUL {
            return;
        }
        let (end, length) = (self.end[i] as usize, self.length[i] as usize);
        let literal = &text[end - length..end];
        let Some(mark) = literal.iter().position(|&byte| byte | 0x20 == b'e') else { return };
        let negative = literal[mark + 1] == b'-';
        let signed = negative || literal[mark + 1] == b'+';
        let mut exponent = 0;
        for digit in &literal[mark + 1 + usize::from(signed)..] {
            exponent = (exponent * 10 + i32::from(digit - b'0')).min(CAREFUL);
        }
        self.end[i] = (end - length + mark) as u32;
        self.length[i] = mark as u32;
        self.exponent[i] = if negative { -exponent } else { exponent };
    }

    /// Which of the bytes before the end of each literal belong to it, those of the first literal
    /// lowest.
    #[inline(always)]
    fn members<const COUNT: usize>(&self, at: usize) -> u64 {
        let lengths: &[u32; COUNT] = self.length[at..].first_chunk().expect(WHOLE_GROUPS);
        let width = 64 / COUNT;
        let mut members = 0;
        for length in lengths.iter().rev() {
            members = members << width | u64::MAX << (64 - length) >> (64 - width);
        }
        members
    }

    /// Notes where the bits are that each literal has one of, or none.
    #[inline(always)]
    fn note<const COUNT: usize>(&mut self, at: usize, bits: u64) {
        let width = 64 / COUNT;
        for i in 0..COUNT {
            let from_highest = bits << (64 - width * (i + 1)) >> 32;
            self.place[at + i] = (from_highest >> (32 - width) << (32 - width)) as u32;
        }
    }

    #[inline(always)]
    fn read_digits<V: Vector, const COUNT: usize>(&mut self, vector: V, text: &[u8], count: usize) {
        for at in (0..count).step_by(COUNT) {
            let ends = *self.end[at..].first_chunk().expect(WHOLE_GROUPS);
            let (eights, points) = vector.digits::<COUNT>(text, ends, self.members::<COUNT>(at));
            let place = self.eights[at * 8 / COUNT..].first_chunk_mut();
            *place.expect(WHOLE_GROUPS) = eights;
            self.note::<COUNT>(at, points);
        }
    }

    /// The values of the literals, and whether they are sure, each and all.
    #[inline(always)]
    fn quotients<T: FromLiteral, const COUNT: usize>(
        &self,
        count: usize,
        numbers: &mut [T; LITERALS],
        sure: &mut [bool; LITERALS],
    ) -> bool {
        let powers = &*POWERS;
        let number = |eight: u32| f64::from(eight as i32);
        let mut all_sure = true;
        for i in 0..count {
            let mantissa = if COUNT == SHORT {
                number(self.eights[2 * i]) * 1e8 + number(self.eights[2 * i + 1])
            } else {
                let upper = number(self.eights[4 * i]) * 1e8 + number(self.eights[4 * i + 1]);
                let lower = number(self.eights[4 * i + 2]) * 1e8 + number(self.eights[4 * i + 3]);
                upper * 1e16 + lower
            };
            // Without a point there are 32.
            let fraction = (self.place[i].leading_zeros() % 32) as i32;
            let power = fraction - self.exponent[i] + POWER_MAX;
            let power = powers[power.clamp(0, 2 * POWER_MAX) as usize];
            let sign = u64::from(self.first[i] == b'-') << 63;
            let divisor = f64::from_bits(power.to_bits() ^ sign);
            (numbers[i], sure[i]) = T::of_quotient(mantissa, divisor);
            all_sure &= sure[i];
        }
        all_sure
    }
}
