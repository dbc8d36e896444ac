//! From unreduced losses to one number: what each loss element weighs, and sums in a fixed order.
//!
//! Sums are taken in double precision over blocks of [`BLOCK`] elements, in sixteen lanes and a
//! fixed tree inside a block, and block after block. The order depends on the data alone, so the
//! bits are the same whatever the number of threads and the width of the vectors.

use super::fault::{Fault, Kind, Place};
use super::job::{Job, Nonfinite, OnEmpty, Outcome, Reduction};
use super::real::Real;
use super::simd::Number;
use super::tensor::{Tensor, agree, show};

/// How many elements are summed on their own before the sum is added to the others.
pub const BLOCK: usize = 4096;
const LANES: usize = 16;

/// The running sum of one block.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct BlockSum {
    lanes: [f64; LANES],
}

impl BlockSum {
    /// Nothing yet.
    pub const ZERO: BlockSum = BlockSum { lanes: [0.0; LANES] };

    /// Adds elements whose first one stands at a multiple of the number of lanes in the block.
    #[inline(always)]
    pub fn add<R: Real>(&mut self, values: &[R]) {
        let (groups, rest) = values.as_chunks::<LANES>();
        for group in groups {
            // Copies that only constants index, so that they stay in registers.
            let mut wide = [0.0; LANES];
            for i in 0..LANES {
                wide[i] = group[i].to_f64();
            }
            let mut lanes = self.lanes;
            for i in 0..LANES {
                lanes[i] += wide[i];
            }
            self.lanes = lanes;
        }
        for (lane, value) in self.lanes.iter_mut().zip(rest) {
            *lane += value.to_f64();
        }
    }

    /// The sum of the lanes, in pairs.
    #[inline(always)]
    pub fn total(mut self) -> f64 {
        let mut width = LANES / 2;
        while 0 < width {
            for lane in 0..width {
                self.lanes[lane] += self.lanes[lane + width];
            }
            width /= 2;
        }
        self.lanes[0]
    }
}

/// The sum of all elements.
pub fn sum<R: Real>(values: &[R]) -> f64 {
    let block_sum = |block| {
        let mut sum = BlockSum::ZERO;
        sum.add(block);
        sum.total()
    };
    add_up(values.chunks(BLOCK).map(block_sum))
}

/// The sum of the sums of blocks, one after the other; 0 for none.
pub fn add_up(sums: impl Iterator<Item = f64>) -> f64 {
    sums.fold(0.0, |total, sum| total + sum)
}

/// What each element of the unreduced loss weighs in the answer.
#[derive(Debug)]
pub struct Frame<T> {
    /// The shape of the unreduced loss.
    pub shape: Vec<usize>,
    /// A factor on each loss and its gradient.
    pub weight: Option<Vec<T>>,
    /// Which elements are left out: ignored or missing.
    pub skip: Option<Vec<bool>>,
    /// Which elements are left out because their label is missing.
    pub missing: Option<Vec<bool>>,
    /// What the mean divides by.
    pub denominator: f64,
    /// How many elements enter the reduction.
    pub count: usize,
    /// How many missing labels the loss has left out by itself.
    pub absent: usize,
    /// The factor on every gradient: one over the denominator for a mean.
    pub scale: T,
}

/// What a loss says of its elements before they are weighed.
#[derive(Debug, Default)]
pub struct Elements<T> {
    /// The shape of the unreduced loss.
    pub shape: Vec<usize>,
    /// Which elements the caller chose to ignore.
    pub ignored: Option<Vec<bool>>,
    /// Which elements have no label yet.
    pub missing: Option<Vec<bool>>,
    /// A factor on each loss that does not count in the denominator.
    pub factor: Option<Vec<T>>,
    /// What each element counts in the denominator, where it is not 1.
    pub mass: Option<Vec<f64>>,
    /// How many missing labels the loss has left out by itself.
    pub absent: usize,
    /// Whether the loss has taken the sample weights into account by itself.
    pub weighed: bool,
}

impl<T> Elements<T> {
    /// Elements that all count the same.
    pub fn plain(shape: Vec<usize>) -> Elements<T> {
        Elements {
            shape,
            ignored: None,
            missing: None,
            factor: None,
            mass: None,
            absent: 0,
            weighed: false,
        }
    }
}

