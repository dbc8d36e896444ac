//! Compressed bodies: whatever a stream is, it decodes to no more than there may be of it, or is
//! refused; what it decodes to can be compressed again; and the server answers it or refuses it.

use axum::body::Body;
use axum::http::{Request, header};

use super::answer;
use crate::wire::coding::Coding;
use crate::wire::decoding::decode;
use crate::wire::encoding::whole;
use crate::wire::problem::Code;

/// How much a stream may decode to here.
const LIMIT: usize = 1 << 14;

/// The first byte says which coding the rest is in, or is said to be in.
pub fn check(input: &[u8]) {
    let Some((&first, stream)) = input.split_first() else { return };
    let coding = Coding::ALL[usize::from(first) % Coding::ALL.len()];
    match decoded(coding, stream) {
        Ok(plain) => {
            assert!(plain.len() <= LIMIT);
            let again = whole(coding, &plain).expect("there is memory for it");
            assert_eq!(decoded(coding, &again), Ok(plain));
        }
        Err(code) => assert!(matches!(code, Code::MalformedEncoding | Code::BodyTooLarge)),
    }
    let request = Request::post("/loss/mse")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, coding.name())
        .body(Body::from(stream.to_vec()));
    answer(request.expect("its parts are valid"));
}

fn decoded(coding: Coding, stream: &[u8]) -> Result<Vec<u8>, Code> {
    let mut plain = Vec::new();
    let done = decode(coding, stream, LIMIT, &mut plain, &mut |_| Ok(()));
    done.map(|()| plain).map_err(|problem| problem.code)
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Corpus;
    use super::*;
    use crate::numeric::catalogue;

    #[test]
    fn streams_are_decoded_or_refused() {
        // Beginnings, windows and lengths.
        let tokens: [&[u8]; 8] = [
            b"\x1f\x8b\x08",
            b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff",
            b"\x28\xb5\x2f\xfd",
            b"\x28\xb5\x2f\xfd\x84\xb0",
            b"\x50\x2a\x4d\x18\xff\xff\xff\xff",
            b"\xff\xff\xff\xff",
            b"\0\0\0\0",
            b"\x11",
        ];
        let compressed = |coding: Coding| {
            catalogue::all().map(move |loss| {
                let stream = whole(coding, loss.card.example.as_bytes());
                [vec![coding as u8], stream.expect("there is memory for it")].concat()
            })
        };
        Corpus::of(Coding::ALL.into_iter().flat_map(compressed)).mutate(&tokens, 6000, check);
    }
}
