//! Tables of the similarities of all pairs of two sets of vectors, and the way back from slopes in
//! the similarities to slopes in the vectors.

use super::cancel;
use super::distance::norm;
use super::real::{Real, pick};
use super::verbs::sum_of;

/// Vectors divided by their lengths, or as they came.
pub struct Units<R> {
    rows: usize,
    length: usize,
    values: Vec<R>,
    /// The length that each vector had; none where they were not divided by it.
    lengths: Option<Vec<R>>,
}

impl<R: Real> Units<R> {
    /// Vectors of length 1. One of length 0 stays, and has no slope.
    pub fn of(x: &[R], rows: usize, length: usize) -> Units<R> {
        let zero = R::of(0.0);
        let row = |i: usize| &x[i * length..(i + 1) * length];
        let lengths: Vec<R> = (0..rows).map(|i| norm(2.0, [row(i)], |[x]| x)).collect();
        let unit = |place: usize| {
            let own = lengths[place / length];
            pick(own == zero, zero, x[place] / own)
        };
        let values = (0..x.len()).map(unit).collect();
        Units { rows, length, values, lengths: Some(lengths) }
    }

    /// Vectors as they are.
    pub fn unchanged(x: &[R], rows: usize, length: usize) -> Units<R> {
        Units { rows, length, values: x.to_vec(), lengths: None }
    }

    fn row(&self, i: usize) -> &[R] {
        &self.values[i * self.length..(i + 1) * self.length]
    }

    /// Adds the slopes in the vectors, from those in the divided ones.
    fn give(&self, slopes: &[R], out: &mut [R]) {
        for i in 0..self.rows {
            let (unit, start) = (self.row(i), i * self.length);
            let slope = &slopes[start..start + self.length];
            let Some(lengths) = &self.lengths else {
                for (out, &s) in out[start..].iter_mut().zip(slope) {
                    *out = *out + s;
                }
                continue;
            };
            // What points along the vector does not change it once it is divided by its length.
            let along = sum_of([unit, slope], |[unit, slope]| unit * slope);
            let short = lengths[i] == R::of(0.0);
            for k in 0..self.length {
                let turned = (slope[k] - unit[k] * along) / lengths[i];
                out[start + k] = out[start + k] + pick(short, R::of(0.0), turned);
            }
        }
    }
}

/// A number for each pair of a row of one set and a row of another.
pub struct Table<R> {
    rows: usize,
    columns: usize,
    scale: R,
    values: Vec<R>,
}

impl<R: Real> Table<R> {
    /// The inner products of all pairs, times a factor.
    pub fn of(a: &Units<R>, b: &Units<R>, scale: R) -> Table<R> {
        let mut values = Vec::with_capacity(a.rows * b.rows);
        for i in 0..a.rows {
            if cancel::is_raised() {
                values.resize(a.rows * b.rows, R::of(0.0));
                break;
            }
            let own = a.row(i);
            for j in 0..b.rows {
                let other = b.row(j);
                values.push(scale * sum_of([own, other], |[a, b]| a * b));
            }
        }
        Table { rows: a.rows, columns: b.rows, scale, values }
    }

    /// A table of the same size for the slopes.
    pub fn zeros(&self) -> Table<R> {
        Table { values: vec![R::of(0.0); self.values.len()], ..*self }
    }

    /// The table with rows and columns exchanged.
    pub fn turned(&self) -> Table<R> {
        let value = |place: usize| self.at(place % self.rows, place / self.rows);
        let values = (0..self.values.len()).map(value).collect();
        Table { rows: self.columns, columns: self.rows, scale: self.scale, values }
    }

    /// How many columns it has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of a pair.
    pub fn at(&self, i: usize, j: usize) -> R {
        self.values[i * self.columns + j]
    }

    /// Adds to the number of a pair.
    pub fn add(&mut self, i: usize, j: usize, x: R) {
        let place = &mut self.values[i * self.columns + j];
        *place = *place + x;
    }

    /// From slopes in the products of two sets to slopes in their vectors.
    pub fn pull(&self, a: &Units<R>, b: &Units<R>, [out_a, out_b]: [&mut [R]; 2]) {
        let mut slopes_a = vec![R::of(0.0); a.values.len()];
        let mut slopes_b = vec![R::of(0.0); b.values.len()];
        for i in cancel::wanted(0..self.rows) {
            let (own, own_slope) = (a.row(i), &mut slopes_a[i * a.length..(i + 1) * a.length]);
            for j in 0..self.columns {
                let pull = self.scale * self.at(i, j);
                let other = b.row(j);
                let other_slope = &mut slopes_b[j * b.length..(j + 1) * b.length];
                for k in 0..a.length {
                    own_slope[k] = own_slope[k] + pull * other[k];
                    other_slope[k] = other_slope[k] + pull * own[k];
                }
            }
        }
        a.give(&slopes_a, out_a);
        b.give(&slopes_b, out_b);
    }

    /// The same where both sets are one.
    pub fn pull_both(&self, units: &Units<R>, out: &mut [R]) {
        let mut other = vec![R::of(0.0); out.len()];
        self.pull(units, units, [out, &mut other]);
        for (out, other) in out.iter_mut().zip(other) {
            *out = *out + other;
        }
    }
}
