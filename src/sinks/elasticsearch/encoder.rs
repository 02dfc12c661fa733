//! Records to bulk actions: a line that says where, a line that is the document.

use std::sync::Arc;

use super::target::{Action, Aim, Target};
use super::version::Version;
use crate::codecs::Shape;
use crate::component::sink::{Encoder, Partition, Refusal};
use crate::delivery::confined::refusal;
use crate::event::{Identity, Path, StreamKey, View, mix};

/// Bytes of an `_id`.
const MAX_ID: usize = 512;

/// How documents are written, the same for every encoder of a sink.
pub(super) struct Form {
    pub(super) target: Target,
    pub(super) action: Action,
    /// Hash of the sink's id: one record in two sinks is two documents.
    pub(super) salt: u32,
    /// Does the record's identity become the `_id`?
    pub(super) with_id: bool,
    /// The member whose value is the `_id`, where a record has it.
    pub(super) id_key: Option<Path>,
    /// What of a document is written.
    pub(super) shape: Shape,
    /// The version of each document, where records tell it.
    pub(super) version: Option<Version>,
}

/// Encodes for one sink.
pub(super) struct BulkEncoder {
    form: Arc<Form>,
    /// The beginning of the action up to the position in `_id`; the same for a stream, a path and an index.
    action: Vec<u8>,
    /// How much of it comes before the `_id`.
    stem: usize,
    of: Option<(StreamKey, u32)>,
    aim: Aim,
}

impl BulkEncoder {
    pub(super) fn new(form: Arc<Form>) -> Self {
        Self { form, action: Vec::new(), stem: 0, of: None, aim: Aim::default() }
    }

    /// Renders the beginning of the action, where the record differs from the one before.
    fn begin_action(&mut self, record: View<'_>, identity: Identity) -> Result<(), Refusal> {
        let of = (identity.stream, identity.path);
        let moved = self.form.target.is_moved(record, &mut self.aim)?;
        if !moved && self.of == Some(of) {
            return Ok(());
        }
        self.of = Some(of);
        self.action.clear();
        self.action.extend_from_slice(match self.form.action {
            Action::Create => b"{\"create\":{",
            Action::Index => b"{\"index\":{",
        });
        let index = self.aim.index.as_str();
        if !index.is_empty() && self.form.target.constant() != Some(index) {
            // Names are checked to hold nothing that needs an escape.
            self.action.extend_from_slice(b"\"_index\":\"");
            self.action.extend_from_slice(index.as_bytes());
            self.action.push(b'"');
        }
        self.stem = self.action.len();
        if self.form.with_id {
            push_id_key(&mut self.action);
            self.action.extend_from_slice(&identity.prefix());
        }
        Ok(())
    }

    /// Writes the action up to the end of its `_id`.
    fn write_action(&self, record: View<'_>, identity: Identity, body: &mut Vec<u8>) -> Result<(), Refusal> {
        if let Some(path) = &self.form.id_key
            && let Some(value) = record.get(path)
            && let Some(id) = id_text(&value)?
        {
            body.extend_from_slice(&self.action[..self.stem]);
            push_id_key(body);
            body.extend_from_slice(id);
            body.push(b'"');
            return Ok(());
        }
        body.extend_from_slice(&self.action);
        if self.form.with_id {
            identity.write_rest(body);
            body.push(b'"');
        }
        Ok(())
    }
}

fn push_id_key(out: &mut Vec<u8>) {
    if out.last() == Some(&b'"') {
        out.push(b',');
    }
    out.extend_from_slice(b"\"_id\":\"");
}

/// What stands between the quotes of an `_id` made of a JSON value: a string or a number, else none.
fn id_text(value: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let id = match value.first() {
        Some(b'"') => &value[1..value.len() - 1],
        Some(b'-' | b'0'..=b'9') => value,
        _ => return Ok(None),
    };
    if id.len() > MAX_ID {
        return Err(refusal("id_key", format!("`id_key` gives {} bytes, an `_id` has at most {MAX_ID}", id.len())));
    }
    Ok((!id.is_empty()).then_some(id))
}

impl Encoder for BulkEncoder {
    fn begin(&mut self, _: &mut Vec<u8>) {
        self.aim.refresh();
    }

    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        let mut identity = record.identity();
        identity.path = mix(identity.path, self.form.salt);
        self.begin_action(record, identity)?;
        self.write_action(record, identity, body)?;
        if let Some(version) = &self.form.version {
            if body.last() == Some(&b'{') {
                return Err(refusal("version", "has a version and no `_id`: `id_key` names none".to_owned()));
            }
            version.write(record, body)?;
        }
        body.extend_from_slice(b"}}\n");
        let start = body.len();
        self.form.target.write_document(record, &mut self.aim, body);
        self.form.shape.apply(record, start, body);
        body.push(b'\n');
        Ok(self.aim.partition)
    }
}
