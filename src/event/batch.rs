//! Batches: what moves. Records are rows; everything else about them lies in tables that batches share.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::edit::Editor;
use super::json;
use super::origin::Origin;
use super::otlp::Head;
use super::receipt::{Outcome, Receipt, Resolve};
use super::record::{Form, NONE, Record, flag};
use super::tables::{Tables, Target};
use super::view::View;

/// Records with the tables they refer to and the receipts they answer to.
///
/// Cloning shares the tables; the first writer copies them, never the input. Whoever takes a batch must say what
/// became of its records ([`settle`](Self::settle)), else they count as failed.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) tables: Arc<Tables>,
    receipts: Vec<Receipt>,
}

/// When and where a record was read.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Offset in the stream.
    pub position: u64,
    /// Nanoseconds since the Unix epoch.
    pub time: i64,
}

impl Batch {
    /// An empty batch over `block`, all of whose records will be of `origin`.
    pub fn new(block: Bytes, origin: Arc<Origin>, receipt: Receipt) -> Self {
        Self { receipts: vec![receipt], ..Self::unanswered(block, origin) }
    }

    /// An empty batch over `block` that answers to nobody yet: what it will cover is known when it is filled.
    pub fn unanswered(block: Bytes, origin: Arc<Origin>) -> Self {
        let tables = Tables { blocks: vec![block], origins: vec![origin], ..Tables::default() };
        Self { records: vec![], tables: Arc::new(tables), receipts: vec![] }
    }

    /// Adds a block: its number is how many there were.
    pub fn add_block(&mut self, block: Bytes) {
        Arc::make_mut(&mut self.tables).blocks.push(block);
    }

    /// Answers to `receipt` too.
    pub fn answer_also(&mut self, receipt: Receipt) {
        self.receipts.push(receipt);
    }

    /// Makes room for `records` with some `members` each.
    #[must_use]
    pub fn with_capacity(mut self, records: usize, members: usize) -> Self {
        self.records.reserve(records);
        Arc::make_mut(&mut self.tables).members.reserve(records * members);
        self
    }

    /// An empty batch over tables, with the receipts that its records will answer to.
    pub(super) fn over(tables: Tables, receipts: Vec<Receipt>) -> Self {
        Self { records: vec![], tables: Arc::new(tables), receipts }
    }

    /// An empty batch that answers to the same receipts. It shares no tables: they can be written without a copy.
    pub(crate) fn answers(&self) -> Self {
        Self { receipts: self.receipts.clone(), ..Self::default() }
    }

