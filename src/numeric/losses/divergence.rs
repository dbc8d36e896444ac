//! Divergences: how far one distribution is from another.

use super::classes::{CLASS_AXIS, CLASSES, LOGITS, SCORES};
use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::verbs::{Softmax, gap, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise::<KlDiv, _, _>(),
    Loss::rowwise_in_double::<Divergence, _>().described(GENERALIZED_KL),
    Loss::rowwise_in_double::<ReverseKl, _>(),
    Loss::rowwise_in_double::<Divergence, _>().described(JS_DIV),
    Loss::rowwise_in_double::<Divergence, _>().described(GENERALIZED_JSD),
    Loss::rowwise_in_double::<Divergence, _>().described(TV_DISTANCE),
    Loss::rowwise_in_double::<Divergence, _>().described(HELLINGER),
    Loss::rowwise_in_double::<Divergence, _>().described(PSI),
    Loss::rowwise_in_double::<Wasserstein1d, _>(),
];

const LOG_TARGET: Param =
    Param::flag("log_target", false, "whether targets are logarithms of probabilities");

struct KlDiv {
    log_target: bool,
}

impl Pointwise<2, 1> for KlDiv {
    const CARD: Card = Card {
        name: "kl_div",
        title: "Kullback-Leibler divergence",
        summary: "The information lost when the prediction stands for the target distribution, element by element.",
        formula: r"t\,(\ln t - p) \quad\text{or, with log\_target,}\quad e^t (t - p)",
        inputs: &[
            Input {
                domain: Domain::LogProbability,
                doc: "logarithms of probabilities",
                ..Input::PREDICTIONS
            },
            Input {
                domain: Domain::DistributionOrLog,
                doc: "probabilities, or their logarithms with log_target",
                ..Input::TARGETS
            },
        ],
        params: &[LOG_TARGET],
        batchmean: true,
        mean: "the number of elements; batchmean, the mathematical divergence, by the first axis",
        kinks: "smooth in predictions",
        tasks: &[Task::Distillation],
        use_case: "distillation, generative models (VAE)",
        activation: "log-softmax against probabilities, or Gaussian",
        outliers: "no",
        source: "torch.nn.functional.kl_div; Kullback and Leibler, 1951",
        differences: &[
            "a target of 0 against a prediction of -inf gives 0, its limit; torch gives NaN",
            "Keras takes probabilities for both, and sums over the last axis",
        ],
        aliases: &["kullback_leibler", "kl_divergence"],
        example: r#"{"predictions": [[-0.7, -1.2, -1.6], [-0.4, -1.9, -1.7]], "targets": [[0.5, 0.3, 0.2], [0.7, 0.1, 0.2]]}"#,
        ..Card::PAIR
    };

