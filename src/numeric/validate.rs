//! Refuses values outside the domain of their input, with the place of the first one.

use super::card::Domain;
use super::fault::{Fault, Kind, Place};
use super::job::{Job, Values};
use super::simd::Number;
use super::tensor::Tensor;

/// Checks every input that holds numbers against the domain in the card.
///
/// # Errors
/// `Kind::Domain` with the place of the first value outside.
pub fn domains<T: Number>(job: &Job<T>) -> Result<(), Fault> {
    for (input, values) in job.card.inputs.iter().zip(&job.inputs) {
        let domain = meant(input.domain, job);
        let torch_refuses = matches!(domain, Domain::Probability | Domain::Variance);
        if !torch_refuses && !job.options.validate {
            continue;
        }
        if let Some(Values::Real(tensor)) = values
            && let Some(place) = first_outside(domain, tensor)
        {
            return Err(refusal(input.name, domain, torch_refuses, tensor, place));
        }
    }
    Ok(())
}

/// The domain with the parameters of the job in mind.
pub fn meant<T>(domain: Domain, job: &Job<T>) -> Domain {
    match domain {
        Domain::DistributionOrLog if job.args.flag_named("log_target") => Domain::LogProbability,
        Domain::DistributionOrLog => Domain::Distribution,
        Domain::Mean if job.args.flag_named("log_link") => Domain::Real,
        Domain::Mean if job.args.number_named("power") == Some(0.0) => Domain::Real,
        Domain::Mean => Domain::Positive,
        Domain::Tweedie => match job.args.number_named("power") {
            Some(power) if power <= 0.0 => Domain::Real,
            Some(power) if 2.0 <= power => Domain::Positive,
            _ => Domain::NotNegative,
        },
        domain => domain,
    }
}

fn first_outside<T: Number>(domain: Domain, tensor: &Tensor<T>) -> Option<usize> {
    let (zero, one) = (T::of(0.0), T::of(1.0));
    match domain {
        Domain::Probability | Domain::Unit => first(tensor, |x| !(zero <= x && x <= one)),
        Domain::Binary => first(tensor, |x| x != zero && x != one),
        Domain::Negative => first(tensor, |x| zero <= x),
        // A cosine that was computed may be a little above 1.
        Domain::Cosine => first(tensor, |x| T::of(1.0 + 1e-6) < x.abs()),
        Domain::Distribution | Domain::ClassOrDistribution => {
            first(tensor, |x| x < zero || one < x)
        }
        // Nothing but 0 and 1 is the commonest mistake, and torch computes with it: a warning says so.
        Domain::Sign if first(tensor, |x| x != zero && x != one).is_none() => None,
        Domain::Sign => first(tensor, |x| x != one && x != -one),
        Domain::NotNegative | Domain::Variance => first(tensor, |x| x < zero),
        Domain::AboveMinusOne => first(tensor, |x| x <= -one),
        Domain::Positive => first(tensor, |x| x <= zero),
        _ => None,
    }
}

/// The first element that is there and outside.
fn first<T: Number>(tensor: &Tensor<T>, outside: impl Fn(T) -> bool) -> Option<usize> {
    const BLOCK: usize = 1024;
    tensor.values.chunks(BLOCK).enumerate().find_map(|(number, block)| {
        // Without an early exit the search is vector instructions; almost always it finds nothing.
        if !block.iter().fold(false, |found, &x| found | outside(x)) {
            return None;
        }
        let start = number * BLOCK;
        (start..start + block.len())
            .find(|&place| outside(tensor.values[place]) && !tensor.is_missing(place))
    })
}

fn refusal<T: Number>(
    name: &'static str,
    domain: Domain,
    torch_refuses: bool,
    tensor: &Tensor<T>,
    place: usize,
) -> Fault {
    let value = tensor.values[place].to_f64();
    let detail = format!("{name} must be {}, got {value}", domain.describe());
    let fault = Fault::new(Kind::Domain, Place::Element(name, tensor.index_of(place)), detail);
    match domain {
        Domain::Probability => fault
            .hint("if these are logits, use the loss that takes logits, or apply a sigmoid first"),
        Domain::Sign => fault.hint(
            "send -1 for the negative class and 1 for the positive one, \
             or \"validate\": false to compute as torch does",
        ),
        _ if torch_refuses => fault,
        _ => fault.hint("send \"validate\": false to compute as torch does"),
    }
}
