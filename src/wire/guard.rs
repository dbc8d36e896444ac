//! A connection's bytes under a watch: a client that sends nothing, sends its head by the drop or
//! does not read its answer is let go.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How slowly a client may read, in bytes a second, once it does not keep up.
const READING_RATE: f64 = 16_384.0;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the connection to the first byte.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From an answer to the first byte of the next request.
    pub keep_alive: Duration,
    /// For reading, beside the time that the bytes take at the slowest rate.
    pub reading: Duration,
}

/// What a connection is doing, known to its guard and to its requests.
#[derive(Clone, Debug)]
pub struct Phase(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: AtomicU8,
    /// The connection's task while a request is being answered: its patience begins anew after.
    task: Mutex<Option<Waker>>,
}

/// Nothing has come yet.
const NEW: u8 = 0;
/// A request's head is coming.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;
/// The last answer is out, and no byte of another request has come.
const IDLE: u8 = 3;
/// The client took too long.
const LATE: u8 = 4;

impl Phase {
    /// The phase of a new connection.
    pub fn new() -> Phase {
        Phase(Arc::new(Shared { phase: AtomicU8::new(NEW), task: Mutex::default() }))
    }

    /// A request is there; its answer is out when what this gives is dropped.
    pub fn answering(&self) -> Answering {
        self.set(BUSY);
        Answering(self.clone())
    }

    /// Whether the guard has ended the connection.
    pub fn is_late(&self) -> bool {
        self.get() == LATE
    }

    fn set(&self, phase: u8) {
        self.0.phase.store(phase, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.0.phase.load(Ordering::Relaxed)
    }

    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as this lives, a request is being answered.
#[derive(Debug)]
pub struct Answering(Phase);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(IDLE);
        if let Some(task) = self.0.task().take() {
            task.wake();
        }
    }
}

/// A stream under watch.
pub struct Guarded<S> {
    stream: S,
    phase: Phase,
    patience: Patience,
    /// Until when the client must send something, while the server waits for it.
    due: Option<Instant>,
    reading: Pin<Box<Sleep>>,
    /// Since when the client has not kept up, and how many bytes it has read since.
    behind: Option<(Instant, usize)>,
    writing: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    /// Watches a new connection.
    pub fn new(stream: S, phase: Phase, patience: Patience) -> Guarded<S> {
        let timer = || Box::pin(sleep(patience.first_byte));
        let (reading, writing) = (timer(), timer());
        let due = Some(reading.deadline());
        Guarded { stream, phase, patience, due, reading, behind: None, writing }
    }

    /// Lets the client go.
    fn let_go(&self, what: &'static str) -> io::Error {
        self.phase.set(LATE);
        io::Error::new(io::ErrorKind::TimedOut, what)
    }

    /// Whether the client has had its time to send something.
    fn is_late(&mut self, context: &mut Context<'_>, phase: u8) -> bool {
        let patience = if phase == HEAD { self.patience.head } else { self.patience.keep_alive };
        let due = *self.due.get_or_insert_with(|| Instant::now() + patience);
        // A timer that rings early is cheaper than one that is set anew for every request.
        if due < self.reading.deadline() {
            self.reading.as_mut().reset(due);
        }
        while self.reading.as_mut().poll(context).is_ready() {
            if due <= Instant::now() {
                return true;
            }
            self.reading.as_mut().reset(due);
        }
        false
    }

    /// What is said of a write, and whether the client reads fast enough.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match (&written, &mut self.behind) {
            (Poll::Ready(Ok(count)), Some((_, read))) => *read += count,
            (Poll::Ready(_), _) => {}
            (Poll::Pending, behind) => {
                let (since, read) = *behind.get_or_insert_with(|| (Instant::now(), 0));
                let end = since + for_reading(self.patience, read);
                if self.writing.deadline() != end {
                    self.writing.as_mut().reset(end);
                }
                if self.writing.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(self.let_go("the client does not read its answer")));
                }
            }
        }
        written
    }

    /// What is said of writing all that there was to write. Under TLS that can take a while too.
    fn drained(
        &mut self,
        context: &mut Context<'_>,
        drained: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if drained.is_pending() {
            return self.written(context, Poll::Pending).map_ok(|_| ());
        }
        // The client keeps up.
        self.behind = None;
        drained
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let phase = this.phase.get();
        if let Poll::Ready(Err(error)) = &read
            && error.kind() == io::ErrorKind::UnexpectedEof
        {
            // TLS ended without a farewell. HTTP knows by itself whether something is missing.
            return Poll::Ready(Ok(()));
        }
        if read.is_ready() {
            if before < buffer.filled().len() && (phase == NEW || phase == IDLE) {
                this.phase.set(HEAD);
                this.due = None;
            }
            return read;
        }
        if phase == BUSY {
            this.due = None;
            *this.phase.task() = Some(context.waker().clone());
        } else if this.is_late(context, phase) {
            return Poll::Ready(Err(this.let_go("the client does not send its request")));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        this.drained(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(context);
        this.drained(context, shut)
    }
}

/// How long a client may take to read so many bytes.
pub fn for_reading(patience: Patience, bytes: usize) -> Duration {
    patience.reading + Duration::from_secs_f64(bytes as f64 / READING_RATE)
}
