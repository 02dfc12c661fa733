//! Requests in the making: `Export*ServiceRequest`, whose records stand below their resource and their scope.
//!
//! A message's length stands before it, so a request cannot be written from its beginning to its end while records come.
//! A body in the making is a row of *runs*: what some records share, and behind it these records. At the end the runs are
//! sorted by what is shared, byte for byte, and the request is written once. All that is known of a body stands in it.

use std::collections::HashMap;

use crate::event::otlp::Shown;
use crate::event::otlp::schema::points;
use crate::event::otlp::wire::{Fields, Value, put_bytes, put_varint};

/// Numbers of fields that the three requests have in common.
mod number {
    /// Resources of a request.
    pub(super) const RESOURCES: u32 = 1;
    /// The resource, or the scope.
    pub(super) const HEAD: u32 = 1;
    /// Scopes of a resource; spans, log records or metrics of a scope.
    pub(super) const ITEMS: u32 = 2;
    pub(super) const SCHEMA_URL: u32 = 3;
    /// Points of what holds them in a metric.
    pub(super) const POINTS: u32 = 1;
}

/// A length in a body in the making.
const LEN: usize = size_of::<u32>();
/// What a body in the making begins with: where its last run begins.
const START: usize = LEN;
/// What a run begins with: the lengths of its four parts.
const HEAD: usize = PARTS * LEN;
/// Of the resource with its schema, of the scope with its, of the metric, of the records.
const PARTS: usize = 4;
const RECORDS: usize = PARTS - 1;

/// Begins a body.
pub(super) fn begin(body: &mut Vec<u8>) {
    body.extend_from_slice(&[0; START]);
}

/// Appends a record. `head` is memory to use.
pub(super) fn push(record: &Shown<'_>, head: &mut Vec<u8>, body: &mut Vec<u8>) {
    let lens = shared(record, head);
    let last = len_at(body, 0);
    let is_same = last != 0
        && (0..RECORDS).all(|part| len_at(body, last + part * LEN) == lens[part])
        && body[last + HEAD..].starts_with(head);
    let run = if is_same { last } else { begin_run(lens, head, body) };
    let before = body.len();
    let field = if record.metric.is_empty() { number::ITEMS } else { number::POINTS };
    put_bytes(field, record.record, body);
    let len = len_at(body, run + RECORDS * LEN) + body.len() - before;
    set_len(body, run + RECORDS * LEN, len);
}

/// Writes what a record shares, as it stands in a request; gives the lengths of its parts.
fn shared(record: &Shown<'_>, head: &mut Vec<u8>) -> [usize; RECORDS] {
    head.clear();
    level(record.resource, record.resource_schema_url, head);
    let resource = head.len();
    level(record.scope, record.scope_schema_url, head);
    let scope = head.len() - resource;
    head.extend_from_slice(record.metric);
    [resource, scope, record.metric.len()]
}

fn level(message: &[u8], schema_url: &[u8], head: &mut Vec<u8>) {
    for (number, bytes) in [(number::HEAD, message), (number::SCHEMA_URL, schema_url)] {
        if !bytes.is_empty() {
            put_bytes(number, bytes, head);
        }
    }
}

fn begin_run(lens: [usize; RECORDS], head: &[u8], body: &mut Vec<u8>) -> usize {
    let run = body.len();
    for len in lens.into_iter().chain([0]) {
        body.extend_from_slice(&(len as u32).to_le_bytes());
    }
    body.extend_from_slice(head);
    set_len(body, 0, run);
    run
}

