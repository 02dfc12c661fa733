//! Requests: records of one or several shares, and the body they were encoded to.

use std::sync::Arc;

use bytes::Bytes;

use super::share::Share;
use crate::buffer::Mark;
use crate::component::sink::{Partition, Place};
use crate::event::Outcome;

/// One record of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) share: u32,
    pub(crate) record: u32,
    pub(crate) partition: Partition,
}

/// Records on their way to a sink. It holds only shares that it has records of: a share resolves when the last load
/// that holds it is gone, and nobody shall wait for records of others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    pub(crate) shares: Vec<Arc<Share>>,
    pub(crate) items: Vec<Item>,
}

/// A load with the body it was encoded to.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) load: Load,
    pub(crate) body: Bytes,
    /// Bytes before compression.
    pub(crate) encoded: usize,
    /// Where it goes, if the encoder says so.
    pub(crate) place: Option<Place>,
    /// See [`Load::identity`]; zero where nobody asks for it.
    pub(crate) identity: u128,
    /// To be durable before the first attempt.
    pub(crate) mark: Option<Mark>,
}

impl Load {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds record number `record` of `share`.
    pub(crate) fn push(&mut self, share: &Arc<Share>, record: u32, partition: Partition) {
        if self.shares.last().is_none_or(|last| !Arc::ptr_eq(last, share)) {
            self.shares.push(share.clone());
        }
        let share = self.shares.len() as u32 - 1;
        self.items.push(Item { share, record, partition });
    }

    /// Adds a record of `from`.
    pub(crate) fn adopt(&mut self, from: &Self, item: Item) {
        self.push(from.share(item), item.record, item.partition);
    }

    pub(crate) fn share(&self, item: Item) -> &Arc<Share> {
        &self.shares[item.share as usize]
    }

    /// The identity of a request of exactly these records: the sum of their hashes. So it is the same however often
    /// they are encoded and in whatever order; a half of a request has one of its own, and the same one each time.
    pub(crate) fn identity(&self) -> u128 {
        let hashes = self.items.iter().map(|item| self.share(*item).get(item.record).identity().hash());
        hashes.fold(0, u128::wrapping_add)
    }

    /// Of the settings with which its records were first sent; those of one request were sent with the same.
    pub(crate) fn fingerprint(&self) -> u32 {
        self.shares.first().map_or(0, |share| share.fingerprint())
    }

