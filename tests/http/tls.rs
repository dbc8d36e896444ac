//! TLS and HTTP/2, from real handshakes on.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::authority::{Authority, Secured, connect};
use crate::encodings::{CODINGS, compress, decompress};
use crate::harness::Server;
use crate::running::{BODY, PATIENCE, Running, get, head, large};

/// Asks for a loss on a connection that goes on.
fn ask(stream: &mut Secured) -> io::Result<String> {
    write!(stream, "{}{BODY}", head(BODY.len()))?;
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\"warnings\":[]}") {
        stream.read_exact(&mut byte)?;
        text.push(byte[0].into());
    }
    Ok(text)
}

/// Reads until the other side closes, with or without a farewell.
fn drained(stream: &mut Secured) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it is not closed"),
        Ok(_) | Err(_) => bytes,
    }
}

/// Waits until the metrics have this line.
fn awaited(server: &Running, line: &str) {
    let started = Instant::now();
    loop {
        let metrics = get(server.operations.as_ref().unwrap(), "/metrics");
        if metrics.lines().any(|there| there == line) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "no {line} in {metrics}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended(reason: &str, count: usize) -> String {
    format!("lossd_connections_ended_total{{reason=\"{reason}\"}} {count}")
}

#[test]
fn http_1_speaks_over_tls() {
    let authority = Authority::new("http1");
    authority.issue("server");
    let server = authority.serve(&[]);
    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = connect(&server, authority.client(protocols, None));
        for _ in 0..2 {
            let answer = ask(&mut stream).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("1.3333334"), "{answer}");
        }
        write!(stream, "GET / HTTP/1.1\r\nhost: localhost:1\r\nconnection: close\r\n\r\n").unwrap();
        let page = String::from_utf8(drained(&mut stream)).unwrap();
        assert!(page.contains("curl https://localhost:1/loss/mse"), "{page}");
    }
    // One that leaves without a farewell has done nothing wrong.
    let mut stream = connect(&server, authority.client(&[], None));
    ask(&mut stream).unwrap();
    drop(stream);
    // That of the question itself.
    awaited(&server, "lossd_connections 1");
    for reason in ["broken", "incomplete", "malformed", "timeout"] {
        awaited(&server, &ended(reason, 0));
    }
}

