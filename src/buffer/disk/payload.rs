//! What a frame carries: origins, a row for each record, then the records' bytes. Nothing refers to another frame.
//!
//! ```text
//! origins: count u32, then each: stream u128; members, metadata: count u32, (key, JSON value)...; timestamp keys: count u32, key...
//! rows:    count u32, then each: time i64, position u64, sub u32, path u32, length u32, origin u16, facts u8, 0 u8
//! bytes:   of the records, in order, up to the end
//! ```
//!
//! Where there are OTLP messages among them (another kind of frame), what these share is there once, behind the records:
//!
//! ```text
//! rows:    as above, with the form in place of the 0 (0 none of OTLP, 1 span, 2 log record, 3 data point); then number of its
//!          head u32, bytes of its edits u32
//! bytes:   behind their length u32: of the records, in order, the edits of each behind its own (facts u8, key, JSON value),
//!          then what they share
//! heads:   count u32, then each: start and end, u32 each, of resource, schema url, scope, schema url and metric in the bytes
//! ```
//!
//! Keys and values stand behind their length (u32). All numbers are little-endian.

use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{Cursor, Malformed, put_sized};
use crate::event::otlp::{Keeper, Places, Range};
use crate::event::{Batch, Form, Origin, Shared, Stock, Stored, StoredMessage, StreamKey, json};

const ROW: usize = 32;
/// What a row has besides where there are OTLP messages.
const MORE: usize = 8;
/// Bytes of a head.
const HEAD: usize = 40;
/// The least an origin and a member take.
const ORIGIN: usize = 28;
const MEMBER: usize = 8;

/// Forms of OTLP, by the numbers that stand for them.
const FORMS: [Form; 3] = [Form::Span, Form::LogRecord, Form::Point];

/// How records are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Lines and JSON objects alone.
    Texts,
    /// OTLP messages too.
    Messages,
}

impl Layout {
    /// The one that `batch` is written in.
    pub(crate) fn of(batch: &Batch) -> Self {
        if batch.has_messages() { Self::Messages } else { Self::Texts }
    }

    const fn row(self) -> usize {
        match self {
            Self::Texts => ROW,
            Self::Messages => ROW + MORE,
        }
    }
}

/// Appends the records of `batch`.
pub(crate) fn encode(batch: &Batch, out: &mut Vec<u8>) {
    let layout = Layout::of(batch);
    let used = put_origins(batch, out);
    out.extend_from_slice(&(batch.len() as u32).to_le_bytes());
    let mut slot = out.len();
    out.resize(slot + batch.len() * layout.row(), 0);
    let start = out.len();
    if layout == Layout::Messages {
        out.extend_from_slice(&[0; 4]);
    }
    let (first, mut keeper) = (out.len(), Keeper::default());
    for record in batch.iter() {
        let row = record.store(&mut keeper, out);
        let row = row_bytes(Stored { origin: used[usize::from(row.origin)], ..row });
        out[slot..slot + layout.row()].copy_from_slice(&row[..layout.row()]);
        slot += layout.row();
    }
    if layout == Layout::Messages {
        put_shared(&keeper, (start, first), out);
    }
}

/// Appends what messages share, given where the bytes that it is to be found in, and their length, begin.
fn put_shared(keeper: &Keeper, (start, first): (usize, usize), out: &mut Vec<u8>) {
    let heads = keeper.append(first, out);
    let len = (out.len() - first) as u32;
    out[start..first].copy_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&(heads.len() as u32).to_le_bytes());
    for Range { start, end } in heads.into_iter().flatten() {
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&end.to_le_bytes());
    }
}

/// Writes the origins that records refer to; gives their new numbers by their old ones.
fn put_origins(batch: &Batch, out: &mut Vec<u8>) -> Vec<u16> {
    const UNUSED: u16 = u16::MAX;
    let mut numbers = vec![UNUSED; batch.origins().len()];
    let mut used = Vec::new();
    for record in batch.iter() {
        let number = record.record.origin;
        if numbers[usize::from(number)] == UNUSED {
            numbers[usize::from(number)] = used.len() as u16;
            used.push(&batch.origins()[usize::from(number)]);
        }
    }
    out.extend_from_slice(&(used.len() as u32).to_le_bytes());
    for origin in used {
        put_origin(origin, out);
    }
    numbers
}

fn put_origin(origin: &Origin, out: &mut Vec<u8>) {
    out.extend_from_slice(&origin.stream().0.to_le_bytes());
    for members in [origin.members(), origin.all_metadata()] {
        out.extend_from_slice(&(members.len() as u32).to_le_bytes());
        for Shared { key, value } in members {
            put_sized(key.as_bytes(), out);
            put_sized(value, out);
        }
    }
    let keys = origin.timestamp_keys();
    out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    for key in keys {
        put_sized(key.as_bytes(), out);
    }
}