    fn new(args: &Args) -> KlDiv {
        KlDiv { log_target: args.flag(&LOG_TARGET) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        if self.log_target {
            let probability = t.exp();
            (product_or_zero(probability, t - p), [-probability])
        } else {
            self.at_plain([p, t])
        }
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        !self.log_target
    }

    #[inline(always)]
    fn at_plain<R: Real>(&self, [p, t]: [R; 2]) -> (R, [R; 1]) {
        // t ln t and t p apart: a target of 0 wins over an infinite logarithm in either.
        (t.x_ln_x() - product_or_zero(t, p), [-t])
    }
}

const PROBABILITIES: Input =
    Input { domain: Domain::Distribution, doc: "a probability per class", ..SCORES };
const TEACHER: Input = Input {
    shape: SCORES.shape,
    domain: Domain::Distribution,
    doc: "a probability per class",
    ..Input::TARGETS
};
/// What divergences of rows of probabilities have in common.
const OF_PROBABILITIES: Card = Card {
    inputs: &[PROBABILITIES, TEACHER],
    params: &[CLASS_AXIS],
    mean: "the number of rows",
    tasks: &[Task::Distillation],
    activation: "softmax",
    outliers: "no",
    ..CLASSES
};

const GENERALIZED_KL: Card = Card {
    name: "generalized_kl",
    title: "Generalized Kullback-Leibler divergence",
    summary: "The Kullback-Leibler divergence of measures that need not sum to 1.",
    formula: r"\sum_c t_c(\ln t_c - p_c) + e^{p_c} - t_c",
    inputs: &[
        Input { domain: Domain::LogProbability, doc: "a logarithm per class", ..SCORES },
        Input { domain: Domain::NotNegative, doc: "a mass per class", ..TEACHER },
    ],
    use_case: "distributions or counts that are not normalised, matrix factorisation",
    activation: "log-softmax, or the logarithm of a mass",
    source: "optax.losses.generalized_kl_divergence",
    aliases: &["generalized_kl_divergence", "i_divergence"],
    example: r#"{"predictions": [[-0.7, -1.2, -1.6], [-0.4, -1.9, -1.7]], "targets": [[0.5, 0.3, 0.2], [0.7, 0.1, 0.2]]}"#,
    ..OF_PROBABILITIES
};

const JS_DIV: Card = Card {
    name: "js_div",
    title: "Jensen-Shannon divergence",
    summary: "The mean divergence of two distributions from the one halfway between them.",
    formula: r"\tfrac12 \mathrm{KL}(p \Vert m) + \tfrac12 \mathrm{KL}(t \Vert m),\quad m = \tfrac12(p + t)",
    kinks: "a probability of exactly 0 costs nothing by itself; its slope is -inf where the target is not 0",
    use_case: "comparing distributions, drift, distillation",
    outliers: "no: between 0 and ln 2",
    source: "Lin, 1991; scipy.spatial.distance.jensenshannon, squared",
    differences: &["SciPy gives the square root"],
    aliases: &["jensen_shannon", "jensen_shannon_divergence"],
    example: r#"{"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]], "targets": [[0.1, 0.3, 0.4, 0.2], [0.4, 0.35, 0.2, 0.05]]}"#,
    ..OF_PROBABILITIES
};

const BETA: Param = Param::number(
    "beta",
    0.5,
    Bounds::UNIT,
    "the teacher's share of the mixture; 0 is KL(t ‖ p) and 1 is KL(p ‖ t)",
);

const GENERALIZED_JSD: Card = Card {
    name: "generalized_jsd",
    title: "Generalized Jensen-Shannon divergence",
    summary: "The divergence of teacher and student from a mixture of both, between forward and reverse KL.",
    formula: r"\beta\,\mathrm{KL}(t \Vert m) + (1 - \beta)\,\mathrm{KL}(p \Vert m),\quad m = \beta t + (1 - \beta) p",
    params: &[BETA, CLASS_AXIS],
    use_case: "distillation of language models",
    outliers: "no",
    source: "Agarwal et al., On-policy distillation of language models (GKD), 2024; TRL, Liger-Kernel jsd",
    differences: &[
        "at beta 0 and 1 the formula itself tends to 0; as in TRL and Liger-Kernel these are the two Kullback-Leibler divergences",
    ],
    aliases: &["gkd"],
    example: r#"{"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]], "targets": [[0.1, 0.3, 0.4, 0.2], [0.4, 0.35, 0.2, 0.05]]}"#,
    ..JS_DIV
};

const TV_DISTANCE: Card = Card {
    name: "tv_distance",
    title: "Total variation distance",
    summary: "Half the sum of the absolute differences of two distributions.",
    formula: r"\tfrac12 \sum_c |p_c - t_c|",
    kinks: "0 where the probabilities are equal",
    use_case: "comparing distributions, drift, distillation",
    outliers: "no: between 0 and 1",
    source: "Liger-Kernel tvd",
    differences: &[],
    aliases: &["total_variation", "tvd"],
    example: r#"{"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]], "targets": [[0.1, 0.31, 0.4, 0.19], [0.4, 0.35, 0.19, 0.06]]}"#,
    ..OF_PROBABILITIES
};

const HELLINGER: Card = Card {
    name: "hellinger",
    title: "Squared Hellinger distance",
    summary: "Half the squared distance of the square roots of two distributions.",
    formula: r"\tfrac12 \sum_c \left(\sqrt{p_c} - \sqrt{t_c}\right)^2",
    kinks: "at a probability of 0 the slope is -inf where the target is not 0, else 1/2",
    use_case: "comparing distributions, drift",
    outliers: "no: between 0 and 1",
    source: "Hellinger, 1909",
    differences: &["some take the square root of it"],
    aliases: &["squared_hellinger"],
    example: r#"{"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]], "targets": [[0.1, 0.3, 0.4, 0.2], [0.4, 0.35, 0.2, 0.05]]}"#,
    ..OF_PROBABILITIES
};

const PSI: Card = Card {
    name: "psi",
    title: "Population stability index",
    summary: "The Kullback-Leibler divergences in both directions, added up.",
    formula: r"\sum_c (p_c - t_c) \ln \frac{p_c}{t_c}",
    kinks: "infinite where exactly one of the probabilities is 0, and 0 where both are",
    use_case: "drift of scores and features between two periods",
    outliers: "yes: without bound where a probability is near 0",
    source: "Siddiqi, Credit risk scorecards, 2006; Jeffreys, 1946",
    differences: &[
        "tools that bin raw samples usually replace an empty bin by a small share; here the caller chooses",
    ],
    aliases: &["population_stability_index", "jeffreys"],
    example: r#"{"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]], "targets": [[0.1, 0.3, 0.4, 0.2], [0.4, 0.35, 0.2, 0.05]]}"#,
    ..OF_PROBABILITIES
};

/// A sum over classes of a function of the two probabilities.
#[derive(Clone, Copy)]
enum Divergence {
    GeneralizedKl,
    Mixture { beta: f64 },
    TotalVariation,
    Hellinger,
    Psi,
}

/// p ln(p / q), 0 for a p of 0.
#[inline(always)]
fn relative<R: Real>(p: R, q: R) -> R {
    product_or_zero(p, ratio_log(p, q))
}

/// ln(p / q), without cancelling where both are close; 0 where they are equal.
#[inline(always)]
fn ratio_log<R: Real>(p: R, q: R) -> R {
    let difference = p - q;
    let near = (difference / q).ln_1p();
    let close = difference.abs() < q * R::of(0.5);
    pick(p == q, R::of(0.0), pick(close, near, p.ln() - q.ln()))
}

impl Divergence {
    /// The term of one class, and its slope in the prediction.
    #[inline(always)]
    fn term<R: Real>(self, p: R, t: R) -> (R, R) {
        let (zero, one, half) = (R::of(0.0), R::of(1.0), R::of(0.5));
        match self {
            Divergence::GeneralizedKl => {
                let mass = p.exp();
                let cross = product_or_zero(t, t.ln()) - product_or_zero(t, p);
                (cross + (mass - t), mass - t)
            }
            Divergence::Mixture { beta: 0.0 } => (relative(t, p), pick(t == zero, zero, -(t / p))),
            Divergence::Mixture { beta: 1.0 } => (relative(p, t), ratio_log(p, t) + one),
            Divergence::Mixture { beta } => {
                let (own, other) = (R::of(1.0 - beta), R::of(beta));
                let mixture = other * t + own * p;
                let value = other * relative(t, mixture) + own * relative(p, mixture);
                // The slopes of the mixture cancel.
                (value, own * ratio_log(p, mixture))
            }
            Divergence::TotalVariation => {
                let difference = p - t;
                (half * difference.abs(), half * difference.sign())
            }
            Divergence::Hellinger => {
                let (root_p, root_t) = (p.sqrt(), t.sqrt());
                // √p - √t = (p - t) / (√p + √t), which does not cancel.
                let sum = root_p + root_t;
                let apart = pick(sum == zero, zero, (p - t) / sum);
                let slope = pick(root_t == zero, half, half * apart / root_p);
                (half * apart * apart, slope)
            }
            Divergence::Psi => {
                let log = ratio_log(p, t);
                let equal = p == t;
                let slope = log + (p - t) / p;
                (pick(equal, zero, (p - t) * log), pick(equal, zero, slope))
            }
        }
    }
}

impl Rowwise<1> for Divergence {
    const CARD: Card = JS_DIV;

