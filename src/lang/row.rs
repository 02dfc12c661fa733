//! A record of a batch as programs see it.

use std::borrow::Cow;

use super::fields::{Fields, FieldsMut, Member, Side};
use crate::event::{Editor, View};

impl Fields for View<'_> {
    fn member(&self, side: Side, key: &str) -> Option<Member<'_>> {
        let value = match side {
            Side::Metadata => Cow::Borrowed(self.origin().metadata(key.as_bytes())?),
            Side::Event if key == "message" && self.untouched_line().is_some() => {
                return self.untouched_line().map(Member::Text);
            }
            Side::Event => View::member(*self, key.as_bytes())?,
        };
        Some(Member::Json(value))
    }

    fn whole(&self, side: Side, out: &mut Vec<u8>) {
        match side {
            Side::Event => self.write_json(out),
            Side::Metadata => {
                out.push(b'{');
                for (at, member) in self.origin().all_metadata().iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    member.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// One record of an opened batch. Metadata belongs to the origin, which many records share: a program's writes to it
/// have no effect.
pub struct Row<'a, 'b> {
    records: &'a mut Editor<'b>,
    index: usize,
    before: Option<crate::event::Record>,
}

impl<'a, 'b> Row<'a, 'b> {
    /// The record at `index`.
    pub fn new(records: &'a mut Editor<'b>, index: usize) -> Self {
        Self { records, index, before: None }
    }
}

impl Fields for Row<'_, '_> {
    fn member(&self, side: Side, key: &str) -> Option<Member<'_>> {
        let view = self.records.get(self.index);
        match side {
            Side::Metadata => view.origin().metadata(key.as_bytes()).map(|value| Member::Json(Cow::Borrowed(value))),
            Side::Event if key == "message" && view.untouched_line().is_some() => {
                view.untouched_line().map(Member::Text)
            }
            Side::Event => view.member(key.as_bytes()).map(Member::Json),
        }
    }

    fn whole(&self, side: Side, out: &mut Vec<u8>) {
        self.records.get(self.index).whole(side, out);
    }
}

impl FieldsMut for Row<'_, '_> {
    fn set(&mut self, side: Side, key: &str, json: &[u8]) {
        if side == Side::Event {
            self.records.set_member(self.index, key.as_bytes(), |out| out.extend_from_slice(json));
        }
    }

    fn remove(&mut self, side: Side, key: &str) {
        if side == Side::Event {
            self.records.remove_member(self.index, key.as_bytes());
        }
    }

    fn replace(&mut self, side: Side, json: &[u8]) {
        if side == Side::Event {
            self.records.replace(self.index, json);
        }
    }

    fn parse_message(&mut self) -> bool {
        self.before = Some(self.records.row(self.index));
        self.records.parse_message(self.index)
    }

    fn restore_message(&mut self) {
        if let Some(before) = self.before.take() {
            self.records.restore(self.index, before);
        }
    }
}
