//! Letting a request in before its body is read, charging what it takes, and receiving it.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::App;
use super::observe::InFlight;
use super::problem::{Code, Problem};
use crate::numeric::spare;
use crate::service::budget::{Charge, Short};

/// How many bytes are charged for each of a body before its numbers are known: itself, and what
/// most bodies hold.
pub const PER_BODY_BYTE: usize = 2;
/// What is set aside for a body before any of it has come.
const TRUSTED: usize = 1 << 20;
/// How slowly a body may come, in bytes a second, once its first seconds are over.
const RATE: f64 = 65_536.0;

/// A request that was let in, with what it holds.
pub struct Admitted {
    app: App,
    charge: Charge,
    _place: OwnedSemaphorePermit,
    _in_flight: InFlight,
}

impl Admitted {
    /// Lets a request in whose body is said to have so many bytes.
    ///
    /// # Errors
    /// `Code::Busy` if there is no room now, `Code::BodyTooLarge` if there never is.
    pub fn new(app: &App, declared: Option<usize>) -> Result<Admitted, Problem> {
        let bytes = declared.unwrap_or(TRUSTED);
        if app.queue.is_full(bytes) {
            return Err(queue_is_full());
        }
        let place =
            app.places.clone().try_acquire_owned().map_err(|_| {
                busy(format!("all {} places for work are taken", app.config.jobs_max))
            })?;
        let wanted = bytes.saturating_mul(PER_BODY_BYTE);
        let charge = app.budget.charge(wanted).map_err(|short| no_memory(app, short, wanted))?;
        let in_flight = InFlight::new(&app.metrics.jobs_in_flight);
        Ok(Admitted { app: app.clone(), charge, _place: place, _in_flight: in_flight })
    }

    /// Charges so many bytes in all, before or after they are taken.
    ///
    /// # Errors
    /// As `new`.
    pub fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        let adjusted = self.app.budget.adjust(&mut self.charge, bytes);
        adjusted.map_err(|short| no_memory(&self.app, short, bytes))
    }

    /// What outlives the work: the memory of the answer.
    pub fn into_charge(self) -> Charge {
        self.charge
    }
}

/// No room for a request, though there may be soon.
fn busy(detail: String) -> Problem {
    Problem::new(Code::Busy, detail).hint("try again after the time in Retry-After")
}

/// Too many wait for a thread.
pub fn queue_is_full() -> Problem {
    busy("the threads that compute are taken, and so is the queue for them".to_owned())
}

fn no_memory(app: &App, short: Short, wanted: usize) -> Problem {
    match short {
        Short::Now => busy("the memory for requests is taken".to_owned()),
        Short::Ever => {
            let total = app.budget.total();
            let detail = format!("it takes {wanted} bytes of memory, and there are {total}");
            Problem::new(Code::BodyTooLarge, detail)
                .hint("send the batch in parts, or raise memory_bytes_max")
        }
    }
}

/// A body over the limit.
pub fn too_large(limit: usize) -> Problem {
    over(format!("the limit is {limit} bytes"))
}

/// A compressed body that is over the limit once it is decoded.
pub fn too_large_decoded(limit: usize) -> Problem {
    over(format!("the limit is {limit} bytes, and the decoded body has more"))
}

fn over(detail: String) -> Problem {
    Problem::new(Code::BodyTooLarge, detail).hint(
        "send the batch in parts: sum and denominator of the answers add up; \
               or raise body_bytes_max",
    )
}

/// Receives a body into one buffer: a spare one, or one that grows, and is charged, as bytes
/// arrive. They must arrive at some rate.
///
/// # Errors
/// `Code::RequestTimeout` if they do not, and what `Admitted` and the limit say.
pub async fn receive(
    app: &App,
    body: Body,
    declared: Option<usize>,
    admitted: &mut Option<Admitted>,
) -> Result<Vec<u8>, Problem> {
    let limit = app.config.body_bytes_max;
    let patience = Duration::from_secs_f64(app.config.body_seconds);
    let started = Instant::now();
    let mut charged = declared.unwrap_or(TRUSTED);
    let declared = declared.unwrap_or(0);
    let fresh = || Vec::with_capacity(declared.min(TRUSTED));
    let mut bytes = spare::BYTES.empty(declared).unwrap_or_else(fresh);
    let mut body = body;
    loop {
        let due = started + patience + Duration::from_secs_f64(bytes.len() as f64 / RATE);
        let frame = timeout_at(due, body.frame()).await.map_err(|_| too_slow(&bytes, started))?;
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|_| {
            Problem::new(Code::MalformedJson, "the body ended before its declared length")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if limit - bytes.len() < data.len() {
            return Err(too_large(limit));
        }
        if let Some(admitted) = admitted.as_mut().filter(|_| charged < bytes.len() + data.len()) {
            charged = (2 * charged).clamp(bytes.len() + data.len(), limit);
            admitted.cover(charged.saturating_mul(PER_BODY_BYTE))?;
        }
        if bytes.capacity() < bytes.len() + data.len() {
            // Having sent so much, the client is trusted with the rest.
            bytes.reserve_exact(declared.saturating_sub(bytes.len()).max(bytes.len()));
        }
        bytes.extend_from_slice(&data);
    }
}

fn too_slow(bytes: &[u8], started: Instant) -> Problem {
    let (received, seconds) = (bytes.len(), started.elapsed().as_secs_f64());
    let detail = format!("{received} bytes of the body came in {seconds:.1} s, which is too slow");
    Problem::new(Code::RequestTimeout, detail)
}
