//! The face that a record shows to a program.
//!
//! Programs and templates see a record through [`Fields`] alone: raw JSON text of one top-level member at a time. What a program does not name is never asked for,
//! so it is neither parsed nor rendered. The record room implements the trait; nothing here knows how a record is stored.

use std::borrow::Cow;

pub use vrl::path::PathPrefix as Side;

/// What a top-level member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member<'a> {
    /// JSON text without space around it, already validated.
    Json(Cow<'a, [u8]>),
    /// The bytes of a string as they are: the message of a record that is a raw line. Saves escaping it only to decode it again.
    Text(&'a [u8]),
}

/// A record as programs, conditions and templates read it.
///
/// `Side::Event` is the record (`.`), `Side::Metadata` is what travels beside it (`%`). Keys are decoded. JSON text that is handed out must be valid; values that are
/// handed in are.
pub trait Fields {
    /// The last occurrence of a top-level member, or `None` if there is none.
    fn member(&self, side: Side, key: &str) -> Option<Member<'_>>;

    /// Appends the whole side as a JSON object, members of the origin included.
    fn whole(&self, side: Side, out: &mut Vec<u8>);
}

/// A record as programs change it.
pub trait FieldsMut: Fields {
    /// Sets a top-level member: it keeps its place, or is appended if it is new.
    fn set(&mut self, side: Side, key: &str, json: &[u8]);

    /// Removes every occurrence of a top-level member.
    fn remove(&mut self, side: Side, key: &str);

    /// Replaces the whole side by a JSON object; members of the origin are hidden from then on.
    fn replace(&mut self, side: Side, json: &[u8]);

    /// Turns a record that is a raw line into the JSON object that the line holds, over the same bytes, and hides the members of the origin, as
    /// `. = parse_json!(.message)` does. Returns `false`, and changes nothing, if the record has another form or the line is not one JSON object.
    fn parse_message(&mut self) -> bool;

    /// Takes back a [`parse_message`](Self::parse_message) that succeeded; nothing was changed since.
    fn restore_message(&mut self);
}
