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
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

impl Health {
    /// How it is now.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Work succeeded. `id` names the component in the log when this is a recovery.
    pub fn succeeded(&self, id: &str) {
        let mut state = self.lock();
        if let State::Degraded { since, .. } = &*state {
            let seconds = (clock::now() - since) / 1_000_000_000;
            tracing::info!(component_id = id, seconds, "recovered");
        }
        *state = State::Running;
    }

    /// Work failed or waits. Logged when it begins and when its reason changes, not at each attempt.
    pub fn troubled(&self, id: &str, why: &str) {
        let mut state = self.lock();
        let since = match &*state {
            State::Degraded { why: known, .. } if known == why => return,
            State::Degraded { since, .. } => *since,
            _ => clock::now(),
        };
        tracing::warn!(component_id = id, "{why}");
        *state = State::Degraded { why: why.to_owned(), since };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
