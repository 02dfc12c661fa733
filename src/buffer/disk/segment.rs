//! Segments: the files of a log, `EPOCH-NUMBER.seg`. Each can be removed without the others losing anything.
//!
//! ```text
//! magic "lvS\x01" | version u8 | 0 [3] | number u64 | first sequence u64 | records before it u64 | length of the rest u32
//! | crc32c of all else u32 | the last position of each stream and way: stream u128, path u32, position u64, sub u32,
//! seen u32
//! ```
//!
//! Whatever the version, the first eight bytes mean the same. A version that is not known here is left alone. In version 2
//! there are frames with OTLP messages; else it is like version 1, and both are read.

use super::bytes::{Cursor, Malformed};
use super::positions::{ENTRY, Positions};

/// Bytes of the head without positions.
pub(crate) const HEAD: usize = 40;
const MAGIC: [u8; 4] = *b"lvS\x01";
/// What this program writes.
pub(crate) const VERSION: u8 = 2;
/// The oldest that it reads.
const OLDEST: u8 = 1;

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: u64,
    /// Sequence of its first frame. Frames of an older segment from there on are void.
    pub(crate) first: u64,
    /// Records stored in this log before it.
    pub(crate) records_before: u64,
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    /// Of a later program.
    Newer(u8),
    /// Empty, torn or damaged.
    Broken,
}

/// What a file is, by its first bytes.
pub(crate) fn kind(bytes: &[u8]) -> Kind {
    match bytes.split_first_chunk::<4>() {
        Some((magic, [OLDEST..=VERSION, ..])) if *magic == MAGIC => Kind::Ours,
        Some((magic, [version, 0, 0, 0, ..])) if *magic == MAGIC && *version > VERSION => Kind::Newer(*version),
        _ => Kind::Broken,
    }
}

impl Head {
    /// The bytes a segment begins with; `room` is what positions may take.
    pub(crate) fn write(&self, positions: &mut Positions, now: u32, room: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + positions.len() * ENTRY);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.records_before.to_le_bytes());
        bytes.resize(HEAD, 0);
        positions.write(now, room, &mut bytes);
        let rest = (bytes.len() - HEAD) as u32;
        bytes[32..36].copy_from_slice(&rest.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// How long the whole head is, by its first [`HEAD`] bytes.
    pub(crate) fn length(bytes: &[u8]) -> Result<usize, Malformed> {
        let mut from = Cursor(bytes.get(32..).ok_or(Malformed)?);
        Ok(HEAD + from.u32()? as usize)
    }

    /// Reads the whole head.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Positions), Malformed> {
        if kind(bytes) != Kind::Ours || bytes.len() != Self::length(bytes)? {
            return Err(Malformed);
        }
        let mut from = Cursor(&bytes[8..]);
        let head = Self { number: from.u64()?, first: from.u64()?, records_before: from.u64()? };
        let (_, crc) = (from.u32()?, from.u32()?);
        if crc != checksum(bytes) {
            return Err(Malformed);
        }
        Ok((head, Positions::read(from.0)?))
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..36]), &bytes[HEAD..])
}

/// The name of a segment.
pub(crate) fn name(epoch: u16, number: u64) -> String {
    format!("{epoch:05}-{number:012}.seg")
}

/// Epoch and number of a segment with this name.
pub(crate) fn parse_name(name: &str) -> Option<(u16, u64)> {
    let (epoch, number) = name.strip_suffix(".seg")?.split_once('-')?;
    Some((epoch.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::disk::frame::Run;
    use crate::event::StreamKey;

    #[test]
    fn a_head_is_read_as_it_was_written_and_each_flipped_bit_is_seen() {
        let mut positions = Positions::default();
        positions.wrote(&Run { stream: StreamKey(1), path: 2, first: 3, last: 4, sub: 0, count: 1 }, 10);
        positions.keep();
        let head = Head { number: 5, first: 6, records_before: 7 };
        let bytes = head.write(&mut positions, 10, 1 << 10);
        assert_eq!(Head::length(&bytes).unwrap(), bytes.len());
        let (back, same) = Head::read(&bytes).unwrap();
        assert_eq!((back, same.len()), (head, 1));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Head::read(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn kinds_and_names() {
        assert_eq!(kind(b"lvS\x01\x01\0\0\0"), Kind::Ours);
        assert_eq!(kind(b"lvS\x01\x02\0\0\0"), Kind::Ours);
        assert_eq!(kind(b"lvS\x01\x03\0\0\0whatever"), Kind::Newer(3));
        for broken in [&b""[..], b"lvS\x01", &[0; 40], b"lvS\x01\0\0\0\0", b"abc\x01\x03\0\0\0"] {
            assert_eq!(kind(broken), Kind::Broken, "{broken:?}");
        }
        assert_eq!(parse_name(&name(3, 12)), Some((3, 12)));
        assert!(parse_name("3.seg").is_none() && parse_name("1-2.tmp").is_none());
    }
}
