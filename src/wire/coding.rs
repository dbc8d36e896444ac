//! Content codings: their names, and what the headers of a request say of them.

use axum::http::{HeaderMap, header};

use super::head::quality;
use super::json::request::shown;
use super::problem::{Code, Problem};

/// A way to compress a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878, with windows as RFC 9659 bounds them.
    Zstd,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

/// The codings that are read, as headers and hints list them.
pub const READ: &str = "gzip, zstd, br";

impl Coding {
    /// All of them, the quickest for what it saves first.
    pub const ALL: [Coding; 3] = [Coding::Zstd, Coding::Gzip, Coding::Brotli];

    /// The name in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
        }
    }

    fn named(name: &str) -> Option<Coding> {
        // An old name, which RFC 9110 has for the same.
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        Coding::ALL.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }
}

/// How the body is compressed, if it is.
///
/// # Errors
/// `Code::UnsupportedMediaType` if it is in a way that is not read, or more than once.
pub fn of_body(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
    let mut found = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let names = value.to_str().map_err(|_| unread("a content-encoding is not text".into()))?;
        let names = names.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty() && !is_identity(name)) {
            let coding = Coding::named(name).ok_or_else(|| {
                unread(format!("the content-encoding `{}` is not read", shown(name)))
            })?;
            if found.replace(coding).is_some() {
                return Err(unread("a body that is compressed twice is not read".into()));
            }
        }
    }
    Ok(found)
}

fn unread(detail: String) -> Problem {
    let problem = Problem::new(Code::UnsupportedMediaType, detail)
        .hint(format!("compress the body once, with one of {READ}, or not at all"));
    Problem { about_coding: true, ..problem }
}

/// How the answer should be compressed: as the client likes best, and of what it likes equally, in
/// the order of `Coding::ALL`. None where it likes nothing that there is, even if it does not like
/// an answer that is not compressed either: it gets one that it can see.
pub fn wanted(headers: &HeaderMap) -> Option<Coding> {
    let mut qualities = [None; Coding::ALL.len()];
    let (mut identity, mut others) = (0.0, None);
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = quality(parts);
            if let Some(coding) = Coding::named(name) {
                qualities[coding as usize] = Some(quality);
            } else if is_identity(name) {
                identity = quality;
            } else if name == "*" {
                others = Some(quality);
            }
        }
    }
    let gzip = &mut qualities[Coding::Gzip as usize];
    // Who takes anything surely takes what has been there longest.
    *gzip = gzip.or(others);
    let quality = |coding: Coding| qualities[coding as usize].unwrap_or(0.0);
    let better = |best, coding| if quality(best) < quality(coding) { coding } else { best };
    let best = Coding::ALL.into_iter().reduce(better)?;
    (0.0 < quality(best) && identity <= quality(best)).then_some(best)
}

fn is_identity(name: &str) -> bool {
    name.eq_ignore_ascii_case("identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_answer_is_compressed_as_the_client_likes_best() {
        use Coding::{Brotli, Gzip, Zstd};
        for (accepted, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip"], Some(Gzip)),
            (&["GZip"], Some(Gzip)),
            (&["x-gzip"], Some(Gzip)),
            (&["gzip, deflate"], Some(Gzip)),
            (&["gzip, deflate, br, zstd"], Some(Zstd)),
            (&["gzip", "br"], Some(Gzip)),
            (&["br, gzip;q=0.9"], Some(Brotli)),
            (&["gzip;q=0.2 , br;q=0.3,zstd;q=0.1"], Some(Brotli)),
            (&["gzip ; Q=0.5"], Some(Gzip)),
            (&["deflate, compress"], None),
            (&["*"], Some(Gzip)),
            (&["*;q=0.5, gzip;q=0"], None),
            (&["br;q=0.1, *"], Some(Gzip)),
            (&["*;q=0"], None),
            (&["identity"], None),
            (&["identity, gzip"], Some(Gzip)),
            (&["identity, gzip;q=0.5"], None),
            (&["identity;q=0.4, gzip;q=0.5"], Some(Gzip)),
            (&["identity;q=0"], None),
            (&["identity;q=0, br"], Some(Brotli)),
            (&["gzip;q=0"], None),
            (&["gzip;q=0.001"], Some(Gzip)),
            (&["gzip;q=-1"], None),
            (&["gzip;q=2"], None),
            (&["gzip;q=NaN"], None),
            (&["gzip;q=x, br"], Some(Brotli)),
        ] {
            let headers = headers(&header::ACCEPT_ENCODING, accepted);
            assert_eq!(wanted(&headers), expected, "{accepted:?}");
        }
    }

    #[test]
    fn a_body_is_compressed_once_or_not_at_all() {
        for (said, expected) in [
            (&[][..], Ok(None)),
            (&[""], Ok(None)),
            (&["identity"], Ok(None)),
            (&["gzip"], Ok(Some(Coding::Gzip))),
            (&["X-GZIP"], Ok(Some(Coding::Gzip))),
            (&["Zstd"], Ok(Some(Coding::Zstd))),
            (&[" BR "], Ok(Some(Coding::Brotli))),
            (&["identity, gzip,"], Ok(Some(Coding::Gzip))),
            (&["identity", "br"], Ok(Some(Coding::Brotli))),
            (&["gzip, gzip"], Err("twice")),
            (&["gzip", "br"], Err("twice")),
            (&["deflate"], Err("`deflate`")),
            (&["gzip;q=1"], Err("`gzip;q=1`")),
            (&["gzip, rot13"], Err("`rot13`")),
        ] {
            let got = of_body(&headers(&header::CONTENT_ENCODING, said));
            match (got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{said:?}"),
                (Err(got), Err(words)) => assert!(got.detail.contains(words), "{said:?}: {got:?}"),
                (got, _) => panic!("{said:?}: {got:?}"),
            }
        }
    }
}
