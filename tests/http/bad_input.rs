//! Requests that are malformed or wrong: each gets a problem of the right kind that points at the
//! mistake, and none of them harms the next request.
//!
//! A row says what it expects in words: `422 shape-mismatch at /targets, hint`. The status and the
//! code always stand there; a row without `at` expects no pointer, a row without `hint` no hint.

use axum::body::Body;
use axum::http::Request;
use lossd::config::Given;
use lossd::numeric::catalogue;
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
    let mut words = format!("{} {}", answer.status().as_u16(), code.trim_start_matches("/problems#"));
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
        assert_eq!((next.status().as_u16(), &next.json()["loss"]), (200, &Value::from(2.0)),
            "the server does not work after {}", case.name);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Texts that are no JSON objects.
const NOT_OBJECTS: &[(&[u8], &str)] = &[
    (b"", "400 malformed-json, hint"),
    (b" \n\t\r ", "400 malformed-json, hint"),
    (b"null", "400 malformed-json, hint"),
    (b"5", "400 malformed-json, hint"),
    (b"NaN", "400 malformed-json, hint"),
    (b"\"mse\"", "400 malformed-json, hint"),
    (b"[1,2]", "400 malformed-json, hint"),
    (b"[{\"predictions\":[1],\"targets\":[1]}]", "400 malformed-json, hint"),
    (b"predictions=1&targets=2", "400 malformed-json, hint"),
    (b"<loss/>", "400 malformed-json, hint"),
    (b"}", "400 malformed-json, hint"),
    (b"\0", "400 malformed-json, hint"),
    (b"\xEF\xBB\xBF{\"predictions\":[1],\"targets\":[1]}", "400 malformed-json, hint"),
    (b"\xFF\xFE{\0}\0", "400 malformed-json, hint"),
    (b"// all of it\n{\"predictions\":[1],\"targets\":[1]}", "400 malformed-json, hint"),
    (b"\x0c{\"predictions\":[1],\"targets\":[1]}", "400 malformed-json, hint"),
    (b"{", "400 malformed-json"),
    (b"{,}", "400 malformed-json"),
    (b"{predictions:[1],targets:[1]}", "400 malformed-json"),
    (b"{'predictions':[1],'targets':[1]}", "400 malformed-json"),
    (b"{1:2}", "400 malformed-json"),
    (b"{NaN:1}", "400 malformed-json"),
    (b"{null:1}", "400 malformed-json"),
    (b"{\"predictions\"}", "400 malformed-json"),
    (b"{\"predictions\" [1],\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\"=[1],\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":}", "400 malformed-json"),
    (b"{\"predictions\":,\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":[1] \"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":[1];\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":[1],,\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1],}", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]]", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]}}", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]}{}", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]},", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]} x", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]}\0", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1]}\n{\"predictions\":[1],\"targets\":[1]}",
        "400 malformed-json"),
    (b"{\"predictions\":[1], // one\n\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":[1,/* two */2],\"targets\":[1,2]}", "400 malformed-json"),
    (b"{\"predictions\":[1],\"targets\":[1] # end\n}", "400 malformed-json"),
    (b"{\"predictions\":(1,2),\"targets\":[1,2]}", "400 malformed-json"),
    (b"{\"predictions\":[1\xC2\xA0,2],\"targets\":[1,2]}", "400 malformed-json"),
    (b"{\"predictions\":[1\x0b,2],\"targets\":[1,2]}", "400 malformed-json"),
    (b"{\"predictions\":[\xFF],\"targets\":[1]}", "400 malformed-json"),
    // Strings.
    (b"{\"predic\xFFtions\":[1],\"targets\":[1]}", "400 malformed-json"),
    (b"{\"predictions\":[\"\xC3(\"],\"targets\":[1]}", "400 malformed-json"),
    (b"{\"reduction\":\"me\xF0\x28\x8C\xBCan\"}", "400 malformed-json"),
    (b"{\"reduction\":\"\xED\xA0\x80\"}", "400 malformed-json"),
    (b"{\"params\":{\"\xC0\xAF\":1}}", "400 malformed-json"),
    (b"{\"reduction\":\"me\nan\"}", "400 malformed-json"),
    (b"{\"reduction\":\"me\0an\"}", "400 malformed-json"),
    (b"{\"redu\tction\":\"mean\"}", "400 malformed-json"),
    (b"{\"reduction\":\"me\\xan\"}", "400 malformed-json"),
    (b"{\"reduction\":\"\\u12\"}", "400 malformed-json"),
    (b"{\"reduction\":\"\\u12g4\"}", "400 malformed-json"),
    (b"{\"reduction\":\"\\ud800\"}", "400 malformed-json"),
    (b"{\"reduction\":\"\\ud800\\u0041\"}", "400 malformed-json"),
    (b"{\"reduction\":\"\\udc00\"}", "400 malformed-json"),
    (b"{\"\\ud800\":1}", "400 malformed-json"),
    (b"{\"reduction\":\"mean", "400 malformed-json"),
    (b"{\"reduction\":\"mean\\", "400 malformed-json"),
    (b"{\"reduction\":\"mean\\\"}", "400 malformed-json"),
    (b"{\"reduction\":'mean'}", "400 malformed-json"),
    (b"{\"reduction\":mean}", "400 malformed-json"),
    (b"{\"outputs\":[\"loss\" \"losses\"]}", "400 malformed-json"),
    (b"{\"outputs\":[\"loss\"}", "400 malformed-json"),
    (b"{\"params\":}", "400 malformed-json"),
    (b"{\"validate\":True}", "400 malformed-json"),
    (b"{\"validate\":}", "400 malformed-json"),
];

#[test]
fn what_is_not_json_is_a_400() {
    let case = |&(body, expected): &(&[u8], _)| Case::new("mse", body, expected);
    check(&NOT_OBJECTS.iter().map(case).collect::<Vec<_>>());
}

