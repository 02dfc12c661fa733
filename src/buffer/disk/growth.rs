//! How fast a log grows.

use std::time::Instant;

/// Tells when a log will be full.
#[derive(Debug, Default)]
pub(super) struct Growth {
    last: Option<(Instant, u64)>,
    /// Bytes a second, smoothed over some ten looks.
    rate: f64,
}

impl Growth {
    pub(super) fn full_in(&mut self, now: Instant, used: u64, max_size: u64) -> f64 {
        if let Some((then, before)) = self.last {
            let seconds = now.duration_since(then).as_secs_f64().max(0.001);
            self.rate += ((used as f64 - before as f64) / seconds - self.rate) / 10.0;
        }
        self.last = Some((now, used));
        if self.rate >= 1.0 { max_size.saturating_sub(used) as f64 / self.rate } else { f64::INFINITY }
    }
}
