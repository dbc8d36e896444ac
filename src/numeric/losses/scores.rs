//! Proper scores of predicted distributions and intervals of a number.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise_in_double::<Score, _, _>().described(CRPS_GAUSSIAN),
    Loss::pointwise_in_double::<Score, _, _>().described(CRPS_LAPLACE),
    Loss::pointwise_in_double::<Score, _, _>().described(CRPS_LOGISTIC),
    Loss::pointwise_in_double::<Score, _, _>().described(DAWID_SEBASTIANI),
    Loss::pointwise_in_double::<IntervalScore, _, _>(),
];

const fn scale(domain: Domain, doc: &'static str) -> Input {
    Input { name: "scale", domain, doc, ..Input::PREDICTIONS }
}

/// What proper scores have in common.
pub(super) const FORECAST: Card = Card {
    tasks: &[Task::Forecasting, Task::Regression],
    use_case: "probabilistic regression and forecasts, judged and trained",
    ..Card::PAIR
};

const CRPS_GAUSSIAN: Card = Card {
    name: "crps_gaussian",
    title: "CRPS of a normal distribution",
    summary: "The continuous ranked probability score of a normal distribution: an absolute error that knows about spread.",
    formula: r"\sigma\left[\omega\left(2\Phi(\omega) - 1\right) + 2\varphi(\omega) - \frac1{\sqrt\pi}\right],\quad \omega = (t - p)/\sigma",
    inputs: &[
        Input { doc: "means", ..Input::PREDICTIONS },
        scale(Domain::NotNegative, "standard deviations"),
        Input::TARGETS,
    ],
    kinks: "a scale of 0 gives the absolute error, with the slope 0 at 0",
    activation: "linear for the location; exponential or softplus for the scale",
    outliers: "partly: linear in large errors",
    source: "Gneiting and Raftery, Strictly proper scoring rules, 2007; scoringrules.crps_normal, properscoring",
    aliases: &["crps_normal"],
    example: r#"{"predictions": [21.5, 18.0, 24.2], "scale": [1.2, 2.0, 0.8], "targets": [20.9, 19.4, 24.3]}"#,
    ..FORECAST
};

const CRPS_LAPLACE: Card = Card {
    name: "crps_laplace",
    title: "CRPS of a Laplace distribution",
    summary: "The continuous ranked probability score of a Laplace distribution.",
    formula: r"|d| + b\,e^{-|d|/b} - \tfrac34 b,\quad d = t - p",
    inputs: &[
        Input { doc: "locations", ..Input::PREDICTIONS },
        scale(Domain::NotNegative, "scales: mean absolute deviations"),
        Input::TARGETS,
    ],
    source: "Jordan et al., Evaluating probabilistic forecasts with scoringRules, 2019; scoringrules.crps_laplace",
    aliases: &[],
    example: r#"{"predictions": [3.2, 5.0, 1.4], "scale": [0.5, 1.0, 0.4], "targets": [2.9, 6.5, 1.5]}"#,
    ..CRPS_GAUSSIAN
};

const CRPS_LOGISTIC: Card = Card {
    name: "crps_logistic",
    title: "CRPS of a logistic distribution",
    summary: "The continuous ranked probability score of a logistic distribution.",
    formula: r"\sigma\left(z - 2\ln F(z) - 1\right),\quad z = (t - p)/\sigma,\ F(z) = 1/(1 + e^{-z})",
    inputs: &[
        Input { doc: "locations", ..Input::PREDICTIONS },
        scale(Domain::NotNegative, "scales: standard deviations times √3/π"),
        Input::TARGETS,
    ],
    source: "Jordan et al., Evaluating probabilistic forecasts with scoringRules, 2019; scoringrules.crps_logistic",
    aliases: &[],
    example: r#"{"predictions": [120.0, 95.0, 101.0], "scale": [8.0, 5.0, 6.5], "targets": [131.0, 93.0, 98.5]}"#,
    ..CRPS_GAUSSIAN
};

const DAWID_SEBASTIANI: Card = Card {
    name: "dawid_sebastiani",
    title: "Dawid-Sebastiani score",
    summary: "The squared standardized error plus the logarithm of the variance: a score of mean and spread alone.",
    formula: r"\left(\frac{t - p}{\sigma}\right)^2 + 2\ln\sigma",
    inputs: &[
        Input { doc: "means", ..Input::PREDICTIONS },
        scale(Domain::Positive, "standard deviations"),
        Input::TARGETS,
    ],
    kinks: "smooth everywhere",
    outliers: "yes: errors are squared, though a large scale pays for them",
    source: "Dawid and Sebastiani, 1999; scoringrules.dss",
    differences: &["twice gaussian_nll of the squared scale"],
    aliases: &["dss"],
    example: r#"{"predictions": [1.1, 0.4, 2.3], "scale": [0.5, 0.3, 0.9], "targets": [1.6, 0.1, 2.2]}"#,
    ..CRPS_GAUSSIAN
};

