//! Reading a record: its members wherever they lie (overlay, own bytes, origin).

use std::borrow::Cow;

use super::identity::Identity;
use super::json;
use super::origin::Origin;
use super::otlp::members::{self, Part};
use super::path::Path;
use super::record::{Form, NONE, Record, flag};
use super::tables::{Tables, Target, range};
use super::time;

/// A record as it stands: its bytes, with the overlay and its origin's members.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) tables: &'a Tables,
    pub(crate) record: &'a Record,
}

/// The virtual members of a raw line.
pub(crate) const TEXT_KEYS: [&[u8]; 2] = [b"message", b"timestamp"];

impl<'a> View<'a> {
    /// How the bytes are to be read.
    pub fn form(self) -> Form {
        self.record.form
    }

    /// Is it a raw line?
    pub fn is_text(self) -> bool {
        self.record.form == Form::Text
    }

    /// The raw line, if `message` still reads as it.
    pub fn untouched_line(self) -> Option<&'a [u8]> {
        let is_message = self.is_text() && self.tables.edit_of(self.record, 0).is_none();
        (is_message && self.shared(TEXT_KEYS[0]).is_none()).then(|| self.text())
    }

    /// Has an edit set or removed the member `key`?
    pub fn is_edited(self, key: &[u8]) -> bool {
        self.tables.edits(self.record).any(|edit| match edit.target {
            Target::Own(number) => self.own_key(number) == key,
            Target::New(name) => self.tables.span(name) == key,
        })
    }

    /// The bytes of an object, if all that the record itself brings still reads as them.
    pub fn untouched_json(self) -> Option<&'a [u8]> {
        (self.record.form == Form::Json && self.record.edits == NONE).then(|| self.text())
    }

    /// The bytes it came as.
    pub fn text(self) -> &'a [u8] {
        self.tables.text(self.record)
    }

    /// What it shares with others.
    pub fn origin(self) -> &'a Origin {
        self.tables.origin(self.record)
    }

    /// Was the line cut at the length limit?
    pub fn is_truncated(self) -> bool {
        self.record.has(flag::TRUNCATED)
    }

    /// Its identity, which a re-read reproduces.
    pub fn identity(self) -> Identity {
        let Record { position, sub, path, .. } = *self.record;
        Identity { stream: self.origin().stream(), position, sub, path }
    }

    /// Nanoseconds since the Unix epoch, and whether that is only the time of reading: the record's own time is
    /// looked up among the members its origin names.
    pub fn time(self) -> (i64, bool) {
        if !self.record.has(flag::OBSERVED) || self.is_text() || self.record.has(flag::WAS_TEXT) {
            return (self.record.time, self.record.has(flag::OBSERVED));
        }
        if self.form().is_otlp() {
            let edited = (self.record.edits != NONE).then(|| self.member(TEXT_KEYS[1])).flatten();
            let told = edited.and_then(|value| time::parse_json(&value));
            let told = told.or_else(|| self.tables.otlp(self.record).told_time());
            return told.map_or((self.record.time, true), |time| (time, false));
        }
        let told = self.origin().timestamp_keys().iter().find_map(|key| {
            let value = self.member(key.as_bytes())?;
            time::parse_json(&value)
        });
        told.map_or((self.record.time, true), |time| (time, false))
    }

    /// Number of its own member `key` (the last, if there are several).
    pub(crate) fn own(self, key: &[u8]) -> Option<u32> {
        match self.record.form {
            Form::Json => self.own_indexed(key),
            Form::Text => TEXT_KEYS.iter().position(|name| *name == key).map(|at| at as u32),
            form => members::number(form, key).filter(|number| self.has_own(*number)),
        }
    }

    /// Does it have its own member `number`? A raw line and an object have all that they count.
    pub(crate) fn has_own(self, number: u32) -> bool {
        !self.form().is_otlp() || self.tables.otlp(self.record).has(number)
    }

    fn own_indexed(self, key: &[u8]) -> Option<u32> {
        let odd = self.record.has(flag::ODD_KEYS);
        if !odd && self.record.keys & json::key_bit(key) == 0 {
            return None;
        }
        let text = self.text();
        let found = self.tables.members(self.record).iter().rposition(|member| {
            let raw = &text[range(member.key, member.key_end)];
            raw == key || (odd && json::key_eq(raw, key))
        });
        found.map(|at| at as u32)
    }

    /// JSON text of its own member `number`, edits not seen.
    pub(crate) fn own_value(self, number: u32) -> Cow<'a, [u8]> {
        if self.record.form == Form::Json {
            let member = self.tables.members(self.record)[number as usize];
            return Cow::Borrowed(&self.text()[range(member.value, member.value_end)]);
        }
        let mut value = Vec::new();
        self.write_virtual(number, &mut value);
        Cow::Owned(value)
    }

    /// The value that a reader sees at the place of its own member `number`, unless it is what a raw line reads as.
    pub(crate) fn visible_at(self, number: u32) -> Option<Cow<'a, [u8]>> {
        if self.is_shadowed(number) {
            return None;
        }
        match self.tables.edit_of(self.record, number) {
            Some(edit) => edit.value.map(|value| Cow::Borrowed(self.tables.span(value))),
            None if self.is_text() || self.is_overridden(number) || !self.has_own(number) => None,
            None => Some(self.own_value(number)),
        }
    }

    /// Appends what a line or a message reads as at its own member `number`; tells whether there is anything.
    pub(crate) fn write_virtual(self, number: u32, out: &mut Vec<u8>) -> bool {
        if self.form().is_otlp() {
            return self.tables.otlp(self.record).write(number, out);
        }
        if number == 0 {
            json::quote(self.text(), out);
        } else {
            out.push(b'"');
            time::write_rfc3339(self.record.time, out);
            out.push(b'"');
        }
        true
    }

    /// Has it a value of OTLP that is bytes, and reads as base64?
    pub fn holds_bytes(self) -> bool {
        self.form().is_otlp() && self.tables.otlp(self.record).holds_bytes()
    }

    /// Where its own member `number` stands, if it is a resource or a scope of OTLP that others may share, is seen, and
    /// still reads as it came.
    pub(crate) fn untouched_part(self, number: u32) -> Option<Part> {
        let part =
            if self.form().is_otlp() { self.tables.otlp(self.record).part(number, self.record.block) } else { None };
        part.filter(|_| !self.is_overridden(number) && self.tables.edit_of(self.record, number).is_none())
    }

    pub(crate) fn own_count(self) -> u32 {
        match self.record.form {
            Form::Text => TEXT_KEYS.len() as u32,
            Form::Json => self.record.member_count,
            form => members::count(form),
        }
    }

    /// Raw (still escaped) key of its own member `number`.
    pub(crate) fn own_key(self, number: u32) -> &'a [u8] {
        match self.record.form {
            Form::Json => {}
            Form::Text => return TEXT_KEYS[number as usize],
            form => return members::name(form, number),
        }
        let member = self.tables.members(self.record)[number as usize];
        &self.text()[range(member.key, member.key_end)]
    }

    /// The first of a JSON record's own members, from number `from` on, that ends behind `place` of its
    /// [`text`](Self::text): its number, and where it ends.
    pub fn member_over(self, place: usize, from: u32) -> Option<(u32, usize)> {
        let members = self.tables.members(self.record).iter().zip(0_u32..).skip(from as usize);
        let mut ends = members.map(|(member, number)| (number, member.value_end as usize));
        ends.find(|(_, end)| *end > place)
    }

    /// JSON text of the top-level member `key` (decoded), as a reader of the written record would see it.
    pub fn member(self, key: &[u8]) -> Option<Cow<'a, [u8]>> {
        let own = self.own(key);
        let edit = match own {
            Some(number) => self.tables.edit_of(self.record, number),
            None => self.tables.edit_named(self.record, key),
        };
        if let Some(edit) = edit {
            return edit.value.map(|value| Cow::Borrowed(self.tables.span(value)));
        }
        match self.shared(key) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => own.map(|number| self.own_value(number)),
        }
    }

    /// Is the member `key` one of its origin that it still shows?
    pub fn shares(self, key: &[u8]) -> bool {
        self.shared(key).is_some()
    }

    /// The origin's member `key`, if this record still shows it.
    pub(crate) fn shared(self, key: &[u8]) -> Option<&'a [u8]> {
        if self.record.has(flag::ORIGIN_HIDDEN) { None } else { self.origin().member(key) }
    }

    /// Are all its keys fine, decoded? Those of members that edits removed count too; a record that has a key twice or
    /// with escapes is never fine. Looks at the index alone.
    pub fn all_keys(self, mut is_fine: impl FnMut(&[u8]) -> bool) -> bool {
        !self.record.has(flag::ODD_KEYS)
            && (0..self.own_count()).all(|number| is_fine(self.own_key(number)) || !self.has_own(number))
            && self.tables.edits(self.record).all(|edit| match edit.target {
                Target::New(key) => is_fine(self.tables.span(key)),
                Target::Own(_) => true,
            })
            && self.shown_shared().all(|member| is_fine(member.key.as_bytes()))
    }

    /// JSON text of what stands at `path`; metadata paths read the origin's metadata.
    pub fn get(self, path: &Path) -> Option<Cow<'a, [u8]>> {
        let Some(key) = path.first_key() else {
            let mut whole = Vec::new();
            self.write_json(&mut whole);
            return Some(Cow::Owned(whole));
        };
        let top = if path.is_metadata() { Cow::Borrowed(self.origin().metadata(key)?) } else { self.member(key)? };
        if path.depth() == 1 {
            return Some(top);
        }
        let at = json::seek(&top, &path.segments_below_first())?;
        Some(match top {
            Cow::Borrowed(text) => Cow::Borrowed(&text[at]),
            Cow::Owned(text) => Cow::Owned(text[at].to_vec()),
        })
    }

    /// Does a later member have the same key?
    pub(crate) fn is_shadowed(self, number: u32) -> bool {
        if !self.record.has(flag::ODD_KEYS) {
            return false;
        }
        let mut key = Vec::new();
        json::unescape(self.own_key(number), &mut key);
        self.own(&key) != Some(number)
    }

    /// The origin's members that no edit of this record hides.
    pub(crate) fn shown_shared(self) -> impl Iterator<Item = &'a super::origin::Shared> {
        let hidden = self.record.has(flag::ORIGIN_HIDDEN);
        let members = if hidden { &[] } else { self.origin().members() };
        members.iter().filter(move |member| !self.hides(member.key.as_bytes()))
    }

    fn hides(self, key: &[u8]) -> bool {
        match self.own(key) {
            Some(number) => self.tables.edit_of(self.record, number).is_some(),
            None => self.tables.edit_named(self.record, key).is_some(),
        }
    }
}
