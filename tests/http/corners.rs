//! Corners where an answer was once wrong, each with what torch 2.15 says (or the finite limit).

use serde_json::{Value, json};

use crate::harness::{Server, difference};

/// The loss and the gradient of the first input.
fn check(loss: &str, request: &Value, expected_loss: &Value, expected_gradient: &Value) {
    let answer = Server::new().post(&format!("/loss/{loss}"), request.to_string());
    assert_eq!(answer.status(), 200, "{loss} {request}: {}", answer.text());
    let answer = answer.json();
    let tolerance = if request["dtype"] == json!("float64") { 1e-9 } else { 2e-5 };
    let gradients = answer["gradients"].as_object().unwrap();
    let gradient = gradients.values().next().unwrap();
    assert_eq!(difference(&answer["loss"], expected_loss, tolerance), None, "{loss} {request}");
    assert_eq!(difference(gradient, expected_gradient, tolerance), None, "{loss} {request}");
}

#[test]
fn margins_are_rounded_in_the_order_of_torch() {
    let request = json!({"predictions": [1.4, 0.4, 0.4, -0.2], "targets": [0, 1, -1, -1]});
    check("multilabel_margin", &request, &json!(0.35), &json!([-0.25, -0.5, 0.5, 0.25]));
}

#[test]
fn confident_and_right_keeps_its_gradient() {
    let request = json!({"predictions": [20, 18], "targets": [1, 1]});
    let loss = json!(8.645_591e-9);
    check("multilabel_soft_margin", &request, &loss, &json!([-1.030_576_8e-9, -7.614_989_8e-9]));
    let request = json!({"predictions": [20], "targets": [1]});
    check("sigmoid_focal", &request, &json!(2.189_128_0e-27), &json!([-6.567_384_0e-27]));
}

#[test]
fn infinitely_wrong_has_a_finite_gradient() {
    let wrong = json!({"predictions": ["-Infinity", "Infinity"], "targets": [1, 0],
                       "params": {"gamma": 0}, "reduction": "none"});
    check("sigmoid_focal", &wrong, &json!(["Infinity", "Infinity"]), &json!([-0.25, 0.75]));
    let wrong = json!({"predictions": ["-Infinity", "Infinity"], "targets": [1, 0],
                       "reduction": "none"});
    check("sigmoid_focal", &wrong, &json!(["Infinity", "Infinity"]), &json!([-0.25, 0.75]));
}

