//! `GET /loss` and `GET /loss/{name}`: the catalogue, as JSON or as a table.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::evaluate::{Clock, Form, Pairs, find, respond};
use super::problem::{Code, Problem};
use crate::numeric::args::expected;
use crate::numeric::card::{Card, Default, Input, Param};
use crate::numeric::catalogue::{FAMILIES, all, family_of};
use crate::numeric::loss::Loss;
use crate::numeric::simd::Level;
use crate::service::request::Scalars;

/// Every card, or those of a family or with a word in them.
pub async fn list(
    query: Result<Query<Pairs>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(pairs) = query.map_err(|_| {
        Problem::new(Code::MalformedQuery, "the query string is not a list of name=value pairs")
    })?;
    let mut losses: Vec<&'static Loss> = all().collect();
    for (name, value) in &pairs {
        match name.as_str() {
            "family" => {
                let Some(family) = FAMILIES.iter().find(|family| family.name == value) else {
                    let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
                    let detail = format!("family must be one of {}", names.join(", "));
                    return Err(Problem::new(Code::MalformedQuery, detail));
                };
                losses.retain(|loss| family.losses.iter().any(|l| l.card.name == loss.card.name));
            }
            "search" => losses.retain(|loss| mentions(&loss.card, value)),
            _ => {
                let detail = "the catalogue is filtered by family and search";
                return Err(Problem::new(Code::MalformedQuery, detail));
            }
        }
    }
    if prefers_text(&headers) {
        return Ok(answer("text/plain; charset=utf-8", table(losses.iter().copied())));
    }
    let cards: Vec<Value> = losses.into_iter().map(describe).collect();
    Ok(answer("application/json", json!({"count": cards.len(), "losses": cards}).to_string()))
}

/// One card, with its example answered.
pub async fn card(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let loss = find(name)?;
    let mut described = describe(loss);
    let mut clock = Clock::start();
    let example = loss.card.example.as_bytes();
    let scalars = Scalars::default();
    let done = respond(loss, scalars, example, Form::Json, Level::best(), 1, &mut clock)?;
    described["example"]["answer"] = serde_json::from_slice(&done.text).unwrap_or_default();
    let text = serde_json::to_string_pretty(&described).unwrap_or_default();
    Ok(answer("application/json", text + "\n"))
}

fn prefers_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.trim_start().starts_with("text/plain"))
}

fn mentions(card: &Card, word: &str) -> bool {
    let word = word.to_lowercase();
    let texts = [card.name, card.title, card.summary, card.use_case, card.activation, card.source];
    texts.iter().chain(card.aliases).any(|text| text.to_lowercase().contains(&word))
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
        _ => format!("{}={}", param.name, shown_default(param)),
    }
}

/// The default of a parameter as it is written in documents.
pub fn shown_default(param: &Param) -> String {
    match param.default {
        Default::Number(x) => x.to_string(),
        Default::Flag(on) => on.to_string(),
        Default::Word(word) => word.to_owned(),
        Default::None => "none".to_owned(),
    }
}

fn default_value(param: &Param) -> Value {
    match param.default {
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

/// A card as JSON.
fn describe(loss: &'static Loss) -> Value {
    let card = &loss.card;
    let params = card.params.iter().map(|param| {
        json!({
            "name": param.name,
            "type": expected(param.kind),
            "default": default_value(param),
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
        "use_case": card.use_case,
        "output_activation": card.activation,
        "sensitive_to_outliers": card.outliers,
        "source": card.source,
        "differences": card.differences,
        "aliases": card.aliases,
        "example": example,
    })
}
