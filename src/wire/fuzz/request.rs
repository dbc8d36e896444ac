//! Connections: whatever a client sends, it hears whole answers, none of which is a fault of the
//! server's, and the same ones however its bytes are cut. Nothing hides behind an ambiguous head.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};

use super::{SERVER, hold};
use crate::wire::App;
use crate::wire::access::Peer;
use crate::wire::connection::{ENDS, Host, http1};

/// Every client has gone by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// The input is all that a client sends.
pub fn check(input: &[u8]) {
    let whole = heard(input, usize::MAX, false);
    for step in [1, 7] {
        // An answer that another thread has worked on may have come too late.
        if heard(input, step, false) != whole {
            let whole = heard(input, usize::MAX, true);
            assert_eq!(heard(input, step, true), whole, "in pieces of {step}");
        }
    }
    assert!(!says_two_lengths(input) || whole.len() <= 1, "{whole:?}");
}

/// What a client hears that sends so many bytes at a time, but for a last bare refusal.
fn heard(input: &[u8], step: usize, is_patient: bool) -> Vec<Answer> {
    let received = Arc::default();
    SERVER.with(|server| {
        let client = Client {
            input: input.to_vec(),
            step,
            received: Arc::clone(&received),
            app: server.app.clone(),
            asked: 0,
            is_patient,
            leaves: None,
        };
        let (_running, stop) = watch::channel(());
        let (site, patience) = (server.site.clone(), server.app.config.patience());
        let host = Host { site, patience, stop };
        let connection = http1(client, Peer(IpAddr::V4(Ipv4Addr::LOCALHOST)), host);
        let end = server.runtime.block_on(async { timeout(PATIENCE, connection).await });
        let end = end.expect("the connection ends");
        assert!(ENDS.contains(&end), "{end}");
        server.holds_nothing();
    });
    let received = received.lock().unwrap_or_else(PoisonError::into_inner);
    let mut answers = answers(&received, input);
    // Whether a head is refused before its end depends on how much of it is there at first.
    answers.pop_if(|last| last.is_bare_refusal());
    answers
}

/// A client that sends all it has, hears the answers that are on their way, and goes.
struct Client {
    input: Vec<u8>,
    step: usize,
    received: Arc<Mutex<Vec<u8>>>,
    app: App,
    /// How often the server has asked for more than there is since it last wrote something.
    asked: usize,
    is_patient: bool,
    /// Since there is nothing to do on other threads either.
    leaves: Option<Pin<Box<Sleep>>>,
}

impl Client {
    /// A server that asks so often has nothing to do but on other threads.
    const ASKED_MAX: usize = 16;