impl<T: Number> Elements<T> {
    /// One number for the whole batch, in which a sample weight counts its sample as so many: the
    /// weights of the elements of that shape, 0 where a label is missing.
    ///
    /// # Errors
    /// `Kind::Weight` if the sample weights do not fit.
    pub fn of_batch(
        job: &Job<T>,
        shape: &[usize],
        is_missing: impl Fn(usize) -> bool,
    ) -> Result<(Vec<f64>, Elements<T>), Fault> {
        let given = sample_weights(job.sample_weight.as_ref(), shape)?;
        let weight = |at: usize| {
            let given = given.as_ref().map_or(1.0, |given| given[at].to_f64());
            if is_missing(at) { 0.0 } else { given }
        };
        let count = shape.iter().product();
        let weights: Vec<f64> = (0..count).map(weight).collect();
        let nothing = weights.iter().all(|&w| w == 0.0);
        let elements = Elements {
            ignored: nothing.then(|| vec![true]),
            absent: (0..count).filter(|&at| is_missing(at)).count(),
            weighed: true,
            ..Elements::plain(Vec::new())
        };
        Ok((weights, elements))
    }
}

impl<T: Number> Frame<T> {
    /// Weighs the elements of a job.
    ///
    /// # Errors
    /// `Kind::Weight` if the sample weights do not fit, `Kind::Empty` if the mean is over nothing
    /// and the caller asked for an error.
    pub fn new(job: &Job<T>, elements: Elements<T>) -> Result<Frame<T>, Fault> {
        let Elements { shape, ignored, missing, factor, mass, absent, weighed } = elements;
        let total: usize = shape.iter().product();
        let given = job.sample_weight.as_ref().filter(|_| !weighed);
        let sample = sample_weights(given, &shape)?;
        let skip = match (ignored, &missing) {
            (Some(a), Some(b)) => Some(a.iter().zip(b).map(|(&a, &b)| a || b).collect::<Vec<_>>()),
            (a, b) => a.or_else(|| b.clone()),
        };
        let kept = |i: usize| !skip.as_ref().is_some_and(|skip| skip[i]);
        let count =
            skip.as_ref().map_or(total, |s| s.iter().filter(|&&left_out| !left_out).count());
        let mut denominator = if sample.is_none() && mass.is_none() {
            count as f64
        } else {
            let each = |i: usize| {
                let sample = sample.as_ref().filter(|_| !job.options.mean_by_count);
                let sample = sample.map_or(1.0, |s| s[i].to_f64());
                sample * mass.as_ref().map_or(1.0, |mass| mass[i])
            };
            let masses: Vec<f64> =
                (0..total).map(|i| if kept(i) { each(i) } else { 0.0 }).collect();
            sum(&masses)
        };
        if job.options.reduction == Reduction::BatchMean {
            let leading = shape.first().copied().unwrap_or(1);
            denominator = match total {
                0 => leading as f64,
                _ => denominator * leading as f64 / total as f64,
            };
        }
        if denominator == 0.0
            && job.options.reduction.divides()
            && job.options.on_empty == OnEmpty::Error
        {
            let detail = format!("the mean is over nothing: none of the {total} losses counts");
            return Err(Fault::new(Kind::Empty, Place::Whole, detail)
                .hint("send \"on_empty\": \"nan\" or \"zero\" to get an answer"));
        }
        let weight = match (factor, sample) {
            (Some(a), Some(b)) => Some(a.iter().zip(&b).map(|(&a, &b)| a * b).collect()),
            (a, b) => a.or(b),
        };
        let zero_over_zero = job.options.on_empty == OnEmpty::Zero && denominator == 0.0;
        let scale = match job.options.reduction.divides() {
            // No slope counts, so that none becomes 0 / 0.
            true if count == 0 || zero_over_zero => 0.0,
            true if denominator == 0.0 => f64::NAN,
            true => 1.0 / denominator,
            false => 1.0,
        };
        let scale = T::of(scale);
        Ok(Frame { shape, weight, skip, missing, denominator, count, absent, scale })
    }

