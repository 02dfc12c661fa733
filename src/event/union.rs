//! Many records as one: what a step that holds records owes to their sources, and the records they become.

use std::sync::Arc;

use bytes::Bytes;

use super::batch::{Batch, Seen};
use super::origin::{Origin, StreamKey};
use super::receipt::{Outcome, Receipt};
use super::tables::Tables;

/// Records of a batch of unions, at most: each has an origin of its own.
const MOST_RECORDS: usize = 1024;
/// Bytes of text after which a batch of unions takes no more.
const ENOUGH_BYTES: usize = 1 << 20;

/// Receipts that wait for the outcome of records, with one share of each, however many of its records they are.
/// Dropped without a word, the records have failed.
#[derive(Debug, Default)]
pub struct Owed(Vec<Receipt>);

impl Owed {
    /// Owes an outcome to the receipts of `batch` too.
    pub fn add(&mut self, batch: &Batch) {
        let more = batch.receipts();
        // Records come batch by batch: what is known already stands at the end.
        let recent = self.0.len().saturating_sub(more.len());
        for receipt in more {
            if !self.0[recent..].iter().any(|own| own.is_of(receipt)) {
                self.0.push(receipt.clone());
            }
        }
    }

    /// How many receipts.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `count` of the records met `outcome`; that was all of them.
    pub fn settle(self, outcome: Outcome, count: usize) {
        for receipt in self.0 {
            receipt.note(outcome, count as u64);
            receipt.close();
        }
    }

    fn join(mut all: Vec<Receipt>) -> Vec<Receipt> {
        all.sort_unstable_by_key(Receipt::place);
        let mut joined: Vec<Receipt> = Vec::new();
        for receipt in all {
            match joined.last() {
                // Its twin speaks for it.
                Some(last) if last.is_of(&receipt) => receipt.close(),
                _ => joined.push(receipt),
            }
        }
        joined
    }
}

/// Records that are becoming one. It owes their sources an outcome; it is called by the hash of their identities, in
/// whatever order they came, so that the same records make the same one again.
#[derive(Debug)]
pub struct Union {
    owed: Owed,
    /// The origin and the time of the first.
    origin: Arc<Origin>,
    time: i64,
    key: u128,
    members: usize,
}

impl Union {
    /// Of one record so far.
    pub fn of(batch: &Batch, index: usize) -> Self {
        let record = batch.get(index);
        let origin = batch.tables.origin(&batch.records[index]).clone();
        let (time, key) = (batch.records[index].time, record.identity().hash());
        let mut owed = Owed::default();
        owed.add(batch);
        Self { owed, origin, time, key, members: 1 }
    }

    /// With one record more.
    pub fn add(&mut self, batch: &Batch, index: usize) {
        self.key = self.key.wrapping_add(batch.get(index).identity().hash());
        self.members += 1;
        self.owed.add(batch);
    }

    /// A record of it came again: its new receipt waits too.
    pub fn add_again(&mut self, batch: &Batch) {
        self.owed.add(batch);
    }

    /// How many records.
    pub fn members(&self) -> usize {
        self.members
    }

    /// Bytes it takes in memory.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.owed.len() * size_of::<Receipt>()
    }

    /// Like the first record's: stream and position are those of the union, members are in its text.
    fn own_origin(&self) -> Arc<Origin> {
        Arc::new(self.origin.in_stream(StreamKey(self.key)))
    }
}

impl Batch {
    /// Batches of the records that unions became, in order; each is read from the JSON object given with it.
    pub fn united(unions: impl IntoIterator<Item = (Union, Vec<u8>)>) -> Vec<Self> {
        let mut batches = Vec::new();
        let mut chunk = Chunk::default();
        for (union, text) in unions {
            chunk.add(union, &text);
            if chunk.seen.len() == MOST_RECORDS || chunk.text.len() >= ENOUGH_BYTES {
                batches.push(std::mem::take(&mut chunk).batch());
            }
        }
        if !chunk.seen.is_empty() {
            batches.push(chunk.batch());
        }
        batches
    }
}

