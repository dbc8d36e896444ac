//! Clients that are slow, broken or hostile on the connection itself: raw bytes to a real process,
//! each with a bound on its time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::running::{BODY, PATIENCE, Running, get, head, large, rest};

/// What a client sends, and what it hears of it: the start of the answer, or nothing.
const FRAMING: [(&str, &str); 22] = [
    ("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 200"),
    ("GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
    ("GET http://x/healthz HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 200"),
    ("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
    ("GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "HTTP/1.1 400"),
    ("GET http://y/healthz HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400"),
    ("GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n", "HTTP/1.1 400"),
    ("GET  /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400"),
    ("G\0T /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400"),
    ("GET /healthz HTTP/1.1\r\nhost: x\r\nbad header: 1\r\n\r\n", "HTTP/1.1 400"),
    ("GET /healthz HTTP/1.1\r\nhost: x\r\na: 1\r\n folded\r\n\r\n", "HTTP/1.1 400"),
    ("POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", "HTTP/1.1 400"),
    ("POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\n12345", "HTTP/1.1 400"),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 400",
    ),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 400",
    ),
    // With two lengths the chunks count, and the connection ends.
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n23\r\n{\"predictions\":[1],\"targets\":[1.5]}\r\n0\r\n\r\n",
        "HTTP/1.1 200",
    ),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 400",
    ),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 400",
    ),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 400",
    ),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 400",
    ),
    (
        "POST /loss/mse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
        "HTTP/1.1 400",
    ),
    ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "HTTP/1.1 400"),
];