/// A connection of HTTP/2, and its driver.
async fn http2(
    server: &Running,
    config: Arc<ClientConfig>,
) -> (SendRequest<Full<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post(format!("https://localhost{path}"));
    request.body(Full::new(body.into())).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn http_2_is_chosen_by_alpn() {
    let authority = Authority::new("http2");
    authority.issue("server");
    let server = authority.serve(&[]);
    Runtime::new().unwrap().block_on(async {
        let config = authority.client(&["h2", "http/1.1"], None);
        let (mut sender, driver) = http2(&server, config).await;
        // A client that does not know the limit yet may go over it, and the connection survives.
        let early: Vec<_> =
            (0..100).map(|_| sender.send_request(post("/loss/mse", BODY))).collect();
        let mut answered = 0;
        for answer in early {
            match answer.await {
                Ok(answer) => answered += usize::from(answer.status() == 200),
                Err(error) => assert!(format!("{error:?}").contains("REFUSED"), "{error:?}"),
            }
        }
        assert!(32 <= answered, "{answered}");
        let answers = (0..100).map(|_| {
            let answer = sender.send_request(post("/loss/mse", BODY));
            tokio::spawn(async move {
                let response = answer.await.unwrap();
                assert_eq!(
                    (response.status().as_u16(), response.version()),
                    (200, Version::HTTP_2)
                );
                assert!(text(response).await.contains("1.3333334"));
            })
        });
        for answer in answers.collect::<Vec<_>>() {
            answer.await.unwrap();
        }
        // A refusal whose body is not read ends a stream, not the connection.
        let refused = sender.send_request(post("/nothing", vec![b'x'; 300_000])).await.unwrap();
        assert_eq!(refused.status().as_u16(), 404);
        assert!(!refused.headers().contains_key("connection"), "{:?}", refused.headers());
        assert!(text(refused).await.contains("not-found"));
        // Large bodies there and back do not crawl.
        let started = Instant::now();
        let response =
            sender.send_request(post("/loss/mse?reduction=none", large())).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert!((1 << 20) < text(response).await.len());
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let page = sender
            .send_request(Request::get("https://localhost:1/").body(Full::default()).unwrap());
        let page = text(page.await.unwrap()).await;
        assert!(page.contains("curl https://localhost:1/loss/mse"), "{page}");
        drop(sender);
        driver.await.unwrap().unwrap();
    });
    awaited(&server, "lossd_connections 1");
    awaited(&server, &ended("broken", 0));
}

#[test]
fn cleartext_gets_nothing_on_the_tls_port() {
    let authority = Authority::new("cleartext");
    authority.issue("server");
    let server = authority.serve(&[]);
    let mut stream = server.connect();
    write!(stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    // An alert at most.
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.len() < 16 && !bytes.starts_with(b"HTTP"), "{bytes:?}");
    awaited(&server, &ended("handshake", 1));
    let operations = server.operations.as_ref().unwrap();
    assert!(get(operations, "/readyz").starts_with("HTTP/1.1 200"), "that port is as it was");
}

#[test]
fn a_handshake_has_half_the_time_of_a_head() {
    let authority = Authority::new("handshake");
    authority.issue("server");
    let server = authority.serve(&["--header-seconds", "1"]);
    // Nothing, half a record, and a record by the byte.
    let shapes: [(&[u8], bool); 3] =
        [(&[], false), (&[22, 3, 1, 2, 0, 1], false), (&[22, 3, 1, 2, 0, 1], true)];
    thread::scope(|scope| {
        for (first, is_dripping) in shapes {
            let mut stream = server.connect();
            scope.spawn(move || {
                stream.write_all(first).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                let started = Instant::now();
                while let Err(error) = stream.read_exact(&mut [0]) {
                    if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                        break;
                    }
                    assert!(started.elapsed() < PATIENCE);
                    if is_dripping && stream.write_all(&[0]).is_err() {
                        break;
                    }
                }
                let lasted = started.elapsed().as_secs_f64();
                assert!((0.4..1.2).contains(&lasted), "{first:?}: {lasted} s");
            });
        }
    });
    awaited(&server, &ended("handshake", 3));
}

#[test]
fn after_the_handshake_the_rules_for_slow_clients_are_the_same() {
    let authority = Authority::new("slow");
    authority.issue("server");
    let server = authority.serve(&[
        "--header-seconds",
        "1",
        "--keep-alive-seconds",
        "1.5",
        "--write-seconds",
        "0.5",
    ]);
    let request = frame(1, 5, 1, &[&GET[..], b"\x01\x01x"].concat());
    let shapes = [
        ("half a head", "http/1.1", b"GET /healthz HT".to_vec(), 1.0),
        ("an idle connection", "http/1.1", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 1.5),
        ("no request", "h2", preface(), 1.0),
        ("half a preface", "h2", b"PRI * HT".to_vec(), 1.5),
        ("an idle connection of HTTP/2", "h2", [preface(), request].concat(), 1.5),
    ];
    thread::scope(|scope| {
        for (what, protocol, sent, seconds) in shapes {
            let mut stream = connect(&server, authority.client(&[protocol], None));
            scope.spawn(move || {
                stream.write_all(&sent).unwrap();
                let started = Instant::now();
                drained(&mut stream);
                let lasted = started.elapsed().as_secs_f64();
                assert!((seconds - 0.3..seconds + 0.7).contains(&lasted), "{what}: {lasted} s");
            });
        }
    });
}

