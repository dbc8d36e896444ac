//! Compressed answers, for clients that ask for them: small ones where they are, large ones piece by
//! piece on compute threads while they are sent.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{LazyLock, OnceLock};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::task::JoinHandle;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::coding::Coding;
use super::problem::Problem;
use super::{App, answer};
use crate::service::background::in_background;
use crate::service::budget::Charge;

/// Shorter answers are sent as they are: they fit into a packet anyway.
const LEAST: u64 = 1024;
/// So much is compressed at once.
const PIECE: usize = 1 << 18;
/// What an encoder holds, and the pieces before and behind it: at most, for each coding.
const HELD: usize = 1 << 21;
/// The levels, each the last one before time grows faster than what is saved; measured in
/// `proto-docs/performance.md`.
const GZIP_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 1;
const BROTLI_LEVEL: i32 = 1;

/// Whether an answer is too short to be compressed.
pub fn is_short(response: &Response) -> bool {
    response.body().size_hint().exact().is_some_and(|length| length < LEAST)
}

/// Compresses an answer that is not short as its client wants it. Where the memory for that is
/// taken, it is sent as it is.
pub async fn encode(app: &App, wanted: Option<Coding>, response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let (mut head, body) = response.into_parts();
    head.headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let kept = head.extensions.remove::<&'static Kept>();
    let Some(coding) = wanted else { return Response::from_parts(head, body) };
    let encoded = if let Some(kept) = kept {
        kept.encoded(coding).map(Body::from).ok_or(body)
    } else if length.is_some_and(|length| length <= app.config.inline_bytes_max as u64) {
        // It is there already, in one piece.
        let Ok(text) = body.collect().await else { return Problem::internal().into_response() };
        let text = text.to_bytes();
        whole(coding, &text).map(Body::from).ok_or_else(|| Body::from(text))
    } else {
        Encoded::new(app, coding, body).map(Body::new)
    };
    let body = match encoded {
        Ok(body) => {
            let name = HeaderValue::from_static(coding.name());
            head.headers.insert(header::CONTENT_ENCODING, name);
            body
        }
        Err(body) => body,
    };
    Response::from_parts(head, body)
}

/// A text that is the same in every answer, and is compressed once.
pub struct Kept {
    text: LazyLock<String>,
    encoded: [OnceLock<Option<Bytes>>; Coding::ALL.len()],
}

impl Kept {
    /// The text that this makes.
    pub const fn new(text: fn() -> String) -> Kept {
        Kept { text: LazyLock::new(text), encoded: [const { OnceLock::new() }; Coding::ALL.len()] }
    }

    /// An answer with this text.
    pub fn answer(&'static self, media_type: &'static str) -> Response {
        let mut response = answer(media_type, self.text.as_str());
        response.extensions_mut().insert(self);
        response
    }

    fn encoded(&self, coding: Coding) -> Option<Bytes> {
        let text = self.text.as_bytes();
        self.encoded[coding as usize].get_or_init(|| whole(coding, text).map(Bytes::from)).clone()
    }
}

/// A text, compressed; none if there is no memory for it.
pub fn whole(coding: Coding, text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(coding, Some(text.len())).ok()?;
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    /// An encoder, for a text of so many bytes if that is known.
    fn new(coding: Coding, length: Option<usize>) -> io::Result<Encoder> {
        Ok(match coding {
            Coding::Gzip => {
                let encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                Encoder::Gzip(Box::new(encoder))
            }
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.set_pledged_src_size(length.map(|length| length as u64))?;
                Encoder::Zstd(encoder)
            }
            Coding::Brotli => {
                let quality = BROTLI_LEVEL;
                let settings = BrotliEncoderParams { quality, ..BrotliEncoderParams::default() };
                let writer = CompressorWriter::with_params(Vec::new(), 1 << 14, &settings);
                Encoder::Brotli(Box::new(writer))
            }
        })
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(text),
            Encoder::Zstd(encoder) => encoder.write_all(text),
            Encoder::Brotli(encoder) => encoder.write_all(text),
        }
    }

    /// What has been written since the last time.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
            Encoder::Brotli(encoder) => encoder.get_mut(),
        })
    }

    /// What has been written since then, and the end.
    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Brotli(encoder) => Ok(encoder.into_inner()),
        }
    }
}

/// A body that is compressed while it is sent.
struct Encoded {
    body: Body,
    /// What the body has given and is not compressed yet.
    text: Bytes,
    state: State,
    _held: Charge,
}

enum State {
    /// Waits for text.
    Idle(Encoder),
    Working(JoinHandle<io::Result<Worked>>),
    Over,
}

/// Compressed text, and the encoder if there is more to come.
type Worked = (Vec<u8>, Option<Encoder>);

impl Encoded {
    /// The body, compressed; or as it is where there is no memory.
    fn new(app: &App, coding: Coding, body: Body) -> Result<Encoded, Body> {
        let length = body.size_hint().exact().map(|length| length as usize);
        let Ok(held) = app.budget.charge(HELD) else { return Err(body) };
        let Ok(encoder) = Encoder::new(coding, length) else { return Err(body) };
        Ok(Encoded { body, text: Bytes::new(), state: State::Idle(encoder), _held: held })
    }

    /// Compresses the next piece on another thread, as soon as there is one.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        let mut is_over = false;
        while self.text.is_empty() && !is_over {
            match ready!(Pin::new(&mut self.body).poll_frame(context)?) {
                Some(frame) => self.text = frame.into_data().unwrap_or_default(),
                None => is_over = true,
            }
        }
        let text = self.text.split_to(self.text.len().min(PIECE));
        let is_last = self.text.is_empty() && (is_over || self.body.is_end_stream());
        if let State::Idle(mut encoder) = std::mem::replace(&mut self.state, State::Over) {
            self.state = State::Working(in_background(move || {
                encoder.write_all(&text)?;
                if is_last {
                    return Ok((encoder.finish()?, None));
                }
                Ok((encoder.take(), Some(encoder)))
            }));
        }
        Poll::Ready(Ok(()))
    }
}

impl HttpBody for Encoded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Over => return Poll::Ready(None),
                State::Idle(_) => ready!(this.poll_work(context))?,
                State::Working(work) => {
                    let worked = ready!(Pin::new(work).poll(context));
                    this.state = State::Over;
                    let (text, encoder) = worked.inspect_err(|error| {
                        tracing::error!(error = ?error.to_string(), "compressing an answer panicked");
                    })??;
                    if let Some(encoder) = encoder {
                        this.state = State::Idle(encoder);
                    }
                    // Encoders keep some text to themselves for a while.
                    if !text.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(text.into()))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over)
    }
}