/// Everything until the other side closes, or resets.
fn all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}, after {}", String::from_utf8_lossy(&text)),
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The status line of the next answer and the rest of its head.
fn next_head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn heads_that_could_be_read_in_two_ways_are_refused_and_the_connection_closed() {
    let server = Running::start(&["--header-seconds", "1", "--keep-alive-seconds", "0.5"]);
    for (sent, expected) in FRAMING {
        let mut stream = server.connect();
        // A second request hides behind the first one.
        write!(stream, "{sent}GET /version HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let answer = all(&mut stream);
        assert!(answer.starts_with(expected), "{sent:?}: {answer}");
        if !expected.ends_with("200") || sent.contains("content-length") {
            assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{sent:?}: {answer}");
        }
    }
    assert!(get(&server.address, "/metrics").contains("reason=\"malformed\"} 1"));
}

#[test]
fn heads_have_a_limit_in_bytes_and_in_number() {
    let server = Running::start(&[]);
    let status = |headers: String| {
        let mut stream = server.connect();
        let request =
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        // The server may close before it has read all.
        let _ = stream.write_all(request.as_bytes());
        all(&mut stream).chars().skip(9).take(3).collect::<String>()
    };
    assert_eq!(status(format!("a: {}\r\n", "x".repeat(15_000))), "200");
    assert_eq!(status(format!("a: {}\r\n", "x".repeat(17_000))), "431");
    assert_eq!(status("a: x\r\n".repeat(60)), "200");
    assert_eq!(status("a: x\r\n".repeat(101)), "431");
}

/// How long a connection lasts on which this is sent at first, and then these bytes again and
/// again.
fn lasts(address: &str, first: &str, drip: &str) -> Duration {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.write_all(first.as_bytes()).unwrap();
    let (started, mut buffer) = (Instant::now(), [0; 4096]);
    loop {
        assert!(started.elapsed() < PATIENCE, "{first:?} and {drip:?} last for ever");
        match stream.read(&mut buffer) {
            Ok(0) => return started.elapsed(),
            Ok(_) => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return started.elapsed(),
        }
        if stream.write_all(drip.as_bytes()).is_err() {
            return started.elapsed();
        }
    }
}

#[test]
fn nobody_holds_a_connection_by_sending_slowly() {
    let server = Running::start(&[
        "--header-seconds",
        "2",
        "--body-seconds",
        "1.5",
        "--keep-alive-seconds",
        "3",
    ]);
    let in_body = head(100) + "{";
    let get = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let shapes = [
        ("nothing", "", "", 1.0),
        ("half a preface", "PRI * HT", "", 2.0),
        ("half a head", "GET /healthz HT", "", 2.0),
        ("a head by the drop", "GET /healthz HTTP/1.1\r\n", "a", 2.0),
        ("an idle connection", get, "", 3.0),
        ("half a body", &in_body, "", 1.5),
        ("a body by the drop", &in_body, " ", 1.5),
    ];
    thread::scope(|scope| {
        for (what, first, drip, seconds) in shapes {
            let address = &server.address;
            scope.spawn(move || {
                let lasted = lasts(address, first, drip).as_secs_f64();
                assert!((seconds - 0.1..seconds + 0.7).contains(&lasted), "{what}: {lasted} s");
            });
        }
    });
    assert!(crate::running::get(&server.address, "/readyz").contains("ready"));
}

#[test]
fn a_connection_outlasts_its_head_time_between_requests() {
    let server = Running::start(&["--header-seconds", "0.4"]);
    let mut stream = server.connect();
    for _ in 0..3 {
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert!(next_head(&mut stream).starts_with("HTTP/1.1 200"));
        stream.read_exact(&mut [0; 3]).unwrap();
        thread::sleep(Duration::from_millis(700));
    }
}

#[test]
fn a_client_that_does_not_read_is_let_go_and_its_memory_given_back() {
    let server = Running::start(&["--write-seconds", "0.5"]);
    let body = large();
    let mut streams: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
    for stream in &mut streams {
        // The kernels take some megabytes off the server's hands; the rest is in its memory.
        socket2::SockRef::from(&*stream).set_recv_buffer_size(4096).unwrap();
        write!(stream, "{}{body}", head(body.len())).unwrap();
    }
    let started = Instant::now();
    let gauge = |name: &str| {
        let text = get(&server.address, "/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_default().trim().parse::<f64>().unwrap()
    };
    loop {
        let done = gauge("lossd_evaluations_total{loss=\"mse\"}") == 4.0;
        if done && gauge("lossd_memory_charged_bytes") == 0.0 && gauge("lossd_connections") == 1.0 {
            break;
        }
        let metrics = || get(&server.address, "/metrics");
        assert!(started.elapsed() < PATIENCE, "slow readers hold memory: {}", metrics());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_answer_before_the_end_of_the_body_is_heard() {
    let server = Running::start(&[]);
    // What is left of a short body is read, and the connection goes on.
    let mut stream = server.connect();
    for _ in 0..2 {
        let body = "x".repeat(60_000);
        write!(stream, "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{body}")
            .unwrap();
        let head = next_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 404") && !head.contains("connection: close"), "{head}");
        let length = head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
        let mut answer = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut answer).unwrap();
    }
    // A long one is not, and the answer says so.
    let mut stream = server.connect();
    write!(stream, "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").unwrap();
    let head = next_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 404") && head.contains("connection: close"), "{head}");
}

#[test]
fn one_address_has_so_many_connections_and_others_wait_in_the_kernel() {
    let server = Running::start(&["--connections-per-address-max", "3"]);
    let mut held: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    for stream in &mut held {
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert!(next_head(stream).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(all(&mut server.connect()), "", "the fourth is closed");
    drop(held.pop());
    let started = Instant::now();
    let answer = || {
        let mut stream = server.connect();
        // A connection over the limit may be closed before anything is sent on it.
        let _ = write!(stream, "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        all(&mut stream)
    };
    while !answer().contains("ready") {
        assert!(started.elapsed() < PATIENCE);
    }
}

#[test]
fn operations_have_a_port_that_a_full_house_does_not_reach() {
    let server = Running::start(&[
        "--connections-max",
        "8",
        "--operations-listen",
        "127.0.0.1:0",
        "--operations-on-main",
        "false",
    ]);
    let operations = server.operations.clone().unwrap();
    assert!(get(&server.address, "/readyz").starts_with("HTTP/1.1 404"), "not on the main port");
    let _held: Vec<TcpStream> = (0..20).map(|_| server.connect()).collect();
    thread::sleep(Duration::from_millis(50));
    for path in ["/healthz", "/readyz", "/metrics", "/version"] {
        let started = Instant::now();
        let answer = get(&operations, path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(started.elapsed() < Duration::from_secs(2), "{path}");
    }
    assert!(get(&operations, "/loss").starts_with("HTTP/1.1 404"));
    let mut stream = TcpStream::connect(&operations).unwrap();
    write!(stream, "{}{BODY}", head(BODY.len())).unwrap();
    assert!(next_head(&mut stream).starts_with("HTTP/1.1 404"));
}

#[test]
fn after_sigterm_the_server_is_not_ready_but_serves_for_a_while() {
    let mut server = Running::start(&["--lame-duck-seconds", "1", "--drain-seconds", "1"]);
    let mut stream = server.connect();
    write!(stream, "{}{BODY}", head(BODY.len())).unwrap();
    assert!(next_head(&mut stream).starts_with("HTTP/1.1 200"));
    let started = Instant::now();
    server.signal("-TERM");
    while !get(&server.address, "/readyz").starts_with("HTTP/1.1 503") {
        assert!(started.elapsed() < Duration::from_millis(900));
    }
    let mut late = server.connect();
    write!(late, "{}{BODY}", head(BODY.len())).unwrap();
    let answer = rest(&mut late);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert!(server.wait().success());
    let took = started.elapsed();
    assert!(Duration::from_secs(1) <= took && took < Duration::from_millis(2700), "{took:?}");
}
