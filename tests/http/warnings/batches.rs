//! Large and padded batches, and the numbers that warnings leave alone.

use serde_json::{Value, json};

use super::{
    Draw, LOGITS, POSITIVE, PROBABILITIES, SQUARED, ZERO_ONE, all_rounded, case, check, each,
    log_softmax, pair, rounded, sigmoid, softmax,
};
use crate::harness::{Server, number};

/// A large batch is judged by a sample of its rows, which must not be a biased one.
#[test]
fn large_batches_are_judged_as_small_ones() {
    const ROWS: usize = 50_000;
    let mut draw = Draw::new(1);
    let rows = draw.rows(ROWS, 3);
    let targets = json!(draw.classes(ROWS, 3));
    let probabilities = json!(all_rounded(4, &each(&rows, softmax)));
    let logs = json!(all_rounded(6, &each(&rows, log_softmax)));
    let short = json!(all_rounded(3, &rows));
    let below = json!(all_rounded(3, &each(&rows, |row| row.iter().map(|x| x - 9.0).collect())));
    let flat: Vec<f64> = rows.iter().map(|row| rounded(3, row[0])).collect();
    let outputs: Vec<f64> = flat.iter().map(|&x| rounded(4, sigmoid(x))).collect();
    let labels = json!(draw.classes(ROWS, 2));
    let mut some = labels.clone();
    (0..ROWS).step_by(3).for_each(|row| some[row] = Value::Null);
    let bce = "binary_cross_entropy_with_logits";
    let said = (PROBABILITIES, "predictions");
    check(&[
        case(
            "probabilities",
            "cross_entropy",
            pair(probabilities.clone(), targets.clone()),
            [said],
        ),
        case("logits", "cross_entropy", pair(short.clone(), targets.clone()), []),
        case("3 digits", "cross_entropy", pair(short.clone(), probabilities.clone()), []),
        case("log_softmax", "nll", pair(logs.clone(), targets.clone()), []),
        case("logits", "nll", pair(below, targets.clone()), [(LOGITS, "predictions")]),
        case("logits", "nll", pair(short, targets), [(POSITIVE, "predictions")]),
        case("sound", "kl_div", pair(logs, probabilities), []),
        case("sigmoid", bce, pair(json!(outputs), labels.clone()), [said]),
        case("missing labels", bce, pair(json!(outputs), some.clone()), [said]),
        case("logits", bce, pair(json!(flat), some.clone()), []),
        case("0 and 1", "soft_margin", pair(json!(flat), some.clone()), [(ZERO_ONE, "targets")]),
        case("a classifier", "mse", pair(json!(outputs), some), [(SQUARED, "predictions")]),
        case("regression", "mse", pair(json!(flat), json!(outputs)), []),
    ]);
}

/// A pattern in the batch must not hide from an even sample: one row of two is no probability.
#[test]
fn a_regular_batch_does_not_fool_the_sample() {
    let mut draw = Draw::new(2);
    for rows in [20_000, 32_768, 40_000, 65_536] {
        let mut logits = all_rounded(3, &each(&draw.rows(rows, 3), softmax));
        logits.iter_mut().skip(1).step_by(2).for_each(|row| row[0] += 5.0);
        let targets = json!(vec![0; rows]);
        check(&[case("every second row", "cross_entropy", pair(json!(logits), targets), [])]);
    }
}

/// An even step over the elements must not see one column of two only.
#[test]
fn every_column_is_looked_at() {
    const ROWS: usize = 16_384;
    let mut draw = Draw::new(4);
    let rows = draw.rows(ROWS, 2);
    let mixed = each(&rows, |row| vec![rounded(4, sigmoid(row[0])), rounded(3, row[1] * 9.0)]);
    let targets = each(&rows, |row| vec![f64::from(0.0 < row[1]), rounded(3, row[0] * 9.0)]);
    check(&[case("a flag beside an amount", "mse", pair(json!(mixed), json!(targets)), [])]);
}

/// What is ignored or lies beyond a sequence's end is padding, whatever it holds.
#[test]
fn padding_is_not_judged() {
    let padded = pair(json!([[-0.4, -1.4, -2.3], [0, 0, 0]]), json!([0, -100]));
    let sequence = json!({"predictions": [[[-0.69, -0.69]], [[0, 0]]], "targets": [[1]],
        "input_lengths": [1], "target_lengths": [1]});
    check(&[
        case("an ignored row", "nll", padded, []),
        case("a frame beyond the end", "ctc", sequence, []),
    ]);
}

