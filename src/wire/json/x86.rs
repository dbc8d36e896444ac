//! The vector steps of JSON in the instructions of x86-64.
//!
//! `unsafe` enters the functions of a level after asking the CPU, and loads from and stores into
//! arrays that are as long as the vectors.

#![expect(unsafe_code, reason = "enters code for a CPU level; loads and stores of whole arrays")]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_or_si128, _mm_shuffle_epi8, _mm_storeu_si128,
    _mm256_and_si256, _mm256_blendv_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_packus_epi32, _mm256_permute4x64_epi64, _mm256_set_m128i, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_shuffle_epi8, _mm256_storeu_si256,
    _mm256_sub_epi8, _mm512_add_epi32, _mm512_broadcast_i32x4, _mm512_castsi512_si128,
    _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_cvtepu8_epi32,
    _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::vector::{BLOCK, Classes, Digits, Vector, Work};
use crate::numeric::simd::Level;

/// Does the work with the instructions of a level; none where the level has none for it.
pub fn dispatch<W: Work>(level: Level, work: W) -> Option<W::Out> {
    match level.min(Level::best()) {
        // SAFETY: no level above the best one of this CPU gets here, and each level's CPU has the
        // features that its function is compiled for.
        Level::Avx512 => Some(unsafe { avx512(work) }),
        // SAFETY: as above.
        Level::Avx2 => Some(unsafe { avx2(work) }),
        _ => None,
    }
}

/// # Safety
/// The CPU must have the features named here.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx2<W: Work>(work: W) -> W::Out {
    work.run(X86::<false>)
}

/// # Safety
/// The CPU must have the features named here.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2")]
unsafe fn avx512<W: Work>(work: W) -> W::Out {
    work.run(X86::<true>)
}

/// White space at the place that its lower four bits say; elsewhere a byte that is not there.
const SPACES: [u8; 16] = [b' ', 0, 0, 0, 0, 0, 0, 0, 0, b'\t', b'\n', 0, 0, b'\r', 0, 0];
/// The window that begins at `n` has its first `32 - n` bytes set.
const ONES_THEN_ZEROS: [u8; 64] = half_set(true);
/// The window that begins at `n` has its last `n` bytes set.
const ZEROS_THEN_ONES: [u8; 64] = half_set(false);

const fn half_set(first: bool) -> [u8; 64] {
    let mut bytes = [0; 64];
    let mut at = 0;
    while at < 32 {
        bytes[if first { at } else { at + 32 }] = 0xff;
        at += 1;
    }
    bytes
}

/// 256-bit vectors, and 512-bit ones where they gain if it is `WIDE`.
#[derive(Clone, Copy)]
struct X86<const WIDE: bool>;

impl<const WIDE: bool> Vector for X86<WIDE> {
    #[inline(always)]
    fn classes(self, block: &[u8; BLOCK]) -> Classes {
        // SAFETY: this is only made inside `avx2` or, if it is wide, `avx512`, whose caller has
        // asked the CPU.
        unsafe { if WIDE { classes_avx512(block) } else { classes_avx2(block) } }
    }

    #[inline(always)]
    fn places(self, bits: u64, base: u32, list: &mut [u32; BLOCK]) -> usize {
        if WIDE {
            // SAFETY: as above.
            unsafe { places_avx512(bits, base, list) }
        } else {
            places_one_by_one(bits, base, list);
        }
        bits.count_ones() as usize
    }

    #[inline(always)]
    fn four_short(self, text: &[u8], digits: [Digits; 4]) -> ([[u32; 2]; 4], [u8; 4]) {
        // SAFETY: as above.
        unsafe { four_short(text, digits) }
    }

    #[inline(always)]
    fn two_long(self, text: &[u8], digits: [Digits; 2]) -> ([[u32; 4]; 2], [u8; 2]) {
        // SAFETY: as above.
        unsafe { two_long(text, digits) }
    }

    #[inline(always)]
    fn arrange(self, bytes: &[u64; 2], from: &[u8; 16], text: &[u8; 16]) -> [u8; 16] {
        // SAFETY: as above.
        unsafe { arrange(bytes, from, text) }
    }
}