    fn new(args: &Args) -> Divergence {
        match args.card().name {
            "generalized_kl" => Divergence::GeneralizedKl,
            "generalized_jsd" => Divergence::Mixture { beta: args.number(&BETA) },
            "tv_distance" => Divergence::TotalVariation,
            "hellinger" => Divergence::Hellinger,
            "psi" => Divergence::Psi,
            _ => Divergence::Mixture { beta: 0.5 },
        }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Row(t) = target else { return R::of(f64::NAN) };
        let mut value = R::of(0.0);
        for (c, slope) in slope.iter_mut().enumerate() {
            let (term, steep) = self.term(x[c], t[c]);
            value = value + term;
            *slope = steep;
        }
        value
    }
}

struct ReverseKl;

impl Rowwise<1> for ReverseKl {
    const SOFTMAX: bool = true;
    const CARD: Card = Card {
        name: "reverse_kl",
        title: "Reverse Kullback-Leibler divergence",
        summary: "The Kullback-Leibler divergence of the softmax of the logits from the target: it seeks one mode.",
        formula: r"\sum_c q_c \ln \frac{q_c}{t_c},\quad q = \mathrm{softmax}(p)",
        inputs: &[LOGITS, TEACHER],
        kinks: "infinite where the target is 0 and the softmax is not",
        use_case: "distillation of language models, where the student should not spread over modes it cannot hold",
        activation: "none: raw logits, softmax is inside",
        outliers: "yes: without bound where the target is near 0",
        source: "Gu et al., MiniLLM, 2024; Agarwal et al., GKD, 2024",
        aliases: &["reverse_kl_div"],
        example: r#"{"predictions": [[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]], "targets": [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]}"#,
        ..OF_PROBABILITIES
    };