/// Texts in the place of the second prediction.
const ELEMENTS: &[(&str, &str)] = &[
    ("+1", "400 malformed-json"),
    (".5", "400 malformed-json"),
    ("1.", "400 malformed-json"),
    ("-.5", "400 malformed-json"),
    ("1.e3", "400 malformed-json"),
    ("01", "400 malformed-json"),
    ("-01", "400 malformed-json"),
    ("00", "400 malformed-json"),
    ("0x10", "400 malformed-json"),
    ("1e", "400 malformed-json"),
    ("1e+", "400 malformed-json"),
    ("1e1.5", "400 malformed-json"),
    ("--1", "400 malformed-json"),
    ("-", "400 malformed-json"),
    ("- 1", "400 malformed-json"),
    ("1 2", "400 malformed-json"),
    ("1_000", "400 malformed-json"),
    ("1a", "400 malformed-json"),
    ("1f", "400 malformed-json"),
    ("1.2.3", "400 malformed-json"),
    ("1-2", "400 malformed-json"),
    ("nan", "400 malformed-json"),
    ("NAN", "400 malformed-json"),
    ("NaNs", "400 malformed-json"),
    ("-NaN", "400 malformed-json"),
    ("Inf", "400 malformed-json"),
    ("inf", "400 malformed-json"),
    ("-inf", "400 malformed-json"),
    ("+Infinity", "400 malformed-json"),
    ("Infinityy", "400 malformed-json"),
    ("tru", "400 malformed-json"),
    ("True", "400 malformed-json"),
    ("None", "400 malformed-json"),
    ("nul", "400 malformed-json"),
    ("undefined", "400 malformed-json"),
    ("", "400 malformed-json"),
    (",2", "400 malformed-json"),
    ("2,", "400 malformed-json"),
    ("'2'", "400 malformed-json"),
    ("\"2", "400 malformed-json"),
    ("\"\\q\"", "400 malformed-json"),
    ("2}", "400 malformed-json"),
    ("null", "422 null-not-allowed at /predictions/1, hint"),
    ("true", "422 wrong-type at /predictions/1, hint"),
    ("false", "422 wrong-type at /predictions/1, hint"),
    ("\"2\"", "422 wrong-type at /predictions/1, hint"),
    ("\"\"", "422 wrong-type at /predictions/1, hint"),
    ("\"nan\"", "422 wrong-type at /predictions/1, hint"),
    ("\"inf\"", "422 wrong-type at /predictions/1, hint"),
    ("\"+Infinity\"", "422 wrong-type at /predictions/1, hint"),
    ("\" NaN\"", "422 wrong-type at /predictions/1, hint"),
    ("{}", "422 wrong-type at /predictions/1, hint"),
    ("{\"value\":2}", "422 wrong-type at /predictions/1, hint"),
    ("[2]", "422 ragged-array at /predictions/1, hint"),
    ("[]", "422 ragged-array at /predictions/1, hint"),
    ("1e39", "422 number-overflow at /predictions/1, hint"),
    ("-1e39", "422 number-overflow at /predictions/1, hint"),
    ("3.4028236e38", "422 number-overflow at /predictions/1, hint"),
    ("1e999", "422 number-overflow at /predictions/1, hint"),
    ("-1e400", "422 number-overflow at /predictions/1, hint"),
    ("1e99999999999999999999", "422 number-overflow at /predictions/1, hint"),
];