fn loss(server: &Server, name: &str, body: &Value) -> f64 {
    let answer = server.post(&format!("/loss/{name}?dtype=float64"), body.to_string());
    assert_eq!(answer.status(), 200, "{name} {body}: {}", answer.text());
    let answer = answer.json();
    number(&answer["loss"]).unwrap_or_else(|| panic!("{name} {body}: no loss in {answer}"))
}

fn is_warned(server: &Server, name: &str, body: &Value) -> bool {
    let answer = server.post(&format!("/loss/{name}?dtype=float64"), body.to_string()).json();
    answer["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty())
}

fn close(name: &str, got: f64, expected: f64) {
    let apart = (got - expected).abs();
    assert!(apart <= 1e-12 * expected.abs().max(1.0), "{name}: {got} and not {expected}");
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// The same loss by a route that does not warn.
#[test]
fn a_warning_does_not_change_the_numbers() {
    let server = Server::new();
    let mut draw = Draw::new(9);
    let rows = each(&draw.rows(10, 4), softmax);
    let classes = draw.classes(10, 4);
    let moved = each(&rows, |row| row.iter().map(|x| x + 3.0).collect());
    let outputs: Vec<f64> = draw.normals(10).iter().map(|&x| sigmoid(x)).collect();
    let labels: Vec<f64> = draw.classes(10, 2).iter().map(|&t| t as f64).collect();
    let twice: Vec<f64> = outputs.iter().map(|&x| sigmoid(x)).collect();
    let triplet = json!({"anchor": draw.rows(5, 3), "positive": draw.rows(5, 3),
        "negative": draw.rows(5, 3)});
    let routes = [
        (
            "cross_entropy",
            pair(json!(rows), json!(classes)),
            "cross_entropy",
            pair(json!(moved), json!(classes)),
        ),
        (
            "bce_with_logits",
            pair(json!(outputs), json!(labels)),
            "bce",
            pair(json!(twice), json!(labels)),
        ),
        ("triplet_margin", triplet.clone(), "triplet_margin_with_distance", triplet),
    ];
    for (warned, body, other, other_body) in routes {
        assert!(is_warned(&server, warned, &body), "{warned} {body}");
        assert!(!is_warned(&server, other, &other_body), "{other} {other_body}");
        close(warned, loss(&server, warned, &body), loss(&server, other, &other_body));
    }
}

/// The same loss by its formula.
#[test]
fn what_is_warned_of_is_computed_as_it_stands() {
    let server = Server::new();
    let mut draw = Draw::new(11);
    let rows = draw.rows(10, 4);
    let classes = draw.classes(10, 4);
    let mut labels: Vec<f64> = draw.classes(10, 2).iter().map(|&t| t as f64).collect();
    labels[0] = 0.0;
    let flat = draw.normals(10);
    let outputs: Vec<f64> = flat.iter().map(|&x| sigmoid(x)).collect();
    let halves = each(&rows, |row| softmax(row).iter().map(|p| p / 2.0).collect());
    let logs = each(&draw.rows(10, 4), log_softmax);
    let both = || outputs.iter().zip(&labels);
    let cells = || logs.iter().flatten().zip(halves.iter().flatten());
    let forms = [
        (
            "nll",
            pair(json!(rows), json!(classes)),
            mean(rows.iter().zip(&classes).map(|(row, &class)| -row[class])),
        ),
        ("mse", pair(json!(outputs), json!(labels)), mean(both().map(|(p, t)| (p - t).powi(2)))),
        (
            "soft_margin",
            pair(json!(flat), json!(labels)),
            mean(flat.iter().zip(&labels).map(|(p, t)| (-t * p).exp().ln_1p())),
        ),
        (
            "kl_div",
            pair(json!(logs), json!(halves)),
            cells().map(|(p, t)| t * (t.ln() - p)).sum::<f64>() / 40.0,
        ),
        (
            "cross_entropy",
            pair(json!(rows), json!(halves)),
            mean(rows.iter().zip(&halves).map(|(row, target)| {
                log_softmax(row).iter().zip(target).map(|(log, t)| -t * log).sum()
            })),
        ),
    ];
    for (name, body, expected) in forms {
        assert!(is_warned(&server, name, &body), "{name} {body}");
        close(name, loss(&server, name, &body), expected);
    }
}