fn len_at(body: &[u8], at: usize) -> usize {
    body[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}

fn set_len(body: &mut [u8], at: usize, len: usize) {
    body[at..at + LEN].copy_from_slice(&(len as u32).to_le_bytes());
}

/// Turns a body into the request. `scratch` is memory to use.
pub(super) fn end(body: &mut Vec<u8>, scratch: &mut Vec<u8>) {
    scratch.clear();
    scratch.reserve(body.len());
    let runs = sorted(body);
    for of_resource in runs.chunk_by(|one, other| one.place[0] == other.place[0]) {
        put_head(number::RESOURCES, resource_len(of_resource), scratch);
        scratch.extend_from_slice(of_resource[0].shared[0]);
        for of_scope in scopes(of_resource) {
            put_head(number::ITEMS, scope_len(of_scope), scratch);
            scratch.extend_from_slice(of_scope[0].shared[1]);
            metrics(of_scope).for_each(|of_metric| write_records(of_metric, scratch));
        }
    }
    std::mem::swap(body, scratch);
}

/// Records with what they share.
struct Run<'a> {
    /// The numbers of its resource, of its scope and of its metric: in the order in which each was first seen.
    place: [usize; RECORDS],
    /// The bytes of these.
    shared: [&'a [u8]; RECORDS],
    records: &'a [u8],
}

/// The runs of a body: those of one resource together, within them those of one scope, within them those of one metric.
fn sorted(body: &[u8]) -> Vec<Run<'_>> {
    let (mut runs, mut known) = (Vec::new(), HashMap::new());
    let mut rest = body.get(START..).unwrap_or_default();
    while rest.len() >= HEAD {
        let (lens, mut parts) = rest.split_at(HEAD);
        let mut part = |number: usize| {
            let (part, behind) = parts.split_at(len_at(lens, number * LEN));
            parts = behind;
            part
        };
        let shared = [part(0), part(1), part(2)];
        let records = part(RECORDS);
        rest = parts;
        let mut place = [0; RECORDS];
        let mut above = usize::MAX;
        for (level, bytes) in shared.iter().enumerate() {
            let next = known.len();
            above = *known.entry((level, above, *bytes)).or_insert(next);
            place[level] = above;
        }
        runs.push(Run { place, shared, records });
    }
    runs.sort_by_key(|run| run.place);
    runs
}

type Runs<'r, 'a> = &'r [Run<'a>];

fn scopes<'r, 'a>(runs: Runs<'r, 'a>) -> impl Iterator<Item = Runs<'r, 'a>> {
    runs.chunk_by(|one, other| one.place[1] == other.place[1])
}

fn metrics<'r, 'a>(runs: Runs<'r, 'a>) -> impl Iterator<Item = Runs<'r, 'a>> {
    runs.chunk_by(|one, other| one.place[2] == other.place[2])
}

fn resource_len(runs: Runs<'_, '_>) -> usize {
    runs[0].shared[0].len() + scopes(runs).map(|runs| field_len(scope_len(runs))).sum::<usize>()
}

fn scope_len(runs: Runs<'_, '_>) -> usize {
    runs[0].shared[1].len() + metrics(runs).map(records_len).sum::<usize>()
}

/// Bytes of spans or log records; or of a metric with its points, as a field.
fn records_len(runs: Runs<'_, '_>) -> usize {
    let records = runs.iter().map(|run| run.records.len()).sum();
    match Metric::of(runs[0].shared[2]) {
        None => records,
        Some(metric) => field_len(metric.len(records)),
    }
}

fn write_records(runs: Runs<'_, '_>, out: &mut Vec<u8>) {
    let put_all = |out: &mut Vec<u8>| runs.iter().for_each(|run| out.extend_from_slice(run.records));
    let Some(metric) = Metric::of(runs[0].shared[2]) else { return put_all(out) };
    let records = runs.iter().map(|run| run.records.len()).sum();
    put_head(number::ITEMS, metric.len(records), out);
    out.extend_from_slice(metric.before);
    put_head(metric.number, metric.data.len() + records, out);
    out.extend_from_slice(metric.data);
    put_all(out);
    out.extend_from_slice(metric.behind);
}

/// A metric without its points: what holds these, and what stands before and behind it.
struct Metric<'a> {
    before: &'a [u8],
    number: u32,
    data: &'a [u8],
    behind: &'a [u8],
}

impl<'a> Metric<'a> {
    /// None where records are no points.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        Fields::checked(bytes).find_map(|found| match found.value {
            Value::Bytes(data) if points(found.number).is_some() => {
                Some(Self { before: &bytes[..found.start], number: found.number, data, behind: &bytes[found.end..] })
            }
            _ => None,
        })
    }

    fn len(&self, records: usize) -> usize {
        self.before.len() + field_len(self.data.len() + records) + self.behind.len()
    }
}

/// The tag and the length of a field whose bytes follow.
fn put_head(number: u32, len: usize, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 2, out);
    put_varint(len as u64, out);
}

/// Bytes of a length-delimited field, tag and length included. All numbers here have a tag of one byte.
fn field_len(len: usize) -> usize {
    1 + (len | 1).ilog2() as usize / 7 + 1 + len
}