    fn received(&self) -> MutexGuard<'_, Vec<u8>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.input.is_empty() {
            let length = self.input.len().min(self.step).min(buffer.remaining());
            buffer.put_slice(&self.input[..length]);
            self.input.drain(..length);
            return Poll::Ready(Ok(()));
        }
        self.asked += 1;
        if self.asked <= Client::ASKED_MAX || 0 < self.app.queue.running() {
            self.leaves = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        // An answer may be on its way from another thread, or the request's body is not complete.
        // Both are in flight, and memory is charged for most of the former and few of the latter.
        let (is_awaited, patience) = if self.is_patient {
            (0 < self.app.metrics.requests_in_flight.get(), Duration::from_secs(2))
        } else {
            (0 < self.app.budget.charged(), Duration::from_millis(10))
        };
        let leaves = self.leaves.get_or_insert_with(|| Box::pin(sleep(patience)));
        let is_early = leaves.as_mut().poll(context).is_pending();
        if is_awaited && is_early { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.asked = 0;
        self.received().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An answer, without what differs from one time to the next.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    /// The body, if it is JSON and there is one.
    body: Option<Value>,
}

impl Answer {
    /// What is said to a head that is no head, before the routes see it.
    fn is_bare_refusal(&self) -> bool {
        matches!(self.status, 400 | 431) && self.body.is_none()
    }
}

/// Every answer in what was received for an input, each of which must be whole.
fn answers(received: &[u8], input: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut rest = received;
    let mut closes = false;
    while !rest.is_empty() {
        assert!(!closes, "more after the last answer: {}", received.escape_ascii());
        let (head, behind) = cut(rest, b"\r\n\r\n").expect("a head ends");
        let head = str::from_utf8(head).expect("a head is ASCII").to_ascii_lowercase();
        let (status_line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
        let status = status_line.strip_prefix("http/1.").expect("an answer of HTTP/1");
        let status: u16 = status[2..5].parse().expect("a status is a number");
        rest = behind;
        if status == 100 {
            continue;
        }
        let header = |name| {
            let lines = headers.split("\r\n").filter_map(|line| line.split_once(": "));
            lines.filter(|(other, _)| *other == name).map(|(_, value)| value).last()
        };
        // To an old client that asked for it hyper says keep-alive beside it.
        closes = header("connection").is_some_and(|value| value.starts_with("close"));
        let is_head = rest.is_empty() || rest.starts_with(b"HTTP/1.");
        let body = match (header("content-length"), header("transfer-encoding")) {
            (Some(length), None) => {
                let length: usize = length.parse().expect("a length is a number");
                // The answer to HEAD says how long the body would be.
                let length = if is_head && cut(input, b"HEAD").is_some() { 0 } else { length };
                let (body, behind) = rest.split_at_checked(length).expect("a body is whole");
                rest = behind;
                body
            }
            other => panic!("small answers have a length, not {other:?}"),
        };
        let is_json = header("content-type").is_some_and(|value| value.ends_with("json"));
        let body = (is_json && !body.is_empty()).then(|| {
            hold(status, body);
            let mut body: Value = serde_json::from_slice(body).expect("JSON is JSON");
            // The server makes one up where the client has none.
            body.as_object_mut().and_then(|members| members.remove("request_id"));
            // Heads that servers may read differently end their connection.
            let is_ambiguous = body["type"] == "/problems#malformed-request"
                && !body["detail"].to_string().contains("x-request-timeout-ms");
            assert!(closes || !is_ambiguous, "{head} {body}");
            body
        });
        let answer = Answer { status, body };
        let is_whole = answer.body.is_some() || answer.is_bare_refusal() || is_head;
        assert!(status == 200 || is_whole, "{head}");
        answers.push(answer);
    }
    answers
}

/// What stands before and behind the first of some bytes.
fn cut<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

/// Whether the first head gives its body two lengths, which two servers may see differently.
fn says_two_lengths(input: &[u8]) -> bool {
    let text = input.to_ascii_lowercase();
    let lines = text.trim_ascii_start().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let head: Vec<&[u8]> = lines.take_while(|line| !line.is_empty()).collect();
    let has = |name: &[u8]| head.iter().any(|line| line.starts_with(name));
    has(b"content-length:") && has(b"transfer-encoding:")
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Corpus;
    use super::*;

    /// What readers of heads trip over.
    const TOKENS: [&[u8]; 26] = [
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"/",
        b"%",
        b"%00",
        b"?",
        b"\xff",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HEAD /loss HTTP/1.1\r\nhost: x\r\n\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-length: 5\r\n",
        b"content-length: 99999999999\r\n",
        b"host: y\r\n",
        b"expect: 100-continue\r\n",
        b"upgrade: h2c\r\n",
        b"connection: upgrade\r\n",
        b"connection: close\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
    ];

    #[test]
    fn clients_hear_whole_answers_and_never_a_fault() {
        Corpus::read("request").mutate(&TOKENS, 4000, check);
    }

    #[test]
    fn answers_are_told_apart() {
        let received = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let statuses: Vec<u16> = answers(received, b"").iter().map(|a| a.status).collect();
        assert_eq!(statuses, [200, 400]);
    }
}