    pub(super) fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Opens the batch for a source that fills it.
    pub fn fill(&mut self) -> Filler<'_> {
        Filler { records: &mut self.records, tables: Arc::make_mut(&mut self.tables) }
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// No records?
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record at `index`.
    pub fn get(&self, index: usize) -> View<'_> {
        View { tables: &self.tables, record: &self.records[index] }
    }

    /// All records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = View<'_>> {
        self.records.iter().map(|record| View { tables: &self.tables, record })
    }

    /// Opens the records for change.
    pub fn edit(&mut self) -> Editor<'_> {
        Editor { records: &mut self.records, tables: Arc::make_mut(&mut self.tables), scratch: Vec::new() }
    }

    /// Keeps the records that `keep` likes; returns how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(View<'_>) -> bool) -> usize {
        let (before, tables) = (self.records.len(), &self.tables);
        self.records.retain(|record| keep(View { tables, record }));
        before - self.records.len()
    }

    /// Takes the records that `take` names out into a batch of their own, which shares tables and receipts.
    #[must_use]
    pub fn extract(&mut self, mut take: impl FnMut(usize, View<'_>) -> bool) -> Self {
        let tables = &self.tables;
        let mut at = 0;
        let taken = self.records.extract_if(.., |record| {
            at += 1;
            take(at - 1, View { tables, record })
        });
        let records = taken.collect();
        Self { records, tables: self.tables.clone(), receipts: self.receipts.clone() }
    }

    /// A batch of the records that `pick` names; these stay here too.
    #[must_use]
    pub fn select(&self, mut pick: impl FnMut(usize) -> bool) -> Self {
        let picked = self.records.iter().enumerate().filter(|(at, _)| pick(*at));
        let records = picked.map(|(_, record)| *record).collect();
        Self { records, tables: self.tables.clone(), receipts: self.receipts.clone() }
    }

    /// A batch of the records with these numbers, in this order; these stay here too.
    pub(crate) fn pick(&self, numbers: impl Iterator<Item = u32>) -> Self {
        let records = numbers.map(|number| self.records[number as usize]).collect();
        Self { records, tables: self.tables.clone(), receipts: self.receipts.clone() }
    }

    /// Puts `receipt` in the place of its receipts, which are given back.
    pub(crate) fn answer_to(&mut self, receipt: Receipt) -> Vec<Receipt> {
        std::mem::replace(&mut self.receipts, vec![receipt])
    }

    /// The token of its receipt, if it has one that answers to `source`, and no other.
    pub(crate) fn token_for<R: Resolve>(&self, source: &Arc<R>) -> Option<u64> {
        match &self.receipts[..] {
            [receipt] => receipt.token_for(Arc::as_ptr(source).cast()),
            _ => None,
        }
    }

    /// Marks all records as having taken `output`: it becomes part of their identity.
    pub fn took(&mut self, output: u32) {
        for record in &mut self.records {
            record.path = mix(record.path, output);
        }
    }

    /// Replaces each origin by what `change` makes of it.
    pub fn map_origins(&mut self, change: impl FnMut(&Arc<Origin>) -> Arc<Origin>) {
        let origins = self.tables.origins.iter().map(change).collect();
        Arc::make_mut(&mut self.tables).origins = origins;
    }

    /// Does any record have an edit, or hide its origin's members?
    pub fn is_edited(&self) -> bool {
        self.records.iter().any(|record| record.edits != NONE || record.has(flag::ORIGIN_HIDDEN))
    }

    /// Notes the outcome of `count` of the records; the rest must follow before the batch goes.
    pub fn note(&self, outcome: Outcome, count: usize) {
        for receipt in &self.receipts {
            receipt.note(outcome, count as u64);
        }
    }

    /// Its records are queued in memory: takes out the receipts of those who wait for no more, which are to be told so
    /// by [`settle`](Self::settle) of what is given back. In their place `witness` learns what becomes of the records;
    /// its token is their number.
    #[must_use]
    pub fn queued(&mut self, witness: &Arc<dyn Resolve>) -> Self {
        let receipts: Vec<_> = self.receipts.extract_if(.., |receipt| receipt.is_until_queued()).collect();
        if receipts.is_empty() {
            return Self::default();
        }
        self.receipts.push(Receipt::new(witness.clone(), self.records.len() as u64));
        Self { records: self.records.clone(), receipts, ..Self::default() }
    }

    /// Do those who learn what becomes of its records wait for a queue alone?
    pub(crate) fn is_until_queued(&self) -> bool {
        !self.receipts.is_empty() && self.receipts.iter().all(Receipt::is_until_queued)
    }

    /// Ends the batch: all its records met `outcome`.
    pub fn settle(self, outcome: Outcome) {
        if !self.records.is_empty() {
            self.note(outcome, self.records.len());
        }
        self.close();
    }

    /// Ends the batch: the outcome of each of its records has been noted, or it has none.
    pub fn close(self) {
        self.receipts.into_iter().for_each(Receipt::close);
    }

    /// Bytes this batch keeps alive.
    pub fn weight(&self) -> usize {
        self.tables.weight() + self.records.capacity() * size_of::<Record>()
    }
}

/// A record that a source adds and knows more of than where its line stands.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its bytes.
    pub text: &'a [u8],
    /// The number of the block they are, or will be, in.
    pub block: u16,
    /// Where they begin in it.
    pub start: usize,
    /// The number of its origin: see [`Filler::origin`].
    pub origin: u16,
    /// Where and when it was read.
    pub seen: Seen,
    /// Is that time one that the record tells?
    pub is_told: bool,
    /// Not zero if these bytes may be but a part of what another reading finds here: then it is not the same record.
    pub sub: u32,
}

/// What OTLP messages share: where the messages stand in the block, which have been checked. Empty ranges are messages
/// that were not there.
#[derive(Clone, Debug, Default)]
pub struct Shares<'a> {
    /// A `Resource`.
    pub resource: Range<usize>,
    /// The address of its schema.
    pub resource_schema_url: Range<usize>,
    /// An `InstrumentationScope`.
    pub scope: Range<usize>,
    /// The address of its schema.
    pub scope_schema_url: Range<usize>,
    /// Of points: the metric without them, as a message.
    pub metric: Option<&'a [u8]>,
}

/// A source's hand in a new batch.
pub struct Filler<'a> {
    records: &'a mut Vec<Record>,
    tables: &'a mut Tables,
}

