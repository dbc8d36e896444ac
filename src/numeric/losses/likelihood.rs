//! Likelihoods of distributions with a location and a scale, both predicted.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<BetaNll, _, _>(),
    Loss::pointwise::<LaplaceNll, _, _>(),
    Loss::pointwise::<StudentTNll, _, _>(),
    Loss::pointwise::<NegativeBinomialNll, _, _>(),
];

const LOCATION: Input = Input { doc: "locations", ..Input::PREDICTIONS };
const SCALE: Input =
    Input { name: "scale", domain: Domain::Positive, doc: "scales", ..Input::PREDICTIONS };

const FULL: Param = Param::flag("full", false, "whether to add ½ ln 2π");
const EPS: Param = Param::number(
    "eps",
    1e-6,
    Bounds::POSITIVE,
    "the least variance; smaller ones are raised to it",
);
const BETA: Param = Param::number(
    "beta",
    0.5,
    Bounds::UNIT,
    "how strongly the variance weighs: 0 is gaussian_nll, 1 gives the mean the gradient of mse",
);

struct BetaNll {
    full: bool,
    eps: f64,
    beta: f64,
}

impl Pointwise<3, 2> for BetaNll {
    const CARD: Card = Card {
        name: "beta_nll",
        title: "Beta negative log-likelihood",
        summary: "The Gaussian negative log-likelihood times a power of the variance, which is held fixed in the gradient.",
        formula: r"\lfloor v^\beta \rfloor\,\tfrac12\left(\ln v + (p - t)^2 / v\right),\quad v = \max(\mathrm{var}, \epsilon)",
        inputs: &[
            Input { doc: "means", ..Input::PREDICTIONS },
            Input { name: "var", domain: Domain::Variance, doc: "variances", ..Input::PREDICTIONS },
            Input::TARGETS,
        ],
        params: &[BETA, FULL, EPS],
        kinks: "the power of the variance counts as a constant; the gradient of var passes the clamp at eps",
        tasks: &[Task::Regression, Task::Forecasting],
        use_case: "regression with predicted uncertainty that must not neglect hard samples",
        activation: "linear for the mean; exponential or softplus for the variance",
        outliers: "partly: a large variance pays for large errors",
        source: "Seitzer et al., On the pitfalls of heteroscedastic uncertainty estimation, 2022",
        aliases: &[],
        example: r#"{"predictions": [1.0, 2.0, 3.0], "targets": [1.5, 2.0, 2.0], "var": [0.5, 1.0, 2.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> BetaNll {
        BetaNll { full: args.flag(&FULL), eps: args.number(&EPS), beta: args.number(&BETA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, var, t]: [R; 3]) -> (R, [R; 2]) {
        let half = R::of(0.5);
        let v = var.at_least(self.eps);
        let weight = v.powf(self.beta);
        let d = p - t;
        let z = d / v;
        let constant = if self.full { 0.5 * std::f64::consts::TAU.ln() } else { 0.0 };
        let value = half * (v.ln() + d * z) + R::of(constant);
        (weight * value, [weight * z, weight * (half * (R::of(1.0) / v - z * z))])
    }
}

struct LaplaceNll;

impl Pointwise<3, 2> for LaplaceNll {
    const CARD: Card = Card {
        name: "laplace_nll",
        title: "Laplace negative log-likelihood",
        summary: "The negative log-likelihood of a number under a Laplace distribution with the predicted location and scale.",
        formula: r"\ln(2 b) + |p - t| / b",
        inputs: &[LOCATION, SCALE, Input::TARGETS],
        kinks: "0 in predictions where p = t",
        tasks: &[Task::Regression, Task::Forecasting],
        use_case: "regression with outliers and predicted uncertainty",
        activation: "linear for the location; exponential or softplus for the scale",
        outliers: "no: linear in the error",
        source: "torch.distributions.Laplace.log_prob",
        aliases: &[],
        example: r#"{"predictions": [1.0, 2.0, 3.0], "targets": [1.5, 2.0, 2.0], "scale": [0.5, 1.0, 2.0]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> LaplaceNll {
        LaplaceNll
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, b, t]: [R; 3]) -> (R, [R; 2]) {
        let one = R::of(1.0);
        let d = p - t;
        let z = d.abs() / b;
        ((b + b).ln() + z, [d.sign() / b, (one - z) / b])
    }
}

struct StudentTNll;

