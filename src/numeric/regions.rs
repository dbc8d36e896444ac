//! Regions of a batch: which elements are added up for one loss and one class.

use super::drive::batchwise::rows_without_label;
use super::fault::Fault;
use super::job::Job;
use super::real::Real;
use super::reduce::Elements;
use super::simd::Number;
use super::tensor::agree;
use super::verbs::sum_of;

/// How predictions and targets of shape `[n, …]` are divided into regions.
pub struct Regions {
    /// Whether axis 1 is classes.
    pub per_class: bool,
    classes: usize,
    /// How many samples share one loss.
    samples: usize,
    /// How many elements a sample has of each class.
    area: usize,
    /// How much each sample counts in the sums of a whole batch.
    weights: Option<Vec<f64>>,
}

impl Regions {
    /// Divides the first two inputs of a job: a loss for each sample, or one for the batch, in whose
    /// sums a sample weight counts a sample as so many.
    ///
    /// # Errors
    /// `Kind::Shape` or `Kind::Parameter` where the shapes have no such axes.
    pub fn new<T: Number>(
        job: &Job<T>,
        per_class: bool,
        whole_batch: bool,
    ) -> Result<(Regions, Elements<T>), Fault> {
        let (predictions, targets) = (job.real(0)?, job.real(1)?);
        agree("targets", &targets.shape, "predictions", &predictions.shape)?;
        let Some((&rows, inner)) = predictions.shape.split_first() else {
            return Err(Fault::shape("predictions", "predictions is a scalar")
                .hint("send predictions of shape [n, …]: the first axis is samples"));
        };
        let (classes, area) = match inner.split_first() {
            Some((&classes, rest)) if per_class => (classes, rest.iter().product()),
            None if per_class => {
                let detail = "per_class needs an axis of classes, but predictions has one axis";
                return Err(Fault::parameter("per_class", detail));
            }
            _ => (1, inner.iter().product()),
        };
        let missing = rows_without_label(job, rows);
        let mut regions = Regions { per_class, classes, samples: 1, area, weights: None };
        if !whole_batch {
            let mut elements = Elements::plain(vec![rows]);
            elements.missing = missing;
            return Ok((regions, elements));
        }
        let is_missing = |row: usize| missing.as_ref().is_some_and(|missing| missing[row]);
        let (weights, elements) = Elements::of_batch(job, &[rows], is_missing)?;
        regions.samples = rows;
        regions.weights = Some(weights);
        Ok((regions, elements))
    }

    /// The regions of all classes that make one loss.
    pub fn parts<R: Real>(&self, loss: usize, [p, t]: [&[R]; 2]) -> Vec<Part<R>> {
        let weight_of =
            |sample: usize| self.weights.as_ref().map_or(1.0, |weights| weights[sample]);
        let part = |class: usize| {
            let samples = loss * self.samples..(loss + 1) * self.samples;
            let places: Vec<usize> = samples
                .filter(|&sample| weight_of(sample) != 0.0)
                .flat_map(|sample| {
                    let start = (sample * self.classes + class) * self.area;
                    start..start + self.area
                })
                .collect();
            let each = self.classes * self.area;
            Part {
                p: places.iter().map(|&at| p[at]).collect(),
                t: places.iter().map(|&at| t[at]).collect(),
                weight: places.iter().map(|&at| R::of(weight_of(at / each))).collect(),
                slopes: vec![R::of(0.0); places.len()],
                places,
            }
        };
        (0..self.classes).map(part).collect()
    }
}

/// The elements of one class of one loss, and the slopes in them.
pub struct Part<R> {
    places: Vec<usize>,
    /// The predictions.
    pub p: Vec<R>,
    /// The targets.
    pub t: Vec<R>,
    /// How much each element counts.
    pub weight: Vec<R>,
    /// The slopes in the predictions.
    pub slopes: Vec<R>,
}

impl<R: Real> Part<R> {
    /// A weighted sum of a function of prediction and target.
    pub fn sum(&self, f: impl Fn(R, R) -> R) -> R {
        sum_of([&self.p, &self.t, &self.weight], |[p, t, weight]| weight * f(p, t))
    }

    /// Sets the slopes by a function of prediction and target.
    pub fn set(&mut self, f: impl Fn(R, R) -> R) {
        for i in 0..self.slopes.len() {
            self.slopes[i] = self.weight[i] * f(self.p[i], self.t[i]);
        }
    }

    /// Multiplies the slopes.
    pub fn scale(&mut self, factor: R) {
        for slope in &mut self.slopes {
            *slope = *slope * factor;
        }
    }

    /// Adds the slopes where their elements stand in the whole input.
    pub fn give(&self, factor: R, out: &mut [R]) {
        for (&at, &slope) in self.places.iter().zip(&self.slopes) {
            out[at] = out[at] + slope * factor;
        }
    }
}