impl Filler<'_> {
    /// Adds bytes `start..start + len` of the block as a raw line.
    pub fn text(&mut self, start: usize, len: usize, seen: Seen) {
        let record = self.row(start, len, seen);
        self.records.push(record);
    }

    /// Adds bytes `start..start + len` of the block as a JSON object, or nothing if they are none.
    pub fn json(&mut self, start: usize, len: usize, seen: Seen) -> Result<(), json::Fault> {
        let mut record = self.row(start, len, seen);
        let text = &self.tables.blocks[0][start..start + len];
        let shape = json::index(text, &mut self.tables.members)?;
        record.become_json(self.tables.members.len(), shape);
        self.records.push(record);
        Ok(())
    }

    /// The number of what the OTLP messages that follow share.
    pub fn shares(&mut self, shares: &Shares<'_>) -> u32 {
        let metric = shares.metric.map(|metric| self.tables.append(|out| out.extend_from_slice(metric)));
        self.tables.heads.push(Head {
            resource: shares.resource.clone().into(),
            resource_schema_url: shares.resource_schema_url.clone().into(),
            scope: shares.scope.clone().into(),
            scope_schema_url: shares.scope_schema_url.clone().into(),
            metric,
        });
        self.tables.heads.len() as u32 - 1
    }

    /// Adds bytes `at` of the block, which have been checked, as an OTLP message; what it shares has a number: see
    /// [`shares`](Self::shares).
    pub fn otlp(&mut self, (form, shares): (Form, u32), at: Range<usize>, seen: Seen) {
        let record = self.row(at.start, at.len(), seen);
        self.records.push(Record { form, members: shares, ..record });
    }

    /// The number of an origin besides the batch's first; the same one is added once.
    pub fn origin(&mut self, origin: &Arc<Origin>) -> u16 {
        let origins = &mut self.tables.origins;
        let known = origins.iter().position(|other| Arc::ptr_eq(other, origin));
        known.unwrap_or_else(|| {
            origins.push(origin.clone());
            origins.len() - 1
        }) as u16
    }

    /// Adds a record as a raw line.
    pub fn add_text(&mut self, row: &Row<'_>) {
        let record = self.row(row.start, row.text.len(), row.seen).with(row);
        self.records.push(record);
    }

    /// Adds a record as a JSON object, or nothing if it is none.
    pub fn add_json(&mut self, row: &Row<'_>) -> Result<(), json::Fault> {
        let mut record = self.row(row.start, row.text.len(), row.seen).with(row);
        let shape = json::index(row.text, &mut self.tables.members)?;
        record.become_json(self.tables.members.len(), shape);
        self.records.push(record);
        Ok(())
    }

    /// Marks the record added last as cut at the length limit: it has a member `truncated` that is `true`.
    pub fn mark_truncated(&mut self) {
        if let Some(record) = self.records.last_mut() {
            record.flags |= flag::TRUNCATED;
        }
        self.mark("truncated", b"true");
    }

    /// Gives the record added last a member: JSON text.
    pub fn mark(&mut self, key: &str, value: &[u8]) {
        if let Some(record) = self.records.last_mut() {
            let key = self.tables.append(|out| out.extend_from_slice(key.as_bytes()));
            let value = self.tables.append(|out| out.extend_from_slice(value));
            self.tables.push_edit(record, Target::New(key), Some(value));
        }
    }

    fn row(&self, start: usize, len: usize, seen: Seen) -> Record {
        Record {
            time: seen.time,
            position: seen.position,
            keys: 0,
            start: start as u32,
            len: len as u32,
            members: self.tables.members.len() as u32,
            edits: NONE,
            sub: 0,
            path: 0,
            member_count: 0,
            block: 0,
            origin: 0,
            form: Form::Text,
            flags: flag::OBSERVED,
        }
    }
}

impl Record {
    fn with(mut self, row: &Row<'_>) -> Self {
        (self.block, self.origin, self.sub) = (row.block, row.origin, row.sub);
        if row.is_told {
            self.flags &= !flag::OBSERVED;
        }
        self
    }

    /// Makes this a JSON record whose members end the index at `members_end`.
    pub(crate) fn become_json(&mut self, members_end: usize, shape: json::Shape) {
        self.form = Form::Json;
        self.keys = shape.keys;
        self.member_count = (members_end - self.members as usize) as u32;
        if shape.odd {
            self.flags |= flag::ODD_KEYS;
        }
    }
}

/// Mixes an output's hash into a path (a 32-bit multiply-xor step; the plan fixes both sides).
pub fn mix(path: u32, output: u32) -> u32 {
    let mixed = (path ^ output).wrapping_mul(0x9E37_79B1);
    mixed ^ (mixed >> 15)
}

/// A 32-bit hash of a name, the same in every build (FNV-1a).
pub fn hash32(name: &[u8]) -> u32 {
    name.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
