//! The generic cell rate algorithm (ITU-T I.371), a bucket for each key.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Keys at most; what is beyond shares a bucket.
const MOST_KEYS: usize = 1 << 16;
/// Bytes that these take, about.
pub(super) const MOST_BYTES: u64 = MOST_KEYS as u64 * 64;
/// The bucket of keys beyond: no hash is this but by a chance of 2^-128.
const CROWD: u128 = u128::MAX;

/// How full each key's bucket is.
pub(super) struct Buckets {
    /// Nanoseconds between two records that leave a bucket as full as it was.
    interval: u64,
    /// How far ahead of the clock a bucket may be for one more to fit.
    slack: u64,
    window: u64,
    start: Instant,
    /// When the next record would arrive that keeps the rate, in nanoseconds since the start. One that is past is as
    /// good as none.
    arrivals: HashMap<u128, u64>,
    next_look: u64,
    crowded: usize,
}

impl Buckets {
    pub(super) fn new(threshold: u32, window_secs: f64, start: Instant) -> Self {
        let window = Duration::from_secs_f64(window_secs).as_nanos() as u64;
        let interval = (window / u64::from(threshold)).max(1);
        let slack = interval * u64::from(threshold - 1);
        Self { interval, slack, window, start, arrivals: HashMap::new(), next_look: window, crowded: 0 }
    }

    /// Does one more of this key fit? Then it is in.
    pub(super) fn takes(&mut self, key: u128, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.start).as_nanos() as u64;
        self.forget(now);
        let is_crowd = self.arrivals.len() >= MOST_KEYS && !self.arrivals.contains_key(&key);
        self.crowded += usize::from(is_crowd);
        let arrival = self.arrivals.entry(if is_crowd { CROWD } else { key }).or_insert(now);
        if arrival.saturating_sub(self.slack) > now {
            return false;
        }
        *arrival = now.max(*arrival) + self.interval;
        true
    }

    /// How many records shared the bucket of the crowd since the last time.
    pub(super) fn take_crowded(&mut self) -> usize {
        std::mem::take(&mut self.crowded)
    }

    /// Lets go of buckets that are empty, now and then.
    fn forget(&mut self, now: u64) {
        if now >= self.next_look {
            self.arrivals.retain(|_, arrival| *arrival > now);
            self.next_look = now + self.window;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut buckets = Buckets::new(4, 2.0, start);
        let mut at = |milliseconds: u64| buckets.takes(1, start + Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(0), at(1), at(1), at(1)], [true, true, true, true, false]);
        assert_eq!([at(499), at(500), at(501)], [false, true, false]);
        assert_eq!([at(2_600), at(2_600), at(2_600), at(2_600), at(2_600)], [true, true, true, true, false]);
    }

    #[test]
    fn keys_beyond_the_most_share_a_bucket() {
        let start = Instant::now();
        let mut buckets = Buckets::new(1, 1.0, start);
        assert!((0..MOST_KEYS as u128).all(|key| buckets.takes(key, start)));
        assert!(buckets.takes(1 << 64, start));
        assert!(!buckets.takes(1 << 65, start), "it shares with the one before");
        assert_eq!(buckets.take_crowded(), 2);
        assert!(buckets.arrivals.len() <= MOST_KEYS + 1);
        let later = start + Duration::from_secs(3);
        assert!(buckets.takes(1 << 65, later) && buckets.takes(1 << 66, later));
        assert_eq!((buckets.take_crowded(), buckets.arrivals.len()), (0, 2));
    }

    proptest! {
        /// In no stretch of the window's length do more than twice the threshold pass (a full burst and the rate), and
        /// over the whole time no more than one burst above the rate.
        #[test]
        fn no_more_than_the_rate_passes(
            threshold in 1..20_u32,
            pauses in prop::collection::vec(0..300_u64, 1..300),
        ) {
            let start = Instant::now();
            let mut buckets = Buckets::new(threshold, 1.0, start);
            let (mut now, mut passed) = (0, 0_u64);
            for pause in pauses {
                now += pause;
                passed += u64::from(buckets.takes(7, start + Duration::from_millis(now)));
                let most = u64::from(threshold) + now * u64::from(threshold) / 1_000 + 1;
                prop_assert!(passed <= most, "{passed} of {most} in {now} ms");
            }
        }
    }
}
