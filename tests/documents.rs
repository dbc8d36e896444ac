//! Generated documents are up to date: a stale one is rewritten, and the test fails once.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use lossd::config;
use lossd::numeric::args::expected;
use lossd::numeric::card::{Card, PresetValue, Profile, Task};
use lossd::numeric::catalogue::{FAMILIES, all, find};
use lossd::numeric::loss::Loss;
use lossd::numeric::simd::Level;
use lossd::service::metrics;
use lossd::service::request::{Dtype, Scalars};
use lossd::wire::catalogue::{curl, shown_value};
use lossd::wire::evaluate::{Clock, Form, Run};
use lossd::wire::openapi;
use lossd::wire::problem::Code;
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("proto-docs").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_default()
}

/// Compares a generated document with the committed one, and puts it in its place.
fn up_to_date(name: &str, text: &str) {
    if read(name) != text {
        fs::write(file(name), text).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        panic!(
            "proto-docs/{name} was out of date and has been rewritten: look at it and commit it"
        );
    }
}

const GENERATED: &str = "Generated from the source by `cargo test --test documents`; do not edit.";

#[test]
fn the_openapi_document_is_up_to_date() {
    up_to_date("openapi.json", &openapi::text(&openapi::build()));
}

#[test]
fn the_metrics_are_up_to_date() {
    let mut text = format!(
        "# Metrics\n\n{GENERATED}\n\n`GET /metrics` answers in Prometheus's text format. Every series exists from \
         the start. Beside these there are the standard `process_*` series.\n\n\
         | name | type | labels | meaning |\n| --- | --- | --- | --- |\n"
    );
    for metric in &metrics::DESCRIBED {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind,
            labels.join(", "),
            metric.help
        );
    }
    text.push_str(
        "\n`loss` is the canonical name, `route` a template such as `/loss/{name}` (`other` where none \
         matches), `reason` a code of [problems.md](problems.md), `stage` one of read, wait, decode, \
         evaluate and encode, `key` the name of an API key in the keys file.\n",
    );
    up_to_date("metrics.md", &text);
}

#[test]
fn the_settings_are_up_to_date() {
    let mut text = format!(
        "# Settings\n\n{GENERATED}\n\nA flag wins over the environment, the environment over the file that \
         `--config` or `LOSSD_CONFIG` names, and the file over the default.\n\n\
         | flag | environment | in the TOML file | default | meaning |\n| --- | --- | --- | --- | --- |\n"
    );
    for setting in config::DESCRIBED {
        let flag = setting.name.replace('_', "-");
        let default = setting.default.replace('_', "");
        let default = if default.starts_with('"') { setting.default } else { &default };
        let _ = writeln!(
            text,
            "| `--{flag}` | `{}` | `{}` | `{default}` | {} |",
            setting.env, setting.name, setting.help
        );
    }
    up_to_date("settings.md", &text);
}

#[test]
fn the_losses_are_up_to_date() {
    let mut text = format!(
        "# Losses\n\n{GENERATED}\n\n{} losses: [which one](#which-one), then each by itself. \
         `GET /loss?for=regression+with+outliers` answers the same question, `GET /loss/huber` shows one of \
         them as JSON.\n\n\
         Shapes are in letters: `n` samples, `c` classes, `d` features, `l` items of a list, `…` any axes. In \
         formulas p stands for the first input and t for the targets. Every loss takes `sample_weight`, \
         missing labels (`null`), `on_empty`, and the reductions `none`, `mean` and `sum`, as \
         [contract.md](contract.md) says; gradients are there for every input that is not a label, a length \
         or a mask.\n",
        all().count()
    );
    which_one(&mut text);
    profiles(&mut text);
    text.push_str("\n# All of them\n");
    for family in FAMILIES {
        let names: Vec<String> =
            family.losses().map(|l| format!("[{0}](#{0})", l.card.name)).collect();
        let _ = writeln!(text, "\n- {}: {}", family.title, names.join(", "));
    }
    for family in FAMILIES {
        let _ = writeln!(text, "\n# {}", family.title);
        for loss in family.losses() {
            section(&mut text, loss);
        }
    }
    up_to_date("losses.md", &text);
}

/// For each task, the losses whose first task it is.
fn which_one(text: &mut String) {
    text.push_str("\n# Which one\n");
    for task in Task::ALL {
        let _ = writeln!(
            text,
            "\n## Task: {}\n\n| loss | use case | output activation | sensitive to outliers |\n\
             | --- | --- | --- | --- |",
            task.name()
        );
        for card in all().map(|loss| &loss.card).filter(|card| card.tasks[0] == task) {
            let _ = writeln!(
                text,
                "| [{0}](#{0}) | {1} | {2} | {3} |",
                card.name, card.use_case, card.activation, card.outliers
            );
        }
        let also: Vec<String> = all()
            .filter(|loss| loss.card.tasks[1..].contains(&task))
            .map(|loss| format!("[{0}](#{0})", loss.card.name))
            .collect();
        if !also.is_empty() {
            let _ = writeln!(text, "\nAlso: {}.", also.join(", "));
        }
    }
}

