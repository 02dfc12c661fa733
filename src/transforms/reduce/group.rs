//! Groups that are not complete yet.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tree::{Rules, Tree};
use crate::event::{Batch, Union};

/// What a place in the tables below takes, about.
const PLACE: usize = 160;
/// What a record's identity takes, with the room that a table leaves free.
const IDENTITY: usize = 32;

/// Records that are becoming one.
pub(super) struct Group {
    union: Union,
    /// Identities of its records: one that comes again is not merged again.
    identities: HashSet<u128>,
    tree: Tree,
    created: Instant,
    touched: Instant,
    /// Its place in the order of touches.
    turn: u64,
    bytes: usize,
}

impl Group {
    /// How many records.
    pub(super) fn members(&self) -> usize {
        self.union.members()
    }

    /// What it becomes.
    pub(super) fn finish(self) -> (Union, Vec<u8>) {
        let mut text = Vec::new();
        self.tree.write(&mut text);
        (self.union, text)
    }
}

/// All of them, by key and by the time they were touched last.
#[derive(Default)]
pub(super) struct Groups {
    by_key: HashMap<Arc<[u8]>, Group>,
    by_turn: BTreeMap<u64, Arc<[u8]>>,
    turns: u64,
    bytes: usize,
}

impl Groups {
    /// None?
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Bytes that all of them hold, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Is the record with this identity, of `batch`, in the group already? Then the batch waits for it as well.
    pub(super) fn has(&mut self, key: &[u8], identity: u128, batch: &Batch) -> bool {
        let group = self.by_key.get_mut(key).filter(|group| group.identities.contains(&identity));
        group.is_some_and(|group| {
            self.bytes += group.weigh(|group| group.union.add_again(batch));
            true
        })
    }

    /// Adds a record with this `text` to the group of its key. Gives the group, and how many values could not be merged.
    pub(super) fn add(
        &mut self,
        (key, text): (&[u8], &[u8]),
        (batch, index): (&Batch, usize),
        rules: &Rules,
        now: Instant,
    ) -> (&Group, usize) {
        self.turns += 1;
        let turn = self.turns;
        let known = self.by_key.get_key_value(key).map(|(key, group)| (key.clone(), group.turn));
        let is_new = known.is_none();
        let key = match known {
            Some((key, before)) => {
                self.by_turn.remove(&before);
                key
            }
            None => Arc::from(key),
        };
        self.by_turn.insert(turn, key.clone());
        let place = PLACE + 2 * key.len();
        let group = self.by_key.entry(key).or_insert_with(|| Group {
            union: Union::of(batch, index),
            identities: HashSet::new(),
            tree: Tree::default(),
            created: now,
            touched: now,
            turn,
            bytes: place,
        });
        let mut failed = 0;
        let before = if is_new { 0 } else { group.bytes };
        group.weigh(|group| {
            if !is_new {
                group.union.add(batch, index);
            }
            let record = batch.get(index);
            group.identities.insert(record.identity().hash());
            failed = group.tree.merge(text, record, rules);
        });
        (group.touched, group.turn) = (now, turn);
        self.bytes += group.bytes - before;
        (group, failed)
    }

    /// Takes the group of this key out.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Group> {
        let group = self.by_key.remove(key)?;
        self.by_turn.remove(&group.turn);
        self.bytes -= group.bytes;
        Some(group)
    }

    /// Takes the group out that was touched longest ago.
    pub(super) fn take_oldest(&mut self) -> Option<Group> {
        let key = self.by_turn.first_key_value()?.1.clone();
        self.take(&key)
    }

    /// Takes those out that are complete by time, in the order of their last touches.
    pub(super) fn complete_at(&mut self, now: Instant, after: Duration, every: Option<Duration>) -> Vec<Group> {
        let is_over = |since: Instant, time: Duration| now.saturating_duration_since(since) >= time;
        let is_complete = |key: &&Arc<[u8]>| {
            let group = self.by_key.get(&***key);
            group.is_some_and(|group| {
                is_over(group.touched, after) || every.is_some_and(|every| is_over(group.created, every))
            })
        };
        let keys: Vec<Arc<[u8]>> = self.by_turn.values().filter(is_complete).cloned().collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }
}

impl Group {
    /// Changes it; gives the bytes that came on top.
    fn weigh(&mut self, change: impl FnOnce(&mut Self)) -> usize {
        let weight = |group: &Self| group.union.weight() + group.tree.weight() + group.identities.len() * IDENTITY;
        let before = weight(self);
        let is_first = self.identities.is_empty();
        change(self);
        let more = weight(self).saturating_sub(if is_first { 0 } else { before });
        self.bytes += more;
        more
    }
}
