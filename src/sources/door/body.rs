//! Bodies as they are read: decompressed on the way, counted against the limit and the memory of the process.

mod chunked;

use std::io::{self, Write};
use std::time::Duration;

use bytes::{Buf, Bytes};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::Instant;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder};
use zstd::stream::zio;

use crate::event::{Budget, Permit};

use chunked::Chunked;

/// How long a client may take from one piece of a body to the next, and for all of it besides what its bytes take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that have to arrive in each second beyond these.
const SLOWEST: u64 = 64 << 10;
/// Memory asked for before there is a byte: a length that is told costs its sender nothing.
const FIRST: usize = 64 << 10;
/// Compressed bytes after which other work gets its turn.
const TURN: usize = 16 << 10;
/// Largest window of a zstd frame, as a power of two: 8 MiB, the most that HTTP allows (RFC 9659).
const ZSTD_WINDOW: u32 = 23;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    /// What HTTP calls so: the zlib format.
    Deflate,
    /// Its frames, or one block.
    Snappy,
    /// Its frames.
    Lz4,
}

impl Encoding {
    /// What clients are told that they may use.
    pub(in crate::sources) const ACCEPTED: &'static str = "identity,gzip,zstd,deflate,snappy,lz4";

    /// The encoding of this name, which is compared without case.
    pub(in crate::sources) fn named(name: &str) -> Option<Self> {
        let names = [
            ("identity", Self::Identity),
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("zstd", Self::Zstd),
            ("deflate", Self::Deflate),
            ("snappy", Self::Snappy),
            ("x-snappy-framed", Self::Snappy),
            ("lz4", Self::Lz4),
        ];
        names.iter().find(|(known, _)| name.trim().eq_ignore_ascii_case(known)).map(|(_, encoding)| *encoding)
    }
}

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sources) enum Fault {
    /// Larger than the limit.
    TooLarge,
    /// There is no memory for it now.
    NoRoom,
    /// It cannot be decompressed, or its frame is at fault.
    Malformed(String),
    /// The client was silent for too long.
    Slow,
    /// The connection ended.
    Cut,
}

/// Bytes that have been read.
#[derive(Debug)]
struct Plain {
    buffer: Vec<u8>,
    permit: Permit,
    /// What the permit is for.
    charged: usize,
    /// How long the sender says that it is.
    told: usize,
    limit: usize,
    fault: Option<Fault>,
}

