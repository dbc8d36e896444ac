//! What HTTP/1.1 lets a server refuse before it looks further: heads that two servers may read
//! differently, so that a second request could hide in the first one.

use axum::http::{HeaderMap, Request, Version, header};

use super::problem::{Code, Problem};

/// What is wrong with how a request is framed or addressed.
pub fn fault<B>(request: &Request<B>) -> Option<Problem> {
    let headers = request.headers();
    let detail = coding(headers).or_else(|| host(request))?;
    Some(Problem::new(Code::MalformedRequest, detail))
}

/// A length beside the coding is not looked for: hyper drops it, reads the body as it is coded and
/// closes the connection, so that nothing can hide behind it.
fn coding(headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    let is_fine = is_chunked && codings.next().is_none();
    (!is_fine).then_some("transfer-encoding must be chunked, said once")
}

fn host<B>(request: &Request<B>) -> Option<&'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), request.version()) {
        (None, Version::HTTP_11) => return Some("a request of HTTP/1.1 has a host header"),
        (host, _) => host?,
    };
    if hosts.next().is_some() {
        return Some("host is said twice");
    }
    // The address in the request line, where there is one, wins: another one is a trap.
    let said = request.uri().authority()?;
    let same = host.as_bytes().eq_ignore_ascii_case(said.as_str().as_bytes());
    (!same).then_some("host is not the one of the address in the request line")
}
