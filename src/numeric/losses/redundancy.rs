//! Two views of a batch whose features should agree and say different things: one number for all.

use super::contrastive::{CONTRAST, VIEWS};
use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Bounds, Card, Param};
use crate::numeric::drive::batchwise::{
    Batchwise, PAIRS_MAX, STEPS_MAX, Work, bounded, rows_and_columns,
};
use crate::numeric::fault::{Fault, Kind, Place};
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::agree;
use crate::numeric::verbs::sum_over;

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] =
    &[Loss::batchwise::<BarlowTwins, _, _>(), Loss::batchwise::<Vicreg, _, _>()];

const REDUNDANCY: Card = Card {
    inputs: &VIEWS,
    unreduced: "a scalar: one number for the batch",
    mean: "nothing: it is one number",
    use_case: "self-supervised learning without negatives",
    activation: "linear",
    ..CONTRAST
};

/// The rows with their weights; a weight counts a row as so many.
struct Weighed {
    rows: usize,
    length: usize,
    weights: Vec<f64>,
    total: f64,
}

impl Weighed {
    fn new<T: Number>(job: &Job<T>) -> Result<(Weighed, Elements<T>), Fault> {
        let (rows, length) = rows_and_columns(job, 0)?;
        agree("input2", &job.real(1)?.shape, "input1", &job.real(0)?.shape)?;
        bounded("input1", "pairs of features", &[length, length], PAIRS_MAX)?;
        bounded("input1", "products of numbers", &[rows, length, length], STEPS_MAX)?;
        let (weights, elements) = Elements::of_batch(job, &[rows], |_| false)?;
        let total = weights.iter().sum();
        Ok((Weighed { rows, length, weights, total }, elements))
    }

    /// The weighted sum over rows.
    fn over_rows<R: Real>(&self, f: impl Fn(usize) -> R) -> R {
        sum_over(self.rows, |row| R::of(self.weights[row]) * f(row))
    }

    /// The numbers of a view less each feature's mean.
    fn centred<R: Real>(&self, x: &[R]) -> Vec<R> {
        let at = |row: usize, k: usize| x[row * self.length + k];
        let mean = |k: usize| self.over_rows(|row| at(row, k)) / R::of(self.total);
        let means: Vec<R> = (0..self.length).map(mean).collect();
        (0..x.len()).map(|place| x[place] - means[place % self.length]).collect()
    }

    /// The sums over rows of the products of features of two views, divided by a number.
    fn products<R: Real>(&self, a: &[R], b: &[R], divisor: f64) -> Vec<R> {
        let d = self.length;
        let product = |i: usize, j: usize| {
            self.over_rows(|row| a[row * d + i] * b[row * d + j]) / R::of(divisor)
        };
        let mut products = vec![R::of(0.0); d * d];
        for i in wanted(0..d) {
            for (j, place) in products[i * d..(i + 1) * d].iter_mut().enumerate() {
                *place = product(i, j);
            }
        }
        products
    }
}

const LAMBDA: Param = Param::number(
    "lambda",
    0.0051,
    Bounds::NOT_NEGATIVE,
    "the weight of correlations between different features",
);

struct BarlowTwins {
    lambda: f64,
}

/// Added to variances, as batch normalisation does.
const NORM_EPS: f64 = 1e-5;

impl Batchwise<2, 2> for BarlowTwins {
    const CARD: Card = Card {
        name: "barlow_twins",
        title: "Barlow Twins",
        summary: "How far the correlations of two views' features are from the identity: each with itself 1, with others 0.",
        formula: r"\sum_i (1 - c_{ii})^2 + \lambda \sum_{i \ne j} c_{ij}^2",
        params: &[LAMBDA],
        kinks: "smooth; 1e-5 is added to variances",
        outliers: "partly: features are standardized",
        source: "Zbontar et al., Barlow Twins, 2021",
        differences: &[
            "MONAI takes unbiased standard deviations and adds 1e-6 to them, with lambda 0.005",
            "a sample weight counts a row as so many",
        ],
        aliases: &[],
        example: r#"{"input1": [[0.9, 0.1, -0.4], [-0.3, 0.8, 0.2], [0.5, -0.6, 0.7], [-0.8, -0.2, -0.5]], "input2": [[0.7, 0.2, -0.5], [-0.4, 0.9, 0.4], [0.6, -0.4, 0.5], [-0.9, -0.1, -0.3]]}"#,
        ..REDUNDANCY
    };

