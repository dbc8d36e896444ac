//! `GET /loss` and `GET /loss/{name}`: the catalogue, as JSON or as a table.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::evaluate::{Clock, Form, Pairs, Run, find};
use super::json::request::shown;
use super::problem::{Code, Problem};
use crate::numeric::args::expected;
use crate::numeric::card::{Card, Default, Input, Param, PresetValue, Profile, Task};
use crate::numeric::catalogue::{FAMILIES, all, family_of};
use crate::numeric::finder::{Activation, Question, mentions, takes_targets};
use crate::numeric::loss::Loss;
use crate::numeric::simd::Level;
use crate::service::request::Scalars;

/// What the catalogue can be filtered by, and what the filter is.
pub const FILTERS: [(&str, &str); 7] = [
    ("family", "only losses of this family"),
    ("task", "only losses for this task, such as regression, binary or ranking"),
    ("activation", "only losses for a model whose last layer is this: logits, sigmoid, softmax, …"),
    (
        "domain",
        "only losses whose targets are described by these words, such as `class` or `0 or 1`",
    ),
    ("search", "only losses whose card has this word"),
    ("profile", "only losses for which this library has other defaults"),
    (
        "for",
        "a question in words, such as `regression with outliers`: a ranked short list with a sentence each",
    ),
];

/// Every card, those that pass the filters, or a short list.
pub async fn list(
    query: Result<Query<Pairs>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(pairs) = query.map_err(|_| {
        Problem::new(Code::MalformedQuery, "the query string is not a list of name=value pairs")
    })?;
    if let Some((_, question)) = pairs.iter().find(|(name, _)| name == "for") {
        if 1 < pairs.len() {
            let detail = "a question is asked alone, without filters";
            return Err(Problem::new(Code::MalformedQuery, detail)
                .hint("say in the question what the filters would say"));
        }
        return short_list(question, &headers);
    }
    let mut losses: Vec<&'static Loss> = all().collect();
    for (name, value) in &pairs {
        let passes = filter(name, value)?;
        losses.retain(|loss| passes(loss));
    }
    if prefers_text(&headers) {
        return Ok(answer("text/plain; charset=utf-8", table(losses.iter().copied())));
    }
    let cards: Vec<Value> = losses.into_iter().map(describe).collect();
    Ok(answer("application/json", json!({"count": cards.len(), "losses": cards}).to_string()))
}

type Passes<'a> = Box<dyn Fn(&Loss) -> bool + 'a>;

/// One filter of the catalogue.
fn filter<'a>(name: &str, value: &'a str) -> Result<Passes<'a>, Problem> {
    let one_of = |known: &[&str]| {
        let detail = format!("{name} must be one of {}", known.join(", "));
        Problem::new(Code::MalformedQuery, detail)
    };
    Ok(match name {
        "family" => {
            let known: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            let family = FAMILIES.iter().find(|family| family.name == value);
            let family = family.ok_or_else(|| one_of(&known))?;
            Box::new(|loss| family.losses().any(|other| other.card.name == loss.card.name))
        }
        "task" => {
            let task = Task::ALL.into_iter().find(|task| task.name() == value);
            let task = task.ok_or_else(|| one_of(&Task::ALL.map(Task::name)))?;
            Box::new(move |loss| loss.card.tasks.contains(&task))
        }
        "activation" => {
            let activation = Activation::named(value);
            let activation =
                activation.ok_or_else(|| one_of(&Activation::ALL.map(Activation::name)))?;
            Box::new(move |loss| Activation::of(&loss.card).contains(&activation))
        }
        "profile" => {
            let profile = Profile::ALL.into_iter().find(|profile| profile.name() == value);
            let profile = profile.ok_or_else(|| one_of(&Profile::ALL.map(Profile::name)))?;
            Box::new(move |loss| loss.card.presets.iter().any(|preset| preset.profile == profile))
        }
        "domain" => Box::new(|loss| takes_targets(&loss.card, value)),
        "search" => Box::new(|loss| mentions(&loss.card, value)),
        _ => {
            let known: Vec<&str> = FILTERS.iter().map(|(name, _)| *name).collect();
            let detail = format!("the catalogue is filtered by {}", known.join(", "));
            return Err(Problem::new(Code::MalformedQuery, detail));
        }
    })
}

