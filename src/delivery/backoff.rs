//! Pauses between attempts: exponential with full jitter, and what the destination asks for where it asks.

use std::time::Duration;

/// The longest pause a destination may ask for.
const MAX_ASKED: Duration = Duration::from_mins(5);

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The pause after failed attempt number `attempt` (from 0): what is asked for, and never less than its own.
    pub(crate) fn pause(self, attempt: u32, asked: Option<Duration>) -> Duration {
        // One that asks for none, or for a time that is past, is not asked in a hot loop.
        let own = self.ceiling(attempt).mul_f64(fastrand::f64());
        asked.map_or(own, |asked| asked.min(MAX_ASKED).max(own))
    }

    /// A pause of at least half of what it may be: for probes, which shall be rare.
    pub(crate) fn long_pause(self, attempt: u32) -> Duration {
        self.ceiling(attempt).mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    fn ceiling(self, attempt: u32) -> Duration {
        self.initial.saturating_mul(2_u32.saturating_pow(attempt)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap_and_obeys_the_destination() {
        let backoff = Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(30) };
        assert_eq!(
            [0, 1, 4, 5, 40, u32::MAX].map(|attempt| backoff.ceiling(attempt).as_secs()),
            [1, 2, 16, 30, 30, 30]
        );
        for attempt in 0..50 {
            let ceiling = backoff.ceiling(attempt);
            assert!(backoff.pause(attempt, None) <= ceiling);
            assert!((ceiling / 2..=ceiling).contains(&backoff.long_pause(attempt)));
        }
        assert_eq!(backoff.pause(0, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff.pause(0, Some(Duration::from_secs(9_999))), MAX_ASKED);
        let asked_for_none = (0..50).map(|_| backoff.pause(5, Some(Duration::ZERO))).max();
        assert!(asked_for_none > Some(Duration::from_secs(1)), "{asked_for_none:?}");
    }
}