impl Plain {
    /// For about `told` bytes.
    fn new(budget: &Budget, told: usize, limit: usize) -> Result<Self, Fault> {
        let charged = told.min(FIRST);
        let permit = budget.take(charged, std::task::Waker::noop()).ok_or(Fault::NoRoom)?;
        let mut buffer = budget.buffer(charged);
        buffer.clear();
        Ok(Self { buffer, permit, charged, told, limit, fault: None })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.reserve(bytes.len())?;
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes room for so many bytes more.
    fn reserve(&mut self, bytes: usize) -> Result<(), Fault> {
        let len = self.buffer.len().saturating_add(bytes);
        if len > self.limit {
            return Err(Fault::TooLarge);
        }
        if len > self.charged {
            let twice = self.charged * 2;
            let wanted = if len <= self.told { twice.min(self.told) } else { twice };
            let more = len.max(wanted).min(self.limit) - self.charged;
            if !self.permit.grow(more) {
                return Err(Fault::NoRoom);
            }
            self.charged += more;
            self.buffer.reserve_exact(self.charged - self.buffer.len());
        }
        Ok(())
    }
}

/// For decompressors. What went wrong stays in `fault`.
impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(|fault| {
            self.fault = Some(fault);
            io::Error::from(io::ErrorKind::OutOfMemory)
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns what arrives into what was meant.
enum Inflater {
    Identity(Plain),
    Gzip(Box<MultiGzDecoder<Plain>>),
    Zstd(Box<zio::Writer<Plain, ZstdDecoder<'static>>>),
    Deflate(Box<ZlibDecoder<Plain>>),
    Chunked(Box<Chunked>),
}

impl Inflater {
    fn new(encoding: Encoding, plain: Plain, budget: &Budget) -> Result<Self, Fault> {
        Ok(match encoding {
            Encoding::Identity => Self::Identity(plain),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(plain))),
            Encoding::Deflate => Self::Deflate(Box::new(ZlibDecoder::new(plain))),
            Encoding::Snappy => Self::Chunked(Box::new(Chunked::snappy(plain, budget)?)),
            Encoding::Lz4 => Self::Chunked(Box::new(Chunked::lz4(plain, budget)?)),
            Encoding::Zstd => {
                let broken = |error: io::Error| Fault::Malformed(error.to_string());
                let mut decoder = ZstdDecoder::new().map_err(broken)?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW)).map_err(broken)?;
                Self::Zstd(Box::new(zio::Writer::new(plain, decoder)))
            }
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let written = match self {
            Self::Identity(plain) => return plain.put(bytes),
            Self::Chunked(chunked) => return chunked.put(bytes),
            Self::Gzip(gzip) => gzip.write_all(bytes),
            Self::Zstd(zstd) => zstd.write_all(bytes),
            Self::Deflate(deflate) => deflate.write_all(bytes),
        };
        written.map_err(|error| self.fault(&error))
    }

    /// What a decompressor's error means.
    fn fault(&mut self, error: &io::Error) -> Fault {
        let plain = match self {
            Self::Identity(plain) => Some(plain),
            Self::Gzip(gzip) => Some(gzip.get_mut()),
            Self::Zstd(zstd) => Some(zstd.writer_mut()),
            Self::Deflate(deflate) => Some(deflate.get_mut()),
            // It tells by itself.
            Self::Chunked(_) => None,
        };
        plain
            .and_then(|plain| plain.fault.take())
            .unwrap_or_else(|| Fault::Malformed(format!("the body cannot be decompressed: {error}")))
    }

    fn finish(mut self) -> Result<Bytes, Fault> {
        let finished = match &mut self {
            Self::Identity(_) | Self::Chunked(_) => Ok(()),
            Self::Gzip(gzip) => gzip.try_finish(),
            Self::Zstd(zstd) => zstd.finish(),
            Self::Deflate(deflate) => deflate.try_finish().and_then(|()| at_end(deflate)),
        };
        finished.map_err(|error| self.fault(&error))?;
        let plain = match self {
            Self::Identity(plain) => Ok(plain),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(zstd) => Ok(zstd.into_inner().0),
            Self::Deflate(deflate) => deflate.finish(),
            Self::Chunked(chunked) => Ok(chunked.finish()?),
        };
        let plain = plain.map_err(|error| Fault::Malformed(error.to_string()))?;
        Ok(plain.permit.block(plain.buffer))
    }

    const fn is_plain(&self) -> bool {
        matches!(self, Self::Identity(_))
    }
}

/// Has the stream ended? The decoder takes one that is cut short for a whole one, but takes bytes only before its end.
fn at_end(deflate: &mut ZlibDecoder<Plain>) -> io::Result<()> {
    match deflate.write(&[0])? {
        0 => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What bodies are read with.
#[derive(Clone, Copy, Debug)]
pub(in crate::sources) struct Reader<'a> {
    pub(in crate::sources) budget: &'a Budget,
    /// Largest body in bytes, decompressed.
    pub(in crate::sources) limit: usize,
    pub(in crate::sources) encoding: Encoding,
}

impl Reader<'_> {
    /// Reads a whole body.
    pub(in crate::sources) async fn read<B: Body<Data = Bytes> + Unpin>(self, mut body: B) -> Result<Bytes, Fault> {
        let told = usize::try_from(body.size_hint().exact().unwrap_or(FIRST as u64)).unwrap_or(usize::MAX);
        let mut inflater = self.inflater(told, self.encoding)?;
        let mut clock = Clock::start();
        while let Some(data) = clock.piece(&mut body).await? {
            inflate(&mut inflater, &data).await?;
        }
        finish(inflater).await
    }

    fn inflater(self, told: usize, encoding: Encoding) -> Result<Inflater, Fault> {
        // Compressed bytes are never more than what they stand for, but for a few.
        if told > self.limit && encoding == Encoding::Identity {
            return Err(Fault::TooLarge);
        }
        Inflater::new(encoding, Plain::new(self.budget, told.min(self.limit), self.limit)?, self.budget)
    }

    /// Reads the one message of a gRPC request: a byte that tells whether it is compressed, its length, its bytes.
    pub(in crate::sources) async fn read_message<B: Body<Data = Bytes> + Unpin>(
        self,
        mut body: B,
    ) -> Result<Bytes, Fault> {
        let (mut prefix, mut known, mut clock) = ([0; 5], 0, Clock::start());
        let mut rest = Bytes::new();
        while known < prefix.len() {
            if rest.is_empty() {
                rest =
                    clock.piece(&mut body).await?.ok_or_else(|| Fault::Malformed("there is no message".to_owned()))?;
            }
            let len = rest.len().min(prefix.len() - known);
            rest.copy_to_slice(&mut prefix[known..known + len]);
            known += len;
        }
        let [is_compressed, length @ ..] = prefix;
        let mut left = u32::from_be_bytes(length) as usize;
        let encoding = match is_compressed {
            0 => Encoding::Identity,
            1 if self.encoding != Encoding::Identity => self.encoding,
            _ => return Err(Fault::Malformed("a message is compressed, and nothing says how".to_owned())),
        };
        let mut inflater = self.inflater(left, encoding)?;
        loop {
            left =
                left.checked_sub(rest.len()).ok_or_else(|| Fault::Malformed("there is a second message".to_owned()))?;
            inflate(&mut inflater, &rest).await?;
            match clock.piece(&mut body).await? {
                Some(data) => rest = data,
                None if left == 0 => return finish(inflater).await,
                None => return Err(Fault::Malformed("the message is cut short".to_owned())),
            }
        }
    }
}

/// Others get their turn between the pieces of what is to be decompressed.
async fn inflate(inflater: &mut Inflater, data: &[u8]) -> Result<(), Fault> {
    if inflater.is_plain() {
        return inflater.put(data);
    }
    for (number, piece) in data.chunks(TURN).enumerate() {
        if number > 0 {
            tokio::task::yield_now().await;
        }
        inflater.put(piece)?;
    }
    Ok(())
}

/// Ends a body; where there is much to do for that, other work goes on.
async fn finish(inflater: Inflater) -> Result<Bytes, Fault> {
    match &inflater {
        Inflater::Chunked(chunked) if chunked.ends_long() => {
            let finished = tokio::task::spawn_blocking(|| inflater.finish()).await;
            finished.unwrap_or_else(|_| Err(Fault::Malformed("the body cannot be decompressed".to_owned())))
        }
        _ => inflater.finish(),
    }
}

/// The time that a body may take.
struct Clock {
    started: Instant,
    /// Bytes that came.
    received: u64,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now(), received: 0 }
    }

