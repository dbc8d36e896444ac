//! Contrast within a batch: each sample against all others, two views of which belong together.

use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Bounds, Card, Domain, Input, Param, Task};
use crate::numeric::drive::batchwise::{
    Batchwise, PAIRS_MAX, STEPS_MAX, Work, bounded, rows_and_columns,
};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::pairs::{Table, Units};
use crate::numeric::real::Real;
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::agree;
use crate::numeric::verbs::{gap, log_sum_exp};

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::batchwise::<NtXent, _, _>(),
    Loss::batchwise::<InBatch, _, _>().described(INFO_NCE),
    Loss::batchwise::<InBatch, _, _>().described(CLIP),
    Loss::batchwise::<InBatch, _, _>().described(N_PAIR),
    Loss::batchwise::<InBatch, _, _>().described(SIGLIP),
];

/// A factor on similarities, by its inverse.
pub(super) const TEMPERATURE: Param = Param::number(
    "temperature",
    0.07,
    Bounds::POSITIVE,
    "what similarities are divided by: the smaller, the more the nearest one counts",
);
/// One vector per sample.
pub(super) const EMBEDDINGS: Input =
    Input { shape: "[n, d]", doc: "embeddings, one per row", ..Input::PREDICTIONS };
/// Vectors in pairs: row i of one belongs to row i of the other.
pub(super) const VIEWS: [Input; 2] = [
    Input { name: "input1", doc: "embeddings of one view, one per row", ..EMBEDDINGS },
    Input {
        name: "input2",
        doc: "embeddings of the other view: row i belongs to row i of input1",
        ..EMBEDDINGS
    },
];
/// What losses of a batch of embeddings have in common.
pub(super) const CONTRAST: Card = Card {
    tasks: &[Task::Embedding],
    unreduced: "[n]",
    mean: "the number of rows",
    use_case: "self-supervised and metric learning",
    activation: "linear; only the direction counts",
    outliers: "no",
    ..Card::PAIR
};

/// Refuses a table of similarities that is out of proportion to its request.
pub(super) fn bounded_table(
    input: &'static str,
    rows: usize,
    columns: usize,
    length: usize,
) -> Result<(), Fault> {
    bounded(input, "pairs of rows", &[rows, columns], PAIRS_MAX)?;
    bounded(input, "products of numbers", &[rows, columns, length], 4 * STEPS_MAX)
}

struct NtXent {
    temperature: f64,
}

impl Batchwise<1, 1> for NtXent {
    const CARD: Card = Card {
        name: "nt_xent",
        title: "Normalized temperature-scaled cross-entropy (SimCLR)",
        summary: "For each of two views of every sample, the cross-entropy of finding the other view among all others.",
        formula: r"-\ln \frac{e^{s_{i,i+n}/T}}{\sum_{k \ne i} e^{s_{ik}/T}},\quad s = \cos",
        inputs: &[Input {
            shape: "[2n, d]",
            doc: "embeddings; row i and row i + n are two views of one sample",
            ..EMBEDDINGS
        }],
        params: &[TEMPERATURE],
        unreduced: "[2n]",
        kinks: "smooth; a vector of length 0 has the cosine 0 with all, and no gradient",
        source: "Chen et al., SimCLR, 2020; optax.losses.ntxent, pytorch-metric-learning NTXentLoss",
        differences: &["MONAI has temperature 0.5"],
        aliases: &["simclr"],
        example: r#"{"predictions": [[0.9, 0.4, 0.3], [0.4, 0.8, 0.5], [0.7, 0.3, 0.6], [0.3, 0.6, 0.7]]}"#,
        ..CONTRAST
    };

    type Plan = (usize, usize);

