//! Binary classification: variants of the squared and the logarithmic cost.

use super::binary::{LOGITS, UNIT_TARGETS};
use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Logistic, Real, pick, product_or_zero};

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<Poly1BinaryCrossEntropy, _, _>(),
    Loss::pointwise::<Brier, _, _>(),
    Loss::pointwise::<CrossEntropyLambda, _, _>(),
];

const EPSILON: Param = Param::number(
    "epsilon",
    1.0,
    Bounds { min: -1.0, min_included: true, ..Bounds::ANY },
    "weight of the term that is linear in the probability",
);

struct Poly1BinaryCrossEntropy {
    epsilon: f64,
}

impl Pointwise<2, 1> for Poly1BinaryCrossEntropy {
    const CARD: Card = Card {
        name: "poly1_binary_cross_entropy",
        title: "Poly-1 binary cross-entropy",
        summary: "Binary cross-entropy with logits, plus a share of what the probability lacks.",
        formula: r"\mathrm{bce} + \epsilon\,(1 - p_t),\quad p_t = \sigma(p)\,t + (1 - \sigma(p))(1 - t)",
        inputs: &[LOGITS, UNIT_TARGETS],
        params: &[EPSILON],
        tasks: &[Task::Binary, Task::MultiLabel],
        use_case: "binary classification, as a tunable cross-entropy",
        activation: "none: raw logits, sigmoid is inside",
        outliers: "no",
        source: "Leng et al., PolyLoss, 2022; timm, optax poly_loss_cross_entropy",
        aliases: &["poly1_bce"],
        example: r#"{"predictions": [2.0, -1.5, 0.3], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> Poly1BinaryCrossEntropy {
        Poly1BinaryCrossEntropy { epsilon: args.number(&EPSILON) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let not_t = R::of(1.0) - t;
        let Logistic { yes, no, .. } = p.logistic();
        let (bce, bce_slope) = p.binary_cross_entropy(t, not_t);
        let epsilon = R::of(self.epsilon);
        let miss = t * no + not_t * yes;
        (bce + epsilon * miss, [bce_slope + epsilon * yes * no * (not_t - t)])
    }
}

struct Brier;

impl Pointwise<2, 1> for Brier {
    const CARD: Card = Card {
        name: "brier",
        title: "Brier score",
        summary: "The square of the difference between a probability and what happened.",
        formula: r"(p - t)^2",
        inputs: &[
            Input { domain: Domain::Unit, doc: "probabilities", ..Input::PREDICTIONS },
            UNIT_TARGETS,
        ],
        tasks: &[Task::Binary, Task::Forecasting],
        use_case: "judging probability forecasts",
        activation: "sigmoid",
        outliers: "no: bounded by 1",
        source: "sklearn.metrics.brier_score_loss; Brier, 1950",
        differences: &["Brier's own sum over both classes is twice this"],
        aliases: &["brier_score"],
        example: r#"{"predictions": [0.9, 0.2, 0.6], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> Brier {
        Brier
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let d = p - t;
        (d * d, [d + d])
    }
}

const EXPOSURE: Param =
    Param::number("exposure", 1.0, Bounds::POSITIVE, "how many trials an element stands for");

struct CrossEntropyLambda {
    exposure: f64,
}

impl Pointwise<2, 1> for CrossEntropyLambda {
    const CARD: Card = Card {
        name: "cross_entropy_lambda",
        title: "Cross-entropy of an intensity",
        summary: "Binary cross-entropy of the probability that at least one event of a Poisson process happens.",
        formula: r"\mathrm{bce}(q, t),\quad q = 1 - e^{-w \ln(1 + e^p)}",
        inputs: &[
            Input { doc: "scores; softplus makes them intensities", ..Input::PREDICTIONS },
            UNIT_TARGETS,
        ],
        params: &[EXPOSURE],
        tasks: &[Task::Binary],
        use_case: "rare events with different exposures",
        activation: "none: softplus is inside",
        outliers: "no",
        source: "LightGBM cross_entropy_lambda",
        differences: &["LightGBM takes the exposure from the sample weights"],
        aliases: &["xentlambda"],
        example: r#"{"predictions": [2.0, -1.5, 0.3], "targets": [1, 0, 1]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> CrossEntropyLambda {
        CrossEntropyLambda { exposure: args.number(&EXPOSURE) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        let (one, half) = (R::of(1.0), R::of(0.5));
        let exposure = R::of(self.exposure);
        let Logistic { yes: sigmoid, cost_of_no: intensity, .. } = p.logistic();
        let u = exposure * intensity;
        // Far to the left softplus is e^p (1 - e^p / 2): its logarithm does not underflow.
        let far = p < R::of(-15.0);
        let tail = p.exp();
        let log_intensity = pick(far, p - tail * half, intensity.ln());
        // ln(1 - e^-u), by its series where 1 - e^-u is almost u.
        let log_u = R::of(self.exposure.ln()) + log_intensity;
        let series = log_u - u * half + u * u * R::of(1.0 / 24.0);
        let middle = (-(-u).exp_m1()).ln();
        let large = (-(-u).exp()).ln_1p();
        let log_chance = pick(u < R::of(1e-2), series, pick(u < one, middle, large));
        let value = product_or_zero(one - t, u) - product_or_zero(t, log_chance);
        // σ w / (e^u - 1), from e^-u where e^u would overflow; far to the left σ is softplus less half
        // of its square.
        let rise = u.exp_m1();
        let near = pick(u == R::of(0.0), one, u / rise) * (one - tail * half);
        let steep = exposure * sigmoid;
        let fall = (-u).exp() / -(-u).exp_m1();
        let ratio = pick(far && u < one, near, pick(u < one, steep / rise, steep * fall));
        (value, [(one - t) * exposure * sigmoid - t * ratio])
    }
}
