//! Where documents go: an index, or a data stream.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name;
use super::stream::{DataStreamSettings, Stream};
use super::version::{Version, VersionType};
use crate::component::row::Problem;
use crate::component::sink::{Partition, Refusal};
use crate::delivery::confined::{Allow, Confined, Live, refusal};
use crate::event::{View, hash32};

/// Plain indices, or data streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// An index, named by `bulk.index`.
    #[default]
    Bulk,
    /// A data stream, named by `data_stream`.
    DataStream,
}

impl Mode {
    /// The settings of the other one, which have no effect.
    pub(super) fn idle(self) -> Problem {
        match self {
            Self::Bulk => Problem::idle("data_stream", "`mode` is `bulk`: these settings are those of `data_stream`"),
            Self::DataStream => Problem::idle("bulk", "`mode` is `data_stream`: these settings are those of `bulk`"),
        }
    }
}

/// Settings of `mode = "bulk"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BulkSettings {
    /// Name of the index: text, `{{ field }}` and date specifiers such as `%Y.%m.%d` of the record's time (UTC). It is
    /// made lower case. Records choose only what follows its literal beginning.
    pub(super) index: String,
    /// What to do with a document.
    pub(super) action: Action,
    /// Globs of the indices that `index` may name; needed if it begins with a field.
    pub(super) allow: Vec<String>,
    /// Version of the document: a whole number, or text with `{{ field }}` that gives one. An older one than the server
    /// has counts as stored. Needs `version_type`, `id_key` and `action = "index"`.
    pub(super) version: Option<String>,
    /// How versions are compared.
    pub(super) version_type: VersionType,
}

impl BulkSettings {
    /// The version of each document, where records tell it.
    pub(super) fn version(&self) -> Result<Option<Version>, Problem> {
        match (&self.version, self.version_type) {
            (None, VersionType::Internal) => Ok(None),
            (None, _) => {
                let problem = Problem::new("bulk.version_type", "is set without `bulk.version`");
                Err(problem.help("name the member that tells it: `bulk.version = \"{{ version }}\"`"))
            }
            (Some(_), VersionType::Internal) => {
                let problem = Problem::new("bulk.version", "is set, but the server counts versions itself");
                Err(problem.help("set `bulk.version_type` to `external` or `external_gte`"))
            }
            (Some(_), _) if self.action == Action::Create => {
                let problem = Problem::new("bulk.version", "is set, but `create` never overwrites a document");
                Err(problem.help("set `bulk.action` to `index`"))
            }
            (Some(source), how) => Version::parse(source, how).map(Some),
        }
    }
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            index: "levada-%Y.%m.%d".to_owned(),
            action: Action::default(),
            allow: Vec::new(),
            version: None,
            version_type: VersionType::default(),
        }
    }
}

/// The bulk action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// Stores a document once: one with its `_id` is left as it is.
    #[default]
    Create,
    /// Overwrites a document of the same `_id`, and what was changed in it since. Data streams refuse it.
    Index,
}

/// The index of each record.
pub(super) struct Target {
    place: Place,
    constant: Option<String>,
    allow: Allow,
    live: Live,
}

enum Place {
    Constant,
    Index(Confined),
    Stream(Stream),
}

/// Where the last record went; what an encoder keeps from one record to the next.
#[derive(Default)]
pub(super) struct Aim {
    /// Name of the index; empty while it is the constant one.
    pub(super) index: String,
    /// Number of the index.
    pub(super) partition: Partition,
    next: String,
    /// The name has to be admitted once more.
    is_stale: bool,
    stream: super::stream::Memory,
}

impl Aim {
    /// A new request begins: the name counts as used again.
    pub(super) fn refresh(&mut self) {
        self.is_stale = true;
    }
}

impl Target {
    pub(super) fn index(bulk: &BulkSettings) -> Result<Self, Problem> {
        let allow = Allow::parse("bulk.allow", &bulk.allow)?;
        let index = template("bulk.index", &bulk.index)?.require_prefix("bulk.index", &allow)?;
        let constant = index.constant().map(str::to_owned);
        if let Some(name) = &constant {
            name::check(name).map_err(|why| Problem::new("bulk.index", why))?;
        }
        let place = if constant.is_some() { Place::Constant } else { Place::Index(index) };
        Ok(Self { place, constant, allow, live: Live::default() })
    }

    pub(super) fn stream(settings: &DataStreamSettings) -> Result<Self, Problem> {
        let allow = Allow::parse("data_stream.allow", &settings.allow)?;
        let stream = Stream::new(settings, &allow)?;
        let constant = stream.constant();
        if let Some(name) = &constant {
            name::check(name).map_err(|why| Problem::new("data_stream", why))?;
        }
        Ok(Self { place: Place::Stream(stream), constant, allow, live: Live::default() })
    }

    /// The index of documents that name none: it stands in the address.
    pub(super) fn constant(&self) -> Option<&str> {
        self.constant.as_deref()
    }

    /// Finds the index of `record`; tells whether it differs from the one in `aim`.
    pub(super) fn is_moved(&self, record: View<'_>, aim: &mut Aim) -> Result<bool, Refusal> {
        match &self.place {
            Place::Constant => return Ok(false),
            Place::Index(index) => {
                aim.next.clear();
                index.render(record, &mut aim.next)?;
                name::lower(&mut aim.next);
            }
            Place::Stream(stream) => {
                aim.next.clear();
                stream.name(record, &mut aim.next, &mut aim.stream)?;
            }
        }
        let is_same = aim.next == aim.index;
        if is_same && !aim.is_stale {
            return Ok(false);
        }
        self.allow.check(&aim.next)?;
        name::check(&aim.next).map_err(|why| refusal("index_name", why))?;
        self.live.admit(&aim.next)?;
        aim.is_stale = false;
        std::mem::swap(&mut aim.index, &mut aim.next);
        aim.partition = hash32(aim.index.as_bytes());
        Ok(!is_same)
    }

    pub(super) fn write_document(&self, record: View<'_>, aim: &mut Aim, body: &mut Vec<u8>) {
        match &self.place {
            Place::Stream(stream) => stream.write_document(record, &mut aim.stream, body),
            _ => record.write_json(body),
        }
    }
}

/// Parses a template whose literal texts must fit into a name.
pub(super) fn template(setting: &str, source: &str) -> Result<Confined, Problem> {
    let template = Confined::parse(setting, source)?;
    for text in template.template().texts() {
        name::check_part(text).map_err(|why| {
            let within = source.find(text).map(|at| at..at + text.len());
            Problem { within, ..Problem::new(setting, why) }
        })?;
    }
    Ok(template)
}