#[test]
fn an_element_is_a_number() {
    let case = |&(element, expected): &(&str, _)| {
        let body = format!(r#"{{"predictions":[1,{element}],"targets":[1,2]}}"#);
        Case::new("mse", body, expected)
    };
    let mut cases: Vec<Case> = ELEMENTS.iter().map(case).collect();
    // A long literal is as wrong as a short one.
    let long = format!(r#"{{"predictions":[1,{}],"targets":[1,2]}}"#, "9".repeat(100_000));
    cases.push(Case::new("mse", long, "422 number-overflow at /predictions/1, hint"));
    check(&cases);
}

/// Predictions, with targets that would be right.
const NESTING: &[(&str, &str)] = &[
    ("[[1,2],[3]]", "422 ragged-array at /predictions/1, hint"),
    ("[[1],[2,3]]", "422 ragged-array at /predictions/1, hint"),
    ("[[1,2],[]]", "422 ragged-array at /predictions/1, hint"),
    ("[[],[1]]", "422 ragged-array at /predictions/1, hint"),
    ("[[1],2]", "422 ragged-array at /predictions/1, hint"),
    ("[1,[2]]", "422 ragged-array at /predictions/1, hint"),
    ("[[[1],[2]],[[3]]]", "422 ragged-array at /predictions/1, hint"),
    ("[[[1,2],[3,4]],[[5,6],[7]]]", "422 ragged-array at /predictions/1/1, hint"),
    ("[[[1,2],[3]],[[5,6],[7,8]]]", "422 ragged-array at /predictions/0/1, hint"),
    ("[[[1],[2]],[[3],4]]", "422 ragged-array at /predictions/1/1, hint"),
    ("[[[[1]],[[2]]],[[[3]],[[]]]]", "422 ragged-array at /predictions/1/1/0, hint"),
    ("[[],[[]]]", "422 ragged-array at /predictions/1/0, hint"),
    ("[[[]],[]]", "422 ragged-array at /predictions/1, hint"),
    ("[[1],null]", "422 ragged-array at /predictions/1, hint"),
    ("[[1,2],[null,3]]", "422 null-not-allowed at /predictions/1/0, hint"),
    ("[[1,2],[3,1e39]]", "422 number-overflow at /predictions/1/1, hint"),
    ("[[1,2],[3,\"x\"]]", "422 wrong-type at /predictions/1/1, hint"),
    ("null", "422 null-not-allowed at /predictions, hint"),
    ("true", "422 wrong-type at /predictions, hint"),
    ("\"[1,2]\"", "422 wrong-type at /predictions, hint"),
    ("{\"0\":1}", "422 wrong-type at /predictions, hint"),
    ("[[1,2],[3,4]", "400 malformed-json"),
    ("[[1,2]],[3,4]]", "400 malformed-json"),
    ("[[1,2],[3,]]", "400 malformed-json"),
    ("[[1,2][3,4]]", "400 malformed-json"),
    ("[[1 2],[3,4]]", "400 malformed-json"),
    ("[[1,2},[3,4]]", "400 malformed-json"),
    ("[[1,2],]", "400 malformed-json"),
    ("[[1,2],[3,4],]", "400 malformed-json"),
    ("[[1,2],,[3,4]]", "400 malformed-json"),
    ("[[1,2],x]", "400 malformed-json"),
    ("[[1],nul]", "400 malformed-json"),
];

/// Arrays as deep as this, in every place that an array can stand.
fn deep(levels: usize) -> Vec<Case> {
    let open = "[".repeat(levels);
    let closed = format!("{open}1{}", "]".repeat(levels));
    let objects = "{\"a\":".repeat(levels);
    vec![
        Case::new(
            "mse",
            format!(r#"{{"predictions":{closed},"targets":{closed}}}"#),
            "422 too-deep at /predictions",
        ),
        Case::new("mse", format!(r#"{{"predictions":{open}"#), "422 too-deep at /predictions"),
        Case::new("mse", format!(r#"{{"predictions":[1],"targets":{open}"#), "422 too-deep at /targets"),
        Case::new("cross_entropy", format!(r#"{{"targets":{closed}}}"#), "422 too-deep at /targets"),
        Case::new(
            "mse",
            format!(r#"{{"sample_weight":{closed}}}"#),
            "422 too-deep at /sample_weight",
        ),
        Case::new(
            "huber",
            format!(r#"{{"params":{{"delta":{closed}}}}}"#),
            "422 too-deep at /params/delta",
        ),
        Case::new("huber", format!(r#"{{"params":{closed}}}"#), "422 wrong-type at /params"),
        Case::new("mse", format!(r#"{{"outputs":{closed}}}"#), "422 wrong-type at /outputs/0"),
        Case::new("mse", format!(r#"{{"wishes":{closed}}}"#), "422 unknown-member at /wishes, hint"),
        Case::new("mse", format!(r#"{{"wishes":{objects}"#), "422 unknown-member at /wishes, hint"),
        Case::new("mse", open, "400 malformed-json, hint"),
        Case::new("mse", objects, "422 unknown-member at /a, hint"),
    ]
}

#[test]
fn arrays_are_rectangular_and_not_deep() {
    let case = |&(predictions, expected): &(&str, _)| {
        let body = format!(r#"{{"predictions":{predictions},"targets":[[1,2],[3,4]]}}"#);
        Case::new("mse", body, expected)
    };
    let mut cases: Vec<Case> = NESTING.iter().map(case).collect();
    cases.extend([17, 1000, 100_000].into_iter().flat_map(deep));
    check(&cases);
    // One less is not too deep.
    let deepest = format!("{}1{}", "[".repeat(16), "]".repeat(16));
    let body = format!(r#"{{"predictions":{deepest},"targets":{deepest}}}"#);
    assert_eq!(Server::new().post("/loss/mse", body).status(), 200);
}

/// Members beside the inputs of a sound request.
const MEMBERS: &[(&str, &str, &str)] = &[
    // Twice.
    ("mse", r#""predictions":[1,2]"#, "400 duplicate-member at /predictions"),
    ("mse", r#""targets":[9]"#, "400 duplicate-member at /targets"),
    ("mse", r#""\u0070redictions":[1,2]"#, "400 duplicate-member at /predictions"),
    ("mse", r#""reduction":"sum","reduction":"sum""#, "400 duplicate-member at /reduction"),
    ("mse", r#""dtype":"float32","dtype":"float64""#, "400 duplicate-member at /dtype"),
    ("huber", r#""params":{},"params":{}"#, "400 duplicate-member at /params"),
    ("huber", r#""params":{"delta":1,"delta":1}"#, "400 duplicate-member at /params/delta"),
    ("huber", r#""params":{"delta":1,"d\u0065lta":2}"#, "400 duplicate-member at /params/delta"),
    // Unknown, near and far.
    ("mse", r#""prediction":[1,2]"#, "422 unknown-member at /prediction, hint"),
    ("mse", r#""Predictions":[1,2]"#, "422 unknown-member at /Predictions, hint"),
    ("mse", r#""target":[1,2]"#, "422 unknown-member at /target, hint"),
    ("mse", r#""reductoin":"sum""#, "422 unknown-member at /reductoin, hint"),
    ("mse", r#""y_pred":[1,2]"#, "422 unknown-member at /y_pred, hint"),
    ("mse", r#""weights":[1,2]"#, "422 unknown-member at /weights, hint"),
    ("mse", r#""":1"#, "422 unknown-member at /, hint"),
    ("mse", r#""var":[1,1]"#, "422 unknown-member at /var, hint"),
    ("mse", r#""anchor":[1,1]"#, "422 unknown-member at /anchor, hint"),
    ("mse", r#""__proto__":{}"#, "422 unknown-member at /__proto__, hint"),
    ("mse", r#""a/b":1"#, "422 unknown-member at /a~1b, hint"),
    ("mse", r#""a~b":1"#, "422 unknown-member at /a~0b, hint"),
    ("huber", r#""delta":0.5"#, "422 unknown-member at /delta, hint"),
    ("huber", r#""parms":{"delta":0.5}"#, "422 unknown-member at /parms, hint"),
    ("mse", r#""params":{"delta":1}"#, "422 unknown-parameter at /params/delta, hint"),
    ("huber", r#""params":{"Delta":1}"#, "422 unknown-parameter at /params/Delta, hint"),
    ("huber", r#""params":{"dleta":1}"#, "422 unknown-parameter at /params/dleta, hint"),
    ("huber", r#""params":{"learning_rate":1}"#,
        "422 unknown-parameter at /params/learning_rate, hint"),
    ("huber", r#""params":{"":1}"#, "422 unknown-parameter at /params/, hint"),
    ("huber", r#""params":{"a/b":1}"#, "422 unknown-parameter at /params/a~1b, hint"),
    ("huber", r#""params":{"reduction":"sum"}"#,
        "422 unknown-parameter at /params/reduction, hint"),
    // Of the wrong type.
    ("mse", r#""reduction":3"#, "422 wrong-type at /reduction"),
    ("mse", r#""reduction":null"#, "422 wrong-type at /reduction"),
    ("mse", r#""reduction":["mean"]"#, "422 wrong-type at /reduction"),
    ("mse", r#""reduction":true"#, "422 wrong-type at /reduction"),
    ("mse", r#""dtype":32"#, "422 wrong-type at /dtype"),
    ("mse", r#""dtype":{}"#, "422 wrong-type at /dtype"),
    ("mse", r#""on_empty":0"#, "422 wrong-type at /on_empty"),
    ("mse", r#""on_empty":null"#, "422 wrong-type at /on_empty"),
    ("mse", r#""profile":false"#, "422 wrong-type at /profile"),
    ("mse", r#""validate":"yes""#, "422 wrong-type at /validate"),
    ("mse", r#""validate":0"#, "422 wrong-type at /validate"),
    ("mse", r#""validate":null"#, "422 wrong-type at /validate"),
    ("mse", r#""validate":"false""#, "422 wrong-type at /validate"),
    ("mse", r#""outputs":{}"#, "422 wrong-type at /outputs"),
    ("mse", r#""outputs":3"#, "422 wrong-type at /outputs"),
    ("mse", r#""outputs":null"#, "422 wrong-type at /outputs"),
    ("mse", r#""outputs":["loss",3]"#, "422 wrong-type at /outputs/1"),
    ("mse", r#""outputs":["loss",["losses"]]"#, "422 wrong-type at /outputs/1"),
    ("mse", r#""params":[]"#, "422 wrong-type at /params"),
    ("mse", r#""params":null"#, "422 wrong-type at /params"),
    ("mse", r#""params":"delta""#, "422 wrong-type at /params"),
    ("mse", r#""params":1"#, "422 wrong-type at /params"),
    ("mse", r#""sample_weight":"heavy""#, "422 wrong-type at /sample_weight, hint"),
    ("mse", r#""sample_weight":{}"#, "422 wrong-type at /sample_weight, hint"),
    ("mse", r#""sample_weight":null"#, "422 null-not-allowed at /sample_weight, hint"),
    // Not JSON after all.
    ("mse", r#""validate":trye"#, "400 malformed-json"),
    ("mse", r#""validate":None"#, "400 malformed-json"),
    ("mse", r#""reduction":nul"#, "400 malformed-json"),
    ("mse", r#""reduction":None"#, "400 malformed-json"),
    ("mse", r#""params":Null"#, "400 malformed-json"),
    ("mse", r#""outputs":[tru]"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":tru}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":1,}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta" 1}"#, "400 malformed-json"),
    ("huber", r#""params":{delta:1}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":+1}"#, "400 malformed-json"),
    ("huber", r#""params":{"delta":1"#, "400 malformed-json"),
    // Words that there are not.
    ("mse", r#""reduction":"avg""#, "422 bad-parameter at /reduction"),
    ("mse", r#""reduction":"MEAN""#, "422 bad-parameter at /reduction"),
    ("mse", r#""reduction":"""#, "422 bad-parameter at /reduction"),
    ("mse", r#""reduction":"batchmean""#, "422 bad-parameter at /reduction"),
    ("huber", r#""reduction":"batchmean""#, "422 bad-parameter at /reduction"),
    ("cross_entropy", r#""reduction":"batchmean""#, "422 bad-parameter at /reduction"),
    ("mse", r#""dtype":"f16""#, "422 bad-parameter at /dtype"),
    ("mse", r#""dtype":"float16""#, "422 bad-parameter at /dtype"),
    ("mse", r#""dtype":"torch.float32""#, "422 bad-parameter at /dtype"),
    ("mse", r#""on_empty":"skip""#, "422 bad-parameter at /on_empty"),
    ("mse", r#""on_empty":"NaN""#, "422 bad-parameter at /on_empty"),
    ("mse", r#""profile":"tensorflow""#, "422 bad-parameter at /profile"),
    ("mse", r#""outputs":["loss","grads"]"#, "422 bad-parameter at /outputs"),
    ("mse", r#""outputs":"loss,gradients""#, "422 bad-parameter at /outputs"),
    // Sample weights.
    ("mse", r#""sample_weight":[1,-1]"#, "422 bad-sample-weight at /sample_weight/1"),
    ("mse", r#""sample_weight":[-0.5,1]"#, "422 bad-sample-weight at /sample_weight/0"),
    ("mse", r#""sample_weight":["NaN",1]"#, "422 bad-sample-weight at /sample_weight/0"),
    ("mse", r#""sample_weight":[1,Infinity]"#, "422 bad-sample-weight at /sample_weight/1"),
    ("mse", r#""sample_weight":[1,null]"#, "422 null-not-allowed at /sample_weight/1, hint"),
    ("mse", r#""sample_weight":[1,1e39]"#, "422 number-overflow at /sample_weight/1, hint"),
    ("mse", r#""sample_weight":[1]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[1,2,3]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":1"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[[1,2]]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("mse", r#""sample_weight":[[1],[2]]"#, "422 bad-sample-weight at /sample_weight, hint"),
    ("cross_entropy", r#""sample_weight":[[1,1,1],[1,1,1]]"#,
        "422 bad-sample-weight at /sample_weight, hint"),
    ("cross_entropy", r#""sample_weight":[1,1,1]"#,
        "422 bad-sample-weight at /sample_weight, hint"),
    // A mean over nothing.
    ("mse", r#""sample_weight":[0,0],"on_empty":"error""#, "422 empty-mean, hint"),
    ("cross_entropy", r#""params":{"ignore_index":[0,1]},"on_empty":"error""#,
        "422 empty-mean, hint"),
    ("cross_entropy", r#""params":{"weight":[0,0,1]},"on_empty":"error""#, "422 empty-mean, hint"),
];

/// A sound request for a loss, whose last brace is missing.
fn open_example(loss: &str) -> String {
    let sound = r#"{"predictions":[2.5,0.5],"targets":[3,-0.5]}"#;
    let known = catalogue::find(loss).unwrap_or_else(|| panic!("there is no loss {loss}"));
    let text = if ["mse", "huber"].contains(&loss) { sound } else { known.card.example };
    text.strip_suffix('}').unwrap_or_else(|| panic!("{loss}: {text} is no object")).to_owned()
}

#[test]
fn members_are_known_stand_once_and_have_a_type() {
    let case = |&(loss, members, expected): &(&str, &str, _)| {
        Case::new(loss, format!("{},{members}}}", open_example(loss)), expected)
    };
    let mut cases: Vec<Case> = MEMBERS.iter().map(case).collect();
    // Long names come back cut, whatever is wrong with them.
    let name = "x".repeat(100_000);
    for members in [
        format!(r#""{name}":1"#),
        format!(r#""params":{{"{name}":1}}"#),
        format!(r#""params":{{"{name}":{{}}}}"#),
        format!(r#""params":{{"{name}":["x"]}}"#),
    ] {
        let body = format!("{},{members}}}", open_example("huber"));
        let answer = Server::new().post("/loss/huber", body);
        assert_eq!(answer.status(), 422, "{}", answer.text());
        let wrong = not_well_formed(&answer);
        assert_eq!(wrong, None, "a name of 100,000 letters in {}", &members[..20]);
    }
    check(&cases);
    cases.clear();
}

/// Parameters of a request that is sound without them.
const PARAMS: &[(&str, &str, &str)] = &[
    // Out of bounds.
    ("huber", r#""delta":0"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":-1"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":"NaN""#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":NaN"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":"Infinity""#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":-Infinity"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":1e999"#, "422 number-overflow at /params/delta, hint"),
    ("smooth_l1", r#""beta":-1"#, "422 bad-parameter at /params/beta"),
    ("smooth_l1", r#""beta":-1e-300"#, "422 bad-parameter at /params/beta"),
    ("quantile", r#""q":1.5"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":-0.1"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":[0.1,1.1]"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":[]"#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":[[0.5]]"#, "422 bad-parameter at /params/q"),
    ("triplet_margin", r#""margin":0"#, "422 bad-parameter at /params/margin"),
    ("triplet_margin", r#""margin":-1"#, "422 bad-parameter at /params/margin"),
    ("triplet_margin", r#""p":0"#, "422 bad-parameter at /params/p"),
    ("triplet_margin", r#""p":-1"#, "422 bad-parameter at /params/p"),
    ("triplet_margin", r#""p":"-Infinity""#, "422 bad-parameter at /params/p"),
    ("triplet_margin", r#""eps":-1e-6"#, "422 bad-parameter at /params/eps"),
    ("triplet_margin", r#""swap":1"#, "422 bad-parameter at /params/swap"),
    ("triplet_margin_with_distance", r#""margin":0"#, "422 bad-parameter at /params/margin"),
    ("triplet_margin_with_distance", r#""distance":"hamming""#,
        "422 bad-parameter at /params/distance"),
    ("triplet_margin_with_distance", r#""distance":2"#, "422 bad-parameter at /params/distance"),
    ("triplet_margin_with_distance", r#""distance":"""#, "422 bad-parameter at /params/distance"),
    ("triplet_margin_with_distance", r#""p":2"#, "422 unknown-parameter at /params/p, hint"),
    ("multi_margin", r#""p":3"#, "422 bad-parameter at /params/p"),
    ("multi_margin", r#""p":0"#, "422 bad-parameter at /params/p"),
    ("multi_margin", r#""p":1.5"#, "422 bad-parameter at /params/p"),
    ("multi_margin", r#""margin":"Infinity""#, "422 bad-parameter at /params/margin"),
    ("multi_margin", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("multi_margin", r#""ignore_index":0"#, "422 unknown-parameter at /params/ignore_index, hint"),
    ("cosine_embedding", r#""margin":"NaN""#, "422 bad-parameter at /params/margin"),
    ("margin_ranking", r#""margin":"-Infinity""#, "422 bad-parameter at /params/margin"),
    ("hinge_embedding", r#""margin":null"#, "422 bad-parameter at /params/margin"),
    ("bce", r#""label_smoothing":-0.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("bce", r#""label_smoothing":1.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("bce", r#""pos_weight":[1,1,1]"#, "422 unknown-parameter at /params/pos_weight, hint"),
    ("bce_with_logits", r#""label_smoothing":2"#, "422 bad-parameter at /params/label_smoothing"),
    ("cross_entropy", r#""label_smoothing":-0.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("cross_entropy", r#""label_smoothing":1.1"#, "422 bad-parameter at /params/label_smoothing"),
    ("cross_entropy", r#""label_smoothing":"0.1""#, "422 bad-parameter at /params/label_smoothing"),
    ("sigmoid_focal", r#""alpha":2"#, "422 bad-parameter at /params/alpha"),
    ("sigmoid_focal", r#""alpha":-1.5"#, "422 bad-parameter at /params/alpha"),
    ("sigmoid_focal", r#""alpha":"NaN""#, "422 bad-parameter at /params/alpha"),
    ("sigmoid_focal", r#""gamma":-1"#, "422 bad-parameter at /params/gamma"),
    ("sigmoid_focal", r#""gamma":null"#, "422 bad-parameter at /params/gamma"),
    ("poisson_nll", r#""eps":-1"#, "422 bad-parameter at /params/eps"),
    ("poisson_nll", r#""full":1"#, "422 bad-parameter at /params/full"),
    ("poisson_nll", r#""log_input":"false""#, "422 bad-parameter at /params/log_input"),
    ("gaussian_nll", r#""eps":0"#, "422 bad-parameter at /params/eps"),
    ("gaussian_nll", r#""eps":-1e-6"#, "422 bad-parameter at /params/eps"),
    ("kl_div", r#""log_target":0"#, "422 bad-parameter at /params/log_target"),
    ("kl_div", r#""log_target":null"#, "422 bad-parameter at /params/log_target"),
    ("ctc", r#""blank":3"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":-1"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":0.5"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":1e300"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""blank":[0]"#, "422 bad-parameter at /params/blank"),
    ("ctc", r#""zero_infinity":"true""#, "422 bad-parameter at /params/zero_infinity"),
    // Of the wrong kind.
    ("huber", r#""delta":"1""#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":true"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":null"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":[1]"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":[]"#, "422 bad-parameter at /params/delta"),
    ("huber", r#""delta":{}"#, "422 wrong-type at /params/delta"),
    ("huber", r#""delta":["x"]"#, "422 wrong-type at /params/delta/0, hint"),
    ("huber", r#""delta":[null]"#, "422 null-not-allowed at /params/delta/0, hint"),
    ("huber", r#""delta":[[1],[2,3]]"#, "422 ragged-array at /params/delta/1, hint"),
    ("quantile", r#""q":"median""#, "422 bad-parameter at /params/q"),
    ("quantile", r#""q":null"#, "422 bad-parameter at /params/q"),
    // Classes.
    ("cross_entropy", r#""ignore_index":0.5"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""ignore_index":null"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""ignore_index":[]"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""ignore_index":[0,"x"]"#,
        "422 wrong-type at /params/ignore_index/1, hint"),
    ("cross_entropy", r#""ignore_index":[0,0.5]"#, "422 bad-parameter at /params/ignore_index"),
    ("cross_entropy", r#""class_axis":2"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":-3"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":0.5"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":1e15"#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":"last""#, "422 bad-parameter at /params/class_axis"),
    ("cross_entropy", r#""class_axis":[1]"#, "422 bad-parameter at /params/class_axis"),
    ("nll", r#""class_axis":-9"#, "422 bad-parameter at /params/class_axis"),
    ("nll", r#""label_smoothing":0.1"#, "422 unknown-parameter at /params/label_smoothing, hint"),
    // Weights.
    ("cross_entropy", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,2,3,4]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":1"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":"balanced""#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,1,"NaN"]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,1,Infinity]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[1,1,null]"#, "422 null-not-allowed at /params/weight/2, hint"),
    ("cross_entropy", r#""weight":[[1],[1],[1]]"#, "422 bad-parameter at /params/weight"),
    ("cross_entropy", r#""weight":[[1,1,1]]"#, "422 bad-parameter at /params/weight"),
    ("nll", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("nll", r#""weight":{"0":1}"#, "422 wrong-type at /params/weight"),
    ("bce", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("bce", r#""weight":[[1,1,1]]"#, "422 bad-parameter at /params/weight"),
    ("bce_with_logits", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    ("bce_with_logits", r#""pos_weight":[1,2,3,4]"#, "422 bad-parameter at /params/pos_weight"),
    ("bce_with_logits", r#""pos_weight":3"#, "422 bad-parameter at /params/pos_weight"),
    ("multilabel_soft_margin", r#""weight":[1,2]"#, "422 bad-parameter at /params/weight"),
    // Finite, but not in the dtype of the request.
    ("hinge_embedding", r#""margin":1e39"#, "422 number-overflow at /params/margin, hint"),
    ("cross_entropy", r#""weight":[1,1,1e39]"#, "422 number-overflow at /params/weight/2, hint"),
];

#[test]
fn parameters_have_kinds_and_bounds() {
    let case = |&(loss, params, expected): &(&str, &str, _)| {
        let known = catalogue::find(loss).unwrap_or_else(|| panic!("there is no loss {loss}"));
        let example = known.card.example.trim_end_matches('}');
        Case::new(loss, format!("{example},\"params\":{{{params}}}}}"), expected)
    };
    check(&PARAMS.iter().map(case).collect::<Vec<_>>());
}

/// Losses of predictions and targets, and both of them.
const PAIRS: &[(&str, &str, &str, &str)] = &[
    // Regression and other losses of single elements.
    ("mse", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "[1,2,3]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "[]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "1", "422 shape-mismatch at /targets, hint"),
    ("mse", "1", "[1]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[1],[2]]", "[1,2]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[1,2]", "[[1],[2]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[1,2]]", "[[1],[2]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[1,2,3],[4,5,6]]", "[[1,2],[3,4],[5,6]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[[1]]]", "[[1]]", "422 shape-mismatch at /targets, hint"),
    ("mse", "[[],[]]", "[]", "422 shape-mismatch at /targets, hint"),
    ("l1", "[[1],[2]]", "[1,2]", "422 shape-mismatch at /targets, hint"),
    ("huber", "[1,2]", "[[1],[2]]", "422 shape-mismatch at /targets, hint"),
    ("smooth_l1", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("log_cosh", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("quantile", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    ("poisson_nll", "[1,2]", "[[1,2]]", "422 shape-mismatch at /targets, hint"),
    ("kl_div", "[[-1,-1]]", "[0.5,0.5]", "422 shape-mismatch at /targets, hint"),
    ("bce", "[[0.5],[0.5]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("bce_with_logits", "[[5],[-5]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("sigmoid_focal", "[5,-5]", "[[0],[1]]", "422 shape-mismatch at /targets, hint"),
    ("soft_margin", "[[5,-5]]", "[1,-1]", "422 shape-mismatch at /targets, hint"),
    ("hinge_embedding", "[1,2]", "[1]", "422 shape-mismatch at /targets, hint"),
    // Classes.
    ("cross_entropy", "[[1,2],[3,4]]", "[[0],[1]]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[0,1,0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "0", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[1,2]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[[1,2],[3,4]]]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "3", "0", "422 shape-mismatch at /predictions, hint"),
    ("cross_entropy", "[]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,1,2]", "422 shape-mismatch at /targets, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[[0],[1]]", "422 shape-mismatch at /targets, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[[0,1],[1,0]]", "422 shape-mismatch at /targets, hint"),
    ("nll", "[-1,-2]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[[0,1],[1,0]]", "422 shape-mismatch at /targets, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[0]", "422 shape-mismatch at /targets, hint"),
    ("multi_margin", "[[[1,2],[3,4]]]", "[[0,1]]", "422 shape-mismatch at /predictions, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,1]]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_margin", "[[[1,2]]]", "[[[0,1]]]", "422 shape-mismatch at /predictions, hint"),
    ("multilabel_margin", "[1,2]", "0", "422 shape-mismatch at /targets, hint"),
    ("multilabel_soft_margin", "[[1,2],[3,4]]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_soft_margin", "[]", "[0,1]", "422 shape-mismatch at /targets, hint"),
    ("multilabel_soft_margin", "1", "1", "422 shape-mismatch at /predictions, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,-1]", "422 class-out-of-range at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[3,0]", "422 class-out-of-range at /targets/0, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,1000000]",
        "422 class-out-of-range at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,9007199254740991]", "422 wrong-type at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,-99]", "422 class-out-of-range at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,0.5]", "422 wrong-type at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,NaN]", "422 wrong-type at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,\"Infinity\"]", "422 wrong-type at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,1e300]", "422 wrong-type at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[0,1e400]", "422 number-overflow at /targets/1, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[true,0]", "422 wrong-type at /targets/0, hint"),
    ("cross_entropy", "[[1,2,3],[3,4,5]]", "[\"cat\",0]", "422 wrong-type at /targets/0, hint"),
    ("cross_entropy", "[[],[]]", "[0,0]", "422 class-out-of-range at /targets/0, hint"),
    ("cross_entropy", "[1,2,3]", "3", "422 class-out-of-range at /targets, hint"),
    ("cross_entropy", "[[[1,2],[3,4]]]", "[[0,2]]", "422 class-out-of-range at /targets/0/1, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[0,2]", "422 class-out-of-range at /targets/1, hint"),
    ("nll", "[[-1,-2],[-3,-4]]", "[0,1.5]", "422 wrong-type at /targets/1, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[0,-100]", "422 class-out-of-range at /targets/1, hint"),
    ("multi_margin", "[[1,2],[3,4]]", "[2,0]", "422 class-out-of-range at /targets/0, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,1],[1,2]]",
        "422 class-out-of-range at /targets/1/1, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,-1],[-2,-1]]",
        "422 class-out-of-range at /targets/1/0, hint"),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,-1],[0.5,-1]]", "422 wrong-type at /targets/1/0, hint"),
    // Domains.
    ("cross_entropy", "[[1,2],[3,4]]", "[[0.5,0.5],[-0.5,1.5]]",
        "422 out-of-domain at /targets/1/0, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[[0.5,0.5],[0.5,1.5]]",
        "422 out-of-domain at /targets/1/1, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[[0,1],[1,2]]", "422 out-of-domain at /targets/1/1, hint"),
    ("cross_entropy", "[[1,2],[3,4]]", "[[0,1e39],[1,0]]",
        "422 number-overflow at /targets/0/1"),
    ("bce", "[0.5,1.5]", "[0,1]", "422 out-of-domain at /predictions/1, hint"),
    ("bce", "[-0.5,0.5]", "[0,1]", "422 out-of-domain at /predictions/0, hint"),
    ("bce", "[0.5,NaN]", "[0,1]", "422 out-of-domain at /predictions/1, hint"),
    ("bce", "[0.5,0.5]", "[0,2]", "422 out-of-domain at /targets/1, hint"),
    ("bce", "[0.5,0.5]", "[-1,1]", "422 out-of-domain at /targets/0, hint"),
    ("bce", "[[0.5,0.5],[0.5,1.0000001]]", "[[0,1],[0,1]]",
        "422 out-of-domain at /predictions/1/1, hint"),
    ("bce", "1.5", "1", "422 out-of-domain at /predictions, hint"),
    ("bce_with_logits", "[5,-5]", "[0,2]", "422 out-of-domain at /targets/1, hint"),
    ("bce_with_logits", "[5,-5]", "[-1,1]", "422 out-of-domain at /targets/0, hint"),
    ("bce_with_logits", "[5,-5]", "[NaN,1]", "422 out-of-domain at /targets/0, hint"),
    ("sigmoid_focal", "[5,-5]", "[0,2]", "422 out-of-domain at /targets/1, hint"),
    ("multilabel_soft_margin", "[[5,-5]]", "[[0,2]]", "422 out-of-domain at /targets/0/1, hint"),
    ("soft_margin", "[5,-5]", "[1,2]", "422 out-of-domain at /targets/1, hint"),
    ("soft_margin", "[5,-5]", "[0,-1]", "422 out-of-domain at /targets/0, hint"),
    ("soft_margin", "[5,-5]", "[1,NaN]", "422 out-of-domain at /targets/1, hint"),
    ("hinge_embedding", "[5,5]", "[1,0.5]", "422 out-of-domain at /targets/1, hint"),
    ("poisson_nll", "[5,5]", "[1,-1]", "422 out-of-domain at /targets/1, hint"),
    ("kl_div", "[-0.7,-0.7]", "[0.5,1.5]", "422 out-of-domain at /targets/1, hint"),
    ("kl_div", "[-0.7,-0.7]", "[-0.5,0.5]", "422 out-of-domain at /targets/0, hint"),
    // A mean over nothing.
    ("mse", "[]", r#"[],"on_empty":"error""#, "422 empty-mean, hint"),
    ("mse", "[1,2]", r#"[null,null],"on_empty":"error""#, "422 empty-mean, hint"),
    ("cross_entropy", "[]", r#"[],"on_empty":"error""#, "422 empty-mean, hint"),
    ("cross_entropy", "[[1,2]]", r#"[-100],"on_empty":"error""#, "422 empty-mean, hint"),
    ("kl_div", "[]", r#"[],"on_empty":"error","reduction":"batchmean""#, "422 empty-mean, hint"),
    // Quantiles.
    ("quantile", "[[1,2],[3,4]]", r#"[1,2],"params":{"q":[0.1,0.5,0.9]}"#,
        "422 shape-mismatch at /predictions"),
    ("quantile", "[1,2]", r#"[1,2],"params":{"q":[0.1,0.5]}"#,
        "422 shape-mismatch at /targets, hint"),
    ("quantile", "[[1,2],[3,4]]", r#"[[1,2],[3,4]],"params":{"q":[0.1,0.5]}"#,
        "422 shape-mismatch at /targets, hint"),
    ("quantile", "1", r#"1,"params":{"q":[0.5]}"#, "422 shape-mismatch at /predictions"),
];

#[test]
fn shapes_classes_and_domains_fit() {
    let case = |&(loss, predictions, targets, expected): &(&str, &str, &str, _)| {
        let body = format!(r#"{{"predictions":{predictions},"targets":{targets}}}"#);
        Case::new(loss, body, expected)
    };
    check(&PAIRS.iter().map(case).collect::<Vec<_>>());
}

/// Losses with other inputs, and the members of their requests.
const OTHERS: &[(&str, &str, &str)] = &[
    ("mse", "", "422 missing-input, hint"),
    ("mse", r#""predictions":[1]"#, "422 missing-input, hint"),
    ("mse", r#""targets":[1]"#, "422 missing-input, hint"),
    ("cross_entropy", r#""predictions":[[1,2]]"#, "422 missing-input, hint"),
    ("gaussian_nll", r#""predictions":[1],"targets":[1]"#, "422 missing-input, hint"),
    ("triplet_margin", r#""anchor":[[1]],"positive":[[1]]"#, "422 missing-input, hint"),
    ("triplet_margin", r#""predictions":[[1]]"#, "422 unknown-member at /predictions, hint"),
    ("cosine_embedding", r#""input1":[[1]],"targets":[1]"#, "422 missing-input, hint"),
    ("margin_ranking", r#""input1":[1],"input2":[1]"#, "422 missing-input, hint"),
    ("ctc", r#""predictions":[[[-1,-1]]],"targets":[[1]],"input_lengths":[1]"#,
        "422 missing-input, hint"),
    ("gaussian_nll", r#""predictions":[1,2],"targets":[1,2],"var":[1,2,3]"#,
        "422 shape-mismatch at /var, hint"),
    ("gaussian_nll", r#""predictions":[[1,2],[3,4]],"targets":[[1,2],[3,4]],"var":[[1,2]]"#,
        "422 shape-mismatch at /var, hint"),
    ("gaussian_nll", r#""predictions":[1,2],"targets":[1],"var":[1,2]"#,
        "422 shape-mismatch at /targets, hint"),
    ("gaussian_nll", r#""predictions":[1,2],"targets":[1,2],"var":[1,-1]"#,
        "422 out-of-domain at /var/1"),
    ("gaussian_nll", r#""predictions":[1,2],"targets":[1,2],"var":-1"#,
        "422 out-of-domain at /var"),
    ("gaussian_nll", r#""predictions":[1,2],"targets":[1,2],"var":[1,null]"#,
        "422 null-not-allowed at /var/1, hint"),
    // Pairs and triplets.
    ("triplet_margin", r#""anchor":[[1,2]],"positive":[[1,2]],"negative":[[1,2,3]]"#,
        "422 shape-mismatch at /negative, hint"),
    ("triplet_margin", r#""anchor":[[1,2]],"positive":[[1,2],[3,4]],"negative":[[1,2]]"#,
        "422 shape-mismatch at /positive, hint"),
    ("triplet_margin", r#""anchor":[[1,2]],"positive":[1,2],"negative":[1,2]"#,
        "422 shape-mismatch at /positive, hint"),
    ("triplet_margin", r#""anchor":1,"positive":1,"negative":1"#,
        "422 shape-mismatch at /anchor, hint"),
    ("triplet_margin", r#""anchor":[null],"positive":[1],"negative":[1]"#,
        "422 null-not-allowed at /anchor/0, hint"),
    ("triplet_margin_with_distance", r#""anchor":[[1],[2]],"positive":[[1,2]],"negative":[[1]]"#,
        "422 shape-mismatch at /positive, hint"),
    ("cosine_embedding", r#""input1":[[1,2]],"input2":[[1],[2]],"targets":[1]"#,
        "422 shape-mismatch at /input2, hint"),
    ("cosine_embedding", r#""input1":[[1,2]],"input2":[[1,2]],"targets":[1,1]"#,
        "422 shape-mismatch at /targets, hint"),
    ("cosine_embedding", r#""input1":[[1,2]],"input2":[[1,2]],"targets":[[1,-1]]"#,
        "422 shape-mismatch at /targets, hint"),
    ("cosine_embedding", r#""input1":[[1,2]],"input2":[[1,2]],"targets":1"#,
        "422 shape-mismatch at /targets, hint"),
    ("cosine_embedding", r#""input1":[1,2],"input2":[1,2],"targets":[1,-1]"#,
        "422 shape-mismatch at /targets, hint"),
    ("cosine_embedding", r#""input1":[],"input2":[],"targets":[1]"#,
        "422 shape-mismatch at /targets, hint"),
    ("cosine_embedding", r#""input1":[[1,2]],"input2":[[1,2]],"targets":[2]"#,
        "422 out-of-domain at /targets/0, hint"),
    ("cosine_embedding", r#""input1":[[1,2]],"input2":[[1,2]],"targets":[0.5]"#,
        "422 out-of-domain at /targets/0, hint"),
    ("margin_ranking", r#""input1":[1,2],"input2":[1],"targets":[1,1]"#,
        "422 shape-mismatch at /input2, hint"),
    ("margin_ranking", r#""input1":[1,2],"input2":[1,2],"targets":1"#,
        "422 shape-mismatch at /targets, hint"),
    ("margin_ranking", r#""input1":[1,2],"input2":[1,2],"targets":[1,3]"#,
        "422 out-of-domain at /targets/1, hint"),
];

/// Frames of one class axis of three, two samples: what stands in a ctc request, all of it sound.
const FRAMES: &str = "[[[-1,-1,-1],[-1,-1,-1]],[[-1,-1,-1],[-1,-1,-1]]]";

/// Labels, lengths of the inputs and of the targets for those frames.
const SEQUENCES: &[(&str, &str, &str, &str)] = &[
    ("[[1],[2]]", "[3,2]", "[1,1]", "422 out-of-domain at /input_lengths/0"),
    ("[[1],[2]]", "[2,-1]", "[1,1]", "422 out-of-domain at /input_lengths/1"),
    ("[[1],[2]]", "[2,2]", "[1,2]", "422 out-of-domain at /target_lengths/1"),
    ("[[1],[2]]", "[2,2]", "[-1,1]", "422 out-of-domain at /target_lengths/0"),
    ("[[1],[2]]", "[2]", "[1,1]", "422 shape-mismatch at /input_lengths, hint"),
    ("[[1],[2]]", "[2,2,2]", "[1,1]", "422 shape-mismatch at /input_lengths, hint"),
    ("[[1],[2]]", "2", "[1,1]", "422 shape-mismatch at /input_lengths, hint"),
    ("[[1],[2]]", "[2,2]", "[[1],[1]]", "422 shape-mismatch at /target_lengths, hint"),
    ("[[1],[2]]", "[2,2]", "[1]", "422 shape-mismatch at /target_lengths, hint"),
    ("[[1],[2]]", "[2,1.5]", "[1,1]", "422 wrong-type at /input_lengths/1, hint"),
    ("[[1],[2]]", "[2,NaN]", "[1,1]", "422 wrong-type at /input_lengths/1, hint"),
    ("[[1],[2]]", "[2,null]", "[1,1]", "422 null-not-allowed at /input_lengths/1, hint"),
    ("[[1],[2]]", "[2,\"2\"]", "[1,1]", "422 wrong-type at /input_lengths/1, hint"),
    ("[[1],[3]]", "[2,2]", "[1,1]", "422 class-out-of-range at /targets/1/0"),
    ("[[-1],[1]]", "[2,2]", "[1,1]", "422 class-out-of-range at /targets/0/0"),
    ("[[1],[1.5]]", "[2,2]", "[1,1]", "422 wrong-type at /targets/1/0, hint"),
    ("[[1]]", "[2,2]", "[1,1]", "422 shape-mismatch at /targets, hint"),
    ("[[[1]],[[2]]]", "[2,2]", "[1,1]", "422 shape-mismatch at /targets, hint"),
    ("1", "[2,2]", "[1,1]", "422 shape-mismatch at /targets, hint"),
    ("[1,2,1]", "[2,2]", "[1,1]", "422 shape-mismatch at /target_lengths"),
    ("[1,2]", "[2,2]", "[2,1]", "422 shape-mismatch at /target_lengths"),
    ("[1,3]", "[2,2]", "[1,1]", "422 class-out-of-range at /targets/1"),
];

#[test]
fn the_other_inputs_fit_too() {
    let case = |&(loss, members, expected): &(&str, &str, _)| {
        Case::new(loss, format!("{{{members}}}"), expected)
    };
    let sequence = |&(labels, frames, lengths, expected): &(&str, &str, &str, _)| {
        let body = format!(
            r#"{{"predictions":{FRAMES},"targets":{labels},"input_lengths":{frames},
                "target_lengths":{lengths}}}"#
        );
        Case::new("ctc", body, expected)
    };
    let mut cases: Vec<Case> = OTHERS.iter().map(case).collect();
    cases.extend(SEQUENCES.iter().map(sequence));
    for predictions in ["-1", "[-1,-1]", "[[[[-1]]]]"] {
        let body = format!(
            r#"{{"predictions":{predictions},"targets":[[1]],"input_lengths":[1],
                "target_lengths":[1]}}"#
        );
        cases.push(Case::new("ctc", body, "422 shape-mismatch at /predictions, hint"));
    }
    check(&cases);
}

/// Requests that look wrong and are not, in the words of a row of `PAIRS`.
const ACCEPTED: &[(&str, &str, &str)] = &[
    ("mse", "[1,1e39]", r#"[1,1e39],"dtype":"float64""#),
    ("mse", "[1,-1e-400]", "[1,0]"),
    ("mse", "[1,null]", "[1,2]"),
    ("cross_entropy", "[[1,2],[3,4]]", "[0,-100]"),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[0,9],"params":{"ignore_index":9}"#),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[7,9],"params":{"ignore_index":[7,9]}"#),
    ("cross_entropy", "[[1,2],[3,4]]", "[1.0,0e5]"),
    ("cross_entropy", "[[1,2],[3,4]]", "[-0,1]"),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[[2,0],[0,2]],"validate":false"#),
    ("cross_entropy", "[[1,2],[3,4]]", r#"[[-1,1],[0,1]],"validate":false"#),
    ("bce_with_logits", "[5,-5]", r#"[0,2],"validate":false"#),
    ("bce_with_logits", "[5,-5]", r#"[-1,1],"validate":false"#),
    ("sigmoid_focal", "[5,-5]", r#"[-1,1],"validate":false"#),
    ("multilabel_soft_margin", "[[5,-5]]", r#"[[0,2]],"validate":false"#),
    ("soft_margin", "[5,-5]", r#"[1,2],"validate":false"#),
    ("hinge_embedding", "[5,-5]", r#"[0.5,2],"validate":false"#),
    ("poisson_nll", "[5,5]", r#"[1,-1],"validate":false"#),
    ("kl_div", "[-0.7,-0.7]", r#"[-0.5,1.5],"validate":false"#),
    ("multilabel_margin", "[[1,2],[3,4]]", "[[0,-1],[-1,99]]"),
    ("triplet_margin", "", r#""anchor":[[1,0]],"positive":[[1,0]],"negative":[[0,1]],
        "params":{"p":"Infinity"}"#),
];
