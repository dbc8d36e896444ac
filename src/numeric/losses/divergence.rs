//! Divergences: how far one distribution is from another.

use crate::numeric::args::Args;
use crate::numeric::card::{Card, Domain, Input, Param};
use crate::numeric::drive::pointwise::Pointwise;
use crate::numeric::loss::Loss;
use crate::numeric::real::{Real, product_or_zero};

/// The losses of this family.
pub(crate) const LOSSES: &[Loss] = &[Loss::pointwise::<KlDiv, _, _>()];

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
            // t ln t and t p apart: a target of 0 wins over an infinite logarithm in either.
            (product_or_zero(t, t.ln()) - product_or_zero(t, p), [-t])
        }
    }
}
