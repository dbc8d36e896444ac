//! Compressed bodies and answers: each coding says the same as none, and no stream, however hostile,
//! takes more than a plain body may.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, header};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use lossd::config::Given;

use crate::harness::{Answer, Server};
use crate::limits::kind;
use crate::running::{BODY, PATIENCE, Running, get};

pub(crate) const CODINGS: [&str; 3] = ["gzip", "zstd", "br"];

pub(crate) fn compress(coding: &str, plain: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(plain, 3).unwrap(),
        "br" => {
            let mut encoded = Vec::new();
            let settings = BrotliEncoderParams { quality: 5, ..BrotliEncoderParams::default() };
            let mut plain = plain;
            brotli::BrotliCompress(&mut plain, &mut encoded, &settings).unwrap();
            encoded
        }
        _ => panic!("no coding {coding}"),
    }
}

pub(crate) fn decompress(coding: &str, encoded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        "gzip" => drop(MultiGzDecoder::new(encoded).read_to_end(&mut plain).unwrap()),
        "zstd" => plain = zstd::decode_all(encoded).unwrap(),
        "br" => drop(brotli::Decompressor::new(encoded, 4096).read_to_end(&mut plain).unwrap()),
        _ => panic!("no coding {coding}"),
    }
    plain
}

/// Sends a body with these `Content-Encoding` headers.
fn send(server: &Server, codings: &[&str], body: impl Into<Body>) -> Answer {
    let mut request = Request::post("/loss/mse").header(header::CONTENT_TYPE, "application/json");
    for coding in codings {
        request = request.header(header::CONTENT_ENCODING, *coding);
    }
    server.send(request.body(body.into()).unwrap())
}

/// Nothing is left of requests that were answered.
fn at_rest(server: &Server) {
    assert_eq!((server.service.budget.charged(), server.service.queue.running()), (0, 0));
    assert_eq!(server.service.places.available_permits(), server.service.config.jobs_max);
}

/// A batch of so many different numbers on each side.
fn batch(elements: usize) -> String {
    let side = |seed: usize| {
        let number = |at: usize| ((at * 7919 + seed) % 10_007) as f32 / 1024.0;
        (0..elements).map(|at| number(at).to_string()).collect::<Vec<_>>().join(",")
    };
    format!("{{\"predictions\":[{}],\"targets\":[{}]}}", side(1), side(500))
}

#[test]
fn a_compressed_body_is_answered_as_the_plain_one() {
    let server = Server::new();
    for body in [BODY.to_owned(), batch(3000), batch(60_000)] {
        let expected = send(&server, &[], body.clone());
        assert_eq!(expected.status(), 200);
        for (coding, said) in [
            ("gzip", &["gzip"][..]),
            ("gzip", &["GZIP"]),
            ("gzip", &["x-gzip"]),
            ("gzip", &["identity", "gzip"]),
            ("zstd", &["zstd"]),
            ("zstd", &["Zstd, identity"]),
            ("br", &["br"]),
            ("br", &[" BR"]),
        ] {
            let answer = send(&server, said, compress(coding, body.as_bytes()));
            assert_eq!(answer.body, expected.body, "{said:?}");
        }
    }
    at_rest(&server);
}

