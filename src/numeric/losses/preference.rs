//! Preference: which of two answers people like better, or whether they like one.
//!
//! Inputs are log-probabilities of whole answers under the policy that is trained and under a
//! fixed reference, or rewards. Every input gets a gradient, the reference's too.

use crate::numeric::args::Args;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::pointwise_in_double::<Against, _, _>().described(DPO),
    Loss::pointwise_in_double::<Against, _, _>().described(ROBUST_DPO),
    Loss::pointwise_in_double::<Against, _, _>().described(IPO),
    Loss::pointwise_in_double::<Against, _, _>().described(DPO_HINGE),
    Loss::pointwise_in_double::<PairLogistic, _, _>().described(SIMPO),
    Loss::pointwise_in_double::<Orpo, _, _>(),
    Loss::pointwise_in_double::<Kto, _, _>(),
    Loss::pointwise_in_double::<PairLogistic, _, _>().described(BRADLEY_TERRY),
];

/// The card of BPR, which stands with the other rankings.
pub(super) const BPR_LOSS: Loss = Loss::pointwise_in_double::<PairLogistic, _, _>().described(BPR);

const fn log_probability(name: &'static str, doc: &'static str) -> Input {
    Input { name, doc, ..Input::PREDICTIONS }
}

const POLICY_CHOSEN: Input =
    log_probability("policy_chosen", "log-probability of the better answer under the policy");
const POLICY_REJECTED: Input =
    log_probability("policy_rejected", "log-probability of the other answer under the policy");
const REFERENCE_CHOSEN: Input =
    log_probability("reference_chosen", "log-probability of the better answer under the reference");
const REFERENCE_REJECTED: Input = log_probability(
    "reference_rejected",
    "log-probability of the other answer under the reference",
);

const BETA: Param = Param::number(
    "beta",
    0.1,
    Bounds::POSITIVE,
    "how strongly the policy is held to the reference: the factor on differences",
);
const LABEL_SMOOTHING: Param = Param::number(
    "label_smoothing",
    0.0,
    Bounds { max: 0.499_999, ..Bounds::UNIT },
    "the share of pairs whose preference is the wrong way round, below 1/2",
);

const DPO: Card = Card {
    name: "dpo",
    title: "Direct preference optimization",
    summary: "The negative log-likelihood of a preference, the policy's log-ratios to a reference standing for rewards.",
    formula: r"-(1 - s)\ln\sigma(\beta\Delta) - s\ln\sigma(-\beta\Delta),\quad \Delta = (\pi_c - \pi_r) - (\rho_c - \rho_r)",
    inputs: &[POLICY_CHOSEN, POLICY_REJECTED, REFERENCE_CHOSEN, REFERENCE_REJECTED],
    params: &[BETA, LABEL_SMOOTHING],
    tasks: &[Task::Preference],
    use_case: "aligning language models with pairs of answers",
    activation: "log-probabilities of whole answers, summed over their tokens",
    outliers: "partly: linear in the difference on the wrong side",
    source: "Rafailov et al., Direct preference optimization, 2023; TRL DPOTrainer sigmoid, torchtune DPOLoss",
    differences: &[
        "label_smoothing is that of cDPO, as in torchtune; TRL has dropped it from sigmoid",
    ],
    aliases: &["cdpo"],
    example: r#"{"policy_chosen": [-12.4, -30.1, -8.75], "policy_rejected": [-14.9, -28.6, -11.2], "reference_chosen": [-13.1, -29.8, -9.5], "reference_rejected": [-14.2, -29.4, -10.6]}"#,
    ..Card::PAIR
};

const ROBUST_DPO: Card = Card {
    name: "robust_dpo",
    title: "Robust DPO",
    summary: "DPO made unbiased for preferences of which a known share is flipped.",
    formula: r"\frac{-(1 - s)\ln\sigma(\beta\Delta) + s\ln\sigma(-\beta\Delta)}{1 - 2s}",
    outliers: "partly: linear in the difference, and not bounded below",
    source: "Chowdhury et al., Provably robust DPO, 2024; TRL robust",
    differences: &[],
    aliases: &["rdpo"],
    example: r#"{"policy_chosen": [-12.4, -30.1, -8.75], "policy_rejected": [-14.9, -28.6, -11.2], "reference_chosen": [-13.1, -29.8, -9.5], "reference_rejected": [-14.2, -29.4, -10.6]}"#,
    ..DPO
};

