//! Embeddings with labels: samples of one label should be near each other, others far.

use super::contrastive::{CONTRAST, EMBEDDINGS, TEMPERATURE, bounded_table};
use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param};
use crate::numeric::drive::batchwise::{Batchwise, Work, rows_and_columns, rows_without_label};
use crate::numeric::drive::targets::no_such_class;
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::pairs::{Table, Units};
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::agree;
use crate::numeric::verbs::{gap, log_add, log_sum_exp, sum_over};

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::batchwise::<ByLabel, _, _>().described(SUP_CON),
    Loss::batchwise::<ByLabel, _, _>().described(MULTI_SIMILARITY),
    Loss::batchwise::<ByLabel, _, _>().described(CIRCLE),
    Loss::batchwise::<ByLabel, _, _>().described(LIFTED_STRUCTURE),
    Loss::batchwise::<ProxyAnchor, _, _>(),
];

const LABELS: Input = Input {
    shape: "[n]",
    domain: Domain::Label,
    doc: "a label per row; rows of the same label belong together",
    ..Input::TARGETS
};
/// What losses of labelled embeddings have in common.
const LABELLED: Card = Card {
    inputs: &[EMBEDDINGS, LABELS],
    use_case: "metric learning with labels: faces, products, retrieval",
    kinks: "smooth; a vector of length 0 has the cosine 0 with all, and no gradient",
    ..CONTRAST
};

const SUP_CON: Card = Card {
    name: "sup_con",
    title: "Supervised contrastive",
    summary: "For each row, the mean cross-entropy of finding the rows of its label among all others.",
    formula: r"-\frac{1}{|P(i)|} \sum_{j \in P(i)} \ln \frac{e^{s_{ij}/T}}{\sum_{k \ne i} e^{s_{ik}/T}},\quad s = \cos",
    params: &[TEMPERATURE],
    source: "Khosla et al., Supervised contrastive learning, 2020; pytorch-metric-learning SupConLoss",
    differences: &[
        "a row without another of its label costs 0 and counts; pytorch-metric-learning leaves it out of the mean, and has temperature 0.1",
        "the original multiplies by the temperature over a base temperature",
        "a row whose label is missing is left out altogether, also as a negative",
    ],
    aliases: &["supervised_contrastive"],
    example: r#"{"predictions": [[0.9, 0.4, 0.2], [0.6, 0.2, 0.7], [0.3, 0.9, 0.4], [0.5, 0.6, 0.2]], "targets": [0, 0, 1, 1]}"#,
    ..LABELLED
};

const MS_ALPHA: Param =
    Param::number("alpha", 2.0, Bounds::POSITIVE, "how sharply the farthest positives count");
const MS_BETA: Param =
    Param::number("beta", 50.0, Bounds::POSITIVE, "how sharply the nearest negatives count");
const MS_BASE: Param =
    Param::number("base", 0.5, Bounds::ANY, "the similarity that divides near from far");

const MULTI_SIMILARITY: Card = Card {
    name: "multi_similarity",
    title: "Multi-similarity",
    summary: "Soft maxima of how far positives fall below a similarity and negatives exceed it.",
    formula: r"\frac1\alpha \ln\left(1 + \sum_{j \in P(i)} e^{-\alpha(s_{ij} - \lambda)}\right) + \frac1\beta \ln\left(1 + \sum_{j \in N(i)} e^{\beta(s_{ij} - \lambda)}\right)",
    params: &[MS_ALPHA, MS_BETA, MS_BASE],
    source: "Wang et al., Multi-similarity loss with general pair weighting, 2019; pytorch-metric-learning",
    differences: &[
        "all pairs count; the paper's mining of pairs is left to the caller",
        "a row whose label is missing is left out altogether, also as a negative",
    ],
    aliases: &["ms_loss"],
    example: r#"{"predictions": [[0.9, 0.4, 0.2], [0.6, 0.2, 0.7], [0.3, 0.9, 0.4], [0.5, 0.6, 0.2]], "targets": [0, 0, 1, 1]}"#,
    ..LABELLED
};

const CIRCLE_MARGIN: Param =
    Param::number("margin", 0.4, Bounds::ANY, "the relaxation of both optima");
const CIRCLE_GAMMA: Param =
    Param::number("gamma", 80.0, Bounds::POSITIVE, "the factor on similarities");

