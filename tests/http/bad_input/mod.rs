//! Requests that are malformed or wrong: each gets a problem of the right kind that points at the
//! mistake, and none of them harms the next request.
//!
//! A row says what it expects in words: `422 shape-mismatch at /targets, hint`. The status and the
//! code always stand there; a row without `at` expects no pointer, a row without `hint` no hint.

/// What is not JSON, elements that are not numbers, arrays that are not tensors.
mod syntax;
/// Members and parameters.
mod members;
/// Shapes, classes, domains and lengths.
mod values;
/// Queries, addresses, methods, headers and sizes.
mod requests;
/// Every beginning of a body, and bodies changed at random.
mod bodies;

use serde_json::Value;

use crate::harness::{Answer, Server};

/// One request and the problem that it should get.
struct Case {
    name: String,
    path: String,
    body: Vec<u8>,
    expected: &'static str,
}

impl Case {
    fn new(loss: &str, body: impl Into<Vec<u8>>, expected: &'static str) -> Case {
        let body = body.into();
        let text = String::from_utf8_lossy(&body);
        let shown: String = text.chars().take(150).collect();
        let name = format!("/loss/{loss} {shown}");
        Case { name, path: format!("/loss/{loss}"), body, expected }
    }
}

/// A request that any server that still works answers with 2.
const SOUND: &str = r#"{"predictions":[1,2],"targets":[1,4]}"#;

/// What is not as a problem document should be, besides what a row expects.
fn not_well_formed(answer: &Answer) -> Option<String> {
    if answer.header("content-type") != Some("application/problem+json") {
        return Some(format!("content-type {:?}", answer.header("content-type")));
    }
    let Ok(problem) = serde_json::from_slice::<Value>(&answer.body) else {
        return Some("the body is not JSON".to_owned());
    };
    for member in ["type", "title", "detail", "request_id"] {
        if problem[member].as_str().is_none_or(str::is_empty) {
            return Some(format!("no {member}"));
        }
    }
    if problem["status"] != answer.status().as_u16() {
        return Some(format!("status {} in the body", problem["status"]));
    }
    if problem["request_id"].as_str() != answer.header("x-request-id") {
        return Some("request_id is not the header's".to_owned());
    }
    // Whatever came in, a client must be able to show the problem on a screen.
    let long = |member: &str| problem[member].as_str().is_some_and(|text| 2000 < text.len());
    ["detail", "pointer", "hint"].into_iter().find(|m| long(m)).map(|m| format!("a huge {m}"))
}

/// The words in which a row would expect this answer.
fn summary(answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = problem["type"].as_str().unwrap_or_default();
    let mut words =
        format!("{} {}", answer.status().as_u16(), code.trim_start_matches("/problems#"));
    if let Some(pointer) = problem["pointer"].as_str() {
        words.push_str(&format!(" at {pointer}"));
    }
    if problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()) {
        words.push_str(", hint");
    }
    words
}

/// What is wrong with the answer to a request, if anything is.
fn disagreement(answer: &Answer, expected: &str) -> Option<String> {
    if let Some(wrong) = not_well_formed(answer) {
        return Some(format!("{wrong}: {}", answer.text()));
    }
    let got = summary(answer);
    (got != expected).then(|| format!("{got} and not {expected}: {}", answer.text()))
}

/// Sends every case to one server, a sound request after each, and tells all that went wrong.
fn check(cases: &[Case]) {
    let server = Server::new();
    let mut wrong = Vec::new();
    for case in cases {
        let answer = server.post(&case.path, case.body.clone());
        if let Some(difference) = disagreement(&answer, case.expected) {
            wrong.push(format!("{}\n    {difference}", case.name));
        }
        let next = server.post("/loss/mse", SOUND);
        assert_eq!(
            (next.status().as_u16(), &next.json()["loss"]),
            (200, &Value::from(2.0)),
            "the server does not work after {}",
            case.name
        );
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
