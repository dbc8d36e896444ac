//! `POST /loss/{name}`: from a body to an answer. The body is awaited; all else is one plain
//! function, which runs on a compute thread unless the body is small.

use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant as Deadline, timeout_at};

use super::json::answer::{Printed, print, print_plain};
use super::json::number::FromLiteral;
use super::json::print::Print;
use super::json::request::{Read, read, shown};
use super::observe::InFlight;
use super::problem::{Code, Problem};
use super::{App, answer, pieces};
use crate::numeric::catalogue;
use crate::numeric::loss::Loss;
use crate::numeric::simd::Level;
use crate::numeric::spare;
use crate::service::keys::{Admission, Key};
use crate::service::metrics::Stage;
use crate::service::request::{Dtype, Scalars};
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

/// Evaluates a loss.
pub async fn evaluate(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<Pairs>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let loss = find(name)?;
    let scalars = scalars(loss, query)?;
    let (mut parts, body) = request.into_parts();
    let form = wanted_form(&parts.headers)?;
    let sure_json = is_json(&parts.headers)?;
    let limit = app.config.body_bytes_max;
    let declared = declared_length(&parts.headers);
    if declared.is_some_and(|length| limit < length) {
        return Err(too_large(limit));
    }
    // So little holds no memory to speak of, and handing it to another thread would cost more than
    // doing it.
    let is_small =
        !loss.grows_faster && declared.is_some_and(|length| length <= app.config.inline_bytes_max);
    let key = parts.extensions.remove::<Arc<Key>>();
    let admit = |key: Arc<Key>| key.admit(declared, limit, !is_small, Instant::now());
    let mut admission = key.map(admit).transpose()?;
    let place = if is_small { None } else { Some(place(&app, admission.as_mut())?) };

    let mut clock = Clock::start();
    let deadline = Deadline::now() + app.config.deadline();
    let body = timeout_at(deadline, receive(body, declared, limit)).await;
    let body = body.map_err(|_| {
        let detail = format!("the body did not arrive in {} s", app.config.deadline_seconds);
        Problem::new(Code::RequestTimeout, detail)
    })??;
    if !sure_json
        && !body.is_empty()
        && body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{')
    {
        return Err(unsupported("this body is not a JSON object"));
    }
    clock.lap(Stage::Read);

    if is_small {
        clock.lap(Stage::Wait);
        let (text, timing) = work(&app, loss, scalars, &body, form, clock, admission.as_mut())?;
        return Ok(response(&app, form, text, &timing));
    }
    let deadline = Deadline::now() + app.config.deadline();
    let slot = within(&app, deadline, app.slots.clone().acquire_owned()).await?;
    let slot = slot.map_err(|_| Problem::new(Code::Draining, "the server is stopping"))?;
    clock.lap(Stage::Wait);
    let service = app.clone();
    let work = move || {
        // They are held until the work is really done, whether or not somebody waits for it: the
        // admission longest, so that a key's share is of places that are free.
        let mut held = (place, slot, admission);
        let done = work(&service, loss, scalars, &body, form, clock, held.2.as_mut());
        spare::BYTES.give(body);
        done
    };
    let done = within(&app, deadline, tokio::task::spawn_blocking(work)).await?;
    let (text, timing) = done.map_err(|error| {
        tracing::error!(loss = loss.card.name, error = ?error.to_string(), "an evaluation panicked");
        Problem::internal()
    })??;
    Ok(response(&app, form, text, &timing))
}

/// The answer with its headers.
fn response(app: &App, form: Form, text: Printed, timing: &str) -> Response {
    let body = match text {
        Printed::Whole(text) => Body::from(text),
        Printed::InPieces(text) => pieces::body(text, app.clone()),
    };

    let media_type = match form {
        Form::Json => "application/json",
        Form::Plain => "text/plain; charset=utf-8",
    };
    let mut response = answer(media_type, body);
    if let Ok(timing) = HeaderValue::from_str(timing) {
        response.headers_mut().insert("server-timing", timing);
    }
    response
}

/// From a body to an answer, and how long that took.
fn work(
    app: &Service,
    loss: &'static Loss,
    scalars: Scalars,
    body: &[u8],
    form: Form,
    mut clock: Clock,
    admission: Option<&mut Admission>,
) -> Result<(Printed, String), Problem> {
    // Jobs beside each other share the threads.
    let jobs = app.threads.saturating_sub(app.slots.available_permits()).max(1);
    let threads = (app.threads / jobs).max(1);
    let done = respond(loss, scalars, body, form, app.level, threads, &mut clock)?;
    app.metrics.evaluated(loss.card.name, done.rows, done.elements);
    if let Some(admission) = admission {
        admission.correct(done.elements, Instant::now());
    }
    for (stage, took) in &clock.laps {
        app.metrics.stage(*stage, *took);
    }
    Ok((done.text, clock.server_timing()))
}

/// A written answer and how much work it was.
pub struct Written {
    /// The answer's text.
    pub text: Printed,
    rows: usize,
    elements: usize,
}

/// Decodes a body, evaluates it and encodes the answer: all in plain sequence.
///
/// # Errors
/// What is wrong with the body.
pub fn respond(
    loss: &'static Loss,
    scalars: Scalars,
    body: &[u8],
    form: Form,
    level: Level,
    threads: usize,
    clock: &mut Clock,
) -> Result<Written, Problem> {
    let run = Run { loss, body, form, level, threads };
    if scalars.dtype() == Dtype::Float64 {
        return run.typed::<f64>(scalars, clock).map(|done| done.expect("only f32 gives way"));
    }
    if let Some(done) = run.typed::<f32>(scalars.clone(), clock)? {
        return Ok(done);
    }
    // The body says `"dtype": "float64"` itself: read it again, in double precision.
    let mut wide = scalars;
    wide.set_word(&loss.card, "dtype", Dtype::Float64.name())?;
    run.typed::<f64>(wide, clock).map(|done| done.expect("only f32 gives way"))
}

struct Run<'a> {
    loss: &'static Loss,
    body: &'a [u8],
    form: Form,
    level: Level,
    threads: usize,
}

