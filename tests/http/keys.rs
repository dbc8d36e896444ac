//! API keys: who is admitted, for what, and how much of it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use lossd::config::Given;
use lossd::service::keys::file::{Scope, Table};
use lossd::service::keys::issue::issue;
use lossd::wire::access::Peer;

use crate::encodings::compress;
use crate::harness::{Answer, Server};
use crate::limits::{Stuck, kind};
use crate::running::{PATIENCE, Running, rest};

const BODY: &str = r#"{"predictions":[1,2],"targets":[1,4]}"#;

/// A keys file, removed with the test.
struct KeysFile {
    path: PathBuf,
    /// The keys themselves.
    keys: Vec<String>,
}

impl KeysFile {
    fn new(test: &str, tables: Vec<Table>) -> KeysFile {
        let name = format!("lossd-http-keys-{test}-{}.toml", std::process::id());
        let mut file = KeysFile { path: std::env::temp_dir().join(name), keys: Vec::new() };
        file.rewrite(tables);
        file
    }

    fn rewrite(&mut self, tables: Vec<Table>) {
        let mut text = String::new();
        self.keys.clear();
        for table in tables {
            let issued = issue(table).unwrap();
            text.push_str(&issued.table.to_toml());
            self.keys.push(issued.key);
        }
        fs::write(&self.path, text).unwrap();
    }

    fn given(&self) -> Given {
        let keys_file = Some(self.path.to_str().unwrap().to_owned());
        Given { keys_file, ..Given::default() }
    }
}

impl Drop for KeysFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

fn table(name: &str) -> Table {
    Table { name: name.to_owned(), scopes: vec![Scope::Evaluate], ..Table::default() }
}

