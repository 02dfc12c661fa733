//! Signals that threads and tasks both can wait for: the end of a component, room in a queue.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

/// Wakers of whoever waits for one condition; wakes each once.
#[derive(Debug, Default)]
pub struct Waiters(Mutex<Vec<Waker>>);

impl Waiters {
    /// Leaves `waker`; look at the condition once more afterwards.
    pub fn leave(&self, waker: &Waker) {
        let mut waiting = self.lock();
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// Takes `waker` back.
    pub fn forget(&self, waker: &Waker) {
        self.lock().retain(|other| !other.will_wake(waker));
    }

    /// Wakes all who wait.
    pub fn wake(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waker that unparks the calling thread.
pub fn thread_waker() -> Waker {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(std::thread::current())))
}

/// Tells a component to end: take no more, finish what is in hand until the deadline.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    deadline: Mutex<Option<Instant>>,
    waiting: Waiters,
    /// Whoever is asked to end when this is.
    parent: Option<Stop>,
}

impl Stop {
    /// One that is asked for with this one, and can be asked for alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(StopState { parent: Some(self.clone()), ..StopState::default() }))
    }

    /// Asks for the end; work in hand may go on until `deadline`. A second call can only bring it nearer.
    pub fn request(&self, deadline: Instant) {
        let mut current = self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(current.map_or(deadline, |old| old.min(deadline)));
        drop(current);
        self.0.waiting.wake();
    }

    /// The deadline, once the end has been asked for.
    pub fn deadline(&self) -> Option<Instant> {
        let own = *self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let parents = self.0.parent.as_ref().and_then(Self::deadline);
        own.into_iter().chain(parents).min()
    }

    /// Has the end been asked for?
    pub fn is_requested(&self) -> bool {
        self.deadline().is_some()
    }

    /// Wakes `waker` when the end is asked for.
    pub fn leave(&self, waker: &Waker) {
        self.0.waiting.leave(waker);
        self.0.parent.iter().for_each(|parent| parent.leave(waker));
    }

    /// Wakes `waker` no more.
    pub fn forget(&self, waker: &Waker) {
        self.0.waiting.forget(waker);
        self.0.parent.iter().for_each(|parent| parent.forget(waker));
    }

    /// Waits until the end is asked for. Cancel-safe.
    pub async fn requested(&self) -> Instant {
        poll_fn(|cx: &mut Context<'_>| {
            self.leave(cx.waker());
            self.deadline().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_stop_wakes_tasks_and_keeps_the_nearest_deadline() {
        let stop = Stop::default();
        let waiter = tokio::spawn({
            let stop = stop.clone();
            async move { stop.requested().await }
        });
        tokio::task::yield_now().await;
        let soon = Instant::now() + Duration::from_secs(1);
        stop.request(soon);
        stop.request(soon + Duration::from_secs(9));
        assert_eq!(waiter.await.unwrap(), soon);
        assert_eq!(stop.deadline(), Some(soon));
    }

    #[tokio::test]
    async fn a_child_ends_with_its_parent_and_alone() {
        let (parent, now) = (Stop::default(), Instant::now());
        let (one, other) = (parent.child(), parent.child());
        one.request(now);
        assert_eq!((one.deadline(), other.deadline(), parent.deadline()), (Some(now), None, None));
        let waiter = tokio::spawn({
            let other = other.clone();
            async move { other.requested().await }
        });
        tokio::task::yield_now().await;
        let later = now + Duration::from_secs(1);
        parent.request(later);
        assert_eq!((waiter.await.unwrap(), one.deadline()), (later, Some(now)), "the nearest counts");
    }

    #[test]
    fn a_waker_that_is_taken_back_is_not_kept() {
        let (waiters, waker) = (Waiters::default(), thread_waker());
        waiters.leave(&waker);
        waiters.leave(&thread_waker());
        waiters.forget(&waker);
        assert_eq!(waiters.lock().len(), 1);
    }
}
