//! A source that reads nothing for a while because a person said so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use serde::{Deserialize, Serialize};

use super::signal::Waiters;

/// Since when a source is paused, and who said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Nanoseconds since the Unix epoch.
    pub since: i64,
    /// The user who said so, where the kernel told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The process that said so, where the kernel told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
}

/// Whether one source is paused; a clone tells of the same.
#[derive(Clone, Debug, Default)]
pub struct Pause(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_on: AtomicBool,
    state: Mutex<Option<Paused>>,
    waiting: Waiters,
}

impl Pause {
    /// Is it on?
    pub fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Acquire)
    }

    /// Since when it is on, and by whom.
    pub fn state(&self) -> Option<Paused> {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Must the caller read nothing now? Then `waker` is woken when it may. One load while the source is not paused.
    pub fn holds(&self, waker: &Waker) -> bool {
        if !self.is_on() {
            return false;
        }
        self.0.waiting.leave(waker);
        // It may have ended in between.
        self.is_on()
    }

    /// Begins it, or ends it with `None`.
    pub fn set(&self, state: Option<Paused>) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.0.is_on.store(state.is_some(), Ordering::Release);
        if state.is_none() {
            self.0.waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    struct Bell(AtomicBool);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    fn who_is_held_is_woken_at_the_end_and_nobody_else() {
        let (pause, bell) = (Pause::default(), Arc::new(Bell(AtomicBool::new(false))));
        let waker = Waker::from(bell.clone());
        let rang = || bell.0.swap(false, Ordering::AcqRel);
        assert!(!pause.holds(&waker));
        pause.set(Some(Paused { since: 7, uid: Some(1), pid: None }));
        pause.set(None);
        assert!(!rang(), "it was not held");
        pause.set(Some(Paused { since: 8, uid: None, pid: None }));
        assert!(pause.holds(&waker) && !rang());
        assert_eq!(pause.state().map(|state| state.since), Some(8));
        pause.set(None);
        assert!(rang() && !pause.is_on() && pause.state().is_none());
    }
}
