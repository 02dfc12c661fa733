//! Settings that every sink has: how requests are cut, sent, retried and buffered. Names and meanings are Vector's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::backoff::Backoff;
use super::gate::{Limit, Rate};
use crate::buffer::WhenFull;
use crate::component::row::Problem;
use crate::component::size::{ByteSize, in_memory};

/// When a request is closed and sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSettings {
    /// Encoded bytes of a request before compression. Each sink has a default of its own.
    #[schemars(range(min = 1))]
    pub max_bytes: Option<usize>,
    /// Records of a request.
    #[schemars(range(min = 1))]
    pub max_events: Option<usize>,
    /// Seconds after which a request is sent even if it is not full.
    #[schemars(range(min = 0.001, max = 86_400.0))]
    pub timeout_secs: Option<f64>,
}

/// Who waits for the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Acknowledgements {
    /// Does a record count as delivered only when this sink has it? Without it the sink gets what it can: what fails is
    /// counted and not read again.
    pub enabled: bool,
}

impl Default for Acknowledgements {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSettings {
    /// Requests under way at once: a number, `"none"` for one, or `"adaptive"` for as many as the destination bears.
    #[schemars(with = "ConcurrencySchema")]
    pub concurrency: Concurrency,
    /// How `concurrency = "adaptive"` finds out what the destination bears.
    pub adaptive_concurrency: AdaptiveSettings,
    /// Requests that may be sent within `rate_limit_duration_secs`, repeated ones included; unlimited if not set.
    #[schemars(range(min = 1))]
    pub rate_limit_num: Option<u64>,
    /// Seconds that `rate_limit_num` counts for.
    #[schemars(range(min = 0.001, max = 86_400.0))]
    pub rate_limit_duration_secs: f64,
    /// Seconds until a request counts as lost; its outcome is unknown then, and the same is sent again.
    #[schemars(range(min = 0.001, max = 86_400.0))]
    pub timeout_secs: f64,
    /// Attempts after the first one before a request becomes dead letters; unlimited if not set.
    pub retry_attempts: Option<usize>,
    /// Seconds of the first pause; each further one may be twice as long (full jitter: a random part of it).
    #[schemars(range(min = 0.001, max = 86_400.0))]
    pub retry_initial_backoff_secs: f64,
    /// Seconds of the longest pause.
    #[schemars(range(min = 0.001, max = 86_400.0))]
    pub retry_max_duration_secs: f64,
    /// Headers added to each request.
    pub headers: BTreeMap<String, String>,
}

/// How many requests may be under way at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as the destination bears.
    #[default]
    Adaptive,
    /// So many.
    Fixed(NonZeroUsize),
}

/// How the number of requests under way follows what the destination shows.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveSettings {
    /// What the number is multiplied with when the destination refuses or grows slow.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub decrease_ratio: f64,
    /// The weight of the newest round trips in their mean.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub ewma_alpha: f64,
    /// The number at the start. Slow answers alone never take it below that, refusals do.
    pub initial_concurrency: NonZeroUsize,
    /// The largest number.
    pub max_concurrency_limit: NonZeroUsize,
    /// Standard deviations above their mean from which on round trips count as slow.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub rtt_deviation_scale: f64,
}

impl AdaptiveSettings {
    pub(crate) fn initial(&self) -> usize {
        self.initial_concurrency.get()
    }
}

impl Default for AdaptiveSettings {
    fn default() -> Self {
        Self {
            decrease_ratio: 0.9,
            ewma_alpha: 0.4,
            initial_concurrency: NonZeroUsize::new(4).expect("not zero"),
            max_concurrency_limit: NonZeroUsize::new(200).expect("not zero"),
            rtt_deviation_scale: 2.5,
        }
    }
}

/// The schema of `concurrency`.
struct ConcurrencySchema;

impl JsonSchema for ConcurrencySchema {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Concurrency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "format": "uint", "minimum": 1 },
                { "const": "none", "description": "One at a time." },
                { "const": "adaptive", "description": "As many as the destination bears." },
            ],
        })
    }
}

impl Serialize for Concurrency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Adaptive => serializer.serialize_str("adaptive"),
            Self::Fixed(number) => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) if text == "none" => Ok(Self::Fixed(NonZeroUsize::MIN)),
            toml::Value::String(text) if text == "adaptive" => Ok(Self::Adaptive),
            value => value.try_into().map(Self::Fixed).map_err(D::Error::custom),
        }
    }
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::Adaptive,
            adaptive_concurrency: AdaptiveSettings::default(),
            rate_limit_num: None,
            rate_limit_duration_secs: 1.0,
            timeout_secs: 60.0,
            retry_attempts: None,
            retry_initial_backoff_secs: 1.0,
            retry_max_duration_secs: 30.0,
            headers: BTreeMap::new(),
        }
    }
}

