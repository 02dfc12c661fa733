//! Bodies of requests: large buffers that are used again, since fresh memory costs a page fault for every 4 KiB. Those
//! under way are charged to the process's memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::event::{Budget, Permit};

/// Bodies kept for reuse.
const SPARE: usize = 2;
/// The share of memory that bodies of one sink may take: an eighth. More than one request is under way only within it, so
/// that a sink which waits leaves room for others.
const SHARE: usize = 8;

/// Where a sink's bodies come from and go back to.
#[derive(Clone, Debug)]
pub(crate) struct Bodies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spare: Mutex<Vec<Vec<u8>>>,
    budget: Budget,
    /// Bytes of bodies under way.
    lent: AtomicUsize,
}

impl Bodies {
    /// None yet; they are charged to `budget`.
    pub(crate) fn new(budget: Budget) -> Self {
        Self(Arc::new(Inner { spare: Mutex::default(), budget, lent: AtomicUsize::new(0) }))
    }

    /// An empty body with room for `bytes`.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        let spare = self.0.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut body = spare.unwrap_or_default();
        body.reserve(bytes);
        body
    }

    /// Takes a body back.
    pub(crate) fn give(&self, mut body: Vec<u8>) {
        let mut spare = self.0.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            body.clear();
            spare.push(body);
        }
    }

    /// A body on its way; it comes back with its last reference.
    pub(crate) fn lend(&self, body: Vec<u8>) -> Bytes {
        self.charge(body, true)
    }

    /// A body that was made for what is in it, on its way.
    pub(crate) fn keep(&self, body: Vec<u8>) -> Bytes {
        self.charge(body, false)
    }

    /// Is there room for one more beside those under way?
    pub(crate) fn has_room(&self) -> bool {
        self.0.lent.load(Ordering::Acquire) < self.0.budget.limit() / SHARE
    }

    /// It is there already, so it is charged whether there is room or not: the next reader waits.
    fn charge(&self, body: Vec<u8>, comes_back: bool) -> Bytes {
        let bytes = body.len();
        self.0.lent.fetch_add(bytes, Ordering::AcqRel);
        let permit = self.0.budget.charge(bytes);
        Bytes::from_owner(Lent { body, bytes, comes_back, home: self.clone(), _permit: permit })
    }
}

#[cfg(test)]
impl Default for Bodies {
    fn default() -> Self {
        Self::new(Budget::new(usize::MAX))
    }
}

struct Lent {
    body: Vec<u8>,
    bytes: usize,
    comes_back: bool,
    home: Bodies,
    _permit: Permit,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.0.lent.fetch_sub(self.bytes, Ordering::AcqRel);
        if self.comes_back {
            self.home.give(std::mem::take(&mut self.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_under_way_are_charged_and_bounded() {
        let budget = Budget::new(8000);
        let bodies = Bodies::new(budget.clone());
        let body = bodies.lend(vec![0; 600]);
        assert!(bodies.has_room() && budget.used() == 600);
        let other = bodies.keep(vec![0; 400]);
        let same = other.clone();
        drop(other);
        assert!(!bodies.has_room() && budget.used() == 1000, "an eighth");
        drop((body, same));
        assert!(bodies.has_room() && budget.used() == 0);
        assert_eq!(bodies.take(0).capacity(), 600, "only what was lent is used again");
        assert_eq!(bodies.take(0).capacity(), 0);
    }
}