    #[cfg(test)]
    pub(crate) fn views(&self) -> impl Iterator<Item = crate::event::View<'_>> {
        self.items.iter().map(|item| self.share(*item).get(item.record))
    }

    /// Bytes its records keep alive.
    pub(crate) fn weight(&self) -> usize {
        self.shares.iter().map(|share| share.weight()).sum()
    }

    /// All its records met `outcome`.
    pub(crate) fn settle(self, outcome: Outcome) {
        for (share, records) in self.by_share() {
            share.note(outcome, records.len());
        }
    }

    /// The same records copied out of their batches, which are let go: for a load that stays long.
    #[must_use]
    pub(crate) fn detach(self) -> Self {
        let mut detached = Self::default();
        for (share, items) in self.by_share() {
            let own = Share::detach(share, items.iter().map(|item| item.record));
            for (at, item) in items.iter().enumerate() {
                detached.push(&own, at as u32, item.partition);
            }
        }
        detached
    }

    /// Adds the records of `more`.
    pub(crate) fn join(&mut self, more: &Self) {
        for item in &more.items {
            self.adopt(more, *item);
        }
    }

    /// Parts the first `count` records from the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let (mut first, mut rest) = (Self::default(), Self::default());
        for (at, item) in self.items.iter().enumerate() {
            let side = if at < count { &mut first } else { &mut rest };
            side.adopt(&self, *item);
        }
        (first, rest)
    }

    /// Runs of records of the same share.
    pub(crate) fn by_share(&self) -> impl Iterator<Item = (&Arc<Share>, &[Item])> {
        self.items.chunk_by(|one, other| one.share == other.share).map(|run| (self.share(run[0]), run))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;
    use crate::event::test_kit::{Ledger, batch};

    fn load(ledger: &Arc<Ledger>, lines: &[&[&str]]) -> Load {
        let mut load = Load::default();
        for lines in lines {
            let share = Share::new(batch(ledger, lines));
            (0..lines.len() as u32).for_each(|record| load.push(&share, record, 0));
        }
        load
    }

    fn lines(load: &Load) -> Vec<String> {
        load.views().map(|view| String::from_utf8_lossy(view.text()).into_owned()).collect()
    }

    #[test]
    fn a_part_holds_no_share_of_the_others() {
        let ledger = Arc::new(Ledger::default());
        let (first, rest) = load(&ledger, &[&["a", "b"], &["c"]]).split_at(2);
        assert_eq!((lines(&first), lines(&rest)), (vec!["a".into(), "b".into()], vec!["c".into()]));
        rest.settle(Outcome::DeadLettered);
        assert_eq!(ledger.worst(), [(1, Outcome::DeadLettered)], "resolved while the first part is still under way");
        first.settle(Outcome::Delivered);
        assert_eq!(ledger.worst(), [(0, Outcome::Delivered), (1, Outcome::DeadLettered)]);
    }

    #[test]
    fn a_share_in_two_parts_waits_for_both_and_takes_the_worst() {
        let ledger = Arc::new(Ledger::default());
        let (first, rest) = load(&ledger, &[&["a", "b", "c"]]).split_at(1);
        first.settle(Outcome::Dropped);
        assert_eq!(ledger.worst(), []);
        rest.settle(Outcome::Delivered);
        assert_eq!(ledger.worst(), [(0, Outcome::Dropped)]);
    }

    #[test]
    fn join_is_the_other_way_of_split() {
        let ledger = Arc::new(Ledger::default());
        let (mut first, rest) = load(&ledger, &[&["a", "b"], &["c", "d"]]).split_at(3);
        first.join(&rest);
        assert_eq!(lines(&first), ["a", "b", "c", "d"]);
        drop(rest);
        first.settle(Outcome::Delivered);
        assert_eq!(ledger.worst(), [(0, Outcome::Delivered), (1, Outcome::Delivered)]);
    }

    #[test]
    fn a_load_that_goes_unsettled_fails() {
        let ledger = Arc::new(Ledger::default());
        let (first, rest) = load(&ledger, &[&["a", "b"]]).split_at(1);
        first.settle(Outcome::Delivered);
        drop(rest);
        assert_eq!(ledger.worst(), [(0, Outcome::Failed)]);
    }

    #[test]
    fn a_detached_load_lets_its_batches_go_but_not_their_receipts() {
        let ledger = Arc::new(Ledger::default());
        let long = "x".repeat(10_000);
        let (first, rest) = load(&ledger, &[&["a", &long]]).split_at(1);
        let heavy = first.weight();
        let first = first.detach();
        rest.settle(Outcome::Delivered);
        assert!(first.weight() < 1000 && heavy > 10_000, "{heavy} -> {}", first.weight());
        assert_eq!((lines(&first), ledger.worst()), (vec!["a".into()], vec![]));
        first.settle(Outcome::DeadLettered);
        assert_eq!(ledger.worst(), [(0, Outcome::DeadLettered)]);
    }

    /// The records of these places, out of thirty-two.
    fn chosen(places: impl IntoIterator<Item = u32>) -> Load {
        let share = Share::new(batch(&Arc::new(Ledger::default()), &["x"; 32]));
        let mut load = Load::default();
        places.into_iter().for_each(|record| load.push(&share, record, 0));
        load
    }

    proptest! {
        #[test]
        fn the_same_records_have_one_identity_and_others_another(
            one in btree_set(0..32_u32, 1..32),
            other in btree_set(0..32_u32, 1..32),
        ) {
            let identity = chosen(one.clone()).identity();
            prop_assert_eq!(identity, chosen(one.iter().rev().copied()).identity(), "in any order");
            prop_assert_eq!(identity, chosen(one.clone()).detach().identity(), "out of any batch");
            prop_assert_eq!(identity == chosen(other.clone()).identity(), one == other);
            let (first, rest) = chosen(one.clone()).split_at(one.len() / 2);
            prop_assert_eq!(identity, first.identity().wrapping_add(rest.identity()), "halves make up the whole");
            prop_assert_eq!(first.identity() == identity, first.len() == one.len());
        }
    }
}
