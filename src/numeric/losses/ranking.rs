//! Ranking: a list of items should be in the order of their relevances.

use super::preference::BPR_LOSS;
use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::batchwise::{
    Batchwise, STEPS_MAX, Work, bounded, rows_and_columns, rows_without_label,
};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick, product_or_zero};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::agree;
use crate::numeric::verbs::{descending, gap, log_sum_exp, sum_over};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::batchwise::<Listwise, _, _>().described(LIST_NET),
    Loss::batchwise::<Listwise, _, _>().described(RANKING_SOFTMAX),
    Loss::batchwise::<Listwise, _, _>().described(LIST_MLE),
    Loss::batchwise::<Listwise, _, _>().described(RANKNET),
    Loss::batchwise::<Listwise, _, _>().described(PAIRWISE_HINGE),
    Loss::batchwise::<Listwise, _, _>().described(LAMBDARANK),
    Loss::batchwise::<Listwise, _, _>().described(APPROX_NDCG),
    BPR_LOSS,
];

const MASK: Input = Input {
    name: "mask",
    shape: "[n, l]",
    domain: Domain::Binary,
    differentiable: false,
    optional: true,
    doc: "1 for an item that counts, 0 for padding",
    ..Input::PREDICTIONS
};

const LIST_NET: Card = Card {
    name: "list_net",
    title: "ListNet",
    summary: "The cross-entropy of the softmax of the scores against the softmax of the relevances.",
    formula: r"-\sum_i \mathrm{softmax}(t)_i \ln \mathrm{softmax}(p)_i",
    inputs: &[
        Input { shape: "[n, l]", doc: "scores of the items of each list", ..Input::PREDICTIONS },
        Input { shape: "[n, l]", doc: "relevances", ..Input::TARGETS },
        MASK,
    ],
    unreduced: "[n]",
    mean: "the number of lists; one that is masked altogether costs 0 and counts",
    tasks: &[Task::Ranking],
    use_case: "learning to rank lists: search, recommendation",
    activation: "linear",
    outliers: "partly: linear in the scores",
    source: "Cao et al., Learning to rank: from pairwise approach to listwise approach, 2007; allRank listNet",
    differences: &["ranking_softmax takes the relevances themselves as weights"],
    aliases: &[],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..Card::PAIR
};

const RANKING_SOFTMAX: Card = Card {
    name: "ranking_softmax",
    title: "Softmax over a list",
    summary: "The cross-entropy of the softmax of the scores, the relevances standing for weights.",
    formula: r"-\sum_i t_i \ln \mathrm{softmax}(p)_i",
    source: "optax.losses.ranking_softmax_loss, TF-Ranking SoftmaxLoss",
    differences: &[
        "relevances are not made to sum to 1",
        "optax leaves a list without any item out of its mean",
    ],
    aliases: &["softmax_ranking"],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..LIST_NET
};

const LIST_MLE: Card = Card {
    name: "list_mle",
    title: "ListMLE",
    summary: "The negative log-likelihood of the right order when items are drawn one after the other by the softmax of their scores.",
    formula: r"\sum_j \left[\ln \sum_{k \ge j} e^{p_{(k)}} - p_{(j)}\right]",
    source: "Xia et al., Listwise approach to learning to rank, 2008; allRank listMLE, TF-Ranking ListMLELoss",
    differences: &[
        "equal relevances are in the order of the list; allRank and TF-Ranking shuffle them",
    ],
    aliases: &["plackett_luce"],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..LIST_NET
};

const RANKNET: Card = Card {
    name: "ranknet",
    title: "RankNet (pairwise logistic)",
    summary: "The logistic cost of each pair of items whose scores should be in the order of their relevances.",
    formula: r"\sum_{t_i > t_j} \ln\left(1 + e^{p_j - p_i}\right)",
    outliers: "partly: linear in a wrong difference",
    source: "Burges et al., Learning to rank using gradient descent, 2005; XGBoost rank:pairwise, TF-Ranking PairwiseLogisticLoss",
    differences: &["the sum over pairs; allRank takes their mean"],
    aliases: &["rank:pairwise"],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..LIST_NET
};