/// What stands before the sink.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BufferSettings {
    /// Where records wait.
    #[serde(rename = "type")]
    pub kind: BufferKind,
    /// Bytes it may hold, in memory or on the disk: a number, or a size such as `"64MiB"`. By default 4 MiB of memory, or
    /// 1 GiB of the disk.
    #[serde(deserialize_with = "some_in_memory")]
    #[schemars(with = "Option<ByteSize>")]
    pub max_size: Option<usize>,
    /// What happens to records that find it full.
    pub when_full: WhenFull,
    /// How a disk buffer compresses what it stores.
    pub compression: BufferCompression,
}

/// Where records wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BufferKind {
    /// In memory: a source is told "delivered" when the sink has delivered.
    #[default]
    Memory,
    /// On the disk: a source is told "delivered" when its records are there, durably.
    Disk,
}

/// How what is stored is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BufferCompression {
    /// Not at all.
    #[default]
    None,
    /// zstd, level 1: less disk for more processor time.
    Zstd,
}

/// What stands before a step that holds records.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSettings {
    /// Bytes of memory it may hold: a number, or a size such as `"64MiB"`.
    #[serde(deserialize_with = "in_memory")]
    #[schemars(with = "ByteSize")]
    pub max_size: usize,
    /// What happens to records that find it full.
    pub when_full: WhenFull,
}

/// The default of a queue in memory, in bytes.
const IN_MEMORY: usize = 4 << 20;
/// The default of a disk buffer, in bytes.
const ON_DISK: usize = 1 << 30;
/// What of a disk buffer may be in memory, in bytes: it goes to the sink from there.
const OF_DISK: usize = 4 << 20;

impl Default for QueueSettings {
    fn default() -> Self {
        Self { max_size: IN_MEMORY, when_full: WhenFull::Block }
    }
}

fn some_in_memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    in_memory(deserializer).map(Some)
}

impl BufferSettings {
    /// What has no effect.
    pub fn idle(&self) -> Vec<Problem> {
        let is_idle = !self.is_disk() && self.compression != BufferCompression::None;
        let why = "records in memory are not compressed, those of `buffer.type = \"disk\"` are";
        is_idle.then(|| Problem::idle("buffer.compression", why)).into_iter().collect()
    }

    /// Is it on the disk?
    pub fn is_disk(&self) -> bool {
        self.kind == BufferKind::Disk
    }

    /// Bytes it may hold, where it is.
    pub fn max_size(&self) -> usize {
        self.max_size.unwrap_or(if self.is_disk() { ON_DISK } else { IN_MEMORY })
    }

    /// Bytes of memory it may hold.
    pub fn in_memory(&self) -> usize {
        if self.is_disk() { OF_DISK } else { self.max_size() }
    }
}

impl RequestSettings {
    /// How many may be under way at once; one where their order counts.
    pub(crate) fn limit(&self, is_ordered: bool) -> Limit {
        match self.concurrency {
            _ if is_ordered => Limit::Fixed(1),
            Concurrency::Fixed(number) => Limit::Fixed(number.get()),
            Concurrency::Adaptive => Limit::adaptive(self.adaptive_concurrency.clone()),
        }
    }

    pub(crate) fn rate(&self) -> Option<Rate> {
        let window = Duration::from_secs_f64(self.rate_limit_duration_secs);
        self.rate_limit_num.map(|most| Rate::new(most, window))
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff {
            initial: Duration::from_secs_f64(self.retry_initial_backoff_secs),
            max: Duration::from_secs_f64(self.retry_max_duration_secs),
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_is_a_number_none_or_adaptive() {
        let read = |text: &str| toml::from_str::<RequestSettings>(text).map(|settings| settings.concurrency);
        let fixed = |number| Ok(Concurrency::Fixed(NonZeroUsize::new(number).unwrap()));
        assert_eq!(read("concurrency = \"none\""), fixed(1));
        assert_eq!(read("concurrency = 7"), fixed(7));
        assert_eq!(
            (read("concurrency = \"adaptive\""), read("")),
            (Ok(Concurrency::Adaptive), Ok(Concurrency::Adaptive))
        );
        assert!(read("concurrency = 0").is_err() && read("concurrency = \"some\"").is_err());
    }
}
