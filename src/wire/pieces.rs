//! An answer's body that is printed while it is sent: a few pieces ahead of the client, on compute
//! threads, so that a client that reads slowly holds none of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use tokio::task::{JoinError, JoinHandle};

use super::App;
use super::json::answer::Pieces;
use crate::service::background::in_background;
use crate::service::metrics::Stage;

/// A body of pieces.
pub fn body(pieces: Arc<dyn Pieces>, app: App) -> InPieces {
    // One for each thread.
    let ahead = app.threads;
    let took = Duration::ZERO;
    let printing = VecDeque::new();
    InPieces { pieces, app, ahead, next: 0, printing, took }
}

/// An answer that is printed while it is sent.
pub struct InPieces {
    pieces: Arc<dyn Pieces>,
    app: App,
    /// How many pieces are printed ahead.
    ahead: usize,
    /// The first piece that nobody prints yet.
    next: usize,
    printing: VecDeque<JoinHandle<(Vec<u8>, Duration)>>,
    /// How long printing has taken so far.
    took: Duration,
}

impl HttpBody for InPieces {
    type Data = Bytes;
    type Error = JoinError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, JoinError>>> {
        let this = self.get_mut();
        while this.next < this.pieces.count() && this.printing.len() < this.ahead {
            let (pieces, piece) = (this.pieces.clone(), this.next);
            this.next += 1;
            this.printing.push_back(in_background(move || {
                let started = Instant::now();
                (pieces.print(piece), started.elapsed())
            }));
        }
        let Some(first) = this.printing.front_mut() else { return Poll::Ready(None) };
        let printed = ready!(Pin::new(first).poll(context));
        this.printing.pop_front();
        Poll::Ready(Some(match printed {
            Ok((text, took)) => {
                this.took += took;
                if this.is_end_stream() {
                    this.app.metrics.stage(Stage::Encode, this.took);
                }
                Ok(Frame::data(text.into()))
            }
            Err(error) => {
                tracing::error!(error = ?error.to_string(), "printing an answer panicked");
                Err(error)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.pieces.count() && self.printing.is_empty()
    }
}