    type Plan = Weighed;

    fn new(args: &Args) -> BarlowTwins {
        BarlowTwins { lambda: args.number(&LAMBDA) }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Weighed, Elements<T>), Fault> {
        Weighed::new(job)
    }

    fn batch<R: Real>(&self, plan: &Weighed, views: [&[R]; 2], work: Work<'_, R, 2>) {
        if !work.keep[0] {
            return;
        }
        let d = plan.length;
        let standard = views.map(|x| {
            let centred = plan.centred(x);
            let deviation = |k: usize| {
                let variance = plan.over_rows(|row| centred[row * d + k].squared());
                (variance / R::of(plan.total) + R::of(NORM_EPS)).sqrt()
            };
            let deviations: Vec<R> = (0..d).map(deviation).collect();
            let z: Vec<R> = (0..x.len()).map(|at| centred[at] / deviations[at % d]).collect();
            (z, deviations)
        });
        let [(a, _), (b, _)] = &standard;
        let correlations = plan.products(a, b, plan.total);
        let mut value = R::of(0.0);
        let mut pulls = vec![R::of(0.0); d * d];
        for (place, &c) in correlations.iter().enumerate() {
            let (weight, apart) = if place / d == place % d {
                (R::of(1.0), c - R::of(1.0))
            } else {
                (R::of(self.lambda), c)
            };
            value = value + weight * apart * apart;
            pulls[place] = work.factor[0] * R::of(2.0) * weight * apart;
        }
        work.losses[0] = value;
        for (view, slopes) in work.slopes.into_iter().enumerate() {
            let (z, deviations) = &standard[view];
            let (other, _) = &standard[1 - view];
            let share = |row: usize| R::of(plan.weights[row] / plan.total);
            let pull =
                |k: usize, j: usize| if view == 0 { pulls[k * d + j] } else { pulls[j * d + k] };
            // Slopes in the standardized features, then through mean and deviation.
            let pulled = |at: usize| {
                let (row, k) = (at / d, at % d);
                share(row) * sum_over(d, |j| pull(k, j) * other[row * d + j])
            };
            let mut inner = vec![R::of(0.0); z.len()];
            for row in wanted(0..plan.rows) {
                for at in row * d..(row + 1) * d {
                    inner[at] = pulled(at);
                }
            }
            for k in 0..d {
                let sum = sum_over(plan.rows, |row| inner[row * d + k]);
                let along = sum_over(plan.rows, |row| inner[row * d + k] * z[row * d + k]);
                for row in 0..plan.rows {
                    let at = row * d + k;
                    let through = share(row) * (sum + z[at] * along);
                    slopes[at] = (inner[at] - through) / deviations[k];
                }
            }
        }
    }
}

const SIMILARITY: Param =
    Param::number("similarity", 25.0, Bounds::NOT_NEGATIVE, "the weight of the squared difference");
const VARIANCE: Param =
    Param::number("variance", 25.0, Bounds::NOT_NEGATIVE, "the weight of the spread of features");
const COVARIANCE: Param = Param::number(
    "covariance",
    1.0,
    Bounds::NOT_NEGATIVE,
    "the weight of covariances between features",
);

struct Vicreg {
    similarity: f64,
    variance: f64,
    covariance: f64,
}

