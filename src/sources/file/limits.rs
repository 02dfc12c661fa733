//! Rate limits: how many bytes a second may be read of a file, or of all files that share a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::size::ByteSize;

/// How fast files may be read.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Bytes a second, for each file: a number, or a size such as `"1MiB"`. For a moment it may be a second's worth more.
    pub bytes_per_sec: ByteSize,
    /// What happens to what is beyond.
    #[serde(default)]
    pub when_exceeded: WhenExceeded,
}

/// What happens to what is beyond a rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenExceeded {
    /// It is read later: the file waits.
    #[default]
    Delay,
    /// It is passed over, and its lines are counted as discarded because `throttled`.
    Drop,
}

/// Bytes that may be read: a second's worth at most, more each moment.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    level: Mutex<(f64, Option<Instant>)>,
}

impl Bucket {
    fn new(per_second: u64) -> Self {
        Self { per_second: per_second as f64, level: Mutex::new((per_second as f64, None)) }
    }

    /// When something may be read: none for now.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let mut level = self.lock();
        let since = level.1.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        *level = ((level.0 + since.as_secs_f64() * self.per_second).min(self.per_second), Some(now));
        (level.0 < 1.0).then(|| now + Duration::from_secs_f64((1.0 - level.0) / self.per_second))
    }

    /// So many bytes were read; what was too much is to be waited for.
    pub(super) fn spend(&self, bytes: u64) {
        self.lock().0 -= bytes as f64;
    }

    fn lock(&self) -> MutexGuard<'_, (f64, Option<Instant>)> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buckets that files share, by key.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Weak<Bucket>>>);

impl Buckets {
    /// The bucket of a file, and those of `keys` with their bytes a second.
    pub(super) fn of(&self, file: Option<u64>, keys: Vec<(String, u64)>) -> Vec<Arc<Bucket>> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|_, bucket| bucket.strong_count() > 0);
        let mut of_key = |(key, per_second): (String, u64)| {
            let known = shared.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let bucket = Arc::new(Bucket::new(per_second));
                shared.insert(key, Arc::downgrade(&bucket));
                bucket
            })
        };
        let own = file.map(|per_second| Arc::new(Bucket::new(per_second)));
        own.into_iter().chain(keys.into_iter().map(&mut of_key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_much_is_waited_for() {
        let bucket = Bucket::new(100);
        let start = Instant::now();
        assert_eq!(bucket.due(start), None);
        bucket.spend(299);
        assert_eq!(bucket.due(start), Some(start + Duration::from_secs(2)));
        assert_eq!(bucket.due(start + Duration::from_secs(2)), None);
        assert_eq!(bucket.due(start + Duration::from_secs(60)), None);
        bucket.spend(100);
        let later = start + Duration::from_secs(60);
        assert_eq!(
            bucket.due(later),
            Some(later + Duration::from_millis(10)),
            "no more than a second's worth is saved"
        );
    }

    #[test]
    fn files_of_one_key_share() {
        let buckets = Buckets::default();
        let keys = || vec![("pod".to_owned(), 10)];
        let (one, two) = (buckets.of(Some(5), keys()), buckets.of(None, keys()));
        assert_eq!((one.len(), two.len()), (2, 1));
        assert!(Arc::ptr_eq(&one[1], &two[0]));
        drop((one, two));
        assert_eq!(buckets.of(None, keys())[0].due(Instant::now()), None, "nobody held it: it is full");
    }
}
