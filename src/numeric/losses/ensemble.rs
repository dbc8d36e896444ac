//! Proper scores of samples, quantiles and sets of intervals.

use super::scores::FORECAST;
use crate::numeric::args::Args;
use crate::numeric::cancel::wanted;
use crate::numeric::card::{Bounds, Card, Default, Input, Param, ParamKind, Task};
use crate::numeric::distance::norm;
use crate::numeric::drive::batchwise::{
    Batchwise, STEPS_MAX, Work, bounded, rows_and_columns, rows_without_label,
};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::fault::Fault;
use crate::numeric::job::Job;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};
use crate::numeric::reduce::Elements;
use crate::numeric::simd::Number;
use crate::numeric::tensor::{agree, show};
use crate::numeric::verbs::{descending, sum_over};

/// The losses of this file.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise_in_double::<CrpsEnsemble, _>(),
    Loss::rowwise_in_double::<CrpsQuantile, _>(),
    Loss::batchwise::<MultivariateScore, _, _>().described(ENERGY_SCORE),
    Loss::batchwise::<MultivariateScore, _, _>().described(VARIOGRAM_SCORE),
    Loss::batchwise::<WeightedIntervalScore, _, _>(),
];

const ESTIMATOR: Param = Param {
    name: "estimator",
    kind: ParamKind::Choice(&["nrg", "fair"]),
    default: Default::Word("nrg"),
    doc: "nrg divides the pairs of members by m², fair by m (m - 1), which is unbiased in the size of the ensemble",
};

/// One number per row of an ensemble.
const OBSERVED: Input =
    Input { shape: "[n]", per_row: true, doc: "what was observed", ..Input::TARGETS };

/// How much each ordered pair of members counts.
fn pair_share(fair: bool, members: usize) -> f64 {
    let m = members as f64;
    0.5 / if fair { m * (m - 1.0) } else { m * m }
}

struct CrpsEnsemble {
    fair: bool,
}

impl Rowwise<1> for CrpsEnsemble {
    const CARD: Card = Card {
        name: "crps_ensemble",
        title: "CRPS of an ensemble",
        summary: "The continuous ranked probability score of a sample: mean distance to what was observed, less half the mean distance of members.",
        formula: r"\frac1M \sum_i |p_i - t| - \frac1{2M^2} \sum_{i,j} |p_i - p_j|",
        inputs: &[
            Input { shape: "[n, m] or [m]", doc: "members of the ensemble", ..Input::PREDICTIONS },
            OBSERVED,
        ],
        params: &[ESTIMATOR],
        unreduced: "[n]",
        mean: "the number of rows",
        kinks: "0 where members or observation are equal",
        activation: "linear; each output a sample",
        outliers: "partly: linear in large errors",
        source: "Gneiting and Raftery, 2007; Ferro, Fair scores for ensemble forecasts, 2014; scoringrules.crps_ensemble",
        differences: &["properscoring and torchmetrics are nrg; scoringrules has qd by default"],
        aliases: &["crps"],
        example: r#"{"predictions": [[20.1, 21.4, 22.0, 20.8], [15.2, 17.9, 16.4, 18.3]], "targets": [21.1, 19.0]}"#,
        ..FORECAST
    };

    fn new(args: &Args) -> CrpsEnsemble {
        CrpsEnsemble { fair: args.word(&ESTIMATOR) == "fair" }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Value(t) = target else { return R::of(f64::NAN) };
        let members = x.len();
        let each = R::of(1.0 / members as f64);
        let pair = R::of(2.0 * pair_share(self.fair, members));
        let order = descending(x);
        // In order of size, the pairs' sum is Σ (m - 1 - 2 i) x, taken about the observation.
        let mut value = R::of(0.0);
        let mut rank = 0;
        while rank < members {
            let tied = order[rank..].iter().take_while(|&&i| x[i] == x[order[rank]]).count().max(1);
            // How many members are below, less how many above: members of one size share it.
            let balance = R::of(members as f64 - (2 * rank + tied) as f64);
            for &i in &order[rank..rank + tied] {
                let d = x[i] - t;
                let spread = if members == 1 { R::of(0.0) } else { pair * balance };
                value = value + (each * d.abs() - spread * d);
                slope[i] = each * d.sign() - spread;
            }
            rank += tied;
        }
        value
    }
}

const LEVELS: Param = Param {
    name: "q",
    kind: ParamKind::NumberOrList(Bounds::UNIT),
    default: Default::Number(0.5),
    doc: "the level of each quantile, in the predictions' order",
};

struct CrpsQuantile {
    levels: Vec<f64>,
}