    fn new(_args: &Args) -> ReverseKl {
        ReverseKl
    }

    #[inline(always)]
    fn after_softmax<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        Softmax { largest, log_sum }: Softmax<R>,
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Row(t) = target else { return R::of(f64::NAN) };
        let shares = &*slope;
        let excess = |c: usize| gap(x[c], largest) - log_sum - t[c].ln();
        let value = sum_over(x.len(), |c| product_or_zero(shares[c], excess(c)));
        if value == R::of(f64::INFINITY) {
            // What is impossible is to be left, for anything that is not.
            for (c, slope) in slope.iter_mut().enumerate() {
                let side = pick(t[c] == R::of(0.0), value, -value);
                *slope = product_or_zero(*slope, side);
            }
            return value;
        }
        for (c, slope) in slope.iter_mut().enumerate() {
            *slope = product_or_zero(*slope, excess(c) - value);
        }
        value
    }
}

struct Wasserstein1d;

impl Rowwise<1> for Wasserstein1d {
    const CARD: Card = Card {
        name: "wasserstein_1d",
        title: "Wasserstein distance on a line",
        summary: "The mass times distance that turns one distribution over ordered classes into another.",
        formula: r"\sum_{c < C} \left|\sum_{k \le c} (p_k - t_k)\right|",
        kinks: "0 where cumulative sums are equal; the last sum, always 1 against 1, is left out",
        tasks: &[Task::Distillation, Task::Ordinal],
        use_case: "distributions over ordered classes, drift of histograms",
        outliers: "no: at most the number of classes less one",
        source: "scipy.stats.wasserstein_distance with the classes as values",
        aliases: &["earth_mover_1d", "emd"],
        example: r#"{"predictions": [[0.12, 0.28, 0.35, 0.25], [0.5, 0.3, 0.15, 0.05]], "targets": [[0.1, 0.31, 0.4, 0.19], [0.4, 0.35, 0.19, 0.06]]}"#,
        ..OF_PROBABILITIES
    };

    fn new(_args: &Args) -> Wasserstein1d {
        Wasserstein1d
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Row(t) = target else { return R::of(f64::NAN) };
        let (mut apart, mut value) = (R::of(0.0), R::of(0.0));
        let last = x.len().saturating_sub(1);
        for c in 0..last {
            apart = apart + (x[c] - t[c]);
            value = value + apart.abs();
            slope[c] = apart.sign();
        }
        for c in (1..last).rev() {
            slope[c - 1] = slope[c - 1] + slope[c];
        }
        value
    }
}
