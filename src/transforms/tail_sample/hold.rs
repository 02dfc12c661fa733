//! Records that wait for what becomes of their traces: in the batches that they came in, so that nothing is copied that
//! goes on at once, and no receipt has more holders than it had.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::spill::{Place, Refused, Spill};
use crate::event::{Batch, Outcome};

/// A record that is held: the number of its batch, its own in it, and whether it is a log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held(u64);

/// Bits of a record's number in its batch: a request of 64 MiB has at most a half of so many records.
const ROW_BITS: u32 = 23;
/// A row that is held no more.
const GONE: u32 = u32::MAX;
/// Batches are copied when less than one part in so many of their records are held.
const SPARSE: usize = 4;
/// What a batch takes besides its bytes and records, about: tables, receipts, an origin.
const PLACE: usize = 640;

/// All batches of which records are held.
pub(super) struct Hold {
    slots: BTreeMap<u64, Slot>,
    /// Those whose bytes are in memory, oldest first, and some that are not there any more.
    in_memory: VecDeque<u64>,
    next: u64,
    bytes: usize,
    pub(super) spill: Spill,
}

struct Slot {
    batch: Batch,
    /// By the number that a record had when it came, its number now.
    rows: Vec<u32>,
    left: usize,
    bytes: usize,
    place: Option<Place>,
}

/// Why the oldest bytes are still in memory.
#[derive(Debug)]
pub(super) enum Stays {
    /// There are none, or no room on the disk.
    NoRoom,
    /// The disk failed.
    Failed,
}

impl Held {
    fn new(slot: u64, row: usize) -> Self {
        Self((slot << ROW_BITS | row as u64) << 1)
    }

    /// The same, told to be a log record.
    pub(super) fn of_log(self) -> Self {
        Self(self.0 | 1)
    }

    pub(super) fn is_log(self) -> bool {
        self.0 & 1 == 1
    }

    /// The number of its batch.
    pub(super) fn slot(self) -> u64 {
        self.0 >> (ROW_BITS + 1)
    }

    fn row(self) -> usize {
        (self.0 >> 1 & ((1 << ROW_BITS) - 1)) as usize
    }
}

impl Slot {
    fn new(batch: Batch) -> Self {
        let rows: Vec<u32> = (0..batch.len() as u32).collect();
        let mut slot = Self { left: rows.len(), batch, rows, bytes: 0, place: None };
        slot.weigh();
        slot
    }

    fn weigh(&mut self) {
        self.bytes = PLACE + self.batch.weight() + self.rows.capacity() * size_of::<u32>();
    }

    /// Copies what is held out of what is not.
    fn compact(&mut self) {
        let held = self.batch.pick(self.rows.iter().copied().filter(|row| *row != GONE)).compact();
        std::mem::replace(&mut self.batch, held).close();
        for (new, row) in (0..).zip(self.rows.iter_mut().filter(|row| **row != GONE)) {
            *row = new;
        }
        self.weigh();
    }

    fn is_sparse(&self) -> bool {
        self.place.is_none() && self.left * SPARSE < self.batch.len()
    }

    /// Puts its bytes on the disk; gives how many, or why they stay.
    fn spill(&mut self, spill: &mut Spill, now: Instant) -> Result<usize, Stays> {
        self.compact();
        let Some(block) = self.batch.take_block() else { return Err(Stays::NoRoom) };
        let (len, written) = (block.len(), spill.write(&block, now));
        let done = match written {
            Ok(place) => {
                self.place = Some(place);
                Ok(len)
            }
            Err(refused) => {
                self.batch.put_block(block);
                Err(if matches!(refused, Refused::Full) { Stays::NoRoom } else { Stays::Failed })
            }
        };
        self.weigh();
        done
    }
}

impl Hold {
    pub(super) fn new(spill: Spill) -> Self {
        Self { slots: BTreeMap::new(), in_memory: VecDeque::new(), next: 0, bytes: 0, spill }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The name of a record of the batch that is put next.
    pub(super) fn name(&self, row: usize) -> Held {
        Held::new(self.next, row)
    }

    /// Holds all records of a batch.
    pub(super) fn put(&mut self, batch: Batch) {
        let slot = Slot::new(batch);
        self.bytes += slot.bytes;
        self.slots.insert(self.next, slot);
        self.in_memory.push_back(self.next);
        self.next += 1;
    }

    /// Drops records of one batch.
    pub(super) fn drop(&mut self, records: &[Held]) {
        let Some(slot) = records.first().and_then(|first| self.slots.get(&first.slot())) else { return };
        slot.batch.note(Outcome::Dropped, records.len());
    }

    /// A batch of the records of one batch. None if its bytes cannot be read any more: then these have failed. What is on
    /// the disk stays there, for the others.
    pub(super) fn pick(&mut self, records: &[Held]) -> Option<Batch> {
        let slot = self.slots.get_mut(&records.first()?.slot())?;
        if let Some(place) = &slot.place {
            let Ok(block) = self.spill.read(place) else {
                slot.batch.note(Outcome::Failed, records.len());
                return None;
            };
            slot.batch.put_block(block);
        }
        let picked = slot.batch.pick(records.iter().map(|held| slot.rows[held.row()]));
        if slot.place.is_some() {
            slot.batch.take_block();
        }
        Some(picked)
    }

    /// Records of one batch are held no more.
    pub(super) fn release(&mut self, records: &[Held]) {
        let Some(number) = records.first().map(|held| held.slot()) else { return };
        let Some(slot) = self.slots.get_mut(&number) else { return };
        self.bytes -= slot.bytes;
        for held in records {
            slot.rows[held.row()] = GONE;
        }
        slot.left -= records.len();
        if slot.left > 0 {
            if slot.is_sparse() {
                slot.compact();
            }
            self.bytes += slot.bytes;
        } else if let Some(slot) = self.slots.remove(&number) {
            slot.place.iter().for_each(|place| self.spill.forget(place));
            slot.batch.close();
        }
        // Batches that have gone stand in the list until they are its oldest, unless they are most of it.
        if self.in_memory.len() > 64 + 2 * self.slots.len() {
            self.in_memory.retain(|number| self.slots.contains_key(number));
        }
    }

    /// Puts the bytes of the oldest batch on the disk.
    pub(super) fn spill_oldest(&mut self, now: Instant) -> Result<usize, Stays> {
        while let Some(number) = self.in_memory.front().copied() {
            let Some(slot) = self.slots.get_mut(&number).filter(|slot| slot.place.is_none()) else {
                self.in_memory.pop_front();
                continue;
            };
            if !self.spill.has_room(slot.bytes, now) {
                return Err(Stays::NoRoom);
            }
            self.bytes -= slot.bytes;
            let spilled = slot.spill(&mut self.spill, now);
            self.bytes += slot.bytes;
            if spilled.is_ok() {
                self.in_memory.pop_front();
            }
            return spilled;
        }
        Err(Stays::NoRoom)
    }
}
