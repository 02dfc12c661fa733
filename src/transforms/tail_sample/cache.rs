//! What became of traces: late spans follow it.

use std::collections::HashMap;

use super::rules::{Fate, Verdict};

/// Bytes of an entry in a table: key, verdict, and the byte that the table keeps for each.
const ENTRY: usize = size_of::<(u64, Verdict)>() + 1;

/// Verdicts by trace, bounded in bytes. What was kept and what was dropped do not push each other out.
pub(super) struct Cache {
    kept: Generations,
    dropped: Generations,
}

impl Cache {
    /// For at most so many bytes.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { kept: Generations::new(max_bytes / 2), dropped: Generations::new(max_bytes / 2) }
    }

    /// What became of the trace, if that is still known.
    pub(super) fn get(&mut self, trace: u128) -> Option<Verdict> {
        self.kept.get(key(trace)).or_else(|| self.dropped.get(key(trace)))
    }

    /// Notes what became of a trace, also if it was something else before.
    pub(super) fn put(&mut self, trace: u128, verdict: Verdict) {
        if verdict.fate == Fate::Kept {
            self.dropped.remove(key(trace));
            self.kept.put(key(trace), verdict);
        } else {
            self.dropped.put(key(trace), verdict);
        }
    }
}

/// Of both halves of a trace's id: of some, one is constant.
fn key(trace: u128) -> u64 {
    /// Odd, with bits all over: the golden ratio.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    (trace as u64).wrapping_mul(SPREAD) ^ (trace >> 64) as u64
}

/// Two tables: when the younger is full it becomes the older, and that one goes. What is asked for moves to the younger.
struct Generations {
    most: usize,
    young: HashMap<u64, Verdict>,
    old: HashMap<u64, Verdict>,
}

impl Generations {
    fn new(max_bytes: usize) -> Self {
        // A table has a power of two of places, of which it fills seven eighths.
        let places = (max_bytes / 2 / ENTRY).max(1);
        let places = 1 << places.ilog2();
        Self { most: places / 8 * 7, young: HashMap::new(), old: HashMap::new() }
    }

    fn get(&mut self, key: u64) -> Option<Verdict> {
        if let Some(verdict) = self.young.get(&key) {
            return Some(*verdict);
        }
        let verdict = self.old.remove(&key)?;
        self.put(key, verdict);
        Some(verdict)
    }

    fn put(&mut self, key: u64, verdict: Verdict) {
        if self.most == 0 {
            return;
        }
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, verdict);
    }

    fn remove(&mut self, key: u64) {
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_last_stays_within_the_bytes() {
        let mut cache = Cache::new(2 * 2 * 64 * ENTRY);
        let dropped = Verdict { rule: 3, fate: Fate::Dropped };
        for trace in 0..10_000_u128 {
            cache.put(trace, dropped);
            assert_eq!(cache.get(0), Some(dropped), "{trace}");
            assert!(cache.dropped.young.len() <= 56 && cache.dropped.young.capacity() <= 56);
        }
        assert_eq!((cache.get(5), cache.get(9_999)), (None, Some(dropped)));
    }

    #[test]
    fn a_verdict_can_be_flipped_and_kept_ones_have_room_of_their_own() {
        let mut cache = Cache::new(2 * 2 * 64 * ENTRY);
        let [kept, dropped] = [Fate::Kept, Fate::Dropped].map(|fate| Verdict { rule: 0, fate });
        cache.put(1, dropped);
        cache.put(1, kept);
        (2..10_000).for_each(|trace| cache.put(trace, dropped));
        assert_eq!(cache.get(1), Some(kept));
        let mut none = Cache::new(0);
        none.put(1, kept);
        assert_eq!(none.get(1), None);
    }
}