impl Rowwise<1> for CrpsQuantile {
    const CARD: Card = Card {
        name: "crps_quantile",
        title: "CRPS from quantiles",
        summary: "Twice the mean pinball loss of several quantiles, which tends to the CRPS as they become many.",
        formula: r"\frac2Q \sum_k \max\left(q_k (t - p_k),\ (q_k - 1)(t - p_k)\right)",
        inputs: &[
            Input { shape: "[n, q] or [q]", doc: "quantiles", ..Input::PREDICTIONS },
            OBSERVED,
        ],
        params: &[LEVELS],
        unreduced: "[n]",
        mean: "the number of rows",
        kinks: "a prediction that is met exactly has the slope of one below: -2 q / Q",
        activation: "linear; each output a quantile",
        outliers: "partly: linear in large errors",
        source: "Gneiting and Ranjan, 2011; scoringrules.crps_quantile",
        differences: &[
            "quantile averages over samples and quantiles alike, and lacks the factor 2",
        ],
        aliases: &["mean_pinball"],
        example: r#"{"predictions": [[12.0, 15.0, 19.0], [8.0, 9.5, 12.5]], "targets": [17.0, 7.0], "params": {"q": [0.1, 0.5, 0.9]}}"#,
        ..FORECAST
    };

    fn new(args: &Args) -> CrpsQuantile {
        CrpsQuantile { levels: args.one_or_more(&LEVELS) }
    }

    fn fit(self, shape: &[usize], axis: usize) -> Result<Self, Fault> {
        if shape[axis] == self.levels.len() {
            return Ok(self);
        }
        let detail = format!(
            "q has {} levels, but predictions has {} quantiles",
            self.levels.len(),
            shape[axis]
        );
        Err(Fault::parameter("q", detail).hint("send q as a list, one level per quantile"))
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Value(t) = target else { return R::of(f64::NAN) };
        let share = R::of(2.0 / x.len() as f64);
        let mut value = R::of(0.0);
        for (k, slope) in slope.iter_mut().enumerate() {
            let level = R::of(self.levels[k]);
            let short = t - x[k];
            let steep = pick(short < R::of(0.0), R::of(1.0) - level, -level);
            value = value - steep * short;
            *slope = steep * share;
        }
        value * share
    }
}

const ORDER: Param = Param::number(
    "order",
    0.5,
    Bounds::POSITIVE,
    "the power of the differences between components",
);

const ENERGY_SCORE: Card = Card {
    name: "energy_score",
    title: "Energy score",
    summary: "The CRPS of an ensemble of vectors: distances in the place of absolute differences.",
    formula: r"\frac1M \sum_i \lVert p_i - t\rVert - \frac1{2M^2} \sum_{i,j} \lVert p_i - p_j\rVert",
    inputs: &[
        Input { shape: "[n, m, d]", doc: "members of the ensemble, vectors", ..Input::PREDICTIONS },
        Input { shape: "[n, d]", doc: "what was observed", ..Input::TARGETS },
    ],
    params: &[ESTIMATOR],
    unreduced: "[n]",
    mean: "the number of rows",
    kinks: "0 where two vectors are equal",
    tasks: &[Task::Forecasting],
    use_case: "forecasts of several quantities at once, judged and trained",
    activation: "linear; each output a sample",
    outliers: "partly: linear in large errors",
    source: "Gneiting and Raftery, 2007; scoringrules.es_ensemble",
    aliases: &[],
    example: r#"{"predictions": [[[10.2, 3.1], [11.0, 2.6], [9.4, 3.8]], [[7.5, 1.2], [8.1, 0.7], [6.9, 1.5]]], "targets": [[10.6, 3.0], [7.0, 0.9]]}"#,
    ..FORECAST
};

const VARIOGRAM_SCORE: Card = Card {
    name: "variogram_score",
    title: "Variogram score",
    summary: "How far an ensemble's mean differences between components are from the observed ones: a score of dependence.",
    formula: r"\sum_{i,j} \left(|t_i - t_j|^o - \frac1M \sum_k |p_{ki} - p_{kj}|^o\right)^2",
    params: &[ORDER],
    kinks: "0 where two components are equal",
    outliers: "yes: differences are squared",
    source: "Scheuerer and Hamill, Variogram-based proper scoring rules, 2015; scoringrules.vs_ensemble",
    differences: &["every pair counts twice, as in scoringrules"],
    example: r#"{"predictions": [[[10.2, 3.1], [11.0, 2.6], [9.4, 3.8]], [[7.5, 1.2], [8.1, 0.7], [6.9, 1.5]]], "targets": [[10.6, 3.0], [7.0, 0.9]]}"#,
    ..ENERGY_SCORE
};

