//! Bodies in lz4 and snappy. Their decoders pull, and want whole chunks: what arrives is held until a chunk is whole, charged
//! as any other byte, and shown to the decoder then.
//!
//! What is called `snappy` is two formats: frames, which begin with a chunk that names them, and a single block. Clients send
//! either, so the first bytes tell. Sources: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>,
//! <https://github.com/google/snappy/blob/main/framing_format.txt>.

use std::fmt::Display;
use std::io::{self, BufRead, Read};

use lz4_flex::frame::FrameDecoder as Lz4;
use snap::read::FrameDecoder as Snappy;

use super::{Fault, Plain, TURN};
use crate::event::Budget;

/// Largest block of an lz4 frame: 4 MiB.
const LZ4_BLOCK: usize = 4 << 20;
/// The size of a block that did not get smaller has this bit.
const LZ4_STORED: u32 = 1 << 31;
/// What a frame begins with.
const LZ4_MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
/// Magic, flags, block size, checksum: what every frame has.
const LZ4_HEAD: usize = 7;
/// What a frame has besides, as bits of its flags.
mod lz4_flag {
    pub(super) const DICTIONARY: u8 = 1;
    pub(super) const CONTENT_CHECKSUM: u8 = 1 << 2;
    pub(super) const CONTENT_SIZE: u8 = 1 << 3;
    pub(super) const BLOCK_CHECKSUMS: u8 = 1 << 4;
}
/// Larger than any chunk of snappy's frames that decoders take: 64 KiB that did not get smaller, and what stands around them.
const SNAPPY_CHUNK: usize = 80 << 10;
/// What snappy's frames begin with.
const SNAPPY_MAGIC: [u8; 10] = *b"\xff\x06\x00\x00sNaPpY";
/// Bytes that a byte of snappy stands for at most: three of them repeat 64.
const SNAPPY_MOST: usize = 22;
/// Bytes that are decoded before they are counted.
const STEP: usize = 16 << 10;

/// Bytes that are held for a decoder, which sees those of whole chunks.
pub(super) struct Feed {
    held: Plain,
    /// Up to where the decoder has read, and may read.
    at: usize,
    end: usize,
}

impl Feed {
    fn new(budget: &Budget, limit: usize) -> Result<Self, Fault> {
        Ok(Self { held: Plain::new(budget, 0, limit)?, at: 0, end: 0 })
    }

    /// What is no whole chunk yet.
    fn rest(&self) -> &[u8] {
        &self.held.buffer[self.end..]
    }

    fn is_over(&self) -> bool {
        self.at == self.end
    }

    /// Forgets what has been read.
    fn forget(&mut self) {
        self.held.buffer.drain(..self.at);
        (self.at, self.end) = (0, self.end - self.at);
    }
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let took = (&self.held.buffer[self.at..self.end]).read(into)?;
        self.at += took;
        Ok(took)
    }
}

/// Where in a row of lz4 frames the next chunk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lz4Frame {
    Outside,
    Inside { block_checksums: bool, content_checksum: bool },
}