/// What other programs made of the batch below.
const MADE_ELSEWHERE: [(&str, &str, &str); 4] = [
    // gzip 1.12: gzip -nc
    (
        "gzip",
        "gzip -nc",
        "1f8b0800000000000003ab562a284a4dc94c2ec9cccf2b56b28a36d033d531d0330211866072948b8b1baba354\
         9258949e5a020a3743a0941148ca18ac72948b9b1b5b0b00b66d8cdd75020000",
    ),
    // zstd 1.5.4: zstd -qc
    (
        "zstd",
        "zstd -qc",
        "28b52ffd04582d020054037b2270726564696374696f6e73223a5b302e352c302e32352c302e315d2c22746172\
         67657473223a5b312e352c322e32352c335d7d040019a0c09d25f4854c0588509cde609aaf",
    ),
    // python-zstandard: ZstdCompressor(level=19, write_checksum=True).compressobj()
    (
        "zstd",
        "python-zstandard",
        "28b52ffd04680d020042030c11a0edd1fa8ef25b6c5561ba5593a8fe6f50b388372fbf3790a13026f54cd49737\
         075ef05e408642d6563c0ba5e7540604001940814d092d43a692584b13de609aaf",
    ),
    // brotli 1.0.9: brotli -c
    (
        "br",
        "brotli -c",
        "1f7402b0443797faf2109d584c552cc9780e3a38fe43c979789024328b30d81843a2bd5dbdd93cbcf14c6e871e\
         b762d4b7868ad925a4c81456e54d817c",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn what_other_programs_compressed_is_read() {
    let server = Server::new();
    let side = |numbers: &str| vec![numbers; 20].join(",");
    let (predictions, targets) = (side("0.5,0.25,0.125"), side("1.5,2.25,3.125"));
    let body = format!("{{\"predictions\":[{predictions}],\"targets\":[{targets}]}}");
    let expected = send(&server, &[], body);
    for (coding, program, hex) in MADE_ELSEWHERE {
        assert_eq!(send(&server, &[coding], bytes(hex)).body, expected.body, "{program}");
    }
}

#[test]
fn a_body_may_be_of_several_members_and_frames() {
    let server = Server::new();
    let (one, two) = BODY.as_bytes().split_at(10);
    let skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
    for (coding, between) in
        [("gzip", compress("gzip", b"")), ("zstd", skippable.to_vec()), ("zstd", Vec::new())]
    {
        let body = [compress(coding, one), between, compress(coding, two)].concat();
        assert_eq!(send(&server, &[coding], body).status(), 200, "{coding}");
    }
}

#[test]
fn what_is_no_whole_stream_is_a_400_that_says_so() {
    let server = Server::new();
    for coding in CODINGS {
        let body = batch(2000);
        let whole = compress(coding, body.as_bytes());
        let refused = |body: Vec<u8>, words: &str, what: &str| {
            let answer = send(&server, &[coding], body);
            let problem = (400, "malformed-encoding".to_owned());
            assert_eq!(kind(&answer), problem, "{coding}, {what}: {}", answer.text());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(words), "{coding}, {what}: {detail}");
            assert!(answer.json()["hint"].is_string(), "{coding}, {what}");
        };
        for length in [0, 1, 2, 5, 12, 100, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            refused(whole[..length].to_vec(), "is cut short", &format!("{length} bytes"));
        }
        refused([&whole[..], b"and more behind it"].concat(), "after byte", "more behind it");
        refused([&whole[..], &[0; 512]].concat(), "after byte", "zeros behind it");
        refused(body.into_bytes(), "after byte", "not compressed");
        let other = if coding == "gzip" { "zstd" } else { "gzip" };
        refused(compress(other, BODY.as_bytes()), "after byte", "another coding");
        // A change in the middle is noticed where there is a checksum, and often elsewhere.
        let mut changed = whole.clone();
        for at in 0..20 {
            changed[whole.len() / 3 + at] ^= 0x55;
        }
        let answer = send(&server, &[coding], changed);
        assert!([400, 422].contains(&answer.status().as_u16()), "{coding}: {}", answer.text());
    }
    let mut gzip = compress("gzip", BODY.as_bytes());
    let checksum = gzip.len() - 8;
    gzip[checksum] ^= 1;
    assert_eq!(kind(&send(&server, &["gzip"], gzip)), (400, "malformed-encoding".to_owned()));
    at_rest(&server);
}

#[test]
fn other_and_stacked_codings_are_a_415_that_lists_what_is_read() {
    let server = Server::new();
    for said in [
        &["deflate"][..],
        &["compress"],
        &["rot13"],
        &["gzip, gzip"],
        &["gzip", "gzip"],
        &["br, zstd"],
        &["identity", "gzip", "br"],
        &["gzip;q=1"],
    ] {
        let answer = send(&server, said, BODY);
        assert_eq!(kind(&answer), (415, "unsupported-media-type".to_owned()), "{said:?}");
        assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd, br"), "{said:?}");
        assert_eq!(answer.header("accept-post"), None, "{said:?}");
        let hint = answer.json()["hint"].as_str().unwrap().to_owned();
        assert!(CODINGS.iter().all(|coding| hint.contains(coding)), "{said:?}: {hint}");
    }
    // That is about the media type, and says nothing of codings.
    let request = Request::post("/loss/mse")
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Body::from(compress("gzip", b"[1,2]")));
    let answer = server.send(request.unwrap());
    assert_eq!(kind(&answer), (415, "unsupported-media-type".to_owned()));
    assert_eq!(answer.header("accept-encoding"), None);
    at_rest(&server);
}

