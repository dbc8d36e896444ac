//! Nested arrays of numbers, a block at a time: finds the literals and the brackets of regular
//! arrays by bits, and hands over to the careful reader of `tensor` wherever anything else stands.

use std::collections::VecDeque;
use std::thread::{Scope, ScopedJoinHandle};

use super::grammar::{Carry, Tokens, tokens};
use super::nesting::{Irregular, Nesting};
use super::number::FromLiteral;
use super::strip::Strip;
use super::vector::{BLOCK, Vector, Work, dispatch};
use crate::numeric::simd::Level;
use crate::numeric::spare;

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

/// A piece with fewer numbers is not worth keeping.
const WORTH_KEEPING: usize = 1 << 10;
/// After so many pieces a scan ahead gives up: this is not a text of large arrays.
const PIECES_MAX: usize = 16;

/// What was found from a place in the middle on.
struct Piece<T> {
    start: usize,
    nesting: Nesting,
    values: Vec<T>,
    overflow: Option<usize>,
    stop: Stop,
    place: usize,
}

/// Scans that have begun ahead of the reader, each behind a comma. Whether that comma stands
/// between values of a tensor is known only when the reader gets there; if not, the scan was for
/// nothing.
pub struct Ahead<'scope, T> {
    scans: VecDeque<(usize, ScopedJoinHandle<'scope, Vec<Piece<T>>>)>,
    /// Pieces of scans that have ended.
    pieces: VecDeque<Piece<T>>,
}

impl<'scope, T: FromLiteral> Ahead<'scope, T> {
    /// No scan has begun.
    pub fn none() -> Ahead<'scope, T> {
        Ahead { scans: VecDeque::new(), pieces: VecDeque::new() }
    }

    /// Begins one scan less than there are threads, the reader being the first.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        text: &'env [u8],
        level: Level,
        threads: usize,
    ) -> Ahead<'scope, T> {
        let share = |number: usize| behind_comma(text, text.len() / threads * number);
        let mut starts: Vec<usize> = (1..threads).filter_map(share).collect();
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        let scans =
            starts.iter().copied().zip(ends).map(|(start, end)| {
                (start, scope.spawn(move || pieces(&text[..end], start, level)))
            });
        Ahead { scans: scans.collect(), pieces: VecDeque::new() }
    }

    /// The place where the next piece begins that the reader, who is here, has not yet passed.
    pub fn next_start(&mut self, here: usize) -> Option<usize> {
        while self.pieces.front().is_some_and(|piece| piece.start < here) {
            self.pieces.pop_front();
        }
        while self.scans.front().is_some_and(|(start, _)| *start < here) {
            self.scans.pop_front();
        }
        let piece = self.pieces.front().map(|piece| piece.start);
        piece.or_else(|| self.scans.front().map(|(start, _)| *start))
    }

    /// Takes over what was found from the next place on, where the reader is now before a value.
    pub fn join(
        &mut self,
        text: &[u8],
        nesting: &mut Nesting,
        values: &mut Vec<T>,
        overflow: &mut Option<usize>,
    ) -> Option<(Stop, usize)> {
        if self.pieces.is_empty() {
            let (start, scan) = self.scans.pop_front()?;
            match scan.join() {
                Ok(pieces) => self.pieces.extend(pieces),
                // A panic goes on to the reader's thread, which reports it.
                Err(panic) => std::panic::resume_unwind(panic),
            }
            if self.pieces.front()?.start != start {
                return None;
            }
        }
        let piece = self.pieces.pop_front()?;
        if nesting.append(&piece.nesting).is_err() {
            return Some((Stop::Irregular, piece.place));
        }
        *overflow = overflow.or_else(|| Some(values.len() + piece.overflow?));
        values.extend_from_slice(&piece.values);
        spare::give(piece.values);
        if nesting.depth() == 0 {
            // The tensor has ended, and only a comma has been read behind it.
            let bracket = text[..piece.place].iter().rposition(|&byte| byte == b']')?;
            return Some((Stop::End, bracket + 1));
        }
        Some((piece.stop, piece.place))
    }
}

/// The place behind the first comma from a place on.
fn behind_comma(text: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.iter().position(|&byte| byte == b',').map(|at| from + at + 1)
}

/// Scans a text from behind a comma on, and again behind whatever stopped the scan.
fn pieces<T: FromLiteral>(text: &[u8], start: usize, level: Level) -> Vec<Piece<T>> {
    let mut scanner = Scanner::new(level);
    let mut pieces = Vec::new();
    let mut next = Some(start);
    for _ in 0..PIECES_MAX {
        let Some(start) = next else { break };
        let (mut nesting, mut overflow) = (Nesting::MIDDLE, None);
        let mut values = room_for(text.len() - start);
        let found = scanner.scan(text, start, &mut nesting, &mut values, &mut overflow);
        let Some((stop, place)) = found else { break };
        next = behind_comma(text, place + BLOCK);
        let useful = matches!(stop, Stop::Value | Stop::BehindValue);
        if useful && WORTH_KEEPING <= values.len() {
            pieces.push(Piece { start, nesting, values, overflow, stop, place });
        }
    }
    pieces
}

/// A buffer for the numbers of a text: a spare one, if so many may come.
pub fn room_for<T: FromLiteral>(text: usize) -> Vec<T> {
    /// Bytes that a number takes, with those around it, at most of the time.
    const BYTES: usize = 24;
    // Few numbers, of short bodies or parameters, find room at once.
    spare::empty(text / BYTES).unwrap_or_else(|| Vec::with_capacity((text / 4).min(32)))
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