impl Run<'_> {
    /// Runs in one number type; none if the body asks for another one.
    fn typed<T: Evaluate + FromLiteral + Print>(
        &self,
        scalars: Scalars,
        clock: &mut Clock,
    ) -> Result<Option<Written>, Problem> {
        let request =
            match read::<T>(&self.loss.card, self.body, scalars, self.level, self.threads)? {
                Read::Request(request) => request,
                Read::Other(_) => return Ok(None),
            };
        clock.lap(Stage::Decode);
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
            let comma = if text.is_empty() { "" } else { ", " };
            let micros = took.as_micros();
            let (whole, rest) = (micros / 1000, micros % 1000);
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{};dur={whole}.{rest:03}", stage.name());
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
fn scalars(loss: &Loss, query: Result<Query<Pairs>, QueryRejection>) -> Result<Scalars, Problem> {
    let Query(pairs) = query.map_err(|_| {
        Problem::new(Code::MalformedQuery, "the query string is not a list of name=value pairs")
    })?;
    let mut scalars = Scalars::default();
    for (name, value) in pairs {
        scalars.set_query(&loss.card, &name, &value)?;
    }
    Ok(scalars)
}

/// The form of the answer that the client accepts.
fn wanted_form(headers: &HeaderMap) -> Result<Form, Problem> {
    let mut best: Option<(f32, Form)> = None;
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            any = true;
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "*/*" | "application/*" | "application/json" => Form::Json,
                "text/plain" | "text/*" => Form::Plain,
                _ => continue,
            };
            let quality = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            if 0.0 < quality && best.is_none_or(|(q, _)| q < quality) {
                best = Some((quality, form));
            }
        }
    }
    match best {
        Some((_, form)) => Ok(form),
        None if !any => Ok(Form::Json),
        None => Err(Problem::new(Code::NotAcceptable, "no accepted media type can be answered")
            .hint("answers are application/json, or text/plain for the loss alone")),
    }
}

/// Whether the body is said to be JSON. What plain `curl -d` says is JSON if it looks like it.
fn is_json(headers: &HeaderMap) -> Result<bool, Problem> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(unsupported("compressed bodies are not read"));
    }
    let Some(media_type) = headers.get(header::CONTENT_TYPE) else { return Ok(false) };
    let text = media_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    match essence {
        "application/json" | "text/json" => Ok(true),
        "" | "application/x-www-form-urlencoded" => Ok(false),
        _ if essence.starts_with("application/") && essence.ends_with("+json") => Ok(true),
        _ => Err(unsupported(&format!("`{}` is not read", shown(essence)))),
    }
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(Code::UnsupportedMediaType, detail).hint(
        "send a JSON object with content-type: application/json, and without content-encoding",
    )
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("the limit is {limit} bytes")).hint(
        "send the batch in parts: sum and denominator of the answers add up; \
               or raise body_bytes_max",
    )
}

/// A place among the requests that hold memory. Without one nothing is charged.
fn place(
    app: &Service,
    admission: Option<&mut Admission>,
) -> Result<(OwnedSemaphorePermit, InFlight), Problem> {
    let place = app.places.clone().try_acquire_owned().map_err(|_| {
        if let Some(admission) = admission {
            admission.correct(0, Instant::now());
        }
        let detail = format!("all {} places for work are taken", app.config.jobs_max);
        Problem::new(Code::Busy, detail).hint("try again after the time in Retry-After")
    })?;
    Ok((place, InFlight::new(&app.metrics.jobs_in_flight)))
}

/// Receives a body into one buffer: a spare one, or one that grows as bytes arrive.
async fn receive(body: Body, declared: Option<usize>, limit: usize) -> Result<Vec<u8>, Problem> {
    /// What is set aside for a body before any of it has come.
    const TRUSTED: usize = 1 << 20;
    let declared = declared.unwrap_or(0);
    let fresh = || Vec::with_capacity(declared.min(TRUSTED));
    let mut bytes = spare::BYTES.empty(declared).unwrap_or_else(fresh);
    let mut body = body;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(Code::MalformedJson, "the body ended before its declared length")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if limit - bytes.len() < data.len() {
            return Err(too_large(limit));
        }
        if bytes.capacity() < bytes.len() + data.len() {
            // Having sent so much, the client is trusted with the rest.
            bytes.reserve_exact(declared.saturating_sub(bytes.len()).max(bytes.len()));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Waits for something, but not beyond the deadline.
async fn within<F: Future>(
    app: &Service,
    deadline: Deadline,
    work: F,
) -> Result<F::Output, Problem> {
    timeout_at(deadline, work).await.map_err(|_| {
        let detail = format!("the answer was not ready in {} s", app.config.deadline_seconds);
        Problem::new(Code::DeadlineExceeded, detail)
            .hint("send smaller batches, or raise deadline_seconds")
    })
}
