//! What a frame carries: origins, a row for each record, then the records' bytes. Nothing refers to another frame.
//!
//! ```text
//! origins: count u32, then each: stream u128; members, metadata: count u32, (key, JSON value)...; timestamp keys: count u32, key...
//! rows:    count u32, then each: time i64, position u64, sub u32, path u32, length u32, origin u16, facts u8, 0 u8
//! bytes:   of the records, in order, up to the end
//! ```
//!
//! Keys and values stand behind their length (u32). All numbers are little-endian.

use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{Cursor, Malformed, put_sized};
use crate::event::{Batch, Origin, Shared, Stored, StreamKey, json};

const ROW: usize = 32;
/// The least an origin and a member take.
const ORIGIN: usize = 28;
const MEMBER: usize = 8;

/// Appends the records of `batch`.
pub(crate) fn encode(batch: &Batch, out: &mut Vec<u8>) {
    let used = put_origins(batch, out);
    out.extend_from_slice(&(batch.len() as u32).to_le_bytes());
    let mut slot = out.len();
    out.resize(slot + batch.len() * ROW, 0);
    for record in batch.iter() {
        let row = record.store(out);
        let row = Stored { origin: used[usize::from(row.origin)], ..row };
        out[slot..slot + ROW].copy_from_slice(&row_bytes(row));
        slot += ROW;
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

fn row_bytes(row: Stored) -> [u8; ROW] {
    let mut bytes = [0; ROW];
    bytes[..8].copy_from_slice(&row.time.to_le_bytes());
    bytes[8..16].copy_from_slice(&row.position.to_le_bytes());
    bytes[16..20].copy_from_slice(&row.sub.to_le_bytes());
    bytes[20..24].copy_from_slice(&row.path.to_le_bytes());
    bytes[24..28].copy_from_slice(&row.len.to_le_bytes());
    bytes[28..30].copy_from_slice(&row.origin.to_le_bytes());
    bytes[30] = row.facts;
    bytes
}

fn read_row(bytes: &[u8]) -> Result<Stored, Malformed> {
    let mut from = Cursor(bytes);
    let (time, position) = (from.u64()? as i64, from.u64()?);
    let (sub, path, len) = (from.u32()?, from.u32()?, from.u32()?);
    Ok(Stored { time, position, sub, path, len, origin: from.u16()?, facts: from.u8()? })
}

/// Reads records back; they answer to nobody yet. Total: any bytes give records or an error, in memory that is
/// bounded by their number.
pub(crate) fn decode(payload: &Bytes) -> Result<Batch, Malformed> {
    let mut from = Cursor(payload);
    let count = from.count(ORIGIN)?;
    let origins: Vec<Arc<Origin>> =
        (0..count).map(|_| read_origin(&mut from).map(Arc::new)).collect::<Result<_, _>>()?;
    let count = from.count(ROW)?;
    let rows = from.take(count * ROW)?;
    let text = payload.slice_ref(from.0);
    let rows: Vec<Stored> = rows.chunks_exact(ROW).map(read_row).collect::<Result<_, _>>()?;
    let sum: u64 = rows.iter().map(|row| u64::from(row.len)).sum();
    let is_known = |row: &Stored| usize::from(row.origin) < origins.len();
    if sum != text.len() as u64 || u32::try_from(sum).is_err() || !rows.iter().all(is_known) {
        return Err(Malformed);
    }
    Ok(Batch::restore(text, origins, rows.into_iter()))
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
