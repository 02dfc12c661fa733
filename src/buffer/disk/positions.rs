//! The last stored position of each stream and way: what comes again at or below it is a re-read, and stored already.

use std::collections::HashMap;

use super::bytes::{Cursor, Malformed};
use super::frame::Run;
use crate::event::StreamKey;

/// Bytes of an entry in a segment's head.
pub(crate) const ENTRY: usize = 36;
/// What was not seen for so long is forgotten: its source has long committed it.
const FORGET_MINUTES: u32 = 24 * 60;

type Key = (StreamKey, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    position: u64,
    /// Which of the records at that position was stored last.
    sub: u32,
    /// Minutes since the Unix epoch.
    seen: u32,
}

/// Of one log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions {
    durable: HashMap<Key, Last>,
    /// Of frames that are written and not durable yet; they hide the others.
    pending: HashMap<Key, Last>,
}

impl Positions {
    /// The last position of a run's stream and way that is stored, or written, with the `sub` of the last record there.
    pub(crate) fn last(&self, run: &Run) -> Option<(u64, u32)> {
        let key = (run.stream, run.path);
        self.pending.get(&key).or_else(|| self.durable.get(&key)).map(|last| (last.position, last.sub))
    }

    /// Records of this run are written.
    pub(crate) fn wrote(&mut self, run: &Run, now: u32) {
        let (position, sub) = self.last(run).filter(|(last, _)| *last > run.last).unwrap_or((run.last, run.sub));
        self.pending.insert((run.stream, run.path), Last { position, sub, seen: now });
    }

    /// What is written is durable.
    pub(crate) fn keep(&mut self) {
        self.durable.extend(self.pending.drain());
    }

    /// What was written is not durable, and will be written again.
    pub(crate) fn undo(&mut self) {
        self.pending.clear();
    }

    /// All that is durable: stream and way, position, and the `sub` of the last record there.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Key, u64, u32)> {
        self.durable.iter().map(|(key, last)| (*key, last.position, last.sub))
    }

    /// How many streams and ways.
    pub(crate) fn len(&self) -> usize {
        self.durable.len()
    }

    /// Appends what is durable: the streams seen last, as many as go into `room` bytes.
    pub(crate) fn write(&mut self, now: u32, room: usize, out: &mut Vec<u8>) {
        self.durable.retain(|_, last| now.saturating_sub(last.seen) < FORGET_MINUTES);
        let mut all: Vec<_> = self.durable.iter().collect();
        all.sort_unstable_by_key(|(key, last)| (std::cmp::Reverse(last.seen), **key));
        for ((stream, path), last) in all.into_iter().take(room / ENTRY) {
            out.extend_from_slice(&stream.0.to_le_bytes());
            out.extend_from_slice(&path.to_le_bytes());
            out.extend_from_slice(&last.position.to_le_bytes());
            out.extend_from_slice(&last.sub.to_le_bytes());
            out.extend_from_slice(&last.seen.to_le_bytes());
        }
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut positions = Self::default();
        for entry in bytes.chunks(ENTRY) {
            let mut from = Cursor(entry);
            let key = (StreamKey(from.u128()?), from.u32()?);
            let last = Last { position: from.u64()?, sub: from.u32()?, seen: from.u32()? };
            positions.durable.insert(key, last);
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stream: u128, first: u64, last: u64) -> Run {
        Run { stream: StreamKey(stream), path: 1, first, last, sub: 3, count: 1 }
    }

    #[test]
    fn what_is_undone_is_forgotten_and_what_is_kept_is_not() {
        let mut positions = Positions::default();
        positions.wrote(&run(1, 0, 9), 5);
        positions.keep();
        positions.wrote(&run(1, 10, 19), 5);
        positions.wrote(&run(1, 10, 15), 5);
        assert_eq!(positions.last(&run(1, 0, 0)), Some((19, 3)));
        positions.undo();
        assert_eq!((positions.last(&run(1, 0, 0)), positions.last(&run(2, 0, 0))), (Some((9, 3)), None));
    }

    #[test]
    fn a_snapshot_keeps_the_latest_and_drops_the_old() {
        let mut positions = Positions::default();
        for stream in 0..10 {
            positions.wrote(&run(stream, 0, 100 + stream as u64), stream as u32 * 100);
        }
        positions.keep();
        let mut bytes = Vec::new();
        positions.write(1_500, 4 * ENTRY + 1, &mut bytes);
        assert_eq!((bytes.len(), positions.len()), (4 * ENTRY, 9), "the stream of minute 0 is a day old");
        let back = Positions::read(&bytes).unwrap();
        assert_eq!((back.last(&run(9, 0, 0)), back.last(&run(5, 0, 0))), (Some((109, 3)), None));
        assert_eq!(Positions::read(&bytes[1..]).unwrap_err(), Malformed);
    }
}
