//! The softmax of many short rows at once: all of their elements one after the other, so that
//! vectors are full however short a row is.

use std::ops::Range;

use crate::numeric::real::{Real, pick};
use crate::numeric::tensor::Rows;
use crate::numeric::verbs::{Softmax, gap, softmax};

/// How many rows are taken at once: their block stays in the first cache.
pub const AT_ONCE: usize = 64;
/// The longest rows that are taken so: of longer ones each fills vectors by itself.
pub const SHORT: usize = 31;

/// Room for a block of rows, and what was found of it. A block of fewer rows leaves the rest of
/// its places as they were.
pub struct ShortRows<R> {
    length: usize,
    /// The logits, where they do not stand one after the other.
    gathered: Vec<R>,
    /// The softmax, row after row.
    shares: Vec<R>,
    /// For each element what its row has in common.
    common: Vec<R>,
    largest: [R; AT_ONCE],
    log_sum: [R; AT_ONCE],
}

impl<R: Real> ShortRows<R> {
    /// Room for rows of that length.
    pub fn new(length: usize) -> ShortRows<R> {
        let zero = R::of(0.0);
        ShortRows {
            length,
            gathered: Vec::new(),
            shares: vec![zero; AT_ONCE * length],
            common: vec![zero; AT_ONCE * length + SPAN],
            largest: [zero; AT_ONCE],
            log_sum: [zero; AT_ONCE],
        }
    }

    /// The logits of neighbouring rows, one after the other.
    #[inline(always)]
    fn logits<'a>(
        gathered: &'a mut Vec<R>,
        x: &'a [R],
        rows: Rows,
        block: &Range<usize>,
    ) -> &'a [R] {
        let Rows { length, inner, .. } = rows;
        let start = rows.start(block.start);
        if inner == 1 {
            return &x[start..start + block.len() * length];
        }
        gathered.resize(block.len() * length, R::of(0.0));
        for class in 0..length {
            let column = &x[start + class * inner..][..block.len()];
            for (place, &x) in gathered[class..].iter_mut().step_by(length).zip(column) {
                *place = x;
            }
        }
        gathered
    }

    /// Writes e^(x - largest) of neighbouring rows, and what turns them into shares to `common`. Says
    /// whether none of them has an infinity.
    #[inline(always)]
    fn powers(&mut self, x: &[R], out: &mut [R]) -> bool {
        match self.length {
            2 => self.powers_of::<2>(x, out),
            3 => self.powers_of::<3>(x, out),
            4 => self.powers_of::<4>(x, out),
            5 => self.powers_of::<5>(x, out),
            _ => self.powers_of::<0>(x, out),
        }
    }

    /// The same for rows of that length, or of any length for 0.
    #[inline(always)]
    fn powers_of<const LENGTH: usize>(&mut self, x: &[R], out: &mut [R]) -> bool {
        let ShortRows { length, common, largest, log_sum, .. } = self;
        let length = if LENGTH == 0 { *length } else { LENGTH };
        for (at, row) in x.chunks_exact(length).enumerate().take(AT_ONCE) {
            let mut most = R::of(f64::NEG_INFINITY);
            for &x in row {
                most = pick(most < x, x, most);
            }
            largest[at] = most;
            spread(&mut common[at * length..], length, most);
        }
        for ((out, &x), &largest) in out.iter_mut().zip(x).zip(&*common) {
            *out = (x - largest).exp_of_negative();
        }
        let mut sums = [R::of(1.0); AT_ONCE];
        for (row, sum) in out.chunks_exact(length).zip(&mut sums) {
            let mut total = R::of(0.0);
            for &power in row {
                total = total + power;
            }
            *sum = total;
        }
        let mut shares = sums;
        for at in 0..AT_ONCE {
            shares[at] = R::of(1.0) / sums[at];
            log_sum[at] = sums[at].ln();
        }
        let rows = x.len() / length;
        for (at, &share) in shares.iter().enumerate().take(rows) {
            spread(&mut common[at * length..], length, share);
        }
        !largest[..rows].contains(&R::of(f64::INFINITY))
    }

    /// Computes the softmax of neighbouring rows, for `row` to give and `shares` to change.
    #[inline(always)]
    pub fn rows(&mut self, x: &[R], rows: Rows, block: &Range<usize>) {
        let mut gathered = std::mem::take(&mut self.gathered);
        let mut shares = std::mem::take(&mut self.shares);
        let logits = Self::logits(&mut gathered, x, rows, block);
        let is_finite = self.powers(logits, &mut shares);
        for (share, &common) in shares.iter_mut().zip(&self.common) {
            *share = *share * common;
        }
        if !is_finite {
            self.mend(logits, &mut shares);
        }
        (self.gathered, self.shares) = (gathered, shares);
    }

    /// Computes the rows with an infinity one by one.
    #[cold]
    fn mend(&mut self, x: &[R], shares: &mut [R]) {
        let length = self.length;
        for (at, (row, shares)) in x.chunks(length).zip(shares.chunks_mut(length)).enumerate() {
            if self.largest[at] == R::of(f64::INFINITY) {
                let found = softmax(row, shares);
                (self.largest[at], self.log_sum[at]) = (found.largest, found.log_sum);
            }
        }
    }

    /// The shares of all rows of the block, and whatever stands behind them.
    #[inline(always)]
    pub fn shares(&self) -> &[R] {
        &self.shares
    }

    /// The softmax of the row at that place of the block, and its shares.
    #[inline(always)]
    pub fn row(&mut self, at: usize) -> (Softmax<R>, &mut [R]) {
        let softmax = Softmax { largest: self.largest[at], log_sum: self.log_sum[at] };
        (softmax, &mut self.shares[at * self.length..][..self.length])
    }

    /// Writes the cross-entropy of neighbouring rows, one after the other in memory, each with its
    /// class, and its slopes times a factor. Says so if it cannot, because of an infinity.
    #[inline(always)]
    pub fn cross_entropy(
        &mut self,
        x: &[R],
        classes: &[i64],
        factor: R,
        losses: &mut [R],
        slopes: &mut [R],
    ) -> bool {
        if !self.powers(x, slopes) {
            return false;
        }
        let mut own = [R::of(0.0); AT_ONCE];
        for (at, &class) in classes.iter().enumerate().take(AT_ONCE) {
            let place = at * self.length + class as usize;
            losses[at] = self.log_sum[at] - gap(x[place], self.largest[at]);
            own[at] = slopes[place] * self.common[place] - R::of(1.0);
        }
        for (slope, &common) in slopes.iter_mut().zip(&self.common) {
            *slope = *slope * common * factor;
        }
        for (at, &class) in classes.iter().enumerate().take(AT_ONCE) {
            slopes[at * self.length + class as usize] = own[at] * factor;
        }
        true
    }
}

/// As many places as `spread` writes to at most.
const SPAN: usize = SHORT.next_multiple_of(VECTOR);
const VECTOR: usize = 16;

/// Writes a value to so many places, and on to some behind them: whole vectors take less.
#[inline(always)]
fn spread<R: Real>(places: &mut [R], count: usize, value: R) {
    if let Some(places) = places.first_chunk_mut::<VECTOR>() {
        *places = [value; VECTOR];
    }
    if VECTOR < count
        && let Some(places) = places[VECTOR..].first_chunk_mut::<VECTOR>()
    {
        *places = [value; VECTOR];
    }
}