const IPO: Card = Card {
    name: "ipo",
    title: "Identity preference optimization",
    summary: "The squared distance of the log-ratios' difference from the margin 1 / (2 beta).",
    formula: r"\left(\Delta - \frac1{2\beta}\right)^2",
    params: &[BETA],
    outliers: "yes: differences are squared",
    source: "Azar et al., A general theoretical paradigm to understand learning from human preferences, 2023",
    differences: &[
        "TRL averages log-probabilities over tokens before this; here the caller chooses what to send",
    ],
    aliases: &[],
    example: r#"{"policy_chosen": [-12.4, -30.1, -8.75], "policy_rejected": [-14.9, -28.6, -11.2], "reference_chosen": [-13.1, -29.8, -9.5], "reference_rejected": [-14.2, -29.4, -10.6]}"#,
    ..DPO
};

const DPO_HINGE: Card = Card {
    name: "dpo_hinge",
    title: "DPO with a hinge (SLiC)",
    summary: "How far the scaled difference of log-ratios falls short of 1.",
    formula: r"\max(0,\ 1 - \beta\Delta)",
    params: &[BETA],
    kinks: "0 exactly at the margin",
    source: "Zhao et al., SLiC-HF, 2023; TRL hinge, torchtune RSOLoss",
    differences: &[],
    aliases: &["slic"],
    example: r#"{"policy_chosen": [-12.4, -30.1, -8.75], "policy_rejected": [-14.9, -28.6, -11.2], "reference_chosen": [-13.1, -29.8, -9.5], "reference_rejected": [-14.2, -29.4, -10.6]}"#,
    ..DPO
};

/// A function of the difference between two log-ratios.
enum Against {
    Logistic { beta: f64, right: f64, flipped: f64 },
    Squared { margin: f64 },
    Hinge { beta: f64 },
}

impl Pointwise<4, 4> for Against {
    const CARD: Card = DPO;

    fn new(args: &Args) -> Against {
        let beta = args.number(&BETA);
        match args.card().name {
            "ipo" => Against::Squared { margin: 0.5 / beta },
            "dpo_hinge" => Against::Hinge { beta },
            "robust_dpo" => {
                let flipped = args.number(&LABEL_SMOOTHING);
                let unbiased = 1.0 / (1.0 - 2.0 * flipped);
                Against::Logistic {
                    beta,
                    right: (1.0 - flipped) * unbiased,
                    flipped: -flipped * unbiased,
                }
            }
            _ => {
                let flipped = args.number(&LABEL_SMOOTHING);
                Against::Logistic { beta, right: 1.0 - flipped, flipped }
            }
        }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [chosen, rejected, ref_chosen, ref_rejected]: [R; 4]) -> (R, [R; 4]) {
        let difference = (chosen - rejected) - (ref_chosen - ref_rejected);
        let (value, slope) = match *self {
            Against::Logistic { beta, right, flipped } => {
                let (beta, right, flipped) = (R::of(beta), R::of(right), R::of(flipped));
                let (value, slope) = (beta * difference).binary_cross_entropy(right, flipped);
                (value, beta * slope)
            }
            Against::Squared { margin } => {
                let apart = difference - R::of(margin);
                (apart * apart, apart + apart)
            }
            Against::Hinge { beta } => {
                let (zero, beta) = (R::of(0.0), R::of(beta));
                let violation = R::of(1.0) - beta * difference;
                (violation.at_least(0.0), pick(zero < violation, -beta, zero))
            }
        };
        (value, [slope, -slope, -slope, slope])
    }
}

const SIMPO_BETA: Param =
    Param::number("beta", 2.0, Bounds::POSITIVE, "a factor on the difference");
const SIMPO_GAMMA: Param =
    Param::number("gamma", 0.5, Bounds::ANY, "by how much the better answer should win");
