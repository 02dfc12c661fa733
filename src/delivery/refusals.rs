//! Where the records go that a sink refuses for good: to whatever reads its output `dead_letter`, else to the folder.

use std::sync::Arc;

use super::dead_letter::DeadLetters;
use crate::component::meters::Meters;
use crate::component::outlet::Outlet;
use crate::component::reason::Reason;
use crate::component::signal::thread_waker;
use crate::event::{Batch, json};

/// The member that tells a reader of `ID.dead_letter` why a record is there.
const TOLD_IN: &[u8] = b"dead_letter";

/// The way out for refused records of one sink; a clone leads to the same place.
#[derive(Clone)]
pub struct Refusals {
    letters: Arc<DeadLetters>,
    outlet: Arc<dyn Outlet>,
}

impl Refusals {
    /// Refused records go to `outlet` while anything reads it, else to `letters`.
    pub fn new(letters: Arc<DeadLetters>, outlet: Arc<dyn Outlet>) -> Self {
        Self { letters, outlet }
    }

    /// Lets go of `batch`, refused by a step for one reason.
    pub fn refuse(&self, batch: Batch, why: &str, meters: &Meters) {
        self.take(batch, |_| ("rejected", why), meters);
    }

    /// Lets go of `batch`, of which `why` tells the code and the reason of each record by its number. Blocks until the
    /// records are durable, or in the queues of those who read them.
    pub(crate) fn take<'w>(&self, mut batch: Batch, why: impl Fn(usize) -> (&'w str, &'w str), meters: &Meters) {
        if batch.is_empty() {
            return batch.close();
        }
        if !self.outlet.is_read() {
            let letters = batch.iter().enumerate().map(|(at, view)| (view, why(at).0, why(at).1));
            let outcome = self.letters.write_each(letters, meters);
            return batch.settle(outcome);
        }
        meters.discarded(Reason::Rejected, batch.len());
        mark(&mut batch, &why, &meters.label().id);
        let waker = thread_waker();
        self.outlet.lane().offer(batch, &waker).wait(&waker);
    }
}

/// Says in each record what refused it, and why.
fn mark<'w>(batch: &mut Batch, why: &impl Fn(usize) -> (&'w str, &'w str), component: &str) {
    let mut records = batch.edit();
    for at in 0..records.len() {
        let (code, reason) = why(at);
        records.set_member(at, TOLD_IN, |out| {
            for (key, text) in
                [("{\"component\":\"", component), ("\",\"code\":\"", code), ("\",\"reason\":\"", reason)]
            {
                out.extend_from_slice(key.as_bytes());
                json::escape(text.as_bytes(), out);
            }
            out.extend_from_slice(b"\"}");
        });
    }
}

#[cfg(test)]
impl From<Arc<DeadLetters>> for Refusals {
    fn from(letters: Arc<DeadLetters>) -> Self {
        struct Unread;
        impl Outlet for Unread {
            fn lane(&self) -> Box<dyn crate::component::outlet::Lane> {
                unreachable!("nothing reads it")
            }

            fn is_read(&self) -> bool {
                false
            }
        }
        Self::new(letters, Arc::new(Unread))
    }
}