/// A score of an ensemble of vectors.
enum MultivariateScore {
    Energy { fair: bool },
    Variogram { order: f64 },
}

/// How many members there are and how many components each has.
struct Ensembles {
    members: usize,
    length: usize,
}

impl Batchwise<2, 1> for MultivariateScore {
    const CARD: Card = ENERGY_SCORE;

    type Plan = Ensembles;

    fn new(args: &Args) -> MultivariateScore {
        if args.card().name == VARIOGRAM_SCORE.name {
            MultivariateScore::Variogram { order: args.number(&ORDER) }
        } else {
            MultivariateScore::Energy { fair: args.word(&ESTIMATOR) == "fair" }
        }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(Ensembles, Elements<T>), Fault> {
        let (predictions, targets) = (job.real(0)?, job.real(1)?);
        let [rows, members, length] = predictions.shape[..] else {
            let detail = format!("predictions is {}", show(&predictions.shape));
            return Err(
                Fault::shape("predictions", detail).hint("send predictions of shape [n, m, d]")
            );
        };
        agree("targets", &targets.shape, "one vector per ensemble", &[rows, length])?;
        let (pairs, of) = match self {
            MultivariateScore::Energy { .. } => {
                ([rows, members, members, length], "pairs of members")
            }
            MultivariateScore::Variogram { .. } => {
                ([rows, length, length, members], "pairs of components")
            }
        };
        bounded("predictions", of, &pairs, STEPS_MAX / 4)?;
        let mut elements = Elements::plain(vec![rows]);
        elements.missing = rows_without_label(job, rows);
        Ok((Ensembles { members, length }, elements))
    }

    fn batch<R: Real>(&self, plan: &Ensembles, [p, t]: [&[R]; 2], work: Work<'_, R, 1>) {
        let [slopes] = work.slopes;
        let size = plan.members * plan.length;
        for row in wanted((0..work.losses.len()).filter(|&row| work.keep[row])) {
            let ensemble = &p[row * size..(row + 1) * size];
            let observed = &t[row * plan.length..(row + 1) * plan.length];
            let slopes = &mut slopes[row * size..(row + 1) * size];
            let factor = work.factor[row];
            work.losses[row] = match *self {
                MultivariateScore::Energy { fair } => {
                    energy(plan, ensemble, observed, fair, factor, slopes)
                }
                MultivariateScore::Variogram { order } => {
                    variogram(plan, ensemble, observed, order, factor, slopes)
                }
            };
        }
    }
}

fn energy<R: Real>(
    plan: &Ensembles,
    ensemble: &[R],
    observed: &[R],
    fair: bool,
    factor: R,
    slopes: &mut [R],
) -> R {
    let member = |i: usize| &ensemble[i * plan.length..(i + 1) * plan.length];
    let each = R::of(1.0 / plan.members as f64);
    let pair = R::of(2.0 * pair_share(fair, plan.members));
    let mut value = R::of(0.0);
    for i in wanted(0..plan.members) {
        let own = member(i);
        for (other, share) in std::iter::once((observed, each))
            .chain((0..plan.members).filter(|&j| j != i).map(|j| (member(j), -pair)))
        {
            let apart = norm(2.0, [own, other], |[a, b]| a - b);
            // Each pair of members is met twice, and half of it is counted each time.
            let counted = if share == each { share } else { share * R::of(0.5) };
            value = value + counted * apart;
            for k in 0..plan.length {
                let direction = pick(apart == R::of(0.0), apart, (own[k] - other[k]) / apart);
                slopes[i * plan.length + k] =
                    slopes[i * plan.length + k] + factor * share * direction;
            }
        }
    }
    value
}

fn variogram<R: Real>(
    plan: &Ensembles,
    ensemble: &[R],
    observed: &[R],
    order: f64,
    factor: R,
    slopes: &mut [R],
) -> R {
    let zero = R::of(0.0);
    let each = R::of(1.0 / plan.members as f64);
    let at = |member: usize, k: usize| member * plan.length + k;
    let mut value = zero;
    for i in wanted(0..plan.length) {
        for j in (0..plan.length).filter(|&j| j != i) {
            let difference = |member: usize| ensemble[at(member, i)] - ensemble[at(member, j)];
            let mean = each * sum_over(plan.members, |m| difference(m).abs().powf(order));
            let apart = mean - (observed[i] - observed[j]).abs().powf(order);
            value = value + apart * apart;
            for member in 0..plan.members {
                let d = difference(member);
                let steep = R::of(order) * d.abs().powf(order - 1.0) * d.sign();
                let slope = R::of(2.0) * apart * each * pick(d == zero, zero, steep) * factor;
                slopes[at(member, i)] = slopes[at(member, i)] + slope;
                slopes[at(member, j)] = slopes[at(member, j)] - slope;
            }
        }
    }
    value
}

const ALPHAS: Param = Param {
    name: "alphas",
    kind: ParamKind::NumberOrList(Bounds { max: 1.0, ..Bounds::POSITIVE }),
    default: Default::None,
    doc: "for each interval the share of targets that should fall outside, required",
};

struct WeightedIntervalScore {
    alphas: Vec<f64>,
}

impl Batchwise<4, 3> for WeightedIntervalScore {
    const CARD: Card = Card {
        name: "weighted_interval_score",
        title: "Weighted interval score",
        summary: "The error of the median and the scores of several prediction intervals, weighed so that it approximates the CRPS.",
        formula: r"\frac{1}{K + \frac12}\left(\tfrac12 |t - m| + \sum_k \tfrac{\alpha_k}{2} \mathrm{IS}_{\alpha_k}\right)",
        inputs: &[
            Input { name: "lower", shape: "[n, k]", doc: "lower ends", ..Input::PREDICTIONS },
            Input { name: "upper", shape: "[n, k]", doc: "upper ends", ..Input::PREDICTIONS },
            Input { name: "median", shape: "[n]", doc: "medians", ..Input::PREDICTIONS },
            OBSERVED,
        ],
        params: &[ALPHAS],
        unreduced: "[n]",
        mean: "the number of rows",
        kinks: "a target exactly at an end counts as inside; 0 at the median",
        use_case: "forecasts given as intervals: epidemics, demand",
        outliers: "partly: linear in large errors",
        source: "Bracher et al., Evaluating epidemic forecasts in an interval format, 2021",
        differences: &[
            "scoringrules 0.8 multiplies the median where the definition has the absolute error, and can be negative",
        ],
        aliases: &["wis"],
        example: r#"{"lower": [[210.0, 238.0], [95.0, 118.0]], "upper": [[312.0, 276.0], [170.0, 148.0]], "median": [255.0, 131.0], "targets": [290.0, 90.0], "params": {"alphas": [0.1, 0.5]}}"#,
        ..FORECAST
    };

