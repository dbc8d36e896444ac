//! Work under a raised flag leaves what is left of it undone.

use super::draw::{Random, batch};
use crate::numeric::args::Args;
use crate::numeric::cancel::{Flag, under};
use crate::numeric::catalogue;
use crate::numeric::job::{Options, Reduction};

/// Losses of the whole batch whose work is in proportion to it, and of correlations, which cost
/// something where none was computed.
const COSTS_SOMETHING: [&str; 6] =
    ["rmse", "wmape", "barlow_twins", "vicreg", "cox_ph", "discrete_hazard_nll"];

#[test]
fn nothing_is_computed_that_nobody_waits_for() {
    let flag = Flag::default();
    flag.raise();
    let mut left = Vec::new();
    for loss in catalogue::all() {
        let args = Args::defaults(&loss.card);
        let drawn = batch(&loss.card, &args, 40, &mut Random::new(3));
        let options = Options { reduction: Reduction::Sum, validate: false, ..Options::default() };
        let job = drawn.job(&loss.card, &args, options);
        let sum = || loss.evaluate_f64(&job).unwrap().sum;
        assert_ne!(sum(), 0.0, "{}", loss.card.name);
        let stopped = under(flag.clone(), sum);
        if stopped != 0.0 {
            left.push(loss.card.name);
        }
    }
    assert_eq!(left, COSTS_SOMETHING);
}
