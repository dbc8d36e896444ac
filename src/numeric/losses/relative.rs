//! Relative errors: how far a number is from another one, measured by their size.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Preset, Profile};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<Msle, _, _>(),
    Loss::pointwise::<Mape, _, _>(),
    Loss::pointwise::<Smape, _, _>(),
];

struct Msle;

impl Pointwise<2, 1> for Msle {
    const CARD: Card = Card {
        name: "msle",
        title: "Mean squared logarithmic error",
        summary: "The square of the difference of ln(1 + x): a relative error for numbers that grow.",
        formula: r"\left(\ln(1 + p) - \ln(1 + t)\right)^2",
        inputs: &[
            Input { domain: Domain::AboveMinusOne, ..Input::PREDICTIONS },
            Input { domain: Domain::AboveMinusOne, ..Input::TARGETS },
        ],
        use_case: "counts, prices and other numbers over several orders of magnitude",
        outliers: "partly: errors count by their ratio",
        source: "sklearn.metrics.mean_squared_log_error",
        differences: &[
            "XGBoost reg:squaredlogerror is half of it",
            "Keras raises both numbers to 1e-7",
        ],
        aliases: &["squared_log_error", "mean_squared_log_error", "mean_squared_logarithmic_error"],
        example: r#"{"predictions": [2.5, 5.0, 4.0, 8.0], "targets": [3.0, 5.0, 2.5, 7.0]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> Msle {
        Msle
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p.ln_1p() - t.ln_1p();
        // An error without bound grows more slowly than the prediction.
        let slope = (d + d) / (R::of(1.0) + p);
        (d * d, [pick(p == R::of(f64::INFINITY), R::of(0.0), slope)])
    }
}

const MAPE_EPS: Param = Param::number(
    "eps",
    f64::EPSILON,
    Bounds::POSITIVE,
    "the least size of a target; smaller ones are raised to it",
);
const SCALE: Param =
    Param::number("scale", 1.0, Bounds::POSITIVE, "a factor; 100 for percent, as Keras");

struct Mape {
    eps: f64,
    scale: f64,
}

impl Pointwise<2, 1> for Mape {
    const CARD: Card = Card {
        name: "mape",
        title: "Mean absolute percentage error",
        summary: "The absolute difference as a share of the target.",
        formula: r"s\,\frac{|p - t|}{\max(|t|, \epsilon)}",
        params: &[MAPE_EPS, SCALE],
        kinks: "0 where p = t",
        use_case: "forecasts that are judged by their relative error",
        outliers: "no: linear in the error; targets near 0 count without bound",
        source: "sklearn.metrics.mean_absolute_percentage_error",
        differences: &[
            "Keras multiplies by 100 and takes eps 1e-7; torchmetrics takes eps 1.17e-6",
            "LightGBM divides by at least 1",
        ],
        presets: &[
            Preset::number(Profile::Keras, "eps", 1e-7),
            Preset::number(Profile::Keras, "scale", 100.0),
        ],
        aliases: &["mean_absolute_percentage_error"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Mape {
        Mape { eps: args.number(&MAPE_EPS), scale: args.number(&SCALE) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        let size = t.abs().at_least(self.eps);
        let scale = R::of(self.scale);
        let without_bound = R::of(f64::INFINITY);
        // A target without bound is missed by all of it.
        let missed = size == without_bound && p.abs() < without_bound;
        let share = pick(missed, R::of(1.0), d.abs() / size);
        (scale * share, [scale * (d.sign() / size)])
    }
}

const SMAPE_EPS: Param = Param::number(
    "eps",
    1.17e-6,
    Bounds::POSITIVE,
    "the least sum of both sizes; smaller ones are raised to it",
);

struct Smape {
    eps: f64,
}

impl Pointwise<2, 1> for Smape {
    const CARD: Card = Card {
        name: "smape",
        title: "Symmetric mean absolute percentage error",
        summary: "The absolute difference as a share of the mean size of both numbers; from 0 to 2.",
        formula: r"\frac{2\,|p - t|}{\max(|p| + |t|, \epsilon)}",
        params: &[SMAPE_EPS],
        kinks: "0 where p = t; the size of p counts as 0 at p = 0",
        use_case: "forecasts that are judged by their relative error",
        outliers: "no: bounded by 2",
        source: "torchmetrics SymmetricMeanAbsolutePercentageError",
        aliases: &["symmetric_mean_absolute_percentage_error"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Smape {
        Smape { eps: args.number(&SMAPE_EPS) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let two = R::of(2.0);
        let d = p - t;
        let both = p.abs() + t.abs();
        let size = both.at_least(self.eps);
        let without_bound = R::of(f64::INFINITY);
        let infinite = (p.abs() == without_bound) != (t.abs() == without_bound);
        let share = pick(infinite, R::of(1.0), d.abs() / size);
        // The size of p is part of the divisor, unless that has been raised.
        let growth = pick(R::of(self.eps) < both, p.sign(), R::of(0.0));
        // Of one sign, the sizes cancel but for twice the target's.
        let together = p.sign() * t.sign() == R::of(1.0) && R::of(self.eps) < both;
        let slope = d.sign() - share * growth;
        let slope = pick(together, d.sign() * (two * (t.abs() / size)), slope);
        (two * share, [pick(infinite, R::of(0.0), two * slope / size)])
    }
}
