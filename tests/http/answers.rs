//! What an answer holds: outputs, reductions, weights, missing labels, and how numbers are spelled.

use serde_json::{Value, json};

use crate::harness::{Server, number};

fn ask(path: &str, body: &Value) -> Value {
    let answer = Server::new().post(path, body.to_string());
    assert_eq!(answer.status(), 200, "{path} {body}: {}", answer.text());
    answer.json()
}

#[test]
fn an_answer_has_the_members_of_the_contract_in_order() {
    let answer = Server::new().post("/loss/mse", r#"{"predictions":[1,2,3],"targets":[1,2,5]}"#);
    assert_eq!(
        answer.text(),
        "{\"name\":\"mse\",\"loss\":1.3333334,\"gradients\":{\"predictions\":[0.0,0.0,-1.3333334]},\
         \"reduction\":\"mean\",\"dtype\":\"float32\",\"count\":3,\"sum\":4.0,\"denominator\":3.0,\
         \"warnings\":[]}"
    );
}

#[test]
fn outputs_are_the_ones_asked_for() {
    let body = json!({"predictions": [1, 2], "targets": [0, 0]});
    for (outputs, members) in [
        ("loss", vec!["loss"]),
        ("losses", vec!["losses"]),
        ("gradients", vec!["gradients"]),
        ("loss,losses,gradients", vec!["loss", "losses", "gradients"]),
    ] {
        let answer = ask(&format!("/loss/mse?outputs={outputs}"), &body);
        for member in ["loss", "losses", "gradients"] {
            let there = answer.get(member).is_some();
            assert_eq!(there, members.contains(&member), "{member} for outputs={outputs}");
        }
    }
    let both = json!({"predictions": [1, 2], "targets": [0, 0], "outputs": ["losses", "loss"]});
    let answer = ask("/loss/mse", &both);
    assert_eq!((&answer["loss"], &answer["losses"]), (&json!(2.5), &json!([1.0, 4.0])));
}

#[test]
fn reductions_agree_with_sum_and_denominator() {
    let server = Server::new();
    let body = r#"{"predictions": [[1, 2], [3, 5]], "targets": [[0, 0], [1, 1]],
                   "sample_weight": [1, 3]}"#;
    let answer =
        |reduction: &str| server.post(&format!("/loss/mse?reduction={reduction}"), body).json();
    assert_eq!(answer("none")["loss"], json!([[1.0, 4.0], [12.0, 48.0]]));
    assert_eq!(answer("sum")["loss"], json!(65.0));
    let mean = answer("mean");
    assert_eq!((&mean["sum"], &mean["denominator"]), (&json!(65.0), &json!(8.0)));
    assert_eq!((&mean["loss"], &mean["count"]), (&json!(8.125), &json!(4)));
    assert_eq!(mean["gradients"]["predictions"], json!([[0.25, 0.5], [1.5, 3.0]]));
}

#[test]
fn two_shards_combine_into_the_whole() {
    let whole = ask("/loss/l1", &json!({"predictions": [1, 5, 2.5], "targets": [0, 0, 0]}));
    let one = ask("/loss/l1", &json!({"predictions": [1, 5], "targets": [0, 0]}));
    let two = ask("/loss/l1", &json!({"predictions": [2.5], "targets": [0]}));
    for member in ["sum", "denominator"] {
        let parts = number(&one[member]).unwrap() + number(&two[member]).unwrap();
        assert_eq!(Some(parts), number(&whole[member]), "{member}");
    }
}

#[test]
fn missing_labels_are_left_out_and_counted() {
    let body = json!({"predictions": [1, 2, 4], "targets": [0, null, 0],
                      "outputs": ["loss", "losses", "gradients"]});
    let answer = ask("/loss/l1", &body);
    assert_eq!(answer["loss"], json!(2.5));
    assert_eq!(answer["losses"], json!([1.0, null, 4.0]));
    assert_eq!(answer["gradients"]["predictions"], json!([0.5, 0.0, 0.5]));
    assert_eq!((&answer["count"], &answer["missing"]), (&json!(2), &json!(1)));
    let whole = ask("/loss/l1", &json!({"predictions": [1], "targets": [0]}));
    assert!(whole.get("missing").is_none(), "missing stands only where there is something missing");
}

