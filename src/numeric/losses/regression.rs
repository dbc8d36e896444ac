//! Regression: how far a number is from another one.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Default, Input, Param, ParamKind, Task};
use crate::numeric::drive::pointwise::{Arrangement, Lane, Pointwise};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::simd::Number;
use crate::numeric::tensor::{agree, broadcast, show};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<Mse, _, _>(),
    Loss::pointwise::<HalfMse, _, _>(),
    Loss::pointwise::<L1, _, _>(),
    Loss::pointwise::<SmoothL1, _, _>(),
    Loss::pointwise::<Huber, _, _>(),
    Loss::pointwise::<LogCosh, _, _>(),
    Loss::pointwise::<Quantile, _, _>(),
    Loss::pointwise::<Expectile, _, _>(),
    Loss::pointwise::<EpsilonInsensitive, _, _>(),
    Loss::pointwise::<SquaredEpsilonInsensitive, _, _>(),
    Loss::pointwise::<Lp, _, _>(),
];

struct Mse;

impl Pointwise<2, 1> for Mse {
    const LIGHT: bool = true;
    const CARD: Card = Card {
        name: "mse",
        title: "Mean squared error",
        summary: "The square of the difference.",
        formula: r"(p - t)^2",
        use_case: "regression",
        outliers: "yes: errors are squared",
        source: "torch.nn.functional.mse_loss",
        differences: &[
            "optax l2_loss, LightGBM and XGBoost carry a factor of one half; squared_error of optax does not",
            "float32 overflows to infinity where the difference exceeds 1.8e19",
        ],
        aliases: &[
            "l2",
            "squared_error",
            "mean_squared_error",
            "regression",
            "regression_l2",
            "reg:squarederror",
        ],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> Mse {
        Mse
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        (d * d, [d + d])
    }
}

struct HalfMse;

impl Pointwise<2, 1> for HalfMse {
    const LIGHT: bool = true;
    const CARD: Card = Card {
        name: "half_mse",
        title: "Half mean squared error",
        summary: "Half the square of the difference, whose gradient is the difference itself.",
        formula: r"\tfrac12 (p - t)^2",
        source: "optax l2_loss, sklearn HalfSquaredError, LightGBM regression",
        differences: &["mse is twice this"],
        aliases: &["half_squared_error"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Mse::CARD
    };

    fn new(_args: &Args) -> HalfMse {
        HalfMse
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        (d * d * R::of(0.5), [d])
    }
}

struct L1;

impl Pointwise<2, 1> for L1 {
    const LIGHT: bool = true;
    const CARD: Card = Card {
        name: "l1",
        title: "Mean absolute error",
        summary: "The absolute difference.",
        formula: r"|p - t|",
        kinks: "0 where p = t; 0 where the difference is NaN",
        use_case: "robust regression",
        outliers: "no: linear in the error",
        source: "torch.nn.functional.l1_loss",
        differences: &["Keras on JAX and scikit-learn give -1 where p = t"],
        aliases: &[
            "mae",
            "absolute_error",
            "mean_absolute_error",
            "regression_l1",
            "reg:absoluteerror",
        ],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> L1 {
        L1
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        (d.abs(), [d.sign()])
    }
}

const BETA: Param = Param::number(
    "beta",
    1.0,
    Bounds::NOT_NEGATIVE,
    "difference at which the loss turns from quadratic to linear; 0 gives l1",
);

struct SmoothL1 {
    beta: f64,
}

impl Pointwise<2, 1> for SmoothL1 {
    const LIGHT: bool = true;
    const CARD: Card = Card {
        name: "smooth_l1",
        title: "Smooth L1",
        summary: "Quadratic near the target and linear beyond, with slope 1 in the linear part.",
        formula: r"\begin{cases} (p-t)^2 / (2\beta) & |p-t| < \beta \\ |p-t| - \beta/2 & \text{else} \end{cases}",
        params: &[BETA],
        kinks: "±1 where |p - t| = beta; with beta 0, 0 where p = t",
        use_case: "regression with outliers, box regression in detection",
        outliers: "partly: switches at beta",
        source: "torch.nn.functional.smooth_l1_loss; Girshick, Fast R-CNN, 2015",
        differences: &["huber with delta is delta times smooth_l1 with the same beta"],
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> SmoothL1 {
        SmoothL1 { beta: args.number(&BETA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        let beta = R::of(self.beta);
        // A NaN is not far, so that it reaches the slope.
        let far = self.beta == 0.0 || beta <= d.abs();
        let linear = d.abs() - beta * R::of(0.5);
        let quadratic = d * d * R::of(0.5) / beta;
        (pick(far, linear, quadratic), [pick(far, d.sign(), d / beta)])
    }
}

const DELTA: Param = Param::number(
    "delta",
    1.0,
    Bounds::POSITIVE,
    "difference at which the loss turns from quadratic to linear",
);

struct Huber {
    delta: f64,
}

impl Pointwise<2, 1> for Huber {
    const LIGHT: bool = true;
    const CARD: Card = Card {
        name: "huber",
        title: "Huber",
        summary: "Half the square near the target and linear beyond, with slope delta in the linear part.",
        formula: r"\begin{cases} \frac12 (p-t)^2 & |p-t| \le \delta \\ \delta(|p-t| - \frac12\delta) & \text{else} \end{cases}",
        params: &[DELTA],
        kinks: "±delta where |p - t| = delta",
        use_case: "regression with outliers",
        outliers: "partly: switches at delta",
        source: "torch.nn.functional.huber_loss; Huber, Robust estimation of a location parameter, 1964",
        differences: &[
            "torch's own weight argument divides by the number of elements; sample_weight divides by the sum of the weights",
        ],
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Huber {
        Huber { delta: args.number(&DELTA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        let delta = R::of(self.delta);
        // The difference held within delta is the slope, and the area under it the loss.
        let below = pick(delta < d, delta, d);
        let held = pick(below < -delta, -delta, below);
        (held * (d - held * R::of(0.5)), [held])
    }
}

struct LogCosh;

impl Pointwise<2, 1> for LogCosh {
    const CARD: Card = Card {
        name: "log_cosh",
        title: "Log-cosh",
        summary: "The logarithm of the hyperbolic cosine of the difference: quadratic near the target, linear far away, smooth everywhere.",
        formula: r"\ln\cosh(p - t)",
        use_case: "regression with outliers, where a smooth second derivative helps",
        outliers: "partly: linear in large errors",
        source: "keras.losses.LogCosh, optax.log_cosh",
        differences: &[
            "computed without overflow for large differences and without cancellation for small ones",
        ],
        aliases: &[],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> LogCosh {
        LogCosh
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        let a = d.abs();
        // ln cosh d = |d| + ln(1 + e^(-2|d|)) - ln 2, which cancels near 0; there it is
        // ln(1 + 2 sinh²(d/2)) with 2 sinh(y) = m + m / (1 + m), m = e^y - 1.
        let m = (pick(a < R::of(1.0), a, R::of(1.0)) * R::of(0.5)).exp_m1();
        let twice_sinh = m + m / (R::of(1.0) + m);
        let near = (twice_sinh.squared() * R::of(0.5)).ln_1p();
        let far = a + (-(a + a)).exp_of_negative().ln_1p_unit() - R::of(std::f64::consts::LN_2);
        (pick(a < R::of(1.0), near, far), [d.tanh()])
    }
}

const Q: Param = Param {
    name: "q",
    kind: ParamKind::NumberOrList(Bounds::UNIT),
    default: Default::Number(0.5),
    doc: "the quantile, or a list of quantiles for predictions [n, q] against targets [n]",
};

struct Quantile;

impl Pointwise<3, 1> for Quantile {
    const CARD: Card = Card {
        name: "quantile",
        title: "Quantile (pinball)",
        summary: "The absolute difference weighed by q above the prediction and by 1 - q below it; least at the q-quantile.",
        formula: r"\max(q\,(t - p),\ (q - 1)\,(t - p))",
        inputs: &[
            Input { shape: "[…], or [n, q] for a list of quantiles", ..Input::PREDICTIONS },
            Input { shape: "[…], or [n] for a list of quantiles", ..Input::TARGETS },
        ],
        params: &[Q],
        kinks: "-q where p = t, as scikit-learn",
        tasks: &[Task::Regression, Task::Forecasting],
        use_case: "prediction intervals, forecasting, inventory",
        outliers: "no: linear in the error",
        source: "sklearn.metrics.mean_pinball_loss; Koenker and Bassett, Regression quantiles, 1978",
        differences: &["LightGBM gives 1 - q where p = t; XGBoost smooths the kink"],
        aliases: &["pinball", "reg:quantileerror"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 4.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> Quantile {
        Quantile
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 3>, Fault> {
        let (p, t) = (job.real(0)?, job.real(1)?);
        let shape = p.shape.clone();
        let Some(list) = job.args.numbers(&Q) else {
            agree("targets", &t.shape, "predictions", &p.shape)?;
            return Ok(Arrangement {
                lanes: [
                    Lane::Given(&p.values),
                    Lane::Given(&t.values),
                    Lane::Same(T::of(job.args.number(&Q))),
                ],
                missing: t.missing.clone(),
                factor: None,
                shape,
            });
        };
        let quantiles = list.values.len();
        if shape.last() != Some(&quantiles) {
            let detail = format!(
                "predictions is {} but there are {quantiles} quantiles for its last axis",
                show(&shape)
            );
            return Err(Fault::shape("predictions", detail));
        }
        agree("targets", &t.shape, "predictions without its last axis", &shape[..shape.len() - 1])?;
        let columns: Vec<T> = list.values.iter().map(|&q| T::of(q)).collect();
        let column_of = broadcast(&[quantiles], &shape).unwrap_or_default();
        let row_of: Vec<usize> = (0..p.values.len()).map(|i| i / quantiles).collect();
        let missing = t.missing.as_ref().map(|m| row_of.iter().map(|&row| m[row]).collect());
        Ok(Arrangement {
            lanes: [
                Lane::Given(&p.values),
                Lane::repeated(&t.shape, &t.values, row_of),
                Lane::repeated(&[quantiles], &columns, column_of),
            ],
            missing,
            factor: None,
            shape,
        })
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t, q]: [R; 3]) -> (R, [R; 1]) {
        let below = t - p;
        let one = R::of(1.0);
        let under = R::of(0.0) <= below;
        let value = product_or_zero(pick(under, q, q - one), below);
        let over = pick(below < R::of(0.0), one - q, below);
        (value, [pick(under, -q, over)])
    }
}

const TAU: Param = Param::number("tau", 0.5, Bounds::UNIT, "the expectile");

struct Expectile {
    tau: f64,
}

impl Pointwise<2, 1> for Expectile {
    const CARD: Card = Card {
        name: "expectile",
        title: "Expectile",
        summary: "The square of the difference, weighed by tau above the prediction and by 1 - tau below it.",
        formula: r"|\tau - [t < p]|\,(p - t)^2",
        params: &[TAU],
        tasks: &[Task::Regression, Task::Forecasting],
        use_case: "asymmetric regression, risk measures",
        outliers: "yes: errors are squared",
        source: "XGBoost reg:expectileerror; Newey and Powell, 1987",
        aliases: &["reg:expectileerror"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Expectile {
        Expectile { tau: args.number(&TAU) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        let weight = pick(R::of(0.0) < d, R::of(1.0 - self.tau), R::of(self.tau));
        let weighed = weight * d;
        (weighed * d, [weighed + weighed])
    }
}

const EPSILON: Param = Param::number(
    "epsilon",
    0.1,
    Bounds::NOT_NEGATIVE,
    "half the width of the tube in which errors cost nothing",
);

struct EpsilonInsensitive {
    epsilon: f64,
}

impl Pointwise<2, 1> for EpsilonInsensitive {
    const CARD: Card = Card {
        name: "epsilon_insensitive",
        title: "Epsilon-insensitive",
        summary: "What the absolute difference exceeds epsilon by.",
        formula: r"\max(0,\ |p - t| - \epsilon)",
        params: &[EPSILON],
        kinks: "0 on the edge of the tube",
        use_case: "support vector regression",
        outliers: "no: linear in the error",
        source: "scikit-learn SVR, SGDRegressor; Vapnik, 1995",
        aliases: &["svr"],
        example: r#"{"predictions": [2.5, 0.0, 2.05, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> EpsilonInsensitive {
        EpsilonInsensitive { epsilon: args.number(&EPSILON) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let d = p - t;
        let excess = d.abs() - R::of(self.epsilon);
        let slope = pick(zero < excess, d.sign(), zero);
        (pick(excess < zero, zero, excess), [slope])
    }
}

struct SquaredEpsilonInsensitive {
    epsilon: f64,
}

impl Pointwise<2, 1> for SquaredEpsilonInsensitive {
    const CARD: Card = Card {
        name: "squared_epsilon_insensitive",
        title: "Squared epsilon-insensitive",
        summary: "The square of what the absolute difference exceeds epsilon by.",
        formula: r"\max(0,\ |p - t| - \epsilon)^2",
        kinks: "smooth: 0 on the edge of the tube",
        outliers: "yes: errors are squared",
        source: "scikit-learn SVR, SGDRegressor",
        aliases: &[],
        ..EpsilonInsensitive::CARD
    };

    fn new(args: &Args) -> SquaredEpsilonInsensitive {
        SquaredEpsilonInsensitive { epsilon: args.number(&EPSILON) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let d = p - t;
        if self.epsilon == 0.0 {
            return (d * d, [d + d]);
        }
        let excess = d.abs() - R::of(self.epsilon);
        let excess = pick(excess < zero, zero, excess);
        (excess * excess, [d.sign() * (excess + excess)])
    }
}

const P: Param = Param::number("p", 2.0, Bounds::POSITIVE, "the power");

struct Lp {
    p: f64,
}

impl Pointwise<2, 1> for Lp {
    const CARD: Card = Card {
        name: "lp",
        title: "Power of the absolute difference",
        summary: "The absolute difference to the power p.",
        formula: r"|p - t|^p",
        params: &[P],
        kinks: "0 where p = t, also for powers below 1, whose slope has no bound there",
        use_case: "regression between and beyond l1 and mse",
        outliers: "partly: the more the larger p is; squared at 2, linear at 1",
        source: "Burn LpLoss",
        aliases: &["minkowski"],
        example: r#"{"predictions": [2.5, 0.0, 2.0, 8.0], "targets": [3.0, -0.5, 2.0, 5.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Lp {
        Lp { p: args.number(&P) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let zero = R::of(0.0);
        let d = p - t;
        let a = d.abs();
        if self.p == 2.0 {
            return (d * d, [d + d]);
        }
        let slope = R::of(self.p) * a.powf(self.p - 1.0) * d.sign();
        (a.powf(self.p), [pick(d == zero, zero, slope)])
    }
}
