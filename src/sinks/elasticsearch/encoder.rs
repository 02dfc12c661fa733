//! Records to bulk actions: a line that says where, a line that is the document.

use std::collections::HashMap;
use std::sync::Arc;

use super::target::Target;
use crate::component::sink::{Encoder, Partition, Refusal};
use crate::event::{Identity, StreamKey, View, mix};

/// Encodes for one sink.
pub(super) struct BulkEncoder {
    target: Arc<Target>,
    /// Hash of the sink's id: one record in two sinks is two documents.
    salt: u32,
    with_id: bool,
    /// The beginning of the action up to the position in `_id`; the same for a stream, a path and an index.
    action: Vec<u8>,
    of: Option<(StreamKey, u32)>,
    index: String,
    partitions: HashMap<String, Partition>,
    partition: Partition,
}

impl BulkEncoder {
    pub(super) fn new(target: Arc<Target>, salt: u32, with_id: bool) -> Self {
        Self {
            target,
            salt,
            with_id,
            action: Vec::new(),
            of: None,
            index: String::new(),
            partitions: HashMap::new(),
            partition: 0,
        }
    }

    /// Renders the beginning of the action, where the record differs from the one before.
    fn begin_action(&mut self, record: View<'_>, identity: Identity) -> Result<(), Refusal> {
        let of = (identity.stream, identity.path);
        let moved = self.target.is_moved(record, &mut self.index)?;
        if !moved && self.of == Some(of) {
            return Ok(());
        }
        if moved {
            let next = self.partitions.len() as Partition;
            self.partition = *self.partitions.entry(self.index.clone()).or_insert(next);
        }
        self.of = Some(of);
        self.action.clear();
        self.action.extend_from_slice(b"{\"create\":{");
        if !self.target.is_constant() {
            // Template values are confined to characters that need no escape.
            self.action.extend_from_slice(b"\"_index\":\"");
            self.action.extend_from_slice(self.index.as_bytes());
            self.action.extend_from_slice(if self.with_id { b"\"," } else { b"\"" });
        }
        if self.with_id {
            self.action.extend_from_slice(b"\"_id\":\"");
            self.action.extend_from_slice(&identity.prefix());
        }
        Ok(())
    }
}

impl Encoder for BulkEncoder {
    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        let mut identity = record.identity();
        identity.path = mix(identity.path, self.salt);
        self.begin_action(record, identity)?;
        body.extend_from_slice(&self.action);
        if self.with_id {
            identity.write_rest(body);
            body.push(b'"');
        }
        body.extend_from_slice(b"}}\n");
        self.target.write_document(record, body);
        body.push(b'\n');
        Ok(self.partition)
    }
}
