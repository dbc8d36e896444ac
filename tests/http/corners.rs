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

#[test]
fn a_limit_that_is_finite_is_the_answer_where_libraries_have_nan() {
    let far = "Infinity";
    let wrong = "-Infinity";
    let cases = [
        (
            "cross_entropy",
            json!({"predictions": [[far, 0.5]], "targets": [0]}),
            json!(0.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "cross_entropy",
            json!({"predictions": [[far, 0.5]], "targets": [1]}),
            json!(far),
            json!([[1.0, -1.0]]),
        ),
        (
            "binary_cross_entropy_with_logits",
            json!({"predictions": [far], "targets": [1]}),
            json!(0.0),
            json!([0.0]),
        ),
        ("poisson_nll", json!({"predictions": [wrong], "targets": [0]}), json!(0.0), json!([0.0])),
        ("poisson_nll", json!({"predictions": [far], "targets": [2]}), json!(far), json!([far])),
        (
            "poisson_deviance",
            json!({"predictions": [far], "targets": [0]}),
            json!(far),
            json!([2.0]),
        ),
        (
            "tweedie_nll",
            json!({"predictions": [800], "targets": [2], "params": {"power": 0}}),
            json!(far),
            json!([far]),
        ),
        ("msle", json!({"predictions": [far], "targets": [1]}), json!(far), json!([0.0])),
        ("smape", json!({"predictions": [far], "targets": [1]}), json!(2.0), json!([0.0])),
        (
            "rmse",
            json!({"predictions": [far, 1], "targets": [0, 0]}),
            json!(far),
            json!([0.5_f64.sqrt(), 0.0]),
        ),
        ("asymmetric", json!({"predictions": [wrong], "targets": [1]}), json!(far), json!([-1.0])),
        (
            "sigmoid_focal",
            json!({"predictions": [wrong], "targets": [1], "params": {"alpha": 0}}),
            json!(0.0),
            json!([0.0]),
        ),
        (
            "softmax_focal",
            json!({"predictions": [[1000, -1000]], "targets": [0], "params": {"gamma": 0.5}}),
            json!(0.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "softmax_focal",
            json!({"predictions": [[-1000, 1000]], "targets": [0], "params": {"gamma": 0.5}}),
            json!(2000.0),
            json!([[-1.0, 1.0]]),
        ),
        (
            "categorical_hinge",
            json!({"predictions": [[far, 0]], "targets": [[1, 0]]}),
            json!(0.0),
            json!([[0.0, 0.0]]),
        ),
        ("z_loss", json!({"predictions": [[far, 0]]}), json!(far), json!([[far, 0.0]])),
        (
            "list_mle",
            json!({"predictions": [[far, 0]], "targets": [[1, 0]]}),
            json!(0.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "approx_ndcg",
            json!({"predictions": [[far, 0]], "targets": [[1, 0]]}),
            json!(-1.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "cox_ph",
            json!({"predictions": [far, 0], "time": [1, 2], "event": [1, 1]}),
            json!(0.0),
            json!([0.0, 0.0]),
        ),
        (
            "hellinger",
            json!({"predictions": [[0, 1]], "targets": [[0, 1]]}),
            json!(0.0),
            json!([[0.5, 0.0]]),
        ),
        (
            "psi",
            json!({"predictions": [[0, 1]], "targets": [[0, 1]]}),
            json!(0.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "js_div",
            json!({"predictions": [[0, 1]], "targets": [[0.5, 0.5]]}),
            json!(0.215_761_55),
            json!([[wrong, 0.143_841_04]]),
        ),
        (
            "cosine_distance",
            json!({"predictions": [[0, 0]], "targets": [[1, 0]]}),
            json!(1.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "cosine_embedding",
            json!({"input1": [[1e30, 0]], "input2": [[1, 1]], "targets": [1]}),
            json!(1.0 - 0.5_f64.sqrt()),
            json!([[0.0, -7.071_068e-31]]),
        ),
        (
            "dice",
            json!({"predictions": [[0, 0]], "targets": [[0, 0]], "params": {"smooth": 0}}),
            json!(0.0),
            json!([[0.0, 0.0]]),
        ),
        (
            "crps_gaussian",
            json!({"predictions": [1], "scale": [0], "targets": [3]}),
            json!(2.0),
            json!([-1.0]),
        ),
    ];
    for (loss, request, value, gradient) in cases {
        check(loss, &request, &value, &gradient);
    }
    // A class that is impossible in a frame, though the sample is not.
    let request = json!({"predictions": [[[wrong, 0]], [[wrong, 0]], [[0, wrong]]], "targets": [[1]],
                         "input_lengths": [3], "target_lengths": [1]});
    check("ctc", &request, &json!(0.0), &json!([[[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]]));
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