/// The losses that answer a question, the best one first.
fn short_list(text: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let question = Question::read(text);
    let losses = if text.trim().is_empty() { Vec::new() } else { question.answer() };
    if losses.is_empty() {
        let detail = format!("nothing in `{}` says what the loss is for", shown(text));
        return Err(Problem::new(Code::MalformedQuery, detail).hint(format!(
            "name a task ({}), outliers, imbalance, or the output activation ({})",
            Task::ALL.map(Task::name).join(", "),
            Activation::ALL.map(Activation::name).join(", ")
        )));
    }
    if prefers_text(headers) {
        let line =
            |(loss, why): &(&'static Loss, String)| format!("{}\n    {why}\n", loss.card.name);
        let text: String = losses.iter().map(line).collect();
        return Ok(answer("text/plain; charset=utf-8", text));
    }
    let entries = losses.iter().enumerate().map(|(rank, (loss, why))| {
        json!({
            "rank": rank + 1,
            "name": loss.card.name,
            "why": why,
            "card": format!("/loss/{}", loss.card.name),
        })
    });
    let understood = json!({
        "tasks": question.tasks.iter().map(|task| task.name()).collect::<Vec<_>>(),
        "outliers": question.outliers,
        "imbalance": question.imbalance,
        "activation": question.activation.map(Activation::name),
        "words": question.words,
    });
    let body = json!({
        "for": text,
        "understood": understood,
        "losses": entries.collect::<Vec<_>>(),
    });
    Ok(answer("application/json", body.to_string()))
}

/// One card, with its example answered.
pub async fn card(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let loss = find(name)?;
    let mut described = describe(loss);
    let mut clock = Clock::start();
    let body = loss.card.example.as_bytes();
    let run = Run { loss, body, form: Form::Json, level: Level::best(), threads: 1 };
    let done = run.respond(Scalars::default(), &mut clock, &mut |_| Ok(()))?;
    described["example"]["answer"] =
        serde_json::from_slice(&done.text.into_text()).unwrap_or_default();
    let text = serde_json::to_string_pretty(&described).unwrap_or_default();
    Ok(answer("application/json", text + "\n"))
}

fn prefers_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.trim_start().starts_with("text/plain"))
}

/// The catalogue as a table for people.
pub fn table(losses: impl Iterator<Item = &'static Loss> + Clone) -> String {
    let width = losses.clone().map(|loss| loss.card.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for loss in losses {
        let card = &loss.card;
        let family = family_of(card.name).map_or("", |family| family.name);
        let params: Vec<String> = card.params.iter().map(shown_param).collect();
        text.push_str(&format!("{:width$}  {family:12}  {}", card.name, card.summary));
        if !params.is_empty() {
            text.push_str(&format!(" [{}]", params.join(", ")));
        }
        text.push('\n');
    }
    text
}

fn shown_param(param: &Param) -> String {
    match param.default {
        Default::None => param.name.to_owned(),
        _ => format!("{}={}", param.name, shown_value(param.default)),
    }
}

/// A value of a parameter as it is written in documents.
pub fn shown_value(value: Default) -> String {
    match value {
        Default::Number(x) => x.to_string(),
        Default::Flag(on) => on.to_string(),
        Default::Word(word) => word.to_owned(),
        Default::None => "none".to_owned(),
    }
}

fn as_json(value: Default) -> Value {
    match value {
        Default::Number(x) if x.fract() == 0.0 => json!(x as i64),
        Default::Number(x) => json!(x),
        Default::Flag(on) => json!(on),
        Default::Word(word) => json!(word),
        Default::None => Value::Null,
    }
}

fn describe_input(input: &Input) -> Value {
    json!({
        "name": input.name,
        "shape": input.shape,
        "domain": input.domain.describe(),
        "differentiable": input.differentiable,
        "may_be_missing": input.label,
        "description": input.doc,
    })
}

/// The curl line of a loss's example.
pub fn curl(card: &Card) -> String {
    format!("curl http://127.0.0.1:8080/loss/{} -d '{}'", card.name, card.example)
}

/// The parameters that each library has otherwise.
fn profiles(card: &Card) -> Value {
    let mut profiles = Map::new();
    for preset in card.presets {
        let value = match preset.value {
            PresetValue::Is(value) => as_json(value),
            PresetValue::Epsilon => json!("the precision of the dtype"),
        };
        profiles.entry(preset.profile.name()).or_insert_with(|| json!({}))[preset.param] = value;
    }
    Value::Object(profiles)
}

/// A card as JSON.
fn describe(loss: &'static Loss) -> Value {
    let card = &loss.card;
    let params = card.params.iter().map(|param| {
        json!({
            "name": param.name,
            "type": expected(param.kind),
            "default": as_json(param.default),
            "description": param.doc,
        })
    });
    let mut example = Map::new();
    example.insert("request".into(), serde_json::from_str(card.example).unwrap_or_default());
    example.insert("curl".into(), json!(curl(card)));
    json!({
        "name": card.name,
        "title": card.title,
        "family": family_of(card.name).map(|family| family.name),
        "summary": card.summary,
        "formula": card.formula,
        "inputs": card.inputs.iter().map(describe_input).collect::<Vec<_>>(),
        "params": params.collect::<Vec<_>>(),
        "reductions": card.reductions(),
        "unreduced_shape": card.unreduced,
        "mean_divides_by": card.mean,
        "gradient_at_kinks": card.kinks,
        "tasks": card.tasks.iter().map(|task| task.name()).collect::<Vec<_>>(),
        "use_case": card.use_case,
        "output_activation": card.activation,
        "sensitive_to_outliers": card.outliers,
        "source": card.source,
        "differences": card.differences,
        "profiles": profiles(card),
        "has_hessian_diagonal": loss.has_hessian,
        "aliases": card.aliases,
        "example": example,
    })
}
