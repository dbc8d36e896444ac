//! `Loss`: one row of the catalogue, its card beside its evaluation for each number type.

use super::card::Card;
use super::drive::batchwise::{self, Batchwise};
use super::drive::pointwise::{self, Pointwise};
use super::drive::rowwise::{self, Rowwise};
use super::fault::Fault;
use super::job::{Job, Outcome};
use super::simd::Number;
use super::{inspect, validate};

type Evaluate<T> = fn(&Job<T>) -> Result<Outcome<T>, Fault>;

/// A loss of the catalogue.
pub struct Loss {
    /// All that is known of it besides its arithmetic.
    pub card: Card,
    single: Evaluate<f32>,
    double: Evaluate<f64>,
    #[cfg(test)]
    dual: Evaluate<super::dual::Dual>,
}

impl Loss {
    /// A loss whose elements look at nothing but themselves.
    pub const fn pointwise<L: Pointwise<K, D>, const K: usize, const D: usize>() -> Loss {
        Loss {
            card: L::CARD,
            single: pointwise::evaluate::<L, f32, K, D>,
            double: pointwise::evaluate::<L, f64, K, D>,
            #[cfg(test)]
            dual: pointwise::evaluate::<L, super::dual::Dual, K, D>,
        }
    }

    /// A loss of rows.
    pub const fn rowwise<L: Rowwise<D>, const D: usize>() -> Loss {
        Loss {
            card: L::CARD,
            single: rowwise::evaluate::<L, f32, D>,
            double: rowwise::evaluate::<L, f64, D>,
            #[cfg(test)]
            dual: rowwise::evaluate::<L, super::dual::Dual, D>,
        }
    }

    /// A loss of the whole batch.
    pub const fn batchwise<L: Batchwise>() -> Loss {
        Loss {
            card: L::CARD,
            single: batchwise::evaluate::<L, f32>,
            double: batchwise::evaluate::<L, f64>,
            #[cfg(test)]
            dual: batchwise::evaluate::<L, super::dual::Dual>,
        }
    }

    /// Evaluates a job in single precision.
    ///
    /// # Errors
    /// What is wrong with the job.
    pub fn evaluate_f32(&self, job: &Job<f32>) -> Result<Outcome<f32>, Fault> {
        checked(job, self.single)
    }

    /// Evaluates a job in double precision.
    ///
    /// # Errors
    /// What is wrong with the job.
    pub fn evaluate_f64(&self, job: &Job<f64>) -> Result<Outcome<f64>, Fault> {
        checked(job, self.double)
    }

    /// Evaluates a job in dual numbers.
    #[cfg(test)]
    pub(crate) fn evaluate_dual(
        &self,
        job: &Job<super::dual::Dual>,
    ) -> Result<Outcome<super::dual::Dual>, Fault> {
        checked(job, self.dual)
    }
}

fn checked<T: Number>(job: &Job<T>, evaluate: Evaluate<T>) -> Result<Outcome<T>, Fault> {
    validate::domains(job)?;
    let mut outcome = evaluate(job)?;
    outcome.warnings = inspect::warnings(job);
    Ok(outcome)
}