impl Lz4Frame {
    /// How long the chunk is that `bytes` begin with, and what follows it; none where more bytes have to tell.
    fn chunk(self, bytes: &[u8]) -> Result<Option<(usize, Self)>, Fault> {
        let Some((first, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let Self::Inside { block_checksums, content_checksum } = self else {
            if *first != LZ4_MAGIC {
                return Err(broken("it is no lz4 frame"));
            }
            return Ok(rest.first().map(|flags| Self::head(*flags)));
        };
        let size = u32::from_le_bytes(*first);
        if size == 0 {
            return Ok(Some((if content_checksum { 8 } else { 4 }, Self::Outside)));
        }
        let len = (size & !LZ4_STORED) as usize;
        if len > LZ4_BLOCK {
            return Err(broken("a block is larger than 4 MiB"));
        }
        Ok(Some((4 + len + if block_checksums { 4 } else { 0 }, self)))
    }

    fn head(flags: u8) -> (usize, Self) {
        let has = |flag: u8| flags & flag != 0;
        let len =
            LZ4_HEAD + if has(lz4_flag::CONTENT_SIZE) { 8 } else { 0 } + if has(lz4_flag::DICTIONARY) { 4 } else { 0 };
        let (block_checksums, content_checksum) = (has(lz4_flag::BLOCK_CHECKSUMS), has(lz4_flag::CONTENT_CHECKSUM));
        (len, Self::Inside { block_checksums, content_checksum })
    }
}

/// How long the chunk of snappy's frames is that `bytes` begin with.
fn snappy_chunk(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some([_, len @ ..]) = bytes.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes([len[0], len[1], len[2], 0]) as usize;
    if len > SNAPPY_CHUNK { Err(broken("a chunk is larger than snappy has them")) } else { Ok(Some(4 + len)) }
}

fn broken(why: impl Display) -> Fault {
    Fault::Malformed(format!("the body cannot be decompressed: {why}"))
}

enum Format {
    Lz4(Box<Lz4<Feed>>, Lz4Frame),
    /// Are there frames? Else it is a block, of which nothing can be decoded before all is there; or too few bytes came to tell.
    Snappy(Box<Snappy<Feed>>, bool),
}

impl Format {
    fn feed(&mut self) -> &mut Feed {
        match self {
            Self::Lz4(lz4, _) => lz4.get_mut(),
            Self::Snappy(snappy, _) => snappy.get_mut(),
        }
    }

    /// Shows the decoder one more chunk; tells whether there was a whole one.
    fn show_chunk(&mut self) -> Result<bool, Fault> {
        let (feed, len) = match self {
            Self::Snappy(_, false) => return Ok(false),
            Self::Snappy(snappy, _) => {
                let feed = snappy.get_mut();
                let len = snappy_chunk(feed.rest())?;
                (feed, len)
            }
            Self::Lz4(lz4, frame) => {
                let feed = lz4.get_mut();
                let chunk = frame.chunk(feed.rest())?.filter(|(len, _)| *len <= feed.rest().len());
                *frame = chunk.map_or(*frame, |(_, next)| next);
                (feed, chunk.map(|(len, _)| len))
            }
        };
        let Some(len) = len.filter(|len| *len <= feed.rest().len()) else { return Ok(false) };
        feed.end += len;
        Ok(true)
    }

    /// Decodes what the decoder may see.
    fn decode(&mut self, plain: &mut Plain) -> Result<(), Fault> {
        match self {
            Self::Snappy(_, false) => return Ok(()),
            Self::Snappy(snappy, _) => {
                let mut step = [0; STEP];
                loop {
                    let len = snappy.read(&mut step).map_err(broken)?;
                    if len == 0 {
                        break;
                    }
                    plain.put(&step[..len])?;
                }
            }
            // It gives nothing at the end of a frame too.
            Self::Lz4(lz4, _) => loop {
                let piece = lz4.fill_buf().map_err(broken)?;
                plain.put(piece)?;
                let len = piece.len();
                lz4.consume(len);
                if len == 0 && lz4.get_ref().is_over() {
                    break;
                }
            },
        }
        self.feed().forget();
        Ok(())
    }
}

/// Decompresses chunk by chunk.
pub(super) struct Chunked {
    format: Format,
    plain: Plain,
}

impl Chunked {
    pub(super) fn lz4(plain: Plain, budget: &Budget) -> Result<Self, Fault> {
        let feed = Feed::new(budget, LZ4_BLOCK + 2 * TURN)?;
        Ok(Self { format: Format::Lz4(Box::new(Lz4::new(feed)), Lz4Frame::Outside), plain })
    }

    pub(super) fn snappy(plain: Plain, budget: &Budget) -> Result<Self, Fault> {
        // A block that does not get smaller is a sixth larger at most.
        let feed = Feed::new(budget, plain.limit + plain.limit / 6 + 2 * TURN)?;
        Ok(Self { format: Format::Snappy(Box::new(Snappy::new(feed)), false), plain })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.format.feed().held.put(bytes)?;
        if let Format::Snappy(snappy, has_frames @ false) = &mut self.format {
            *has_frames = snappy.get_ref().held.buffer.starts_with(&SNAPPY_MAGIC);
        }
        while self.format.show_chunk()? {}
        self.format.decode(&mut self.plain)
    }

    pub(super) fn finish(mut self) -> Result<Plain, Fault> {
        let is_open = match &self.format {
            Format::Snappy(snappy, false) => {
                block(&snappy.get_ref().held.buffer, &mut self.plain)?;
                return Ok(self.plain);
            }
            Format::Snappy(..) => false,
            Format::Lz4(_, frame) => *frame != Lz4Frame::Outside,
        };
        let is_cut = is_open || !self.format.feed().rest().is_empty();
        if is_cut { Err(broken("it is cut short")) } else { Ok(self.plain) }
    }

    /// Is there so much left to do at the end that it is no work for in between?
    pub(super) fn ends_long(&self) -> bool {
        matches!(&self.format, Format::Snappy(snappy, false) if snappy.get_ref().held.buffer.len() > TURN)
    }
}

/// Decodes a block, which says how long it is: that costs nothing before it is known to be possible.
fn block(bytes: &[u8], plain: &mut Plain) -> Result<(), Fault> {
    if bytes.is_empty() {
        // Frames of nothing.
        return Ok(());
    }
    let len = snap::raw::decompress_len(bytes).map_err(broken)?;
    if len > plain.limit {
        return Err(Fault::TooLarge);
    }
    if len > bytes.len().saturating_mul(SNAPPY_MOST) {
        return Err(broken("it says that it is longer than it can be"));
    }
    plain.reserve(len)?;
    plain.buffer.resize(len, 0);
    snap::raw::Decoder::new().decompress(bytes, &mut plain.buffer).map_err(broken)?;
    Ok(())
}

#[cfg(test)]
mod tests;
