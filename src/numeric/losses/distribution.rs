//! Counts and distributions: the negative logarithm of the probability of what was seen.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Preset, Profile, Task};
use crate::numeric::drive::pointwise::{Arrangement, Lane, Pointwise};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::simd::Number;
use crate::numeric::tensor::{agree, broadcast};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] =
    &[Loss::pointwise::<PoissonNll, _, _>(), Loss::pointwise::<GaussianNll, _, _>()];

const LOG_INPUT: Param =
    Param::flag("log_input", true, "whether predictions are logarithms of rates");
const FULL: Param =
    Param::flag("full", false, "whether to add the terms that do not depend on predictions");
const POISSON_EPS: Param = Param::number(
    "eps",
    1e-8,
    Bounds::NOT_NEGATIVE,
    "added to a rate before its logarithm, with log_input false",
);

struct PoissonNll {
    log_input: bool,
    full: bool,
    eps: f64,
}

impl Pointwise<2, 1> for PoissonNll {
    const CARD: Card = Card {
        name: "poisson_nll",
        title: "Poisson negative log-likelihood",
        summary: "The negative log-likelihood of a count under a Poisson distribution with the predicted rate.",
        formula: r"e^p - t p \quad\text{or, with log\_input false,}\quad p - t\ln(p + \epsilon)",
        inputs: &[
            Input {
                doc: "logarithms of rates, or rates with log_input false",
                ..Input::PREDICTIONS
            },
            Input { domain: Domain::NotNegative, doc: "counts", ..Input::TARGETS },
        ],
        params: &[LOG_INPUT, FULL, POISSON_EPS],
        kinks: "smooth; the Stirling term of full is only added where t > 1",
        tasks: &[Task::Counts],
        use_case: "counts: visits, claims, events",
        activation: "linear (log_input true) or exponential",
        outliers: "partly: grows like the rate",
        source: "torch.nn.functional.poisson_nll_loss",
        differences: &[
            "full uses Stirling's approximation, not the log-gamma function, as torch does",
        ],
        presets: &[
            Preset::flag(Profile::Keras, "log_input", false),
            Preset::number(Profile::Keras, "eps", 1e-7),
        ],
        aliases: &["poisson", "half_poisson", "count:poisson"],
        example: r#"{"predictions": [0.5, 1.2, -0.3], "targets": [2, 3, 0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> PoissonNll {
        PoissonNll {
            log_input: args.flag(&LOG_INPUT),
            full: args.flag(&FULL),
            eps: args.number(&POISSON_EPS),
        }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (value, slope) = if self.log_input {
            let rate = p.exp();
            // A rate without bound outweighs its logarithm.
            let value = pick(rate == R::of(f64::INFINITY), rate, rate - product_or_zero(t, p));
            (value, rate - t)
        } else {
            let shifted = p + R::of(self.eps);
            (p - t * shifted.ln(), R::of(1.0) - t / shifted)
        };
        if !self.full {
            return (value, [slope]);
        }
        let half = R::of(0.5);
        let stirling = t * t.ln() - t + half * (t * R::of(std::f64::consts::TAU)).ln();
        (value + pick(R::of(1.0) < t, stirling, R::of(0.0)), [slope])
    }
}

const GAUSSIAN_EPS: Param = Param::number(
    "eps",
    1e-6,
    Bounds::POSITIVE,
    "the least variance; smaller ones are raised to it",
);

struct GaussianNll {
    full: bool,
    eps: f64,
}

impl Pointwise<3, 2> for GaussianNll {
    const CARD: Card = Card {
        name: "gaussian_nll",
        title: "Gaussian negative log-likelihood",
        summary: "The negative log-likelihood of a number under a normal distribution with the predicted mean and variance.",
        formula: r"\tfrac12\left(\ln v + (p - t)^2 / v\right),\quad v = \max(\mathrm{var}, \epsilon)",
        // The gradients are those of the first two inputs.
        inputs: &[
            Input { doc: "means", ..Input::PREDICTIONS },
            Input {
                name: "var",
                shape: "[…], or one number, or the last axis of length 1 or absent",
                domain: Domain::Variance,
                doc: "variances",
                ..Input::PREDICTIONS
            },
            Input::TARGETS,
        ],
        params: &[FULL, GAUSSIAN_EPS],
        kinks: "the gradient of var passes the clamp at eps unchanged, as torch's does",
        tasks: &[Task::Regression, Task::Forecasting],
        use_case: "regression with predicted uncertainty",
        activation: "linear for the mean; exponential or softplus for the variance",
        outliers: "partly: a large variance pays for large errors",
        source: "torch.nn.functional.gaussian_nll_loss; Nix and Weigend, 1994",
        differences: &["Burn and MLX give var a gradient of 0 below eps"],
        aliases: &[],
        example: r#"{"predictions": [1.0, 2.0, 3.0], "targets": [1.5, 2.0, 2.0], "var": [0.5, 1.0, 2.0]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> GaussianNll {
        GaussianNll { full: args.flag(&FULL), eps: args.number(&GAUSSIAN_EPS) }
    }

    fn arrange<'a, T: Number>(&self, job: &'a Job<T>) -> Result<Arrangement<'a, T, 3>, Fault> {
        let (p, var, t) = (job.real(0)?, job.real(1)?, job.real(2)?);
        agree("targets", &t.shape, "predictions", &p.shape)?;
        // torch takes one variance for all, or one per row.
        let rank = p.shape.len();
        let (dropped, last_one) = match p.shape.split_last() {
            Some((_, lead)) => (lead.to_vec(), [lead, &[1]].concat()),
            None => (Vec::new(), Vec::new()),
        };
        let lane = if var.shape == p.shape {
            Lane::Given(var.values.as_slice())
        } else if var.shape.is_empty() || (0 < rank && [&dropped, &last_one].contains(&&var.shape))
        {
            let seen = if var.shape.is_empty() { &var.shape } else { &last_one };
            let places = broadcast(seen, &p.shape).unwrap_or_default();
            Lane::repeated(&var.shape, &var.values, places)
        } else {
            agree("var", &var.shape, "predictions", &p.shape)?;
            Lane::Given(var.values.as_slice())
        };
        Ok(Arrangement {
            shape: p.shape.clone(),
            lanes: [Lane::Given(&p.values), lane, Lane::Given(&t.values)],
            missing: t.missing.clone(),
            factor: None,
        })
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, var, t]: [R; 3]) -> (R, [R; 2]) {
        let half = R::of(0.5);
        let v = var.at_least(self.eps);
        let d = p - t;
        let z = d / v;
        let constant = if self.full { 0.5 * std::f64::consts::TAU.ln() } else { 0.0 };
        let value = half * (v.ln() + d * z) + R::of(constant);
        (value, [z, half * (R::of(1.0) / v - z * z)])
    }
}
