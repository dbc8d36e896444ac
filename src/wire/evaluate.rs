//! `POST /loss/{name}`: from a body to an answer. The body is awaited; all else is one plain
//! function, which runs on a compute thread unless the body is small.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::Response;
use http_body_util::Full;
use tokio::time::{Instant as Deadline, timeout_at};

use super::admission::{Admitted, queue_is_full, receive, too_large};
use super::coding::{self, Coding};
use super::decoding::decode;
use super::head::{caller_deadline, declared_length, expect_object, says_json, wanted_form};
use super::holding::Holding;
use super::json::answer::{Printed, print, print_plain};
use super::json::number::FromLiteral;
use super::json::print::Print;
use super::json::request::{Read, read, shown};
use super::problem::{Code, Problem};
use super::{App, answer, pieces};
use crate::numeric::cancel;
use crate::numeric::catalogue::{self, family_of};
use crate::numeric::loss::Loss;
use crate::numeric::simd::{Level, Number};
use crate::numeric::spare;
use crate::service::background::in_background;
use crate::service::budget::Charge;
use crate::service::keys::{Admission, Key};
use crate::service::metrics::Stage;
use crate::service::request::{self, Dtype, Scalars};
use crate::service::{self, Evaluate, Service};

/// The pairs of a query string.
pub type Pairs = Vec<(String, String)>;

/// In what form the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The whole answer as JSON.
    Json,
    /// The loss alone as text.
    Plain,
}

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Evaluates the loss of that name.
pub async fn named(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    mut request: Request,
) -> Result<Response, Problem> {
    let key = request.extensions_mut().remove();
    evaluate(app, find(name)?, key, request).await
}

/// Evaluates a loss for a key, if the server has keys.
pub async fn evaluate(
    app: App,
    loss: &'static Loss,
    key: Option<Arc<Key>>,
    request: Request,
) -> Result<Response, Problem> {
    let scalars = scalars(loss, request.uri())?;
    let (parts, body) = request.into_parts();
    let form = wanted_form(&parts.headers)?;
    let sure_json = says_json(&parts.headers)?;
    let coding = coding::of_body(&parts.headers)?;
    let declared = declared_length(&parts.headers);
    if declared.is_some_and(|length| app.config.body_bytes_max < length) {
        return Err(too_large(app.config.body_bytes_max));
    }
    let caller = caller_deadline(&parts.headers)?;
    // So little holds no memory to speak of, and handing it to another thread would cost more than
    // doing it. What is compressed may hold anything.
    let is_small = coding.is_none()
        && !loss.grows_faster
        && declared.is_some_and(|length| length <= app.config.inline_bytes_max);
    let limit = app.config.body_bytes_max;
    let admit = |key: Arc<Key>| key.admit(declared, limit, !is_small, Instant::now());
    let mut admission = key.map(admit).transpose()?;
    let room = if is_small { Ok(None) } else { Admitted::new(&app, declared).map(Some) };
    // What finds no room is not charged.
    let mut admitted = room.inspect_err(|_| correct(&mut admission, 0))?;

    let mut clock = Clock::start();
    let body = receive(&app, body, declared, &mut admitted);
    let body = match caller {
        Some(caller) => within(&app, caller, body).await??,
        None => body.await?,
    };
    clock.lap(Stage::Read);

    let mut task = Task { loss, scalars, form, sure_json, clock };
    let Some(admitted) = admitted else {
        task.clock.lap(Stage::Wait);
        let done = task.run(&app, &body, &mut |_| Ok(()))?;
        correct(&mut admission, done.elements);
        return Ok(response(&app, form, done.text, &done.timing, None));
    };
    let deadline = Deadline::now() + app.config.deadline();
    let deadline = caller.map_or(deadline, |caller| caller.min(deadline));
    // In memory of its own, or small requests would be as large.
    Box::pin(on_thread(app, task, body, coding, admission, admitted, deadline)).await
}

/// Does a task on a compute thread, as soon as there is one for it.
async fn on_thread(
    app: App,
    mut task: Task,
    body: Vec<u8>,
    coding: Option<Coding>,
    admission: Option<Admission>,
    admitted: Admitted,
    deadline: Deadline,
) -> Result<Response, Problem> {
    let slot = within(&app, deadline, app.queue.slot(body.len())).await?;
    let slot = slot.map_err(|_| Problem::new(Code::Draining, "the server is stopping"))?;
    let slot = slot.ok_or_else(queue_is_full)?;
    task.clock.lap(Stage::Wait);
    let (name, form, service) = (task.loss.card.name, task.form, app.clone());
    let waiting = Waiting::default();
    let flag = waiting.0.clone();
    let work = move || -> Result<_, Problem> {
        // Held until the work is really done, whether or not somebody waits for it; the key's part
        // longest, so that its share is of places that are free.
        let (mut admission, mut admitted, _slot) = (admission, admitted, slot);
        let done = cancel::under(flag, || {
            let body = decoded(&service, coding, body, &mut admission, &mut admitted)?;
            let mut afford = |bytes| {
                if cancel::is_raised() {
                    return Err(Problem::nobody_waits());
                }
                admitted.cover(body.capacity().saturating_add(bytes))
            };
            let done = task.run(&service, &body, &mut afford);
            spare::BYTES.give(body);
            done
        })?;
        correct(&mut admission, done.elements);
        // Only what the answer holds is left.
        admitted.cover(done.text.bytes())?;
        Ok((done, admitted.into_charge()))
    };
    let done = within(&app, deadline, in_background(work)).await?;
    let (done, charge) = done.map_err(|error| {
        tracing::error!(loss = name, error = ?error.to_string(), "an evaluation panicked");
        Problem::internal()
    })??;
    Ok(response(&app, form, done.text, &done.timing, Some(charge)))
}