/// Losses whose limit, or that of the gradient, is finite where libraries have NaN: the request, the
/// loss, and the gradient of the first input.
const LIMITS: &[(&str, &str, &str, &str)] = &[
    ("cross_entropy", r#"{"predictions":[["Infinity",0.5]],"targets":[0]}"#, "0", "[[0,0]]"),
    (
        "cross_entropy",
        r#"{"predictions":[["Infinity",0.5]],"targets":[1]}"#,
        r#""Infinity""#,
        "[[1,-1]]",
    ),
    ("bce_with_logits", r#"{"predictions":["Infinity"],"targets":[1]}"#, "0", "[0]"),
    ("poisson_nll", r#"{"predictions":["-Infinity"],"targets":[0]}"#, "0", "[0]"),
    (
        "poisson_nll",
        r#"{"predictions":["Infinity"],"targets":[2]}"#,
        r#""Infinity""#,
        r#"["Infinity"]"#,
    ),
    ("poisson_deviance", r#"{"predictions":["Infinity"],"targets":[0]}"#, r#""Infinity""#, "[2]"),
    (
        "tweedie_nll",
        r#"{"predictions":[800],"targets":[2],"params":{"power":0}}"#,
        r#""Infinity""#,
        r#"["Infinity"]"#,
    ),
    ("msle", r#"{"predictions":["Infinity"],"targets":[1]}"#, r#""Infinity""#, "[0]"),
    ("smape", r#"{"predictions":["Infinity"],"targets":[1]}"#, "2", "[0]"),
    (
        "rmse",
        r#"{"predictions":["Infinity",1],"targets":[0,0]}"#,
        r#""Infinity""#,
        "[0.7071067811865476,0]",
    ),
    ("asymmetric", r#"{"predictions":["-Infinity"],"targets":[1]}"#, r#""Infinity""#, "[-1]"),
    (
        "sigmoid_focal",
        r#"{"predictions":["-Infinity"],"targets":[1],"params":{"alpha":0}}"#,
        "0",
        "[0]",
    ),
    (
        "softmax_focal",
        r#"{"predictions":[[1000,-1000]],"targets":[0],"params":{"gamma":0.5}}"#,
        "0",
        "[[0,0]]",
    ),
    (
        "softmax_focal",
        r#"{"predictions":[[-1000,1000]],"targets":[0],"params":{"gamma":0.5}}"#,
        "2000",
        "[[-1,1]]",
    ),
    ("categorical_hinge", r#"{"predictions":[["Infinity",0]],"targets":[[1,0]]}"#, "0", "[[0,0]]"),
    ("z_loss", r#"{"predictions":[["Infinity",0]]}"#, r#""Infinity""#, r#"[["Infinity",0]]"#),
    ("list_mle", r#"{"predictions":[["Infinity",0]],"targets":[[1,0]]}"#, "0", "[[0,0]]"),
    ("approx_ndcg", r#"{"predictions":[["Infinity",0]],"targets":[[1,0]]}"#, "-1", "[[0,0]]"),
    ("cox_ph", r#"{"predictions":["Infinity",0],"time":[1,2],"event":[1,1]}"#, "0", "[0,0]"),
    ("hellinger", r#"{"predictions":[[0,1]],"targets":[[0,1]]}"#, "0", "[[0.5,0]]"),
    ("psi", r#"{"predictions":[[0,1]],"targets":[[0,1]]}"#, "0", "[[0,0]]"),
    (
        "js_div",
        r#"{"predictions":[[0,1]],"targets":[[0.5,0.5]]}"#,
        "0.21576155",
        r#"[["-Infinity",0.14384104]]"#,
    ),
    ("cosine_distance", r#"{"predictions":[[0,0]],"targets":[[1,0]]}"#, "1", "[[0,0]]"),
    (
        "cosine_embedding",
        r#"{"input1":[[1e30,0]],"input2":[[1,1]],"targets":[1]}"#,
        "0.2928932188",
        "[[0,-7.071068e-31]]",
    ),
    ("dice", r#"{"predictions":[[0,0]],"targets":[[0,0]],"params":{"smooth":0}}"#, "0", "[[0,0]]"),
    ("crps_gaussian", r#"{"predictions":[1],"scale":[0],"targets":[3]}"#, "2", "[-1]"),
    (
        "ctc",
        r#"{"predictions":[[["-Infinity",0]],[["-Infinity",0]],[[0,"-Infinity"]]],"targets":[[1]],"input_lengths":[3],"target_lengths":[1]}"#,
        "0",
        "[[[0,0]],[[0,0]],[[0,0]]]",
    ),
    ("mape", r#"{"predictions":[1],"targets":["Infinity"]}"#, "1", "[0]"),
    ("smape", r#"{"predictions":[1],"targets":["Infinity"]}"#, "2", "[0]"),
    ("smape", r#"{"predictions":[5],"targets":[1e-6]}"#, "1.9999992", "[1.6e-7]"),
    ("gamma_deviance", r#"{"predictions":["Infinity"],"targets":[1]}"#, r#""Infinity""#, "[0]"),
    ("asymmetric", r#"{"predictions":["-Infinity"],"targets":[0]}"#, "0", "[0]"),
    (
        "list_mle",
        r#"{"predictions":[[1,2,"-Infinity"]],"targets":[[2,1,0]]}"#,
        "1.3132617",
        "[[-0.7310586,0.7310586,0]]",
    ),
    (
        "cross_entropy_lambda",
        r#"{"predictions":[-16],"targets":[1],"params":{"exposure":1e8},"dtype":"float64"}"#,
        "1.2961717432682653e-5",
        "[-1.4586584251380391e-4]",
    ),
];

#[test]
fn a_limit_that_is_finite_is_the_answer() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (loss, request, value, gradient) in LIMITS {
        check(loss, &read(request), &read(value), &read(gradient));
    }
}

#[test]
fn weights_of_zero_make_a_mean_over_nothing() {
    let request = json!({"predictions": [1, 2], "targets": [0, 0], "sample_weight": [0, 0],
                         "on_empty": "zero"});
    check("mse", &request, &json!(0.0), &json!([0.0, 0.0]));
    let request = json!({"predictions": [[1, 2]], "targets": [0],
                         "params": {"weight": [0, 1], "label_smoothing": 0.1}});
    check("cross_entropy", &request, &json!("NaN"), &json!([["NaN", "NaN"]]));
}

#[test]
fn nan_stays_where_it_is() {
    let request = json!({"anchor": [1, 0], "positive": ["NaN", 0], "negative": [0, 1]});
    let answer = Server::new().post("/loss/triplet_margin", request.to_string()).json();
    assert_eq!(difference(&answer["gradients"]["negative"], &json!([0.0, 0.0]), 0.0), None);
    for (loss, request) in [
        ("sparsemax", json!({"predictions": [["NaN", 1, 2]], "targets": [1]})),
        ("lovasz_hinge", json!({"predictions": [["NaN", 1, 2]], "targets": [[0, 1, 0]]})),
    ] {
        let answer = Server::new().post(&format!("/loss/{loss}"), request.to_string()).json();
        assert_eq!(answer["loss"], json!("NaN"), "{loss}");
        assert_eq!(answer["nonfinite"]["nan"], json!(1), "{loss}");
    }
    let request = json!({"predictions": [1], "targets": ["NaN"], "params": {"beta": 0}});
    check("smooth_l1", &request, &json!("NaN"), &json!([0.0]));
}

#[test]
fn numbers_of_any_size_have_norms() {
    let request = json!({"anchor": [1e30, 1], "positive": [1e30, 1], "negative": [-1, 2],
                         "params": {"distance": "cosine", "margin": 3}});
    let answer = Server::new().post("/loss/triplet_margin_with_distance", request.to_string());
    assert_eq!(difference(&answer.json()["loss"], &json!(1.552_786_4), 1e-6), None);
    let request = json!({"anchor": [1000, 900], "positive": [0, 0], "negative": [1, 0],
                         "params": {"p": 3}, "dtype": "float64"});
    let answer = Server::new().post("/loss/triplet_margin", request.to_string()).json();
    assert_eq!(difference(&answer["loss"], &json!(1.693_883_784), 1e-7), None);
}

#[test]
fn a_small_weight_is_applied_before_a_large_slope() {
    let request = json!({"predictions": [0, 88], "targets": [0, 0], "sample_weight": [0, 0.1]});
    let power = 88f64.exp();
    check("poisson_nll", &request, &json!(power), &json!([0.0, power]));
}

#[test]
fn empty_sums_and_batches_are_zero() {
    let request = json!({"predictions": [], "targets": [], "reduction": "sum"});
    let answer = Server::new().post("/loss/mse", request.to_string());
    assert!(answer.text().contains("\"loss\":0.0"), "{}", answer.text());
    let request = json!({"predictions": [[], []], "targets": [[], []], "reduction": "batchmean"});
    check("kl_div", &request, &json!(0.0), &json!([[], []]));
}

#[test]
fn what_torch_forbids_is_refused() {
    let server = Server::new();
    let refused = |loss: &str, request: Value, pointer: &str| {
        let answer = server.post(&format!("/loss/{loss}"), request.to_string());
        assert_eq!(answer.status(), 422, "{loss} {request}");
        assert_eq!(answer.json()["pointer"], json!(pointer), "{loss} {request}");
    };
    refused(
        "cross_entropy",
        json!({"predictions": [[1, 2]], "targets": [[0.5, 0.5]],
        "params": {"ignore_index": 1}}),
        "/params/ignore_index",
    );
    refused(
        "ctc",
        json!({"predictions": [[[-1, -1]], [[-1, -1]]], "targets": [[0]],
        "input_lengths": [2], "target_lengths": [1]}),
        "/targets/0/0",
    );
}

#[test]
fn one_number_is_a_weight_for_all() {
    let request = json!({"predictions": [0.0], "targets": [1], "params": {"pos_weight": 2}});
    check("bce_with_logits", &request, &json!(2.0 * std::f64::consts::LN_2), &json!([-1.0]));
}

#[test]
fn a_batch_whose_cost_grows_faster_than_it_is_refused() {
    let server = Server::new();
    let column = vec![vec![0.5]; 5000];
    let row = vec![0.5; 20_000];
    let requests = [
        ("nt_xent", json!({"predictions": column})),
        ("info_nce", json!({"input1": column, "input2": column})),
        ("sup_con", json!({"predictions": column, "targets": vec![1; 5000]})),
        ("ranknet", json!({"predictions": [row], "targets": [row]})),
        ("barlow_twins", json!({"input1": [row, row], "input2": [row, row]})),
        ("variogram_score", json!({"predictions": [[row]], "targets": [row]})),
    ];
    for (loss, request) in requests {
        let answer = server.post(&format!("/loss/{loss}"), request.to_string());
        assert_eq!(answer.status(), 422, "{loss}");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().contains("more than"), "{loss}: {problem}");
        assert_eq!(problem["hint"], json!("send smaller batches"), "{loss}");
    }
}

#[test]
fn nothing_at_all_is_a_mean_over_nothing_for_every_loss() {
    let server = Server::new();
    for loss in lossd::numeric::catalogue::all() {
        let card = &loss.card;
        let mut request = serde_json::Map::new();
        for input in card.inputs.iter().filter(|input| !input.optional) {
            request.insert(input.name.to_owned(), json!([]));
        }
        // Every other parameter has a default.
        for (on_empty, expected) in [("nan", json!("NaN")), ("zero", json!(0.0))] {
            request.insert("on_empty".to_owned(), json!(on_empty));
            let answer = server
                .post(&format!("/loss/{}", card.name), Value::Object(request.clone()).to_string());
            assert_eq!(answer.status(), 200, "{}: {}", card.name, answer.text());
            assert_eq!(answer.json()["loss"], expected, "{} with {on_empty}", card.name);
        }
    }
}

#[test]
fn many_short_rows_are_what_each_is_alone() {
    let server = Server::new();
    let kinds = [
        (json!([0.5, -1.0, 2.0]), 2),
        (json!(["Infinity", 0.5, -3.0]), 0),
        (json!(["Infinity", 0.5, -3.0]), 1),
        (json!(["-Infinity", 0.5, 88.0]), 1),
        (json!([1e30, -1e30, 1.0]), 2),
    ];
    let rows: Vec<_> = kinds.iter().cycle().take(130).collect();
    let evaluate = |rows: &[&(Value, i32)]| {
        let predictions: Vec<&Value> = rows.iter().map(|(x, _)| x).collect();
        let targets: Vec<i32> = rows.iter().map(|(_, t)| *t).collect();
        let request = json!({"predictions": predictions, "targets": targets, "reduction": "none"});
        server.post("/loss/cross_entropy", request.to_string()).json()
    };
    let all = evaluate(&rows);
    for (at, row) in rows.iter().enumerate() {
        let alone = evaluate(&[row]);
        assert_eq!(difference(&all["loss"][at], &alone["loss"][0], 2e-5), None, "row {at}");
        let gradient = |answer: &Value, at: usize| answer["gradients"]["predictions"][at].clone();
        assert_eq!(difference(&gradient(&all, at), &gradient(&alone, 0), 2e-5), None, "row {at}");
    }
}

#[test]
fn many_rows_without_classes_have_nothing_to_lose() {
    let server = Server::new();
    let rows = vec![json!([]); 70];
    for (loss, targets, expected) in [
        ("cross_entropy", vec![json!(-100); 70], json!("NaN")),
        ("soft_target_cross_entropy", rows.clone(), json!(0.0)),
    ] {
        let request = json!({"predictions": rows, "targets": targets});
        let answer = server.post(&format!("/loss/{loss}"), request.to_string());
        assert_eq!(answer.status(), 200, "{loss}: {}", answer.text());
        assert_eq!(answer.json()["loss"], expected, "{loss}");
    }
}