const PAIRWISE_HINGE: Card = Card {
    name: "pairwise_hinge",
    title: "Pairwise hinge",
    summary: "How far each pair of items is from differing by 1 in the order of their relevances.",
    formula: r"\sum_{t_i > t_j} \max(0,\ 1 - (p_i - p_j))",
    kinks: "0 exactly at the margin",
    outliers: "partly: linear in a wrong difference",
    source: "Joachims, Optimizing search engines using clickthrough data, 2002; TF-Ranking PairwiseHingeLoss",
    differences: &["the sum over pairs"],
    aliases: &["ranking_hinge"],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..LIST_NET
};

const LAMBDARANK: Card = Card {
    name: "lambdarank",
    title: "LambdaRank",
    summary: "RankNet, each pair weighed by how much NDCG would change if the two items swapped places.",
    formula: r"\sum_{t_i > t_j} |\Delta\mathrm{NDCG}_{ij}| \ln\left(1 + e^{p_j - p_i}\right),\quad \mathrm{gain} = 2^t - 1,\ \mathrm{discount} = \log_2(1 + \mathrm{rank})",
    kinks: "the weights count as constants; equal scores rank in the order of the list",
    outliers: "partly: linear in a wrong difference",
    source: "Burges, From RankNet to LambdaRank to LambdaMART, 2010; LightGBM lambdarank, XGBoost rank:ndcg, allRank lambdaLoss",
    differences: &[
        "the sum over pairs with natural logarithms; LightGBM also divides by the scores' difference and normalises",
        "a list without relevant items costs 0",
    ],
    aliases: &["rank:ndcg"],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..LIST_NET
};

const TEMPERATURE: Param = Param::number(
    "temperature",
    1.0,
    Bounds::POSITIVE,
    "how soft ranks are: the smaller, the nearer to the ranks themselves",
);

const APPROX_NDCG: Card = Card {
    name: "approx_ndcg",
    title: "ApproxNDCG",
    summary: "The negative NDCG of soft ranks, in which each item is counted by a sigmoid.",
    formula: r"-\frac{1}{\mathrm{IDCG}} \sum_i \frac{2^{t_i} - 1}{\log_2(1 + r_i)},\quad r_i = \tfrac12 + \sum_j \sigma\left(\frac{p_j - p_i}{T}\right)",
    params: &[TEMPERATURE],
    outliers: "no: between -1 and 0",
    source: "Qin et al., A general approximation framework for direct optimization of IR measures, 2010; allRank approxNDCGLoss",
    differences: &[
        "TF-Ranking has temperature 0.1; allRank's alpha is the inverse",
        "a list without relevant items costs 0",
    ],
    aliases: &[],
    example: r#"{"predictions": [[2.1, 0.3, -0.5, 1.2], [0.4, 1.5, 0.2, -0.7], [-0.2, 0.8, 1.1, 0.1]], "targets": [[3, 1, 0, 2], [0, 2, 1, 0], [1, 0, 3, 0]]}"#,
    ..LIST_NET
};

/// A loss of a list.
enum Listwise {
    ListNet,
    Softmax,
    ListMle,
    RankNet,
    Hinge,
    LambdaRank,
    ApproxNdcg { temperature: f64 },
}

/// The items of each list that count.
struct Lists {
    length: usize,
    items: Vec<Vec<usize>>,
}

impl Batchwise<2, 1> for Listwise {
    const CARD: Card = LIST_NET;

    type Plan = Lists;

