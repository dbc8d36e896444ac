//! HTTP/2 on a connection, with limits for what one client may hold, and a watch over clients that
//! do not ask for anything or do not read what they asked for.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use hyper::body::{Bytes, Frame, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, interval};

use super::access::Peer;
use super::connection::{HEAD_BYTES_MAX, Host, answer, reason};
use super::guard::{Guarded, Patience, Phase, for_reading};

/// Requests at once on a connection.
const STREAMS: u32 = 32;
/// Requests that a client has taken back, or the server has, before the connection is ended.
const RESETS_BY_CLIENT: usize = 20;
/// Clients begin with up to 100 requests before they know `STREAMS`. Each one over it is refused, and
/// its body too, if it comes after: that must not end the connection.
const RESETS_BY_SERVER: usize = 256;
/// So much of a request may be under way before the server has looked at it, and of all requests.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// So much of an answer is handed over at once.
const PIECE: usize = 65_536;
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// A connection that is older is ended when it has nothing to do.
const OLD: Duration = Duration::from_mins(10);

/// Serves a connection until it ends, and says how it ended.
pub async fn serve<S>(stream: S, peer: Peer, host: Host) -> &'static str
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Host { site, patience, mut stop } = host;
    let phase = Phase::new();
    // The watch below has the times for reading; the guard only sees whether the client reads.
    let _busy = phase.answering();
    let io = TokioIo::new(Guarded::new(stream, phase.clone(), patience));
    let streams = Arc::new(Streams::new(patience));
    let (begun, served) = (streams.clone(), site.clone());
    let service = service_fn(move |request| {
        let stream = begun.begin();
        let answer = answer(request, peer, served.clone());
        async move {
            let response = answer.await;
            Ok::<_, std::convert::Infallible>(response.map(|body| Paced::new(body, stream)))
        }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS_BY_CLIENT)
        .max_local_error_reset_streams(RESETS_BY_SERVER)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(PIECE)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut every = interval(streams.tick());
    let mut is_asked_to_end = false;
    loop {
        tokio::select! {
            end = &mut connection => return match end {
                Ok(()) => "done",
                Err(_) if phase.is_late() => "timeout",
                Err(error) => reason(&error),
            },
            Ok(()) = stop.changed() => {
                is_asked_to_end = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = every.tick() => match streams.verdict(Instant::now(), site.app().is_draining()) {
                Verdict::GoOn => {}
                Verdict::End if is_asked_to_end => {}
                Verdict::End => {
                    is_asked_to_end = true;
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::Cut => {
                    tracing::debug!("a client of HTTP/2 took too long");
                    return "timeout";
                }
            },
        }
    }
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    GoOn,
    /// End it when the requests that are there are answered.
    End,
    /// End it now.
    Cut,
}

/// The requests of a connection that are not answered to the end.
struct Streams {
    patience: Patience,
    since: Instant,
    state: Mutex<State>,
}

struct State {
    /// How many requests there have been.
    begun: u64,
    /// For each that is there, until when its client must take another piece of the answer, if the
    /// next step is the client's.
    due: HashMap<u64, Option<Instant>>,
    /// Since when there is none.
    idle: Instant,
}

impl Streams {
    fn new(patience: Patience) -> Streams {
        let since = Instant::now();
        let state = Mutex::new(State { begun: 0, due: HashMap::new(), idle: since });
        Streams { patience, since, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Streams>) -> Stream {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.due.insert(number, None);
        Stream { of: self.clone(), number }
    }

    /// How often to look.
    fn tick(&self) -> Duration {
        let Patience { head, keep_alive, reading, .. } = self.patience;
        let least = head.min(keep_alive).min(reading);
        (least / 8).clamp(Duration::from_millis(20), Duration::from_secs(1))
    }

    fn verdict(&self, now: Instant, is_draining: bool) -> Verdict {
        let state = self.state();
        let is_late = |due: &Option<Instant>| due.is_some_and(|due| due <= now);
        if state.due.values().any(is_late) {
            return Verdict::Cut;
        }
        let is_new = state.begun == 0;
        let patience = if is_new { self.patience.head } else { self.patience.keep_alive };
        // The end of an answer may still be on its way, which takes as long as reading may.
        match now.checked_duration_since(state.idle).filter(|_| state.due.is_empty()) {
            Some(idle) if patience + self.patience.reading <= idle => Verdict::Cut,
            Some(idle) if patience <= idle => Verdict::End,
            // Before its first request a client would take it for a failure.
            _ if is_draining && !is_new => Verdict::End,
            Some(_) if OLD <= now - self.since && !is_new => Verdict::End,
            _ => Verdict::GoOn,
        }
    }
}

/// A request that is not answered to the end.
struct Stream {
    of: Arc<Streams>,
    number: u64,
}

impl Stream {
    /// The next step is the client's, and until when; or it is the server's.
    fn await_client(&self, until: Option<Instant>) {
        self.of.state().due.insert(self.number, until);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.due.remove(&self.number);
        state.idle = Instant::now();
    }
}

/// An answer's body, handed over in pieces.
struct Paced {
    body: Body,
    rest: Bytes,
    stream: Stream,
}

impl Paced {
    fn new(body: Body, stream: Stream) -> Paced {
        Paced { body, rest: Bytes::new(), stream }
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => {
                    this.stream.await_client(None);
                    return other;
                }
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        let until = Instant::now() + for_reading(this.stream.of.patience, piece.len());
        this.stream.await_client(Some(until));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn streams() -> Arc<Streams> {
        let (first_byte, head) = (seconds(5), seconds(10));
        Arc::new(Streams::new(Patience {
            first_byte,
            head,
            keep_alive: seconds(75),
            reading: seconds(20),
        }))
    }

    #[test]
    fn a_connection_without_requests_ends() {
        let streams = streams();
        let now = Instant::now();
        assert_eq!(streams.verdict(now, true), Verdict::GoOn, "it may still ask");
        assert_eq!(streams.verdict(now + seconds(11), false), Verdict::End);
        assert_eq!(streams.verdict(now + seconds(31), false), Verdict::Cut);
        let stream = streams.begin();
        assert_eq!(streams.verdict(now + seconds(601), false), Verdict::GoOn);
        assert_eq!(streams.verdict(now, true), Verdict::End);
        drop(stream);
        assert_eq!(streams.verdict(now + seconds(74), false), Verdict::GoOn);
        assert_eq!(streams.verdict(now + seconds(76), false), Verdict::End);
        assert_eq!(streams.verdict(now + seconds(96), false), Verdict::Cut);
        streams.state().idle = now + seconds(600);
        assert_eq!(streams.verdict(now + seconds(601), false), Verdict::End, "it is old");
    }

    #[test]
    fn an_answer_that_is_not_read_ends_its_connection() {
        let (streams, now) = (streams(), Instant::now());
        let mut body = Paced::new(Body::from(vec![0; PIECE + 1]), streams.begin());
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert_eq!(body.size_hint().exact(), Some(PIECE as u64 + 1));
        for (length, is_end) in [(PIECE, false), (1, true)] {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) else {
                panic!("there is more");
            };
            assert_eq!(frame.into_data().unwrap().len(), length);
            assert_eq!(body.is_end_stream(), is_end);
            assert_eq!(streams.verdict(now + seconds(19), false), Verdict::GoOn);
            assert_eq!(streams.verdict(now + seconds(30), false), Verdict::Cut);
        }
        drop(body);
        assert_eq!(streams.verdict(now + seconds(30), false), Verdict::GoOn);
    }
}