/// What each profile sets.
fn profiles(text: &mut String) {
    text.push_str(
        "\n# Profiles\n\n`\"profile\": \"keras\"` sets the defaults in which that library differs; what a \
         request says itself always wins. In every loss `keras` and `optax` put the classes on the last axis \
         (`class_axis` -1) and divide a weighted mean by the number of elements instead of the sum of weights; a \
         mean over nothing is 0 for `keras` and an error for `sklearn`.\n\n\
         | loss | keras | sklearn | optax |\n| --- | --- | --- | --- |\n",
    );
    for card in all().map(|loss| &loss.card).filter(|card| !card.presets.is_empty()) {
        let of = |profile: Profile| {
            let presets = card.presets.iter().filter(|preset| preset.profile == profile);
            let shown = presets.map(|preset| {
                let value = match preset.value {
                    PresetValue::Is(value) => shown_value(value),
                    PresetValue::Epsilon => "precision of the dtype".to_owned(),
                };
                format!("`{}` {value}", preset.param)
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(
            text,
            "| [{0}](#{0}) | {1} | {2} | {3} |",
            card.name,
            of(Profile::Keras),
            of(Profile::Sklearn),
            of(Profile::Optax)
        );
    }
}

fn section(text: &mut String, loss: &Loss) {
    let card = &loss.card;
    let _ = writeln!(text, "\n## {}\n\n**{}.** {}\n", card.name, card.title, card.summary);
    let _ = writeln!(text, "```math\n{}\n```\n", card.formula);
    let tasks: Vec<&str> = card.tasks.iter().map(|task| task.name()).collect();
    let _ = writeln!(text, "Use it for {} ({}).", card.use_case, tasks.join(", "));
    let _ = writeln!(text, "Output activation: {}.", card.activation);
    let _ = writeln!(text, "Sensitive to outliers: {}.\n", card.outliers);
    text.push_str("| input | shape | values | meaning |\n| --- | --- | --- | --- |\n");
    for input in card.inputs {
        let values = input.domain.describe();
        let optional = if input.optional { " (optional)" } else { "" };
        let _ = writeln!(
            text,
            "| `{}`{optional} | {} | {values} | {} |",
            input.name, input.shape, input.doc
        );
    }
    if !card.params.is_empty() {
        text.push_str("\n| parameter | default | values | meaning |\n| --- | --- | --- | --- |\n");
        for param in card.params {
            let (default, values) = (shown_value(param.default), expected(param.kind));
            let _ = writeln!(text, "| `{}` | {default} | {values} | {} |", param.name, param.doc);
        }
    }
    let _ = writeln!(
        text,
        "\n- Reductions: {}. The mean divides by {}.",
        card.reductions().join(", "),
        card.mean
    );
    let _ = writeln!(text, "- Unreduced: {}.", card.unreduced);
    let _ = writeln!(text, "- Gradient at kinks: {}.", card.kinks);
    if loss.has_hessian {
        text.push_str("- Second derivatives: `hessian_diagonal` in `outputs`.\n");
    }
    let _ = writeln!(text, "- Source: {}.", card.source);
    for difference in card.differences {
        let _ = writeln!(text, "- Differs: {difference}.");
    }
    if !card.aliases.is_empty() {
        let aliases: Vec<String> = card.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = writeln!(text, "- Also called: {}.", aliases.join(", "));
    }
    let _ =
        writeln!(text, "\n```sh\n{}\n```\n\nanswers a loss of {}.", curl(card), example_loss(card));
}

/// The loss of a card's example, to six digits.
fn example_loss(card: &Card) -> String {
    let loss = find(card.name).unwrap_or_else(|| panic!("{} is in the catalogue", card.name));
    let mut scalars = Scalars::default();
    let double = scalars.set_word(&loss.card, "dtype", Dtype::Float64.name());
    assert_eq!(double, Ok(()));
    let mut clock = Clock::start();
    let body = card.example.as_bytes();
    let run = Run { loss, body, form: Form::Json, level: Level::Baseline, threads: 1 };
    let answer = run.respond(scalars, &mut clock, &mut |_| Ok(()));
    let answer = answer.unwrap_or_else(|problem| panic!("{}: {problem:?}", card.name));
    let answer: Value = serde_json::from_slice(&answer.text.into_text()).unwrap_or_default();
    let value = answer["loss"].as_f64().unwrap_or_else(|| panic!("{}: {answer}", card.name));
    let digits = (5 - value.abs().log10().floor() as i32).max(0);
    format!("{value:.*}", usize::try_from(digits).unwrap_or(0))
}

#[test]
fn every_problem_has_its_heading() {
    let text = read("problems.md");
    let headings: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let codes: BTreeSet<&str> = Code::ALL.into_iter().map(Code::code).collect();
    assert_eq!(headings, codes);
    for code in Code::ALL {
        let opening = format!("**{}. {}.**", code.status(), code.title());
        assert!(text.contains(&opening), "{} should begin with {opening}", code.code());
    }
}

#[test]
fn every_warning_is_in_the_contract() {
    use lossd::numeric::inspect::WarningKind;
    let text = read("contract.md");
    for kind in WarningKind::ALL {
        assert!(text.contains(&format!("| `{}` |", kind.code())), "{}", kind.code());
    }
}
