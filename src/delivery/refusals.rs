//! Where the records go that a sink refuses for good: to whatever reads its output `dead_letter`, else to the folder.

use std::sync::Arc;

use super::dead_letter::DeadLetters;
use crate::component::meters::Meters;
use crate::component::outlet::Outlet;
use crate::component::reason::Reason;
use crate::component::signal::{Stop, thread_waker};
use crate::event::{Batch, json};

/// The member that tells a reader of `ID.dead_letter` why a record is there.
const TOLD_IN: &[u8] = b"dead_letter";

/// The way out for refused records of one sink; a clone leads to the same place.
#[derive(Clone)]
pub struct Refusals {
    letters: Arc<DeadLetters>,
    outlet: Arc<dyn Outlet>,
    /// Of the sink: nobody waits for a reader beyond its deadline.
    stop: Stop,
}

impl Refusals {
    /// Refused records go to `outlet` while anything reads it, else to `letters`.
    pub fn new(letters: Arc<DeadLetters>, outlet: Arc<dyn Outlet>, stop: Stop) -> Self {
        Self { letters, outlet, stop }
    }

    /// Lets go of `batch`, refused by a step for one reason.
    pub fn refuse(&self, batch: Batch, why: &str, meters: &Meters) {
        self.take(batch, |_| ("rejected", why), meters);
    }

    /// Lets go of `batch`, of which `why` tells the code and the reason of each record by its number. Blocks until the
    /// records are durable, or in the queues of those who read them; at the deadline of the sink what waits for room
    /// there fails, and its source offers it again.
    pub(crate) fn take<'w>(&self, mut batch: Batch, why: impl Fn(usize) -> (&'w str, &'w str), meters: &Meters) {
        if batch.is_empty() {
            return batch.close();
        }
        if !self.outlet.is_read() {
            let letters = batch.iter().enumerate().map(|(at, view)| (view, why(at).0, why(at).1));
            let outcome = self.letters.write_each(letters, meters);
            return batch.settle(outcome);
        }
        let id = &meters.label().id;
        mark(&mut batch, |at| [id, why(at).0, why(at).1]);
        let (waker, records) = (thread_waker(), batch.len());
        if self.outlet.lane().offer(batch, &waker).wait(&waker, &self.stop) {
            meters.discarded(Reason::Rejected, records);
        } else {
            meters.error("dead_letter_unread");
            tracing::warn!(component_id = id, records, "refused records found no room at their reader to the end");
        }
    }
}

/// Says in each record what refused it, and why: `told` gives component, code and reason by its number.
pub fn mark<'w>(batch: &mut Batch, told: impl Fn(usize) -> [&'w str; 3]) {
    let mut records = batch.edit();
    for at in 0..records.len() {
        let [component, code, reason] = told(at);
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
        Self::new(letters, Arc::new(Unread), Stop::default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::component::test_kit::{Catcher, meters};
    use crate::delivery::test_batch::json_watched;
    use crate::event::Outcome;

    #[test]
    fn a_reader_without_room_cannot_hold_the_end_up() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, stop, meters) = (Catcher::default(), Stop::default(), meters());
        reader.refuse(|_| true);
        let letters = Arc::new(DeadLetters::new(folder.path().join("dead_letters")));
        let refusals = Refusals::new(letters, Arc::new(reader.clone()), stop.clone());
        let (batch, resolution) = json_watched(&["{}"]);
        let counted = meters.clone();
        let taking = std::thread::spawn(move || refusals.take(batch, |_| ("no", "why"), &counted));
        reader.wait_for_refusals(1);
        stop.request(Instant::now());
        taking.join().unwrap();
        assert_eq!(resolution.recv().unwrap().worst, Outcome::Failed, "it is offered again");
        assert_eq!((meters.discarded_events(Reason::Rejected), meters.error_count("dead_letter_unread")), (0, 1));
    }
}
