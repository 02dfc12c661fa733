//! Health that tells what really happened: set by the outcomes of real work, never by a probe at start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock;

/// How a component is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing has been tried yet.
    #[default]
    Starting,
    /// The last work succeeded.
    Running,
    /// Work fails or waits, and is tried again.
    Degraded {
        /// What goes wrong.
        why: String,
        /// Since when, in nanoseconds since the Unix epoch.
        since: i64,
    },
}

/// The health of one component; a clone tells of the same.
#[derive(Clone, Debug)]
pub struct Health(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    state: State,
    since: i64,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner { state: State::Starting, since: clock::now() })))
    }
}

impl Health {
    /// How it is now.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Since when it is as it is, in nanoseconds since the Unix epoch.
    pub fn since(&self) -> i64 {
        self.lock().since
    }

    /// Work succeeded. `id` names the component in the log when this is a recovery.
    pub fn succeeded(&self, id: &str) {
        let mut inner = self.lock();
        if inner.state == State::Running {
            return;
        }
        if let State::Degraded { since, .. } = inner.state {
            let seconds = (clock::now() - since) / 1_000_000_000;
            tracing::info!(component_id = id, seconds, "recovered");
        }
        *inner = Inner { state: State::Running, since: clock::now() };
    }

    /// Work failed or waits. Logged when it begins and when its reason changes, not at each attempt.
    pub fn troubled(&self, id: &str, why: &str) {
        let mut inner = self.lock();
        let since = match &inner.state {
            State::Degraded { why: known, .. } if known == why => return,
            State::Degraded { since, .. } => *since,
            _ => clock::now(),
        };
        tracing::warn!(component_id = id, "{why}");
        *inner = Inner { state: State::Degraded { why: why.to_owned(), since }, since };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
