//! `sample`: keeps a share of the records.
//!
//! **Guarantee.** Whether a record stays is a pure function of the record: of the value of `key_field` where it has
//! one, so that all agents keep the same traces; else of its identity, so that a re-read makes the same choice. The
//! share is therefore met over many records, not by counting: unlike Vector, which counts, the first record of a
//! group is not sure to stay, and `group_by` makes groups independent of each other but does not count them out.
//! **Limits.** Records of streams that cannot be read again (stdin, HTTP) are chosen anew if they come again.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::condition::{ConditionText, Judge};
use super::notice::Notice;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::component::row::{Context, Problem, Settings};
use crate::component::transform::{Ports, Transform, discard};
use crate::event::{Batch, Path, Shared, View, json};
use crate::lang::{Condition, Tables, Template};

#[cfg(test)]
mod tests;

/// Keeps a share of the records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleSettings {
    /// Keep one record of this many. One of `rate` and `ratio` must be set.
    #[schemars(range(min = 1))]
    rate: Option<u64>,
    /// Keep this share of the records: more than 0, at most 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: Option<f64>,
    /// Path to a value that decides: records with the same value stay or go together.
    key_field: Option<String>,
    /// A template; records for which it gives different text are chosen independently.
    group_by: Option<String>,
    /// Records that meet this condition always stay.
    exclude: Option<ConditionText>,
    /// Path at which a chosen record gets the rate or ratio, as text; empty for nowhere.
    #[serde(default = "sample_rate")]
    sample_rate_key: String,
}

fn sample_rate() -> String {
    "sample_rate".to_owned()
}

impl SampleSettings {
    fn share(&self) -> Result<Share, Problem> {
        match (self.rate, self.ratio) {
            (Some(0), None) => Err(Problem::new("rate", "`0` is no rate: expected a number from 1 on")),
            (Some(rate), None) => Ok(Share::OneOf(rate)),
            (None, Some(ratio)) if ratio > 0.0 && ratio <= 1.0 => Ok(Share::Ratio(ratio)),
            (None, Some(ratio)) => {
                let problem = Problem::new("ratio", format!("`{ratio}` is no share: expected more than 0, at most 1"));
                Err(problem.help("to drop all records use a `filter` with the condition `false`"))
            }
            (None, None) => Err(Problem::new("", "no share: expected `rate` or `ratio`")),
            (Some(_), Some(_)) => Err(Problem::new("", "two shares: expected only one of `rate` and `ratio`")),
        }
    }

    fn group(&self) -> Result<Option<Template>, Problem> {
        let parse = |text: &String| {
            Template::parse(text)
                .map_err(|error| Problem { within: Some(error.span), ..Problem::new("group_by", error.message) })
        };
        self.group_by.as_ref().map(parse).transpose()
    }

    fn key(&self) -> Result<Option<Path>, Problem> {
        self.key_field.as_ref().map(|text| path("key_field", text)).transpose()
    }

    fn mark(&self) -> Result<Option<Path>, Problem> {
        match self.sample_rate_key.as_str() {
            "" => Ok(None),
            text => path("sample_rate_key", text).map(Some),
        }
    }
}

fn path(setting: &str, text: &str) -> Result<Path, Problem> {
    let path = Path::parse(text).map_err(|bad| Problem::new(setting, bad.to_string()))?;
    match path.depth() {
        0 => Err(Problem::new(setting, "`.` is the whole record: expected the path of a member")),
        _ => Ok(path),
    }
}

impl Settings for SampleSettings {
    type Built = Box<dyn Transform>;
    const NAME: &'static str = "sample";
    const EXAMPLE: &'static str = r#"[transforms.fewer]
type = "sample"
inputs = ["app"]
rate = 10
key_field = "trace_id"
exclude = '.level == "error"'

[[tests]]
name = "errors always stay"
inputs = [{ insert_at = "fewer", type = "json", value = '{"trace_id":"a","level":"error"}' }]
outputs = [{ extract_from = "fewer", expected = '{"trace_id":"a","level":"error"}' }]
"#;

    fn check_with(&self, tables: &Tables) -> Vec<Problem> {
        let faults = [self.share().err(), self.group().err(), self.key().err(), self.mark().err()];
        let excluded = self.exclude.iter().flat_map(|condition| condition.check("exclude", tables));
        faults.into_iter().flatten().chain(excluded).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let message = |problem: Problem| problem.message;
        let share = self.share().map_err(message)?;
        let choice = Choice {
            share,
            key: self.key().map_err(message)?,
            group: self.group().map_err(message)?,
            exclude: self.exclude.as_ref().map(|condition| condition.compile(&context.tables)).transpose()?,
        };
        let told = Shared::string("", &share.to_string()).value;
        let mark = self.mark().map_err(message)?.map(|path| (path, told));
        let notice = Notice::failed_condition(&context);
        let common = Common { choice, mark, meters: context.meters, notice };
        Ok(Box::new(Sample { common: Arc::new(common), scratch: Scratch::default(), chosen: Vec::new() }))
    }
}

