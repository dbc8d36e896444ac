//! Problems: everything that can go wrong, as `application/problem+json` (RFC 9457). The only
//! place that knows status codes.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::coding;
use super::json::request::{nearest, shown, token};
use crate::numeric::catalogue;
use crate::numeric::fault::{Fault, Kind, Place};
use crate::service::refusal::Refusal;
use crate::service::request::{SCALARS, describe_params};

/// The kinds of problems. `proto-docs/problems.md` has a heading for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A head that cannot be used, or that servers may read differently.
    MalformedRequest,
    /// The body is not JSON.
    MalformedJson,
    /// The body is not compressed as its head says.
    MalformedEncoding,
    /// A member stands twice.
    DuplicateMember,
    /// The query and the body say different things.
    Contradiction,
    /// The query string cannot be read.
    MalformedQuery,
    /// A member that requests do not have.
    UnknownMember,
    /// A parameter that the loss does not have.
    UnknownParameter,
    /// A value of the wrong type.
    WrongType,
    /// Arrays of different lengths or depths.
    RaggedArray,
    /// Too many axes.
    TooDeep,
    /// A number that the dtype cannot hold.
    NumberOverflow,
    /// A `null` that is not a missing label.
    NullNotAllowed,
    /// An input is missing.
    MissingInput,
    /// Shapes do not agree.
    ShapeMismatch,
    /// A value outside the domain of its input.
    OutOfDomain,
    /// A class that there is not.
    ClassOutOfRange,
    /// A parameter out of bounds or of the wrong kind.
    BadParameter,
    /// A sample weight that is not one.
    BadSampleWeight,
    /// The mean is over nothing.
    EmptyMean,
    /// No key, or one that is none of ours.
    Unauthorized,
    /// The key may not be used for this.
    Forbidden,
    /// No loss of that name.
    UnknownLoss,
    /// No such route.
    NotFound,
    /// The route has other methods.
    MethodNotAllowed,
    /// No format that the client accepts.
    NotAcceptable,
    /// The body came too slowly.
    RequestTimeout,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// A body in a format that is not read.
    UnsupportedMediaType,
    /// The key has used up its rate or its share, or too many attempts failed.
    TooManyRequests,
    /// All places for work are taken.
    Busy,
    /// The server is stopping.
    Draining,
    /// The answer was not ready in time.
    DeadlineExceeded,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// All kinds.
    pub const ALL: [Code; 34] = [
        Code::MalformedRequest,
        Code::MalformedJson,
        Code::MalformedEncoding,
        Code::DuplicateMember,
        Code::Contradiction,
        Code::MalformedQuery,
        Code::UnknownMember,
        Code::UnknownParameter,
        Code::WrongType,
        Code::RaggedArray,
        Code::TooDeep,
        Code::NumberOverflow,
        Code::NullNotAllowed,
        Code::MissingInput,
        Code::ShapeMismatch,
        Code::OutOfDomain,
        Code::ClassOutOfRange,
        Code::BadParameter,
        Code::BadSampleWeight,
        Code::EmptyMean,
        Code::Unauthorized,
        Code::Forbidden,
        Code::UnknownLoss,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::NotAcceptable,
        Code::RequestTimeout,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::TooManyRequests,
        Code::Busy,
        Code::Draining,
        Code::DeadlineExceeded,
        Code::Internal,
    ];

    /// The code on the wire, the status and the title.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Code::MalformedRequest => {
                ("malformed-request", 400, "The request's head cannot be used")
            }
            Code::MalformedJson => ("malformed-json", 400, "The body is not valid JSON"),
            Code::MalformedEncoding => {
                ("malformed-encoding", 400, "The compressed body cannot be decoded")
            }
            Code::DuplicateMember => ("duplicate-member", 400, "A member is given twice"),
            Code::Contradiction => {
                ("contradiction", 400, "The query and the body say different things")
            }
            Code::MalformedQuery => ("malformed-query", 400, "The query string cannot be read"),
            Code::UnknownMember => ("unknown-member", 422, "A member is not known"),
            Code::UnknownParameter => ("unknown-parameter", 422, "The loss has no such parameter"),
            Code::WrongType => ("wrong-type", 422, "A value has the wrong type"),
            Code::RaggedArray => ("ragged-array", 422, "Nested arrays are not rectangular"),
            Code::TooDeep => ("too-deep", 422, "Arrays are nested too deeply"),
            Code::NumberOverflow => ("number-overflow", 422, "A number is too large for the dtype"),
            Code::NullNotAllowed => ("null-not-allowed", 422, "A number is null"),
            Code::MissingInput => ("missing-input", 422, "An input is missing"),
            Code::ShapeMismatch => ("shape-mismatch", 422, "Shapes do not agree"),
            Code::OutOfDomain => ("out-of-domain", 422, "A value is outside its domain"),
            Code::ClassOutOfRange => ("class-out-of-range", 422, "A class index is not a class"),
            Code::BadParameter => ("bad-parameter", 422, "A parameter cannot have this value"),
            Code::BadSampleWeight => {
                ("bad-sample-weight", 422, "A sample weight is negative, not finite or misplaced")
            }
            Code::EmptyMean => ("empty-mean", 422, "The mean is over nothing"),
            Code::Unauthorized => ("unauthorized", 401, "There is no valid API key"),
            Code::Forbidden => ("forbidden", 403, "The API key may not be used for this"),
            Code::UnknownLoss => ("unknown-loss", 404, "There is no loss of that name"),
            Code::NotFound => ("not-found", 404, "There is nothing at this address"),
            Code::MethodNotAllowed => ("method-not-allowed", 405, "This address has other methods"),
            Code::NotAcceptable => {
                ("not-acceptable", 406, "The answer has no format that is accepted")
            }
            Code::RequestTimeout => ("request-timeout", 408, "The body did not arrive in time"),
            Code::BodyTooLarge => ("body-too-large", 413, "The body is larger than the limit"),
            Code::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "The body is in a format that is not read")
            }
            Code::TooManyRequests => ("too-many-requests", 429, "Too much was asked for at once"),
            Code::Busy => ("busy", 503, "All places for work are taken"),
            Code::Draining => ("draining", 503, "The server is stopping"),
            Code::DeadlineExceeded => {
                ("deadline-exceeded", 504, "The answer was not ready in time")
            }
            Code::Internal => ("internal", 500, "Something went wrong on our side"),
        }
    }

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The title.
    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// What is wrong, with the values that matter.
    pub detail: String,
    /// The JSON pointer to the offending value.
    pub pointer: Option<String>,
    /// What to send instead.
    pub hint: Option<String>,
    /// When to come back, in seconds.
    pub retry_after: Option<u64>,
    /// Whether it is about how the body is compressed: then the answer lists what is read.
    pub about_coding: bool,
}

