//! The use of the mathematics: from a request to an answer, with limits and metrics. No HTTP.

pub mod background;
pub mod budget;
pub mod keys;
pub mod metrics;
pub mod queue;
pub mod refusal;
pub mod request;
pub mod stamp;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use crate::config::Config;
use crate::numeric::card::Card;
use crate::numeric::fault::Fault;
use crate::numeric::job::{Job, Outcome, Reduction};
use crate::numeric::loss::Loss;
use crate::numeric::simd::{Level, Number};
use crate::numeric::spare;
use budget::Budget;
use keys::KeyStore;
use metrics::Metrics;
use queue::Queue;
use refusal::Refusal;
use request::{Outputs, Request};

/// The service: what all requests share.
pub struct Service {
    /// The settings.
    pub config: Config,
    /// The CPU level that kernels run at.
    pub level: Level,
    /// How many threads compute.
    pub threads: usize,
    /// Every metric.
    pub metrics: Metrics,
    /// Places for requests that hold memory: from before the body is read until it is answered.
    pub places: Arc<Semaphore>,
    /// The memory that requests share.
    pub budget: Budget,
    /// Who waits for a compute thread.
    pub queue: Queue,
    /// The API keys; none if everyone is served.
    pub keys: Option<Arc<KeyStore>>,
    draining: AtomicBool,
}

/// The answer to a request.
pub struct Answer<T> {
    /// The loss's description.
    pub card: &'static Card,
    /// The reduction that was used.
    pub reduction: Reduction,
    /// The parts that are wanted.
    pub outputs: Outputs,
    /// The numbers.
    pub outcome: Outcome<T>,
    /// How many leading indices the batch had.
    pub rows: usize,
    /// How many numbers its inputs had.
    pub elements: usize,
}

/// A number type that the service evaluates in.
pub trait Evaluate: Number {
    /// Evaluates a loss in this type.
    ///
    /// # Errors
    /// What is wrong with the job.
    fn evaluate(loss: &Loss, job: &Job<Self>) -> Result<Outcome<Self>, Fault>;
}

impl Evaluate for f32 {
    fn evaluate(loss: &Loss, job: &Job<f32>) -> Result<Outcome<f32>, Fault> {
        loss.evaluate_f32(job)
    }
}

impl Evaluate for f64 {
    fn evaluate(loss: &Loss, job: &Job<f64>) -> Result<Outcome<f64>, Fault> {
        loss.evaluate_f64(job)
    }
}

impl Service {
    /// A service with these settings, and the keys of the file that they name.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the keys file.
    pub fn new(config: Config) -> Result<Service, String> {
        let level = config.simd_level();
        let threads = config.threads();
        let budget = Budget::new(match config.memory_bytes_max {
            0 => budget::half_of_memory(),
            bytes => bytes,
        });
        // What is kept for the next request comes on top of what requests are charged.
        spare::keep_at_most(budget.total() / 16);
        let metrics = Metrics::new(level, config.jobs_max, budget.total());
        let keys = match config.keys_file.as_str() {
            "" => None,
            path => Some(Arc::new(KeyStore::open(path.into(), config.jobs_max, &metrics)?)),
        };
        Ok(Service {
            level,
            threads,
            metrics,
            places: Arc::new(Semaphore::new(config.jobs_max)),
            budget,
            queue: Queue::new(threads),
            keys,
            draining: AtomicBool::new(false),
            config,
        })
    }

    /// Stops being ready. Work that is there is still done.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the service is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Evaluates a request.
///
/// # Errors
/// What is wrong with the request.
pub fn evaluate<T: Evaluate>(
    loss: &'static Loss,
    request: Request<T>,
    level: Level,
    threads: usize,
) -> Result<Answer<T>, Refusal> {
    let (outputs, rows, elements) = (request.outputs(), request.rows(), request.elements());
    let job = request.into_job(level, threads)?;
    let outcome = T::evaluate(loss, &job)?;
    let reduction = job.options.reduction;
    job.recycle();
    Ok(Answer { card: &loss.card, reduction, outputs, outcome, rows, elements })
}
