//! A server in process, requests to it, and the comparison of its answers.

use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use lossd::config::{Config, Given};
use lossd::service::Service;
use lossd::wire::site::Site;
use serde_json::Value;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("the tests need a runtime"));

/// A server that no other test shares.
pub(crate) struct Server {
    site: Site,
    pub(crate) service: Arc<Service>,
}

/// An answer that has arrived.
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) fn new() -> Server {
        Server::with(Given::default())
    }

    pub(crate) fn with(given: Given) -> Server {
        let service = Service::new(Config::from(given)).expect("the keys file is right");
        let service = Arc::new(service);
        Server::around(Site::new(service.clone()), service)
    }

    /// A server with other routes.
    pub(crate) fn around(site: Site, service: Arc<Service>) -> Server {
        Server { site, service }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn send(&self, request: Request<Body>) -> Answer {
        RUNTIME.block_on(async {
            let (parts, body) = self.respond(request).await.into_parts();
            let body = body.collect().await.expect("the body is in memory").to_bytes().to_vec();
            Answer { response: Response::from_parts(parts, ()), body }
        })
    }

    /// Sends a request and takes only the head of its answer; the body is not read.
    pub(crate) fn begin(&self, path: &str, body: impl Into<Body>) -> Response<Body> {
        self.start(Request::post(path).body(body.into()).expect("a valid request"))
    }

    /// As `begin`, for any request.
    pub(crate) fn start(&self, request: Request<Body>) -> Response<Body> {
        RUNTIME.block_on(self.respond(request))
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let peer = request.extensions().get().copied();
        self.site.answer(peer, request).await
    }

    /// Sends a body on a thread of its own.
    pub(crate) fn post_later(&self, path: &'static str, body: &'static str) -> JoinHandle<Answer> {
        let server = Server::around(self.site.clone(), self.service.clone());
        thread::spawn(move || server.post(path, body))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a valid request"))
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into())
            .expect("a valid request");
        self.send(request)
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }
}

/// A number in an answer or a file: non-finite ones are strings, a missing one is none.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => panic!("{word} is not a number"),
        },
        _ => Some(value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))),
    }
}

/// The numbers of nested arrays in order, and the arrays' lengths, which say their shape.
pub(crate) fn flat(value: &Value) -> (Vec<Option<f64>>, Vec<usize>) {
    fn walk(value: &Value, numbers: &mut Vec<Option<f64>>, lengths: &mut Vec<usize>) {
        match value {
            Value::Array(items) => {
                lengths.push(items.len());
                for item in items {
                    walk(item, numbers, lengths);
                }
            }
            _ => numbers.push(number(value)),
        }
    }
    let (mut numbers, mut lengths) = (Vec::new(), Vec::new());
    walk(value, &mut numbers, &mut lengths);
    (numbers, lengths)
}

/// Says how two tensors differ by more than `tolerance` times the largest expected number; none
/// if they do not.
pub(crate) fn difference(got: &Value, expected: &Value, tolerance: f64) -> Option<String> {
    let (got_numbers, got_shape) = flat(got);
    let (numbers, shape) = flat(expected);
    if got_shape != shape {
        return Some(format!("shape {got_shape:?} and not {shape:?}"));
    }
    let finite = numbers.iter().flatten().filter(|x| x.is_finite());
    let largest = finite.fold(0.0f64, |largest, x| largest.max(x.abs()));
    let allowed = tolerance * largest;
    got_numbers.iter().zip(&numbers).enumerate().find_map(|(at, (got, expected))| {
        let same = match (got, expected) {
            (None, None) => true,
            (Some(got), Some(expected)) if expected.is_nan() => got.is_nan(),
            (Some(got), Some(expected)) if expected.is_infinite() => got == expected,
            (Some(got), Some(expected)) => (got - expected).abs() <= allowed,
            _ => false,
        };
        (!same).then(|| format!("element {at} is {got:?} and not {expected:?}"))
    })
}
