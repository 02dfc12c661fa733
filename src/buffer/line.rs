//! The streams that wait for room, in the order in which they came.

use std::collections::{BTreeMap, HashMap};
use std::task::Waker;

use crate::event::StreamKey;

/// Only the first of the line may have room that comes, so that none is passed by for ever.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<u64, (StreamKey, Waker)>,
    places: HashMap<StreamKey, u64>,
    last: u64,
}

impl Line {
    /// Does nobody wait ahead of `stream`?
    pub(super) fn is_next(&self, stream: StreamKey) -> bool {
        self.waiting.first_key_value().is_none_or(|(_, (first, _))| *first == stream)
    }

    /// `stream` waits, and is called by `waker` from now on. One that waits already keeps its place.
    pub(super) fn join(&mut self, stream: StreamKey, waker: &Waker) {
        let place = *self.places.entry(stream).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.waiting.insert(place, (stream, waker.clone()));
    }

    /// `stream` waits no more.
    pub(super) fn leave(&mut self, stream: StreamKey) {
        if let Some(place) = self.places.remove(&stream) {
            self.waiting.remove(&place);
        }
    }

    /// Calls the first.
    pub(super) fn first(&self) -> Option<Waker> {
        self.waiting.first_key_value().map(|(_, (_, waker))| waker.clone())
    }

    /// Calls everybody: who waits yet comes again, in an order of its own.
    pub(super) fn dissolve(&mut self) -> Vec<Waker> {
        self.places.clear();
        std::mem::take(&mut self.waiting).into_values().map(|(_, waker)| waker).collect()
    }
}
