//! Every gradient equals the derivative of its loss, which dual numbers carry through the same
//! text without finite differences. Drawn points are away from kinks; the subgradients on them
//! are among the values from other programs in `tests/golden`.

use super::draw::{Input, Random, all_args, batch};
use crate::numeric::args::Args;
use crate::numeric::card::Domain;
use crate::numeric::catalogue;
use crate::numeric::dual::Dual;
use crate::numeric::job::{Options, Outcome, Reduction, Values};
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
    let (Some(Input::Real(scores)), Some(Input::Whole(lengths))) =
        (&drawn.inputs[0], &drawn.inputs[2])
    else {
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
    let Some(Input::Real(var)) = &drawn.inputs[1] else { panic!("beta_nll has variances") };
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
            // A gradient that is cut is that of no loss; outside values check it.
            if args.number_named("clamp").is_some_and(|clamp| 0.0 < clamp)
                && loss.card.name == "rnnt"
            {
                continue;
            }
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

/// Predictions of 0, and targets of 0 where these are any numbers: where an absolute value in the
/// text of a smooth loss would be at its kink.
fn at_zero(loss: &Loss, drawn: &mut super::draw::Batch) {
    for (input, values) in loss.card.inputs.iter().zip(&mut drawn.inputs) {
        let any_number = matches!(input.domain, Domain::Real | Domain::BinaryLogits);
        if let (true, Some(Input::Real(tensor))) = (any_number, values) {
            tensor.values.fill(0.0);
        }
    }
}

#[test]
fn every_second_derivative_is_the_slope_of_the_gradient() {
    let mut checked = 0;
    for loss in catalogue::all().filter(|loss| loss.has_hessian && loss.card.is_elementwise()) {
        for (seed, (name, args)) in all_args(&loss.card).into_iter().enumerate() {
            let mut drawn = batch(&loss.card, &args, 4, &mut Random::new(seed as u64 + 21));
            checked += check_second_derivatives(loss, &name, &args, &drawn);
            // A rate of 0 has no logarithm.
            let rates = loss.card.name == "poisson_nll" && !args.flag_named("log_input");
            if loss.card.kinks.starts_with("smooth") && !rates {
                at_zero(loss, &mut drawn);
                checked += check_second_derivatives(loss, &format!("{name} at 0"), &args, &drawn);
            }
        }
    }
    assert!(1000 < checked);
}

/// Compares the second derivatives of a batch with differences of its gradients.
fn check_second_derivatives(
    loss: &'static Loss,
    name: &str,
    args: &Args,
    drawn: &super::draw::Batch,
) -> usize {
    const STEP: f64 = 1e-5;
    let mut checked = 0;
    let options =
        Options { reduction: Reduction::Sum, validate: false, hessian: true, ..Options::default() };
    // All elements of one input a little further: none looks at another.
    let moved = |input: usize, step: f64| {
        let mut job = drawn.job::<f64>(&loss.card, args, options);
        if let Some(Values::Real(tensor)) = &mut job.inputs[input] {
            tensor.values.iter_mut().for_each(|x| *x += step);
        }
        loss.evaluate_f64(&job).unwrap_or_else(|fault| panic!("{name}: {fault:?}"))
    };
    let here = moved(0, 0.0);
    for (input, (of, curves)) in here.hessian.iter().enumerate() {
        let (before, after) = (moved(input, -STEP), moved(input, STEP));
        for (at, &curve) in curves.values.iter().enumerate() {
            let gradient = |at_step: &Outcome<f64>| at_step.gradients[input].1.values[at];
            let left = (gradient(&here) - gradient(&before)) / STEP;
            let right = (gradient(&after) - gradient(&here)) / STEP;
            // Where the gradient has a corner, anything between its two slopes.
            let (low, high) = (left.min(right), left.max(right));
            let room = 1e-4 * high.abs().max(low.abs()).max(1.0);
            assert!(
                low - room <= curve && curve <= high + room,
                "{} with {name}: the second derivative in {of} at {at} is {curve}, not {left} or {right}",
                loss.card.name
            );
            checked += 1;
        }
    }
    checked
}
