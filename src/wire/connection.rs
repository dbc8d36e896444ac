//! One connection: its handshake, HTTP/1.1 under the guard, and what every request and answer gets.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Request, Response, Version, header};
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::access::Peer;
use super::framing;
use super::guard::{Guarded, Patience, Phase};
use super::holding::Holding;
use super::http2;
use super::site::Site;
use super::tls::{self, Tls};

/// Most bytes of a request's head. Of headers hyper takes 100, in memory that it need not clear.
pub const HEAD_BYTES_MAX: usize = 16_384;
/// So much of a body that nobody reads is thrown away, so that its client reads the answer.
const UNREAD_BYTES_MAX: usize = 65_536;
const UNREAD_PATIENCE: Duration = Duration::from_millis(250);

/// Sets what the kernel should do for a connection.
///
/// # Errors
/// If the connection has ended already.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Answers are written whole; waiting to fill a packet only delays them.
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    // A peer that vanished without a word is noticed within two minutes.
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_mins(1))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(30)))?;
    Ok(())
}

/// What the connections of a port are served with.
#[derive(Clone)]
pub struct Host {
    /// What answers.
    pub site: Site,
    /// How long clients may take.
    pub patience: Patience,
    /// Changes when connections should end.
    pub stop: watch::Receiver<()>,
}

/// Serves a connection until it ends, and says how it ended.
pub async fn serve(
    stream: TcpStream,
    peer: Peer,
    host: Host,
    tls: Option<Arc<Tls>>,
) -> &'static str {
    let Some(tls) = tls else { return http1(stream, peer, host).await };
    match timeout(host.patience.first_byte, tls.accept(stream)).await {
        Ok(Ok(stream)) if tls::is_http2(&stream) => http2::serve(stream, peer, host).await,
        Ok(Ok(stream)) => http1(stream, peer, host).await,
        Ok(Err(error)) => {
            tracing::debug!(error = ?error.to_string(), "a handshake failed");
            "handshake"
        }
        Err(_) => "handshake",
    }
}

/// Serves HTTP/1.1 on a stream until it ends, and says how it ended.
pub async fn http1<S>(stream: S, peer: Peer, host: Host) -> &'static str
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Host { site, patience, mut stop } = host;
    let phase = Phase::new();
    let io = TokioIo::new(Guarded::new(stream, phase.clone(), patience));
    let service = service_fn(move |request| {
        let answering = phase.answering();
        let answer = answer(request, peer, site.clone());
        async move {
            let response = answer.await;
            // The connection is busy as long as the answer is not sent.
            Ok::<_, Infallible>(response.map(|body| Holding::new(body, answering)))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            // The guard has the time for a head apart from the time between requests.
            .header_read_timeout(None)
            .max_header_size(HEAD_BYTES_MAX)
            .serve_connection(io, service)
    );
    let end = loop {
        tokio::select! {
            end = &mut connection => break end,
            Ok(()) = stop.changed() => connection.as_mut().graceful_shutdown(),
        }
    };
    match end {
        Ok(()) => "done",
        Err(error) => reason(&error),
    }
}

/// How connections end, as the metrics name it.
pub const ENDS: [&str; 7] =
    ["done", "malformed", "timeout", "incomplete", "broken", "address-limit", "handshake"];

/// How a connection ended that ended early.
pub fn reason(error: &hyper::Error) -> &'static str {
    tracing::debug!(error = ?error.to_string(), "a connection ended early");
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    let is_late = source.is_some_and(|io: &io::Error| io.kind() == io::ErrorKind::TimedOut);
    match error {
        _ if is_late || error.is_timeout() => "timeout",
        _ if error.is_parse() => "malformed",
        _ if error.is_incomplete_message() => "incomplete",
        _ => "broken",
    }
}

/// Answers one request.
pub async fn answer(request: Request<Incoming>, peer: Peer, site: Site) -> Response<Body> {
    let problem = framing::fault(&request);
    let is_http2 = request.version() == Version::HTTP_2;
    let left = Arc::new(Mutex::new(None));
    let mut request =
        request.map(|body| Body::new(Received { body: Some(body), left: left.clone() }));
    let is_ambiguous = problem.is_some();
    if let Some(problem) = problem {
        request.extensions_mut().insert(problem);
    }
    let mut response = site.answer(Some(peer), request).await;
    // The lock is held for as long as it takes to look.
    let unread = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    if is_http2 {
        // There a connection ends with a frame, and a body that is not wanted with its stream.
        response.headers_mut().remove(header::CONNECTION);
        if let Some(body) = unread {
            tokio::spawn(keep(body));
        }
        return response;
    }
    let is_read = match unread {
        None => true,
        Some(_) if is_ambiguous || response.headers().contains_key(header::CONNECTION) => false,
        Some(body) => timeout(UNREAD_PATIENCE, throw_away(body)).await.is_ok_and(|is_read| is_read),
    };
    if !is_read || is_ambiguous || site.app().is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Keeps a body of HTTP/2, unread, until its client has had time to read the answer. The stream is
/// reset when the body is dropped, and some clients would no longer look at an answer then.
async fn keep(body: Incoming) {
    sleep(UNREAD_PATIENCE).await;
    drop(body);
}

/// Reads a body that is not too long, and says whether it was read to its end.
async fn throw_away(body: Incoming) -> bool {
    if body.size_hint().lower() > UNREAD_BYTES_MAX as u64 {
        return false;
    }
    let (mut body, mut read) = (Body::new(body), 0);
    while read <= UNREAD_BYTES_MAX {
        match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
        }
    }
    false
}

/// A request's body. What nobody has read of it when it is dropped is left behind.
struct Received {
    body: Option<Incoming>,
    left: Arc<Mutex<Option<Incoming>>>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
