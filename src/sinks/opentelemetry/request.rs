//! Requests in the making: `Export*ServiceRequest`, whose records stand below their resource and their scope.
//!
//! A message's length stands before it, so a request cannot be written from its beginning to its end while records come.
//! A body in the making is a row of *runs*: what some records share, and behind it these records. What another run has is not
//! repeated: a run says where its parts stand. At the end the runs are sorted by what is shared, byte for byte, and the request
//! is written once. All that is known of a body stands in it.

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

/// A length, or a place, in a body in the making.
const LEN: usize = size_of::<u32>();
/// What a body in the making begins with: where its last run begins, and what its records share, as a number.
const START: usize = LEN + size_of::<u64>();
/// What a run shares: a resource with its schema, a scope with its, a metric.
const PARTS: usize = 3;
/// Where in a run stands: the run before it; place and length of each part; bytes of the parts that are new in it, which
/// follow its head; bytes of its records, which follow these.
const BEFORE: usize = 0;
const PLACES: usize = LEN;
const NEW: usize = PLACES + PARTS * 2 * LEN;
const RECORDS: usize = NEW + LEN;
/// What a run begins with.
const HEAD: usize = RECORDS + LEN;
/// Runs that are looked at for a part: those of some services that send at once.
const LOOKS: usize = 16;

/// Begins a body.
pub(super) fn begin(body: &mut Vec<u8>) {
    body.extend_from_slice(&[0; START]);
}

/// Appends a record; all records of a body are read by one writer. `head` is memory to use.
pub(super) fn push(record: &Shown<'_>, head: &mut Vec<u8>, body: &mut Vec<u8>) {
    let mut run = len_at(body, 0);
    let shares = record.shares.to_le_bytes();
    if run == 0 || body[LEN..START] != shares {
        let lens = shared(record, head);
        run = run_of(lens, head, body);
        body[LEN..START].copy_from_slice(&shares);
    }
    let before = body.len();
    let field = if record.metric.is_empty() { number::ITEMS } else { number::POINTS };
    put_bytes(field, record.record, body);
    let len = len_at(body, run + RECORDS) + body.len() - before;
    set_len(body, run + RECORDS, len);
}

/// Writes what a record shares, as it stands in a request; gives the lengths of its parts.
fn shared(record: &Shown<'_>, head: &mut Vec<u8>) -> [usize; PARTS] {
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

/// The run for records that share `head`: the last one, or a new one.
fn run_of(lens: [usize; PARTS], head: &[u8], body: &mut Vec<u8>) -> usize {
    let last = len_at(body, 0);
    let (mut places, mut rest) = ([None; PARTS], head);
    for (part, len) in lens.into_iter().enumerate() {
        let (bytes, behind) = rest.split_at(len);
        rest = behind;
        places[part] = find(part, bytes, body);
    }
    let is_last = (0..PARTS).all(|part| last != 0 && places[part] == Some(place(body, last, part)));
    if is_last { last } else { begin_run(places, (lens, head), body) }
}

/// Where a part stands that a late run has too.
fn find(part: usize, bytes: &[u8], body: &[u8]) -> Option<(usize, usize)> {
    let mut run = len_at(body, 0);
    for _ in 0..LOOKS {
        if run == 0 {
            return None;
        }
        let (start, len) = place(body, run, part);
        if body[start..start + len] == *bytes {
            return Some((start, len));
        }
        run = len_at(body, run + BEFORE);
    }
    None
}

/// Where a part of a run stands, and how long it is.
fn place(body: &[u8], run: usize, part: usize) -> (usize, usize) {
    let at = run + PLACES + part * 2 * LEN;
    (len_at(body, at), len_at(body, at + LEN))
}

fn begin_run(
    places: [Option<(usize, usize)>; PARTS],
    (lens, head): ([usize; PARTS], &[u8]),
    body: &mut Vec<u8>,
) -> usize {
    let run = body.len();
    body.resize(run + HEAD, 0);
    let mut rest = head;
    for (part, (place, len)) in places.into_iter().zip(lens).enumerate() {
        let (bytes, behind) = rest.split_at(len);
        rest = behind;
        let start = place.map_or_else(
            || {
                let start = body.len();
                body.extend_from_slice(bytes);
                start
            },
            |(start, _)| start,
        );
        set_len(body, run + PLACES + part * 2 * LEN, start);
        set_len(body, run + PLACES + part * 2 * LEN + LEN, len);
    }
    let new = body.len() - run - HEAD;
    set_len(body, run + NEW, new);
    let before = len_at(body, 0);
    set_len(body, run + BEFORE, before);
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
    place: [usize; PARTS],
    /// The bytes of these.
    shared: [&'a [u8]; PARTS],
    records: &'a [u8],
}

/// The runs of a body: those of one resource together, within them those of one scope, within them those of one metric.
fn sorted(body: &[u8]) -> Vec<Run<'_>> {
    let (mut runs, mut known, mut read) = (Vec::new(), HashMap::new(), HashMap::new());
    let mut run = START;
    while run + HEAD <= body.len() {
        let records = run + HEAD + len_at(body, run + NEW);
        let end = records + len_at(body, run + RECORDS);
        let places: [(usize, usize); PARTS] = std::array::from_fn(|part| place(body, run, part));
        let shared = places.map(|(start, len)| &body[start..start + len]);
        let mut numbers = [0; PARTS];
        let mut above = usize::MAX;
        for (level, bytes) in shared.iter().enumerate() {
            // What stands at one place is one thing: most parts are looked up by that, and not by what is in them.
            above = *read.entry((level, above, places[level])).or_insert_with(|| {
                let next = known.len();
                *known.entry((level, above, *bytes)).or_insert(next)
            });
            numbers[level] = above;
        }
        runs.push(Run { place: numbers, shared, records: &body[records..end] });
        run = end;
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
