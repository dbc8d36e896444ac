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

/// Where the digits of a number are: so many bytes, a point among them or not, before `end`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Digits {
    /// The place after the last one.
    pub end: u32,
    /// How many bytes there are.
    pub length: u32,
}

/// The steps that each CPU level has its own instructions for.
pub trait Vector: Copy {
    /// Classifies a block.
    fn classes(self, block: &[u8; BLOCK]) -> Classes;

    /// Writes the places of the bits, plus `base`, and gives how many there are.
    fn places(self, bits: u64, base: u32, list: &mut [u32; BLOCK]) -> usize;

    /// Reads four numbers of at most 16 bytes: the upper and lower eight digits of each, and how
    /// many digits stand after the point (16 if there is no point). All end at 17 or later.
    fn four_short(self, text: &[u8], digits: [Digits; 4]) -> ([[u32; 2]; 4], [u8; 4]);

    /// Reads two numbers of at most 32 bytes: their digits by eights, and how many stand after
    /// the point (32 if there is no point). Both end at 33 or later.
    fn two_long(self, text: &[u8], digits: [Digits; 2]) -> ([[u32; 4]; 2], [u8; 2]);

    /// Puts at each place the byte that `from` says, or 0 for 0x80, together with the bits of
    /// `text`.
    fn arrange(self, bytes: &[u64; 2], from: &[u8; 16], text: &[u8; 16]) -> [u8; 16];
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
