//! JSON in vector registers: which of sixty-four bytes are what, and digits to numbers.
//!
//! Only these few steps know the CPU level, and each level's instructions stand in a file of their
//! own; the rules of JSON are in `grammar` and the arithmetic in `strip`, both written once.

use crate::numeric::simd::Level;

/// How many bytes are classified at once.
pub const BLOCK: usize = 64;

/// Which of the bytes of a block are what: bit `i` speaks of byte `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// `0` to `9`.
    pub digit: u64,
    /// `0`.
    pub zero: u64,
    /// `.`
    pub point: u64,
    /// `-`
    pub minus: u64,
    /// `+`
    pub plus: u64,
    /// `e` and `E`.
    pub exponent: u64,
    /// White space.
    pub space: u64,
    /// `,`
    pub comma: u64,
    /// `[`
    pub open: u64,
    /// `]`
    pub close: u64,
}

/// How many numbers of at most 16 bytes are read at once.
pub const SHORT: usize = 4;
/// How many numbers of at most 32 bytes are read at once.
pub const LONG: usize = 2;

/// The steps that each CPU level has its own instructions for.
pub trait Vector: Copy {
    /// Classifies a block.
    fn classes(self, block: &[u8; BLOCK]) -> Classes;

    /// Writes the places of the bits, plus `base`, and gives how many there are.
    fn places(self, bits: u64, base: u32, list: &mut [u32; BLOCK]) -> usize;

    /// Finds the exponents of `SHORT` or `LONG` numbers that end at these places, 33 or later. Bit
    /// by bit, `members` says which of the 16 or 32 bytes before belong to the number, those of
    /// the first number lowest; the answer says which of them are `e` or `E`.
    fn marks<const COUNT: usize>(self, text: &[u8], ends: [u32; COUNT], members: u64) -> u64;

    /// Reads the digits of such numbers: the digits by eights, two or four of them a number, and
    /// which of the members are points. What is neither is left out.
    fn digits<const COUNT: usize>(
        self,
        text: &[u8],
        ends: [u32; COUNT],
        members: u64,
    ) -> ([u32; 8], u64);

    /// Puts at each place the byte that `from` says, or 0 for 0x80, together with the bits of
    /// `text`.
    fn arrange(self, bytes: &[u64; 2], from: &[u8; 16], text: &[u8; 16]) -> [u8; 16];
}

/// All bits up to the one that is set and not the highest, in each part of 16 bits for four
/// numbers, or 32 for two.
#[inline(always)]
pub fn up_to<const COUNT: usize>(bits: u64) -> u64 {
    let highest = if COUNT == SHORT { 0x8000_8000_8000_8000 } else { 0x8000_0000_8000_0000 };
    let with_one = (bits + !highest) & highest;
    bits | (bits - (with_one >> (64 / COUNT - 1)))
}

/// Work that is compiled once for each level.
pub trait Work {
    /// What the work gives back.
    type Out;
    /// Does the work. `#[inline(always)]`, so that it is compiled inside the level's function.
    fn run<V: Vector>(self, vector: V) -> Self::Out;
}

/// Does the work with the instructions of a level; none where the level has none for it.
#[cfg(target_arch = "x86_64")]
pub fn dispatch<W: Work>(level: Level, work: W) -> Option<W::Out> {
    super::x86::dispatch(level, work)
}

/// Does the work with the instructions of a level; none where the level has none for it.
#[cfg(not(target_arch = "x86_64"))]
pub fn dispatch<W: Work>(_level: Level, _work: W) -> Option<W::Out> {
    None
}
