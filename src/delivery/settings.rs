//! Settings that every sink has: how requests are cut, sent, retried and buffered. Names and meanings are Vector's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::buffer::WhenFull;
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

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSettings {
    /// Requests under way at once; `"none"` is one.
    #[serde(deserialize_with = "concurrency")]
    #[schemars(with = "Concurrency")]
    pub concurrency: NonZeroUsize,
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

/// The schema of `concurrency`.
struct Concurrency;

impl JsonSchema for Concurrency {
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
            ],
        })
    }
}

fn concurrency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroUsize, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) if text == "none" => Ok(NonZeroUsize::MIN),
        value => value.try_into().map_err(D::Error::custom),
    }
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(4).expect("not zero"),
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BufferKind {
    /// In memory: a source is told "delivered" when the sink has delivered.
    #[default]
    Memory,
    /// On the disk: a source is told "delivered" when its records are there, durably.
    Disk,
}

/// How what is stored is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
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
const OF_DISK: usize = 8 << 20;

impl Default for QueueSettings {
    fn default() -> Self {
        Self { max_size: IN_MEMORY, when_full: WhenFull::Block }
    }
}

fn some_in_memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    in_memory(deserializer).map(Some)
}

impl BufferSettings {
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
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestSettings;

    #[test]
    fn concurrency_is_a_number_or_none() {
        let read = |text: &str| toml::from_str::<RequestSettings>(text).map(|settings| settings.concurrency.get());
        assert_eq!(read("concurrency = \"none\""), Ok(1));
        assert_eq!(read("concurrency = 7"), Ok(7));
        assert!(read("concurrency = 0").is_err() && read("concurrency = \"some\"").is_err());
    }
}