    fn new(args: &Args) -> Listwise {
        match args.card().name {
            "ranking_softmax" => Listwise::Softmax,
            "list_mle" => Listwise::ListMle,
            "ranknet" => Listwise::RankNet,
            "pairwise_hinge" => Listwise::Hinge,
            "lambdarank" => Listwise::LambdaRank,
            "approx_ndcg" => Listwise::ApproxNdcg { temperature: args.number(&TEMPERATURE) },
            _ => Listwise::ListNet,
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Lists, Elements<T>), Fault> {
        let predictions = job.real(0)?;
        let (rows, length) = rows_and_columns(job, 0)?;
        agree("targets", &job.real(1)?.shape, "predictions", &predictions.shape)?;
        let mask = job.optional(2)?;
        if let Some(mask) = mask {
            agree("mask", &mask.shape, "predictions", &predictions.shape)?;
        }
        let counts = |at: usize| mask.is_none_or(|mask| T::of(0.5) < mask.values[at]);
        if !matches!(self, Listwise::ListNet | Listwise::Softmax) {
            let pairs = [rows, length, length];
            bounded("predictions", "pairs of items", &pairs, STEPS_MAX / 4)?;
        }
        let items = (0..rows).map(|row| (0..length).filter(|k| counts(row * length + k)).collect());
        let mut elements = Elements::plain(vec![rows]);
        elements.missing = rows_without_label(job, rows);
        Ok((Lists { length, items: items.collect() }, elements))
    }

    fn batch<R: Real>(&self, plan: &Lists, [p, t]: [&[R]; 2], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let kept = plan.items.iter().enumerate().filter(|(row, _)| work.keep[*row]);
        for (row, items) in wanted(kept) {
            if items.is_empty() {
                continue;
            }
            let start = row * plan.length;
            let scores: Vec<R> = items.iter().map(|&k| p[start + k]).collect();
            let relevances: Vec<R> = items.iter().map(|&k| t[start + k]).collect();
            let mut slope = vec![R::of(0.0); items.len()];
            work.losses[row] = match *self {
                Listwise::ListNet => list_net(&scores, &relevances, &mut slope),
                Listwise::Softmax => cross_entropy(&scores, &relevances, &mut slope),
                Listwise::ListMle => list_mle(&scores, &relevances, &mut slope),
                Listwise::RankNet => pairs(&scores, &relevances, &mut slope, |_, _| R::of(1.0)),
                Listwise::Hinge => hinge(&scores, &relevances, &mut slope),
                Listwise::LambdaRank => lambdarank(&scores, &relevances, &mut slope),
                Listwise::ApproxNdcg { temperature } => {
                    approx_ndcg(&scores, &relevances, R::of(temperature), &mut slope)
                }
            };
            for (&k, &s) in items.iter().zip(&slope) {
                slopes[start + k] = s * work.factor[row];
            }
        }
    }
}

/// The cross-entropy of the softmax of scores, with weights.
fn cross_entropy<R: Real>(scores: &[R], weights: &[R], slope: &mut [R]) -> R {
    let sum = log_sum_exp(scores.len(), |i| scores[i]);
    let total = sum_over(weights.len(), |i| weights[i]);
    for (i, slope) in slope.iter_mut().enumerate() {
        *slope = total * gap(scores[i], sum).exp() - weights[i];
    }
    sum_over(scores.len(), |i| product_or_zero(weights[i], -gap(scores[i], sum)))
}

fn list_net<R: Real>(scores: &[R], relevances: &[R], slope: &mut [R]) -> R {
    let sum = log_sum_exp(relevances.len(), |i| relevances[i]);
    let shares: Vec<R> = relevances.iter().map(|&t| gap(t, sum).exp()).collect();
    cross_entropy(scores, &shares, slope)
}

fn list_mle<R: Real>(scores: &[R], relevances: &[R], slope: &mut [R]) -> R {
    let order = descending(relevances);
    let mut value = R::of(0.0);
    // The log-sum-exp of each item and those after it.
    for first in wanted(0..order.len()) {
        let rest = &order[first..];
        let sum = log_sum_exp(rest.len(), |k| scores[rest[k]]);
        value = value - gap(scores[rest[0]], sum);
        for &i in rest {
            slope[i] = slope[i] + gap(scores[i], sum).exp();
        }
        slope[rest[0]] = slope[rest[0]] - R::of(1.0);
    }
    value
}

/// The logistic cost of each pair in the wrong order, with a weight.
fn pairs<R: Real>(
    scores: &[R],
    relevances: &[R],
    slope: &mut [R],
    weight: impl Fn(usize, usize) -> R,
) -> R {
    let mut value = R::of(0.0);
    for i in wanted(0..scores.len()) {
        for j in (0..scores.len()).filter(|&j| relevances[j] < relevances[i]) {
            let logistic = (scores[i] - scores[j]).logistic();
            let weight = weight(i, j);
            value = value + weight * logistic.cost_of_yes;
            slope[i] = slope[i] - weight * logistic.no;
            slope[j] = slope[j] + weight * logistic.no;
        }
    }
    value
}

fn hinge<R: Real>(scores: &[R], relevances: &[R], slope: &mut [R]) -> R {
    let (zero, one) = (R::of(0.0), R::of(1.0));
    let mut value = zero;
    for i in wanted(0..scores.len()) {
        for j in (0..scores.len()).filter(|&j| relevances[j] < relevances[i]) {
            let violation = one - (scores[i] - scores[j]);
            let active = pick(zero < violation, one, zero);
            value = value + violation.at_least(0.0);
            slope[i] = slope[i] - active;
            slope[j] = slope[j] + active;
        }
    }
    value
}

/// What each item adds to the DCG at rank 1, and the DCG of the best order.
fn gains<R: Real>(relevances: &[R]) -> (Vec<R>, R) {
    let ln_2 = R::of(std::f64::consts::LN_2);
    let gains: Vec<R> = relevances.iter().map(|&t| (t * ln_2).exp_m1()).collect();
    let best = descending(relevances);
    let ideal = sum_over(best.len(), |rank| gains[best[rank]] / discount(R::of((rank + 1) as f64)));
    (gains, ideal)
}

/// log2(1 + rank)
fn discount<R: Real>(rank: R) -> R {
    rank.ln_1p() / R::of(std::f64::consts::LN_2)
}

fn lambdarank<R: Real>(scores: &[R], relevances: &[R], slope: &mut [R]) -> R {
    let (gains, ideal) = gains(relevances);
    if ideal == R::of(0.0) {
        return ideal;
    }
    let mut discounts = vec![R::of(1.0); scores.len()];
    for (rank, &i) in descending(scores).iter().enumerate() {
        discounts[i] = discount(R::of((rank + 1) as f64));
    }
    let one = R::of(1.0);
    let change = |i: usize, j: usize| {
        let apart = one / discounts[i] - one / discounts[j];
        ((gains[i] - gains[j]) * apart / ideal).abs()
    };
    pairs(scores, relevances, slope, change)
}

fn approx_ndcg<R: Real>(scores: &[R], relevances: &[R], temperature: R, slope: &mut [R]) -> R {
    let (gains, ideal) = gains(relevances);
    if ideal == R::of(0.0) {
        return ideal;
    }
    let mut value = R::of(0.0);
    for i in wanted(0..scores.len()) {
        let against = |j: usize| ((scores[j] - scores[i]) / temperature).logistic();
        let half = R::of(0.5);
        let rank = half + sum_over(scores.len(), |j| if i == j { half } else { against(j).yes });
        let discount = discount(rank);
        value = value - gains[i] / (ideal * discount);
        // The slope of the value in this rank.
        let ln_2 = R::of(std::f64::consts::LN_2);
        let steep = gains[i] / (ideal * discount * discount * ln_2 * (R::of(1.0) + rank));
        for j in (0..scores.len()).filter(|&j| j != i) {
            let logistic = against(j);
            let moving = steep * logistic.yes * logistic.no / temperature;
            slope[j] = slope[j] + moving;
            slope[i] = slope[i] - moving;
        }
    }
    value
}
