//! For tests: an end of the pipeline that keeps what it is offered, and can be full, slow to settle, or failing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::files::Files;
use super::health::Health;
use super::meters::{Families, Label, Meters};
use super::outlet::{Inlet, Lane, Offer, Outlet};
use super::pause::Pause;
use super::row::Context;
use super::signal::Waiters;
use crate::event::{Batch, Budget, Form, Identity, Outcome, View};
use crate::lang::Tables;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// A record as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) identity: Identity,
    pub(crate) text: Vec<u8>,
    pub(crate) form: Form,
    pub(crate) is_truncated: bool,
    /// JSON of the whole record.
    pub(crate) json: Vec<u8>,
}

/// What the end does with batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Delivers at once.
    Delivers,
    /// Takes and settles later: see [`Catcher::settle_kept`].
    Keeps,
}

/// An outlet that catches records.
#[derive(Clone)]
pub(crate) struct Catcher(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    room: Waiters,
}

type Refuses = Box<dyn Fn(View<'_>) -> bool + Send>;

struct State {
    caught: Vec<Caught>,
    kept: Vec<Batch>,
    mood: Mood,
    /// Batches to fail, from now on.
    failing: usize,
    failed: usize,
    turned_away: usize,
    refuses: Option<Refuses>,
}

impl Default for Catcher {
    fn default() -> Self {
        let state = State {
            caught: vec![],
            kept: vec![],
            mood: Mood::Delivers,
            failing: 0,
            failed: 0,
            turned_away: 0,
            refuses: None,
        };
        Self(Arc::new(Inner { state: Mutex::new(state), changed: Condvar::new(), room: Waiters::default() }))
    }
}

impl Catcher {
    /// Sets what happens to batches that are taken.
    pub(crate) fn mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Fails the next `batches`: their records are not caught.
    pub(crate) fn fail_next(&self, batches: usize) {
        self.lock().failing = batches;
    }

    /// Has no room for batches whose first record `refuses` names.
    pub(crate) fn refuse(&self, refuses: impl Fn(View<'_>) -> bool + Send + 'static) {
        self.lock().refuses = Some(Box::new(refuses));
    }

    /// Has room for all.
    pub(crate) fn accept_all(&self) {
        self.lock().refuses = None;
        self.0.room.wake();
    }

    /// Settles the batches that were kept, in the order that `order` makes of them.
    pub(crate) fn settle_kept(&self, outcome: Outcome, order: impl FnOnce(&mut Vec<Batch>)) {
        let mut kept = std::mem::take(&mut self.lock().kept);
        order(&mut kept);
        for batch in kept {
            batch.settle(outcome);
        }
    }

    /// What was caught so far.
    pub(crate) fn caught(&self) -> Vec<Caught> {
        self.lock().caught.clone()
    }

    /// The lines that were caught so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |caught: &Caught| String::from_utf8_lossy(&caught.text).into_owned();
        self.lock().caught.iter().map(line).collect()
    }

    /// Waits until `count` records were caught; gives their lines.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<String> {
        self.wait("records", |state| state.caught.len() >= count);
        self.lines()
    }

    /// Waits until a line was caught.
    pub(crate) fn wait_for_line(&self, line: &str) {
        self.wait(line, |state| state.caught.iter().any(|caught| caught.text == line.as_bytes()));
    }

    /// Waits until `count` batches found no room.
    pub(crate) fn wait_for_refusals(&self, count: usize) {
        self.wait("refusals", |state| state.turned_away >= count);
    }

    /// Waits until `count` batches were failed.
    pub(crate) fn wait_for_failures(&self, count: usize) {
        self.wait("failures", |state| state.failed >= count);
    }

    fn wait(&self, what: &str, is_met: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while !is_met(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}, caught {} records", state.caught.len());
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, batch: Batch) -> Result<(), Batch> {
        let mut state = self.lock();
        let is_refused = state.refuses.as_ref().is_some_and(|refuses| refuses(batch.get(0)));
        let outcome = if is_refused {
            state.turned_away += 1;
            Err(batch)
        } else if state.failing > 0 {
            (state.failing, state.failed) = (state.failing - 1, state.failed + 1);
            batch.settle(Outcome::Failed);
            Ok(())
        } else {
            state.caught.extend(batch.iter().map(Caught::of));
            match state.mood {
                Mood::Delivers => batch.settle(Outcome::Delivered),
                Mood::Keeps => state.kept.push(batch),
            }
            Ok(())
        };
        self.0.changed.notify_all();
        outcome
    }
}

impl Caught {
    fn of(view: View<'_>) -> Self {
        let mut json = Vec::new();
        view.write_json(&mut json);
        Self {
            identity: view.identity(),
            text: view.text().to_vec(),
            form: view.form(),
            is_truncated: view.is_truncated(),
            json,
        }
    }
}

impl Inlet for Catcher {
    fn offer(&self, batch: Batch, waker: &Waker) -> Result<(), Batch> {
        let batch = match self.take(batch) {
            Ok(()) => return Ok(()),
            Err(batch) => batch,
        };
        self.0.room.leave(waker);
        self.take(batch)
    }
}

impl Outlet for Catcher {
    fn lane_to(&self, _: usize) -> Box<dyn Lane> {
        Box::new(self.clone())
    }
}

impl Lane for Catcher {
    fn offer(&mut self, batch: Batch, waker: &Waker) -> Offer {
        match Inlet::offer(self, batch, waker) {
            Ok(()) => Offer::Taken,
            Err(batch) => Offer::of(vec![(Arc::new(self.clone()) as Arc<dyn Inlet>, batch)]),
        }
    }
}

/// A context with `memory` bytes of budget that keeps state in `folder`, and the figures behind its meters.
pub(crate) fn context(folder: &std::path::Path, memory: usize) -> (Families, Context) {
    let families = Families::default();
    let meters = families.meters(&label());
    let context = Context {
        id: "it".into(),
        meters,
        budget: Budget::new(memory),
        state_dir: folder.to_owned(),
        files: Files::default(),
        tables: Tables::default(),
        pause: Pause::default(),
        health: Health::default(),
    };
    (families, context)
}

/// A context for the sink `logs`.
pub(crate) fn sink_context(type_name: &'static str) -> Context {
    let meters = Families::default().meters(&Label { id: "logs".into(), kind: "sink", type_name });
    let (_, context) = context(std::path::Path::new("unused"), 1 << 20);
    Context { id: "logs".into(), meters, ..context }
}

/// Meters nobody looks at but the test.
pub(crate) fn meters() -> Meters {
    Families::default().meters(&label())
}

fn label() -> Label {
    Label { id: "it".into(), kind: "source", type_name: "file" }
}