impl Problem {
    /// A problem without pointer and hint.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem {
            code,
            detail: detail.into(),
            pointer: None,
            hint: None,
            retry_after: None,
            about_coding: false,
        }
    }

    /// The same problem with a pointer.
    #[must_use]
    pub fn pointer(mut self, pointer: &str) -> Problem {
        self.pointer = Some(pointer.to_owned());
        self
    }

    /// The same problem with what to send instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Too much is asked for until some time has passed.
    fn too_many(detail: impl Into<String>, wait: Duration) -> Problem {
        /// What is owed for longer than a day is shown as a day.
        const LONGEST: u64 = 24 * 60 * 60;
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() != 0));
        let retry_after = Some(seconds.clamp(1, LONGEST));
        Problem { retry_after, ..Problem::new(Code::TooManyRequests, detail) }
            .hint("try again after the time in Retry-After")
    }

    /// Work that is stopped because the client has gone or the time is over.
    pub fn nobody_waits() -> Problem {
        Problem::new(Code::DeadlineExceeded, "nobody waits for the answer")
    }

    /// A fault of ours, of which the client learns nothing.
    pub fn internal() -> Problem {
        Problem::new(Code::Internal, "the request could not be answered; it is safe to try again")
    }

    /// The members of the problem for a request with that id.
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Members<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            pointer: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
            request_id: &'a str,
        }
        let members = Members {
            r#type: format!("/problems#{}", self.code.code()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            pointer: self.pointer.as_deref(),
            hint: self.hint.as_deref(),
            request_id,
        };
        serde_json::to_vec(&members).unwrap_or_default()
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        let code = match fault.kind {
            Kind::MissingInput => Code::MissingInput,
            Kind::Shape => Code::ShapeMismatch,
            Kind::Domain => Code::OutOfDomain,
            Kind::Class => Code::ClassOutOfRange,
            Kind::Overflow => Code::NumberOverflow,
            Kind::Parameter => Code::BadParameter,
            Kind::Weight => Code::BadSampleWeight,
            Kind::Empty => Code::EmptyMean,
            Kind::WrongType => Code::WrongType,
        };
        let pointer = match fault.place {
            Place::Whole => None,
            Place::Member(name) => Some(format!("/{name}")),
            Place::Element(name, index) => Some(format!("/{name}{}", tokens(&index))),
            Place::Parameter(name, index) => Some(format!("/params/{name}{}", tokens(&index))),
        };
        Problem { pointer, hint: fault.hint, ..Problem::new(code, fault.detail) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Fault(fault) => fault.into(),
            Refusal::Unauthorized => Problem::new(
                Code::Unauthorized,
                "this needs an API key of this server",
            )
            .hint("send `Authorization: Bearer lk_…`; whoever runs the server has `lossd key new`"),
            Refusal::Forbidden(scope) => {
                let detail = format!("this needs a key with the scope `{}`", scope.name());
                Problem::new(Code::Forbidden, detail)
            }
            Refusal::TooManyFailures { wait } => {
                Problem::too_many("too many keys from this address were not valid", wait)
            }
            Refusal::OverRate { rate, wait } => {
                let detail = format!("the {rate} cost units per second of this key are used up");
                Problem::too_many(detail, wait)
            }
            Refusal::OverShare { jobs_max } => {
                let detail = format!("this key's share of the jobs is taken: {jobs_max} at once");
                Problem::too_many(detail, Duration::ZERO)
            }
            Refusal::Contradiction(name) => {
                let detail = format!("`{name}` is said twice, differently, in query and body");
                Problem::new(Code::Contradiction, detail)
                    .pointer(&format!("/{name}"))
                    .hint("say it once")
            }
            Refusal::UnknownQuery { loss, name } => {
                let detail = format!("{loss} has no parameter `{}`", shown(&name));
                let problem = Problem::new(Code::UnknownParameter, detail);
                problem.hint(known_names(loss, &name, &SCALARS))
            }
            Refusal::UnknownParameter { loss, name } => {
                let detail = format!("{loss} has no parameter `{}`", shown(&name));
                Problem::new(Code::UnknownParameter, detail)
                    .pointer(&format!("/params/{}", token(&name)))
                    .hint(known_names(loss, &name, &[]))
            }
            Refusal::Choice { member, word, known } => {
                let known = known.join(", ");
                let detail = format!("{member} must be one of {known}, got `{}`", shown(&word));
                Problem::new(Code::BadParameter, detail).pointer(&format!("/{member}"))
            }
        }
    }
}