/// A batch of unions in the making.
#[derive(Default)]
struct Chunk {
    text: Vec<u8>,
    /// Where each text ends, with its record's time.
    seen: Vec<(usize, i64)>,
    origins: Vec<Arc<Origin>>,
    receipts: Vec<Receipt>,
}

impl Chunk {
    fn add(&mut self, union: Union, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.seen.push((self.text.len(), union.time));
        self.origins.push(union.own_origin());
        self.receipts.extend(union.owed.0);
    }

    fn batch(self) -> Batch {
        let tables = Tables { blocks: vec![Bytes::from(self.text)], origins: self.origins, ..Tables::default() };
        let mut batch = Batch::over(tables, Owed::join(self.receipts));
        let mut start = 0;
        for (number, (end, time)) in self.seen.into_iter().enumerate() {
            let seen = Seen { position: 0, time };
            let mut filler = batch.fill();
            // What has too many members to be indexed goes on as text.
            if filler.json(start, end - start, seen).is_err() {
                filler.text(start, end - start, seen);
            }
            if let Some(record) = batch.records.last_mut() {
                record.origin = number as u16;
            }
            start = end;
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::test_kit::{Ledger, batch_of};

    fn texts(batches: &[Batch]) -> Vec<String> {
        let text = |view: crate::event::View<'_>| String::from_utf8(view.text().to_vec()).unwrap();
        batches.iter().flat_map(|batch| batch.iter().map(text).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn a_union_answers_each_receipt_once_and_is_called_by_its_members() {
        let ledger = Arc::new(Ledger::default());
        let one = batch_of(1, 0, &["a", "b", "c"], ledger.receipt());
        let two = batch_of(2, 7, &["d"], ledger.receipt());
        let union = |order: &[(&Batch, usize)]| {
            let mut union = Union::of(order[0].0, order[0].1);
            order[1..].iter().for_each(|(batch, index)| union.add(batch, *index));
            union
        };
        let first = union(&[(&one, 0), (&two, 0), (&one, 2)]);
        assert_eq!((first.members(), first.owed.len()), (3, 3), "`one` came again after `two`");
        let again = union(&[(&one, 2), (&one, 0), (&two, 0)]);
        let other = union(&[(&one, 1)]);
        let batches = Batch::united([(first, b"{\"n\":3}".to_vec()), (again, b"{}".to_vec()), (other, b"{".to_vec())]);
        assert_eq!(texts(&batches), ["{\"n\":3}", "{}", "{"]);
        let streams: Vec<_> = batches[0].iter().map(|view| view.identity().stream).collect();
        assert_eq!(streams[0], streams[1]);
        assert_ne!(streams[0], streams[2]);
        assert_ne!(streams[2], one.get(1).identity().stream, "a union of one is not its member");
        assert!(!batches[0].get(0).is_text() && batches[0].get(2).is_text());
        one.close();
        two.close();
        assert_eq!(ledger.worst(), []);
        batches.into_iter().for_each(|batch| batch.settle(Outcome::Delivered));
        assert_eq!(ledger.worst(), [(0, Outcome::Delivered), (1, Outcome::Delivered)]);
    }

    #[test]
    fn a_union_that_is_forgotten_has_failed() {
        let ledger = Arc::new(Ledger::default());
        let batch = batch_of(1, 0, &["a"], ledger.receipt());
        let mut union = Union::of(&batch, 0);
        union.add_again(&batch);
        batch.close();
        drop(union);
        assert_eq!(ledger.worst(), [(0, Outcome::Failed)]);
    }

    #[test]
    fn many_unions_are_several_batches() {
        let ledger = Arc::new(Ledger::default());
        let batch = batch_of(1, 0, &["a"], ledger.receipt());
        let unions = (0..MOST_RECORDS + 1).map(|_| (Union::of(&batch, 0), b"{}".to_vec()));
        let batches = Batch::united(unions);
        assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [MOST_RECORDS, 1]);
        batch.close();
        batches.into_iter().for_each(|batch| batch.settle(Outcome::Delivered));
        assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
    }
}
