//! Frames: what a segment is made of. Each holds the records of one batch and says of which streams they are.
//!
//! ```text
//! head (40 bytes): magic "lvF\x01" | version u8 | kind u8 | flags u8 | 0 u8 | length of the body u32 | records u32
//!                  | sequence u64 | group u64 | crc32c of the body u32 | crc32c of the head before it u32
//! body: count u32 of runs, then each: stream u128, path u32, first u64, last u64, sub u32, count u32; then the payload
//!       (compressed: its length u32, then zstd)
//! ```
//!
//! `group` is the sequence of the first frame that became durable by the same sync: everything before it was durable
//! when this frame was written. So a gap in the last group is an end that was torn, a gap before it is damage.

use bytes::Bytes;

use super::bytes::{Cursor, Malformed};
use super::payload::{self, Layout};
use crate::event::{Batch, StreamKey};

/// Bytes of the head.
pub(crate) const HEAD: usize = 40;
/// What a frame begins with.
pub(crate) const MAGIC: [u8; 4] = *b"lvF\x01";
const VERSION: u8 = 1;
/// The kinds of frames, by how their records are laid out.
const KINDS: [(u8, Layout); 2] = [(1, Layout::Texts), (2, Layout::Messages)];
const FLAG_ZSTD: u8 = 1;
const FLAG_UNCOUNTED: u8 = 2;
const RUN: usize = 44;
/// A body is no longer, whatever its head says.
pub(crate) const MAX_BODY: usize = 256 << 20;

/// Records of one stream that took one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) stream: StreamKey,
    pub(crate) path: u32,
    /// The lowest and the highest position.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Which of the records at the highest position is the last.
    pub(crate) sub: u32,
    pub(crate) count: u32,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) sequence: u64,
    pub(crate) group: u64,
    pub(crate) records: u32,
    /// Bytes of the body.
    pub(crate) body: u32,
    /// Do its positions tell a re-read?
    pub(crate) is_counted: bool,
    is_compressed: bool,
    layout: Layout,
    crc: u32,
}

/// A frame to be written.
pub(crate) struct Draft<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) sequence: u64,
    pub(crate) group: u64,
    pub(crate) is_counted: bool,
    pub(crate) is_compressed: bool,
}

/// The runs of a batch, in the order in which they begin.
pub(crate) fn runs(batch: &Batch) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    for record in batch.iter() {
        let id = record.identity();
        let is_it = |run: &Run| run.stream == id.stream && run.path == id.path;
        if !runs.get(at).is_some_and(is_it) {
            at = runs.iter().position(is_it).unwrap_or(runs.len());
            if at == runs.len() {
                let (first, last) = (id.position, id.position);
                runs.push(Run { stream: id.stream, path: id.path, first, last, sub: id.sub, count: 0 });
            }
        }
        let run = &mut runs[at];
        if id.position >= run.last {
            run.sub = id.sub;
        }
        (run.first, run.last) = (run.first.min(id.position), run.last.max(id.position));
        run.count += 1;
    }
    runs
}

impl Draft<'_> {
    /// Appends the frame. Its runs are given only where positions count.
    pub(crate) fn write(&self, runs: &[Run], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + HEAD, 0);
        out.extend_from_slice(&(runs.len() as u32).to_le_bytes());
        for run in runs {
            out.extend_from_slice(&run.stream.0.to_le_bytes());
            out.extend_from_slice(&run.path.to_le_bytes());
            out.extend_from_slice(&run.first.to_le_bytes());
            out.extend_from_slice(&run.last.to_le_bytes());
            out.extend_from_slice(&run.sub.to_le_bytes());
            out.extend_from_slice(&run.count.to_le_bytes());
        }
        let is_compressed = self.is_compressed && self.write_compressed(out);
        if !is_compressed {
            payload::encode(self.batch, out);
        }
        let body = &out[start + HEAD..];
        let head = Head {
            sequence: self.sequence,
            group: self.group,
            records: self.batch.len() as u32,
            body: body.len() as u32,
            is_counted: self.is_counted,
            is_compressed,
            layout: Layout::of(self.batch),
            crc: crc32c::crc32c(body),
        };
        out[start..start + HEAD].copy_from_slice(&head.bytes());
    }

    fn write_compressed(&self, out: &mut Vec<u8>) -> bool {
        let mut plain = Vec::new();
        payload::encode(self.batch, &mut plain);
        let Ok(packed) = zstd::bulk::compress(&plain, 1) else { return false };
        out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        out.extend_from_slice(&packed);
        true
    }
}

