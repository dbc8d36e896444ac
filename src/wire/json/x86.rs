//! The vector steps of JSON in the instructions of x86-64.
//!
//! `unsafe` enters the functions of a level after asking the CPU, and loads from and stores into
//! arrays that are as long as the vectors.

#![expect(unsafe_code, reason = "enters code for a CPU level; loads and stores of whole arrays")]

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadu_si128, _mm_or_si128, _mm_shuffle_epi8, _mm_storeu_si128,
    _mm256_alignr_epi8, _mm256_and_si256, _mm256_blendv_epi8, _mm256_bslli_epi128,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_packus_epi32,
    _mm256_permute2x128_si256, _mm256_set_epi64x, _mm256_set_m128i, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_shuffle_epi8,
    _mm256_storeu_si256, _mm256_sub_epi8, _mm512_add_epi32, _mm512_broadcast_i32x4,
    _mm512_castsi256_si512, _mm512_castsi512_si128, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask,
    _mm512_cmple_epu8_mask, _mm512_cvtepu8_epi32, _mm512_extracti32x4_epi32, _mm512_inserti64x4,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_mask_cmpeq_epi8_mask,
    _mm512_mask_cmple_epu8_mask, _mm512_mask_mov_epi8, _mm512_maskz_compress_epi8,
    _mm512_maskz_compress_epi64, _mm512_maskz_mov_epi8, _mm512_or_si512, _mm512_packus_epi32,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_shuffle_epi8,
    _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::vector::{BLOCK, Classes, SHORT, Vector, Work, up_to};
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
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi2")]
unsafe fn avx512<W: Work>(work: W) -> W::Out {
    work.run(X86::<true>)
}