    fn new(args: &Args) -> NtXent {
        NtXent { temperature: args.number(&TEMPERATURE) }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<((usize, usize), Elements<T>), Fault> {
        let (rows, length) = rows_and_columns(job, 0)?;
        if rows % 2 == 1 {
            let detail = format!("predictions has {rows} rows, which cannot be two views each");
            return Err(Fault::shape("predictions", detail)
                .hint("send the first views of all samples, then the second ones"));
        }
        bounded_table("predictions", rows, rows, length)?;
        Ok(((rows, length), Elements::plain(vec![rows])))
    }

    fn batch<R: Real>(&self, &(rows, length): &Self::Plan, [x]: [&[R]; 1], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let units = Units::of(x, rows, length);
        let table = Table::of(&units, &units, R::of(1.0 / self.temperature));
        let mut pulls = table.zeros();
        for i in wanted(0..rows) {
            let mate = (i + rows / 2) % rows;
            let off = R::of(f64::NEG_INFINITY);
            let score = |j: usize| if i == j { off } else { table.at(i, j) };
            let sum = log_sum_exp(rows, score);
            work.losses[i] = sum - score(mate);
            for j in 0..rows {
                let share = gap(score(j), sum).exp();
                let wanted = R::of(f64::from(u8::from(j == mate)));
                pulls.add(i, j, work.factor[i] * (share - wanted));
            }
        }
        pulls.pull_both(&units, slopes);
    }
}

const SIGLIP_SCALE: Param =
    Param::number("scale", 10.0, Bounds::POSITIVE, "the factor on inner products");
const SIGLIP_BIAS: Param =
    Param::number("bias", -10.0, Bounds::ANY, "what is added to inner products after the factor");

const INFO_NCE: Card = Card {
    name: "info_nce",
    title: "InfoNCE",
    summary: "The cross-entropy of finding a row's partner among all rows of the other view.",
    formula: r"-\ln \frac{e^{s_{ii}/T}}{\sum_k e^{s_{ik}/T}},\quad s = \cos",
    inputs: &VIEWS,
    params: &[TEMPERATURE],
    kinks: "smooth; a vector of length 0 has the cosine 0 with all, and no gradient",
    source: "van den Oord et al., Representation learning with contrastive predictive coding, 2018",
    differences: &["from input1 to input2 only; clip takes both ways"],
    aliases: &[],
    example: r#"{"input1": [[0.8, 0.1, 0.5], [0.2, 0.9, 0.1], [0.4, 0.3, 0.9]], "input2": [[0.7, 0.3, 0.4], [0.1, 0.8, 0.3], [0.6, 0.2, 0.7]]}"#,
    ..CONTRAST
};

const CLIP: Card = Card {
    name: "clip",
    title: "CLIP",
    summary: "The cross-entropy of finding a row's partner in the other view, both ways, halved.",
    formula: r"-\tfrac12 \ln \frac{e^{s_{ii}/T}}{\sum_k e^{s_{ik}/T}} - \tfrac12 \ln \frac{e^{s_{ii}/T}}{\sum_k e^{s_{ki}/T}}",
    use_case: "matching images and texts, or any two views",
    source: "Radford et al., Learning transferable visual models from natural language supervision, 2021; open_clip ClipLoss",
    differences: &[
        "open_clip takes normalised embeddings and a factor, the inverse of temperature",
    ],
    aliases: &["clip_contrastive"],
    example: r#"{"input1": [[0.8, 0.1, 0.5], [0.2, 0.9, 0.1], [0.4, 0.3, 0.9]], "input2": [[0.7, 0.3, 0.4], [0.1, 0.8, 0.3], [0.6, 0.2, 0.7]]}"#,
    ..INFO_NCE
};

const N_PAIR: Card = Card {
    name: "n_pair",
    title: "N-pair",
    summary: "The cross-entropy of finding a row's partner among all rows of the other view by inner products.",
    formula: r"-\ln \frac{e^{a_i \cdot b_i}}{\sum_k e^{a_i \cdot b_k}}",
    params: &[],
    kinks: "smooth everywhere",
    activation: "linear",
    source: "Sohn, Improved deep metric learning with multi-class N-pair loss objective, 2016",
    differences: &["the paper adds the squared lengths of the embeddings; here the caller does"],
    aliases: &["multiclass_n_pair"],
    example: r#"{"input1": [[0.8, 0.1, 0.5], [0.2, 0.9, 0.1], [0.4, 0.3, 0.9]], "input2": [[0.7, 0.3, 0.4], [0.1, 0.8, 0.3], [0.6, 0.2, 0.7]]}"#,
    ..INFO_NCE
};

const SIGLIP: Card = Card {
    name: "siglip",
    title: "SigLIP",
    summary: "Binary cross-entropy of whether each pair of rows belongs together.",
    formula: r"-\sum_j \ln\sigma\left(z_{ij}(s\,a_i \cdot b_j + b)\right),\quad z_{ij} = 2\,[i = j] - 1",
    inputs: &[
        Input { domain: Domain::UnitVector, ..VIEWS[0] },
        Input { domain: Domain::UnitVector, ..VIEWS[1] },
    ],
    params: &[SIGLIP_SCALE, SIGLIP_BIAS],
    kinks: "smooth everywhere",
    use_case: "matching images and texts, or any two views",
    activation: "L2-normalised",
    source: "Zhai et al., Sigmoid loss for language image pre-training, 2023; open_clip SigLipLoss",
    differences: &["embeddings are not normalised here, as in open_clip"],
    aliases: &["sigmoid_contrastive"],
    example: r#"{"input1": [[0.6, 0.8], [1, 0], [0.28, -0.96]], "input2": [[0.8, 0.6], [0.96, 0.28], [0, -1]]}"#,
    ..INFO_NCE
};

/// Two views of a batch, each row against all rows of the other.
enum InBatch {
    Rows { scale: f64 },
    Both { scale: f64 },
    Products,
    Sigmoid { scale: f64, bias: f64 },
}

impl Batchwise<2, 2> for InBatch {
    const CARD: Card = INFO_NCE;