const CIRCLE: Card = Card {
    name: "circle",
    title: "Circle",
    summary: "A soft maximum of negatives' and positives' similarities, each weighed by how far it is from its optimum.",
    formula: r"\ln\left(1 + \sum_{j \in N} e^{\gamma\,[s_j + m]_+ (s_j - m)} \sum_{k \in P} e^{-\gamma\,[1 + m - s_k]_+ (s_k - 1 + m)}\right)",
    params: &[CIRCLE_MARGIN, CIRCLE_GAMMA],
    kinks: "the weights in brackets count as constants, as in the paper",
    source: "Sun et al., Circle loss, 2020; pytorch-metric-learning CircleLoss, Keras Circle",
    differences: &[
        "a row without positives or without negatives costs 0 and counts",
        "a row whose label is missing is left out altogether, also as a negative",
    ],
    aliases: &[],
    example: r#"{"predictions": [[0.9, 0.4, 0.2], [0.6, 0.2, 0.7], [0.3, 0.9, 0.4], [0.5, 0.6, 0.2]], "targets": [0, 0, 1, 1]}"#,
    ..LABELLED
};

const NEG_MARGIN: Param = Param::number(
    "neg_margin",
    1.0,
    Bounds::ANY,
    "the similarity that negatives should stay below",
);
const POS_MARGIN: Param =
    Param::number("pos_margin", 0.0, Bounds::ANY, "the similarity that positives should exceed");

const LIFTED_STRUCTURE: Card = Card {
    name: "lifted_structure",
    title: "Lifted structure",
    summary: "For each positive pair, half the squared violation by the pair and a soft maximum of the negatives of both.",
    formula: r"\sum_{j \in P(i)} \tfrac12 \left[\ln \sum_{k \in N(i)} e^{s_{ik} - m_n} + \ldots_{N(j)} + m_p - s_{ij}\right]_+^2",
    params: &[NEG_MARGIN, POS_MARGIN],
    mean: "the number of positive pairs; of rows where there is none, whose loss is 0",
    kinks: "0 where a pair is not violated",
    outliers: "yes: violations are squared",
    source: "Oh Song et al., Deep metric learning via lifted structured feature embedding, 2016; pytorch-metric-learning LiftedStructureLoss with cosine similarity",
    differences: &[
        "the paper takes distances; here cosine similarities stand for them",
        "without negatives a pair costs 0",
        "a row whose label is missing is left out altogether, also as a negative",
    ],
    aliases: &["lifted_struct"],
    example: r#"{"predictions": [[0.9, 0.4, 0.2], [0.6, 0.2, 0.7], [0.3, 0.9, 0.4], [0.5, 0.6, 0.2]], "targets": [0, 0, 1, 1]}"#,
    ..LABELLED
};

/// A loss of each row by the similarities with all rows of the batch.
enum ByLabel {
    SupCon { scale: f64 },
    MultiSimilarity { alpha: f64, beta: f64, base: f64 },
    Circle { margin: f64, gamma: f64 },
    LiftedStructure { neg_margin: f64, pos_margin: f64 },
}

/// The labels, and the size of the embeddings.
struct Labelled {
    labels: Vec<i64>,
    length: usize,
    missing: Option<Vec<bool>>,
}

impl Labelled {
    fn new<T: Number>(job: &Job<T>, place: usize) -> Result<Labelled, Fault> {
        let (rows, length) = rows_and_columns(job, 0)?;
        let labels = job.whole(place)?;
        agree("targets", &labels.shape, "one per row of predictions", &[rows])?;
        let missing = rows_without_label(job, rows);
        Ok(Labelled { labels: labels.values.clone(), length, missing })
    }

    fn counts(&self, row: usize) -> bool {
        !self.missing.as_ref().is_some_and(|missing| missing[row])
    }

    /// The log-sum-exp of each row's similarities to rows of other labels, less a margin.
    fn crowds<R: Real>(&self, table: &Table<R>, margin: R) -> Vec<R> {
        let crowd = |i: usize| {
            let [_, different] = self.sides(i);
            log_sum_exp(different.len(), |k| table.at(i, different[k]) - margin)
        };
        (0..self.labels.len()).map(crowd).collect()
    }

