//! Every loss against values from other programs, in both dtypes, over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use lossd::numeric::catalogue;
use serde_json::{Value, json};

use crate::harness::{Server, difference};

struct Case {
    file: String,
    loss: String,
    name: String,
    request: Value,
    answer: Value,
    double_only: bool,
}

fn cases() -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
        let content: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert!(
            content["made_by"].as_str().is_some_and(|by| by.contains("torch")),
            "{}",
            file.display()
        );
        for case in content["cases"].as_array().unwrap() {
            cases.push(Case {
                file: file.file_stem().unwrap().to_string_lossy().into_owned(),
                loss: case["loss"].as_str().unwrap().to_owned(),
                name: case["case"].as_str().unwrap().to_owned(),
                request: case["request"].clone(),
                answer: case["answer"].clone(),
                double_only: case["float64_only"] == json!(true),
            });
        }
    }
    assert!(500 < cases.len(), "the golden files are there");
    cases
}

/// What differs between the answer to a case and what it should be.
fn disagreement(server: &Server, case: &Case, dtype: &str, tolerance: f64) -> Option<String> {
    let mut request = case.request.clone();
    request["dtype"] = json!(dtype);
    let second = case.answer.get("hessian_diagonal");
    if second.is_some() {
        request["outputs"] = json!(["loss", "gradients", "hessian_diagonal"]);
    }
    let answer = server.post(&format!("/loss/{}", case.loss), request.to_string());
    if answer.status() != 200 {
        return Some(answer.text().to_owned());
    }
    let got = answer.json();
    if let Some(difference) = difference(&got["loss"], &case.answer["loss"], tolerance) {
        return Some(format!("loss: {difference}"));
    }
    let gradients = by_input(&got["gradients"], &case.answer["gradients"], tolerance);
    gradients.or_else(|| by_input(&got["hessian_diagonal"], second?, tolerance))
}

/// What differs between two objects of tensors by input.
fn by_input(got: &Value, expected: &Value, tolerance: f64) -> Option<String> {
    let expected = expected.as_object()?;
    let names: BTreeSet<&String> = expected.keys().collect();
    let got_names: BTreeSet<&String> = got.as_object().unwrap().keys().collect();
    if names != got_names {
        return Some(format!("derivatives in {got_names:?} and not {names:?}"));
    }
    expected.iter().find_map(|(name, tensor)| {
        let difference = difference(&got[name], tensor, tolerance)?;
        Some(format!("derivative in {name}: {difference}"))
    })
}

fn check(dtype: &str, tolerance: f64) {
    let server = Server::new();
    let cases = cases();
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| dtype == "float64" || !case.double_only)
        .filter_map(|case| {
            let difference = disagreement(&server, case, dtype, tolerance)?;
            Some(format!("{}: {} {}: {difference}", case.file, case.loss, case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn double_precision_agrees() {
    check("float64", 1e-9);
}

#[test]
fn single_precision_agrees() {
    check("float32", 2e-5);
}

#[test]
fn every_loss_has_outside_values_of_its_example_and_of_every_parameter() {
    let mut of_loss: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases() {
        of_loss.entry(case.loss.clone()).or_default().push(case);
    }
    for loss in catalogue::all() {
        let cases = &of_loss[loss.card.name];
        assert!(3 <= cases.len(), "{} has fewer than three outside values", loss.card.name);
        let example: Value = serde_json::from_str(loss.card.example).unwrap();
        assert!(
            cases.iter().any(|case| case.name == "example" && case.request == example),
            "the example of {} is not among its outside values",
            loss.card.name
        );
        for param in loss.card.params {
            let moved = cases.iter().any(|case| {
                let profile = case.request["profile"].as_str();
                let mut presets = loss.card.presets.iter();
                case.request["params"].get(param.name).is_some()
                    || presets.any(|p| Some(p.profile.name()) == profile && p.param == param.name)
            });
            assert!(moved, "no outside value moves {} of {}", param.name, loss.card.name);
        }
    }
}
