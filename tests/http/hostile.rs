//! Compressed bodies that were valid until they were mutated, by the thousand: whatever they have
//! become, they get an answer or a problem, and nothing is left behind. What is not compressed is
//! mutated by the fuzz targets.

use axum::body::Body;
use axum::http::{Request, header};
use lossd::numeric::catalogue;

use crate::encodings::{CODINGS, compress};
use crate::harness::Server;

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // Steele, Lea and Flood's SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit.max(1) as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a [u8]]) -> &'a [u8] {
        of[self.below(of.len())]
    }
}

/// What readers of compressed bodies trip over: beginnings, windows, lengths.
const COMPRESSED: [&[u8]; 8] = [
    b"\x1f\x8b\x08",
    b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff",
    b"\x28\xb5\x2f\xfd",
    b"\x28\xb5\x2f\xfd\x84\xb0",
    b"\x50\x2a\x4d\x18\xff\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x11",
];

/// Some changes, each of which cuts, repeats, moves, flips or puts in.
fn mutated(valid: &[u8], tokens: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..=random.below(3) {
        let (a, b) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 40));
        match random.below(6) {
            0 => bytes.truncate(start),
            1 => drop(bytes.drain(start..end)),
            2 => {
                let part = bytes[start..end].to_vec();
                bytes.splice(end..end, part);
            }
            3 if start < bytes.len() => bytes[start] ^= 1 << random.below(8),
            4 if start < bytes.len() => bytes[start] = random.below(256) as u8,
            _ => drop(bytes.splice(start..start, random.one(tokens).iter().copied())),
        }
    }
    bytes
}

/// Sends a request in process, and holds its answer to what every answer must be.
fn check(server: &Server, request: Request<Body>, what: &dyn Fn() -> String) {
    let answer = server.send(request);
    let status = answer.status().as_u16();
    assert!(matches!(status, 200 | 400 | 404 | 413 | 415 | 422), "{status}: {}", what());
    let media_type = answer.header("content-type").unwrap();
    assert_eq!(media_type == "application/problem+json", status != 200, "{}", what());
    assert!(answer.json().is_object(), "{}", what());
}

#[test]
fn mutated_compressed_bodies_are_answered_or_refused() {
    let server = Server::new();
    let mut random = Random(4);
    for (round, loss) in (0..12).flat_map(|round| catalogue::all().map(move |loss| (round, loss))) {
        for coding in CODINGS {
            let whole = compress(coding, loss.card.example.as_bytes());
            let body = mutated(&whole, &COMPRESSED, &mut random);
            let what = || format!("round {round}: {} in {coding}, {body:02x?}", loss.card.name);
            let request = Request::post(format!("/loss/{}", loss.card.name))
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_ENCODING, coding);
            check(&server, request.body(Body::from(body.clone())).unwrap(), &what);
        }
    }
    assert_eq!(server.service.places.available_permits(), server.service.config.jobs_max);
    assert_eq!((server.service.budget.charged(), server.service.queue.running()), (0, 0));
}