#[inline(always)]
fn places_one_by_one(bits: u64, base: u32, list: &mut [u32; BLOCK]) {
    let mut bits = bits;
    let count = bits.count_ones() as usize;
    // Sixteen are more than enough for a block of numbers with a few digits each.
    for group in list.chunks_exact_mut(16).take(count.div_ceil(16)) {
        for place in group {
            *place = base + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn classes_avx2(block: &[u8; BLOCK]) -> Classes {
    let halves: [__m256i; 2] = [load_32(block, 32), load_32(block, 64)];
    let join = |[low, high]: [__m256i; 2]| {
        let bits = |half| u64::from(_mm256_movemask_epi8(half) as u32);
        bits(low) | bits(high) << 32
    };
    let is = |byte: u8| {
        let byte = _mm256_set1_epi8(byte as i8);
        join(halves.map(|half| _mm256_cmpeq_epi8(half, byte)))
    };
    let spaces = _mm256_set_m128i(load_16(&SPACES, 16), load_16(&SPACES, 16));
    Classes {
        digit: join(halves.map(|half| {
            let digit = _mm256_sub_epi8(half, _mm256_set1_epi8(b'0' as i8));
            _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit)
        })),
        zero: is(b'0'),
        point: is(b'.'),
        minus: is(b'-'),
        plus: is(b'+'),
        exponent: join(halves.map(|half| {
            let lower = _mm256_or_si256(half, _mm256_set1_epi8(0x20));
            _mm256_cmpeq_epi8(lower, _mm256_set1_epi8(b'e' as i8))
        })),
        space: join(halves.map(|half| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, half), half))),
        comma: is(b','),
        open: is(b'['),
        close: is(b']'),
    }
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
fn classes_avx512(block: &[u8; BLOCK]) -> Classes {
    // SAFETY: the block is as long as the vector.
    let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
    let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
    let digit = _mm512_sub_epi8(bytes, _mm512_set1_epi8(b'0' as i8));
    let lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    let spaces = _mm512_broadcast_i32x4(load_16(&SPACES, 16));
    Classes {
        digit: _mm512_cmple_epu8_mask(digit, _mm512_set1_epi8(9)),
        zero: is(b'0'),
        point: is(b'.'),
        minus: is(b'-'),
        plus: is(b'+'),
        exponent: _mm512_cmpeq_epi8_mask(lower, _mm512_set1_epi8(b'e' as i8)),
        space: _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(spaces, bytes), bytes),
        comma: is(b','),
        open: is(b'['),
        close: is(b']'),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2")]
fn places_avx512(bits: u64, base: u32, list: &mut [u32; BLOCK]) {
    const INDEX: [u8; BLOCK] = {
        let mut index = [0; BLOCK];
        let mut at = 0;
        while at < BLOCK {
            index[at] = at as u8;
            at += 1;
        }
        index
    };
    // SAFETY: the table is as long as the vector.
    let index = unsafe { _mm512_loadu_si512(INDEX.as_ptr().cast()) };
    let places = _mm512_maskz_compress_epi8(bits, index);
    let base = _mm512_set1_epi32(base as i32);
    let mut store = |group: usize, places: __m128i| {
        let places = _mm512_add_epi32(_mm512_cvtepu8_epi32(places), base);
        let list: &mut [u32] = &mut list[group * 16..(group + 1) * 16];
        // SAFETY: the slice is as long as the vector.
        unsafe { _mm512_storeu_si512(list.as_mut_ptr().cast(), places) };
    };
    store(0, _mm512_castsi512_si128(places));
    // More than sixteen are rare: numbers of one digit, or rows of one number.
    if 16 < bits.count_ones() {
        store(1, _mm512_extracti32x4_epi32(places, 1));
        store(2, _mm512_extracti32x4_epi32(places, 2));
        store(3, _mm512_extracti32x4_epi32(places, 3));
    }
}

#[inline]
#[target_feature(enable = "avx2,lzcnt")]
fn four_short(text: &[u8], digits: [Digits; 4]) -> ([[u32; 2]; 4], [u8; 4]) {
    let (even, [f0, f2]) = pair(text, digits[0], digits[2]);
    let (odd, [f1, f3]) = pair(text, digits[1], digits[3]);
    let mut halves = [[0; 2]; 4];
    let eights = by_eights(even, odd);
    // SAFETY: the array has the 32 bytes of the vector.
    unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), eights) };
    (halves, [f0, f1, f2, f3])
}

