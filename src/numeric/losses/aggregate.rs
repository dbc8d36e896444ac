//! Errors of a whole batch: one number that is not a mean of the samples' own.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Param};
use crate::numeric::drive::batchwise::{Batchwise, Work};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::agree;
use crate::numeric::verbs::sum_over;

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::batchwise::<Aggregate, _, _>().described(RMSE),
    Loss::batchwise::<Aggregate, _, _>().described(WMAPE),
];

const RMSE: Card = Card {
    name: "rmse",
    title: "Root mean squared error",
    summary: "The square root of the batch's mean squared error: an error in the units of the targets.",
    formula: r"\sqrt{\frac{\sum_i w_i (p_i - t_i)^2}{\sum_i w_i}}",
    unreduced: "a scalar: one number for the batch",
    mean: "nothing: it is one number",
    kinks: "0 at an exact fit",
    use_case: "reporting regression errors; training is better served by mse",
    outliers: "yes: errors are squared",
    source: "sklearn.metrics.root_mean_squared_error",
    differences: &[
        "the number of a batch is not the mean of its parts' numbers: combine their mse instead",
    ],
    aliases: &["root_mean_squared_error"],
    example: r#"{"predictions": [2.5, 0.0, 2.1, 7.8], "targets": [3.0, -0.5, 2.0, 7.0]}"#,
    ..Card::PAIR
};

const EPS: Param =
    Param::number("eps", 1.17e-6, Bounds::NOT_NEGATIVE, "the least sum of targets to divide by");

const WMAPE: Card = Card {
    name: "wmape",
    title: "Weighted mean absolute percentage error",
    summary: "The sum of absolute errors as a share of the sum of the targets' sizes.",
    formula: r"\frac{\sum_i w_i |p_i - t_i|}{\max\left(\sum_i w_i |t_i|,\ \epsilon\right)}",
    params: &[EPS],
    kinks: "0 where prediction and target are equal",
    use_case: "demand forecasts, where single targets may be 0",
    outliers: "partly: linear in the error",
    source: "torchmetrics WeightedMeanAbsolutePercentageError",
    differences: &["the number of a batch is not the mean of its parts' numbers"],
    aliases: &["weighted_mean_absolute_percentage_error", "wape"],
    example: r#"{"predictions": [102.0, 48.0, 11.5, 76.0], "targets": [110.0, 50.0, 9.0, 80.0]}"#,
    ..RMSE
};

enum Aggregate {
    RootMeanSquare,
    Relative { eps: f64 },
}

impl Batchwise<2, 1> for Aggregate {
    const CARD: Card = RMSE;

    /// The weight of each element: 0 where its label is missing.
    type Plan = Vec<f64>;

    fn new(args: &Args) -> Aggregate {
        if args.card().name == WMAPE.name {
            Aggregate::Relative { eps: args.number(&EPS) }
        } else {
            Aggregate::RootMeanSquare
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Vec<f64>, Elements<T>), Fault> {
        let (predictions, targets) = (job.real(0)?, job.real(1)?);
        agree("targets", &targets.shape, "predictions", &predictions.shape)?;
        Elements::of_batch(job, &predictions.shape, |at| targets.is_missing(at))
    }

    fn batch<R: Real>(&self, weights: &Vec<f64>, [p, t]: [&[R]; 2], work: Work<'_, R, 1>) {
        if !work.keep[0] {
            return;
        }
        let [slopes] = work.slopes;
        let zero = R::of(0.0);
        // An element without weight may hold anything.
        let over = |f: &dyn Fn(usize) -> R| {
            sum_over(p.len(), |i| pick(weights[i] == 0.0, zero, R::of(weights[i]) * f(i)))
        };
        let total = R::of(weights.iter().sum());
        let (value, steep): (R, Box<dyn Fn(R) -> R>) = match *self {
            Aggregate::RootMeanSquare => {
                let root = (over(&|i| (p[i] - t[i]).squared()) / total).sqrt();
                let infinite = R::of(f64::INFINITY);
                let of_infinite =
                    over(&|i| R::of(f64::from(u8::from((p[i] - t[i]).abs() == infinite))));
                // Errors without bound share the slope that equal large errors have.
                let limit = R::of(1.0) / (total * of_infinite).sqrt();
                let slope = move |d: R| {
                    let far = pick(d.abs() == infinite, d.sign() * limit, zero);
                    let near = pick(root == zero, zero, d / (total * root));
                    pick(root == infinite && zero < of_infinite, far, near)
                };
                (root, Box::new(slope))
            }
            Aggregate::Relative { eps } => {
                let size = over(&|i| t[i].abs()).at_least(eps);
                let value = over(&|i| (p[i] - t[i]).abs());
                let value = pick(value == zero, zero, value / size);
                (value, Box::new(move |d| pick(d == zero, zero, d.sign() / size)))
            }
        };
        work.losses[0] = value;
        for (i, slope) in slopes.iter_mut().enumerate().filter(|(i, _)| weights[*i] != 0.0) {
            *slope = work.factor[0] * R::of(weights[i]) * steep(p[i] - t[i]);
        }
    }
}
