//! Data streams: `TYPE-DATASET-NAMESPACE`, the `@timestamp` that each document must have, and the `data_stream`
//! fields that repeat the name.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;

use super::target::template;
use super::{name, timestamp::Timestamps};
use crate::component::row::Problem;
use crate::component::sink::Refusal;
use crate::delivery::confined::{Allow, Confined, check_value, refusal};
use crate::event::View;
use crate::event::json::{Segment, quote, seek, splice_set, unescape};

/// Settings of `mode = "data_stream"`: documents go to `TYPE-DATASET-NAMESPACE`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DataStreamSettings {
    /// First part of the name; text with `{{ field }}`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Second part; text with `{{ field }}`. `-` becomes `_`: it parts the name.
    pub(super) dataset: String,
    /// Third part; text with `{{ field }}`.
    pub(super) namespace: String,
    /// Let a record's own `data_stream.dataset` and `data_stream.namespace` say where it goes; its `data_stream.type`
    /// only where `allow` is set.
    pub(super) auto_routing: bool,
    /// Make the document's `data_stream` fields say where it went.
    pub(super) sync_fields: bool,
    /// Globs of the data streams that records may choose; needed if `type` begins with a field.
    pub(super) allow: Vec<String>,
}

impl Default for DataStreamSettings {
    fn default() -> Self {
        Self {
            kind: "logs".to_owned(),
            dataset: "generic".to_owned(),
            namespace: "default".to_owned(),
            auto_routing: true,
            sync_fields: true,
            allow: Vec::new(),
        }
    }
}

/// The member of a document that repeats the name of its data stream, and its fields in the order of the name.
const MEMBER: &[u8] = b"data_stream";
const FIELDS: [&str; 3] = ["type", "dataset", "namespace"];
const TYPE: usize = 0;
const NAMESPACE: usize = 2;

/// Names data streams and completes their documents.
pub(super) struct Stream {
    parts: [Confined; 3],
    auto_routing: bool,
    sync_fields: bool,
    /// Does a list say what records may choose?
    is_listed: bool,
}

/// What one encoder keeps.
#[derive(Default)]
pub(super) struct Memory {
    /// The parts of the last record's name.
    parts: [String; 3],
    timestamps: Timestamps,
}

impl Stream {
    pub(super) fn new(settings: &DataStreamSettings, allow: &Allow) -> Result<Self, Problem> {
        let part = |field: &str, source: &str| template(&format!("data_stream.{field}"), source);
        let kind = part("type", &settings.kind)?.require_prefix("data_stream.type", allow)?;
        let parts = [kind, part("dataset", &settings.dataset)?, part("namespace", &settings.namespace)?];
        for (field, part) in FIELDS.iter().zip(&parts[..NAMESPACE]) {
            if part.template().texts().any(|text| text.contains('-')) {
                let message = "holds `-`, which parts the name of a data stream: expected `_` instead";
                return Err(Problem::new(format!("data_stream.{field}"), message));
            }
        }
        Ok(Self {
            parts,
            auto_routing: settings.auto_routing,
            sync_fields: settings.sync_fields,
            is_listed: allow.is_set(),
        })
    }

    /// The name of documents that say nothing else, if it is the same for all.
    pub(super) fn constant(&self) -> Option<String> {
        let [kind, dataset, namespace] = &self.parts;
        Some(format!("{}-{}-{}", kind.constant()?, dataset.constant()?, namespace.constant()?))
    }

    /// Appends the name of the data stream of `record`.
    pub(super) fn name(&self, record: View<'_>, out: &mut String, memory: &mut Memory) -> Result<(), Refusal> {
        let told = if self.auto_routing { record.member(MEMBER) } else { None };
        for (at, part) in memory.parts.iter_mut().enumerate() {
            part.clear();
            self.parts[at].render(record, part)?;
            if let Some(own) = told.as_deref().and_then(|told| text_at(told, FIELDS[at])) {
                let refused = |why| refusal("template_value", format!("`data_stream.{}` {why}", FIELDS[at]));
                check_value(&own).map_err(refused)?;
                self.check_type(at, &own, part)?;
                own.as_ref().clone_into(part);
            }
            name::lower(part);
            if at != NAMESPACE && part.contains('-') {
                *part = part.replace('-', "_");
            }
            if at > 0 {
                out.push('-');
            }
            out.push_str(part);
        }
        Ok(())
    }

    /// Without a list a record cannot leave the type that the settings name: that is the literal beginning here.
    fn check_type(&self, at: usize, own: &str, configured: &str) -> Result<(), Refusal> {
        if at != TYPE || self.is_listed || own == configured {
            return Ok(());
        }
        let why =
            format!("`data_stream.type` is not `{configured}`: list what records may choose in `data_stream.allow`");
        Err(refusal("template_not_allowed", why))
    }

    /// Appends `record` as a document of the data stream that was named last.
    pub(super) fn write_document(&self, record: View<'_>, memory: &mut Memory, body: &mut Vec<u8>) {
        let start = body.len();
        record.write_json(body);
        if record.member(b"@timestamp").is_none() {
            add_member(body, |body| {
                body.extend_from_slice(b"\"@timestamp\":\"");
                memory.timestamps.write(record.time().0, body);
                body.push(b'"');
            });
        }
        if !self.sync_fields {
            return;
        }
        match record.member(MEMBER) {
            None => add_member(body, |body| write_member(&memory.parts, body)),
            Some(told) => correct(&told, &memory.parts, start, body),
        }
    }
}

/// The text of the member `field` of a JSON object, if it has one that is not empty.
fn text_at<'a>(object: &'a [u8], field: &str) -> Option<Cow<'a, str>> {
    let value = &object[seek(object, &[Segment::Field(field.as_bytes())])?];
    let raw = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if raw.is_empty() {
        return None;
    }
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::new();
    unescape(raw, &mut text);
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// Adds what `write` writes to the object that ends `body`.
fn add_member(body: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    body.pop();
    if body.last() != Some(&b'{') {
        body.push(b',');
    }
    write(body);
    body.push(b'}');
}

fn write_member(parts: &[String; 3], body: &mut Vec<u8>) {
    let [kind, dataset, namespace] = parts;
    // Names need no escape: see `name::check`.
    for piece in ["\"data_stream\":{\"type\":\"", kind, "\",\"dataset\":\"", dataset, "\",\"namespace\":\"", namespace]
    {
        body.extend_from_slice(piece.as_bytes());
    }
    body.extend_from_slice(b"\"}");
}

/// Corrects the `data_stream` fields of the document at `start` that differ from where it goes.
fn correct(told: &[u8], parts: &[String; 3], start: usize, body: &mut Vec<u8>) {
    for (field, part) in FIELDS.iter().zip(parts) {
        if text_at(told, field).as_deref() == Some(part) {
            continue;
        }
        let document = body.split_off(start);
        let mut value = Vec::new();
        quote(part.as_bytes(), &mut value);
        splice_set(&document, &[Segment::Field(MEMBER), Segment::Field(field.as_bytes())], &value, body);
    }
}