    /// When the next piece has to be there: a client is neither silent for long, nor does it take for ever with a byte
    /// now and then.
    fn deadline(&self) -> Instant {
        let whole = self.started + PATIENCE + Duration::from_secs(self.received / SLOWEST);
        whole.min(Instant::now() + PATIENCE)
    }

    /// The next bytes of a body; none at its end.
    async fn piece<B: Body<Data = Bytes> + Unpin>(&mut self, body: &mut B) -> Result<Option<Bytes>, Fault> {
        loop {
            match tokio::time::timeout_at(self.deadline(), body.frame()).await {
                Err(_) => return Err(Fault::Slow),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(Fault::Cut),
                // Trailers are not data.
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.received += data.len() as u64;
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;
    use tokio::time::Sleep;

    use super::*;

    #[test]
    fn a_length_that_is_told_takes_no_memory_before_there_are_bytes() {
        let budget = Budget::new(8 << 20);
        let mut plain = Plain::new(&budget, 300_000, 1 << 20).unwrap();
        assert_eq!(budget.used(), FIRST);
        for piece in vec![7; 300_000].chunks(1_000) {
            plain.put(piece).unwrap();
        }
        assert_eq!((budget.used(), plain.buffer.len()), (300_000, 300_000));
        plain.put(&[7]).unwrap();
        assert_eq!(plain.put(&vec![7; 1 << 20]), Err(Fault::TooLarge));
    }

    /// A body of `pieces` of `len` bytes that come 20 seconds apart.
    struct Slow {
        pieces: usize,
        len: usize,
        pause: Pin<Box<Sleep>>,
    }

    impl Body for Slow {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::ready!(self.pause.as_mut().poll(cx));
            if self.pieces == 0 {
                return Poll::Ready(None);
            }
            self.pieces -= 1;
            self.pause = pause();
            Poll::Ready(Some(Ok(Frame::data(vec![0; self.len].into()))))
        }
    }

    fn pause() -> Pin<Box<Sleep>> {
        Box::pin(tokio::time::sleep(Duration::from_secs(20)))
    }

    async fn slowly(pieces: usize, len: usize) -> Result<usize, Fault> {
        let budget = Budget::new(64 << 20);
        let reader = Reader { budget: &budget, limit: 64 << 20, encoding: Encoding::Identity };
        reader.read(Slow { pieces, len, pause: pause() }).await.map(|body| body.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        assert_eq!(slowly(10, 1).await, Err(Fault::Slow));
        assert_eq!(slowly(10, 2 << 20).await, Ok(20 << 20));
    }
}
