//! Compressed bodies: decoded into memory that is charged before it is taken, and not beyond what a
//! plain body may have.

use std::io::{self, BufRead, ErrorKind, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::admission::{PER_BODY_BYTE, too_large_decoded};
use super::coding::Coding;
use super::evaluate::Afford;
use super::problem::{Code, Problem};
use crate::numeric::{cancel, spare};

/// So much is read or written before somebody looks whether the work should stop.
const STEP: usize = 1 << 18;
/// The first buffer, for what was small even before it was compressed.
const LEAST: usize = 1 << 16;
/// Numbers are compressed to a half or a third: with so many times as much, few bodies have to move
/// to a larger buffer.
const USUAL: usize = 4;
/// The largest window of zstd, as a power of 2: what RFC 9659 has everybody stay below.
const ZSTD_WINDOW: u32 = 23;

impl Coding {
    /// The most that a decoder holds beside its window, and the window, of which it touches no more
    /// than it has decoded.
    const fn decoder(self) -> (usize, usize) {
        match self {
            Coding::Gzip => (1 << 16, 1 << 15),
            Coding::Zstd => (1 << 19, 1 << ZSTD_WINDOW),
            // Most of it would be Huffman codes, as many as a hostile stream can ask for.
            Coding::Brotli => (1 << 22, 1 << 24),
        }
    }

    /// How many bytes decoding into a buffer takes: what a plain body is charged, and the decoder.
    fn memory(self, buffer: usize) -> usize {
        let (fixed, window) = self.decoder();
        buffer.saturating_mul(PER_BODY_BYTE).saturating_add(fixed + window.min(buffer))
    }

    /// How to do it right.
    const fn advice(self) -> &'static str {
        match self {
            Coding::Gzip => "send whole gzip members, and nothing behind the last one",
            Coding::Zstd => {
                "send whole zstd frames, without a dictionary and with a window of at most 8 MiB, \
                 which are levels up to 19 without --long"
            }
            Coding::Brotli => "send one brotli stream, and nothing behind it",
        }
    }
}

/// Decodes a body into `plain`, which has what was decoded so far if that fails.
///
/// # Errors
/// `Code::MalformedEncoding` if it is not what it is said to be, `Code::BodyTooLarge` if it has more
/// than `limit` bytes, and what `afford` says.
pub fn decode(
    coding: Coding,
    body: &[u8],
    limit: usize,
    plain: &mut Vec<u8>,
    afford: Afford<'_>,
) -> Result<(), Problem> {
    // One byte more shows that there is more.
    let most = limit.saturating_add(1);
    let mut wanted = body.len().saturating_mul(USUAL).clamp(LEAST, most.max(LEAST));
    if let Some(spare) = spare::BYTES.empty(wanted) {
        wanted = spare.capacity();
        *plain = spare;
    }
    let fault = |error: &io::Error, rest: usize| {
        let at = body.len() - rest;
        if cancel::is_raised() { Problem::nobody_waits() } else { malformed(coding, error, at) }
    };
    let mut decoder = Decoder::new(coding, body).map_err(|_| Problem::internal())?;
    loop {
        afford(coding.memory(wanted))?;
        plain.reserve_exact(wanted - plain.len());
        while plain.len() < plain.capacity() {
            if cancel::is_raised() {
                return Err(Problem::nobody_waits());
            }
            let room = (plain.capacity().min(most) - plain.len()).min(STEP);
            let read = decoder.by_ref().take(room as u64).read_to_end(plain);
            let read = read.map_err(|error| fault(&error, decoder.rest()))?;
            if limit < plain.len() {
                return Err(too_large_decoded(limit));
            }
            if read < room {
                return Ok(());
            }
        }
        wanted = plain.capacity().saturating_mul(2).min(most);
    }
}

fn malformed(coding: Coding, error: &io::Error, at: usize) -> Problem {
    let name = coding.name();
    let detail = match error.kind() {
        ErrorKind::UnexpectedEof => format!("the {name} stream of {at} bytes is cut short"),
        _ => format!("the body is not what {name} makes, after byte {at}: {error}"),
    };
    Problem::new(Code::MalformedEncoding, detail).hint(coding.advice())
}

/// What is left of a body. It is handed out in steps, so that a body that decodes to nothing, however
/// long it is, can be given up.
struct Source<'a>(&'a [u8]);

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if cancel::is_raised() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(&self.0[..self.0.len().min(STEP)])
    }

    fn consume(&mut self, read: usize) {
        self.0 = &self.0[read..];
    }
}

enum Decoder<'a> {
    Gzip(Box<MultiGzDecoder<Source<'a>>>),
    Zstd(ZstdDecoder<'static, Source<'a>>),
    Brotli(Box<Brotli<'a>>),
}

impl<'a> Decoder<'a> {
    fn new(coding: Coding, body: &'a [u8]) -> io::Result<Decoder<'a>> {
        let source = Source(body);
        Ok(match coding {
            Coding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
            Coding::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(source)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Decoder::Zstd(decoder)
            }
            Coding::Brotli => Decoder::Brotli(Box::new(Brotli::new(source))),
        })
    }

    /// How many bytes of the body are left.
    fn rest(&self) -> usize {
        let source = match self {
            Decoder::Gzip(decoder) => decoder.get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref(),
            Decoder::Brotli(decoder) => &decoder.source,
        };
        source.0.len()
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
            Decoder::Brotli(decoder) => decoder.read(buffer),
        }
    }
}

/// A decoder of brotli that, unlike the library's own reader, refuses the windows beyond RFC 7932,
/// which would be of up to a GiB, and knows what is cut short from what is wrong.
struct Brotli<'a> {
    source: Source<'a>,
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
}

impl Brotli<'_> {
    fn new(source: Source<'_>) -> Brotli<'_> {
        let allocator = StandardAlloc::default;
        Brotli { source, state: BrotliState::new_strict(allocator(), allocator(), allocator()) }
    }
}

impl Read for Brotli<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.source.fill_buf()?;
            let (mut left, mut read) = (input.len(), 0);
            let (mut room, mut written) = (buffer.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut read,
                input,
                &mut room,
                &mut written,
                buffer,
                &mut 0,
                &mut self.state,
            );
            self.source.consume(read);
            let rest = self.source.0.len();
            return match result {
                BrotliResult::ResultFailure => Err(io::Error::other("corrupt brotli stream")),
                BrotliResult::ResultSuccess if 0 < rest => {
                    Err(io::Error::other("something follows the end of the stream"))
                }
                BrotliResult::NeedsMoreInput if written == 0 && 0 < rest => continue,
                BrotliResult::NeedsMoreInput if written == 0 => {
                    Err(ErrorKind::UnexpectedEof.into())
                }
                _ => Ok(written),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_stops_when_nobody_waits() {
        // It decodes to nothing at all, and its beginning to nothing that could be too much.
        let frames = b"\x50\x2a\x4d\x18\0\0\0\0".repeat(100);
        let flag = cancel::Flag::default();
        flag.raise();
        let mut plain = Vec::new();
        let run = || decode(Coding::Zstd, &frames, 100, &mut plain, &mut |_| Ok(()));
        assert_eq!(cancel::under(flag, run), Err(Problem::nobody_waits()));
    }
}