/// The body as it was before it was compressed.
fn decoded(
    app: &Service,
    coding: Option<Coding>,
    body: Vec<u8>,
    admission: &mut Option<Admission>,
    admitted: &mut Admitted,
) -> Result<Vec<u8>, Problem> {
    let Some(coding) = coding else { return Ok(body) };
    let mut plain = Vec::new();
    let mut afford = |bytes| admitted.cover(body.capacity().saturating_add(bytes));
    let done = decode(coding, &body, app.config.body_bytes_max, &mut plain, &mut afford);
    // Also where it cannot be used: it was work to find that out.
    if let Some(admission) = admission {
        admission.raise(plain.len(), Instant::now());
    }
    spare::BYTES.give(body);
    done.map(|()| plain)
}

/// A request that waits for its work. When it is dropped, because the client has gone or the time
/// is over, the work is asked to stop.
#[derive(Default)]
struct Waiting(cancel::Flag);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// What asks for memory, in bytes, before it is taken.
pub type Afford<'a> = &'a mut dyn FnMut(usize) -> Result<(), Problem>;

/// The answer with its headers.
fn response(
    app: &App,
    form: Form,
    text: Printed,
    timing: &str,
    charge: Option<Charge>,
) -> Response {
    // The memory of the answer is charged as long as it is not sent.
    let body = match text {
        Printed::Whole(text) => Body::new(Holding::new(Full::<Bytes>::from(text), charge)),
        Printed::InPieces(text) => Body::new(Holding::new(pieces::body(text, app.clone()), charge)),
    };
    let media_type = match form {
        Form::Json => "application/json",
        Form::Plain => "text/plain; charset=utf-8",
    };
    let mut response = answer(media_type, body);
    if let Ok(timing) = HeaderValue::from_str(timing) {
        response.headers_mut().insert(SERVER_TIMING, timing);
    }
    response
}

/// Charges a key for what its request really was.
fn correct(admission: &mut Option<Admission>, cost: usize) {
    if let Some(admission) = admission {
        admission.correct(cost, Instant::now());
    }
}

/// An answer, how long it took and how many numbers it is of.
struct Done {
    text: Printed,
    timing: String,
    elements: usize,
}

/// What is to be done with a body.
struct Task {
    loss: &'static Loss,
    scalars: Scalars,
    form: Form,
    /// Whether the body is said to be JSON.
    sure_json: bool,
    clock: Clock,
}

impl Task {
    /// From a body to an answer.
    fn run(mut self, app: &Service, body: &[u8], afford: Afford<'_>) -> Result<Done, Problem> {
        expect_object(self.sure_json, body)?;
        let (loss, form) = (self.loss, self.form);
        // Jobs beside each other share the threads.
        let threads = (app.threads / app.queue.running().max(1)).max(1);
        let run = Run { loss, body, form, level: app.level, threads };
        let Written { text, rows, elements } =
            run.respond(self.scalars, &mut self.clock, afford)?;
        app.metrics.evaluated(loss.card.name, rows, elements);
        for (stage, took) in &self.clock.laps {
            app.metrics.stage(*stage, *took);
        }
        Ok(Done { text, timing: self.clock.server_timing(), elements })
    }
}

/// A written answer and how much work it was.
pub struct Written {
    /// The answer's text.
    pub text: Printed,
    rows: usize,
    elements: usize,
}

/// A body and what is to be done with it.
pub struct Run<'a> {
    /// The loss.
    pub loss: &'static Loss,
    /// The body.
    pub body: &'a [u8],
    /// The form of the answer.
    pub form: Form,
    /// The CPU level.
    pub level: Level,
    /// On how many threads.
    pub threads: usize,
}

