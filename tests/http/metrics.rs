//! Prometheus series: there from the start, counting what happens, labelled with nothing from
//! outside.

use std::collections::BTreeSet;

use lossd::numeric::catalogue;
use lossd::service::metrics::DESCRIBED;
use lossd::wire::problem::Code;

use crate::harness::Server;

/// The series of a server: names with labels, and their values.
fn series(server: &Server) -> Vec<(String, f64)> {
    let text = server.get("/metrics").text().to_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn value(server: &Server, name: &str) -> f64 {
    let found = series(server).into_iter().find(|(series, _)| series == name);
    found.unwrap_or_else(|| panic!("there is no series {name}")).1
}

#[test]
fn every_series_exists_before_the_first_request() {
    let server = Server::new();
    let names: BTreeSet<String> = series(&server).into_iter().map(|(name, _)| name).collect();
    // Those of keys are there for the keys that there are.
    for metric in DESCRIBED.iter().filter(|metric| metric.labels != ["key"]) {
        assert!(names.iter().any(|name| name.starts_with(metric.name)), "{}", metric.name);
    }
    for loss in catalogue::all() {
        assert!(names.contains(&format!("lossd_rows_total{{loss=\"{}\"}}", loss.card.name)));
    }
    for code in Code::ALL {
        assert!(names.contains(&format!("lossd_refusals_total{{reason=\"{}\"}}", code.code())));
    }
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"]
    {
        assert!(names.contains(name), "{name}");
    }
    // What is asked for later was there before, whatever is asked for.
    server.post("/loss/mse", r#"{"predictions":[1,2],"targets":[1,4]}"#);
    server.post("/loss/mse", "{");
    server.post("/loss/no-such-loss", "{}");
    server.get("/no/such/route");
    server.get("/loss/huber");
    let request = axum::http::Request::builder().method("BREW").uri("/loss/mse");
    server.send(request.body(axum::body::Body::empty()).unwrap());
    let later: BTreeSet<String> = series(&server).into_iter().map(|(name, _)| name).collect();
    assert_eq!(later.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn evaluations_rows_elements_and_stages_are_counted() {
    let server = Server::new();
    for _ in 0..3 {
        let body = r#"{"predictions":[[1,2],[3,4]],"targets":[0,1]}"#;
        assert_eq!(server.post("/v1/loss/ce", body).status(), 404);
        assert_eq!(server.post("/v1/loss/CrossEntropyLoss", body).status(), 200);
    }
    assert_eq!(value(&server, "lossd_evaluations_total{loss=\"cross_entropy\"}"), 3.0);
    assert_eq!(value(&server, "lossd_rows_total{loss=\"cross_entropy\"}"), 6.0);
    assert_eq!(value(&server, "lossd_elements_total{loss=\"cross_entropy\"}"), 18.0);
    for stage in ["read", "decode", "wait", "evaluate", "encode"] {
        let name = format!("lossd_stage_duration_seconds_count{{stage=\"{stage}\"}}");
        assert_eq!(value(&server, &name), 3.0, "{stage}");
    }
    let requests =
        "lossd_http_requests_total{method=\"POST\",route=\"/loss/{name}\",status=\"200\"}";
    assert_eq!(value(&server, requests), 3.0);
    let durations = "lossd_http_request_duration_seconds_count{route=\"/loss/{name}\"}";
    assert_eq!(value(&server, durations), 6.0);
}

#[test]
fn refusals_are_counted_by_reason() {
    let server = Server::new();
    server.post("/loss/mse", "{");
    server.post("/loss/mse", r#"{"predictions":[1],"targets":[1,2]}"#);
    server.get("/nowhere");
    for reason in ["malformed-json", "shape-mismatch", "not-found"] {
        assert_eq!(value(&server, &format!("lossd_refusals_total{{reason=\"{reason}\"}}")), 1.0);
    }
    assert_eq!(value(&server, "lossd_jobs_in_flight"), 0.0);
    assert_eq!(value(&server, "lossd_http_requests_in_flight"), 1.0, "the one that asks");
}