/// How many records stay.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Share {
    OneOf(u64),
    Ratio(f64),
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneOf(rate) => rate.fmt(f),
            Self::Ratio(ratio) => ratio.fmt(f),
        }
    }
}

impl Share {
    fn has(self, hash: u64) -> bool {
        match self {
            Self::OneOf(rate) => hash.is_multiple_of(rate),
            // A ratio of 1 saturates, so that the largest hash is in.
            Self::Ratio(ratio) => hash <= (ratio * u64::MAX as f64) as u64,
        }
    }
}

/// What decides about a record.
struct Choice {
    share: Share,
    key: Option<Path>,
    group: Option<Template>,
    exclude: Option<Condition>,
}

/// Buffers of a lane.
#[derive(Default)]
struct Scratch {
    judge: Judge,
    text: String,
    key: Vec<u8>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Excluded,
    Chosen,
    Gone,
}

impl Choice {
    fn of(&self, record: View<'_>, scratch: &mut Scratch) -> Fate {
        if self.exclude.as_ref().is_some_and(|condition| scratch.judge.is_met(condition, record)) {
            return Fate::Excluded;
        }
        if self.share.has(self.hash(record, scratch)) { Fate::Chosen } else { Fate::Gone }
    }

    fn hash(&self, record: View<'_>, scratch: &mut Scratch) -> u64 {
        let mut hash = Hash::default();
        if let Some(group) = &self.group {
            scratch.text.clear();
            // Records that lack the group's members are a group of their own.
            if group.render(&record, record.time().0, &mut scratch.text).is_ok() {
                hash.add(scratch.text.as_bytes());
            }
        }
        if let Some(value) = self.key.as_ref().and_then(|path| record.get(path)) {
            scratch.key.clear();
            plain(&value, &mut scratch.key);
            hash.add(&scratch.key);
        } else {
            let identity = record.identity();
            hash.add(&identity.stream.0.to_le_bytes());
            hash.add(&identity.position.to_le_bytes());
            hash.add(&identity.sub.to_le_bytes());
        }
        hash.finish()
    }
}

/// The value without quotes and escapes, so that it counts the same however it is written.
fn plain(value: &[u8], out: &mut Vec<u8>) {
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(text) => json::unescape(text, out),
        None => out.extend_from_slice(value),
    }
}

/// A hash that is the same in every build and on every machine: FNV-1a with the finish of `MurmurHash3`, which
/// spreads it over all bits.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    /// Adds a part and its end.
    fn add(&mut self, part: &[u8]) {
        let bytes = part.iter().copied().chain((part.len() as u64).to_le_bytes());
        self.0 = bytes.fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    }

    fn finish(&self) -> u64 {
        let step = |hash: u64, factor: u64| (hash ^ (hash >> 33)).wrapping_mul(factor);
        let hash = step(step(self.0, 0xFF51_AFD7_ED55_8CCD), 0xC4CE_B9FE_1A85_EC53);
        hash ^ (hash >> 33)
    }
}

struct Common {
    choice: Choice,
    /// Where the share is written, and its JSON text.
    mark: Option<(Path, Box<[u8]>)>,
    meters: Meters,
    notice: Notice,
}

struct Sample {
    common: Arc<Common>,
    scratch: Scratch,
    /// Of each record that stays, whether it was chosen (and not excluded).
    chosen: Vec<bool>,
}

impl Transform for Sample {
    fn apply(&mut self, batch: &mut Batch, _: &mut Ports) {
        let Self { common, scratch, chosen } = self;
        chosen.clear();
        discard(batch, &common.meters, Reason::Sampled, |record| {
            let fate = common.choice.of(record, scratch);
            if fate != Fate::Gone {
                chosen.push(fate == Fate::Chosen);
            }
            fate != Fate::Gone
        });
        common.notice.count(&common.meters, scratch.judge.take_failed());
        if let Some((path, told)) = &common.mark {
            let mut records = batch.edit();
            for (index, _) in chosen.iter().enumerate().filter(|(_, chosen)| **chosen) {
                records.set(index, path, told);
            }
        }
    }

    fn fork(&self) -> Box<dyn Transform> {
        Box::new(Self { common: self.common.clone(), scratch: Scratch::default(), chosen: Vec::new() })
    }
}