const REWARD_MARGIN: Param =
    Param::number("margin", 0.0, Bounds::ANY, "by how much the better answer should win");

const SIMPO: Card = Card {
    name: "simpo",
    title: "Simple preference optimization",
    summary: "The negative log-likelihood of a preference by length-averaged log-probabilities, with a margin and no reference.",
    formula: r"-\ln\sigma\left(\beta(\pi_c - \pi_r) - \gamma\right)",
    inputs: &[POLICY_CHOSEN, POLICY_REJECTED],
    params: &[SIMPO_BETA, SIMPO_GAMMA],
    activation: "log-probabilities of whole answers, averaged over their tokens",
    source: "Meng et al., SimPO, 2024",
    differences: &["TRL's default of beta is 0.1"],
    aliases: &[],
    example: r#"{"policy_chosen": [-0.82, -1.35, -0.64], "policy_rejected": [-1.21, -1.18, -1.57]}"#,
    ..DPO
};

const BRADLEY_TERRY: Card = Card {
    name: "bradley_terry",
    title: "Bradley-Terry (reward model)",
    summary: "The negative log-likelihood of a preference by the rewards of two answers.",
    formula: r"\ln\left(1 + e^{r_r - r_c + \mathrm{margin}}\right)",
    inputs: &[
        log_probability("chosen", "reward of the better answer"),
        log_probability("rejected", "reward of the other answer"),
    ],
    params: &[REWARD_MARGIN],
    tasks: &[Task::Preference, Task::Ranking],
    use_case: "training reward models, rating players and models from pairs",
    activation: "linear",
    source: "Bradley and Terry, 1952; TRL RewardTrainer",
    differences: &[],
    aliases: &["reward_model", "pairwise_logistic"],
    example: r#"{"chosen": [1.8, 0.4, -0.3], "rejected": [0.6, 0.9, -1.1]}"#,
    ..DPO
};

const BPR: Card = Card {
    name: "bpr",
    title: "Bayesian personalized ranking",
    summary: "The negative log-likelihood that an item that was chosen scores above one that was not.",
    formula: r"\ln\left(1 + e^{n - p}\right)",
    inputs: &[
        log_probability("positive", "score of the item that was chosen"),
        log_probability("negative", "score of one that was not"),
    ],
    params: &[],
    tasks: &[Task::Ranking],
    use_case: "recommendation from implicit feedback",
    activation: "linear",
    source: "Rendle et al., BPR, 2009",
    differences: &[],
    aliases: &["bayesian_personalized_ranking"],
    example: r#"{"positive": [2.1, 0.7, 1.4], "negative": [0.3, 1.2, -0.5]}"#,
    ..DPO
};

/// The cost of a preference by the difference of two scores.
struct PairLogistic {
    scale: f64,
    shift: f64,
}

impl Pointwise<2, 2> for PairLogistic {
    const CARD: Card = BRADLEY_TERRY;

    fn new(args: &Args) -> PairLogistic {
        match args.card().name {
            "simpo" => {
                PairLogistic { scale: args.number(&SIMPO_BETA), shift: args.number(&SIMPO_GAMMA) }
            }
            "bradley_terry" => PairLogistic { scale: 1.0, shift: args.number(&REWARD_MARGIN) },
            _ => PairLogistic { scale: 1.0, shift: 0.0 },
        }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [winner, loser]: [R; 2]) -> (R, [R; 2]) {
        let scale = R::of(self.scale);
        let logistic = (scale * (winner - loser) - R::of(self.shift)).logistic();
        let slope = scale * logistic.no;
        (logistic.cost_of_yes, [-slope, slope])
    }
}

struct Orpo {
    beta: f64,
}

/// ln(1 - eˣ) for x below 0, without cancelling at either end.
#[inline(always)]
fn ln_1m_exp<R: Real>(x: R) -> R {
    let near = (-x.exp_m1()).ln();
    let far = (-x.exp()).ln_1p();
    pick(R::of(-std::f64::consts::LN_2) < x, near, far)
}

