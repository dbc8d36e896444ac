//! Scores of class probabilities: how far a predicted distribution is from the class that came.

use super::classes::{CLASS, CLASS_AXIS, CLASSES, IGNORE_INDEX, SCORES};
use crate::numeric::args::Args;
use crate::numeric::card::{Card, Domain, Input, Task};
use crate::numeric::drive::rowwise::{Rowwise, Target};
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, pick};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[
    Loss::rowwise_in_double::<SquaredScore, _>().described(BRIER_MULTICLASS),
    Loss::rowwise_in_double::<SquaredScore, _>().described(RANKED_PROBABILITY_SCORE),
    Loss::rowwise_in_double::<SquaredScore, _>().described(EMD2),
    Loss::rowwise_in_double::<Ordinal, _>(),
];

const PROBABILITIES: Input =
    Input { domain: Domain::Unit, doc: "a probability per class", ..SCORES };
const CLASS_OR_DISTRIBUTION: Input = Input {
    shape: "[n], [n, …] or a scalar; of the predictions' shape for probabilities",
    domain: Domain::ClassOrDistribution,
    doc: "the right class, or a probability per class",
    ..Input::TARGETS
};

const BRIER_MULTICLASS: Card = Card {
    name: "brier_multiclass",
    title: "Brier score over classes",
    summary: "The squared distance between the predicted probabilities and the class that came.",
    formula: r"\sum_c \left(p_c - [c = t]\right)^2",
    inputs: &[PROBABILITIES, CLASS_OR_DISTRIBUTION],
    params: &[IGNORE_INDEX, CLASS_AXIS],
    use_case: "judging probabilities of classes, calibration",
    activation: "softmax",
    outliers: "no: between 0 and 2",
    source: "Brier, 1950; sklearn.metrics.brier_score_loss",
    differences: &["scikit-learn halves it where there are two classes; brier is that form"],
    aliases: &["multiclass_brier"],
    example: r#"{"predictions": [[0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.25, 0.35, 0.4]], "targets": [1, 0, 1]}"#,
    ..CLASSES
};

const RANKED_PROBABILITY_SCORE: Card = Card {
    name: "ranked_probability_score",
    title: "Ranked probability score",
    summary: "The squared distance between the cumulative probabilities of ordered classes and the class that came.",
    formula: r"\sum_c \left(\sum_{k \le c} p_k - [t \le c]\right)^2",
    tasks: &[Task::Ordinal, Task::Forecasting],
    use_case: "probabilities of ordered classes: ratings, forecasts by category",
    outliers: "no: at most the number of classes less one",
    source: "Epstein, 1969; scoringrules.rps_score",
    differences: &[],
    aliases: &["rps"],
    example: r#"{"predictions": [[0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.25, 0.35, 0.4]], "targets": [1, 0, 1]}"#,
    ..BRIER_MULTICLASS
};

const EMD2: Card = Card {
    name: "emd2",
    title: "Squared earth mover's distance",
    summary: "The mean squared difference of the cumulative probabilities of ordered classes.",
    formula: r"\frac1C \sum_c \left(\sum_{k \le c} p_k - \sum_{k \le c} t_k\right)^2",
    use_case: "distributions over ordered classes: ratings of images by many people",
    outliers: "no: at most 1",
    source: "Hou et al., Squared earth mover's distance-based loss, 2016; NIMA, 2018",
    differences: &["NIMA takes the square root of it"],
    aliases: &["earth_mover", "squared_emd"],
    example: r#"{"predictions": [[0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.25, 0.35, 0.4]], "targets": [[0.05, 0.5, 0.45], [0.8, 0.15, 0.05], [0.2, 0.2, 0.6]]}"#,
    ..RANKED_PROBABILITY_SCORE
};

/// The squared distance between two distributions, or between their cumulative sums.
struct SquaredScore {
    cumulative: bool,
    averaged: bool,
}

impl Rowwise<1> for SquaredScore {
    const CARD: Card = BRIER_MULTICLASS;

    fn new(args: &Args) -> SquaredScore {
        let name = args.card().name;
        SquaredScore { cumulative: name != BRIER_MULTICLASS.name, averaged: name == EMD2.name }
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let zero = R::of(0.0);
        let share = R::of(if self.averaged { 1.0 / x.len() as f64 } else { 1.0 });
        let (mut apart, mut value) = (zero, zero);
        for c in 0..x.len() {
            let came = match target {
                Target::Class(class) => R::of(f64::from(u8::from(class == c))),
                Target::Row(t) => t[c],
                _ => R::of(f64::NAN),
            };
            let difference = x[c] - came;
            apart = if self.cumulative { apart + difference } else { difference };
            value = value + apart * apart;
            slope[c] = (apart + apart) * share;
        }
        if self.cumulative {
            // An early probability is part of all later sums.
            for c in (1..x.len()).rev() {
                slope[c - 1] = slope[c - 1] + slope[c];
            }
        }
        value * share
    }
}

struct Ordinal;

impl Rowwise<1> for Ordinal {
    const CLASSES_BEYOND_ROW: usize = 1;
    const CARD: Card = Card {
        name: "ordinal",
        title: "Ordinal (cumulative logits)",
        summary: "Binary cross-entropy of each question \"is the class above k?\", added up.",
        formula: r"\sum_{k < C - 1} \mathrm{bce}\left(p_k,\ [t > k]\right)",
        inputs: &[
            Input {
                shape: "[n, c-1], [n, c-1, …] or [c-1]",
                domain: Domain::BinaryLogits,
                doc: "a logit per threshold: that the class lies above it",
                ..Input::PREDICTIONS
            },
            CLASS,
        ],
        params: &[IGNORE_INDEX, CLASS_AXIS],
        unreduced: CLASSES.unreduced,
        mean: CLASSES.mean,
        tasks: &[Task::Ordinal],
        use_case: "ordered classes: grades, ages, severity",
        activation: "none: raw cumulative logits, sigmoid is inside",
        outliers: "partly: linear in each logit on the wrong side",
        source: "Cao et al., CORAL: rank consistent ordinal regression, 2020; allRank ordinal",
        differences: &["allRank and TF-Ranking take graded relevances of a list"],
        aliases: &["coral", "cumulative_logits"],
        example: r#"{"predictions": [[2.1, 0.4, -1.3], [0.6, -0.8, -2.2], [3.0, 1.9, 0.7]], "targets": [2, 0, 3]}"#,
        ..Card::PAIR
    };

    fn new(_args: &Args) -> Ordinal {
        Ordinal
    }

    #[inline(always)]
    fn row<R: Real>(
        &self,
        _row: usize,
        [x]: [&[R]; 1],
        target: Target<'_, R>,
        [slope]: [&mut [R]; 1],
    ) -> R {
        let Target::Class(class) = target else { return R::of(f64::NAN) };
        let mut value = R::of(0.0);
        for (k, (&x, slope)) in x.iter().zip(slope).enumerate() {
            let logistic = x.logistic();
            let above = k < class;
            value = value + pick(above, logistic.cost_of_yes, logistic.cost_of_no);
            *slope = pick(above, -logistic.no, logistic.yes);
        }
        value
    }
}
