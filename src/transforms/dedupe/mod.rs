//! `dedupe`: drops records that are like one that arrived before.
//!
//! It runs where records are read, over all lanes together. Records are alike if the values of `fields.match` are, or
//! all values but those of `fields.ignore`: equal in form and text, a string however it is escaped. A record that has none
//! of `fields.match` is like no other and passes.
//!
//! **Holds** hashes (128 bits, under a key that each process draws) of the last `cache.num_events` records, none longer
//! than `time_settings.max_age_ms`. **A stop** and **a crash** forget them: a duplicate of a record from before passes.
//! **A reload** does if these settings changed.
//!
//! **Guarantee.** Only what arrived counts. While a record is on its way, the outcome of one like it is *its* outcome: if
//! it arrives the other was a duplicate, and is counted as `duplicate`; if it fails, both have failed, and whichever is
//! offered again first passes. So a record that comes again after a failure is not taken for its own duplicate, and a
//! client that sends an event again because the first answer was an error is not told that it is stored. **Limits.**
//! What one process has seen another does not know: bring records that may be alike to one (Kafka, by key).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;

use self::fields::Fields;
use self::leader::Leader;
use self::seen::{Seen, Verdict};
use super::key::Digest;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::transform::{Ports, Transform};
use crate::event::{Batch, Outcome, Owed, Path};

mod fields;
mod leader;
mod seen;
#[cfg(test)]
mod tests;

/// Drops records that are like one that arrived before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DedupeSettings {
    /// What makes records alike; by default `message`, `host` and `timestamp`.
    fields: Option<FieldSettings>,
    /// How many records are remembered.
    #[serde(default)]
    cache: CacheSettings,
    /// How long they are.
    time_settings: Option<TimeSettings>,
}

/// What makes records alike; one of both must be set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FieldSettings {
    /// Paths to the values that count.
    #[serde(rename = "match")]
    matching: Option<Vec<String>>,
    /// Paths to the values that do not.
    ignore: Option<Vec<String>>,
}

/// How many records are remembered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CacheSettings {
    /// Records at most; the one that was met longest ago goes first.
    #[schemars(range(min = 1, max = 100_000_000))]
    num_events: u32,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { num_events: 5_000 }
    }
}

/// How long records are remembered.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TimeSettings {
    /// Milliseconds after which one like it passes.
    #[schemars(range(min = 1, max = 31_536_000_000_u64))]
    max_age_ms: u64,
    /// Does a duplicate begin the time anew?
    #[serde(default)]
    refresh_on_drop: bool,
}

const DEFAULT_FIELDS: [&str; 3] = ["message", "host", "timestamp"];

impl DedupeSettings {
    fn fields(&self) -> Result<Fields, Problem> {
        let Some(fields) = &self.fields else {
            return Ok(Fields::Match(DEFAULT_FIELDS.map(Path::key).to_vec()));
        };
        match (&fields.matching, &fields.ignore) {
            (Some(names), None) if names.is_empty() => {
                Err(Problem::new("fields.match", "no fields: all records would be alike").help("name at least one"))
            }
            (Some(names), None) => paths("fields.match", names).map(Fields::Match),
            (None, Some(names)) => Ok(Fields::ignoring(&paths("fields.ignore", names)?)),
            (None, None) => Err(Problem::new("fields", "no fields: expected `match` or `ignore`")),
            (Some(_), Some(_)) => Err(Problem::new("fields", "expected only one of `match` and `ignore`")),
        }
    }
}

fn paths(setting: &str, names: &[String]) -> Result<Vec<Path>, Problem> {
    let path = |(at, name): (usize, &String)| {
        Path::parse(name).map_err(|bad| Problem::new(format!("{setting}[{at}]"), bad.to_string()))
    };
    names.iter().enumerate().map(path).collect()
}

impl Settings for DedupeSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "dedupe";
    const EXAMPLE: &'static str = r#"[transforms.once]
type = "dedupe"
inputs = ["app"]
fields.match = ["event_id"]
cache.num_events = 100000

