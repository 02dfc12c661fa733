//! Blocks: shared pieces of input bytes, and the budget they are charged to.
//!
//! A block is charged once, when it is read, and gives its bytes back with its last reference. So "memory is a
//! budget" holds wherever the block travels: through chains, queues, retries and dead letters.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use bytes::Bytes;

/// How many idle buffers a [`Budget`] keeps for reuse.
const SPARE_BUFFERS: usize = 16;
/// A larger buffer is not kept: it was made for one unusual record.
const SPARE_BYTES: usize = 1 << 20;

/// A buffer is used again where it is at most so many times as large as what is to be read.
const MOST_SLACK: usize = 2;

/// Bytes that may be held at once; cheap to clone.
///
/// One budget serves the whole process (`memory_limit`). A reader that finds it exhausted leaves its waker and
/// is called when bytes come back.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { limit, used: AtomicUsize::new(0), waiting: Mutex::default(), spare: Mutex::default() }))
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Bytes charged now.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Acquire)
    }

    /// Charges `bytes`, or returns `None` and calls `waker` when some come back.
    ///
    /// A request larger than the whole limit is granted while nothing else is held: it must pass some day.
    pub fn take(&self, bytes: usize, waker: &Waker) -> Option<Permit> {
        if let Some(permit) = self.try_take(bytes) {
            return Some(permit);
        }
        let mut waiting = self.lock_waiting();
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        drop(waiting);
        // Between the first look and the registration bytes may have come back unseen.
        self.try_take(bytes)
    }

    /// Charges `bytes` without asking whether there is room: for what is here already, copied out of a block, and for what
    /// has to move so that others' bytes come back. What was charged for the block, or the caller's own bound, is by how
    /// much the limit may be passed; the next reader waits.
    pub fn charge(&self, bytes: usize) -> Permit {
        self.0.used.fetch_add(bytes, Ordering::AcqRel);
        Permit { budget: self.clone(), bytes }
    }

    fn try_take(&self, bytes: usize) -> Option<Permit> {
        let fits = |used: usize| (used == 0 || used + bytes <= self.0.limit).then_some(used + bytes);
        self.0.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).ok()?;
        Some(Permit { budget: self.clone(), bytes })
    }

    fn lock_waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.0.waiting.lock().expect("no holder of this lock panics")
    }

    fn give_back(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::AcqRel);
        let waiting = std::mem::take(&mut *self.lock_waiting());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// A buffer of exactly `size` initialised bytes for one read; reused where one is at hand.
    pub fn buffer(&self, size: usize) -> Vec<u8> {
        let mut spare = self.0.spare.lock().expect("no holder of this lock panics");
        // A block must not keep alive much more than it is charged for.
        let spare = spare.pop_if(|buffer| buffer.capacity() <= size.saturating_mul(MOST_SLACK));
        let mut buffer = spare.unwrap_or_default();
        buffer.resize(size, 0);
        buffer
    }

    fn recycle(&self, buffer: Vec<u8>) {
        let mut spare = self.0.spare.lock().expect("no holder of this lock panics");
        if spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_BYTES {
            spare.push(buffer);
        }
    }
}

/// Bytes of a [`Budget`], given back on drop.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    bytes: usize,
}

impl Permit {
    /// Charges so many bytes more; tells whether there was room. Nobody is called when there is some later.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let more = self.budget.try_take(bytes);
        more.is_some_and(|mut more| {
            self.bytes += std::mem::take(&mut more.bytes);
            true
        })
    }

    /// Turns a filled buffer into a block: the permit and the buffer go home with its last reference.
    pub fn block(self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Owned { buffer, permit: self })
    }

    /// Turns bytes into a block whose buffer is not used again: it was made for what is in it.
    pub fn keep(self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Kept { buffer, _permit: self })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

struct Kept {
    buffer: Vec<u8>,
    _permit: Permit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

struct Owned {
    buffer: Vec<u8>,
    permit: Permit,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.permit.budget.recycle(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    fn a_full_budget_wakes_the_waiter_when_a_block_goes() {
        let budget = Budget::new(10);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let block = budget.take(8, &waker).unwrap().block(vec![1; 8]);
        let copy = block.clone();
        assert!(budget.take(3, &waker).is_none());
        drop(block);
        assert!(!flag.0.load(Ordering::Acquire), "a clone still holds the block");
        drop(copy);
        assert!(flag.0.load(Ordering::Acquire));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_here_already_is_charged_beyond_the_limit_and_others_wait() {
        let budget = Budget::new(10);
        let block = budget.charge(12).keep(vec![7; 12]);
        assert_eq!((budget.used(), &block[..2]), (12, &[7, 7][..]));
        assert!(budget.take(1, Waker::noop()).is_none());
        drop(block);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.buffer(8).capacity(), 8, "its buffer is not used again");
    }

    #[test]
    fn a_small_block_does_not_keep_a_large_buffer_alive() {
        let budget = Budget::new(10_000);
        let fill = |size| budget.take(size, Waker::noop()).unwrap().block(budget.buffer(size));
        drop(fill(4_000));
        assert!(budget.buffer(100).capacity() < 4_000);
        assert!(budget.buffer(3_000).capacity() >= 4_000, "it is used for what fills most of it");
    }

    #[test]
    fn a_request_beyond_the_limit_passes_alone() {
        let budget = Budget::new(10);
        let large = budget.take(100, Waker::noop()).unwrap();
        assert!(budget.take(1, Waker::noop()).is_none());
        drop(large);
        assert!(budget.take(1, Waker::noop()).is_some());
    }
}
