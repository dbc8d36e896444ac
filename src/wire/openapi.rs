//! `GET /openapi.json`: the interface as an `OpenAPI` 3.1 document, built from the catalogue.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::ROUTES;
use super::catalogue::FILTERS;
use super::coding::Coding;
use super::encoding::Kept;
use super::problem::Code;
use crate::numeric::card::{Card, Default, Domain, Input, Param, ParamKind, Profile};
use crate::numeric::catalogue;
use crate::service::metrics::VERSION;
use crate::service::request::OUTPUTS;

/// The document.
pub async fn document() -> Response {
    static DOCUMENT: Kept = Kept::new(|| text(&build()));
    DOCUMENT.answer("application/json")
}

/// A document as it is served and committed.
pub fn text(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

/// Builds the document.
pub fn build() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route.path, route.method);
    }
    for loss in catalogue::all() {
        let operations = json!({"get": card(&loss.card), "post": evaluation(&loss.card)});
        paths.insert(format!("/loss/{}", loss.card.name), operations);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "lossd",
            "version": VERSION,
            "summary": "Losses and gradients with PyTorch's semantics, over HTTP.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": {
            "Tensor": tensor_schema(false),
            "Labels": tensor_schema(true),
            "Number": number_schema(),
            "Answer": answer_schema(),
            "Problem": problem_schema(),
        }, "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "an API key, where the server has keys",
            },
        }},
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn problems(statuses: &[u16]) -> Map<String, Value> {
    let problem = |status: &u16| {
        let codes: Vec<&str> =
            Code::ALL.into_iter().filter(|code| code.status() == *status).map(Code::code).collect();
        let content = json!({"application/problem+json": {"schema": reference("Problem")}});
        (status.to_string(), json!({"description": codes.join(", "), "content": content}))
    };
    statuses.iter().filter(|status| 400 <= **status).map(problem).collect()
}

/// An operation of a route that is not about one loss.
fn operation(path: &str, method: &str) -> Value {
    let Some(route) = ROUTES.iter().find(|r| r.path == path && r.method == method) else {
        return json!({});
    };
    let mut responses = problems(route.statuses);
    let mut operation = json!({"summary": route.summary});
    let mut parameters = Vec::new();
    if path.contains("{name}") {
        parameters.push(json!({
            "name": "name", "in": "path", "required": true,
            "description": "the name of a loss, or an alias",
            "schema": {"type": "string"},
        }));
    }
    if path == "/loss" {
        for (name, doc) in FILTERS {
            parameters.push(json!({"name": name, "in": "query", "description": doc, "schema": {"type": "string"}}));
        }
    }
    let media_type = match path {
        "/metrics" | "/healthz" | "/readyz" | "/" | "/problems" => "text/plain",
        "/docs" => "text/html",
        _ => "application/json",
    };
    let mut content = json!({media_type: {"schema": {"type": if media_type == "application/json" { "object" } else { "string" }}}});
    if method == "POST" {
        content = evaluation_content();
        parameters.push(json!({
            "name": "X-Request-Timeout-Ms", "in": "header",
            "description": "how long the caller waits, in milliseconds",
            "schema": {"type": "integer", "minimum": 1, "maximum": 86_400_000},
        }));
        parameters.push(json!({
            "name": "Content-Encoding", "in": "header",
            "description": "how the body is compressed, if it is",
            "schema": {"enum": Coding::ALL.map(Coding::name)},
        }));
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": {"type": "object"}}},
        });
    }
    responses.insert("200".into(), json!({"description": route.summary, "content": content}));
    responses.sort_keys();
    if route.statuses.contains(&Code::Unauthorized.status()) {
        operation["security"] = security();
    }
    operation["parameters"] = json!(parameters);
    operation["responses"] = Value::Object(responses);
    operation
}

/// A key, or none where the server has no keys.
fn security() -> Value {
    json!([{}, {"key": []}])
}

fn evaluation_content() -> Value {
    json!({
        "application/json": {"schema": reference("Answer")},
        "text/plain": {"schema": {"type": "string", "description": "the loss alone"}},
    })
}

/// The operation that gives the card of one loss.
fn card(card: &Card) -> Value {
    let content = json!({"application/json": {"schema": {"type": "object"}}});
    json!({
        "summary": format!("the card of {}", card.name),
        "responses": {"200": {"description": card.summary, "content": content}},
    })
}

