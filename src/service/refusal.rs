//! `Refusal`: why the service does not do what it is asked. No HTTP in it.

use std::time::Duration;

use super::keys::file::Scope;
use crate::numeric::fault::Fault;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The same thing is said twice, differently.
    Contradiction(String),
    /// The loss has no such parameter.
    UnknownParameter {
        /// The loss.
        loss: &'static str,
        /// The parameter that was asked for.
        name: String,
    },
    /// The query names something that the loss does not know.
    UnknownQuery {
        /// The loss.
        loss: &'static str,
        /// The name.
        name: String,
    },
    /// A word that a member does not take.
    Choice {
        /// The member.
        member: &'static str,
        /// The word.
        word: String,
        /// The words that it takes.
        known: Vec<&'static str>,
    },
    /// There is no key, or it is not one of ours.
    Unauthorized,
    /// The key lacks the scope.
    Forbidden(Scope),
    /// Too many attempts from the same address were no keys.
    TooManyFailures {
        /// How long to wait.
        wait: Duration,
    },
    /// The key has used up its rate.
    OverRate {
        /// Cost units per second.
        rate: f64,
        /// How long to wait.
        wait: Duration,
    },
    /// The key holds its share of the jobs.
    OverShare {
        /// How many jobs that is.
        jobs_max: usize,
    },
    /// Something is wrong with the numbers.
    Fault(Fault),
}

impl Refusal {
    /// A word that a member does not take.
    pub fn choice(member: &'static str, word: &str, known: &[&'static str]) -> Refusal {
        Refusal::Choice { member, word: word.to_owned(), known: known.to_vec() }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Fault(fault)
    }
}
