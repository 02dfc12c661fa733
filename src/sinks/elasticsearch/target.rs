//! Where documents go: an index, or a data stream.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::row::Problem;
use crate::component::sink::Refusal;
use crate::event::View;

/// Plain indices, or data streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// An index, named by `bulk.index`.
    #[default]
    Bulk,
    /// A data stream, named by `data_stream`.
    DataStream,
}

/// Settings of `mode = "bulk"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BulkSettings {
    /// Name of the index: text, `{{ field }}` and date specifiers such as `%Y.%m.%d` of the record's time.
    index: String,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self { index: "levada-%Y.%m.%d".to_owned() }
    }
}

/// Settings of `mode = "data_stream"`: documents go to `TYPE-DATASET-NAMESPACE`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DataStreamSettings {
    /// First part of the name.
    #[serde(rename = "type")]
    kind: String,
    /// Second part.
    dataset: String,
    /// Third part.
    namespace: String,
}

impl Default for DataStreamSettings {
    fn default() -> Self {
        Self { kind: "logs".to_owned(), dataset: "generic".to_owned(), namespace: "default".to_owned() }
    }
}

/// The index of each record.
pub(super) struct Target {
    constant: String,
}

impl Target {
    pub(super) fn new(mode: Mode, bulk: &BulkSettings, stream: &DataStreamSettings) -> Result<Self, Problem> {
        let constant = match mode {
            Mode::Bulk => bulk.index.clone(),
            Mode::DataStream => format!("{}-{}-{}", stream.kind, stream.dataset, stream.namespace),
        };
        Ok(Self { constant })
    }

    pub(super) fn constant(&self) -> Option<&str> {
        Some(&self.constant)
    }

    pub(super) fn is_constant(&self) -> bool {
        true
    }

    pub(super) fn is_moved(&self, _: View<'_>, _: &mut str) -> Result<bool, Refusal> {
        Ok(false)
    }

    pub(super) fn write_document(&self, record: View<'_>, body: &mut Vec<u8>) {
        record.write_json(body);
    }
}
