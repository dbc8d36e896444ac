//! The softmax of many short rows at once: across the rows, so that vectors are full however short
//! a row is.

use std::ops::Range;

use crate::numeric::real::{Real, pick};
use crate::numeric::tensor::Rows;
use crate::numeric::verbs::{Softmax, gap, softmax};

/// How many rows are taken at once.
pub const ACROSS: usize = 64;
/// The longest rows that are taken across: their block stays in the first cache.
pub const SHORT: usize = 32;

/// Room for a block of rows, and what was found of it. A block of fewer rows leaves the rest of
/// its places as they were.
pub struct Across<R> {
    /// The softmax: class after class, each with its rows one after the other.
    classes: Vec<[R; ACROSS]>,
    /// The same row after row.
    shares: Vec<R>,
    largest: [R; ACROSS],
    log_sum: [R; ACROSS],
}

impl<R: Real> Across<R> {
    /// Room for rows of that length.
    pub fn new(length: usize) -> Across<R> {
        let zero = R::of(0.0);
        Across {
            classes: vec![[zero; ACROSS]; length],
            shares: vec![zero; ACROSS * length],
            largest: [zero; ACROSS],
            log_sum: [zero; ACROSS],
        }
    }

    /// Computes the softmax of neighbouring rows, and says whether none of them has an infinity.
    #[inline(always)]
    fn softmax(&mut self, x: &[R], rows: Rows, block: &Range<usize>) -> bool {
        let Across { classes, largest, log_sum, .. } = self;
        let Rows { length, inner, .. } = rows;
        let x = &x[rows.start(block.start)..];
        // How far rows and classes are apart.
        let (of_row, of_class) = if inner == 1 { (length, 1) } else { (1, inner) };
        for (c, class) in classes.iter_mut().enumerate() {
            let column = &x[c * of_class..];
            let gather = |class: &mut [R]| {
                for (row, place) in class.iter_mut().enumerate() {
                    *place = column[row * of_row];
                }
            };
            match class.get_mut(..block.len()) {
                Some(some) if block.len() < ACROSS => gather(some),
                _ => gather(class),
            }
        }
        *largest = [R::of(f64::NEG_INFINITY); ACROSS];
        for class in &*classes {
            for (largest, &x) in largest.iter_mut().zip(class) {
                *largest = pick(*largest < x, x, *largest);
            }
        }
        let mut sum = [R::of(0.0); ACROSS];
        for class in &mut *classes {
            for row in 0..ACROSS {
                class[row] = (class[row] - largest[row]).exp_of_negative();
                sum[row] = sum[row] + class[row];
            }
        }
        let mut share = [R::of(0.0); ACROSS];
        for row in 0..ACROSS {
            share[row] = R::of(1.0) / sum[row];
            log_sum[row] = sum[row].ln();
        }
        for class in classes {
            for (x, &share) in class.iter_mut().zip(&share) {
                *x = *x * share;
            }
        }
        !largest[..block.len()].contains(&R::of(f64::INFINITY))
    }

    /// Computes the softmax of neighbouring rows, for `row` to give and `shares` to change.
    #[inline(always)]
    pub fn rows(&mut self, x: &[R], rows: Rows, block: &Range<usize>) {
        let is_finite = self.softmax(x, rows, block);
        spread(&self.classes, &mut self.shares, block.len());
        if !is_finite {
            self.mend(x, rows, block);
        }
    }

    /// Computes the rows with an infinity one by one.
    #[cold]
    fn mend(&mut self, x: &[R], rows: Rows, block: &Range<usize>) {
        let length = rows.length;
        for (at, row) in block.clone().enumerate() {
            if self.largest[at] != R::of(f64::INFINITY) {
                continue;
            }
            let start = rows.start(row);
            let logits: Vec<R> = (0..length).map(|c| x[start + c * rows.inner]).collect();
            let found = softmax(&logits, &mut self.shares[at * length..][..length]);
            (self.largest[at], self.log_sum[at]) = (found.largest, found.log_sum);
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
        let length = self.classes.len();
        (softmax, &mut self.shares[at * length..][..length])
    }

    /// Writes the cross-entropy of neighbouring rows, one after the other in memory, each with its
    /// class, and its slopes times a factor, if they are wanted. Says so if it cannot, because of
    /// an infinity.
    #[expect(clippy::too_many_arguments, reason = "what is read, where it is, what is written")]
    #[inline(always)]
    pub fn cross_entropy(
        &mut self,
        x: &[R],
        rows: Rows,
        block: &Range<usize>,
        targets: &[i64],
        factor: R,
        losses: &mut [R],
        slopes: &mut [R],
    ) -> bool {
        if !self.softmax(x, rows, block) {
            return false;
        }
        let length = rows.length;
        let mut own = [R::of(0.0); ACROSS];
        for (at, &class) in targets[block.clone()].iter().enumerate().take(ACROSS) {
            let logit = x[(block.start + at) * length + class as usize];
            losses[at] = self.log_sum[at] - gap(logit, self.largest[at]);
            own[at] = (self.classes[class as usize][at] - R::of(1.0)) * factor;
        }
        if slopes.is_empty() {
            return true;
        }
        for class in &mut self.classes {
            for slope in class {
                *slope = *slope * factor;
            }
        }
        spread(&self.classes, slopes, block.len());
        for (at, &class) in targets[block.clone()].iter().enumerate().take(ACROSS) {
            slopes[at * length + class as usize] = own[at];
        }
        true
    }
}

/// Writes so many rows one after the other.
#[inline(always)]
fn spread<R: Real>(classes: &[[R; ACROSS]], out: &mut [R], count: usize) {
    for (c, class) in classes.iter().enumerate() {
        let column = &mut out[c..];
        let mut scatter = |class: &[R]| {
            for (row, &value) in class.iter().enumerate() {
                column[row * classes.len()] = value;
            }
        };
        if count < ACROSS { scatter(&class[..count]) } else { scatter(class) }
    }
}