impl Pointwise<4, 3> for StudentTNll {
    const CARD: Card = Card {
        name: "student_t_nll",
        title: "Student-t negative log-likelihood",
        summary: "The negative log-likelihood of a number under Student's t distribution with the predicted location, scale and degrees of freedom.",
        formula: r"\ln\Gamma(\tfrac\nu2) - \ln\Gamma(\tfrac{\nu + 1}2) + \tfrac12\ln(\pi\nu) + \ln s + \tfrac{\nu + 1}2\ln(1 + z^2/\nu),\quad z = (t - p)/s",
        inputs: &[
            LOCATION,
            SCALE,
            Input {
                name: "df",
                domain: Domain::Positive,
                doc: "degrees of freedom",
                ..Input::PREDICTIONS
            },
            Input::TARGETS,
        ],
        tasks: &[Task::Regression, Task::Forecasting],
        use_case: "regression with heavy tails",
        activation: "linear for the location; exponential or softplus for scale and degrees of freedom",
        outliers: "no: grows with the logarithm of the error",
        source: "torch.distributions.StudentT.log_prob",
        aliases: &[],
        example: r#"{"predictions": [1.0, 2.0, 3.0], "targets": [1.5, 2.0, 2.0], "scale": [0.5, 1.0, 2.0], "df": [3, 5, 10]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> StudentTNll {
        StudentTNll
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, s, df, t]: [R; 4]) -> (R, [R; 3]) {
        let (half, one) = (R::of(0.5), R::of(1.0));
        let z = (p - t) / s;
        let above = (df + one) * half;
        let tail = (z / df.sqrt()).ln_1p_square();
        let norm = (df * half).ln_gamma_step(half) + half * (R::of(std::f64::consts::PI) * df).ln();
        let value = norm + s.ln() + above * tail;
        // (ν + 1) z / (ν + z²), for the location, and that times z, neither with an overflow.
        let near = z.abs() < one;
        let square = z * z;
        let ratio = (df + one) / (df + square);
        let pull = pick(near, ratio * z, (df + one) / (df / z + z));
        let moment = pick(near, ratio * square, (df + one) / (df / square + one));
        let slope_df = half * ((df * half).digamma_step(half) + one / df + tail - moment / df);
        (value, [pull / s, (one - moment) / s, slope_df])
    }
}

struct NegativeBinomialNll;

impl Pointwise<3, 2> for NegativeBinomialNll {
    const CARD: Card = Card {
        name: "negative_binomial_nll",
        title: "Negative binomial negative log-likelihood",
        summary: "The negative log-likelihood of a count under a negative binomial distribution with the predicted mean and dispersion.",
        formula: r"\ln\Gamma(\theta) + \ln\Gamma(t + 1) - \ln\Gamma(t + \theta) - \theta\ln\tfrac{\theta}{\theta + p} - t\ln\tfrac{p}{\theta + p}",
        inputs: &[
            Input { domain: Domain::Positive, doc: "means", ..Input::PREDICTIONS },
            Input {
                name: "dispersion",
                domain: Domain::Positive,
                doc: "dispersions θ: the variance is p + p² / θ",
                ..Input::PREDICTIONS
            },
            Input { domain: Domain::NotNegative, doc: "counts", ..Input::TARGETS },
        ],
        tasks: &[Task::Counts],
        use_case: "counts that vary more than a Poisson distribution allows",
        activation: "exponential or softplus for both",
        outliers: "partly: the dispersion pays for large counts",
        source: "torch.distributions.NegativeBinomial.log_prob, in mean and dispersion",
        aliases: &[],
        example: r#"{"predictions": [1.5, 2.0, 0.5], "targets": [2, 0, 1], "dispersion": [1.0, 2.0, 0.5]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> NegativeBinomialNll {
        NegativeBinomialNll
    }

    #[inline(always)]
    fn at<R: Real>(&self, [mean, theta, t]: [R; 3]) -> (R, [R; 2]) {
        let one = R::of(1.0);
        let ln_rest = (mean / theta).ln_1p();
        let gammas = (t + one).ln_gamma() + theta.ln_gamma_step(t);
        let value = gammas + theta * ln_rest + product_or_zero(t, (theta / mean).ln_1p());
        let sum = theta + mean;
        let slope_mean = (theta / sum) * ((mean - t) / mean);
        // ln(1 + m / θ) - m / (θ + m) is y - ln(1 + y) for y = -m / (θ + m).
        let y = -(mean / sum);
        let lag = pick(-y < R::of(0.25), y.log_excess(), ln_rest + y);
        let rest = t / sum + lag;
        let slope_theta = theta.digamma_step(t) + rest;
        (value, [slope_mean, slope_theta])
    }
}