/// Two short numbers by fours, and how many digits stand after their points.
#[inline]
#[target_feature(enable = "avx2,lzcnt")]
fn pair(text: &[u8], a: Digits, b: Digits) -> (__m256i, [u8; 2]) {
    let (a_end, b_end) = (a.end as usize, b.end as usize);
    let bytes = _mm256_set_m128i(load_16(text, b_end), load_16(text, a_end));
    let points = points(bytes);
    // A bit below the sixteen stops the count where there is no point.
    let a_fraction = (of_number(points << 16, a) | 0x8000).leading_zeros();
    let b_fraction = (of_number(points, b) | 0x8000).leading_zeros();
    let shifted = _mm256_set_m128i(load_16(text, b_end - 1), load_16(text, a_end - 1));
    let before = _mm256_set_m128i(
        load_16(&ONES_THEN_ZEROS, 32 + b_fraction as usize),
        load_16(&ONES_THEN_ZEROS, 32 + a_fraction as usize),
    );
    let counted = _mm256_set_m128i(
        load_16(&ZEROS_THEN_ONES, 32 + (b.length - u32::from(b_fraction < 16)) as usize),
        load_16(&ZEROS_THEN_ONES, 32 + (a.length - u32::from(a_fraction < 16)) as usize),
    );
    let digits = _mm256_blendv_epi8(bytes, shifted, before);
    (by_fours(digits, counted), [a_fraction as u8, b_fraction as u8])
}

#[inline]
#[target_feature(enable = "avx2,lzcnt")]
fn two_long(text: &[u8], digits: [Digits; 2]) -> ([[u32; 4]; 2], [u8; 2]) {
    let (first, f0) = long(text, digits[0]);
    let (second, f1) = long(text, digits[1]);
    let eights = by_eights(first, second);
    let mut quarters = [[0; 4]; 2];
    let ordered = _mm256_permute4x64_epi64(eights, 0b11_01_10_00);
    // SAFETY: the array has the 32 bytes of the vector.
    unsafe { _mm256_storeu_si256(quarters.as_mut_ptr().cast(), ordered) };
    (quarters, [f0, f1])
}

/// A long number by fours, and how many digits stand after its point.
#[inline]
#[target_feature(enable = "avx2,lzcnt")]
fn long(text: &[u8], number: Digits) -> (__m256i, u8) {
    let end = number.end as usize;
    let bytes = load_32(text, end);
    let fraction = of_number(points(bytes), number).leading_zeros();
    let before = load_32(&ONES_THEN_ZEROS, 32 + fraction as usize);
    let length = number.length - u32::from(fraction < 32);
    let counted = load_32(&ZEROS_THEN_ONES, 32 + length as usize);
    let digits = _mm256_blendv_epi8(bytes, load_32(text, end - 1), before);
    (by_fours(digits, counted), fraction as u8)
}

#[inline]
#[target_feature(enable = "avx2")]
fn arrange(bytes: &[u64; 2], from: &[u8; 16], text: &[u8; 16]) -> [u8; 16] {
    // SAFETY: the array is as long as the vector.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    let arranged = _mm_shuffle_epi8(bytes, load_16(from, 16));
    let mut out = [0; 16];
    // SAFETY: the array is as long as the vector.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_or_si128(arranged, load_16(text, 16))) };
    out
}

/// The points in 32 bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn points(bytes: __m256i) -> u32 {
    _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'.' as i8))) as u32
}

/// Those of the points that belong to a number whose last byte has the top bit.
#[inline(always)]
fn of_number(points: u32, digits: Digits) -> u32 {
    points & !(u32::MAX >> 1 >> (digits.length - 1))
}

/// Digits to numbers of four, in lanes of 32 bits; bytes that are not counted are zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn by_fours(bytes: __m256i, counted: __m256i) -> __m256i {
    let digits = _mm256_and_si256(_mm256_sub_epi8(bytes, _mm256_set1_epi8(b'0' as i8)), counted);
    // 10 and 1, 100 and 1, in turn.
    let twos = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
    _mm256_madd_epi16(twos, _mm256_set1_epi32(0x0001_0064))
}

/// Numbers of four digits to numbers of eight, those of the first vector first in each half.
#[inline]
#[target_feature(enable = "avx2")]
fn by_eights(first: __m256i, second: __m256i) -> __m256i {
    _mm256_madd_epi16(_mm256_packus_epi32(first, second), _mm256_set1_epi32(0x0001_2710))
}

/// The 16 bytes that end at a place.
#[inline]
#[target_feature(enable = "avx2")]
fn load_16(text: &[u8], end: usize) -> __m128i {
    let bytes: &[u8; 16] = text[..end].last_chunk().expect("the caller keeps the distance");
    // SAFETY: the array is as long as the vector.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The 32 bytes that end at a place.
#[inline]
#[target_feature(enable = "avx2")]
fn load_32(text: &[u8], end: usize) -> __m256i {
    let bytes: &[u8; 32] = text[..end].last_chunk().expect("the caller keeps the distance");
    // SAFETY: the array is as long as the vector.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