/// The operation that evaluates one loss.
fn evaluation(card: &Card) -> Value {
    let mut properties = Map::new();
    for input in card.inputs {
        properties.insert(input.name.into(), input_schema(input));
    }
    let params: Map<String, Value> =
        card.params.iter().map(|param| (param.name.to_owned(), param_schema(param))).collect();
    properties.insert(
        "params".into(),
        json!({
            "type": "object", "properties": params, "additionalProperties": false,
        }),
    );
    properties.insert("reduction".into(), json!({"enum": card.reductions(), "default": "mean"}));
    properties.insert(
        "outputs".into(),
        json!({
            "type": "array", "items": {"enum": OUTPUTS}, "default": ["loss", "gradients"],
        }),
    );
    properties
        .insert("dtype".into(), json!({"enum": ["float32", "float64"], "default": "float32"}));
    let mut weight = reference("Tensor");
    weight["description"] =
        json!("one weight per leading index or per element of the unreduced loss");
    properties.insert("sample_weight".into(), weight);
    properties
        .insert("on_empty".into(), json!({"enum": ["nan", "zero", "error"], "default": "nan"}));
    properties.insert("validate".into(), json!({"type": "boolean", "default": true}));
    properties.insert(
        "profile".into(),
        json!({"enum": Profile::ALL.map(Profile::name), "default": "torch"}),
    );
    let key = json!({"type": ["string", "integer"]});
    for name in ["groups", "ids"] {
        properties.insert(name.into(), json!({"type": "array", "items": key}));
    }
    let labels = json!({"type": "object", "additionalProperties": key});
    properties.insert("labels".into(), labels);
    let required: Vec<&str> =
        card.inputs.iter().filter(|input| !input.optional).map(|input| input.name).collect();
    let statuses =
        ROUTES.iter().find(|route| route.method == "POST").map_or(&[][..], |r| r.statuses);
    let mut responses = problems(statuses);
    responses.remove("404");
    responses.insert(
        "200".into(),
        json!({"description": card.summary, "content": evaluation_content()}),
    );
    responses.sort_keys();
    let example: Value = serde_json::from_str(card.example).unwrap_or_default();
    json!({
        "summary": card.title,
        "description": card.summary,
        "operationId": card.name,
        "security": security(),
        "requestBody": {
            "required": true,
            "content": {"application/json": {
                "schema": {
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                },
                "example": example,
            }},
        },
        "responses": responses,
    })
}

fn input_schema(input: &Input) -> Value {
    let mut schema = reference(if input.label { "Labels" } else { "Tensor" });
    let description = format!("{}: {}, shape {}", input.doc, input.domain.describe(), input.shape);
    schema["description"] = json!(description);
    if input.domain == Domain::Length {
        schema["description"] = json!(format!("{}, shape {}", input.doc, input.shape));
    }
    schema
}

fn param_schema(param: &Param) -> Value {
    let number = json!({"type": "number"});
    let mut schema = match param.kind {
        ParamKind::Number(bounds) if bounds.max == f64::INFINITY => {
            json!({"anyOf": [number, {"const": "Infinity"}]})
        }
        ParamKind::Number(_) => number,
        ParamKind::NumberOrOff(_) => json!({"type": ["number", "null"]}),
        ParamKind::NumberOrList(_) => {
            json!({"anyOf": [number, {"type": "array", "items": number}]})
        }
        ParamKind::Integer => json!({"type": "integer"}),
        ParamKind::IntegerOrList => json!({
            "anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}],
        }),
        ParamKind::Flag => json!({"type": "boolean"}),
        ParamKind::Choice(words) => json!({"enum": words}),
        ParamKind::List => json!({"type": "array", "items": number}),
        ParamKind::Weights => reference("Tensor"),
    };
    schema["description"] = json!(param.doc);
    if let Some(default) = match param.default {
        Default::Number(x) => Some(json!(x)),
        Default::Flag(on) => Some(json!(on)),
        Default::Word(word) => Some(json!(word)),
        Default::None => None,
    } {
        schema["default"] = default;
    }
    schema
}

fn number_schema() -> Value {
    json!({
        "description": "a number; NaN and the infinities are strings",
        "anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}],
    })
}

fn tensor_schema(label: bool) -> Value {
    let name = if label { "Labels" } else { "Tensor" };
    let mut choices = vec![reference("Number"), json!({"type": "array", "items": reference(name)})];
    if label {
        choices.push(json!({"type": "null"}));
    }
    let description = if label {
        "a number or rectangular nested arrays of numbers; null for a label that has not arrived"
    } else {
        "a number or rectangular nested arrays of numbers"
    };
    json!({"description": description, "anyOf": choices})
}

fn answer_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "the canonical name of the loss"},
            "loss": reference("Labels"),
            "losses": reference("Labels"),
            "gradients": {"type": "object", "additionalProperties": reference("Tensor")},
            "hessian_diagonal": {"type": "object", "additionalProperties": reference("Tensor")},
            "reduction": {"enum": ["none", "mean", "sum", "batchmean"]},
            "dtype": {"enum": ["float32", "float64"]},
            "count": {"type": "integer", "description": "loss elements that entered the reduction"},
            "sum": reference("Number"),
            "denominator": reference("Number"),
            "missing": {"type": "integer", "description": "loss elements without a label"},
            "nonfinite": {
                "type": "object",
                "description": "losses that are not finite",
                "properties": {
                    "nan": {"type": "integer"},
                    "inf": {"type": "integer"},
                    "first": {"type": "integer"},
                },
            },
            "warnings": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "input": {"type": "string"},
                },
                "required": ["code", "message", "input"],
            }},
        },
        "required": ["name", "reduction", "dtype", "count", "sum", "denominator", "warnings"],
    })
}

fn problem_schema() -> Value {
    let codes: Vec<String> =
        Code::ALL.into_iter().map(|code| format!("/problems#{}", code.code())).collect();
    json!({
        "type": "object",
        "properties": {
            "type": {"enum": codes},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "pointer": {"type": "string", "description": "JSON pointer to the offending value"},
            "hint": {"type": "string", "description": "what to send instead"},
            "request_id": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail", "request_id"],
    })
}
