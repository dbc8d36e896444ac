//! Fuzz targets: what must hold of any bytes, however wrong. Tests hold them to the corpus in
//! `fuzz/corpus` and to mutations of it; the crate in `fuzz` gives the same functions to cargo-fuzz,
//! which builds with `cfg(fuzzing)`.

pub mod coding;
#[cfg(test)]
mod corpus;
pub mod json;
pub mod number;
pub mod query;
pub mod request;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{self, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::runtime::{self, Runtime};

use super::App;
use super::site::Site;
use crate::config::Config;
use crate::service::Service;

/// A server that nothing reaches but what a target sends it.
struct Server {
    app: App,
    site: Site,
    runtime: Runtime,
}

thread_local! {
    /// Each thread has its own, so that what tests leave behind can be told apart.
    static SERVER: Server = Server::new();
}

impl Server {
    fn new() -> Server {
        // Some bodies are worked on where they are read, and some on another thread.
        let config = Config { inline_bytes_max: 1024, ..Config::default() };
        let app = Arc::new(Service::new(config).expect("no keys file is read"));
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a thread is enough for it");
        Server { site: Site::new(app.clone()), app, runtime }
    }

    /// Nothing that a request held is left behind.
    fn holds_nothing(&self) {
        let Service { places, budget, queue, config, .. } = &*self.app;
        assert_eq!((budget.charged(), queue.running()), (0, 0));
        assert_eq!(places.available_permits(), config.jobs_max);
    }
}

/// What the server says to a request: status, and body.
fn answer(request: http::Request<Body>) -> (StatusCode, Vec<u8>) {
    SERVER.with(|server| {
        let answer = server.runtime.block_on(async {
            let (head, body) = server.site.answer(None, request).await.into_parts();
            let is_problem = head.headers[header::CONTENT_TYPE] == "application/problem+json";
            assert_eq!(is_problem, !head.status.is_success(), "{}", head.status);
            let body = body.collect().await.expect("it is in memory").to_bytes();
            (head.status, body.to_vec())
        });
        hold(answer.0.as_u16(), &answer.1);
        server.holds_nothing();
        answer
    })
}

/// Whatever was asked, it was the asker's fault if there is a problem, and the problem says so.
fn hold(status: u16, body: &[u8]) {
    assert!(matches!(status, 200 | 400..=499), "{status}: {}", body.escape_ascii());
    if status != 200 {
        let problem: Value = serde_json::from_slice(body).expect("a problem is JSON");
        assert_eq!(problem["status"], status, "{problem}");
    }
}

/// The first line of an input, which says what the rest of it is for.
fn first_line(input: &[u8]) -> (&str, &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let rest = input.get(end + 1..).unwrap_or_default();
    (str::from_utf8(&input[..end]).unwrap_or_default(), rest)
}
