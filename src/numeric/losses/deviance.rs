//! Deviances: twice what a likelihood loses against the perfect prediction, and their kin.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::{Arrangement, Pointwise};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::simd::Number;

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<GammaNll, _, _>(),
    Loss::pointwise::<GammaDeviance, _, _>(),
    Loss::pointwise::<PoissonDeviance, _, _>(),
    Loss::pointwise::<TweedieDeviance, _, _>(),
    Loss::pointwise::<TweedieNll, _, _>(),
];

const LOG_LINK: Param =
    Param::flag("log_link", false, "whether predictions are logarithms of means");
const MEANS: Input = Input {
    domain: Domain::Mean,
    doc: "means, or their logarithms with log_link",
    ..Input::PREDICTIONS
};
const POSITIVE: Input = Input { domain: Domain::Positive, ..Input::TARGETS };
const COUNTS: Input = Input { domain: Domain::NotNegative, ..Input::TARGETS };

struct GammaNll {
    log_link: bool,
}

impl Pointwise<2, 1> for GammaNll {
    const CARD: Card = Card {
        name: "gamma_nll",
        title: "Gamma negative log-likelihood",
        summary: "The negative log-likelihood of a positive number under a gamma distribution of unit shape with the predicted mean, without constants.",
        formula: r"t / p + \ln p \quad\text{or, with log\_link,}\quad t\,e^{-p} + p",
        inputs: &[MEANS, POSITIVE],
        params: &[LOG_LINK],
        tasks: &[Task::Regression, Task::Counts],
        use_case: "positive amounts: claims, durations",
        activation: "exponential, or linear with log_link",
        outliers: "partly: errors count by their ratio",
        source: "sklearn HalfGammaLoss, XGBoost reg:gamma, LightGBM gamma",
        aliases: &["gamma", "reg:gamma"],
        example: r#"{"predictions": [1.5, 2.0, 0.5], "targets": [2.0, 1.0, 0.5]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> GammaNll {
        GammaNll { log_link: args.flag(&LOG_LINK) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let one = R::of(1.0);
        if self.log_link {
            let ratio = t * (-p).exp();
            return (ratio + p, [one - ratio]);
        }
        let ratio = t / p;
        (ratio + p.ln(), [(one - ratio) / p])
    }
}

struct GammaDeviance {
    log_link: bool,
}

impl Pointwise<2, 1> for GammaDeviance {
    const CARD: Card = Card {
        name: "gamma_deviance",
        title: "Gamma deviance",
        summary: "The deviance of a positive number from a gamma distribution with the predicted mean.",
        formula: r"2\left(\ln(p / t) + t / p - 1\right)",
        inputs: &[MEANS, POSITIVE],
        params: &[LOG_LINK],
        tasks: &[Task::Regression, Task::Counts],
        use_case: "positive amounts: claims, durations",
        activation: "exponential, or linear with log_link",
        outliers: "partly: errors count by their ratio",
        source: "sklearn.metrics.mean_gamma_deviance",
        differences: &["LightGBM gamma_deviance adds up and does not average"],
        aliases: &["mean_gamma_deviance"],
        example: r#"{"predictions": [1.5, 2.0, 0.5], "targets": [2.0, 1.0, 0.5]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> GammaDeviance {
        GammaDeviance { log_link: args.flag(&LOG_LINK) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        if self.log_link {
            let excess = (t.ln() - p).exp_m1();
            return (gamma(excess, p - t.ln()), [-(R::of(2.0) * excess)]);
        }
        let excess = -excess_share(p, t);
        (gamma(excess, p.ln() - t.ln()), [-(R::of(2.0) * excess / p)])
    }
}

/// The deviance of t from a gamma distribution with the mean m, from t / m - 1 and ln(m / t).
#[inline(always)]
fn gamma<R: Real>(excess: R, log_ratio: R) -> R {
    R::of(2.0) * pick(excess.abs() < R::of(0.25), excess.log_excess(), log_ratio + excess)
}

struct PoissonDeviance {
    log_link: bool,
}

/// The deviance of a count t from a Poisson distribution, from m / t - 1, ln(t / m) and m.
#[inline(always)]
fn poisson<R: Real>(excess: R, log_ratio: R, m: R, t: R) -> R {
    let near = product_or_zero(t, excess.log_excess());
    let far = product_or_zero(t, log_ratio) - t + m;
    R::of(2.0) * pick(excess.abs() < R::of(0.25), near, far)
}

impl Pointwise<2, 1> for PoissonDeviance {
    const CARD: Card = Card {
        name: "poisson_deviance",
        title: "Poisson deviance",
        summary: "The deviance of a count from a Poisson distribution with the predicted mean.",
        formula: r"2\left(t \ln(t / p) - t + p\right)",
        inputs: &[MEANS, COUNTS],
        params: &[LOG_LINK],
        tasks: &[Task::Counts],
        use_case: "counts: visits, claims, events",
        activation: "exponential, or linear with log_link",
        outliers: "partly: grows with the count",
        source: "sklearn.metrics.mean_poisson_deviance",
        aliases: &["mean_poisson_deviance"],
        example: r#"{"predictions": [1.5, 2.0, 0.5], "targets": [2, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> PoissonDeviance {
        PoissonDeviance { log_link: args.flag(&LOG_LINK) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let two = R::of(2.0);
        let log_t = t.ln();
        if self.log_link {
            let m = p.exp();
            let excess = (p - log_t).exp_m1();
            let value = poisson(excess, log_t - p, m, t);
            let slope = pick(excess.abs() < R::of(0.25), t * excess, m - t);
            return (value, [two * slope]);
        }
        let value = poisson((p - t) / t, log_t - p.ln(), p, t);
        (value, [two * excess_share(p, t)])
    }
}

/// (p - t) / p, and 1 where p has no bound.
#[inline(always)]
fn excess_share<R: Real>(p: R, t: R) -> R {
    pick(p == R::of(f64::INFINITY), R::of(1.0), (p - t) / p)
}

const POWER: Param = Param::number(
    "power",
    1.5,
    Bounds::ANY,
    "power of the mean that the variance grows with: 0 normal, 1 Poisson, 2 gamma, 3 inverse \
     Gaussian; not between 0 and 1",
);

/// Refuses the powers for which there is no distribution.
fn check_power(power: f64) -> Result<(), Fault> {
    if 0.0 < power && power < 1.0 {
        let detail = format!("power must not lie between 0 and 1, got {power}");
        return Err(Fault::parameter("power", detail));
    }
    Ok(())
}

/// How many terms the series near a perfect prediction has.
const TERMS: usize = 13;

struct TweedieDeviance {
    power: f64,
    /// What the powers of ln(p / t), from the second on, count near a perfect prediction.
    series: [f64; TERMS],
}

impl Pointwise<2, 1> for TweedieDeviance {
    const CARD: Card = Card {
        name: "tweedie_deviance",
        title: "Tweedie deviance",
        summary: "The deviance of a number from a Tweedie distribution with the predicted mean.",
        formula: r"2\left(\frac{t^{2 - q}}{(1 - q)(2 - q)} - \frac{t\,p^{1 - q}}{1 - q} + \frac{p^{2 - q}}{2 - q}\right),\quad q = \mathrm{power}",
        inputs: &[
            Input { domain: Domain::Mean, doc: "means", ..Input::PREDICTIONS },
            Input { domain: Domain::Tweedie, ..Input::TARGETS },
        ],
        params: &[POWER],
        tasks: &[Task::Regression, Task::Counts],
        use_case: "amounts that are often exactly 0: rainfall, claims",
        activation: "exponential",
        outliers: "partly: less the higher the power is",
        source: "sklearn.metrics.mean_tweedie_deviance",
        aliases: &["tweedie", "reg:tweedie"],
        example: r#"{"predictions": [1.5, 2.0, 0.5], "targets": [2, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> TweedieDeviance {
        let power = args.number(&POWER);
        let mut series = [0.0; TERMS];
        let mut factorial = 1.0;
        for (term, coefficient) in series.iter_mut().enumerate() {
            let n = term as i32 + 2;
            factorial *= f64::from(n);
            *coefficient = ((2.0 - power).powi(n - 1) - (1.0 - power).powi(n - 1)) / factorial;
        }
        TweedieDeviance { power, series }
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 2>, Fault> {
        check_power(self.power)?;
        Arrangement::of_inputs(job)
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let two = R::of(2.0);
        let d = p - t;
        let q = self.power;
        if q == 0.0 {
            return (d * d, [d + d]);
        }
        if q == 1.0 {
            return (poisson(d / t, t.ln() - p.ln(), p, t), [two * excess_share(p, t)]);
        }
        if q == 2.0 {
            let excess = -excess_share(p, t);
            return (gamma(excess, p.ln() - t.ln()), [two * excess_share(p, t) / p]);
        }
        let slope = two * d * p.powf(-q);
        // With L = ln(p / t) the value is 2 t^(2 - q) (E(2 - q) - E(1 - q)), E(a) = (e^(a L) - 1) / a,
        // whose series begins with L² / 2.
        let ratio = (d / t).ln_1p();
        let sum = self.series.iter().rev().fold(R::of(0.0), |sum, &c| sum * ratio + R::of(c));
        let near = t.powf(2.0 - q) * ratio * ratio * sum;
        let zero = R::of(0.0);
        let own = pick(t < zero, zero, t).powf(2.0 - q) * R::of(1.0 / ((1.0 - q) * (2.0 - q)));
        let cross = t * p.powf(1.0 - q) * R::of(1.0 / (1.0 - q));
        let whole = p.powf(2.0 - q) * R::of(1.0 / (2.0 - q));
        let close = ratio.abs() < R::of(0.5 / (2.0 + q.abs()));
        (two * pick(close, near, own - cross + whole), [slope])
    }
}

struct TweedieNll {
    power: f64,
}

impl Pointwise<2, 1> for TweedieNll {
    const CARD: Card = Card {
        name: "tweedie_nll",
        title: "Tweedie negative log-likelihood with log link",
        summary: "What the negative log-likelihood of a Tweedie distribution has of the prediction, the logarithm of its mean.",
        formula: r"-\frac{t\,e^{(1 - q) p}}{1 - q} + \frac{e^{(2 - q) p}}{2 - q},\quad q = \mathrm{power}",
        inputs: &[
            Input { doc: "logarithms of means", ..Input::PREDICTIONS },
            Input { domain: Domain::Tweedie, ..Input::TARGETS },
        ],
        params: &[POWER],
        tasks: &[Task::Regression, Task::Counts],
        use_case: "amounts that are often exactly 0: rainfall, claims",
        activation: "linear",
        outliers: "partly: less the higher the power is",
        source: "sklearn HalfTweedieLoss; XGBoost reg:tweedie and LightGBM tweedie gradients",
        differences: &[
            "power 1 is e^p - t p and power 2 is p + t e^-p, the limits without their constants",
        ],
        aliases: &["half_tweedie"],
        example: r#"{"predictions": [0.5, 1.2, -0.3], "targets": [2, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> TweedieNll {
        TweedieNll { power: args.number(&POWER) }
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 2>, Fault> {
        check_power(self.power)?;
        Arrangement::of_inputs(job)
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let q = self.power;
        let low = product_or_zero(t, (R::of(1.0 - q) * p).exp());
        let high = (R::of(2.0 - q) * p).exp();
        let first = if q == 1.0 { t * p } else { low * R::of(1.0 / (1.0 - q)) };
        let second = if q == 2.0 { p } else { high * R::of(1.0 / (2.0 - q)) };
        // Below power 1 both grow with the prediction, the second one faster.
        let both = R::of(1.0 - q) * p;
        let value = if q < 1.0 {
            let bracket = p.exp() * R::of(1.0 / (2.0 - q)) - t * R::of(1.0 / (1.0 - q));
            product_or_zero(both.exp(), bracket)
        } else {
            second - first
        };
        let slope = if q < 1.0 { product_or_zero(both.exp(), p.exp() - t) } else { high - low };
        (value, [slope])
    }
}
