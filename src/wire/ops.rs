//! What operators ask: health, readiness, metrics, version.

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::problem::{Code, Problem};
use super::{App, answer};
use crate::service::metrics::{REVISION, VERSION};

/// The process is alive.
pub async fn healthz() -> Response {
    answer("text/plain; charset=utf-8", "ok\n")
}

/// The server takes work, unless it is stopping or its threads have stalled. Being busy does not
/// make it unready.
pub async fn readyz(State(app): State<App>) -> Response {
    if app.is_draining() {
        return Problem::new(Code::Draining, "the server is stopping").into_response();
    }
    if app.queue.is_stalled(app.config.deadline()) {
        let detail = "every thread that computes has been at one job for longer than any may take";
        return Problem::new(Code::Busy, detail).into_response();
    }
    answer("text/plain; charset=utf-8", "ready\n")
}

/// Everything in Prometheus's text format.
pub async fn metrics(State(app): State<App>) -> Response {
    app.metrics.memory_charged.set(app.budget.charged() as i64);
    answer("text/plain; version=0.0.4; charset=utf-8", app.metrics.text())
}

/// Name, version, revision and CPU level.
pub async fn version(State(app): State<App>) -> Response {
    let version = serde_json::json!({
        "name": "lossd",
        "version": VERSION,
        "revision": REVISION,
        "simd": app.level.name(),
        "threads": app.threads,
    });
    answer("application/json", version.to_string())
}
