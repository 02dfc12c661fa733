//! Records as they are written down and read back: the bytes that a sink would see, and a row of plain facts.
//!
//! A record that shows all of its own bytes is stored as they are. Any other is stored as it is written: what an edit
//! or its origin hides (a value that was masked, say) must not reach a disk.

use std::sync::Arc;

use bytes::Bytes;

use super::batch::Batch;
use super::origin::Origin;
use super::record::{Form, NONE, Record, flag};
use super::tables::{Tables, Target};
use super::view::{TEXT_KEYS, View};

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
}

/// Facts of a stored record, as bits. They are part of a format: a bit never changes its meaning.
pub(crate) mod fact {
    /// Its bytes are a JSON object; else a raw line.
    pub(crate) const JSON: u8 = 1;
    pub(crate) const ORIGIN_HIDDEN: u8 = 2;
    pub(crate) const OBSERVED: u8 = 4;
    pub(crate) const TRUNCATED: u8 = 8;
    pub(crate) const WAS_TEXT: u8 = 16;
}

/// The facts that are flags of a record, too.
const FLAGS: [(u8, u8); 4] = [
    (fact::ORIGIN_HIDDEN, flag::ORIGIN_HIDDEN),
    (fact::OBSERVED, flag::OBSERVED),
    (fact::TRUNCATED, flag::TRUNCATED),
    (fact::WAS_TEXT, flag::WAS_TEXT),
];

impl View<'_> {
    /// Appends the bytes to be stored; the row says how to read them. Its origin is its number in the batch.
    pub(crate) fn store(self, out: &mut Vec<u8>) -> Stored {
        let Record { mut time, position, sub, path, origin, .. } = *self.record;
        let start = out.len();
        let mut facts = FLAGS.iter().filter(|(_, flag)| self.record.has(*flag)).fold(0, |all, (fact, _)| all | fact);
        if self.form().is_otlp() {
            // It is read back as the object it is written as: what time it tells is known now.
            let (told, is_observed) = self.time();
            (time, facts) = (told, (facts & !fact::OBSERVED) | if is_observed { fact::OBSERVED } else { 0 });
        }
        if self.shows_all() {
            out.extend_from_slice(self.text());
            facts |= if self.is_text() { 0 } else { fact::JSON };
        } else {
            self.write_json(out);
            facts |= fact::JSON | fact::ORIGIN_HIDDEN | if self.is_text() { fact::WAS_TEXT } else { 0 };
        }
        Stored { time, position, sub, path, len: (out.len() - start) as u32, origin, facts }
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

impl Batch {
    /// What the records share, by the numbers that rows name.
    pub(crate) fn origins(&self) -> &[Arc<Origin>] {
        &self.tables.origins
    }

    /// Reads records back whose bytes lie in `text` one behind the other. They answer to nobody yet. The caller has
    /// checked that the lengths add up to those of `text`, and that each origin is there.
    ///
    /// Bytes that are stored as JSON and are none, or are beyond a limit of the index, are a raw line.
    pub(crate) fn restore(text: Bytes, origins: Vec<Arc<Origin>>, rows: impl ExactSizeIterator<Item = Stored>) -> Self {
        let tables = Tables { blocks: vec![text], origins, ..Tables::default() };
        let mut batch = Self::over(tables, Vec::new());
        batch.records.reserve_exact(rows.len());
        let mut start = 0;
        for row in rows {
            batch.restore_row(start, row);
            start += row.len;
        }
        batch
    }

    fn restore_row(&mut self, start: u32, row: Stored) {
        let mut filler = self.fill();
        let seen = super::Seen { position: row.position, time: row.time };
        let (at, len) = (start as usize, row.len as usize);
        if row.facts & fact::JSON == 0 || filler.json(at, len, seen).is_err() {
            filler.text(at, len, seen);
        }
        let is_cut_line = row.facts & fact::TRUNCATED != 0 && row.facts & fact::JSON == 0;
        if is_cut_line {
            filler.mark_truncated();
        }
        let Some(record) = self.records.last_mut() else { return };
        (record.sub, record.path, record.origin) = (row.sub, row.path, row.origin);
        record.flags &= flag::ODD_KEYS;
        for (fact, flag) in FLAGS {
            record.flags |= if row.facts & fact != 0 { flag } else { 0 };
        }
    }
}
