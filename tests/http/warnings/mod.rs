//! Warnings: what looks wrong is said, what is sound is not, and no number changes for it.

/// Predictions that are taken for something else.
mod scores;
/// Targets and embeddings.
mod targets;
/// Large and padded batches, and the numbers themselves.
mod batches;

use serde_json::{Value, json};

use crate::harness::Server;

const PROBABILITIES: &str = "looks-like-probabilities";
const LOGITS: &str = "looks-like-logits";
const POSITIVE: &str = "positive-log-probabilities";
const ZERO_ONE: &str = "targets-zero-one";
const SQUARED: &str = "squared-error-of-probabilities";
const SUM: &str = "does-not-sum-to-one";
const LENGTH: &str = "not-normalised";

/// Numbers that look random and are the same every time.
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Draw {
        Draw(0x9E37_79B9_7F4A_7C15 ^ (seed << 17))
    }

    /// A number from 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number of the standard normal distribution, nearly.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn normals(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }

    fn rows(&mut self, rows: usize, columns: usize) -> Vec<Vec<f64>> {
        (0..rows).map(|_| self.normals(columns)).collect()
    }

    fn classes(&mut self, count: usize, classes: usize) -> Vec<usize> {
        (0..count).map(|_| (self.unit() * classes as f64) as usize).collect()
    }

    /// -1 and 1.
    fn signs(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| if self.unit() < 0.5 { -1.0 } else { 1.0 }).collect()
    }
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let powers: Vec<f64> = row.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|x| x / sum).collect()
}

fn log_softmax(row: &[f64]) -> Vec<f64> {
    softmax(row).iter().map(|p| p.ln()).collect()
}

fn normalised(row: &[f64]) -> Vec<f64> {
    let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    row.iter().map(|x| x / length).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// So many digits after the point.
fn rounded(digits: i32, x: f64) -> f64 {
    let scale = 10f64.powi(digits);
    (x * scale).round() / scale
}

/// Rows with a function of each.
fn each(rows: &[Vec<f64>], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<Vec<f64>> {
    rows.iter().map(|row| f(row)).collect()
}

/// Rows with each element rounded.
fn all_rounded(digits: i32, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    each(rows, |row| row.iter().map(|&x| rounded(digits, x)).collect())
}

/// The rows `[n · m, c]` as `[n, c, m]`: the class axis in the middle.
fn class_axis_in_the_middle(rows: &[Vec<f64>], m: usize) -> Value {
    let samples = rows.chunks(m).map(|sample| {
        let of_class = |c| sample.iter().map(|row| row[c]).collect::<Vec<f64>>();
        json!((0..sample[0].len()).map(of_class).collect::<Vec<_>>())
    });
    Value::Array(samples.collect())
}

/// The rows `[n · m, c]` as `[n, m, c]`: the class axis at the end.
fn class_axis_at_the_end(rows: &[Vec<f64>], m: usize) -> Value {
    json!(rows.chunks(m).collect::<Vec<_>>())
}

/// One request, and the warnings that it should get: codes and inputs.
struct Case {
    name: &'static str,
    loss: &'static str,
    body: Value,
    expected: Vec<(&'static str, &'static str)>,
}

fn case<const N: usize>(
    name: &'static str,
    loss: &'static str,
    body: Value,
    expected: [(&'static str, &'static str); N],
) -> Case {
    Case { name, loss, body, expected: expected.to_vec() }
}

/// Sends every case in both dtypes, and tells all that went wrong.
fn check(cases: &[Case]) {
    let server = Server::new();
    let mut wrong = Vec::new();
    for case in cases {
        for dtype in ["float32", "float64"] {
            let path = format!("/loss/{}?dtype={dtype}", case.loss);
            let answer = server.post(&path, case.body.to_string());
            assert_eq!(answer.status(), 200, "{path} {}: {}", case.name, answer.text());
            let answer = answer.json();
            let warnings = answer["warnings"].as_array().cloned().unwrap_or_else(|| {
                panic!("{path} {}: warnings is not an array: {answer}", case.name)
            });
            for warning in &warnings {
                let message = warning["message"].as_str().unwrap_or_default();
                assert!(!message.is_empty(), "{path} {}: {warning} says nothing", case.name);
            }
            let text = |warning: &Value, member| warning[member].as_str().map(str::to_owned);
            let got: Vec<_> =
                warnings.iter().map(|w| (text(w, "code"), text(w, "input"))).collect();
            let owned = |word: &str| Some(word.to_owned());
            let expected: Vec<_> =
                case.expected.iter().map(|(c, i)| (owned(c), owned(i))).collect();
            if got != expected {
                wrong.push(format!("{path} {}: {got:?} and not {:?}", case.name, case.expected));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), 2 * cases.len(), wrong.join("\n"));
}

fn pair(predictions: impl Into<Value>, targets: impl Into<Value>) -> Value {
    json!({"predictions": predictions.into(), "targets": targets.into()})
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}
