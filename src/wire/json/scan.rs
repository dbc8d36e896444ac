//! Nested arrays of numbers, a block at a time: finds the literals and the brackets of regular
//! arrays by bits, and hands over to the careful reader of `tensor` wherever anything else stands.

use super::grammar::{Carry, Tokens, tokens};
use super::nesting::{Irregular, Nesting};
use super::number::FromLiteral;
use super::strip::Strip;
use super::vector::{BLOCK, Vector, Work, dispatch};
use crate::numeric::simd::Level;

/// What stands where a scan has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The end of the tensor.
    End,
    /// A value, which may not be one that a scan reads.
    Value,
    /// What follows a value.
    BehindValue,
    /// The arrays are irregular somewhere; what was read is of no use.
    Irregular,
}

/// Scans with the instructions of a CPU level.
pub struct Scanner {
    level: Level,
    strip: Option<Box<Strip>>,
}

impl Scanner {
    /// A text must have so much left for a scan to gain.
    const WORTHWHILE: usize = 8 * BLOCK;

    /// A scanner for a level.
    pub fn new(level: Level) -> Scanner {
        Scanner { level, strip: None }
    }

    /// Scans a text from before a value on, and says what stands where. None if the level has no
    /// instructions for it, or the text is too short or too long.
    pub fn scan<T: FromLiteral>(
        &mut self,
        text: &[u8],
        at: usize,
        nesting: &mut Nesting,
        values: &mut Vec<T>,
        overflow: &mut Option<usize>,
    ) -> Option<(Stop, usize)> {
        if text.len() < at + Scanner::WORTHWHILE || u32::try_from(text.len()).is_err() {
            return None;
        }
        let strip = self.strip.get_or_insert_with(|| Box::new(Strip::new()));
        dispatch(self.level, Scan { text, at, strip, nesting, values, overflow })
    }
}

struct Scan<'a, T> {
    text: &'a [u8],
    at: usize,
    strip: &'a mut Strip,
    nesting: &'a mut Nesting,
    values: &'a mut Vec<T>,
    overflow: &'a mut Option<usize>,
}

impl<T: FromLiteral> Work for Scan<'_, T> {
    type Out = (Stop, usize);

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> (Stop, usize) {
        let Scan { text, at, strip, nesting, values, overflow } = self;
        let mut at = at;
        let mut carry = Carry::VALUE;
        strip.clear();
        while let Some(block) = text[at..].first_chunk::<BLOCK>() {
            let before = carry;
            let tokens = tokens(&vector.classes(block), &mut carry);
            let kept = (tokens.trouble != 0).then(|| nesting.clone());
            let Ok(last) = nest(&tokens, nesting) else { return (Stop::Irregular, at) };
            if let Some(last) = last {
                let edges = tokens.edges & (last | (last - 1));
                strip.add(vector, edges, at as u32, tokens.exponents);
                return match strip.convert(vector, text, values, overflow) {
                    Some(()) => (Stop::End, at + last.trailing_zeros() as usize + 1),
                    None => (Stop::Irregular, at),
                };
            }
            if let Some(kept) = kept {
                *nesting = kept;
                carry = before;
                break;
            }
            strip.add(vector, tokens.edges, at as u32, tokens.exponents);
            if strip.is_full() && strip.convert(vector, text, values, overflow).is_none() {
                return (Stop::Irregular, at);
            }
            at += BLOCK;
        }
        if strip.convert(vector, text, values, overflow).is_none() {
            return (Stop::Irregular, at);
        }
        match strip.open() {
            Some(start) => (Stop::Value, start),
            None if carry.expects_value() => (Stop::Value, at),
            None => (Stop::BehindValue, at),
        }
    }
}

/// Follows the brackets of a block up to the first trouble. Gives the bracket that ends the
/// tensor, if it is there.
#[inline(always)]
fn nest(tokens: &Tokens, nesting: &mut Nesting) -> Result<Option<u64>, Irregular> {
    let mut brackets = tokens.brackets;
    let mut counted = 0;
    let mut count = |ends: u64, nesting: &mut Nesting| {
        let ended = ends.count_ones() as usize;
        if counted < ended {
            nesting.number_fits()?;
            nesting.count(ended - counted);
            counted = ended;
        }
        Ok(())
    };
    while brackets != 0 {
        let bit = brackets & brackets.wrapping_neg();
        let so_far = bit | (bit - 1);
        if tokens.trouble & so_far != 0 {
            return Ok(None);
        }
        count(tokens.ends & so_far, nesting)?;
        if tokens.open & bit == 0 {
            nesting.close()?;
            if nesting.depth() == 0 {
                return Ok(Some(bit));
            }
        } else {
            nesting.open()?;
        }
        brackets &= brackets - 1;
    }
    count(tokens.ends, nesting)?;
    Ok(None)
}
