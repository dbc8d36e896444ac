//! Queries, addresses, methods, headers and sizes that do not fit.

use axum::body::Body;
use axum::http::Request;
use lossd::config::Given;

use super::{Case, SOUND, check, disagreement};
use crate::harness::Server;

/// Names and queries of losses, a body, and what is wrong with them together.
const QUERIES: &[(&str, &str, &str)] = &[
    ("mse?reduction=sum", r#""reduction":"mean""#, "400 contradiction at /reduction, hint"),
    ("mse?dtype=float64", r#""dtype":"float32""#, "400 contradiction at /dtype, hint"),
    ("mse?dtype=float32", r#""dtype":"float64""#, "400 contradiction at /dtype, hint"),
    ("mse?on_empty=zero", r#""on_empty":"nan""#, "400 contradiction at /on_empty, hint"),
    ("mse?validate=true", r#""validate":false"#, "400 contradiction at /validate, hint"),
    ("mse?outputs=loss", r#""outputs":["loss","losses"]"#, "400 contradiction at /outputs, hint"),
    ("huber?delta=1", r#""params":{"delta":2}"#, "400 contradiction at /params/delta, hint"),
    ("quantile?q=0.1,0.9", r#""params":{"q":0.1}"#, "400 contradiction at /params/q, hint"),
    ("mse?reduction=sum&reduction=none", "", "400 contradiction at /reduction, hint"),
    ("huber?delta=1&delta=2", "", "400 contradiction at /params/delta, hint"),
    ("mse?reductoin=sum", "", "422 unknown-parameter, hint"),
    ("huber?delt=1", "", "422 unknown-parameter, hint"),
    ("huber?predictions=1", "", "422 unknown-parameter, hint"),
    ("huber?Delta=1", "", "422 unknown-parameter, hint"),
    ("huber?=1", "", "422 unknown-parameter, hint"),
    ("mse?%FF=1", "", "422 unknown-parameter, hint"),
    ("mse?reduction=average", "", "422 bad-parameter at /reduction"),
    ("mse?reduction=", "", "422 bad-parameter at /reduction"),
    ("mse?reduction", "", "422 bad-parameter at /reduction"),
    ("mse?reduction=batchmean", "", "422 bad-parameter at /reduction"),
    ("mse?dtype=f16", "", "422 bad-parameter at /dtype"),
    ("mse?on_empty=0", "", "422 bad-parameter at /on_empty"),
    ("mse?profile=caffe", "", "422 bad-parameter at /profile"),
    ("mse?outputs=", "", "422 bad-parameter at /outputs"),
    ("mse?outputs=loss,,losses", "", "422 bad-parameter at /outputs"),
    ("mse?outputs=loss;losses", "", "422 bad-parameter at /outputs"),
    ("mse?validate=yes", "", "422 bad-parameter at /validate"),
    ("mse?validate=1", "", "422 bad-parameter at /validate"),
    ("huber?delta=", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=one", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=0", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=1,2", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=nan", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=inf", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=0x1", "", "422 bad-parameter at /params/delta"),
    ("huber?delta=null", "", "422 bad-parameter at /params/delta"),
    ("quantile?q=0.1,x", "", "422 bad-parameter at /params/q"),
    ("quantile?q=0.1,", "", "422 bad-parameter at /params/q"),
    ("quantile?q=2", "", "422 bad-parameter at /params/q"),
    ("bce_with_logits?weight=a,b", "", "422 bad-parameter at /params/weight"),
    ("bce_with_logits?weight=1,2,3", "", "422 bad-parameter at /params/weight"),
    ("poisson_nll?full=1", "", "422 bad-parameter at /params/full"),
    ("poisson_nll?full=True", "", "422 bad-parameter at /params/full"),
];

#[test]
fn the_query_is_read_as_strictly_as_the_body() {
    let case = |&(loss, members, expected): &(&str, &str, _)| {
        let comma = if members.is_empty() { "" } else { "," };
        let body = format!(r#"{{"predictions":[5,-5],"targets":[1,0]{comma}{members}}}"#);
        Case::new(loss, body, expected)
    };
    check(&QUERIES.iter().map(case).collect::<Vec<_>>());
}

#[test]
fn a_hint_names_what_was_probably_meant() {
    let rows = [
        ("mse", r#"{"prediction":[1]}"#, "`predictions`"),
        ("mse", r#"{"targts":[1]}"#, "`targets`"),
        ("mse", r#"{"reductoin":"sum"}"#, "`reduction`"),
        ("mse", r#"{"output":["loss"]}"#, "`outputs`"),
        ("mse", r#"{"sample_weights":[1]}"#, "`sample_weight`"),
        ("mse", r#"{"param":{}}"#, "`params`"),
        ("mse", r#"{"y_true":[1]}"#, "predictions, targets"),
        ("huber", r#"{"delta":1}"#, r#""params": {"delta""#),
        ("huber", r#"{"params":{"dleta":1}}"#, "`delta`"),
        ("huber", r#"{"params":{"learning_rate":1}}"#, "delta (a number"),
        ("huber?dleta=1", "{}", "`delta`"),
        ("mse?reductoin=sum", "{}", "`reduction`"),
        ("mse", r#"{"params":{"delta":1}}"#, "no parameters"),
        ("cross_entropy", r#"{"params":{"label_smooth":0.1}}"#, "`label_smoothing`"),
        ("cross_entropy", r#"{"params":{"ignore_indx":1}}"#, "`ignore_index`"),
        ("triplet_margin", r#"{"anchors":[[1]]}"#, "`anchor`"),
        ("triplet_margin", "{}", "\"anchor\""),
        ("hubber", "{}", "huber"),
        ("cross_entrpy", "{}", "cross_entropy"),
        ("softmargin2", "{}", "soft_margin"),
        ("bec", "{}", "binary_cross_entropy"),
        ("zzzzzzzz", "{}", "GET /loss"),
        ("mse", r#"{"predictions":[[1],[2]],"targets":[1,2]}"#, "broadcast"),
        ("mse", r#"{"predictions":[1,2],"targets":[1]}"#, "[2]"),
        ("mse", r#"{"predictions":[1e39],"targets":[1]}"#, "float64"),
        ("cross_entropy", r#"{"predictions":[[1,2,3]],"targets":[3]}"#, "0 to 2"),
        ("bce", r#"{"predictions":[3],"targets":[1]}"#, "logits"),
        ("soft_margin", r#"{"predictions":[3],"targets":[2]}"#, "-1"),
        ("mse", "", "predictions"),
    ];
    let server = Server::new();
    for (loss, body, words) in rows {
        let answer = server.post(&format!("/loss/{loss}"), body);
        let problem = answer.json();
        let hint = problem["hint"].as_str().unwrap_or_default();
        assert!(hint.contains(words), "{loss} {body}: {words} not in the hint of {problem}");
    }
}

/// Methods and addresses, a header, and what is wrong with the request, whose body is sound.
const HEADS: &[(&str, &str, &str, &str, &str)] = &[
    ("POST", "/loss/hubber", "", "", "404 unknown-loss, hint"),
    ("POST", "/loss/qwertzuiop", "", "", "404 unknown-loss, hint"),
    ("POST", "/loss/loss", "", "", "404 unknown-loss, hint"),
    ("POST", "/loss/mse%20", "", "", "404 unknown-loss, hint"),
    ("POST", "/loss/%FF", "", "", "404 unknown-loss, hint"),
    ("POST", "/loss/..%2fmse", "", "", "404 unknown-loss, hint"),
    ("POST", "/v1/loss/hubber", "", "", "404 unknown-loss, hint"),
    ("GET", "/loss/hubber", "", "", "404 unknown-loss, hint"),
    ("POST", "/loss/mse/", "", "", "404 not-found, hint"),
    ("POST", "/loss/", "", "", "404 not-found, hint"),
    ("POST", "/losses/mse", "", "", "404 not-found, hint"),
    ("POST", "/mse", "", "", "404 not-found, hint"),
    ("GET", "/nowhere", "", "", "404 not-found, hint"),
    ("PUT", "/loss/mse", "", "", "405 method-not-allowed, hint"),
    ("PATCH", "/loss/mse", "", "", "405 method-not-allowed, hint"),
    ("DELETE", "/loss/mse", "", "", "405 method-not-allowed, hint"),
    ("BREW", "/loss/mse", "", "", "405 method-not-allowed, hint"),
    ("PUT", "/v1/loss/mse", "", "", "405 method-not-allowed, hint"),
    ("POST", "/metrics", "", "", "405 method-not-allowed, hint"),
    ("DELETE", "/healthz", "", "", "405 method-not-allowed, hint"),
    ("POST", "/", "", "", "405 method-not-allowed, hint"),
    ("POST", "/loss/mse", "content-type", "text/html", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "content-type", "application/xml", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "content-type", "image/png", "415 unsupported-media-type, hint"),
    (
        "POST",
        "/loss/mse",
        "content-type",
        "multipart/form-data; boundary=x",
        "415 unsupported-media-type, hint",
    ),
    ("POST", "/loss/mse", "content-type", "application/jsonp", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "content-type", "json", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "content-type", "application/yaml", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "content-encoding", "compress", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "content-encoding", "rot13", "415 unsupported-media-type, hint"),
    ("POST", "/loss/mse", "accept", "text/html", "406 not-acceptable, hint"),
    ("POST", "/loss/mse", "accept", "image/*", "406 not-acceptable, hint"),
    ("POST", "/loss/mse", "accept", "application/xml;q=0.9, text/css", "406 not-acceptable, hint"),
    ("POST", "/loss/mse", "accept", "application/json;q=0", "406 not-acceptable, hint"),
    ("POST", "/loss/mse", "accept", "nonsense", "406 not-acceptable, hint"),
];

#[test]
fn addresses_methods_and_headers_that_do_not_fit() {
    let server = Server::new();
    for &(method, path, header, value, expected) in HEADS {
        let name = format!("{method} {path} {header}: {value}");
        let mut request = Request::builder().method(method).uri(path);
        if !header.is_empty() {
            request = request.header(header, value);
        }
        let answer = server.send(request.body(Body::from(SOUND)).expect(&name));
        assert_eq!(disagreement(&answer, expected), None, "{name}");
        let next = server.post("/loss/mse", SOUND);
        assert_eq!(next.status(), 200, "the server does not work after {name}");
        let allow = answer.header("allow");
        if answer.status() == 405 {
            let allow = allow.unwrap_or_else(|| panic!("{name}: no Allow header"));
            let methods: Vec<&str> = allow.split(',').map(str::trim).collect();
            assert!(methods.contains(&"GET"), "{name}: Allow is {allow}");
            let takes_post = path.contains("/loss/");
            assert_eq!(methods.contains(&"POST"), takes_post, "{name}: Allow is {allow}");
            assert!(!methods.contains(&method), "{name}: Allow is {allow}");
        } else {
            assert_eq!(allow, None, "{name}");
        }
    }
}

#[test]
fn a_form_is_not_json() {
    let server = Server::new();
    let types = [None, Some("application/x-www-form-urlencoded"), Some("")];
    let bodies = ["predictions=1&targets=2", "[1,2]", "5", "\"x\"", "{'", "null"];
    for (media_type, body) in types.iter().flat_map(|t| bodies.map(|body| (t, body))) {
        let mut request = Request::post("/loss/mse");
        if let Some(media_type) = media_type {
            request = request.header("content-type", *media_type);
        }
        let answer = server.send(request.body(Body::from(body)).expect("a valid request"));
        let expected = match body {
            // It begins as an object does, and so it is read as one.
            "{'" => "400 malformed-json",
            _ => "415 unsupported-media-type, hint",
        };
        assert_eq!(disagreement(&answer, expected), None, "{media_type:?} {body}");
    }
}

#[test]
fn a_body_over_the_limit_is_refused_whatever_it_holds() {
    let server = Server::with(Given { body_bytes_max: Some(100), ..Given::default() });
    let padded = |length: usize| format!("{SOUND}{}", " ".repeat(length - SOUND.len()));
    for (name, body) in [
        ("sound", padded(101)),
        ("not JSON", "x".repeat(101)),
        ("long", padded(1 << 20)),
        ("deep", "[".repeat(500)),
    ] {
        for declared in [None, Some(body.len()), Some(usize::MAX)] {
            let mut request = Request::post("/loss/mse").header("content-type", "application/json");
            if let Some(length) = declared {
                request = request.header("content-length", length);
            }
            let answer = server.send(request.body(Body::from(body.clone())).expect(name));
            let difference = disagreement(&answer, "413 body-too-large, hint");
            assert_eq!(difference, None, "{name}, declared as {declared:?}");
            assert!(answer.text().contains("100 bytes"), "{name}: {}", answer.text());
            assert_eq!(server.post("/loss/mse", SOUND).status(), 200, "after {name}");
        }
    }
    assert_eq!(server.post("/loss/mse", padded(100)).status(), 200, "exactly the limit");
}
