//! Changing records: every write goes into the overlay; the input bytes stay as they came.

use std::collections::HashMap;
use std::ops::Range;

use super::json;
use super::otlp::members::Part;
use super::path::Path;
use super::record::{IN_ARENA, NONE, Record, flag};
use super::tables::{Span, Tables, Target};
use super::view::View;

/// What [`Editor::rewrite_with`] made of the resources and scopes of a batch; none of them, where it changed nothing.
#[derive(Debug, Default)]
pub struct SharedParts(HashMap<Part, Option<Span>>);

/// The hand that changes the records of a batch.
pub struct Editor<'a> {
    pub(crate) records: &'a mut [Record],
    pub(crate) tables: &'a mut Tables,
    /// What a rewrite makes before it is known to be wanted: kept, or each hit would allocate.
    pub(crate) scratch: Vec<u8>,
}

impl Editor<'_> {
    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// No records?
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record at `index` as it stands.
    pub fn get(&self, index: usize) -> View<'_> {
        View { tables: self.tables, record: &self.records[index] }
    }

    /// Sets what stands at `path` to the JSON text `value`. A set keeps the place; a new key is appended. A path
    /// that leads into metadata changes nothing: metadata belongs to the origin.
    pub fn set(&mut self, index: usize, path: &Path, value: &[u8]) {
        let Some(key) = path.first_key() else {
            self.replace(index, value);
            return;
        };
        if path.is_metadata() {
            return;
        }
        if path.depth() == 1 {
            self.set_member(index, key, |out| out.extend_from_slice(value));
            return;
        }
        let whole = self.get(index).member(key).map_or_else(|| b"null".to_vec(), std::borrow::Cow::into_owned);
        self.set_member(index, key, |out| json::splice_set(&whole, &path.segments_below_first(), value, out));
    }

    /// Sets the top-level member `key` (decoded) to the JSON text that `write` appends.
    pub fn set_member(&mut self, index: usize, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.tables.append(write);
        self.put(index, key, Some(value));
    }

    /// Removes what stands at `path`; tells whether there was anything.
    pub fn remove(&mut self, index: usize, path: &Path) -> bool {
        let Some(key) = path.first_key() else {
            self.replace(index, b"{}");
            return true;
        };
        if path.is_metadata() {
            return false;
        }
        if path.depth() == 1 {
            return self.remove_member(index, key);
        }
        let Some(whole) = self.get(index).member(key) else { return false };
        let mut rest = Vec::new();
        let found = json::splice_remove(&whole, &path.segments_below_first(), &mut rest);
        if found {
            self.set_member(index, key, |out| out.extend_from_slice(&rest));
        }
        found
    }

    /// Removes the top-level member `key` (decoded); tells whether there was one.
    pub fn remove_member(&mut self, index: usize, key: &[u8]) -> bool {
        let is_there = self.get(index).member(key).is_some();
        if is_there {
            self.put(index, key, None);
        }
        is_there
    }

    /// Moves what stands at `from` to `to`; tells whether there was anything.
    pub fn rename(&mut self, index: usize, from: &Path, to: &Path) -> bool {
        let Some(value) = self.get(index).get(from).map(std::borrow::Cow::into_owned) else { return false };
        self.remove(index, from);
        self.set(index, to, &value);
        true
    }

    /// Replaces the whole record by the JSON object `text`; the origin's members are hidden from then on. Text that
    /// is no JSON object changes nothing and gives `false`.
    pub fn replace(&mut self, index: usize, text: &[u8]) -> bool {
        let span = self.tables.append(|out| out.extend_from_slice(text));
        let at = Range { start: span.start, end: span.end };
        self.read_as_json(index, IN_ARENA, at)
    }

    /// Turns a raw line that holds a JSON object into that object over the same bytes, as
    /// `. = parse_json!(.message)` would. Gives `false`, and changes nothing, for anything else.
    pub fn parse_message(&mut self, index: usize) -> bool {
        let record = self.records[index];
        if self.get(index).untouched_line().is_none() {
            return false;
        }
        self.read_as_json(index, record.block, record.start..record.start + record.len)
    }

    /// The record's row as it stands, for [`restore`](Self::restore).
    pub(crate) fn row(&self, index: usize) -> Record {
        self.records[index]
    }

    /// Takes back what was done to a record since its row was taken; nothing in the tables refers to it.
    pub(crate) fn restore(&mut self, index: usize, row: Record) {
        self.records[index] = row;
    }

    fn read_as_json(&mut self, index: usize, block: u16, at: Range<u32>) -> bool {
        let record = &mut self.records[index];
        let fresh = Record {
            block,
            start: at.start,
            len: at.end - at.start,
            members: self.tables.members.len() as u32,
            edits: NONE,
            flags: (record.flags & !flag::ODD_KEYS) | flag::ORIGIN_HIDDEN,
            ..*record
        };
        let Tables { blocks, arena, members, .. } = &mut *self.tables;
        let bytes: &[u8] = if block == IN_ARENA { arena } else { &blocks[usize::from(block)] };
        let Ok(shape) = json::index(&bytes[at.start as usize..at.end as usize], members) else { return false };
        *record = fresh;
        record.become_json(self.tables.members.len(), shape);
        true
    }

    /// Shows `change` every value that the record itself brings (its own and those added since) with its raw key,
    /// and replaces those for which it writes a new one and returns true. Left out are values that can never be seen
    /// again (a later duplicate or the origin's member stands for them: replacing them would bring them back), and
    /// what a raw line reads as: see [`View::untouched_line`].
    pub fn rewrite(&mut self, index: usize, change: impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> bool) {
        self.rewrite_with(index, &mut SharedParts::default(), change);
    }

    /// The same with a memory, which is good for this batch and this `change`: a resource or a scope of OTLP that has
    /// been shown is not shown again, but becomes what it became then.
    pub fn rewrite_with(
        &mut self,
        index: usize,
        known: &mut SharedParts,
        mut change: impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> bool,
    ) {
        for number in 0..self.get(index).own_count() {
            let Some(part) = self.get(index).untouched_part(number) else {
                self.rewrite_own(index, number, &mut change);
                continue;
            };
            if let Some(value) = known.0.get(&part) {
                if value.is_some() {
                    self.put_own(index, number, *value);
                }
                continue;
            }
            self.rewrite_own(index, number, &mut change);
            let edit = self.tables.edit_of(&self.records[index], number);
            known.0.insert(part, edit.and_then(|edit| edit.value));
        }
        self.rewrite_new(index, change);
    }

    /// [`rewrite`](Self::rewrite) for its own member `number` alone, see [`View::member_over`].
    pub fn rewrite_number(
        &mut self,
        index: usize,
        number: u32,
        mut change: impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> bool,
    ) {
        self.rewrite_own(index, number, &mut change);
    }

    fn rewrite_new(&mut self, index: usize, mut change: impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> bool) {
        let mut new = std::mem::take(&mut self.scratch);
        let mut at = self.records[index].edits;
        while at != NONE {
            let edit = self.tables.edits[at as usize];
            if let (Target::New(key), Some(value)) = (edit.target, edit.value) {
                new.clear();
                if change(self.tables.span(key), self.tables.span(value), &mut new) {
                    let value = self.tables.append(|out| out.extend_from_slice(&new));
                    self.tables.change_edit(at as usize, Some(value));
                }
            }
            at = edit.next;
        }
        self.scratch = new;
    }

    /// [`rewrite`](Self::rewrite) for the top-level member `key` alone.
    pub fn rewrite_member(&mut self, index: usize, key: &[u8], mut change: impl FnMut(&[u8], &mut Vec<u8>) -> bool) {
        let view = self.get(index);
        match view.own(key) {
            Some(number) => self.rewrite_own(index, number, &mut |_, value, out| change(value, out)),
            None => self.rewrite_new(index, |raw, value, out| raw == key && change(value, out)),
        }
    }

    fn rewrite_own(&mut self, index: usize, number: u32, change: &mut impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> bool) {
        let mut new = std::mem::take(&mut self.scratch);
        new.clear();
        let view = self.get(index);
        let changed = view.visible_at(number).is_some_and(|value| change(view.own_key(number), &value, &mut new));
        if changed {
            let value = self.tables.append(|out| out.extend_from_slice(&new));
            self.put_own(index, number, Some(value));
        }
        self.scratch = new;
    }

    /// A write or removal acts on every occurrence of the key and hides the origin's member.
    fn put(&mut self, index: usize, key: &[u8], value: Option<Span>) {
        let view = self.get(index);
        let Some(last) = view.own(key) else {
            self.put_new(index, key, value);
            return;
        };
        // Earlier occurrences of the key are never shown.
        self.put_own(index, last, value);
    }

    fn put_own(&mut self, index: usize, number: u32, value: Option<Span>) {
        let record = &mut self.records[index];
        match self.tables.position_of(record, |_, target| target == Target::Own(number)) {
            Some(at) => self.tables.change_edit(at, value),
            None => self.tables.push_edit(record, Target::Own(number), value),
        }
    }

    fn put_new(&mut self, index: usize, key: &[u8], value: Option<Span>) {
        let record = &mut self.records[index];
        let named = |tables: &Tables, target| matches!(target, Target::New(name) if tables.span(name) == key);
        if let Some(at) = self.tables.position_of(record, named) {
            self.tables.change_edit(at, value);
            return;
        }
        let name = self.tables.append(|out| out.extend_from_slice(key));
        self.tables.push_edit(record, Target::New(name), value);
    }

    /// Drops what the record's overlay says of `key`, so that the origin's member shows. Gives `false` where the
    /// record hides its origin and the member would not show.
    pub fn unhide(&mut self, index: usize, key: &[u8]) -> bool {
        if self.records[index].has(flag::ORIGIN_HIDDEN) {
            return false;
        }
        let view = self.get(index);
        let own = view.own(key);
        let is_it = |tables: &Tables, target: Target| match target {
            Target::Own(number) => Some(number) == own,
            Target::New(name) => tables.span(name) == key,
        };
        let record = &mut self.records[index];
        if let Some(at) = self.tables.position_of(record, is_it) {
            self.tables.unlink(record, at as u32);
        }
        true
    }
}

impl Tables {
    /// Takes the edit at `at` out of the record's chain.
    fn unlink(&mut self, record: &mut Record, at: u32) {
        let after = self.edits[at as usize].next;
        if record.edits == at {
            record.edits = after;
            return;
        }
        let mut before = record.edits;
        while self.edits[before as usize].next != at {
            before = self.edits[before as usize].next;
        }
        self.edits[before as usize].next = after;
    }
}
