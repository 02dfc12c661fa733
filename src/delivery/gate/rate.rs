//! The rate limit: so many requests in a time, repeated ones included.

use std::time::Duration;

use tokio::time::Instant;

/// A window begins with the first request in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    most: u64,
    window: Duration,
    began: Option<Instant>,
    sent: u64,
}

impl Rate {
    pub(crate) fn new(most: u64, window: Duration) -> Self {
        Self { most, window, began: None, sent: 0 }
    }

    /// When the next request may leave, if not now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        let began = *self.began.get_or_insert(now);
        if now >= began + self.window {
            (self.began, self.sent) = (Some(now), 0);
            return None;
        }
        (self.sent >= self.most).then_some(began + self.window)
    }

    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }
}