#[test]
fn the_limit_of_a_body_is_that_of_what_it_decodes_to() {
    for limit in [100, 65_535, 65_536, 65_537, 300_000, 1 << 20] {
        let server = Server::with(Given { body_bytes_max: Some(limit), ..Given::default() });
        for coding in CODINGS {
            let padded = |length: usize| {
                let body = format!("{BODY}{}", " ".repeat(length - BODY.len()));
                send(&server, &[coding], compress(coding, body.as_bytes()))
            };
            assert_eq!(padded(limit).status(), 200, "{coding} {limit}");
            for length in [limit + 1, limit + 2, 3 * limit] {
                let answer = padded(length);
                assert_eq!(kind(&answer), (413, "body-too-large".to_owned()), "{coding} {length}");
                let words = format!("{limit} bytes, and the decoded body has more");
                assert!(answer.text().contains(&words), "{}", answer.text());
            }
        }
        at_rest(&server);
    }
}

#[test]
fn decoding_takes_memory_that_there_is() {
    let server = Server::with(Given { memory_bytes_max: Some(12 << 20), ..Given::default() });
    let body = |length: usize| format!("{BODY}{}", " ".repeat(length));
    for coding in CODINGS {
        let small = compress(coding, body(100_000).as_bytes());
        assert_eq!(send(&server, &[coding], small.clone()).status(), 200, "{coding}");
        let answer = send(&server, &[coding], compress(coding, body(20 << 20).as_bytes()));
        assert_eq!(kind(&answer), (413, "body-too-large".to_owned()), "{coding}");
        assert!(answer.text().contains(&(12 << 20).to_string()), "{}", answer.text());
        let others = server.service.budget.charge((12 << 20) - 8192).unwrap();
        let answer = send(&server, &[coding], small.clone());
        assert_eq!(kind(&answer), (503, "busy".to_owned()), "{coding}");
        drop(others);
        assert_eq!(send(&server, &[coding], small).status(), 200, "{coding}");
        at_rest(&server);
    }
}

/// Streams that are small and decode to much, or to nothing for a long time, for a limit of 4 MiB.
fn bombs() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let zeros = vec![0; 4 << 20];
    // 128 KiB of a byte, again and again.
    let mut runs = bytes("28b52ffd0050");
    (0..20_000).for_each(|_| runs.extend(bytes("02001000")));
    // zstd 1.5.4: head -c 200000 /dev/zero | zstd -q --ultra -22 --long=27 -c
    let wide = bytes("28b52ffd04884c000008000100fcff391002036a0800c4e97470");
    // brotli 1.0.9: head -c 1000 /dev/zero | brotli --large_window=30 -c
    let wider = bytes("115e9c0fe09f0088c60201a101");
    let frames = bytes("28b52ffd0068010000").repeat(300_000);
    let mut metadata = bytes("0c");
    metadata.resize(3 << 20, 0x06);
    vec![
        ("zeros", "gzip", compress("gzip", &zeros).repeat(64), "body-too-large"),
        ("zeros", "zstd", compress("zstd", &zeros).repeat(64), "body-too-large"),
        ("zeros", "br", compress("br", &zeros.repeat(16)), "body-too-large"),
        ("runs", "zstd", runs, "body-too-large"),
        ("wide window", "zstd", wide, "malformed-encoding"),
        ("wide window", "br", wider, "malformed-encoding"),
        ("frames to skip", "zstd", bytes("502a4d1800000000").repeat(390_000), "malformed-json"),
        ("frames to skip", "zstd", bytes("502a4d1800000000").repeat(3 << 20), "body-too-large"),
        ("empty frames", "zstd", frames, "malformed-json"),
        ("empty members", "gzip", compress("gzip", b"").repeat(150_000), "malformed-json"),
        ("empty blocks", "br", metadata, "malformed-encoding"),
    ]
}

