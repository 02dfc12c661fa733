//! Records as they are written down and read back: the bytes that a sink would see, and a row of plain facts.
//!
//! A record that shows all of its own bytes is stored as they are, an OTLP record as the message it now is (see
//! [`Keeper`]). Any other is stored as it is written: what an edit or its origin hides (a value that was masked, say) must
//! not reach a disk.

mod read;

use std::sync::Arc;

use super::batch::Batch;
use super::origin::Origin;
use super::otlp::Keeper;
use super::record::{Form, NONE, Record, flag};
use super::tables::Target;
use super::view::{TEXT_KEYS, View};

pub(crate) use read::Stock;

/// What is written down of a record beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) time: i64,
    pub(crate) position: u64,
    pub(crate) sub: u32,
    pub(crate) path: u32,
    /// Bytes that are its own.
    pub(crate) len: u32,
    /// Number of its origin among those it is stored with.
    pub(crate) origin: u16,
    /// See [`fact`].
    pub(crate) facts: u8,
    /// Only of an OTLP record.
    pub(crate) message: Option<StoredMessage>,
}

/// What is written down of an OTLP record besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredMessage {
    pub(crate) form: Form,
    /// Number of what it shares.
    pub(crate) head: u32,
    /// Bytes of its edits, behind those of its message.
    pub(crate) edits: u32,
}

/// Facts of a stored record, as bits. They are part of a format: a bit never changes its meaning.
pub(crate) mod fact {
    /// Its bytes are a JSON object; else a raw line, or an OTLP message.
    pub(crate) const JSON: u8 = 1;
    pub(crate) const ORIGIN_HIDDEN: u8 = 2;
    pub(crate) const OBSERVED: u8 = 4;
    pub(crate) const TRUNCATED: u8 = 8;
    pub(crate) const WAS_TEXT: u8 = 16;
}

/// Facts of a stored edit. They are part of a format, too.
mod edit {
    /// It has a value; else it removes.
    pub(super) const VALUE: u8 = 1;
    /// The message was written with it: it tells what the record reads as.
    pub(super) const WRITTEN: u8 = 2;
}

/// The facts that are flags of a record, too.
const FLAGS: [(u8, u8); 4] = [
    (fact::ORIGIN_HIDDEN, flag::ORIGIN_HIDDEN),
    (fact::OBSERVED, flag::OBSERVED),
    (fact::TRUNCATED, flag::TRUNCATED),
    (fact::WAS_TEXT, flag::WAS_TEXT),
];

impl Stored {
    /// All bytes that are its own.
    pub(crate) fn size(&self) -> u64 {
        u64::from(self.len) + self.message.map_or(0, |message| u64::from(message.edits))
    }
}

impl View<'_> {
    /// Appends the bytes to be stored; the row says how to read them. Its origin is its number in the batch, and what it
    /// shares stands with `keeper`.
    pub(crate) fn store(self, keeper: &mut Keeper, out: &mut Vec<u8>) -> Stored {
        let Record { time, position, sub, path, origin, .. } = *self.record;
        let flags = FLAGS.iter().filter(|(_, flag)| self.record.has(*flag)).fold(0, |all, (fact, _)| all | fact);
        let stored = Stored { time, position, sub, path, len: 0, origin, facts: flags, message: None };
        if self.form().is_otlp() { self.store_message(stored, keeper, out) } else { self.store_text(stored, out) }
    }

    fn store_message(self, stored: Stored, keeper: &mut Keeper, out: &mut Vec<u8>) -> Stored {
        let kept = keeper.keep(self, out);
        let message = Some(StoredMessage { form: self.form(), head: kept.head, edits: kept.edits });
        let stored = Stored { len: kept.len, message, ..stored };
        if !kept.is_changed {
            return stored;
        }
        // What told its time may be gone.
        let (time, is_observed) = self.time();
        let facts = (stored.facts & !fact::OBSERVED) | if is_observed { fact::OBSERVED } else { 0 };
        Stored { time, facts, ..stored }
    }

    fn store_text(self, stored: Stored, out: &mut Vec<u8>) -> Stored {
        let (start, mut facts) = (out.len(), stored.facts);
        if self.shows_all() {
            out.extend_from_slice(self.text());
            facts |= if self.is_text() { 0 } else { fact::JSON };
        } else {
            facts |= fact::JSON | if self.is_text() { fact::WAS_TEXT } else { 0 };
            if self.shows_all_shared() {
                self.write_own(out);
            } else {
                self.write_json(out);
                facts |= fact::ORIGIN_HIDDEN;
            }
        }
        Stored { len: (out.len() - start) as u32, facts, ..stored }
    }

    /// Is there nothing among its own bytes that a reader of the written record would not see, and nothing else?
    fn shows_all(self) -> bool {
        match self.form() {
            Form::Span | Form::LogRecord | Form::Point => false,
            Form::Json => self.is_plain(),
            Form::Text => {
                (self.record.edits == NONE || self.is_only_truncated()) && self.shared(TEXT_KEYS[0]).is_none()
            }
        }
    }

    /// Does all that its origin brings show?
    pub(super) fn shows_all_shared(self) -> bool {
        !self.record.has(flag::ORIGIN_HIDDEN) && self.shown_shared().count() == self.origin().members().len()
    }

    /// Is its only edit the mark of a line that was cut?
    fn is_only_truncated(self) -> bool {
        let mut edits = self.tables.edits(self.record);
        let is_mark = edits.next().is_some_and(|edit| {
            let is_key = matches!(edit.target, Target::New(key) if self.tables.span(key) == b"truncated");
            is_key && edit.value.is_some_and(|value| self.tables.span(value) == b"true")
        });
        self.is_truncated() && is_mark && edits.next().is_none()
    }
}

/// Appends an edit: its key, the value that the member is given, and whether the message was written with it.
pub(super) fn put_edit((key, value, is_written): (&[u8], Option<&[u8]>, bool), out: &mut Vec<u8>) {
    let has_value = if value.is_some() { edit::VALUE } else { 0 };
    out.push(has_value | if is_written { edit::WRITTEN } else { 0 });
    for part in [key, value.unwrap_or_default()] {
        out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        out.extend_from_slice(part);
    }
}

impl Batch {
    /// What the records share, by the numbers that rows name.
    pub(crate) fn origins(&self) -> &[Arc<Origin>] {
        &self.tables.origins
    }

    /// Is there an OTLP record?
    pub(crate) fn has_messages(&self) -> bool {
        self.records.iter().any(|record| record.form.is_otlp())
    }
}
