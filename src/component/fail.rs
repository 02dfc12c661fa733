//! Named points at which a debug build can be told to die, for the crash bench: `LEVADA_DIE_AT=POINT:N` ends the process
//! as SIGKILL does when it comes to POINT for the Nth time. A release build has none of it.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    struct Order {
        point: String,
        left: AtomicU64,
    }

    static ORDER: LazyLock<Option<Order>> = LazyLock::new(|| {
        let text = std::env::var("LEVADA_DIE_AT").ok()?;
        let (point, count) = text.split_once(':')?;
        Some(Order { point: point.to_owned(), left: AtomicU64::new(count.parse().ok()?) })
    });

    /// Is this the point, and the time?
    pub(crate) fn is_due(point: &str) -> bool {
        let Some(order) = ORDER.as_ref().filter(|order| order.point == point) else { return false };
        order.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Ends the process, as SIGKILL does.
    pub(crate) fn die() {
        let _sent = kill_process(getpid(), Signal::KILL);
    }
}

#[cfg(not(debug_assertions))]
mod armed {
    /// Never.
    pub(crate) const fn is_due(_: &str) -> bool {
        false
    }

    /// Never called.
    pub(crate) const fn die() {}
}

pub(crate) use armed::{die, is_due};

/// Ends the process here, if it was told so.
pub(crate) fn reach(point: &str) {
    if is_due(point) {
        die();
    }
}
