//! What was seen: so many keys, the one met longest ago goes first.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::leader::Leader;

/// Bytes that a key takes, about.
pub(super) const BYTES: u64 = 128;

/// What is to become of a record.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is like no other: it passes.
    Passes,
    /// None like it is known: it passes.
    New,
    /// One like it arrived, or passes in the same batch.
    Known,
    /// One like it passed, and nobody knows yet whether it arrives.
    OnItsWay(Arc<Leader>),
}

/// Keys are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// A key, linked to those that were met before and after it.
struct Slot {
    key: u128,
    older: u32,
    newer: u32,
    since: Instant,
    /// The batch that it is on its way with; none for one that arrived.
    leader: Option<Arc<Leader>>,
}

const NONE: u32 = u32::MAX;

/// The keys of records that passed.
pub(super) struct Seen {
    most: usize,
    max_age: Option<Duration>,
    refreshes: bool,
    places: HashMap<u128, u32, BuildHasherDefault<AsItIs>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
}

impl Seen {
    pub(super) fn new(most: u32, max_age: Option<Duration>, refreshes: bool) -> Self {
        let (places, slots, free) = (HashMap::default(), Vec::new(), Vec::new());
        Self { most: most as usize, max_age, refreshes, places, slots, free, oldest: NONE, newest: NONE }
    }

    /// A record with this key came; if it is new, with the batch of `leader`.
    pub(super) fn meet(&mut self, key: u128, leader: &Arc<Leader>, now: Instant) -> Verdict {
        let Some(&at) = self.places.get(&key) else {
            self.insert(key, leader, now);
            return Verdict::New;
        };
        self.unlink(at);
        self.link(at);
        let slot = &mut self.slots[at as usize];
        if self.max_age.is_some_and(|most| now.saturating_duration_since(slot.since) >= most) {
            (slot.since, slot.leader) = (now, Some(leader.clone()));
            return Verdict::New;
        }
        if self.refreshes {
            slot.since = now;
        }
        match &slot.leader {
            Some(other) if !Arc::ptr_eq(other, leader) => Verdict::OnItsWay(other.clone()),
            _ => Verdict::Known,
        }
    }

    /// The batch of `leader` ended: its `keys` arrived, or are as if they had never been.
    pub(super) fn end(&mut self, keys: &[u128], leader: &Arc<Leader>, arrived: bool) {
        for key in keys {
            let Some(&at) = self.places.get(key) else { continue };
            let slot = &mut self.slots[at as usize];
            // It may have aged meanwhile, and another be on its way.
            if !slot.leader.as_ref().is_some_and(|own| Arc::ptr_eq(own, leader)) {
                continue;
            }
            slot.leader = None;
            if !arrived {
                self.remove(at);
            }
        }
    }

    fn insert(&mut self, key: u128, leader: &Arc<Leader>, now: Instant) {
        if self.places.len() >= self.most {
            self.remove(self.oldest);
        }
        let slot = Slot { key, older: NONE, newer: NONE, since: now, leader: Some(leader.clone()) };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.places.insert(key, at);
        self.link(at);
    }

    fn remove(&mut self, at: u32) {
        self.unlink(at);
        let slot = &mut self.slots[at as usize];
        slot.leader = None;
        self.places.remove(&slot.key);
        self.free.push(at);
    }

    /// Makes it the newest.
    fn link(&mut self, at: u32) {
        let before = std::mem::replace(&mut self.newest, at);
        let slot = &mut self.slots[at as usize];
        (slot.older, slot.newer) = (before, NONE);
        match self.slots.get_mut(before as usize) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Slot { older, newer, .. } = self.slots[at as usize];
        match self.slots.get_mut(older as usize) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Model: a list of keys, oldest first, each with whether it arrived.
        #[test]
        fn agrees_with_a_plain_list(
            most in 1..6_u32,
            steps in prop::collection::vec((0..9_u8, 0..3_u8), 0..80),
        ) {
            let now = Instant::now();
            let mut seen = Seen::new(most, None, false);
            let mut model: Vec<(u8, Option<usize>)> = Vec::new();
            let mut leaders: Vec<(u8, Arc<Leader>)> = Vec::new();
            for (key, what) in steps {
                if what > 0 && let Some((own, leader)) = leaders.pop() {
                    let arrived = what == 1;
                    let number = leaders.len();
                    seen.end(&[u128::from(own)], &leader, arrived);
                    if arrived {
                        model.iter_mut().filter(|slot| slot.1 == Some(number)).for_each(|slot| slot.1 = None);
                    } else {
                        model.retain(|slot| slot.1 != Some(number));
                    }
                    continue;
                }
                let leader = Arc::new(Leader::default());
                let verdict = seen.meet(u128::from(key), &leader, now);
                let known = model.iter().position(|slot| slot.0 == key).map(|at| model.remove(at));
                match (&verdict, known) {
                    (Verdict::New, None) => {
                        if model.len() == most as usize {
                            model.remove(0);
                        }
                        model.push((key, Some(leaders.len())));
                        leaders.push((key, leader));
                    }
                    (Verdict::Known, Some((_, None))) => model.push((key, None)),
                    (Verdict::OnItsWay(other), Some((_, Some(number)))) => {
                        prop_assert!(Arc::ptr_eq(other, &leaders[number].1));
                        model.push((key, Some(number)));
                    }
                    (verdict, known) => prop_assert!(false, "{verdict:?}, and the list says {known:?}"),
                }
                prop_assert!(seen.slots.len() <= most as usize);
                prop_assert_eq!(seen.places.len(), model.len());
            }
        }
    }
}
