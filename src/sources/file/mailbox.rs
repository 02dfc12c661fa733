//! Letters for a thread that parks when it has nothing to do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Wake;
use std::thread::Thread;

/// A thread's mailbox. As a waker it rings: the thread finds out by [`was_rung`](Self::was_rung).
#[derive(Debug)]
pub(super) struct Mailbox<T> {
    letters: Mutex<Vec<T>>,
    rung: AtomicBool,
    reader: OnceLock<Thread>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { letters: Mutex::default(), rung: AtomicBool::new(false), reader: OnceLock::new() }
    }
}

impl<T> Mailbox<T> {
    /// The calling thread reads this mailbox from now on.
    pub(super) fn open(&self) {
        let _ = self.reader.set(std::thread::current());
    }

    /// Leaves a letter and wakes the reader.
    pub(super) fn post(&self, letter: T) {
        self.lock().push(letter);
        self.unpark();
    }

    /// Moves all letters to the end of `into`.
    pub(super) fn take(&self, into: &mut Vec<T>) {
        into.append(&mut self.lock());
    }

    /// Wakes the reader and lets it know.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.unpark();
    }

    /// Did anyone ring since the last call?
    pub(super) fn was_rung(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    fn unpark(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Wake for Mailbox<T> {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