impl Batchwise<2, 2> for Vicreg {
    const CARD: Card = Card {
        name: "vicreg",
        title: "VICReg",
        summary: "Two views should agree, each feature should keep a spread of 1, and features should not be correlated.",
        formula: r"\lambda\,\mathrm{mse} + \mu \sum_v \frac{1}{2d} \sum_k \max(0,\ 1 - s_{vk}) + \nu \sum_v \frac1d \sum_{i \ne j} C_{v,ij}^2",
        params: &[SIMILARITY, VARIANCE, COVARIANCE],
        kinks: "0 where a spread is 1; 1e-4 is added to variances",
        outliers: "yes: differences are squared",
        source: "Bardes et al., VICReg, 2022; pytorch-metric-learning VICRegLoss",
        differences: &["a sample weight counts a row as so many"],
        aliases: &[],
        example: r#"{"input1": [[0.9, 0.1, -0.4], [-0.3, 0.8, 0.2], [0.5, -0.6, 0.7], [-0.8, -0.2, -0.5]], "input2": [[0.7, 0.2, -0.5], [-0.4, 0.9, 0.4], [0.6, -0.4, 0.5], [-0.9, -0.1, -0.3]]}"#,
        ..REDUNDANCY
    };

    type Plan = Weighed;

    fn new(args: &Args) -> Vicreg {
        Vicreg {
            similarity: args.number(&SIMILARITY),
            variance: args.number(&VARIANCE),
            covariance: args.number(&COVARIANCE),
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Weighed, Elements<T>), Fault> {
        let (plan, elements) = Weighed::new(job)?;
        if 0.0 < plan.total && plan.total <= 1.0 {
            let detail = format!("there are rows of weight {} in all", plan.total);
            return Err(Fault::new(Kind::Shape, Place::Member("input1"), detail)
                .hint("a variance needs at least two rows"));
        }
        Ok((plan, elements))
    }

    fn batch<R: Real>(&self, plan: &Weighed, views: [&[R]; 2], work: Work<'_, R, 2>) {
        if !work.keep[0] {
            return;
        }
        let (zero, one, d) = (R::of(0.0), R::of(1.0), plan.length);
        let factor = work.factor[0];
        let freedom = plan.total - 1.0;
        let apart = |at: usize| views[0][at] - views[1][at];
        let squares = plan.over_rows(|row| sum_over(d, |k| apart(row * d + k).squared()));
        let agreement = R::of(self.similarity / (plan.total * d as f64));
        let mut value = agreement * squares;
        for (view, slopes) in work.slopes.into_iter().enumerate() {
            let side = if view == 0 { one } else { -one };
            let centred = plan.centred(views[view]);
            let covariances = plan.products(&centred, &centred, freedom);
            let spread = R::of(self.variance / (2.0 * d as f64));
            let share = R::of(self.covariance / d as f64);
            let mut steep = vec![zero; d];
            for k in 0..d {
                let deviation = (covariances[k * d + k] + R::of(1e-4)).sqrt();
                let missing = (one - deviation).at_least(0.0);
                value = value + spread * missing;
                // The slope of the spread in the feature's variance, twice.
                steep[k] = pick(zero < missing, -(spread / deviation), zero);
                let others = |j: usize| pick(j == k, zero, covariances[k * d + j].squared());
                value = value + share * sum_over(d, others);
            }
            for row in wanted(0..plan.rows) {
                for k in 0..d {
                    let at = row * d + k;
                    let toward = |j: usize| {
                        pick(j == k, zero, covariances[k * d + j] * centred[row * d + j])
                    };
                    let moving = steep[k] * centred[at] + R::of(4.0) * share * sum_over(d, toward);
                    let weight = R::of(plan.weights[row]);
                    let change =
                        R::of(2.0) * agreement * side * apart(at) + moving / R::of(freedom);
                    slopes[at] = factor * weight * change;
                }
            }
        }
        work.losses[0] = value;
    }
}