impl Pointwise<2, 2> for Orpo {
    const CARD: Card = Card {
        name: "orpo",
        title: "Odds ratio preference optimization",
        summary: "The negative log-likelihood of a preference by the ratio of the answers' odds: the term that ORPO adds to the likelihood.",
        formula: r"-\beta\ln\sigma\left(\ln\frac{e^{\pi_c}}{1 - e^{\pi_c}} - \ln\frac{e^{\pi_r}}{1 - e^{\pi_r}}\right)",
        inputs: &[
            Input { domain: Domain::Negative, ..POLICY_CHOSEN },
            Input { domain: Domain::Negative, ..POLICY_REJECTED },
        ],
        params: &[BETA],
        kinks: "undefined at a log-probability of 0",
        activation: "log-probabilities of whole answers, averaged over their tokens",
        source: "Hong et al., ORPO, 2024; TRL ORPOTrainer",
        differences: &[
            "the likelihood of the chosen answer, which ORPO adds, is left to the caller",
        ],
        aliases: &["odds_ratio"],
        example: r#"{"policy_chosen": [-0.82, -1.35, -0.64], "policy_rejected": [-1.21, -1.18, -1.57]}"#,
        ..DPO
    };

    fn new(args: &Args) -> Orpo {
        Orpo { beta: args.number(&BETA) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [chosen, rejected]: [R; 2]) -> (R, [R; 2]) {
        let beta = R::of(self.beta);
        let ratio = (chosen - rejected) - (ln_1m_exp(chosen) - ln_1m_exp(rejected));
        let logistic = ratio.logistic();
        // The slope of the log-odds in the log-probability is 1 / (1 - eˣ).
        let slope = beta * logistic.no;
        (beta * logistic.cost_of_yes, [slope / chosen.exp_m1(), -(slope / rejected.exp_m1())])
    }
}

const BASELINE: Param = Param::number(
    "baseline",
    0.0,
    Bounds::ANY,
    "the divergence of policy and reference, estimated on other pairs; below 0 it counts as 0",
);

struct Kto {
    beta: f64,
    baseline: f64,
}

impl Pointwise<3, 2> for Kto {
    const CARD: Card = Card {
        name: "kto",
        title: "Kahneman-Tversky optimization",
        summary: "How little an answer's log-ratio exceeds the baseline if it is desirable, or falls below it if not.",
        formula: r"\begin{cases} 1 - \sigma(\beta(r - z)) & t = 1 \\ 1 - \sigma(\beta(z - r)) & t = 0 \end{cases},\quad r = \pi - \rho",
        inputs: &[
            log_probability("policy", "log-probability of the answer under the policy"),
            log_probability("reference", "log-probability of the answer under the reference"),
            Input {
                domain: Domain::Binary,
                doc: "1 for a desirable answer, 0 for an undesirable one",
                ..Input::TARGETS
            },
        ],
        params: &[BETA, BASELINE],
        kinks: "smooth; the baseline counts as a constant",
        use_case: "aligning language models with answers marked good or bad",
        outliers: "no: between 0 and 1",
        source: "Ethayarajh et al., KTO, 2024; TRL KTOTrainer",
        differences: &["TRL's weights of desirable and undesirable answers are sample_weight here"],
        aliases: &["kahneman_tversky"],
        example: r#"{"policy": [-12.4, -30.1, -8.75, -21.6], "reference": [-13.1, -29.8, -9.5, -20.2], "targets": [1, 0, 1, 0]}"#,
        ..DPO
    };

    fn new(args: &Args) -> Kto {
        Kto { beta: args.number(&BETA), baseline: args.number(&BASELINE).max(0.0) }
    }

    #[inline(always)]
    fn at<R: Real>(&self, [policy, reference, t]: [R; 3]) -> (R, [R; 2]) {
        let beta = R::of(self.beta);
        let gain = (policy - reference) - R::of(self.baseline);
        let logistic = (beta * gain).logistic();
        let not_t = R::of(1.0) - t;
        let value = t * logistic.no + not_t * logistic.yes;
        let slope = beta * logistic.yes * logistic.no * (not_t - t);
        (value, [slope, -slope])
    }
}
