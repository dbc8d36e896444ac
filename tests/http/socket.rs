//! Tests of the process: starting, stopping, and its small helpers. Each has a bound on its time.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::running::{BODY, PATIENCE, Running, get, head, rest};

#[test]
fn a_request_that_is_there_is_answered_after_sigterm() {
    // Small bodies would take no place, and the job gauge would not show them.
    let mut server = Running::start(&["--inline-bytes-max", "0"]);
    let mut stream = server.connect();
    let (first, second) = BODY.split_at(10);
    write!(stream, "{}{first}", head(BODY.len())).unwrap();
    // The server has the head once it counts the request.
    let started = Instant::now();
    while !get(&server.address, "/metrics").contains("lossd_jobs_in_flight 1") {
        assert!(started.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(10));
    }
    server.signal("-TERM");
    let stopping = server.log.recv_timeout(PATIENCE).unwrap();
    assert!(stopping.contains("stopping"), "{stopping}");
    write!(stream, "{second}").unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("1.3333334"), "{answer}");
    assert!(TcpStream::connect(&server.address).is_err(), "nothing listens any more");
    assert!(server.wait().success());
}

#[test]
fn half_sent_requests_do_not_keep_the_server_from_ending() {
    let mut server = Running::start(&["--drain-seconds", "0.3"]);
    let mut in_head = server.connect();
    write!(in_head, "POST /loss/mse HT").unwrap();
    let mut in_body = server.connect();
    write!(in_body, "{}{{", head(100)).unwrap();
    thread::sleep(Duration::from_millis(100));
    server.signal("-TERM");
    assert!(server.wait().success());
}

#[test]
fn a_client_that_does_not_send_its_head_is_let_go() {
    let server = Running::start(&["--header-seconds", "0.3"]);
    for said in ["", "GET /heal", "PRI * HT"] {
        let mut stream = server.connect();
        write!(stream, "{said}").unwrap();
        // Nothing, or a bare 408, and then the end; a read that times out would be an error.
        let answer = rest(&mut stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{said}: {answer}");
    }
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_allocator_gives_large_buffers_back() {
    let server = Running::start(&[]);
    let environment = std::fs::read(format!("/proc/{}/environ", server.id())).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("glibc.malloc.mmap_threshold=4194304"), "{environment}");
    // The process is the one that was started, and takes its signals.
    assert!(get(&server.address, "/readyz").contains("ready"));
}

#[test]
fn the_program_has_its_small_helpers() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_lossd")).args(arguments).output().unwrap()
    };
    let losses = run(&["losses"]);
    let table = String::from_utf8(losses.stdout).unwrap();
    assert!(losses.status.success() && table.lines().any(|line| line.starts_with("huber ")));
    let mut server = Running::start(&[]);
    assert!(run(&["probe", "--listen", &server.address]).status.success());
    let address = server.address.clone();
    server.signal("-TERM");
    assert!(server.wait().success());
    let dead = run(&["probe", "--listen", &address]);
    assert_eq!(dead.status.code(), Some(1));
    assert!(!dead.stderr.is_empty());
    let wrong = run(&["--simd", "mmx"]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("simd must be"));
    let taken = Running::start(&[]);
    let second = run(&["--listen", &taken.address]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().contains("cannot listen"));
}