#[test]
fn a_client_that_does_not_read_holds_no_memory() {
    let authority = Authority::new("unread");
    authority.issue("server");
    let server = authority.serve(&["--write-seconds", "0.5"]);
    let large = large();
    let mut stream = connect(&server, authority.client(&[], None));
    socket2::SockRef::from(&stream.sock).set_recv_buffer_size(4096).unwrap();
    write!(stream, "{}{large}", head(large.len())).unwrap();
    awaited(&server, "lossd_evaluations_total{loss=\"mse\"} 1");
    awaited(&server, &ended("timeout", 1));
    let runtime = Runtime::new().unwrap();
    let held = runtime.block_on(async {
        let (mut sender, driver) = http2(&server, authority.client(&["h2"], None)).await;
        // The body is never asked for, and so the window never opens.
        let answer = sender.send_request(post("/loss/mse", large)).await.unwrap();
        (answer, sender, driver)
    });
    awaited(&server, "lossd_evaluations_total{loss=\"mse\"} 2");
    awaited(&server, &ended("timeout", 2));
    awaited(&server, "lossd_memory_charged_bytes 0");
    awaited(&server, "lossd_connections 1");
    drop(held);
}

const GET: [u8; 3] = [0x82, 0x84, 0x87];

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a client of HTTP/2 says first.
fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat()
}

#[test]
fn an_answer_is_there_for_a_while_before_its_stream_is_reset() {
    let authority = Authority::new("early");
    authority.issue("server");
    let server = authority.serve(&[]);
    let mut stream = connect(&server, authority.client(&["h2"], None));
    // A POST to a route that has none, and a body that does not come.
    let post = frame(1, 4, 1, b"\x83\x84\x87\x01\x01x");
    stream.write_all(&[preface(), post].concat()).unwrap();
    let mut answered = None;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).unwrap();
        match head[3] {
            1 => answered = Some(Instant::now()),
            3 => {
                assert_eq!(payload, [0; 4], "it is no error");
                break;
            }
            _ => {}
        }
    }
    let after = answered.expect("the answer comes first").elapsed().as_secs_f64();
    assert!((0.15..1.5).contains(&after), "{after} s");
}

#[test]
fn rapid_resets_end_the_connection() {
    let authority = Authority::new("resets");
    authority.issue("server");
    let server = authority.serve(&[]);
    let mut stream = connect(&server, authority.client(&["h2"], None));
    let mut sent = preface();
    for number in 0..200 {
        let id = 2 * number + 1;
        sent.extend(frame(1, 5, id, &[&GET[..], b"\x01\x01x"].concat()));
        sent.extend(frame(3, 0, id, &[0, 0, 0, 8]));
    }
    // The server may close before it has read all.
    let _ = stream.write_all(&sent);
    let said = drained(&mut stream);
    // GOAWAY with ENHANCE_YOUR_CALM.
    assert!(said.windows(4).any(|four| four == [0, 0, 0, 11]), "{said:?}");
    awaited(&server, &ended("broken", 1));
}

