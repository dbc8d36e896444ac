//! Pages for people: a few lines at `/`, the interface at `/docs`, the problems at `/problems`.

use std::fmt::Write;

use axum::extract::{Request, State};
use axum::http::header;
use axum::http::uri::Authority;
use axum::response::Response;

use super::catalogue::{curl, shown_value};
use super::encoding::Kept;
use super::{App, ROUTES, answer};
use crate::numeric::args::expected;
use crate::numeric::card::Card;
use crate::numeric::catalogue::{self, FAMILIES};
use crate::service::metrics::VERSION;

/// A few lines with curl commands to paste, under the address that the client used.
pub async fn start(State(app): State<App>, request: Request) -> Response {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has it in the address.
    let host = header.or_else(|| request.uri().authority().map(Authority::as_str));
    let plain = |host: &&str| {
        host.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-' | b'[' | b']'))
    };
    let host = host.filter(plain).unwrap_or("127.0.0.1:8080");
    let host = if app.config.is_secure() { format!("https://{host}") } else { host.to_owned() };
    let losses = catalogue::all().count();
    let text = format!(
        "lossd {VERSION}: {losses} losses and their gradients, with PyTorch's semantics.\n\n\
         A first answer:\n  \
         curl {host}/loss/mse -d '{{\"predictions\":[1,2,3],\"targets\":[1,2,5]}}'\n\
         Classes, without the gradient:\n  \
         curl '{host}/loss/cross_entropy?outputs=loss' -d '{{\"predictions\":[[2,1,0.1],[0.5,2.5,0.3]],\"targets\":[0,1]}}'\n\
         The number alone:\n  \
         curl -H 'accept: text/plain' '{host}/loss/huber?delta=2' -d '{{\"predictions\":[1,2,3],\"targets\":[1,2,100]}}'\n\n\
         All losses:     curl -H 'accept: text/plain' {host}/loss\n\
         One of them:    curl {host}/loss/huber\n\
         The interface:  {host}/docs and {host}/openapi.json\n\
         Health:         {host}/healthz {host}/readyz {host}/metrics {host}/version\n"
    );
    answer("text/plain; charset=utf-8", text)
}

/// What each problem means.
pub async fn problems() -> Response {
    static PROBLEMS: Kept = Kept::new(|| include_str!("../../proto-docs/problems.md").to_owned());
    PROBLEMS.answer("text/plain; charset=utf-8")
}

/// The interface as one page that needs nothing from elsewhere.
pub async fn docs() -> Response {
    static PAGE: Kept = Kept::new(page);
    PAGE.answer("text/html; charset=utf-8")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn page() -> String {
    let mut html = String::from(include_str!("page/head.html"));
    html.push_str("<h2 id=\"routes\">Routes</h2>\n<table>\n");
    for route in &ROUTES {
        let (method, path) = (route.method, escaped(route.path));
        let _ = writeln!(
            html,
            "<tr><td>{method}</td><td><code>{path}</code></td><td>{}</td></tr>",
            route.summary
        );
    }
    html.push_str("</table>\n<h2 id=\"losses\">Losses</h2>\n<p>");
    for loss in catalogue::all() {
        let name = loss.card.name;
        let _ = write!(html, "<a href=\"#{name}\">{name}</a> ");
    }
    html.push_str("</p>\n");
    for family in FAMILIES {
        let _ = writeln!(html, "<h2>{}</h2>", family.title);
        for loss in family.losses() {
            section(&mut html, &loss.card);
        }
    }
    html.push_str("</main></body></html>\n");
    html
}

fn section(html: &mut String, card: &Card) {
    let _ = writeln!(
        html,
        "<section id=\"{0}\"><h3>{1} <code>{0}</code></h3>\n<p>{2}</p>\n<p><code>{3}</code></p>\n<table>",
        card.name,
        escaped(card.title),
        escaped(card.summary),
        escaped(card.formula)
    );
    for input in card.inputs {
        let _ = writeln!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}: {}</td></tr>",
            input.name,
            escaped(input.shape),
            escaped(input.doc),
            escaped(input.domain.describe())
        );
    }
    for param in card.params {
        let _ = writeln!(
            html,
            "<tr><td><code>{}</code> = {}</td><td>{}</td><td>{}</td></tr>",
            param.name,
            shown_value(param.default),
            escaped(&expected(param.kind)),
            escaped(param.doc)
        );
    }
    let _ = writeln!(
        html,
        "</table>\n<p>Unreduced: {}. The mean divides by {}. At kinks: {}. For {}; output activation: {}; \
         outliers: {}. Source: {}.</p>\n<pre>{}</pre></section>",
        escaped(card.unreduced),
        escaped(card.mean),
        escaped(card.kinks),
        escaped(card.use_case),
        escaped(card.activation),
        escaped(card.outliers),
        escaped(card.source),
        escaped(&curl(card))
    );
}