/// An index on every axis as tokens of a JSON pointer.
fn tokens(index: &[usize]) -> String {
    index.iter().fold(String::new(), |tokens, at| tokens + &format!("/{at}"))
}

/// The nearest of the names that a loss knows, or all of its parameters.
fn known_names(loss: &str, name: &str, others: &[&'static str]) -> String {
    let Some(loss) = catalogue::find(loss) else { return String::new() };
    let params = loss.card.params.iter().map(|param| param.name);
    let known: Vec<&str> = params.chain(others.iter().copied()).collect();
    match nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => describe_params(&loss.card),
    }
}

/// A problem travels to the outermost layer in the extensions of a response without a body; that
/// layer knows the request id and writes the body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        // A stranger's body is not even read to be thrown away.
        if matches!(self.code, Code::Unauthorized | Code::Forbidden | Code::TooManyRequests) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        match self.code {
            Code::Busy | Code::Draining | Code::TooManyRequests => {
                let seconds = self.retry_after.unwrap_or(1);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Code::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // RFC 9110 has either header say which of the two is wrong, and the other one not there.
            Code::UnsupportedMediaType if self.about_coding => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding::READ));
            }
            Code::UnsupportedMediaType => {
                headers.insert("accept-post", HeaderValue::from_static("application/json"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}
