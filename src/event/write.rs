//! Writing a record out: its own bytes are copied in runs, the overlay and the origin's members are spliced in.

use super::json;
use super::record::{Form, NONE, flag};
use super::tables::{Target, range};
use super::view::View;

impl View<'_> {
    /// Appends the record as one JSON object.
    ///
    /// Bytes nobody touched leave as they came. A duplicate key whose value is shadowed by a later one is left out:
    /// Elasticsearch and others refuse such objects, and every reader takes the last.
    pub fn write_json(self, out: &mut Vec<u8>) {
        if self.record.form == Form::Json && self.is_plain() {
            self.write_plain(out);
        } else {
            self.write_spliced(out);
        }
    }

    /// No edits, no odd keys, and no key that the origin overrides?
    pub(super) fn is_plain(self) -> bool {
        if self.record.edits != NONE || self.record.has(flag::ODD_KEYS) {
            return false;
        }
        let origin = self.origin();
        let may_clash = self.record.keys & origin.keys() != 0 && !self.record.has(flag::ORIGIN_HIDDEN);
        !may_clash || origin.members().iter().all(|member| self.own(member.key.as_bytes()).is_none())
    }

    fn write_plain(self, out: &mut Vec<u8>) {
        let (text, members) = (self.text(), self.tables.members(self.record));
        let shared = if self.record.has(flag::ORIGIN_HIDDEN) { &[] } else { self.origin().rendered() };
        match (members.first(), members.last()) {
            (Some(first), Some(last)) => {
                out.push(b'{');
                out.extend_from_slice(&text[range(first.key - 1, last.value_end)]);
                if !shared.is_empty() {
                    out.push(b',');
                }
            }
            _ => out.push(b'{'),
        }
        out.extend_from_slice(shared);
        out.push(b'}');
    }

    /// Appends the record without what its origin brings, as one JSON object.
    pub(super) fn write_own(self, out: &mut Vec<u8>) {
        out.push(b'{');
        self.splice_own(&mut Object { out, empty: true });
        out.push(b'}');
    }

    fn write_spliced(self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut object = Object { out, empty: true };
        self.splice_own(&mut object);
        self.write_shared(&mut object);
        object.out.push(b'}');
    }

    fn splice_own(self, object: &mut Object<'_>) {
        if self.record.form == Form::Json {
            self.write_own_json(object);
        } else {
            self.write_own_virtual(object);
        }
        for edit in self.tables.edits(self.record) {
            if let (Target::New(key), Some(value)) = (edit.target, edit.value) {
                object.member(self.tables.span(key), self.tables.span(value));
            }
        }
    }

    /// Own members of a JSON record: runs of untouched bytes, cut where a member is replaced or left out.
    fn write_own_json(self, object: &mut Object<'_>) {
        let (text, members) = (self.text(), self.tables.members(self.record));
        let mut run: Option<(u32, u32)> = None;
        for (number, member) in members.iter().enumerate() {
            let number = number as u32;
            let edit = self.tables.edit_of(self.record, number);
            let gone = match edit {
                Some(edit) => edit.value.is_none(),
                None => self.is_shadowed(number) || self.is_overridden(number),
            };
            if gone {
                object.run(text, run.take());
                continue;
            }
            let start = run.map_or(member.key - 1, |(start, _)| start);
            run = Some((start, member.value_end));
            if let Some(value) = edit.and_then(|edit| edit.value) {
                object.run(text, Some((start, member.value)));
                object.out.extend_from_slice(self.tables.span(value));
                run = None;
            }
        }
        object.run(text, run);
    }

    /// What a line or an OTLP message reads as.
    fn write_own_virtual(self, object: &mut Object<'_>) {
        for number in 0..self.own_count() {
            let key = self.own_key(number);
            match self.tables.edit_of(self.record, number) {
                Some(edit) => {
                    if let Some(value) = edit.value {
                        object.member(key, self.tables.span(value));
                    }
                }
                None if self.shared(key).is_some() => {}
                None => object.virtual_member(key, |out| self.write_virtual(number, out)),
            }
        }
    }

    fn write_shared(self, object: &mut Object<'_>) {
        if self.record.edits == NONE {
            if !self.record.has(flag::ORIGIN_HIDDEN) && !self.origin().rendered().is_empty() {
                object.separate();
                object.out.extend_from_slice(self.origin().rendered());
            }
            return;
        }
        for member in self.shown_shared() {
            object.separate();
            member.write(object.out);
        }
    }

    /// Does the origin have a member of the same name?
    pub(super) fn is_overridden(self, number: u32) -> bool {
        let raw = self.own_key(number);
        let odd = self.record.has(flag::ODD_KEYS);
        if self.record.has(flag::ORIGIN_HIDDEN) || (!odd && self.origin().keys() & json::key_bit(raw) == 0) {
            return false;
        }
        self.origin().members().iter().any(|member| json::key_eq(raw, member.key.as_bytes()))
    }
}

/// An object being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    /// `key` is decoded.
    fn key(&mut self, key: &[u8]) {
        self.separate();
        json::quote(key, self.out);
        self.out.push(b':');
    }

    fn member(&mut self, key: &[u8], value: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(value);
    }

    /// A member that is there if `write` writes anything.
    fn virtual_member(&mut self, key: &[u8], write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let (start, was_empty) = (self.out.len(), self.empty);
        self.key(key);
        if !write(self.out) {
            self.out.truncate(start);
            self.empty = was_empty;
        }
    }

    /// A stretch of the record's own bytes: whole members, or up to where a value will follow.
    fn run(&mut self, text: &[u8], run: Option<(u32, u32)>) {
        if let Some((start, end)) = run {
            self.separate();
            self.out.extend_from_slice(&text[range(start, end)]);
        }
    }
}