#[test]
fn a_mean_over_nothing_is_what_the_caller_says() {
    let server = Server::new();
    let bodies = [
        ("mse", r#"{"predictions": [], "targets": []}"#),
        ("mse", r#"{"predictions": [1, 2], "targets": [null, null]}"#),
        ("cross_entropy", r#"{"predictions": [[1, 2]], "targets": [-100]}"#),
        ("l1", r#"{"predictions": [1], "targets": [2], "sample_weight": [0]}"#),
    ];
    for (loss, body) in bodies {
        let answer = |choice: &str| server.post(&format!("/loss/{loss}?on_empty={choice}"), body);
        assert_eq!(answer("nan").json()["loss"], json!("NaN"), "{body}");
        assert_eq!(answer("zero").json()["loss"], json!(0.0), "{body}");
        let refused = answer("error");
        assert_eq!(
            (refused.status().as_u16(), &refused.json()["type"]),
            (422, &json!("/problems#empty-mean")),
            "{body}"
        );
        assert_eq!(
            server.post(&format!("/loss/{loss}?on_empty=error&reduction=sum"), body).status(),
            200
        );
    }
}

#[test]
fn nonfinite_numbers_have_spellings_and_are_counted() {
    let body = r#"{"predictions": [1, NaN, "Infinity", 2, -Infinity, "NaN"],
                   "targets": [1, 2, 3, "-Infinity", 0, 0], "outputs": ["loss", "losses"]}"#;
    let answer = Server::new().post("/loss/l1", body).json();
    assert_eq!(answer["losses"], json!([0.0, "NaN", "Infinity", "Infinity", "Infinity", "NaN"]));
    assert_eq!(answer["loss"], json!("NaN"));
    assert_eq!(answer["nonfinite"], json!({"nan": 2, "inf": 3, "first": 1}));
    let reduced = Server::new()
        .post(
            "/loss/l1?reduction=sum",
            r#"{"predictions": [1, 2, "Infinity"], "targets": [1, 2, 3]}"#,
        )
        .json();
    assert_eq!(reduced["nonfinite"], json!({"nan": 0, "inf": 1, "first": 2}));
    assert_eq!(reduced["loss"], json!("Infinity"));
}

#[test]
fn double_precision_is_exact_wherever_dtype_stands() {
    let server = Server::new();
    for body in [
        r#"{"dtype": "float64", "predictions": [0.1, 1e300], "targets": [0, 1e300]}"#,
        r#"{"predictions": [0.1, 1e300], "targets": [0, 1e300], "dtype": "float64"}"#,
    ] {
        let answer = server.post("/loss/l1?reduction=sum", body).json();
        assert_eq!((&answer["loss"], &answer["dtype"]), (&json!(0.1), &json!("float64")), "{body}");
    }
    let query = server
        .post("/loss/l1?reduction=sum&dtype=float64", r#"{"predictions": [0.1], "targets": [0]}"#);
    assert_eq!(query.json()["loss"], json!(0.1));
}

#[test]
fn parameters_may_stand_in_the_query() {
    let server = Server::new();
    let body = r#"{"predictions": [3], "targets": [0]}"#;
    let in_query = server.post("/loss/huber?delta=2&reduction=sum", body).json();
    let in_body = server
        .post(
            "/loss/huber",
            r#"{"predictions": [3], "targets": [0], "params": {"delta": 2}, "reduction": "sum"}"#,
        )
        .json();
    assert_eq!(in_query, in_body);
    assert_eq!(in_query["loss"], json!(4.0));
    let same_twice = server.post(
        "/loss/huber?delta=2",
        r#"{"predictions": [3], "targets": [0], "params": {"delta": 2}}"#,
    );
    assert_eq!(same_twice.json()["loss"], json!(4.0));
    let weights = server.post(
        "/loss/cross_entropy?weight=1,2&ignore_index=0,5&label_smoothing=0.1",
        r#"{"predictions": [[1, 2], [3, 4]], "targets": [0, 1]}"#,
    );
    assert_eq!(weights.json()["count"], json!(1), "{}", weights.text());
    let off = server.post(
        "/loss/sigmoid_focal?alpha=null&gamma=0",
        r#"{"predictions": [0.0], "targets": [1]}"#,
    );
    let undecided = number(&off.json()["loss"]).unwrap();
    assert!((undecided - std::f64::consts::LN_2).abs() < 1e-7, "{undecided}");
}

#[test]
fn plain_text_is_the_loss_alone() {
    let server = Server::new();
    let plain = |path: &str, body: &'static str| {
        let request = axum::http::Request::post(path)
            .header("accept", "text/plain")
            .body(axum::body::Body::from(body))
            .unwrap();
        let answer = server.send(request);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        answer.text().to_owned()
    };
    assert_eq!(plain("/loss/mse", r#"{"predictions":[1,2,3],"targets":[1,2,5]}"#), "1.3333334\n");
    assert_eq!(
        plain("/loss/l1?reduction=none", r#"{"predictions":[1,"NaN"],"targets":[3,0]}"#),
        "2.0\nNaN\n"
    );
}

#[test]
fn every_spelling_of_a_name_answers_under_the_canonical_one() {
    let server = Server::new();
    for name in ["smooth_l1", "smooth-l1", "SMOOTH_L1", "SmoothL1Loss", "smooth_l1_loss"] {
        for prefix in ["/loss", "/v1/loss"] {
            let answer =
                server.post(&format!("{prefix}/{name}"), r#"{"predictions":1,"targets":3}"#);
            assert_eq!(answer.json()["name"], json!("smooth_l1"), "{prefix}/{name}");
            assert_eq!(answer.json()["loss"], json!(1.5));
        }
    }
}

#[test]
fn answers_nest_as_the_requests_did() {
    let answer = ask(
        "/loss/mse?reduction=none",
        &json!({"predictions": [[[1], [2]], [[3], [4]]], "targets": [[[0], [0]], [[0], [0]]]}),
    );
    assert_eq!(answer["loss"], json!([[[1.0], [4.0]], [[9.0], [16.0]]]));
    let scalar = ask("/loss/mse?reduction=none", &json!({"predictions": 3, "targets": 1}));
    assert_eq!((&scalar["loss"], &scalar["gradients"]["predictions"]), (&json!(4.0), &json!(4.0)));
    let empty =
        ask("/loss/mse?reduction=none", &json!({"predictions": [[], []], "targets": [[], []]}));
    assert_eq!(empty["loss"], json!([[], []]));
}

#[test]
fn rows_and_results_may_be_named() {
    let server = Server::new();
    let example = r#"{"predictions": [[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]], "targets": [0, 1],
        "params": {"label_smoothing": 0.1}, "reduction": "mean", "outputs": ["loss", "gradients"],
        "dtype": "float32", "groups": ["eu", "us"], "ids": [7, "b"],
        "labels": {"model": "fraud-v3"}}"#;
    let named = server.post("/loss/cross_entropy", example);
    assert_eq!(named.status(), 200, "{}", named.text());
    assert!((number(&named.json()["loss"]).unwrap() - 0.436_873_08).abs() < 1e-6);
    for (member, pointer) in [
        (r#""groups": ["eu"]"#, "/groups"),
        (r#""ids": 3"#, "/ids"),
        (r#""ids": [1, 2.5]"#, "/ids/1"),
        (r#""groups": ["a", null]"#, "/groups/1"),
        (r#""labels": ["a"]"#, "/labels"),
        (r#""labels": {"model": {}}"#, "/labels/model"),
    ] {
        let body = format!(r#"{{"predictions": [1, 2], "targets": [1, 2], {member}}}"#);
        let refused = server.post("/loss/mse", body);
        assert_eq!(refused.status(), 422, "{member}: {}", refused.text());
        assert_eq!(refused.json()["pointer"], json!(pointer), "{member}");
    }
}

#[test]
fn a_large_batch_is_read_and_answered_as_a_small_one() {
    // More than a MiB, which is read from two places at once, and more numbers than one piece.
    let (rows, columns) = (300, 400);
    let number = |seed: usize, at: usize| ((at * 31 + seed) % 1999) as f32 / 256.0 - 3.0;
    let tensor = |seed: usize| -> Vec<Vec<f32>> {
        let row = |row: usize| (0..columns).map(|at| number(seed, row * columns + at)).collect();
        (0..rows).map(row).collect()
    };
    let (predictions, targets) = (tensor(5), tensor(77));
    let mut body = json!({"predictions": predictions, "targets": targets}).to_string();
    assert!(1 << 20 < body.len());
    let server = Server::new();
    let answer = server.post("/loss/mse?reduction=sum", body.clone()).json();
    let mut sum = 0.0;
    for row in 0..rows {
        for at in 0..columns {
            let difference = predictions[row][at] - targets[row][at];
            let slope = answer["gradients"]["predictions"][row][at].as_f64().unwrap();
            assert_eq!(slope as f32, 2.0 * difference, "{row} {at}");
            sum += f64::from(difference * difference);
        }
    }
    assert!((answer["sum"].as_f64().unwrap() - sum).abs() < 1e-6 * sum);

    // A mistake near the end is still found, and pointed at.
    let last = body.rfind("],").unwrap();
    body.insert_str(last, ",7");
    let problem = server.post("/loss/mse", body).json();
    assert_eq!(problem["type"], json!("/problems#ragged-array"));
    assert_eq!(problem["pointer"], json!(format!("/targets/{}", rows - 2)));
}