[[tests]]
name = "an event that was sent twice arrives once"
inputs = [
  { insert_at = "once", type = "json", value = '{"event_id":"a","try":1}' },
  { insert_at = "once", type = "json", value = '{"event_id":"a","try":2}' },
]
outputs = [{ extract_from = "once", expected = '{"event_id":"a","try":1}' }]
"#;
    const REACH: Reach = Reach::Pipeline;

    fn held_bytes(&self) -> u64 {
        u64::from(self.cache.num_events) * seen::BYTES
    }

    fn check(&self) -> Vec<Problem> {
        self.fields().err().into_iter().collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let fields = self.fields().map_err(|problem| problem.message)?;
        let max_age = self.time_settings.map(|time| Duration::from_millis(time.max_age_ms));
        let refreshes = self.time_settings.is_some_and(|time| time.refresh_on_drop);
        let seen = Mutex::new(Seen::new(self.cache.num_events, max_age, refreshes));
        let common = Common { fields, digest: Digest::default(), seen, meters: context.meters };
        Ok(Box::new(Dedupe::new(Arc::new(common))))
    }
}

struct Common {
    fields: Fields,
    digest: Digest,
    /// Of all lanes: locked once for a batch, never while a receipt resolves.
    seen: Mutex<Seen>,
    meters: Meters,
}

struct Dedupe {
    common: Arc<Common>,
    /// Of the batch in hand.
    keys: Vec<Option<u128>>,
    verdicts: Vec<Verdict>,
    scratch: fields::Scratch,
}

impl Transform for Dedupe {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        self.apply_at(batch, Instant::now());
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self::new(self.common.clone()))
    }
}

impl Dedupe {
    fn new(common: Arc<Common>) -> Self {
        Self { common, keys: Vec::new(), verdicts: Vec::new(), scratch: fields::Scratch::default() }
    }

    fn apply_at(&mut self, batch: &mut Batch, now: Instant) {
        if batch.is_empty() {
            return;
        }
        let common = self.common.clone();
        self.keys.clear();
        for record in batch.iter() {
            self.keys.push(common.fields.digest(record, &common.digest, &mut self.scratch));
        }
        let leader = Arc::new(Leader::default());
        let mut seen = common.seen();
        self.verdicts.clear();
        let meet = |key: &Option<u128>| key.map_or(Verdict::Passes, |key| seen.meet(key, &leader, now));
        self.verdicts.extend(self.keys.iter().map(meet));
        drop(seen);
        self.follow_others(batch);
        let mut verdicts = self.verdicts.iter();
        let gone = batch.retain(|_| matches!(verdicts.next(), Some(Verdict::New | Verdict::Passes)));
        let known = self.verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Known)).count();
        if known > 0 {
            batch.note(Outcome::Dropped, known);
        }
        common.meters.discarded(Reason::Duplicate, gone);
        if !batch.is_empty() {
            self.lead(batch, leader);
        }
        self.verdicts.clear();
    }

    /// Has the outcome of records that are on their way be that of those like them.
    fn follow_others(&self, batch: &Batch) {
        let mut leaders: Vec<(&Arc<Leader>, usize)> = Vec::new();
        for verdict in &self.verdicts {
            let Verdict::OnItsWay(leader) = verdict else { continue };
            match leaders.iter_mut().find(|(known, _)| Arc::ptr_eq(known, leader)) {
                Some((_, count)) => *count += 1,
                None => leaders.push((leader, 1)),
            }
        }
        for (leader, count) in leaders {
            let mut owed = Owed::default();
            owed.add(batch);
            leader.follow(owed, count);
        }
    }

    /// What passes is on its way until all that is made of it has an outcome.
    fn lead(&self, batch: &mut Batch, leader: Arc<Leader>) {
        let mut verdicts = self.verdicts.iter();
        let new = self.keys.iter().filter(|_| matches!(verdicts.next(), Some(Verdict::New))).copied().flatten();
        let (keys, common): (Vec<u128>, _) = (new.collect(), self.common.clone());
        batch.watch(move |outcome| {
            common.seen().end(&keys, &leader, outcome != Outcome::Failed);
            leader.end(outcome);
        });
    }
}

impl Common {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
