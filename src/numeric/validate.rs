//! Refuses values outside the domain of their input, with the place of the first one.

use super::card::Domain;
use super::fault::{Fault, Kind, Place};
use super::job::{Job, Values};
use super::real::Real;
use super::simd::{Kernel, Number};
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
            && let Some(place) = first_outside(job, domain, tensor)
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

fn first_outside<T: Number>(job: &Job<T>, domain: Domain, tensor: &Tensor<T>) -> Option<usize> {
    let [zero, one, no_end] = [0.0, 1.0, f64::INFINITY].map(T::of);
    let next_to_zero = T::of(f64::from(f32::MIN_POSITIVE));
    let first = |surely: Surely<T>, outside: fn(T) -> bool| first(job, tensor, surely, outside);
    match domain {
        Domain::Probability | Domain::Unit => {
            first(Surely::Between(zero, one), |x| !(T::of(0.0) <= x && x <= T::of(1.0)))
        }
        Domain::Binary => first(Surely::Either(zero, one), is_no_bit),
        Domain::Negative => first(Surely::Between(-no_end, -next_to_zero), |x| T::of(0.0) <= x),
        // A cosine that was computed may be a little above 1.
        Domain::Cosine => first(Surely::Between(-one, one), |x| T::of(1.0 + 1e-6) < x.abs()),
        Domain::Distribution | Domain::ClassOrDistribution => {
            first(Surely::Between(zero, one), |x| x < T::of(0.0) || T::of(1.0) < x)
        }
        // Nothing but 0 and 1 is the commonest mistake, and torch computes with it: a warning says so.
        Domain::Sign if first(Surely::Either(zero, one), is_no_bit).is_none() => None,
        Domain::Sign => first(Surely::Either(-one, one), |x| x != T::of(1.0) && x != T::of(-1.0)),
        Domain::NotNegative | Domain::Variance => {
            first(Surely::Between(zero, no_end), |x| x < T::of(0.0))
        }
        Domain::AboveMinusOne => first(Surely::Between(zero, no_end), |x| x <= T::of(-1.0)),
        Domain::Positive => first(Surely::Between(next_to_zero, no_end), |x| x <= T::of(0.0)),
        _ => None,
    }
}

fn is_no_bit<T: Number>(x: T) -> bool {
    x != T::of(0.0) && x != T::of(1.0)
}

/// Numbers that are surely inside of a domain; of others it is asked one by one.
#[derive(Clone, Copy)]
enum Surely<T> {
    /// From one number to another.
    Between(T, T),
    /// One of two numbers.
    Either(T, T),
}

/// The first element that is there and outside.
fn first<T: Number>(
    job: &Job<T>,
    tensor: &Tensor<T>,
    surely: Surely<T>,
    outside: fn(T) -> bool,
) -> Option<usize> {
    let mut from = 0;
    // Almost always there is no such block.
    loop {
        let values = &tensor.values[from..];
        let doubtful = T::dispatch(job.options.level, Blocks { values, surely })?;
        let block = from + doubtful * BLOCK;
        let end = tensor.values.len().min(block + BLOCK);
        let is_wrong = |&at: &usize| outside(tensor.values[at]) && !tensor.is_missing(at);
        if let Some(place) = (block..end).find(is_wrong) {
            return Some(place);
        }
        from = end;
    }
}

/// How many elements are compared before it is asked whether all were inside.
const BLOCK: usize = 1024;

/// Finds the first block with an element that is not surely inside.
struct Blocks<'a, T> {
    values: &'a [T],
    surely: Surely<T>,
}

impl<T: Number> Kernel<T> for Blocks<'_, T> {
    type Out = Option<usize>;

    #[inline(always)]
    fn run<R: Real<Elem = T>>(self) -> Option<usize> {
        let values = R::view(self.values);
        match self.surely {
            Surely::Between(low, high) => {
                let (low, high) = (R::of(low.to_f64()), R::of(high.to_f64()));
                block_without(values, |x| low <= x && x <= high)
            }
            Surely::Either(one, other) => {
                let (one, other) = (R::of(one.to_f64()), R::of(other.to_f64()));
                block_without(values, |x| x == one || x == other)
            }
        }
    }
}

/// The first block of which some element is not `inside`.
#[inline(always)]
fn block_without<R: Real>(values: &[R], inside: impl Fn(R) -> bool) -> Option<usize> {
    values.chunks(BLOCK).position(|block| {
        // Counted, and without an early exit, so that it is vector instructions.
        let inside = block.iter().map(|&x| u32::from(inside(x))).sum::<u32>();
        inside as usize != block.len()
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