fn reader(name: &str) -> Table {
    Table { scopes: vec![Scope::Metrics], ..table(name) }
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// Sends a small evaluation with these `Authorization` headers.
fn post(server: &Server, path: &str, authorization: &[&str]) -> Answer {
    let mut request = Request::post(path).header(header::CONTENT_LENGTH, BODY.len());
    for value in authorization {
        request = request.header(header::AUTHORIZATION, *value);
    }
    server.send(request.body(Body::from(BODY)).unwrap())
}

#[test]
fn every_failure_gets_the_same_401() {
    let file = KeysFile::new("same", vec![table("a"), table("b")]);
    let server = Server::with(file.given());
    let (a, b) = (bearer(&file.keys[0]), bearer(&file.keys[1]));
    let (id, secret) = file.keys[0].rsplit_once('_').unwrap();
    let (other_id, _) = file.keys[1].rsplit_once('_').unwrap();
    let (unknown, swapped) =
        (format!("Bearer lk_zzzzzzzz_{secret}"), bearer(&format!("{other_id}_{secret}")));
    let cut = bearer(id);
    let in_url = format!("/loss/mse?key={0}&access_token={0}", file.keys[0]);
    let failures: [(&str, &[&str]); 9] = [
        ("/loss/mse", &[]),
        (&in_url, &[]),
        ("/v1/loss/mse", &["Basic dTpw"]),
        ("/loss/mse", &["Bearer"]),
        ("/loss/mse", &[&file.keys[0]]),
        ("/loss/mse", &[&unknown]),
        ("/loss/mse", &[&swapped]),
        ("/loss/no-such-loss", &[&cut]),
        ("/loss/mse", &[&a, &b]),
    ];
    let mut seen = Vec::new();
    for (path, authorization) in failures {
        let answer = post(&server, path, authorization);
        assert_eq!(kind(&answer), (401, "unauthorized".to_owned()), "{path} {authorization:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.header("connection"), Some("close"));
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("request_id");
        let mut headers = answer.response.headers().clone();
        headers.remove("x-request-id");
        // Where there is none yet, it is written with the head.
        headers.remove("content-length");
        seen.push((body, headers));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    for authorization in [a.as_str(), &b, &a.replace("Bearer", "bearer")] {
        assert_eq!(post(&server, "/loss/mse", &[authorization]).status(), 200);
    }
}

#[test]
fn a_key_is_for_its_scopes_and_the_other_routes_are_open() {
    let file = KeysFile::new("scopes", vec![table("a"), reader("m")]);
    let server = Server::with(file.given());
    let metrics = |key: &str| {
        let request = Request::get("/metrics").header(header::AUTHORIZATION, bearer(key));
        server.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(kind(&metrics(&file.keys[0])), (403, "forbidden".to_owned()));
    assert_eq!(metrics(&file.keys[1]).status(), 200);
    let refused = post(&server, "/loss/mse", &[&bearer(&file.keys[1])]);
    assert_eq!(kind(&refused), (403, "forbidden".to_owned()));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(kind(&server.get("/metrics")), (401, "unauthorized".to_owned()));
    for path in [
        "/",
        "/loss",
        "/loss/mse",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/version",
        "/problems",
    ] {
        assert_eq!(server.get(path).status(), 200, "{path}");
    }
    let request = Request::put("/loss/mse").body(Body::empty()).unwrap();
    assert_eq!(server.send(request).status(), 405);
}

#[test]
fn a_key_over_its_rate_is_told_when_to_come_back() {
    let limits = Table { rate: Some(0.5), burst: Some(10.0), ..table("slow") };
    let file = KeysFile::new("rate", vec![limits]);
    let server = Server::with(file.given());
    let key = bearer(&file.keys[0]);
    // Nine by its length, four in truth.
    assert_eq!(post(&server, "/loss/mse", &[&key]).status(), 200);
    let refused = post(&server, "/loss/mse", &[&key]);
    assert_eq!(kind(&refused), (429, "too-many-requests".to_owned()));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((5..=6).contains(&wait), "{wait}");
    assert_eq!(refused.header("connection"), Some("close"));
    // What is refused before it is charged costs nothing.
    let request = Request::post("/loss/mse")
        .header(header::CONTENT_LENGTH, 1_u64 << 40)
        .header(header::AUTHORIZATION, &key);
    assert_eq!(server.send(request.body(Body::empty()).unwrap()).status(), 413);
    let cost = server.service.metrics.text();
    assert!(cost.contains("lossd_key_cost_units_total{key=\"slow\"} 4\n"), "{cost}");
}

#[test]
fn a_compressed_body_costs_what_it_decodes_to() {
    let limits = Table { rate: Some(0.5), burst: Some(1000.0), ..table("zip") };
    let file = KeysFile::new("compressed", vec![limits]);
    let server = Server::with(Given { body_bytes_max: Some(100_000), ..file.given() });
    let send = |plain: &[u8]| {
        let body = compress("zstd", plain);
        let request = Request::post("/loss/mse")
            .header(header::CONTENT_ENCODING, "zstd")
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::AUTHORIZATION, bearer(&file.keys[0]));
        server.send(request.body(Body::from(body)).unwrap()).status().as_u16()
    };
    let cost = |cost: usize| {
        let metrics = server.service.metrics.text();
        let line = format!("lossd_key_cost_units_total{{key=\"zip\"}} {cost}\n");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    };
    assert_eq!(send(BODY.as_bytes()), 200);
    cost(4);
    // A bomb costs as much as a body that is a byte too long, and leaves a debt.
    assert_eq!(send(&vec![b' '; 10_000_000]), 413);
    cost(4 + 25_000);
    assert_eq!(send(BODY.as_bytes()), 429);
}

#[test]
fn one_key_at_eight_times_its_quota_costs_another_no_refusal() {
    const STEPS: u32 = 100;
    const STEP: Duration = Duration::from_millis(10);
    let limits =
        |name| Table { rate: Some(1000.0), burst: Some(200.0), share: Some(0.5), ..table(name) };
    let file = KeysFile::new("fair", vec![limits("greedy"), limits("modest")]);
    let server =
        Server::with(Given { jobs_max: Some(2), inline_bytes_max: Some(0), ..file.given() });
    let (greedy, modest) = (bearer(&file.keys[0]), bearer(&file.keys[1]));
    let started = Instant::now();
    // Requests of four numbers each, in every step of 10 ms: 8000 cost units a second for the one,
    // which makes up for time that it has lost, and at most 800 for the other, which does not.
    let flood = |key: &str, count: u32, makes_up: bool| {
        let mut refused = 0;
        for turn in 0..STEPS {
            let due = (STEP * turn).saturating_sub(started.elapsed());
            thread::sleep(if makes_up { due } else { STEP });
            for _ in 0..count {
                match post(&server, "/loss/mse", &[key]).status().as_u16() {
                    200 => {}
                    429 => refused += 1,
                    status => panic!("a status of {status}"),
                }
            }
        }
        refused
    };
    let (of_greedy, of_modest) = thread::scope(|scope| {
        let rival = scope.spawn(|| flood(&greedy, 20, true));
        let of_modest = flood(&modest, 2, false);
        (rival.join().unwrap(), of_modest)
    });
    assert_eq!(of_modest, 0);
    let seconds = started.elapsed().as_secs_f64();
    let done = f64::from(STEPS * 20 - of_greedy) * 4.0;
    // While one is in flight it counts for more than it is, so that it may even get less.
    assert!(done <= 1000.0 * seconds + 200.0 + 4.0, "{done} cost units in {seconds} s");
    assert!(0 < of_greedy);
}

#[test]
fn a_key_holds_no_more_than_its_share_of_the_places() {
    let half = |name| Table { share: Some(0.5), ..table(name) };
    let file = KeysFile::new("share", vec![half("a"), half("b")]);
    let given = Given { jobs_max: Some(4), body_seconds: Some(1.5), ..file.given() };
    let server = Server::with(given);
    let send = |key: &str, body: Body| {
        let request = Request::post("/loss/mse").header(header::AUTHORIZATION, bearer(key));
        server.send(request.body(body).unwrap())
    };
    let (a, b) = (&file.keys[0], &file.keys[1]);
    let stuck = || Body::new(Stuck(Some(Bytes::from_static(b"{"))));
    thread::scope(|scope| {
        let held = [scope.spawn(|| send(a, stuck())), scope.spawn(|| send(a, stuck()))];
        let started = Instant::now();
        while 2 < server.service.places.available_permits() {
            assert!(started.elapsed() < PATIENCE);
            thread::sleep(Duration::from_millis(1));
        }
        let refused = send(a, Body::from(BODY));
        assert_eq!(kind(&refused), (429, "too-many-requests".to_owned()));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(send(b, Body::from(BODY)).status(), 200);
        // A small body of a known length takes no place, nor a share of them.
        assert_eq!(post(&server, "/loss/mse", &[&bearer(a)]).status(), 200);
        for held in held {
            assert_eq!(held.join().unwrap().status(), 408);
        }
    });
    assert_eq!(send(a, Body::from(BODY)).status(), 200);
}

#[test]
fn failures_are_throttled_by_address() {
    let file = KeysFile::new("throttled", vec![table("a")]);
    let server = Server::with(file.given());
    let send = |address: [u8; 4], key: &str| {
        let request = Request::post("/loss/mse")
            .header(header::AUTHORIZATION, bearer(key))
            .extension(Peer(IpAddr::V4(Ipv4Addr::from(address))));
        server.send(request.body(Body::from(BODY)).unwrap())
    };
    for _ in 0..10 {
        assert_eq!(send([192, 0, 2, 1], "lk_00000000_guess").status(), 401);
    }
    for key in ["lk_00000000_guess", &file.keys[0]] {
        let refused = send([192, 0, 2, 1], key);
        assert_eq!(kind(&refused), (429, "too-many-requests".to_owned()));
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
    }
    assert_eq!(send([192, 0, 2, 2], &file.keys[0]).status(), 200);
}

#[test]
fn series_of_keys_are_there_before_the_first_request() {
    let file = KeysFile::new("series", vec![table("a"), reader("m")]);
    let server = Server::with(file.given());
    let text = server.service.metrics.text();
    for name in ["a", "m"] {
        for metric in ["lossd_key_requests_total", "lossd_key_cost_units_total"] {
            assert!(text.contains(&format!("{metric}{{key=\"{name}\"}} 0\n")), "{text}");
        }
    }
    post(&server, "/loss/mse", &[&bearer(&file.keys[0])]);
    let text = server.service.metrics.text();
    assert!(text.contains("lossd_key_requests_total{key=\"a\"} 1\n"), "{text}");
    assert!(text.contains("lossd_key_cost_units_total{key=\"a\"} 4\n"), "{text}");
}

/// Sends one evaluation over a connection of its own.
fn ask(server: &Running, key: &str) -> String {
    let mut stream = server.connect();
    let length = BODY.len();
    write!(
        stream,
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
         content-length: {length}\r\n\r\n{BODY}"
    )
    .unwrap();
    rest(&mut stream)
}

#[test]
fn a_401_needs_no_byte_of_the_body() {
    let file = KeysFile::new("head", vec![table("a")]);
    let server = Running::start(&["--keys-file", file.path.to_str().unwrap()]);
    for authorization in ["", "authorization: Bearer lk_00000000_00\r\n"] {
        let mut stream = server.connect();
        let head = "POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n";
        write!(stream, "{head}{authorization}\r\n").unwrap();
        let answer = rest(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    assert!(ask(&server, &file.keys[0]).starts_with("HTTP/1.1 200 "));
    // Over real connections too it is the address that is throttled.
    let statuses: Vec<bool> =
        (0..12).map(|_| ask(&server, "lk_00000000_00").starts_with("HTTP/1.1 429 ")).collect();
    assert!(!statuses[0] && statuses[11], "{statuses:?}");
}

#[test]
fn keys_are_read_again_when_their_file_changes() {
    let mut file = KeysFile::new("reload", vec![table("old")]);
    let server = Running::start(&["--keys-file", file.path.to_str().unwrap()]);
    let old = file.keys[0].clone();
    assert!(ask(&server, &old).starts_with("HTTP/1.1 200 "));
    file.rewrite(vec![table("new"), table("newer")]);
    let line = server.log.recv_timeout(Duration::from_secs(3)).unwrap();
    assert!(line.contains("read again") && line.contains("\"keys\":2"), "{line}");
    assert!(ask(&server, &file.keys[1]).starts_with("HTTP/1.1 200 "));
    assert!(ask(&server, &old).starts_with("HTTP/1.1 401 "));
    fs::write(&file.path, "[[key]]\nname = \"broken\"\n").unwrap();
    let line = server.log.recv_timeout(Duration::from_secs(3)).unwrap();
    assert!(line.contains("WARN") && line.contains("missing field"), "{line}");
    assert!(ask(&server, &file.keys[0]).starts_with("HTTP/1.1 200 "), "the keys stay");
    // On SIGHUP they are read whether or not the file changed.
    server.signal("-HUP");
    let line = server.log.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("stay as they were"), "{line}");
}

#[test]
fn secrets_are_neither_logged_nor_counted() {
    let both = Table { scopes: vec![Scope::Evaluate, Scope::Metrics], ..table("team-a") };
    let file = KeysFile::new("secrets", vec![both]);
    let path = file.path.to_str().unwrap();
    let mut server = Running::start(&["--log-level", "trace", "--keys-file", path]);
    let key = &file.keys[0];
    let wrong = format!("{}0123456789abcdef", key.replace("lk_", "lk_x"));
    assert!(ask(&server, key).starts_with("HTTP/1.1 200 "));
    assert!(ask(&server, &wrong).starts_with("HTTP/1.1 401 "));
    let mut stream = server.connect();
    let head = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer";
    write!(stream, "{head} {key}\r\n\r\n").unwrap();
    let metrics = rest(&mut stream);
    assert!(metrics.contains("lossd_key_requests_total{key=\"team-a\"} 2\n"), "{metrics}");
    server.signal("-TERM");
    assert!(server.wait().success());
    let log = server.log.iter().fold(String::new(), |mut log, line| {
        writeln!(log, "{line}").unwrap();
        log
    });
    assert!(log.contains("\"key\":\"\\\"team-a\\\"\""), "{log}");
    let secret = key.rsplit_once('_').unwrap().1;
    // No part of it either.
    for start in (0..=secret.len() - 16).step_by(8) {
        let part = &secret[start..start + 16];
        assert!(!log.contains(part) && !metrics.contains(part), "{part}");
    }
    assert!(!log.to_lowercase().contains("bearer"), "{log}");
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lossd")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_address_for_everyone_needs_keys_or_a_flag() {
    let (code, _, error) = run(&["--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(64));
    assert!(error.contains("0.0.0.0:0") && error.contains("--open"), "{error}");
    let mut child = Command::new(env!("CARGO_BIN_EXE_lossd"))
        .args(["--listen", "0.0.0.0:0", "--open"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("WARN") && line.contains("everyone"), "{line}");
}

#[test]
fn a_wrong_keys_file_is_an_error_at_the_start() {
    let file = KeysFile::new("wrong", vec![table("a")]);
    let path = file.path.to_str().unwrap();
    let (code, _, error) = run(&["--keys-file", "/nowhere/keys.toml"]);
    assert_eq!(code, Some(64));
    assert!(error.contains("/nowhere/keys.toml"), "{error}");
    let text = fs::read_to_string(path).unwrap().replace("\"evaluate\"", "");
    fs::write(path, text).unwrap();
    let (code, _, error) = run(&["--listen", "127.0.0.1:0", "--keys-file", path]);
    assert_eq!(code, Some(64));
    assert!(error.contains(path) && error.contains("key `a`: scopes must"), "{error}");
}

#[test]
fn the_program_makes_keys() {
    let file = KeysFile::new("made", Vec::new());
    let path = file.path.to_str().unwrap();
    let limits = ["--rate", "1e6", "--share", "0.25", "--scope", "evaluate", "--scope", "metrics"];
    let new = |more: &[&str]| {
        let start = ["key", "new", "--name", "team-a"];
        run(&start.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let (code, printed, error) = new(&limits);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let (key, rest) = printed.split_once('\n').unwrap();
    let secret = key.rsplit_once('_').unwrap().1;
    assert!(key.starts_with("lk_") && !rest.contains(secret), "{printed}");
    // What is printed can be put into the file as it is.
    fs::write(path, rest).unwrap();
    let server = Server::with(file.given());
    assert_eq!(post(&server, "/loss/mse", &[&bearer(key)]).status(), 200);
    let (code, _, error) = new(&["--file", path]);
    assert_eq!(code, Some(64));
    assert!(error.contains("another key has this name"), "{error}");
    let other = ["--name", "team-b", "--file", path];
    let (code, printed, _) = run(&["key", "new"].iter().chain(&other).copied().collect::<Vec<_>>());
    assert_eq!(code, Some(0));
    let server = Server::with(file.given());
    let key = printed.lines().next().unwrap();
    assert_eq!(post(&server, "/loss/mse", &[&bearer(key)]).status(), 200);
    assert_eq!(new(&["--scope", "everything"]).0, Some(2));
}
