//! Limits, headers and what surrounds a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use hyper::body::Frame;
use lossd::config::Given;
use lossd::service::queue::Slot;
use lossd::wire::site::Site;
use serde_json::json;

use crate::harness::{Answer, Server};

const BODY: &str = r#"{"predictions":[1,2],"targets":[1,4]}"#;

/// A body that gives some bytes and then nothing more, for ever.
pub(crate) struct Stuck(pub(crate) Option<Bytes>);

impl hyper::body::Body for Stuck {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

pub(crate) fn kind(answer: &Answer) -> (u16, String) {
    let kind = answer.json()["type"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    (answer.status().as_u16(), kind.trim_start_matches("/problems#").to_owned())
}

#[test]
fn a_body_that_does_not_arrive_is_given_up() {
    let server = Server::with(Given { body_seconds: Some(0.2), ..Given::default() });
    let body = Body::new(Stuck(Some(Bytes::from_static(b"{\"predictions\""))));
    let answer = server.send(Request::post("/loss/mse").body(body).unwrap());
    assert_eq!(kind(&answer), (408, "request-timeout".to_owned()));
    assert_eq!(server.post("/loss/mse", BODY).status(), 200);
    assert_eq!(server.service.places.available_permits(), server.service.config.jobs_max);
    assert_eq!(server.service.budget.charged(), 0);
}

#[test]
fn a_body_over_the_limit_is_refused_with_the_limit() {
    let server = Server::with(Given { body_bytes_max: Some(64), ..Given::default() });
    let long = format!("{BODY}{}", " ".repeat(64));
    let declared = Request::post("/loss/mse")
        .header(header::CONTENT_LENGTH, long.len())
        .body(Body::from(long.clone()))
        .unwrap();
    for answer in [server.send(declared), server.post("/loss/mse", long)] {
        assert_eq!(kind(&answer), (413, "body-too-large".to_owned()));
        assert!(answer.text().contains("64 bytes"), "{}", answer.text());
    }
    let fitting = format!("{BODY}{}", " ".repeat(64 - BODY.len()));
    assert_eq!(server.post("/loss/mse", fitting).status(), 200);
}

#[test]
fn no_place_is_a_503_that_says_when_to_come_back() {
    let server = Server::with(Given { jobs_max: Some(1), ..Given::default() });
    let place = server.service.places.clone().try_acquire_owned().unwrap();
    let answer = server.post("/loss/mse", BODY);
    assert_eq!(kind(&answer), (503, "busy".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Being busy is not being unready, and cheap routes go on.
    assert_eq!(server.get("/readyz").status(), 200);
    // A small body of a known length takes no place, but for a loss whose cost may grow faster.
    let small = |path: &str, body: &'static str| {
        let request = Request::post(path).header(header::CONTENT_LENGTH, body.len());
        server.send(request.body(Body::from(body)).unwrap()).status()
    };
    assert_eq!(small("/loss/mse", BODY), 200);
    assert_eq!(small("/loss/rmse", BODY), 503);
    drop(place);
    assert_eq!(server.post("/loss/mse", BODY).status(), 200);
}

/// Takes every thread.
fn all_slots(server: &Server) -> Vec<Slot> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let queue = &server.service.queue;
    let slot = |_| runtime.block_on(queue.slot(0)).unwrap().expect("nobody waits");
    (0..server.service.threads).map(slot).collect()
}

/// A batch of so many elements.
fn batch(elements: usize) -> String {
    let ones = vec!["1"; elements].join(",");
    format!("{{\"predictions\":[{ones}],\"targets\":[{ones}]}}")
}

#[test]
fn memory_is_charged_until_the_answer_is_out_and_what_does_not_fit_is_refused() {
    let server = Server::with(Given { memory_bytes_max: Some(4 << 20), ..Given::default() });
    assert_eq!(server.post("/loss/mse", batch(100_000)).status(), 200);
    assert_eq!(server.service.budget.charged(), 0);
    // More than there is.
    let answer = server.post("/loss/mse", batch(1_000_000));
    assert_eq!(kind(&answer), (413, "body-too-large".to_owned()));
    assert!(answer.text().contains("4194304"), "{}", answer.text());
    // A table of all pairs counts, though the body is small.
    let rows = vec!["[1,2]"; 2000].join(",");
    let pairs = format!("{{\"input1\":[{rows}],\"input2\":[{rows}]}}");
    let answer = server.post("/loss/info_nce", pairs);
    assert_eq!(kind(&answer), (413, "body-too-large".to_owned()), "{}", answer.text());
    // Others have it now.
    let others = server.service.budget.charge(3 << 20).unwrap();
    assert_eq!(kind(&server.post("/loss/mse", batch(300_000))), (503, "busy".to_owned()));
    drop(others);
    assert_eq!(server.post("/loss/mse", batch(100_000)).status(), 200);
    assert_eq!(server.service.budget.charged(), 0);
    // An answer on its way holds its memory.
    let answer = server.begin("/loss/mse", batch(100_000));
    assert!(100_000 * size_of::<f32>() <= server.service.budget.charged());
    drop(answer);
    assert_eq!(server.service.budget.charged(), 0);
}

#[test]
fn a_full_queue_is_a_503_before_the_body_is_read() {
    let server = Server::new();
    let slots = all_slots(&server);
    let waiting: Vec<_> =
        (0..server.service.threads).map(|_| server.post_later("/loss/mse", BODY)).collect();
    while !server.service.queue.is_full(0) {
        thread::sleep(Duration::from_millis(1));
    }
    let body = Body::new(Stuck(None));
    let request = Request::post("/loss/mse").header(header::CONTENT_LENGTH, 20_000);
    let answer = server.send(request.body(body).unwrap());
    assert_eq!(kind(&answer), (503, "busy".to_owned()));
    drop(slots);
    for answer in waiting {
        assert_eq!(answer.join().unwrap().status(), 200);
    }
}

#[test]
fn an_answer_that_is_not_ready_in_time_is_a_504() {
    let server = Server::with(Given { deadline_seconds: Some(0.2), ..Given::default() });
    let slots = all_slots(&server);
    assert_eq!(server.get("/readyz").status(), 200);
    assert_eq!(kind(&server.post("/loss/mse", BODY)), (504, "deadline-exceeded".to_owned()));
    // Threads that are at one job for longer than any may take have stalled.
    assert_eq!(kind(&server.get("/readyz")), (503, "busy".to_owned()));
    drop(slots);
    assert_eq!(server.get("/readyz").status(), 200);
    assert_eq!(server.post("/loss/mse", BODY).status(), 200);
}

#[test]
fn the_callers_deadline_holds_and_work_stops_that_nobody_waits_for() {
    let server = Server::new();
    let within = |millis: &str, path: &str, body: String| {
        let request = Request::post(path).header("X-Request-Timeout-Ms", millis);
        server.send(request.body(Body::from(body)).unwrap())
    };
    assert_eq!(within("2000", "/loss/mse", BODY.to_owned()).status(), 200);
    for wrong in ["0", "-1", "soon", "1e3", "99999999999"] {
        let answer = within(wrong, "/loss/mse", BODY.to_owned());
        assert_eq!(kind(&answer), (400, "malformed-request".to_owned()), "{wrong}");
    }
    // A second or so of work.
    let row = format!("[{}]", vec!["0.5"; 1000].join(","));
    let rows = vec![row; 1000].join(",");
    let body = format!("{{\"input1\":[{rows}],\"input2\":[{rows}]}}");
    let started = Instant::now();
    assert_eq!(within("20000", "/loss/info_nce", body.clone()).status(), 200);
    let whole = started.elapsed();
    let started = Instant::now();
    let answer = within("100", "/loss/info_nce", body);
    assert_eq!(kind(&answer), (504, "deadline-exceeded".to_owned()));
    while server.service.queue.running() != 0 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(started.elapsed() < whole / 2, "the work goes on: {:?}", started.elapsed());
    assert_eq!(server.service.budget.charged(), 0);
}

async fn boom() {
    panic!("secret");
}

#[test]
fn a_panic_is_a_500_that_tells_nothing() {
    let service = Server::new().service;
    let routes = axum::Router::new().route("/boom", axum::routing::get(boom));
    let server = Server::around(Site::around(routes, service.clone()), service);
    let answer = server.get("/boom");
    assert_eq!(kind(&answer), (500, "internal".to_owned()));
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(server.service.metrics.requests_in_flight.get(), 0);
}

#[test]
fn sane_request_ids_come_back_and_others_are_replaced() {
    let server = Server::new();
    let id = |sent: Option<&str>, path: &str| {
        let mut request = Request::get(path);
        if let Some(sent) = sent {
            request = request.header("x-request-id", sent);
        }
        let answer = server.send(request.body(Body::empty()).unwrap());
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(id(Some("abc-1.2_X"), "/healthz"), "abc-1.2_X");
    for bad in ["has space", "<script>", &"x".repeat(65), ""] {
        let got = id(Some(bad), "/healthz");
        assert_ne!(got, bad);
        assert_eq!(got.len(), 16, "{got}");
    }
    assert_ne!(id(None, "/healthz"), id(None, "/healthz"));
    // Problems carry it in the body too.
    let request = Request::get("/nothing").header("x-request-id", "mine");
    let answer = server.send(request.body(Body::empty()).unwrap());
    assert_eq!(answer.json()["request_id"], json!("mine"));
}

#[test]
fn server_timing_names_every_stage() {
    let answer = Server::new().post("/loss/mse", BODY);
    let timing = answer.header("server-timing").unwrap();
    let stages: Vec<&str> =
        timing.split(", ").map(|part| part.split(';').next().unwrap()).collect();
    assert_eq!(stages, ["read", "wait", "decode", "evaluate", "encode"]);
}

#[test]
fn what_plain_curl_sends_is_json() {
    let server = Server::new();
    let typed = |content_type: Option<&str>, body: &'static str| {
        let mut request = Request::post("/loss/mse");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        server.send(request.body(Body::from(body)).unwrap())
    };
    for content_type in [
        None,
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("application/x-www-form-urlencoded"),
        Some("application/problem+json"),
    ] {
        assert_eq!(typed(content_type, BODY).status(), 200, "{content_type:?}");
    }
    for (content_type, body) in [
        (Some("application/x-www-form-urlencoded"), "predictions=1"),
        (None, "[1,2]"),
        (Some("text/csv"), BODY),
        (Some("application/octet-stream"), BODY),
    ] {
        let answer = typed(content_type, body);
        assert_eq!(kind(&answer), (415, "unsupported-media-type".to_owned()), "{content_type:?}");
        assert_eq!(answer.header("accept-post"), Some("application/json"));
    }
}

#[test]
fn accept_is_negotiated() {
    let server = Server::new();
    let accepted = |accept: &str| {
        let request = Request::post("/loss/mse").header(header::ACCEPT, accept);
        server.send(request.body(Body::from(BODY)).unwrap())
    };
    for (accept, content_type) in [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html, application/*;q=0.5", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain;q=0.4, application/json;q=0.6", "application/json"),
    ] {
        assert_eq!(accepted(accept).header("content-type"), Some(content_type), "{accept}");
    }
    for accept in ["image/png", "application/json;q=0"] {
        assert_eq!(kind(&accepted(accept)), (406, "not-acceptable".to_owned()), "{accept}");
    }
}
