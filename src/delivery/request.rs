//! Requests: records of one or several shares, and the body they were encoded to.

use std::sync::Arc;

use bytes::Bytes;

use super::share::Share;
use crate::component::sink::Partition;
use crate::event::{Outcome, View};

/// One record of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) share: u32,
    pub(crate) record: u32,
    pub(crate) partition: Partition,
}

/// Records on their way to a sink.
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
}

impl Load {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of `share` in this load.
    pub(crate) fn admit(&mut self, share: &Arc<Share>) -> u32 {
        if self.shares.last().is_none_or(|last| !Arc::ptr_eq(last, share)) {
            self.shares.push(share.clone());
        }
        self.shares.len() as u32 - 1
    }

    pub(crate) fn view(&self, item: Item) -> View<'_> {
        self.shares[item.share as usize].get(item.record)
    }

    /// All its records met `outcome`.
    pub(crate) fn settle(self, outcome: Outcome) {
        let mut counts = vec![0; self.shares.len()];
        for item in &self.items {
            counts[item.share as usize] += 1;
        }
        for (share, count) in self.shares.iter().zip(counts) {
            share.note(outcome, count);
        }
    }

    /// Adds the records of `more`.
    pub(crate) fn join(&mut self, more: Self) {
        let offset = self.shares.len() as u32;
        self.shares.extend(more.shares);
        self.items.extend(more.items.into_iter().map(|item| Item { share: item.share + offset, ..item }));
    }

    /// Parts the items that `take` names (by their place) from the others.
    pub(crate) fn part(self, mut take: impl FnMut(usize, &Item) -> bool) -> (Self, Self) {
        let mut at = 0;
        let (taken, rest) = self.items.into_iter().partition(|item| {
            at += 1;
            take(at - 1, item)
        });
        (Self { shares: self.shares.clone(), items: taken }, Self { shares: self.shares, items: rest })
    }
}