    type Plan = (usize, usize);

    fn new(args: &Args) -> InBatch {
        match args.card().name {
            "clip" => InBatch::Both { scale: 1.0 / args.number(&TEMPERATURE) },
            "n_pair" => InBatch::Products,
            "siglip" => InBatch::Sigmoid {
                scale: args.number(&SIGLIP_SCALE),
                bias: args.number(&SIGLIP_BIAS),
            },
            _ => InBatch::Rows { scale: 1.0 / args.number(&TEMPERATURE) },
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<((usize, usize), Elements<T>), Fault> {
        let (rows, length) = rows_and_columns(job, 0)?;
        agree("input2", &job.real(1)?.shape, "input1", &job.real(0)?.shape)?;
        bounded_table("input1", rows, rows, length)?;
        Ok(((rows, length), Elements::plain(vec![rows])))
    }

    fn batch<R: Real>(
        &self,
        &(rows, length): &Self::Plan,
        [a, b]: [&[R]; 2],
        work: Work<'_, R, 2>,
    ) {
        let [slope_a, slope_b] = work.slopes;
        let (cosines, scale) = match *self {
            InBatch::Rows { scale } | InBatch::Both { scale } => (true, scale),
            InBatch::Products => (false, 1.0),
            InBatch::Sigmoid { scale, .. } => (false, scale),
        };
        let units = |x| {
            if cosines { Units::of(x, rows, length) } else { Units::unchanged(x, rows, length) }
        };
        let (a, b) = (units(a), units(b));
        let table = Table::of(&a, &b, R::of(scale));
        let turned = table.turned();
        let mut pulls = table.zeros();
        for i in wanted(0..rows) {
            let factor = work.factor[i];
            work.losses[i] = match *self {
                InBatch::Rows { .. } | InBatch::Products => {
                    one_of_row(&table, i, |j, pull| pulls.add(i, j, factor * pull))
                }
                InBatch::Both { .. } => {
                    let half = R::of(0.5);
                    let factor = half * factor;
                    let row = one_of_row(&table, i, |j, pull| pulls.add(i, j, factor * pull));
                    let column = one_of_row(&turned, i, |j, pull| pulls.add(j, i, factor * pull));
                    half * (row + column)
                }
                InBatch::Sigmoid { bias, .. } => {
                    let mut value = R::of(0.0);
                    for j in 0..rows {
                        let logistic = (table.at(i, j) + R::of(bias)).logistic();
                        let (cost, pull) = if i == j {
                            (logistic.cost_of_yes, -logistic.no)
                        } else {
                            (logistic.cost_of_no, logistic.yes)
                        };
                        value = value + cost;
                        pulls.add(i, j, factor * pull);
                    }
                    value
                }
            };
        }
        pulls.pull(&a, &b, [slope_a, slope_b]);
    }
}

/// The cross-entropy of finding column i in row i; gives each column's slope.
fn one_of_row<R: Real>(table: &Table<R>, i: usize, mut give: impl FnMut(usize, R)) -> R {
    let sum = log_sum_exp(table.columns(), |j| table.at(i, j));
    for j in 0..table.columns() {
        let wanted = R::of(f64::from(u8::from(i == j)));
        give(j, gap(table.at(i, j), sum).exp() - wanted);
    }
    sum - table.at(i, i)
}
