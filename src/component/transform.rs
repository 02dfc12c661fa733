//! The contracts of transforms: those that hold nothing, and those that do.

use std::time::Instant;

use crate::event::{Batch, Outcome};

use super::meters::Meters;
use super::reason::Reason;

/// A step that runs inline, on the whole batch, where the batch was read: synchronous, no clock but the records'.
pub trait Transform: Send {
    /// Changes `batch` in place. What remains in it goes to the default output; other outputs and what is refused
    /// go through `ports`.
    fn apply(&mut self, batch: &mut Batch, ports: &mut Ports);

    /// A copy for another lane, with scratch space of its own.
    fn fork(&self) -> Box<dyn Transform>;
}

/// A step that holds records, or something of them, between batches. It stands behind a queue of its own and is run by
/// one thread at a time; `now` is the clock of its timers.
///
/// Receipts of what it holds stay open until what the records become has resolved. What is dropped with the step has
/// failed: its source offers it again.
pub trait Stateful: Send {
    /// Takes a batch. What goes on leaves through `ports`: by [`Ports::send`] also to the main output, in the order of
    /// the calls.
    fn apply(&mut self, batch: Batch, now: Instant, ports: &mut Ports);

    /// When it wants to be woken, if it does.
    fn due(&self) -> Option<Instant>;

    /// Its time has come.
    fn wake(&mut self, now: Instant, ports: &mut Ports);

    /// Gives out what it holds: the process ends, or the step is replaced. It is called again as long as there is
    /// something [`due`](Self::due), so that much can leave in parts.
    fn finish(&mut self, ports: &mut Ports);

    /// One with the same settings that holds nothing, to go on with after a panic.
    fn renew(&self) -> Box<dyn Stateful>;
}

/// Where a transform sends what does not stay in the batch.
#[derive(Default)]
pub struct Ports {
    named: Vec<(usize, Batch)>,
    rejected: Vec<(Batch, String)>,
}

impl Ports {
    /// Sends `batch` to the output of this number (the order in which the component names its outputs).
    pub fn send(&mut self, output: usize, batch: Batch) {
        if batch.is_empty() {
            batch.close();
        } else {
            self.named.push((output, batch));
        }
    }

    /// Refuses records for good, with the reason a person will read in the dead letter.
    pub fn reject(&mut self, batch: Batch, why: impl Into<String>) {
        if batch.is_empty() {
            batch.close();
        } else {
            self.rejected.push((batch, why.into()));
        }
    }

    /// Takes out what was sent to named outputs.
    pub fn take_named(&mut self) -> impl Iterator<Item = (usize, Batch)> {
        self.named.drain(..)
    }

    /// Takes out what was refused.
    pub fn take_rejected(&mut self) -> impl Iterator<Item = (Batch, String)> {
        self.rejected.drain(..)
    }
}

/// Drops by policy the records of `batch` that `keep` does not like, and counts them.
pub fn discard(batch: &mut Batch, meters: &Meters, reason: Reason, keep: impl FnMut(crate::event::View<'_>) -> bool) {
    let gone = batch.retain(keep);
    if gone > 0 {
        batch.note(Outcome::Dropped, gone);
        meters.discarded(reason, gone);
    }
}