impl Head {
    /// As it is written.
    pub(super) fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&MAGIC);
        let zstd = if self.is_compressed { FLAG_ZSTD } else { 0 };
        let uncounted = if self.is_counted { 0 } else { FLAG_UNCOUNTED };
        let kind = KINDS.iter().find(|(_, layout)| *layout == self.layout).map_or(0, |(kind, _)| *kind);
        bytes[4..8].copy_from_slice(&[VERSION, kind, zstd | uncounted, 0]);
        bytes[8..12].copy_from_slice(&self.body.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.group.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a head; one that was damaged is none.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Cursor(bytes.get(..HEAD).ok_or(Malformed)?);
        let own = from.0;
        let (magic, version, kind) = (from.take(4)?, from.u8()?, from.u8()?);
        let flags = from.u8()?;
        from.u8()?;
        let (body, records, sequence, group) = (from.u32()?, from.u32()?, from.u64()?, from.u64()?);
        let (crc, head_crc) = (from.u32()?, from.u32()?);
        let (_, layout) = *KINDS.iter().find(|(known, _)| *known == kind).ok_or(Malformed)?;
        let is_ours = magic == MAGIC && version == VERSION;
        if !is_ours || body as usize > MAX_BODY || crc32c::crc32c(&own[..36]) != head_crc {
            return Err(Malformed);
        }
        let (is_counted, is_compressed) = (flags & FLAG_UNCOUNTED == 0, flags & FLAG_ZSTD != 0);
        Ok(Self { sequence, group, records, body, is_counted, is_compressed, layout, crc })
    }

    /// Bytes of the whole frame.
    pub(crate) fn len(&self) -> u64 {
        HEAD as u64 + u64::from(self.body)
    }

    /// Is this its body, undamaged?
    pub(crate) fn owns(&self, body: &[u8]) -> bool {
        body.len() == self.body as usize && crc32c::crc32c(body) == self.crc
    }

    /// The runs in a body.
    pub(crate) fn runs(body: &[u8]) -> Result<Vec<Run>, Malformed> {
        let mut from = Cursor(body);
        read_runs(&mut from)
    }

    /// The records in a body, which answer to nobody yet.
    pub(crate) fn batch(&self, body: &Bytes) -> Result<Batch, Malformed> {
        let mut from = Cursor(body);
        read_runs(&mut from)?;
        if !self.is_compressed {
            return payload::decode(self.layout, &body.slice_ref(from.0));
        }
        let plain = from.u32()? as usize;
        if plain > MAX_BODY {
            return Err(Malformed);
        }
        let plain = zstd::bulk::decompress(from.0, plain).map_err(|_| Malformed)?;
        payload::decode(self.layout, &plain.into())
    }
}

fn read_runs(from: &mut Cursor<'_>) -> Result<Vec<Run>, Malformed> {
    let count = from.count(RUN)?;
    let run = |_| {
        let (stream, path) = (StreamKey(from.u128()?), from.u32()?);
        let (first, last) = (from.u64()?, from.u64()?);
        Ok(Run { stream, path, first, last, sub: from.u32()?, count: from.u32()? })
    };
    (0..count).map(run).collect()
}

/// Where the next frame may begin in `bytes`, beyond the first byte.
pub(crate) fn next_magic(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes.get(1..)?, &MAGIC).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Receipt;
    use crate::event::test_kit::{Ledger, batch, batch_of};
    use std::sync::Arc;

    fn receipt() -> Receipt {
        Arc::new(Ledger::default()).receipt()
    }

    fn written(batch: &Batch, is_compressed: bool) -> Vec<u8> {
        let mut out = vec![b'!'];
        Draft { batch, sequence: 9, group: 8, is_counted: true, is_compressed }.write(&runs(batch), &mut out);
        out.split_off(1)
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let lines: Vec<String> = (0..50).map(|number| format!("line {number}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let batch = batch_of(3, 100, &lines, receipt());
        let mut lengths = Vec::new();
        for is_compressed in [false, true] {
            let bytes = Bytes::from(written(&batch, is_compressed));
            let head = Head::read(&bytes).unwrap();
            assert_eq!((head.sequence, head.group, head.records, head.len()), (9, 8, 50, bytes.len() as u64));
            let body = bytes.slice(HEAD..);
            assert!(head.owns(&body) && !head.owns(&body[1..]));
            let run = Run { stream: StreamKey(3), path: 0, first: 100, last: 149, sub: 0, count: 50 };
            assert_eq!(Head::runs(&body).unwrap(), [run]);
            let back = head.batch(&body).unwrap();
            assert!(back.iter().zip(batch.iter()).all(|(one, other)| one.text() == other.text()));
            lengths.push(bytes.len());
        }
        assert!(lengths[1] < lengths[0] / 2, "{lengths:?}");
    }

    #[test]
    fn runs_are_by_stream_and_way() {
        let mut one = batch_of(1, 5, &["a", "b"], receipt());
        one.took(7);
        let way = one.get(0).identity().path;
        assert_eq!(runs(&one), [Run { stream: StreamKey(1), path: way, first: 5, last: 6, sub: 0, count: 2 }]);
        assert!(runs(&one.select(|_| false)).is_empty());
    }

    #[test]
    fn each_flipped_bit_is_seen() {
        let batch = batch(&Arc::new(Ledger::default()), &["abc", "def"]);
        let good = written(&batch, false);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // The byte that is not used yet is under the checksum, too.
            let is_whole = Head::read(&bad).is_ok_and(|head| head.owns(&bad[HEAD..]));
            assert!(!is_whole, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_is_found_behind_damage() {
        let good = written(&batch(&Arc::new(Ledger::default()), &["abc"]), false);
        let bytes = [&b"lvF lv"[..], &good].concat();
        assert_eq!(next_magic(&bytes), Some(6));
        assert_eq!(next_magic(&good), None);
    }
}
