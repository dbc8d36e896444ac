//! Query strings: they are answered or refused, and however they are spelt they say the same.

use std::fmt::Write;

use axum::body::Body;
use axum::extract::Query;
use axum::http::{Request, StatusCode};

use super::{answer, first_line};
use crate::numeric::catalogue;
use crate::wire::evaluate::Pairs;

/// The first line names a loss, which is asked about its example; where it is empty the catalogue is
/// asked. The second line is the query.
pub fn check(input: &[u8]) {
    let (name, query) = first_line(input);
    let (query, _) = first_line(query);
    let loss = catalogue::find(name);
    if loss.is_none() && !name.is_empty() {
        return;
    }
    let path = loss.map_or("/loss".to_owned(), |loss| format!("/loss/{}", loss.card.name));
    let ask = |query: &str| -> Option<(StatusCode, Vec<u8>)> {
        let request = Request::builder()
            .method(if loss.is_some() { "POST" } else { "GET" })
            .uri(format!("{path}?{query}"))
            // Which the answer repeats, so that answers can be compared.
            .header("x-request-id", "fuzz");
        let body = loss.map_or(Body::empty(), |loss| Body::from(loss.card.example));
        // What no address may hold is refused before it gets to the routes.
        Some(answer(request.body(body).ok()?))
    };
    let Some((status, said)) = ask(query) else { return };
    let uri = format!("{path}?{query}").parse().expect("it was one before");
    let Ok(Query(pairs)) = Query::<Pairs>::try_from_uri(&uri) else {
        assert_eq!(status, 400);
        return;
    };
    let (other_status, other) = ask(&spelt_out(&pairs)).expect("it is plain ASCII");
    assert_eq!(
        (status, said.escape_ascii().to_string()),
        (other_status, other.escape_ascii().to_string()),
        "{pairs:?}"
    );
}

/// The same pairs with an escape for every byte.
fn spelt_out(pairs: &Pairs) -> String {
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut escaped, byte| {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
            escaped
        })
    };
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| escaped(name) + "=" + &escaped(value)).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Corpus;
    use super::*;

    #[test]
    fn queries_are_answered_or_refused_however_they_are_spelt() {
        let tokens: [&[u8]; 14] = [
            b"&",
            b"=",
            b"%",
            b"%00",
            b"%ff",
            b"%26",
            b"+",
            b";",
            b"NaN",
            b"1e999",
            b"-1",
            b"=1,2",
            b"\xc3\xa9",
            b"delta=2",
        ];
        Corpus::read("query").mutate(&tokens, 3000, check);
    }
}