impl Run<'_> {
    /// Decodes the body, evaluates it and encodes the answer: all in plain sequence.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn respond(
        &self,
        scalars: Scalars,
        clock: &mut Clock,
        afford: Afford<'_>,
    ) -> Result<Written, Problem> {
        let only = |done: Option<Written>| done.expect("only f32 gives way");
        if scalars.dtype() == Dtype::Float64 {
            return self.typed::<f64>(scalars, clock, afford).map(only);
        }
        if let Some(done) = self.typed::<f32>(scalars.clone(), clock, afford)? {
            return Ok(done);
        }
        // The body says `"dtype": "float64"` itself: read it again, in double precision.
        let mut wide = scalars;
        wide.set_word(&self.loss.card, "dtype", Dtype::Float64.name())?;
        self.typed::<f64>(wide, clock, afford).map(only)
    }

    /// Runs in one number type; none if the body asks for another one.
    fn typed<T: Evaluate + FromLiteral + Print>(
        &self,
        scalars: Scalars,
        clock: &mut Clock,
        afford: Afford<'_>,
    ) -> Result<Option<Written>, Problem> {
        let request =
            match read::<T>(&self.loss.card, self.body, scalars, self.level, self.threads)? {
                Read::Request(request) => request,
                Read::Other(_) => return Ok(None),
            };
        clock.lap(Stage::Decode);
        afford(memory(self.loss, &request))?;
        let answer = service::evaluate(self.loss, request, self.level, self.threads)?;
        clock.lap(Stage::Evaluate);
        let (rows, elements) = (answer.rows, answer.elements);
        let text = match self.form {
            Form::Json => print(answer, self.level),
            Form::Plain => Printed::Whole(print_plain(&answer)),
        };
        if matches!(text, Printed::Whole(_)) {
            clock.lap(Stage::Encode);
        }
        Ok(Some(Written { text, rows, elements }))
    }
}

/// How long each stage took.
pub struct Clock {
    since: Instant,
    laps: Vec<(Stage, Duration)>,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { since: Instant::now(), laps: Vec::with_capacity(Stage::ALL.len()) }
    }

    /// Ends a stage and begins the next one.
    fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.laps.push((stage, now - self.since));
        self.since = now;
    }

    /// The `Server-Timing` header, in milliseconds.
    fn server_timing(&self) -> String {
        let mut text = String::with_capacity(Stage::ALL.len() * 24);
        for (stage, took) in &self.laps {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let digit = |unit: u64| char::from(b'0' + (micros / unit % 10) as u8);
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(stage.name());
            text.push_str(";dur=");
            text.push_str(itoa::Buffer::new().format(micros / 1000));
            text.extend(['.', digit(100), digit(10), digit(1)]);
        }
        text
    }
}

/// The loss of that name.
pub fn find(name: Result<Path<String>, PathRejection>) -> Result<&'static Loss, Problem> {
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    catalogue::find(&name).ok_or_else(|| {
        let detail = format!("there is no loss `{}`", shown(&name));
        let problem = Problem::new(Code::UnknownLoss, detail);
        let near = catalogue::nearest(&shown(&name));
        if near.is_empty() {
            return problem.hint("GET /loss lists them");
        }
        problem.hint(format!("did you mean {}? GET /loss lists them all", near.join(" or ")))
    })
}

/// What the query says.
fn scalars(loss: &Loss, uri: &Uri) -> Result<Scalars, Problem> {
    let mut scalars = Scalars::default();
    if uri.query().is_none() {
        return Ok(scalars);
    }
    let Query::<Pairs>(pairs) = Query::try_from_uri(uri).map_err(|_| {
        Problem::new(Code::MalformedQuery, "the query string is not a list of name=value pairs")
    })?;
    for (name, value) in pairs {
        scalars.set_query(&loss.card, &name, &value)?;
    }
    Ok(scalars)
}

/// How many bytes a request's numbers and the answer take.
fn memory<T: Number>(loss: &Loss, request: &request::Request<T>) -> usize {
    /// The inputs, outputs of the same size, and room for what bodies keep beside.
    const COPIES: usize = 3;
    /// A pair has a similarity, a slope and a place in the table that is turned over.
    const PER_PAIR: usize = 3 * size_of::<f64>();
    let numbers = request.elements().saturating_mul(COPIES * size_of::<T>());
    let of_pairs = family_of(loss.card.name).is_some_and(|family| family.name == "contrastive");
    let rows = if of_pairs { request.rows() } else { 0 };
    numbers.saturating_add(rows.saturating_mul(rows).saturating_mul(PER_PAIR))
}

/// Waits for something, but not beyond the deadline.
async fn within<F: Future>(
    app: &Service,
    deadline: Deadline,
    work: F,
) -> Result<F::Output, Problem> {
    timeout_at(deadline, work).await.map_err(|_| {
        let seconds = app.config.deadline_seconds;
        let detail = format!(
            "the answer was not ready in time, which is {seconds} s or what X-Request-Timeout-Ms says"
        );
        Problem::new(Code::DeadlineExceeded, detail).hint("send smaller batches, or wait longer")
    })
}
