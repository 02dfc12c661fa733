//! `throttle`: lets so many records of each key pass in a stretch of time.
//!
//! It runs where records are read, over all lanes together: `threshold` records of a key pass at once, then one each
//! `window_secs / threshold` (the generic cell rate algorithm, as in Vector). The rest is dropped and counted as
//! `throttled`.
//!
//! **Holds** a time for each key of the last `window_secs`, at most 65,536; further keys share one threshold, counted as
//! `too_many_keys`. **A stop** and **a crash** forget them; **a reload** does if these settings changed.
//!
//! **Guarantee.** Records that pass are not touched. What is read again after a failure counts again. **Limits.** The
//! threshold is that of one process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;

use self::rate::Buckets;
use super::condition::{ConditionText, Judge};
use super::key::Digest;
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform, discard};
use crate::event::{Batch, View};
use crate::lang::{Condition, Tables, Template, TemplateError};

mod rate;
#[cfg(test)]
mod tests;

/// Lets so many records of each key pass in a stretch of time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThrottleSettings {
    /// Records of a key that may pass in `window_secs`.
    #[schemars(range(min = 1))]
    threshold: u32,
    /// Seconds that `threshold` is about.
    #[schemars(range(min = 0.001, max = 86_400.0))]
    window_secs: f64,
    /// A template; each text that it gives has a threshold of its own. Records for which it gives none share one.
    key_field: Option<String>,
    /// Records that meet this condition always pass and do not count.
    exclude: Option<ConditionText>,
    /// What is told besides.
    #[serde(default)]
    internal_metrics: InternalMetrics,
}

/// Metrics that are not told unless asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct InternalMetrics {
    /// Count dropped records by key, in `levada_events_discarded_total`: the first 1,000 keys by name, the others as
    /// `_other`.
    emit_events_discarded_per_key: bool,
}

/// Keys that are told by name.
const TOLD_KEYS: usize = 1_000;
const OTHER: &str = "_other";

impl ThrottleSettings {
    fn key(&self) -> Result<Option<Template>, TemplateError> {
        self.key_field.as_deref().map(Template::parse).transpose()
    }
}

impl Settings for ThrottleSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "throttle";
    const EXAMPLE: &'static str = r#"[transforms.calm]
type = "throttle"
inputs = ["app"]
threshold = 2
window_secs = 60
key_field = "{{ service }}"
exclude = '.level == "error"'

[[tests]]
name = "of each service two a minute, and every error"
inputs = [
  { insert_at = "calm", type = "json", value = '{"service":"shop","n":1}' },
  { insert_at = "calm", type = "json", value = '{"service":"shop","n":2}' },
  { insert_at = "calm", type = "json", value = '{"service":"shop","n":3}' },
  { insert_at = "calm", type = "json", value = '{"service":"shop","level":"error"}' },
]
outputs = [{ extract_from = "calm", expected = [
  '{"service":"shop","n":1}',
  '{"service":"shop","n":2}',
  '{"service":"shop","level":"error"}',
] }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn held_bytes(&self) -> u64 {
        if self.key_field.is_some() { rate::MOST_BYTES } else { 0 }
    }

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let key = self
            .key()
            .err()
            .map(|error| Problem { within: Some(error.span), ..Problem::new("key_field", error.message) });
        let excluded = self.exclude.iter().flat_map(|condition| condition.check("exclude", tables));
        key.into_iter().chain(excluded).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let common = Common {
            key: self.key().map_err(|error| error.message)?,
            exclude: self.exclude.as_ref().map(|condition| condition.compile(&context.tables)).transpose()?,
            digest: Digest::default(),
            buckets: Mutex::new(Buckets::new(self.threshold, self.window_secs, Instant::now())),
            told: self.internal_metrics.emit_events_discarded_per_key.then(Mutex::default),
            failed_conditions: Notice::failed_condition(&context),
            crowded: Notice::new(&context.id, "too_many_keys", "records share a threshold: there are too many keys"),
            meters: context.meters,
        };
        Ok(Box::new(Throttle::new(Arc::new(common))))
    }
}

struct Common {
    key: Option<Template>,
    exclude: Option<Condition>,
    digest: Digest,
    /// Of all lanes: locked once for a batch.
    buckets: Mutex<Buckets>,
    /// Keys that are told by name, if keys are told.
    told: Option<Mutex<HashSet<String>>>,
    failed_conditions: Notice,
    crowded: Notice,
    meters: Meters,
}

struct Throttle {
    common: Arc<Common>,
    judge: Judge,
    text: String,
    /// Of each record, the hash of its key; none for one that is excluded.
    keys: Vec<Option<u128>>,
    passes: Vec<bool>,
}

impl Transform for Throttle {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        self.apply_at(batch, Instant::now());
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self::new(self.common.clone()))
    }
}

impl Throttle {
    fn new(common: Arc<Common>) -> Self {
        Self { common, judge: Judge::default(), text: String::new(), keys: Vec::new(), passes: Vec::new() }
    }

    fn apply_at(&mut self, batch: &mut Batch, now: Instant) {
        let common = self.common.clone();
        self.keys.clear();
        for record in batch.iter() {
            let key = self.key(&common, record);
            self.keys.push(key);
        }
        self.passes.clear();
        let mut buckets = lock(&common.buckets);
        let passes = self.keys.iter().map(|key| key.is_none_or(|key| buckets.takes(key, now)));
        self.passes.extend(passes);
        let crowded = buckets.take_crowded();
        drop(buckets);
        self.tell(&common, batch);
        let mut passes = self.passes.iter();
        discard(batch, &common.meters, Reason::Throttled, |_| passes.next() == Some(&true));
        common.crowded.count(&common.meters, crowded);
        common.failed_conditions.count(&common.meters, self.judge.take_failed());
    }

    fn key(&mut self, common: &Common, record: View<'_>) -> Option<u128> {
        if common.exclude.as_ref().is_some_and(|condition| self.judge.is_met(condition, record)) {
            return None;
        }
        let has_key = self.render(common, record);
        // What has no key shares a threshold that no text can have.
        Some(if has_key { common.digest.of(self.text.as_bytes()) } else { 0 })
    }

    fn render(&mut self, common: &Common, record: View<'_>) -> bool {
        self.text.clear();
        let template = common.key.as_ref();
        template.is_some_and(|template| template.render(&record, record.time().0, &mut self.text).is_ok())
    }

    /// Counts what is dropped by its key, if that is asked for.
    fn tell(&mut self, common: &Common, batch: &Batch) {
        let Some(told) = &common.told else { return };
        for (at, record) in batch.iter().enumerate() {
            if self.passes[at] || !self.render(common, record) {
                continue;
            }
            let mut told = lock(told);
            let is_told =
                told.contains(self.text.as_str()) || (told.len() < TOLD_KEYS && told.insert(self.text.clone()));
            common.meters.discarded_by_key(if is_told { &self.text } else { OTHER }, 1);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
