//! Around every request: its id, its metrics, its line in the log, and the body of its problem.

use std::any::Any;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use prometheus::IntGauge;

use super::access::Peer;
use super::encoding::{encode, is_short};
use super::problem::Problem;
use super::{App, coding};
use crate::service::keys::Key;

/// The methods that have a label of their own; all others are `other`.
pub const METHODS: [&str; 8] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A gauge that is one higher as long as this lives.
pub struct InFlight(IntGauge);

impl InFlight {
    /// Raises the gauge.
    pub fn new(gauge: &IntGauge) -> InFlight {
        gauge.inc();
        InFlight(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Observes one request, from this peer and for this route, and how it is responded to.
pub async fn observe<F: Future<Output = Response>>(
    app: &App,
    peer: Option<Peer>,
    route: &str,
    request: Request,
    respond: impl FnOnce(Request) -> F,
) -> Response {
    let started = Instant::now();
    let _in_flight = InFlight::new(&app.metrics.requests_in_flight);
    let method = label(request.method());
    let id = request_id(request.headers());
    let trace = trace_id(request.headers()).unwrap_or_default();
    let coding = coding::wanted(request.headers());

    let response = respond(request).await;
    let mut response =
        if is_short(&response) { response } else { Box::pin(encode(app, coding, response)).await };

    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        app.metrics.refused(problem.code.code());
        *response.body_mut() = Body::from(problem.to_json(&id));
        let (code, detail) = (problem.code.code(), problem.detail);
        tracing::debug!(request_id = id, code, detail = ?detail, "refused");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let key = response.extensions_mut().remove::<Arc<Key>>();
    let (status, took) = (response.status(), started.elapsed());
    app.metrics.answered(route, method, status.as_str(), took);
    let duration_ms = took.as_secs_f64() * 1e3;
    tracing::debug!(
        request_id = id,
        trace_id = trace,
        peer = peer.map(|Peer(address)| tracing::field::display(address)),
        key = key.as_ref().map(|key| tracing::field::debug(key.name())),
        route,
        method,
        status = status.as_u16(),
        duration_ms,
        "answered"
    );
    response
}

/// The answer to a request whose handler panicked.
pub fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!(panic = ?message.unwrap_or_default(), "a handler panicked");
    Problem::internal().into_response()
}

fn label(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// The caller's id if it is a sane one, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
    given.map_or_else(new_id, str::to_owned)
}

/// An id that no other request of this process has, and hardly one of another.
fn new_id() -> String {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = KEY.build_hasher();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    let bits = hasher.finish();
    let digit = |at: u32| char::from(b"0123456789abcdef"[(bits >> (4 * at) & 15) as usize]);
    let mut id = String::with_capacity(16);
    (0..16).rev().for_each(|at| id.push(digit(at)));
    id
}

/// The trace id of a W3C `traceparent` header.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = parent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (version.len() == 2 && trace.len() == 32 && hex(version) && hex(trace))
        .then(|| trace.to_ascii_lowercase())
}