    /// The other rows of the same label, and those of other labels.
    fn sides(&self, row: usize) -> [Vec<usize>; 2] {
        let others = (0..self.labels.len()).filter(|&j| j != row && self.counts(j));
        let (same, different) = others.partition(|&j| self.labels[j] == self.labels[row]);
        [same, different]
    }
}

impl Batchwise<1, 1> for ByLabel {
    const CARD: Card = SUP_CON;

    type Plan = Labelled;

    fn new(args: &Args) -> ByLabel {
        match args.card().name {
            "multi_similarity" => ByLabel::MultiSimilarity {
                alpha: args.number(&MS_ALPHA),
                beta: args.number(&MS_BETA),
                base: args.number(&MS_BASE),
            },
            "circle" => ByLabel::Circle {
                margin: args.number(&CIRCLE_MARGIN),
                gamma: args.number(&CIRCLE_GAMMA),
            },
            "lifted_structure" => ByLabel::LiftedStructure {
                neg_margin: args.number(&NEG_MARGIN),
                pos_margin: args.number(&POS_MARGIN),
            },
            _ => ByLabel::SupCon { scale: 1.0 / args.number(&TEMPERATURE) },
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Labelled, Elements<T>), Fault> {
        let plan = Labelled::new(job, 1)?;
        let rows = plan.labels.len();
        bounded_table("predictions", rows, rows, plan.length)?;
        let mut elements = Elements::plain(vec![rows]);
        elements.missing.clone_from(&plan.missing);
        if let ByLabel::LiftedStructure { .. } = self {
            let pairs: Vec<f64> = (0..rows).map(|i| plan.sides(i)[0].len() as f64).collect();
            let kept = |i: usize| plan.counts(i) && 0.0 < pairs[i];
            elements.mass = (0..rows).any(kept).then_some(pairs);
        }
        Ok((plan, elements))
    }

    fn batch<R: Real>(&self, plan: &Labelled, [x]: [&[R]; 1], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let rows = plan.labels.len();
        let units = Units::of(x, rows, plan.length);
        let scale = if let ByLabel::SupCon { scale } = *self { scale } else { 1.0 };
        let table = Table::of(&units, &units, R::of(scale));
        let mut pulls = table.zeros();
        // For pairs of positives: how near the negatives of each row are, and what that costs.
        let crowds = match *self {
            ByLabel::LiftedStructure { neg_margin, .. } => plan.crowds(&table, R::of(neg_margin)),
            _ => Vec::new(),
        };
        let mut crowding = vec![R::of(0.0); crowds.len()];
        for i in wanted((0..rows).filter(|&i| work.keep[i])) {
            let [same, different] = plan.sides(i);
            let factor = work.factor[i];
            let mut give = |a: usize, b: usize, pull: R| pulls.add(a, b, factor * pull);
            work.losses[i] = match *self {
                ByLabel::SupCon { .. } => sup_con(&table, i, [&same, &different], &mut give),
                ByLabel::MultiSimilarity { alpha, beta, base } => {
                    multi_similarity(&table, i, [&same, &different], [alpha, beta, base], &mut give)
                }
                ByLabel::Circle { margin, gamma } => {
                    circle(&table, i, [&same, &different], [margin, gamma], &mut give)
                }
                ByLabel::LiftedStructure { pos_margin, .. } => {
                    lifted(&table, i, &same, &crowds, pos_margin, &mut give, |k, pull| {
                        crowding[k] = crowding[k] + factor * pull;
                    })
                }
            };
        }
        if let ByLabel::LiftedStructure { neg_margin, .. } = *self {
            for i in (0..rows).filter(|&i| R::of(0.0) < crowding[i]) {
                for k in plan.sides(i)[1].iter().copied() {
                    let near = table.at(i, k) - R::of(neg_margin);
                    pulls.add(i, k, crowding[i] * gap(near, crowds[i]).exp());
                }
            }
        }
        pulls.pull_both(&units, slopes);
    }
}

fn sup_con<R: Real>(
    table: &Table<R>,
    i: usize,
    [same, different]: [&[usize]; 2],
    give: &mut impl FnMut(usize, usize, R),
) -> R {
    if same.is_empty() {
        return R::of(0.0);
    }
    let others: Vec<usize> = same.iter().chain(different).copied().collect();
    let sum = log_sum_exp(others.len(), |k| table.at(i, others[k]));
    let each = R::of(1.0 / same.len() as f64);
    for (k, &j) in others.iter().enumerate() {
        let wanted = pick(k < same.len(), each, R::of(0.0));
        give(i, j, gap(table.at(i, j), sum).exp() - wanted);
    }
    each * sum_over(same.len(), |k| sum - table.at(i, same[k]))
}

fn multi_similarity<R: Real>(
    table: &Table<R>,
    i: usize,
    sides: [&[usize]; 2],
    [alpha, beta, base]: [f64; 3],
    give: &mut impl FnMut(usize, usize, R),
) -> R {
    let mut value = R::of(0.0);
    for (side, steep) in sides.into_iter().zip([-alpha, beta]) {
        // A 0 at the end stands for the 1 in the logarithm.
        let score = |k: usize| {
            side.get(k).map_or(R::of(0.0), |&j| R::of(steep) * (table.at(i, j) - R::of(base)))
        };
        let sum = log_sum_exp(side.len() + 1, score);
        value = value + sum / R::of(steep.abs());
        for (k, &j) in side.iter().enumerate() {
            give(i, j, R::of(steep.signum()) * (score(k) - sum).exp());
        }
    }
    value
}

fn circle<R: Real>(
    table: &Table<R>,
    i: usize,
    [same, different]: [&[usize]; 2],
    [margin, gamma]: [f64; 2],
    give: &mut impl FnMut(usize, usize, R),
) -> R {
    if same.is_empty() || different.is_empty() {
        return R::of(0.0);
    }
    let (m, gamma) = (R::of(margin), R::of(gamma));
    let one = R::of(1.0);
    let pull_of_same =
        |k: usize| -(gamma * (one + m - table.at(i, same[k])).at_least(0.0).detached());
    let pull_of_different =
        |k: usize| gamma * (table.at(i, different[k]) + m).at_least(0.0).detached();
    let score_of_same = |k: usize| pull_of_same(k) * (table.at(i, same[k]) - one + m);
    let score_of_different = |k: usize| pull_of_different(k) * (table.at(i, different[k]) - m);
    let near = log_sum_exp(same.len(), score_of_same);
    let far = log_sum_exp(different.len(), score_of_different);
    let logistic = (near + far).logistic();
    for (k, &j) in same.iter().enumerate() {
        give(i, j, logistic.yes * (score_of_same(k) - near).exp() * pull_of_same(k));
    }
    for (k, &j) in different.iter().enumerate() {
        give(i, j, logistic.yes * (score_of_different(k) - far).exp() * pull_of_different(k));
    }
    logistic.cost_of_no
}

/// The pairs of a row with each row of its label; gives what each row's negatives cost.
fn lifted<R: Real>(
    table: &Table<R>,
    i: usize,
    same: &[usize],
    crowds: &[R],
    pos_margin: f64,
    give: &mut impl FnMut(usize, usize, R),
    mut crowd: impl FnMut(usize, R),
) -> R {
    let mut value = R::of(0.0);
    for &j in same {
        let sum = log_add(crowds[i], crowds[j]);
        if sum == R::of(f64::NEG_INFINITY) {
            continue;
        }
        let violation = (sum + R::of(pos_margin) - table.at(i, j)).at_least(0.0);
        value = value + R::of(0.5) * violation * violation;
        give(i, j, -violation);
        for row in [i, j] {
            crowd(row, violation * gap(crowds[row], sum).exp());
        }
    }
    value
}

const PROXY_MARGIN: Param =
    Param::number("margin", 0.1, Bounds::ANY, "the similarity around which pairs count");
const PROXY_ALPHA: Param =
    Param::number("alpha", 32.0, Bounds::POSITIVE, "how sharply the hardest samples count");

struct ProxyAnchor {
    margin: f64,
    alpha: f64,
}

/// The samples with their weights.
struct Proxied {
    samples: Labelled,
    proxies: usize,
    weights: Vec<f64>,
}

impl Batchwise<2, 2> for ProxyAnchor {
    const CARD: Card = Card {
        name: "proxy_anchor",
        title: "Proxy-anchor",
        summary: "Each class has a proxy: a soft maximum pulls the hardest samples of the class to it and pushes the nearest others away.",
        formula: r"\frac{1}{|P^+|} \sum_{p \in P^+} \ln\left(1 + \sum_{x \in X_p} e^{-\alpha(s_{xp} - m)}\right) + \frac{1}{|P|} \sum_p \ln\left(1 + \sum_{x \notin X_p} e^{\alpha(s_{xp} + m)}\right)",
        inputs: &[
            EMBEDDINGS,
            Input {
                name: "proxies",
                shape: "[c, d]",
                doc: "a vector per class",
                ..Input::PREDICTIONS
            },
            Input {
                shape: "[n]",
                domain: Domain::Class,
                doc: "the class of each row: the row of its proxy",
                ..Input::TARGETS
            },
        ],
        params: &[PROXY_MARGIN, PROXY_ALPHA],
        unreduced: "a scalar: one number for the batch",
        mean: "nothing: it is a mean over proxies already",
        source: "Kim et al., Proxy anchor loss for deep metric learning, 2020; pytorch-metric-learning ProxyAnchorLoss",
        differences: &[
            "sample weights are factors on the exponentials: a row of weight 2 is like two rows",
            "pytorch-metric-learning keeps the proxies itself",
        ],
        aliases: &[],
        example: r#"{"predictions": [[0.9, -0.3], [0.7, 0.1], [-0.2, 0.8], [0.1, 0.9]], "targets": [0, 0, 1, 1], "proxies": [[1.0, -0.4], [-0.3, 1.0]]}"#,
        ..LABELLED
    };

