//! A real server process on a real port, and raw bytes to and from it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// A small batch.
pub(crate) const BODY: &str = r#"{"predictions":[1,2,3],"targets":[1,2,5]}"#;

/// A running server, ended with the test.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
    /// The address for operations, if there is one.
    pub(crate) operations: Option<String>,
    pub(crate) log: Receiver<String>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lossd"))
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .env("LOSSD_LAME_DUCK_SECONDS", "0")
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let first = log.recv_timeout(PATIENCE).expect("the server says that it listens");
        let line: serde_json::Value = serde_json::from_str(&first).expect("the log is JSON");
        let message = line["message"].as_str().unwrap();
        assert!(message.contains("curl ") && message.contains("simd "), "{message}");
        let address = message.split("://").nth(1).unwrap().split(' ').next().unwrap();
        let operations = message.split("also on http://").nth(1);
        let operations = operations.map(|rest| rest.split(')').next().unwrap().to_owned());
        Running { address: address.to_owned(), operations, child, log }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is what most tests want.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The head of a request with a body of so many bytes.
pub(crate) fn head(length: usize) -> String {
    format!("POST /loss/mse HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
}

/// Everything until the other side closes.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What a connection of its own gets for a request without a body.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    rest(&mut stream)
}

/// A batch of a million numbers on each side, whose answer is some megabytes.
pub(crate) fn large() -> String {
    let (a, b) = (vec!["0.1234567"; 1 << 20].join(","), vec!["0.7"; 1 << 20].join(","));
    format!("{{\"predictions\":[{a}],\"targets\":[{b}]}}")
}
