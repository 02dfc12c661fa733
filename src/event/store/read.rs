//! Reading records back that were written down. Nothing is believed of what an OTLP message is: it is checked as if it came
//! from a client, since all that reads it later relies on that.

use std::collections::{HashMap, HashSet};
use std::ops;
use std::sync::Arc;

use bytes::Bytes;

use super::{FLAGS, Stored, StoredMessage, edit, fact};
use crate::event::batch::{Batch, Seen, Shares};
use crate::event::json;
use crate::event::origin::Origin;
use crate::event::otlp::schema::{METRIC, Message, RESOURCE, SCOPE};
use crate::event::otlp::{Places, Range, members};
use crate::event::record::{NONE, Record, flag};
use crate::event::tables::{Edit, Span, Tables, Target};
use crate::event::view::View;

/// What records are read back from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stock {
    /// The bytes of the records, one behind the other, and what they share behind these.
    pub(crate) text: Bytes,
    /// What they share of where they come from, by the numbers that rows name.
    pub(crate) origins: Vec<Arc<Origin>>,
    /// Where what OTLP records share stands, by the numbers that rows name.
    pub(crate) heads: Vec<Places>,
}

impl Batch {
    /// Reads records back. They answer to nobody yet. None where a row names what is not there, or an OTLP message is none.
    ///
    /// Bytes that are stored as JSON and are none, or are beyond a limit of the index, are a raw line.
    pub(crate) fn restore(stock: Stock, rows: impl ExactSizeIterator<Item = Stored>) -> Option<Self> {
        let Stock { text, origins, heads } = stock;
        let size = u32::try_from(text.len()).ok()?;
        let tables = Tables { blocks: vec![text.clone()], origins, ..Tables::default() };
        let mut batch = Self::over(tables, Vec::new());
        batch.restore_heads(&text, &heads)?;
        batch.records.reserve_exact(rows.len());
        let mut start = 0;
        for row in rows {
            let end = u64::from(start) + row.size();
            if end > u64::from(size) || usize::from(row.origin) >= batch.tables.origins.len() {
                return None;
            }
            match row.message {
                None => batch.restore_text(start, row),
                Some(message) => batch.restore_message(&text, (start, message), row)?,
            }
            batch.restore_facts(row);
            start = end as u32;
        }
        Some(batch)
    }

    fn restore_text(&mut self, start: u32, row: Stored) {
        let mut filler = self.fill();
        let (at, len, seen) = (start as usize, row.len as usize, seen(row));
        if row.facts & fact::JSON == 0 || filler.json(at, len, seen).is_err() {
            filler.text(at, len, seen);
        }
        let is_cut_line = row.facts & fact::TRUNCATED != 0 && row.facts & fact::JSON == 0;
        if is_cut_line {
            filler.mark_truncated();
        }
    }

    fn restore_facts(&mut self, row: Stored) {
        let Some(record) = self.records.last_mut() else { return };
        (record.sub, record.path, record.origin) = (row.sub, row.path, row.origin);
        record.flags &= flag::ODD_KEYS;
        for (fact, flag) in FLAGS {
            record.flags |= if row.facts & fact != 0 { flag } else { 0 };
        }
    }

    fn restore_heads(&mut self, text: &[u8], heads: &[Places]) -> Option<()> {
        let (mut checked, mut metrics) = (HashSet::new(), HashMap::new());
        for [resource, resource_schema_url, scope, scope_schema_url, metric] in heads {
            let mut message = |message: &'static Message, at: &Range| {
                let (at, bytes) = part(text, *at)?;
                if checked.insert((message.name, at.start, at.end)) {
                    message.check(bytes).ok()?;
                }
                Some(at)
            };
            let shares = Shares {
                resource: message(&RESOURCE, resource)?,
                resource_schema_url: part(text, *resource_schema_url)?.0,
                scope: message(&SCOPE, scope)?,
                scope_schema_url: part(text, *scope_schema_url)?.0,
                metric: None,
            };
            message(&METRIC, metric)?;
            let metric = match part(text, *metric)? {
                (_, []) => None,
                (at, bytes) => {
                    let tables = Arc::make_mut(&mut self.tables);
                    let append = || tables.append(|out| out.extend_from_slice(bytes));
                    Some(*metrics.entry((at.start, at.end)).or_insert_with(append))
                }
            };
            self.fill().shares(&shares);
            if let Some(head) = Arc::make_mut(&mut self.tables).heads.last_mut() {
                head.metric = metric;
            }
        }
        Some(())
    }

    fn restore_message(&mut self, text: &[u8], (start, message): (u32, StoredMessage), row: Stored) -> Option<()> {
        let StoredMessage { form, head, edits } = message;
        if !form.is_otlp() || head as usize >= self.tables.heads.len() {
            return None;
        }
        let (at, end) = (start as usize, (start + row.len) as usize);
        self.fill().otlp((form, head), at..end, seen(row));
        let (tables, record) = (Arc::make_mut(&mut self.tables), self.records.last_mut()?);
        tables.otlp(record).message.check(&text[at..end]).ok()?;
        let mut rest = &text[end..end + edits as usize];
        while !rest.is_empty() {
            rest = restore_edit(tables, record, rest)?;
        }
        Some(())
    }
}

fn seen(row: Stored) -> Seen {
    Seen { position: row.position, time: row.time }
}

fn part(text: &[u8], at: Range) -> Option<(ops::Range<usize>, &[u8])> {
    let at = at.start as usize..at.end as usize;
    Some((at.clone(), text.get(at)?))
}

/// Gives a record the edit that `bytes` begin with; gives what is behind it.
fn restore_edit<'t>(tables: &mut Tables, record: &mut Record, bytes: &'t [u8]) -> Option<&'t [u8]> {
    let (facts, rest) = bytes.split_first()?;
    let (key, rest) = sized(rest)?;
    let (value, rest) = sized(rest)?;
    let number = members::number(record.form, key).filter(|number| View { tables, record }.has_own(*number));
    let target = match number {
        Some(number) => Target::Own(number),
        None => Target::New(tables.append(|out| out.extend_from_slice(key))),
    };
    let value = (facts & edit::VALUE != 0).then(|| restore_value(tables, value));
    tables.chain(record, Edit { target, value, is_written: facts & edit::WRITTEN != 0, next: NONE });
    Some(rest)
}

/// What is beyond the limits of JSON that is read is text.
fn restore_value(tables: &mut Tables, value: &[u8]) -> Span {
    let is_json = json::check(value).is_ok();
    tables.append(|out| if is_json { out.extend_from_slice(value) } else { json::quote(value, out) })
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}
