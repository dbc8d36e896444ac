//! What the head of a request says of its body and of the answer.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use tokio::time::Instant as Deadline;

use super::evaluate::Form;
use super::json::request::shown;
use super::problem::{Code, Problem};

/// The form of the answer that the client accepts.
pub fn wanted_form(headers: &HeaderMap) -> Result<Form, Problem> {
    let mut best: Option<(f32, Form)> = None;
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            any = true;
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "*/*" | "application/*" | "application/json" => Form::Json,
                "text/plain" | "text/*" => Form::Plain,
                _ => continue,
            };
            let quality = quality(parts);
            if 0.0 < quality && best.is_none_or(|(q, _)| q < quality) {
                best = Some((quality, form));
            }
        }
    }
    match best {
        Some((_, form)) => Ok(form),
        None if !any => Ok(Form::Json),
        None => Err(Problem::new(Code::NotAcceptable, "no accepted media type can be answered")
            .hint("answers are application/json, or text/plain for the loss alone")),
    }
}

/// How much something is wanted, as its parameters say; 0 if it is not. What is no such number is
/// not wanted either.
pub fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
    let said =
        parameters.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let Some(said) = said else { return 1.0 };
    said.parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0)
}

/// Whether the body is said to be JSON. What plain `curl -d` says is JSON if it looks like it.
pub fn says_json(headers: &HeaderMap) -> Result<bool, Problem> {
    let Some(media_type) = headers.get(header::CONTENT_TYPE) else { return Ok(false) };
    let text = media_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    match essence {
        "application/json" | "text/json" => Ok(true),
        "" | "application/x-www-form-urlencoded" => Ok(false),
        _ if essence.starts_with("application/") && essence.ends_with("+json") => Ok(true),
        _ => Err(unsupported(&format!("`{}` is not read", shown(essence)))),
    }
}

/// Holds a body that is not said to be JSON to looking like it.
pub fn expect_object(sure_json: bool, body: &[u8]) -> Result<(), Problem> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !sure_json && !body.is_empty() && first != Some(&b'{') {
        return Err(unsupported("this body is not a JSON object"));
    }
    Ok(())
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(Code::UnsupportedMediaType, detail)
        .hint("send a JSON object with content-type: application/json")
}

/// Until when the caller waits.
pub fn caller_deadline(headers: &HeaderMap) -> Result<Option<Deadline>, Problem> {
    const NAME: HeaderName = HeaderName::from_static("x-request-timeout-ms");
    const DAY: u64 = 86_400_000;
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    let millis = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    let millis = millis.filter(|millis| (1..=DAY).contains(millis)).ok_or_else(|| {
        let detail = format!("{NAME} must be a whole number of milliseconds from 1 to {DAY}");
        Problem::new(Code::MalformedRequest, detail)
    })?;
    Ok(Some(Deadline::now() + Duration::from_millis(millis)))
}

/// How many bytes the body is said to have.
pub fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