fn memory(server: &Running, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn bombs_take_no_more_than_plain_bodies_and_end_soon() {
    let server = Running::start(&["--body-bytes-max", "4194304"]);
    let before = memory(&server, "VmRSS");
    for (what, coding, body, expected) in bombs() {
        let started = Instant::now();
        let mut stream = server.connect();
        let length = body.len();
        let head = format!(
            "POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-encoding: {coding}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server may answer before it has read all.
        drop(stream.write_all(&body));
        let mut answer = [0; 2048];
        let read = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.contains(expected), "{what} in {coding}: {answer}");
        assert!(started.elapsed() < PATIENCE / 4, "{what} in {coding}: {:?}", started.elapsed());
        let grown = memory(&server, "VmHWM").saturating_sub(before);
        assert!(grown < 24 << 20, "{what} in {coding}: {grown} bytes more");
    }
    let started = Instant::now();
    while !get(&server.address, "/metrics").contains("lossd_memory_charged_bytes 0\n") {
        assert!(started.elapsed() < PATIENCE, "memory is still charged");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a request that accepts these codings.
fn accepting(server: &Server, method: Method, path: &str, accepted: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::ACCEPT_ENCODING, accepted);
    server.send(request.body(Body::from(body.to_owned())).unwrap())
}

#[test]
fn answers_are_compressed_as_they_are_asked_for() {
    let server = Server::new();
    // Less than one piece, more than one at once, and printed while it is sent.
    let (some, more, many) = (batch(200), batch(12_000), batch(300_000));
    let requests = [
        (Method::POST, "/loss/mse", some.as_str()),
        (Method::POST, "/loss/mse", more.as_str()),
        (Method::POST, "/loss/mse", many.as_str()),
        (Method::POST, "/loss/mse?outputs=loss,losses,gradients,hessian_diagonal", many.as_str()),
        (Method::GET, "/loss", ""),
        (Method::GET, "/loss?search=pinball", ""),
        (Method::GET, "/loss/huber", ""),
        (Method::GET, "/openapi.json", ""),
        (Method::GET, "/docs", ""),
        (Method::GET, "/problems", ""),
    ];
    for (method, path, body) in requests {
        let plain = accepting(&server, method.clone(), path, "identity", body);
        assert_eq!(plain.status(), 200, "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{path}");
        for coding in CODINGS {
            let answer = accepting(&server, method.clone(), path, coding, body);
            assert_eq!(answer.header("content-encoding"), Some(coding), "{path}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
            assert_eq!(answer.header("content-type"), plain.header("content-type"), "{path}");
            assert!(answer.body.len() < plain.body.len() * 3 / 4, "{path} {coding}");
            assert!(decompress(coding, &answer.body) == plain.body, "{path} {coding}");
            at_rest(&server);
        }
    }
    // What it says of itself changes from one answer to the next.
    let metrics = accepting(&server, Method::GET, "/metrics", "gzip", "");
    let text = String::from_utf8(decompress("gzip", &metrics.body)).unwrap();
    assert!(text.contains("lossd_evaluations_total{loss=\"mse\"} 16\n"), "{text}");
}

#[test]
fn short_answers_and_problems_are_sent_as_they_are() {
    let server = Server::new();
    for (method, path, body, status) in [
        (Method::POST, "/loss/mse", BODY, 200),
        (Method::POST, "/loss/mse", "{}", 422),
        (Method::GET, "/version", "", 200),
        (Method::GET, "/nothing", "", 404),
    ] {
        let answer = accepting(&server, method, path, "gzip, zstd, br", body);
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        assert_eq!(answer.header("vary"), None, "{path}");
        assert!(answer.json().is_object());
    }
}

#[test]
fn a_head_is_that_of_the_answer_to_get() {
    let server = Server::new();
    for path in ["/docs", "/loss", "/loss/huber", "/openapi.json", "/version"] {
        let of = |method| accepting(&server, method, path, "zstd", "");
        let (get, head) = (of(Method::GET), of(Method::HEAD));
        assert!(head.body.is_empty(), "{path}");
        for name in ["content-encoding", "vary", "content-type", "content-length"] {
            assert_eq!(get.header(name), head.header(name), "{path} {name}");
        }
    }
}

#[test]
fn answers_that_find_no_memory_for_being_compressed_are_sent_as_they_are() {
    let server = Server::new();
    let others = server.service.budget.charge(server.service.budget.total()).unwrap();
    let answer = accepting(&server, Method::GET, "/loss", "gzip", "");
    assert_eq!((answer.status().as_u16(), answer.header("content-encoding")), (200, None));
    assert_eq!(answer.header("vary"), Some("accept-encoding"));
    drop(others);
    // An answer on its way holds what compresses it.
    let request = Request::post("/loss/mse").header(header::ACCEPT_ENCODING, "gzip");
    let answer = server.start(request.body(Body::from(batch(100_000))).unwrap());
    assert!((2 << 20) + 100_000 * size_of::<f32>() <= server.service.budget.charged());
    drop(answer);
    at_rest(&server);
}

#[test]
fn both_ways_at_once() {
    let server = Server::new();
    let body = batch(50_000);
    let expected = send(&server, &[], body.clone());
    for (there, back) in CODINGS.iter().zip(CODINGS.iter().rev()) {
        let request = Request::post("/loss/mse")
            .header(header::CONTENT_ENCODING, *there)
            .header(header::ACCEPT_ENCODING, *back)
            .body(Body::from(compress(there, body.as_bytes())));
        let answer = server.send(request.unwrap());
        assert!(decompress(back, &answer.body) == expected.body, "{there} and {back}");
    }
}