fn row_bytes(row: Stored) -> [u8; ROW + MORE] {
    let mut bytes = [0; ROW + MORE];
    bytes[..8].copy_from_slice(&row.time.to_le_bytes());
    bytes[8..16].copy_from_slice(&row.position.to_le_bytes());
    bytes[16..20].copy_from_slice(&row.sub.to_le_bytes());
    bytes[20..24].copy_from_slice(&row.path.to_le_bytes());
    bytes[24..28].copy_from_slice(&row.len.to_le_bytes());
    bytes[28..30].copy_from_slice(&row.origin.to_le_bytes());
    bytes[30] = row.facts;
    if let Some(StoredMessage { form, head, edits }) = row.message {
        bytes[31] = FORMS.iter().position(|known| *known == form).map_or(0, |at| at as u8 + 1);
        bytes[32..36].copy_from_slice(&head.to_le_bytes());
        bytes[36..].copy_from_slice(&edits.to_le_bytes());
    }
    bytes
}

fn read_row(bytes: &[u8]) -> Result<Stored, Malformed> {
    let mut from = Cursor(bytes);
    let (time, position) = (from.u64()? as i64, from.u64()?);
    let (sub, path, len) = (from.u32()?, from.u32()?, from.u32()?);
    Ok(Stored { time, position, sub, path, len, origin: from.u16()?, facts: from.u8()?, message: read_message(from)? })
}

/// What a row says of a message, if it says anything.
fn read_message(mut from: Cursor<'_>) -> Result<Option<StoredMessage>, Malformed> {
    let form = from.u8()?;
    if from.0.is_empty() || form == 0 {
        return Ok(None);
    }
    let form = *FORMS.get(usize::from(form) - 1).ok_or(Malformed)?;
    Ok(Some(StoredMessage { form, head: from.u32()?, edits: from.u32()? }))
}

/// Reads records back; they answer to nobody yet. Total: any bytes give records or an error, in memory that is
/// bounded by their number.
pub(crate) fn decode(layout: Layout, payload: &Bytes) -> Result<Batch, Malformed> {
    let mut from = Cursor(payload);
    let count = from.count(ORIGIN)?;
    let origins: Vec<Arc<Origin>> =
        (0..count).map(|_| read_origin(&mut from).map(Arc::new)).collect::<Result<_, _>>()?;
    let count = from.count(layout.row())?;
    let rows = from.take(count * layout.row())?;
    let rows: Vec<Stored> = rows.chunks_exact(layout.row()).map(read_row).collect::<Result<_, _>>()?;
    let (text, heads) = match layout {
        Layout::Texts => (from.0, Vec::new()),
        Layout::Messages => (from.sized()?, read_heads(&mut from)?),
    };
    let sum: u64 = rows.iter().map(Stored::size).sum();
    let is_whole = layout == Layout::Messages || sum == text.len() as u64;
    let stock = Stock { text: payload.slice_ref(text), origins, heads };
    if is_whole { Batch::restore(stock, rows.into_iter()).ok_or(Malformed) } else { Err(Malformed) }
}

fn read_heads(from: &mut Cursor<'_>) -> Result<Vec<Places>, Malformed> {
    let count = from.count(HEAD)?;
    let mut place = |_| Ok(Range { start: from.u32()?, end: from.u32()? });
    (0..count)
        .map(|_| {
            let [resource, resource_schema_url, scope, scope_schema_url, metric] = [0; 5].map(&mut place);
            Ok([resource?, resource_schema_url?, scope?, scope_schema_url?, metric?])
        })
        .collect()
}

fn read_origin(from: &mut Cursor<'_>) -> Result<Origin, Malformed> {
    let stream = StreamKey(from.u128()?);
    let (members, metadata) = (read_members(from)?, read_members(from)?);
    let count = from.count(4)?;
    let keys: Vec<Box<str>> = (0..count).map(|_| from.text().map(Box::from)).collect::<Result<_, _>>()?;
    let origin = Origin::new(stream).with_metadata(metadata).with_timestamp_keys(keys.into());
    Ok(if members.is_empty() { origin } else { origin.with(&members) })
}

fn read_members(from: &mut Cursor<'_>) -> Result<Vec<Shared>, Malformed> {
    let count = from.count(MEMBER)?;
    let member = |_| {
        let (key, value) = (from.text()?, from.sized()?);
        json::check(value).map_err(|_| Malformed)?;
        Ok(Shared { key: key.into(), value: value.into() })
    };
    (0..count).map(member).collect()
}

#[cfg(test)]
mod tests;
