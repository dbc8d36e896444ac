//! What is not JSON, elements that are not numbers, and arrays that are not tensors.

use super::{Case, check};
use crate::harness::Server;

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
    (
        b"{\"predictions\":[1],\"targets\":[1]}\n{\"predictions\":[1],\"targets\":[1]}",
        "400 malformed-json",
    ),
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
    ("[[1],null]", "422 null-not-allowed at /predictions/1, hint"),
    ("[[1,2],[null,3]]", "422 null-not-allowed at /predictions/1/0, hint"),
    ("[[1,2],[3,1e39]]", "422 number-overflow at /predictions/1/1, hint"),
    ("[[1,2],[3,\"x\"]]", "422 wrong-type at /predictions/1/1, hint"),
    ("null", "422 null-not-allowed at /predictions, hint"),
    ("true", "422 wrong-type at /predictions, hint"),
    ("\"[1,2]\"", "422 wrong-type at /predictions, hint"),
    ("{\"0\":1}", "422 wrong-type at /predictions, hint"),
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
        Case::new(
            "mse",
            format!(r#"{{"predictions":[1],"targets":{open}"#),
            "422 too-deep at /targets",
        ),
        Case::new(
            "cross_entropy",
            format!(r#"{{"targets":{closed}}}"#),
            "422 too-deep at /targets",
        ),
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
        Case::new(
            "mse",
            format!(r#"{{"wishes":{closed}}}"#),
            "422 unknown-member at /wishes, hint",
        ),
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
