//! HTTP: every route on one page, and what lies around them.

pub mod access;
mod admission;
mod coding;
mod connection;
mod decoding;
mod encoding;
pub mod evaluate;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod head;
mod holding;
mod http2;
pub mod json;
pub mod problem;
pub mod catalogue;
pub mod openapi;
pub mod page;
mod pieces;
pub mod ops;
pub mod observe;
pub mod serve;
pub mod site;
pub mod tls;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::{get, post};

use crate::service::Service;
use crate::service::keys::file::Scope;
use crate::service::metrics::EVALUATION;
use problem::{Code, Problem};

/// What every handler shares.
pub type App = Arc<Service>;

/// A route as the documents and the metrics know it: path, methods, and statuses of each.
pub struct Route {
    /// The path, with names for its variable parts.
    pub path: &'static str,
    /// The method.
    pub method: &'static str,
    /// What it answers.
    pub summary: &'static str,
    /// The statuses that it can answer with.
    pub statuses: &'static [u16],
}

const fn route(
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    statuses: &'static [u16],
) -> Route {
    Route { path, method, summary, statuses }
}

/// Every route. `/v1/loss/{name}` is `/loss/{name}` under the name that stays.
pub const ROUTES: [Route; 11] = [
    route(
        EVALUATION,
        "POST",
        "evaluate a loss on a batch",
        &[200, 400, 401, 403, 404, 406, 408, 413, 415, 422, 429, 500, 503, 504],
    ),
    route(EVALUATION, "GET", "the card of a loss", &[200, 404]),
    route("/loss", "GET", "the catalogue", &[200, 400]),
    route("/metrics", "GET", "metrics in Prometheus's text format", &[200, 401, 403, 429]),
    route("/healthz", "GET", "whether the process is alive", &[200]),
    route("/readyz", "GET", "whether the server takes work", &[200, 503]),
    route("/version", "GET", "name, version, revision and CPU level", &[200]),
    route("/openapi.json", "GET", "the interface as OpenAPI 3.1", &[200]),
    route("/docs", "GET", "the interface as a page to read", &[200]),
    route("/problems", "GET", "what each problem means", &[200]),
    route("/", "GET", "a few lines to begin with", &[200]),
];

/// The label of requests that match no route.
pub const NO_ROUTE: &str = "other";

/// All that users ask for.
fn routes(app: &App) -> Router<App> {
    expect_series(app);
    let evaluation = || access::guarded(post(evaluate::named), Scope::Evaluate, app);
    let routes = if app.config.operations_on_main { operations_routes(app) } else { Router::new() };
    routes
        .route(EVALUATION, evaluation().get(catalogue::card))
        .route("/v1/loss/{name}", evaluation().get(catalogue::card))
        .route("/loss", get(catalogue::list))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(page::docs))
        .route("/problems", get(page::problems))
        .route("/", get(page::start))
}

/// What operators ask for.
fn operations_routes(app: &App) -> Router<App> {
    Router::new()
        .route("/metrics", access::guarded(get(ops::metrics), Scope::Metrics, app))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/version", get(ops::version))
}

/// Makes every series before the first request.
fn expect_series(app: &Service) {
    for route in &ROUTES {
        app.metrics.expect_route(route.path, route.method, route.statuses);
        let allowed: Vec<&str> =
            ROUTES.iter().filter(|other| other.path == route.path).map(|r| r.method).collect();
        for method in observe::METHODS {
            if method == "HEAD" && route.method == "GET" {
                app.metrics.expect_route(route.path, method, route.statuses);
            } else if !allowed.contains(&method) && method != "HEAD" {
                app.metrics.expect_route(route.path, method, &[405]);
            }
        }
    }
    for method in observe::METHODS {
        app.metrics.expect_route(NO_ROUTE, method, &[404]);
    }
    for code in Code::ALL {
        app.metrics.expect_refusal(code.code());
    }
    for end in connection::ENDS {
        app.metrics.expect_connection_end(end);
    }
}

async fn not_found(uri: Uri) -> Problem {
    let path = json::request::shown(uri.path());
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    let problem = Problem::new(Code::NotFound, format!("there is nothing at {path}"));
    match json::request::nearest(uri.path(), &paths) {
        Some(near) => problem.hint(format!("did you mean {near}? GET / lists the addresses")),
        None => problem.hint("GET / lists the addresses, GET /loss the losses"),
    }
}

async fn method_not_allowed(uri: Uri) -> Problem {
    let path = json::request::shown(uri.path());
    let problem = Problem::new(Code::MethodNotAllowed, format!("{path} does not take this method"));
    problem.hint("the Allow header lists the ones that it takes; a loss is evaluated with POST")
}

/// An answer of a media type.
fn answer(media_type: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    let media_type = axum::http::HeaderValue::from_static(media_type);
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, media_type);
    response
}
