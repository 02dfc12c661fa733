//! What a message that records share became by a change, kept for the record after.

use super::encode::{Attribute, Change, Encoder, Wrong, put_text};
use super::schema::Message;
use super::wire::{Fields, Value};
use super::write::add_attributes;
use crate::event::json::{Segment, seek};

/// What a shared message became by a change: most records that share it were changed alike.
#[derive(Debug, Default)]
pub(super) struct Memo {
    pub(super) is_set: bool,
    old: Vec<u8>,
    /// What was to change.
    by: Vec<u8>,
    pub(super) new: Vec<u8>,
    pub(super) schema_url: Vec<u8>,
}

impl Memo {
    /// Room for a message and the address of its schema, which nobody asks for again.
    pub(super) fn begin(&mut self) -> (&mut Vec<u8>, &mut Vec<u8>) {
        self.is_set = false;
        self.new.clear();
        self.schema_url.clear();
        (&mut self.new, &mut self.schema_url)
    }

    /// Makes the message that reads as `text` (no text: as it did) with these attributes besides.
    pub(super) fn change(
        &mut self,
        (message, old, schema_url): (&'static Message, &[u8], &[u8]),
        (change, more): (Change<'_>, &[Attribute<'_>]),
        (encoder, scratch): (&mut Encoder, &mut Vec<u8>),
    ) -> Result<(), Wrong> {
        scratch.clear();
        let text: Option<&[u8]> = match change {
            Change::None => None,
            Change::Remove => Some(b"{}"),
            Change::Set(text) => Some(text),
        };
        let told = [schema_url, text.unwrap_or_default()].into_iter();
        for part in told.chain(more.iter().flat_map(|(key, value)| [*key, *value])) {
            scratch.extend_from_slice(&part.len().to_le_bytes());
            scratch.extend_from_slice(part);
        }
        if self.is_set && self.old == old && self.by == *scratch {
            return Ok(());
        }
        (self.is_set, self.by) = (false, std::mem::take(scratch));
        self.old.clear();
        self.old.extend_from_slice(old);
        self.schema_url.clear();
        match text {
            None => {
                self.schema_url.extend_from_slice(schema_url);
                scratch.extend_from_slice(old);
            }
            Some(text) => {
                if let Some(url) = seek(text, &[Segment::Field(b"schema_url")]) {
                    self.url(&text[url]);
                }
                encoder.to(scratch).object(message, old, text)?;
            }
        }
        let number = message.named("attributes").map_or(0, |field| field.number);
        self.new.clear();
        add_attributes(encoder, (scratch, number), more, &mut self.new)?;
        self.is_set = true;
        Ok(())
    }

    fn url(&mut self, value: &[u8]) {
        let mut field = Vec::new();
        put_text(1, value, &mut field);
        let url = Fields::checked(&field).find_map(|found| match found.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        });
        self.schema_url.extend_from_slice(url.unwrap_or_default());
    }
}
