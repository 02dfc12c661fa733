//! A batch on its way, and the records elsewhere whose outcome is its own.

use std::sync::{Mutex, PoisonError};

use crate::event::{Outcome, Owed};

/// Waits for the outcome of a batch.
#[derive(Debug)]
pub(super) struct Leader(Mutex<State>);

#[derive(Debug)]
enum State {
    /// What is owed to the sources of records like its own, with their number.
    OnItsWay(Vec<(Owed, usize)>),
    Ended(Outcome),
}

impl Default for Leader {
    fn default() -> Self {
        Self(Mutex::new(State::OnItsWay(Vec::new())))
    }
}

impl Leader {
    /// `count` records are like some of this batch: they are duplicates if it arrives, and have failed if it fails.
    pub(super) fn follow(&self, owed: Owed, count: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::OnItsWay(followers) => followers.push((owed, count)),
            State::Ended(outcome) => {
                let outcome = *outcome;
                drop(state);
                owed.settle(outcome_of_follower(outcome), count);
            }
        }
    }

    /// The batch has an outcome.
    pub(super) fn end(&self, outcome: Outcome) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Ended(outcome));
        drop(state);
        if let State::OnItsWay(followers) = before {
            for (owed, count) in followers {
                owed.settle(outcome_of_follower(outcome), count);
            }
        }
    }
}

fn outcome_of_follower(leader: Outcome) -> Outcome {
    if leader == Outcome::Failed { Outcome::Failed } else { Outcome::Dropped }
}