/// A score of a distribution with a location and a scale.
#[derive(Clone, Copy)]
enum Score {
    Gaussian,
    Laplace,
    Logistic,
    DawidSebastiani,
}

impl Pointwise<3, 2> for Score {
    const CARD: Card = CRPS_GAUSSIAN;

    fn new(args: &Args) -> Score {
        match args.card().name {
            "crps_laplace" => Score::Laplace,
            "crps_logistic" => Score::Logistic,
            "dawid_sebastiani" => Score::DawidSebastiani,
            _ => Score::Gaussian,
        }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, scale, t]: [R; 3]) -> (R, [R; 2]) {
        let (zero, one, two) = (R::of(0.0), R::of(1.0), R::of(2.0));
        let d = p - t;
        // How many scales the error is; a scale of 0 leaves the error alone.
        let z = pick(d == zero && scale == zero, zero, d / scale);
        let a = z.abs();
        match self {
            Score::Gaussian => {
                let inside = (z * R::of(std::f64::consts::FRAC_1_SQRT_2)).erf();
                // 1/√π
                let mean_of_pairs = std::f64::consts::FRAC_2_SQRT_PI * 0.5;
                let density =
                    R::of(mean_of_pairs * std::f64::consts::SQRT_2) * (R::of(-0.5) * z * z).exp();
                let spread = density - R::of(mean_of_pairs);
                (d * inside + scale * spread, [inside, spread])
            }
            Score::Laplace => {
                let tail = (-a).exp();
                let spread = tail + product_or_zero(tail, a) - R::of(0.75);
                // (1 - e⁻ᵃ) / a, which is 1 at 0.
                let ratio = pick(a == zero, one, -((-a).exp_m1() / a));
                let slope = pick(a == R::of(f64::INFINITY), d.sign(), z * ratio);
                (d.abs() + scale * (tail - R::of(0.75)), [slope, spread])
            }
            Score::Logistic => {
                let logistic = a.logistic();
                let log = two * logistic.cost_of_yes - one;
                let spread = log + two * product_or_zero(logistic.no, a);
                (d.abs() + scale * log, [(z * R::of(0.5)).tanh(), spread])
            }
            Score::DawidSebastiani => {
                let z = d / scale;
                (z * z + two * scale.ln(), [two * z / scale, two * (one - z * z) / scale])
            }
        }
    }
}

/// The share of targets that an interval is to leave out.
const ALPHA: Param = Param::number(
    "alpha",
    0.1,
    Bounds { max: 1.0, ..Bounds::POSITIVE },
    "the share of targets that should fall outside: 0.1 for a 90 % interval",
);

struct IntervalScore {
    penalty: f64,
}

impl Pointwise<3, 2> for IntervalScore {
    const CARD: Card = Card {
        name: "interval_score",
        title: "Interval score (Winkler)",
        summary: "The width of a prediction interval, plus a penalty for a target outside.",
        formula: r"(u - l) + \tfrac2\alpha \max(0,\ l - t) + \tfrac2\alpha \max(0,\ t - u)",
        inputs: &[
            Input { name: "lower", doc: "lower ends", ..Input::PREDICTIONS },
            Input { name: "upper", doc: "upper ends", ..Input::PREDICTIONS },
            Input::TARGETS,
        ],
        params: &[ALPHA],
        kinks: "a target exactly at an end counts as inside",
        use_case: "prediction intervals, judged and trained",
        outliers: "partly: linear in the distance outside",
        source: "Winkler, 1972; Gneiting and Raftery, 2007; scoringrules.interval_score",
        differences: &["the ends may be crossed: the width is then negative, as in scoringrules"],
        aliases: &["winkler"],
        example: r#"{"lower": [18.2, 20.5, 15.0], "upper": [24.6, 23.1, 19.5], "targets": [21.0, 24.0, 14.2]}"#,
        ..FORECAST
    };

    fn new(args: &Args) -> IntervalScore {
        IntervalScore { penalty: 2.0 / args.number(&ALPHA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [lower, upper, t]: [R; 3]) -> (R, [R; 2]) {
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let penalty = R::of(self.penalty);
        let below = (lower - t).at_least(0.0);
        let above = (t - upper).at_least(0.0);
        let value = (upper - lower) + penalty * below + penalty * above;
        let slope_l = pick(zero < below, penalty, zero) - one;
        (value, [slope_l, one - pick(zero < above, penalty, zero)])
    }
}