#[test]
fn certificates_change_under_running_connections() {
    let authority = Authority::new("rotation");
    let first = authority.issue("server");
    let server = authority.serve(&[]);
    let shown = |stream: &Secured| stream.conn.peer_certificates().unwrap()[0].clone();
    let mut old = connect(&server, authority.client(&[], None));
    assert_eq!(shown(&old), first);
    ask(&mut old).unwrap();
    let second = authority.issue("server");
    let started = Instant::now();
    while shown(&connect(&server, authority.client(&[], None))) != second {
        assert!(started.elapsed() < Duration::from_secs(3), "the old certificate is still shown");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(ask(&mut old).unwrap().starts_with("HTTP/1.1 200"));
    // A file that is wrong changes nothing, and is said once.
    fs::write(authority.path("server.pem"), "-----BEGIN CERTIFICATE-----\nnothing\n").unwrap();
    let warnings = || server.log.try_iter().filter(|line| line.contains("stays as it was")).count();
    thread::sleep(Duration::from_millis(3200));
    assert_eq!(warnings(), 1);
    assert_eq!(shown(&connect(&server, authority.client(&[], None))), second);
    let third = authority.issue("server");
    let started = Instant::now();
    while shown(&connect(&server, authority.client(&[], None))) != third {
        assert!(started.elapsed() < Duration::from_secs(3), "it is not mended");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(ask(&mut old).unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn clients_may_be_asked_for_a_certificate() {
    let authority = Authority::new("clients");
    authority.issue("server");
    authority.issue("client");
    let stranger = Authority::new("stranger");
    stranger.issue("client");
    for ending in ["pem", "key"] {
        let copy = authority.path(&format!("stranger.{ending}"));
        fs::copy(stranger.path(&format!("client.{ending}")), copy).unwrap();
    }
    let server = authority.serve(&["--tls-client-ca-file", &authority.path("ca.pem")]);
    let answer = ask(&mut connect(&server, authority.client(&[], Some("client")))).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for certificate in [None, Some("stranger")] {
        // The client learns it after its own part of the handshake.
        let error = ask(&mut connect(&server, authority.client(&[], certificate))).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "{certificate:?}");
    }
    awaited(&server, &ended("handshake", 2));
}

#[test]
fn connections_of_http_2_end_with_the_server() {
    let authority = Authority::new("stop");
    authority.issue("server");
    let mut server = authority.serve(&["--lame-duck-seconds", "0.5"]);
    Runtime::new().unwrap().block_on(async {
        let (mut sender, driver) = http2(&server, authority.client(&["h2"], None)).await;
        assert_eq!(sender.send_request(post("/loss/mse", BODY)).await.unwrap().status(), 200);
        server.signal("-TERM");
        // GOAWAY, and no error.
        tokio::time::timeout(PATIENCE, driver).await.unwrap().unwrap().unwrap();
    });
    let started = Instant::now();
    assert!(server.wait().success());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn http_2_carries_compressed_bodies_and_answers() {
    let authority = Authority::new("compressed");
    authority.issue("server");
    let server = authority.serve(&[]);
    let expected = Server::new().post("/loss/mse", large()).body;
    Runtime::new().unwrap().block_on(async {
        let (mut sender, _driver) = http2(&server, authority.client(&["h2"], None)).await;
        for coding in CODINGS {
            let mut request = post("/loss/mse", compress(coding, large().as_bytes()));
            for name in ["content-encoding", "accept-encoding"] {
                request.headers_mut().insert(name, coding.parse().unwrap());
            }
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.headers()["content-encoding"], coding);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(decompress(coding, &body) == expected, "{coding}");
        }
    });
}

#[test]
fn files_that_are_wrong_at_the_start_are_named() {
    let authority = Authority::new("wrong");
    authority.issue("server");
    authority.issue("other");
    fs::write(authority.path("empty.pem"), "").unwrap();
    let run = |settings: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lossd"));
        command.args(["--listen", "127.0.0.1:0"]);
        for (flag, file) in settings {
            command.args([flag, authority.path(file).as_str()]);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{settings:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let (certificate, key, ca) =
        ("--tls-certificate-file", "--tls-key-file", "--tls-client-ca-file");
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[(certificate, "server.pem")], "go together"),
        (&[(key, "server.key")], "go together"),
        (&[(ca, "ca.pem")], "tls_client_ca_file needs"),
        (&[(certificate, "absent.pem"), (key, "server.key")], "absent.pem"),
        (&[(certificate, "empty.pem"), (key, "server.key")], "no certificate in"),
        (&[(certificate, "server.pem"), (key, "other.key")], "other.key cannot be used together"),
        (&[(certificate, "server.pem"), (key, "server.key"), (ca, "empty.pem")], "empty.pem"),
    ];
    for (settings, expected) in cases {
        let error = run(settings);
        assert!(error.contains(expected), "{settings:?}: {error}");
    }
    let probe = |more: &[&str]| {
        let (pem, key) = (authority.path("server.pem"), authority.path("server.key"));
        let secure = ["probe", certificate, &pem, "--tls-key-file", &key];
        let output =
            Command::new(env!("CARGO_BIN_EXE_lossd")).args([&secure[..], more].concat()).output();
        output.unwrap()
    };
    let server = authority.serve(&[]);
    let operations = server.operations.clone().unwrap();
    let blind = probe(&["--listen", &server.address]);
    assert_eq!(blind.status.code(), Some(1));
    assert!(String::from_utf8(blind.stderr).unwrap().contains("operations_listen"));
    let seeing = probe(&["--listen", &server.address, "--operations-listen", &operations]);
    assert!(seeing.status.success());
}
