//! The softmax of many short rows at once: across the rows, so that vectors are full however short
//! a row is.

use std::ops::Range;

use crate::numeric::real::{Real, pick};
use crate::numeric::tensor::Rows;
use crate::numeric::verbs::{Softmax, softmax};

/// How many rows are taken at once.
pub const ACROSS: usize = 64;
/// The longest rows that are taken across: their block stays in the first cache.
pub const SHORT: usize = 64;

/// Room for the block, and what was found of it.
pub struct Across<R> {
    length: usize,
    first: usize,
    /// Class after class, each with its rows one after the other.
    classes: Vec<R>,
    /// Row after row.
    shares: Vec<R>,
    largest: [R; ACROSS],
    log_sum: [R; ACROSS],
}

impl<R: Real> Across<R> {
    /// Room for rows of that length.
    pub fn new(length: usize) -> Across<R> {
        let zero = R::of(0.0);
        Across {
            length,
            first: 0,
            classes: vec![zero; ACROSS * length],
            shares: vec![zero; ACROSS * length],
            largest: [zero; ACROSS],
            log_sum: [zero; ACROSS],
        }
    }

    /// Computes the softmax of neighbouring rows.
    #[inline(always)]
    pub fn softmax(&mut self, x: &[R], rows: Rows, block: Range<usize>) {
        let Rows { length, inner, .. } = rows;
        let count = block.len().min(ACROSS);
        // The place of the first row's first element, and how far rows and classes are apart.
        let start = rows.start(block.start);
        let (of_row, of_class) = if inner == 1 { (length, 1) } else { (1, inner) };
        self.first = block.start;
        let classes = &mut self.classes[..length * count];
        for (c, class) in classes.chunks_exact_mut(count).enumerate() {
            let column = &x[start + c * of_class..];
            for (row, place) in class.iter_mut().enumerate() {
                *place = column[row * of_row];
            }
        }
        let (largest, log_sum) = (&mut self.largest[..count], &mut self.log_sum[..count]);
        largest.fill(R::of(f64::NEG_INFINITY));
        for class in classes.chunks_exact(count) {
            for (largest, &x) in largest.iter_mut().zip(class) {
                *largest = pick(*largest < x, x, *largest);
            }
        }
        for class in classes.chunks_exact_mut(count) {
            for (x, &largest) in class.iter_mut().zip(&*largest) {
                *x = *x - largest;
            }
        }
        for x in classes.iter_mut() {
            *x = x.exp();
        }
        log_sum.fill(R::of(0.0));
        for class in classes.chunks_exact(count) {
            for (sum, &power) in log_sum.iter_mut().zip(class) {
                *sum = *sum + power;
            }
        }
        let mut share = [R::of(0.0); ACROSS];
        for (share, &sum) in share.iter_mut().zip(&*log_sum) {
            *share = R::of(1.0) / sum;
        }
        for sum in log_sum.iter_mut() {
            *sum = sum.ln();
        }
        for (row, shares) in self.shares.chunks_exact_mut(length).take(count).enumerate() {
            for (c, place) in shares.iter_mut().enumerate() {
                *place = classes[c * count + row] * share[row];
            }
        }
        if largest.contains(&R::of(f64::INFINITY)) {
            self.mend(x, start, of_row, of_class, count);
        }
    }

    /// Computes the rows with an infinity one by one.
    #[cold]
    fn mend(&mut self, x: &[R], start: usize, of_row: usize, of_class: usize, count: usize) {
        for row in 0..count {
            if self.largest[row] != R::of(f64::INFINITY) {
                continue;
            }
            let at = |c: usize| x[start + row * of_row + c * of_class];
            let logits: Vec<R> = (0..self.length).map(at).collect();
            let found = softmax(&logits, &mut self.shares[row * self.length..][..self.length]);
            (self.largest[row], self.log_sum[row]) = (found.largest, found.log_sum);
        }
    }

    /// The shares of all rows of the block, and whatever stands behind them.
    #[inline(always)]
    pub fn shares(&self) -> &[R] {
        &self.shares
    }

    /// The softmax of a row of the block, and its shares.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> (Softmax<R>, &mut [R]) {
        let at = row - self.first;
        let softmax = Softmax { largest: self.largest[at], log_sum: self.log_sum[at] };
        (softmax, &mut self.shares[at * self.length..][..self.length])
    }
}
