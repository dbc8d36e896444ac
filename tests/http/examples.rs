//! The worked examples of the field, as people check them by hand.

use serde_json::{Value, json};

use crate::harness::{Server, difference, number};

fn ask(path: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["dtype"] = json!("float64");
    let answer = Server::new().post(path, body.to_string());
    assert_eq!(answer.status(), 200, "{path} {body}: {}", answer.text());
    answer.json()
}

fn loss(path: &str, body: &Value) -> f64 {
    number(&ask(path, body)["loss"]).unwrap()
}

#[test]
fn certain_and_wrong_costs_much_and_undecided_little() {
    let cost = |p: f64| loss("/loss/bce", &json!({"predictions": [p], "targets": [1]}));
    assert!((cost(0.01) - 4.605).abs() < 5e-4);
    assert!((cost(0.5) - 0.693).abs() < 5e-4);
    assert_eq!(cost(0.0), 100.0);
}

#[test]
fn nll_of_log_softmax_is_cross_entropy() {
    let logits = [[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]];
    let log_softmax: Vec<Vec<f64>> = logits
        .iter()
        .map(|row| {
            let log_sum = row.iter().map(|x: &f64| x.exp()).sum::<f64>().ln();
            row.iter().map(|x| x - log_sum).collect()
        })
        .collect();
    let nll = loss("/loss/nll", &json!({"predictions": log_softmax, "targets": [0, 1]}));
    let ce = loss("/loss/cross_entropy", &json!({"predictions": logits, "targets": [0, 1]}));
    assert!((nll - ce).abs() < 1e-15);
    // By hand: -ln(e² / (e² + e¹ + e^0.1)) and -ln(e^2.5 / (e^0.5 + e^2.5 + e^0.3)), halved.
    assert!((ce - 0.318_539_769_649).abs() < 1e-11);
}

#[test]
fn label_smoothing_spreads_a_tenth_over_three_classes() {
    let logits = json!([[0.3, -1.0, 2.0]]);
    let smoothed = ask(
        "/loss/cross_entropy?label_smoothing=0.1",
        &json!({"predictions": logits, "targets": [2]}),
    );
    let spread = ask(
        "/loss/cross_entropy",
        &json!({"predictions": logits, "targets": [[0.1 / 3.0, 0.1 / 3.0, 0.9 + 0.1 / 3.0]]}),
    );
    for member in ["loss", "gradients"] {
        let (a, b) = (&smoothed[member], &spread[member]);
        let (a, b) = if member == "loss" { (a, b) } else { (&a["predictions"], &b["predictions"]) };
        assert_eq!(difference(a, b, 1e-14), None, "{member}");
    }
}

#[test]
fn huber_is_linear_in_an_error_of_a_hundred() {
    assert_eq!(loss("/loss/huber", &json!({"predictions": [100], "targets": [0]})), 99.5);
    assert_eq!(loss("/loss/huber", &json!({"predictions": [200], "targets": [0]})), 199.5);
    assert_eq!(loss("/loss/mse", &json!({"predictions": [100], "targets": [0]})), 10_000.0);
}

#[test]
fn softmax_does_not_overflow() {
    let answer =
        ask("/loss/cross_entropy", &json!({"predictions": [[1000, -1000]], "targets": [1]}));
    assert_eq!(answer["loss"], json!(2000.0));
    assert_eq!(answer["gradients"]["predictions"], json!([[1.0, -1.0]]));
}

#[test]
fn small_losses_are_not_rounded_away() {
    let server = Server::new();
    // Single precision: torch's formula answers 0 here.
    let answer =
        server.post("/loss/bce_with_logits", r#"{"predictions":[-15],"targets":[0]}"#).json();
    let got = number(&answer["loss"]).unwrap();
    assert!((got / 3.059_022_269_256_247e-7 - 1.0).abs() < 1e-6, "{got}");
}