/// White space at the place that its lower four bits say; elsewhere a byte that is not there.
const SPACES: [u8; 16] = [b' ', 0, 0, 0, 0, 0, 0, 0, 0, b'\t', b'\n', 0, 0, b'\r', 0, 0];
/// What digits by ones, twos and fours are multiplied with, in turn, and added up by twos, fours
/// and eights: 10 and 1, 100 and 1, 10,000 and 1.
const TENS: i16 = 0x010a;
const HUNDREDS: i32 = 0x0001_0064;
const TEN_THOUSANDS: i32 = 0x0001_2710;

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
    fn marks<const COUNT: usize>(self, text: &[u8], ends: [u32; COUNT], members: u64) -> u64 {
        // SAFETY: as above.
        unsafe {
            let bytes = before(text, ends);
            if WIDE { marks_avx512(bytes, members) } else { marks_avx2(bytes, members) }
        }
    }

    #[inline(always)]
    fn digits<const COUNT: usize>(
        self,
        text: &[u8],
        ends: [u32; COUNT],
        members: u64,
    ) -> ([u32; 8], u64) {
        // SAFETY: as above.
        unsafe {
            let bytes = before(text, ends);
            let moved = bytes.map(|bytes| move_up::<COUNT>(bytes));
            if WIDE {
                digits_avx512::<COUNT>(bytes, moved, members)
            } else {
                digits_avx2::<COUNT>(bytes, moved, members)
            }
        }
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

/// The 16 or 32 bytes before each end. Always inlined, which the compiler does not
/// do with the functions of a level.
///
/// # Safety
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn before<const COUNT: usize>(text: &[u8], ends: [u32; COUNT]) -> [__m256i; 2] {
    let end = |at: usize| ends[at] as usize;
    // SAFETY: as the caller says.
    unsafe {
        match COUNT {
            SHORT => [
                _mm256_set_m128i(load_16(text, end(1)), load_16(text, end(0))),
                _mm256_set_m128i(load_16(text, end(3)), load_16(text, end(2))),
            ],
            _ => [load_32(text, end(0)), load_32(text, end(1))],
        }
    }
}

/// Moves each byte of two numbers, or of one, to the next place.
#[inline]
#[target_feature(enable = "avx2")]
fn move_up<const COUNT: usize>(bytes: __m256i) -> __m256i {
    if COUNT == SHORT {
        return _mm256_bslli_epi128(bytes, 1);
    }
    let lower_above_zeros = _mm256_permute2x128_si256(bytes, bytes, 0x08);
    _mm256_alignr_epi8(bytes, lower_above_zeros, 15)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn marks_avx512(bytes: [__m256i; 2], members: u64) -> u64 {
    let lower = _mm512_or_si512(join(bytes), _mm512_set1_epi8(0x20));
    _mm512_mask_cmpeq_epi8_mask(members, lower, _mm512_set1_epi8(b'e' as i8))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn digits_avx512<const COUNT: usize>(
    bytes: [__m256i; 2],
    moved: [__m256i; 2],
    members: u64,
) -> ([u32; 8], u64) {
    let (bytes, moved) = (join(bytes), join(moved));
    let points = _mm512_mask_cmpeq_epi8_mask(members, bytes, _mm512_set1_epi8(b'.' as i8));
    // What stands before a point moves to where the point is.
    let joined = _mm512_mask_mov_epi8(bytes, up_to::<COUNT>(points), moved);
    let digits = _mm512_sub_epi8(joined, _mm512_set1_epi8(b'0' as i8));
    let counted = _mm512_mask_cmple_epu8_mask(members, digits, _mm512_set1_epi8(9));
    let ones = _mm512_maskz_mov_epi8(counted, digits);
    let twos = _mm512_maddubs_epi16(ones, _mm512_set1_epi16(TENS));
    let fours = _mm512_madd_epi16(twos, _mm512_set1_epi32(HUNDREDS));
    // Each part of 128 bits has its eights twice.
    let packed = _mm512_packus_epi32(fours, fours);
    let eights = _mm512_madd_epi16(packed, _mm512_set1_epi32(TEN_THOUSANDS));
    let once = _mm512_castsi512_si256(_mm512_maskz_compress_epi64(0b0101_0101, eights));
    (store(once), points)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn join(halves: [__m256i; 2]) -> __m512i {
    _mm512_inserti64x4(_mm512_castsi256_si512(halves[0]), halves[1], 1)
}

#[inline]
#[target_feature(enable = "avx2")]
fn marks_avx2(bytes: [__m256i; 2], members: u64) -> u64 {
    let [lower, upper] =
        bytes.map(|bytes| equal(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), b'e'));
    (lower | upper << 32) & members
}

#[inline]
#[target_feature(enable = "avx2")]
fn digits_avx2<const COUNT: usize>(
    bytes: [__m256i; 2],
    moved: [__m256i; 2],
    members: u64,
) -> ([u32; 8], u64) {
    let (first, first_points) = fours::<COUNT>(bytes[0], moved[0], members & 0xffff_ffff);
    let (second, second_points) = fours::<COUNT>(bytes[1], moved[1], members >> 32);
    // Packing takes 128 bits of each in turn.
    let lower = _mm256_permute2x128_si256(first, second, 0x20);
    let upper = _mm256_permute2x128_si256(first, second, 0x31);
    let packed = _mm256_packus_epi32(lower, upper);
    let eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(TEN_THOUSANDS));
    (store(eights), first_points | second_points << 32)
}

/// Digits by fours, and the points among them.
#[inline]
#[target_feature(enable = "avx2")]
fn fours<const COUNT: usize>(bytes: __m256i, moved: __m256i, members: u64) -> (__m256i, u64) {
    let points = equal(bytes, b'.') & members;
    // What stands before a point moves to where the point is.
    let joined = _mm256_blendv_epi8(bytes, moved, to_bytes(up_to::<COUNT>(points) as u32));
    let digits = _mm256_sub_epi8(joined, _mm256_set1_epi8(b'0' as i8));
    let are_digits = _mm256_cmpeq_epi8(_mm256_min_epu8(digits, _mm256_set1_epi8(9)), digits);
    let counted = _mm256_and_si256(are_digits, to_bytes(members as u32));
    let twos = _mm256_maddubs_epi16(_mm256_and_si256(digits, counted), _mm256_set1_epi16(TENS));
    (_mm256_madd_epi16(twos, _mm256_set1_epi32(HUNDREDS)), points)
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(numbers: __m256i) -> [u32; 8] {
    let mut all = [0; 8];
    // SAFETY: the array is as long as the vector.
    unsafe { _mm256_storeu_si256(all.as_mut_ptr().cast(), numbers) };
    all
}

/// Which bytes are equal to one.
#[inline]
#[target_feature(enable = "avx2")]
fn equal(bytes: __m256i, byte: u8) -> u64 {
    let equal = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
    u64::from(_mm256_movemask_epi8(equal) as u32)
}

/// Bytes of ones or zeros for bits.
#[inline]
#[target_feature(enable = "avx2")]
fn to_bytes(bits: u32) -> __m256i {
    let which_byte =
        _mm256_set_epi64x(0x0303_0303_0303_0303, 0x0202_0202_0202_0202, 0x0101_0101_0101_0101, 0);
    let which_bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), which_byte);
    _mm256_cmpeq_epi8(_mm256_and_si256(spread, which_bit), which_bit)
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