    type Plan = Proxied;

    fn new(args: &Args) -> ProxyAnchor {
        ProxyAnchor { margin: args.number(&PROXY_MARGIN), alpha: args.number(&PROXY_ALPHA) }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Proxied, Elements<T>), Fault> {
        let samples = Labelled::new(job, 2)?;
        let (proxies, length) = rows_and_columns(job, 1)?;
        let rows = samples.labels.len();
        bounded_table("predictions", rows, proxies, length)?;
        agree("proxies", &[proxies, length], "as wide as predictions", &[proxies, samples.length])?;
        let no_class = |&row: &usize| {
            samples.counts(row) && !(0..proxies as i64).contains(&samples.labels[row])
        };
        if let Some(row) = (0..rows).find(no_class) {
            return Err(no_such_class("targets", job.whole(2)?, row, proxies));
        }
        let (weights, elements) = Elements::of_batch(job, &[rows], |row| !samples.counts(row))?;
        Ok((Proxied { samples, proxies, weights }, elements))
    }

    fn batch<R: Real>(&self, plan: &Proxied, [x, proxies]: [&[R]; 2], work: Work<'_, R, 2>) {
        if !work.keep[0] {
            return;
        }
        let [slope_x, slope_p] = work.slopes;
        let rows = plan.samples.labels.len();
        let x = Units::of(x, rows, plan.samples.length);
        let proxies = Units::of(proxies, plan.proxies, plan.samples.length);
        let table = Table::of(&x, &proxies, R::of(1.0));
        let mut pulls = table.zeros();
        let counting = || (0..rows).filter(|&row| 0.0 < plan.weights[row]);
        let of_class = |row: usize, class: usize| plan.samples.labels[row] == class as i64;
        let with_samples =
            (0..plan.proxies).filter(|&class| counting().any(|row| of_class(row, class))).count();
        let mut value = R::of(0.0);
        for class in wanted(0..plan.proxies) {
            for (own, steep, share) in [
                (true, -self.alpha, 1.0 / with_samples as f64),
                (false, self.alpha, 1.0 / plan.proxies as f64),
            ] {
                let side: Vec<usize> =
                    counting().filter(|&row| of_class(row, class) == own).collect();
                if side.is_empty() {
                    continue;
                }
                let margin = R::of(if own { -self.margin } else { self.margin });
                let score = |k: usize| {
                    side.get(k).map_or(R::of(0.0), |&row| {
                        R::of(steep) * (table.at(row, class) + margin)
                            + R::of(plan.weights[row].ln())
                    })
                };
                let sum = log_sum_exp(side.len() + 1, score);
                value = value + R::of(share) * sum;
                for (k, &row) in side.iter().enumerate() {
                    let pull = R::of(share * steep) * (score(k) - sum).exp();
                    pulls.add(row, class, work.factor[0] * pull);
                }
            }
        }
        work.losses[0] = value;
        pulls.pull(&x, &proxies, [slope_x, slope_p]);
    }
}