    type Plan = usize;

    fn new(args: &Args) -> WeightedIntervalScore {
        WeightedIntervalScore { alphas: args.one_or_more(&ALPHAS) }
    }

    fn plan<T: Number>(&self, job: &Job<T>) -> Result<(usize, Elements<T>), Fault> {
        let lower = job.real(0)?;
        let (rows, intervals) = rows_and_columns(job, 0)?;
        agree("upper", &job.real(1)?.shape, "lower", &lower.shape)?;
        agree("median", &job.real(2)?.shape, "one per row of lower", &[rows])?;
        agree("targets", &job.real(3)?.shape, "one per row of lower", &[rows])?;
        if self.alphas.len() != intervals {
            let detail = format!(
                "alphas has {} numbers, but lower has {intervals} intervals",
                self.alphas.len()
            );
            return Err(Fault::parameter("alphas", detail).hint("send one alpha per interval"));
        }
        let mut elements = Elements::plain(vec![rows]);
        elements.missing = rows_without_label(job, rows);
        Ok((intervals, elements))
    }

    fn batch<R: Real>(
        &self,
        &intervals: &usize,
        [lower, upper, median, targets]: [&[R]; 4],
        work: Work<'_, R, 3>,
    ) {
        let [slope_l, slope_u, slope_m] = work.slopes;
        let (zero, one, half) = (R::of(0.0), R::of(1.0), R::of(0.5));
        let share = R::of(1.0 / (intervals as f64 + 0.5));
        for row in wanted((0..work.losses.len()).filter(|&row| work.keep[row])) {
            let t = targets[row];
            let factor = share * work.factor[row];
            let error = median[row] - t;
            let mut sum = half * error.abs();
            slope_m[row] = half * error.sign() * factor;
            for (k, &alpha) in self.alphas.iter().enumerate() {
                let at = row * intervals + k;
                let weight = R::of(0.5 * alpha);
                let below = (lower[at] - t).at_least(0.0);
                let above = (t - upper[at]).at_least(0.0);
                sum = sum + weight * (upper[at] - lower[at]) + below + above;
                slope_l[at] = (pick(zero < below, one, zero) - weight) * factor;
                slope_u[at] = (weight - pick(zero < above, one, zero)) * factor;
            }
            work.losses[row] = sum * share;
        }
    }
}
