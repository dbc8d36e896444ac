//! Every gradient equals the derivative of its loss, which dual numbers carry through the same
//! text without finite differences. Drawn points are away from kinks; the subgradients on them
//! are among the values from other programs in `tests/golden`.

use super::draw::{Input, Random, all_args, batch};
use crate::numeric::args::Args;
use crate::numeric::catalogue;
use crate::numeric::dual::Dual;
use crate::numeric::job::{Options, Reduction, Values};
use crate::numeric::loss::Loss;

/// The sum of the losses, and its derivative in one number of one input.
fn derivative(
    loss: &'static Loss,
    drawn: &super::draw::Batch,
    args: &Args,
    input: usize,
    at: usize,
) -> f64 {
    let options = Options { reduction: Reduction::None, validate: false, ..Options::default() };
    let mut job = drawn.job::<Dual>(&loss.card, args, options);
    if let Some(Values::Real(tensor)) = &mut job.inputs[input] {
        tensor.values[at].derivative = 1.0;
    }
    let outcome = loss.evaluate_dual(&job).unwrap_or_else(|fault| panic!("{fault:?}"));
    outcome.losses.unwrap().values.iter().map(|loss| loss.derivative).sum()
}

/// What a gradient has on top of the derivative, where that is what the loss's card promises.
fn on_top(
    loss: &'static Loss,
    drawn: &super::draw::Batch,
    args: &Args,
    input: usize,
    at: usize,
) -> f64 {
    match loss.card.name {
        "ctc" => through_log_softmax(drawn, at),
        "beta_nll" if input == 1 => without_the_weight(loss, drawn, args, at),
        _ => 0.0,
    }
}

/// torch's gradient of ctc is the one through a log-softmax.
fn through_log_softmax(drawn: &super::draw::Batch, at: usize) -> f64 {
    let (Input::Real(scores), Input::Whole(lengths)) = (&drawn.inputs[0], &drawn.inputs[2]) else {
        panic!("ctc has scores and lengths");
    };
    let index = scores.index_of(at);
    if (index[0] as i64) < lengths.values[index[1]] { scores.values[at].exp() } else { 0.0 }
}

/// The weight of `beta_nll`, a power of the variance, counts as a constant: its part of the
/// derivative, β / v of the loss, is left out.
fn without_the_weight(
    loss: &'static Loss,
    drawn: &super::draw::Batch,
    args: &Args,
    at: usize,
) -> f64 {
    let Input::Real(var) = &drawn.inputs[1] else { panic!("beta_nll has variances") };
    let options = Options { reduction: Reduction::None, ..Options::default() };
    let outcome = loss.evaluate_f64(&drawn.job(&loss.card, args, options)).unwrap();
    let beta = args.number_named("beta").unwrap();
    -beta * outcome.losses.unwrap().values[at] / var.values[at]
}

#[test]
fn every_gradient_is_the_derivative_of_its_loss() {
    let mut checked = 0;
    for loss in catalogue::all() {
        for (seed, (name, args)) in all_args(&loss.card).into_iter().enumerate() {
            let mut random = Random::new(seed as u64 + 1);
            let drawn = batch(&loss.card, &args, 4, &mut random);
            let options =
                Options { reduction: Reduction::Sum, validate: false, ..Options::default() };
            let job = drawn.job::<f64>(&loss.card, &args, options);
            let what = format!("{} with {name}", loss.card.name);
            let outcome =
                loss.evaluate_f64(&job).unwrap_or_else(|fault| panic!("{what}: {fault:?}"));
            for (input, (gradient_of, gradient)) in outcome.gradients.iter().enumerate() {
                for (at, &slope) in gradient.values.iter().enumerate() {
                    let exact = derivative(loss, &drawn, &args, input, at)
                        + on_top(loss, &drawn, &args, input, at);
                    let close = (slope - exact).abs() <= 1e-10 * exact.abs().max(1.0);
                    assert!(
                        close,
                        "{what}: the gradient of {gradient_of} at {at} is {slope}, not {exact}"
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(1000 < checked);
}