    /// How many elements the unreduced loss has.
    pub fn total(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an element enters the reduction.
    #[inline(always)]
    pub fn keeps(&self, element: usize) -> bool {
        !self.skip.as_ref().is_some_and(|skip| skip[element])
    }

    /// The factor on one loss and its gradient, before the scale.
    #[inline(always)]
    pub fn weight(&self, element: usize) -> T {
        self.weight.as_ref().map_or(T::of(1.0), |weight| weight[element])
    }

    /// The answer, from the sum of the weighed losses; they are part of it where they are wanted.
    pub fn outcome(
        self,
        job: &Job<T>,
        sum: f64,
        losses: Option<Vec<T>>,
        gradients: Vec<(&'static str, Tensor<T>)>,
    ) -> Outcome<T> {
        let empty = self.denominator == 0.0 && job.options.on_empty == OnEmpty::Zero;
        let loss = match job.options.reduction {
            Reduction::None => None,
            Reduction::Sum => Some(T::of(sum)),
            Reduction::Mean | Reduction::BatchMean if empty => Some(T::of(0.0)),
            Reduction::Mean | Reduction::BatchMean if self.denominator == 0.0 => {
                Some(T::of(f64::NAN))
            }
            Reduction::Mean | Reduction::BatchMean => Some(T::of(sum / self.denominator)),
        };
        let marked = self.missing.as_ref().map_or(0, |m| m.iter().filter(|&&there| there).count());
        let missing = marked + self.absent;
        let nonfinite = losses.as_deref().and_then(nonfinite);
        let losses = losses.filter(|_| job.wants_losses());
        let losses =
            losses.map(|values| Tensor { shape: self.shape, values, missing: self.missing });
        Outcome {
            loss,
            losses,
            gradients,
            hessian: Vec::new(),
            sum,
            denominator: self.denominator,
            count: self.count,
            missing,
            nonfinite,
            warnings: Vec::new(),
        }
    }
}

/// Counts the losses that are not finite.
pub fn nonfinite<T: Number>(losses: &[T]) -> Option<Nonfinite> {
    let first = losses.iter().position(|x| !x.is_finite())?;
    let nan = losses.iter().filter(|x| x.to_f64().is_nan()).count();
    let inf = losses.iter().filter(|x| x.to_f64().is_infinite()).count();
    Some(Nonfinite { nan, inf, first })
}

/// The sample weights, one per element of that shape.
fn sample_weights<T: Number>(
    weights: Option<&Tensor<T>>,
    shape: &[usize],
) -> Result<Option<Vec<T>>, Fault> {
    const NAME: &str = "sample_weight";
    let Some(weights) = weights else { return Ok(None) };
    if let Some(place) = weights.values.iter().position(|w| !w.is_finite() || *w < T::of(0.0)) {
        let value = weights.values[place].to_f64();
        let detail = format!("{NAME} must be finite and not negative, got {value}");
        return Err(Fault::new(
            Kind::Weight,
            Place::Element(NAME, weights.index_of(place)),
            detail,
        ));
    }
    if weights.shape == shape {
        return Ok(Some(weights.values.clone()));
    }
    match (shape.first(), weights.shape.as_slice()) {
        (Some(&rows), &[length]) if rows == length => {
            let each = shape[1..].iter().product();
            Ok(Some(weights.values.iter().flat_map(|&w| std::iter::repeat_n(w, each)).collect()))
        }
        (None, &[1]) => Ok(Some(weights.values.clone())),
        _ => agree(NAME, &weights.shape, "the unreduced loss", shape).map(|()| None).map_err(|f| {
            let f = Fault { kind: Kind::Weight, ..f };
            let rows = shape.first().map_or_else(String::new, |rows| format!("[{rows}] or "));
            f.hint(format!(
                "send one weight per leading index or per element: {rows}{}",
                show(shape)
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_exact_where_single_precision_is_not() {
        let values = vec![0.1f32; 100_000];
        let exact = f64::from(0.1f32) * 100_000.0;
        assert!((sum(&values) - exact).abs() < 1e-7);
    }

    #[test]
    fn a_sum_in_pieces_of_lanes_is_the_sum_of_the_block() {
        let values: Vec<f64> = (0..100).map(|i| 1.0 / f64::from(i + 1)).collect();
        let mut whole = BlockSum::ZERO;
        whole.add(&values);
        let mut pieces = BlockSum::ZERO;
        pieces.add(&values[..64]);
        pieces.add(&values[64..]);
        assert_eq!(whole.total().to_bits(), pieces.total().to_bits());
    }
}
