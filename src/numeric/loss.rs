//! `Loss`: one row of the catalogue, its card beside its evaluation for each number type.

use super::card::Card;
use super::drive::batchwise::{self, Batchwise};
use super::drive::pointwise::{self, Pointwise};
use super::drive::rowwise::{self, Rowwise};
#[cfg(test)]
use super::dual::Dual;
use super::fault::{Fault, Kind, Place};
use super::job::{Job, Outcome};
use super::simd::Number;
use super::{inspect, validate};

type Evaluate<T> = fn(&Job<T>) -> Result<Outcome<T>, Fault>;

/// A loss of the catalogue.
pub struct Loss {
    /// All that is known of it besides its arithmetic.
    pub card: Card,
    /// Whether it gives second derivatives.
    pub has_hessian: bool,
    /// Compiled for each CPU level; none where single precision too is computed in double and
    /// rounded at the end.
    single: Option<Evaluate<f32>>,
    double: Evaluate<f64>,
    #[cfg(test)]
    dual: Evaluate<Dual>,
    /// Whether it walks the batch by itself, and its cost may grow faster than the batch.
    pub grows_faster: bool,
}

impl Loss {
    /// A loss whose elements look at nothing but themselves.
    pub const fn pointwise<L: Pointwise<K, D>, const K: usize, const D: usize>() -> Loss {
        Loss {
            single: Some(pointwise::evaluate::<L, f32, K, D>),
            ..Loss::pointwise_in_double::<L, K, D>()
        }
    }

    /// The same, computed in double precision whatever the dtype: for losses whose arithmetic is
    /// delicate, or whose batches are small.
    pub const fn pointwise_in_double<L: Pointwise<K, D>, const K: usize, const D: usize>() -> Loss {
        Loss {
            card: L::CARD,
            has_hessian: true,
            single: None,
            double: pointwise::evaluate::<L, f64, K, D>,
            #[cfg(test)]
            dual: pointwise::evaluate::<L, Dual, K, D>,
            grows_faster: false,
        }
    }

    /// A loss of rows.
    pub const fn rowwise<L: Rowwise<D>, const D: usize>() -> Loss {
        Loss { single: Some(rowwise::evaluate::<L, f32, D>), ..Loss::rowwise_in_double::<L, D>() }
    }

    /// The same, computed in double precision whatever the dtype.
    pub const fn rowwise_in_double<L: Rowwise<D>, const D: usize>() -> Loss {
        Loss {
            card: L::CARD,
            has_hessian: L::HAS_HESSIAN,
            single: None,
            double: rowwise::evaluate::<L, f64, D>,
            #[cfg(test)]
            dual: rowwise::evaluate::<L, Dual, D>,
            grows_faster: false,
        }
    }

    /// A loss of the whole batch, always computed in double precision.
    pub const fn batchwise<L: Batchwise<K, D>, const K: usize, const D: usize>() -> Loss {
        Loss {
            card: L::CARD,
            has_hessian: false,
            single: None,
            double: batchwise::evaluate::<L, f64, K, D>,
            #[cfg(test)]
            dual: batchwise::evaluate::<L, Dual, K, D>,
            grows_faster: true,
        }
    }

    /// Another loss that the same body computes; the body asks the card which one it is.
    pub const fn described(self, card: Card) -> Loss {
        Loss { card, ..self }
    }

    /// Evaluates a job in single precision.
    ///
    /// # Errors
    /// What is wrong with the job.
    pub fn evaluate_f32(&self, job: &Job<f32>) -> Result<Outcome<f32>, Fault> {
        self.checked(job, |job| match self.single {
            Some(single) => single(job),
            None => (self.double)(&job.widened()).map(Outcome::rounded),
        })
    }

    /// Evaluates a job in double precision.
    ///
    /// # Errors
    /// What is wrong with the job.
    pub fn evaluate_f64(&self, job: &Job<f64>) -> Result<Outcome<f64>, Fault> {
        self.checked(job, self.double)
    }

    /// Evaluates a job in dual numbers.
    #[cfg(test)]
    pub(crate) fn evaluate_dual(&self, job: &Job<Dual>) -> Result<Outcome<Dual>, Fault> {
        self.checked(job, self.dual)
    }

    fn checked<T: Number>(
        &self,
        job: &Job<T>,
        evaluate: impl Fn(&Job<T>) -> Result<Outcome<T>, Fault>,
    ) -> Result<Outcome<T>, Fault> {
        if job.options.hessian && !self.has_hessian {
            let detail = format!("{} has no hessian_diagonal", self.card.name);
            return Err(Fault::new(Kind::Parameter, Place::Member("outputs"), detail).hint(
                "elementwise losses, cross_entropy and soft_target_cross_entropy have one; \
                 leave it out of outputs",
            ));
        }
        validate::domains(job)?;
        let mut outcome = evaluate(job)?;
        outcome.warnings = inspect::warnings(job);
        Ok(outcome)
    }
}
