//! A line in the log about something that may happen to every record: at most one per interval, without any content.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::component::clock;
use crate::component::meters::Meters;
use crate::component::row::Context;

/// Nanoseconds between two lines.
const INTERVAL: i64 = 10_000_000_000;

/// Counts what happens and tells of it now and then; shared by all lanes of a component.
#[derive(Debug)]
pub(super) struct Notice {
    component_id: String,
    /// The `error_type` of the meter.
    kind: &'static str,
    what: &'static str,
    next: AtomicI64,
    untold: AtomicU64,
}

impl Notice {
    /// Will tell that `what` happened in this component.
    pub(super) fn new(component_id: &str, kind: &'static str, what: &'static str) -> Self {
        Self { component_id: component_id.to_owned(), kind, what, next: AtomicI64::new(0), untold: AtomicU64::new(0) }
    }

    /// Will tell of conditions that failed.
    pub(super) fn failed_condition(context: &Context) -> Self {
        Self::new(&context.id, "condition_failed", "the condition failed on records, which count as not meeting it")
    }

    /// It happened `count` times more: counts that in the component's meters, and tells if it is time.
    pub(super) fn count(&self, meters: &Meters, count: usize) {
        if count > 0 {
            meters.errors(self.kind, count);
            self.warn_at(clock::now(), count);
        }
    }

    /// The number that a line was written about, if it was time for one.
    fn warn_at(&self, now: i64, count: usize) -> Option<u64> {
        self.untold.fetch_add(count as u64, Ordering::Relaxed);
        let due =
            self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| (now >= next).then_some(now + INTERVAL));
        due.ok()?;
        let records = self.untold.swap(0, Ordering::Relaxed);
        tracing::warn!(component_id = self.component_id, records, "{}", self.what);
        Some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_an_interval_tells_of_all_since_the_last() {
        let notice = Notice::new("it", "odd", "something happened");
        assert_eq!(notice.warn_at(INTERVAL, 2), Some(2));
        assert_eq!(notice.warn_at(INTERVAL + 1, 3), None);
        assert_eq!(notice.warn_at(2 * INTERVAL - 1, 4), None);
        assert_eq!(notice.warn_at(2 * INTERVAL, 5), Some(12));
    }
}
