//! Writes a changed value over the text it was read from.
//!
//! A program that changes one thing inside an object must not cost the rest its digits, its order or its escapes. So a value is written *over* its old text: what reads
//! back equal is copied byte for byte, members keep their places, new ones are appended.

use std::borrow::Cow;

use vrl::value::{KeyString, ObjectMap, Value};

use super::json;
use crate::event::json::{Entry, elements, members, quote};

/// Appends `value` as JSON, reusing what `raw` already says. Returns whether the appended text is `raw` itself.
pub(super) fn write_over(value: &Value, raw: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let same = match (value, raw.first()) {
        (Value::Object(map), Some(b'{')) => object_over(map, raw, out),
        (Value::Array(items), Some(b'[')) => array_over(items, raw, out),
        _ => json::is_same_scalar(value, raw),
    };
    if same {
        out.truncate(start);
        out.extend_from_slice(raw);
    } else if out.len() == start {
        json::write(value, out);
    }
    same
}

fn object_over(map: &ObjectMap, raw: &[u8], out: &mut Vec<u8>) -> bool {
    let (old, added) = pair(map, raw);
    let mut same = added.is_empty();
    let mut list = List::open(b'{', out);
    for member in &old {
        match member.fate {
            Fate::Shadowed => {}
            Fate::Removed => same = false,
            Fate::Now(value) => {
                let out = list.next();
                out.extend_from_slice(&raw[member.entry.key.start - 1..member.entry.value.start]);
                same &= write_over(value, &raw[member.entry.value.clone()], out);
            }
        }
    }
    for (key, value) in added {
        let out = list.next();
        quote(key.as_bytes(), out);
        out.push(b':');
        json::write(value, out);
    }
    list.close(b'}');
    same
}

/// A member of the old text and what became of it.
struct Old<'a> {
    key: Cow<'a, [u8]>,
    entry: Entry,
    fate: Fate<'a>,
}

#[derive(Clone, Copy)]
enum Fate<'a> {
    Now(&'a Value),
    Removed,
    /// An earlier occurrence of a key: it was never visible, and goes if the object changes anyway.
    Shadowed,
}

/// Pairs the members of the old text, in their order, with the new values, and gives the new members that have no old one.
fn pair<'a>(map: &'a ObjectMap, raw: &'a [u8]) -> (Vec<Old<'a>>, Vec<(&'a KeyString, &'a Value)>) {
    let mut old: Vec<Old<'_>> = members(raw, 0)
        .map(|entry| Old { key: json::decode(&raw[entry.key.clone()]), entry, fate: Fate::Removed })
        .collect();
    // Sorted, both sides are walked once; a stable sort leaves the last occurrence of a key last.
    let mut order: Vec<usize> = (0..old.len()).collect();
    order.sort_by(|a, b| old[*a].key.cmp(&old[*b].key));
    let mut new = map.iter().peekable();
    let mut added = Vec::new();
    for (rank, &place) in order.iter().enumerate() {
        if order.get(rank + 1).is_some_and(|next| old[*next].key == old[place].key) {
            old[place].fate = Fate::Shadowed;
            continue;
        }
        while let Some(member) = new.next_if(|(key, _)| key.as_bytes() < &*old[place].key) {
            added.push(member);
        }
        if let Some((_, value)) = new.next_if(|(key, _)| key.as_bytes() == &*old[place].key) {
            old[place].fate = Fate::Now(value);
        }
    }
    added.extend(new);
    (old, added)
}

fn array_over(items: &[Value], raw: &[u8], out: &mut Vec<u8>) -> bool {
    let mut old = elements(raw, 0);
    let mut same = true;
    let mut list = List::open(b'[', out);
    for item in items {
        let out = list.next();
        if let Some(range) = old.next() {
            same &= write_over(item, &raw[range], out);
        } else {
            same = false;
            json::write(item, out);
        }
    }
    list.close(b']');
    same && old.next().is_none()
}

/// A bracketed list being written.
struct List<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> List<'a> {
    fn open(bracket: u8, out: &'a mut Vec<u8>) -> Self {
        out.push(bracket);
        Self { out, empty: true }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out
    }

    fn close(self, bracket: u8) {
        self.out.push(bracket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(value: &str, raw: &str) -> (String, bool) {
        let mut out = Vec::new();
        let same =
            write_over(&json::read(value.as_bytes(), &mut bytes::BytesMut::new()).unwrap(), raw.as_bytes(), &mut out);
        (String::from_utf8(out).unwrap(), same)
    }

    #[test]
    fn what_is_equal_stays_as_it_came() {
        let raw = r#"{ "z": 12345678901234567890, "a" : [1.10, "\u0041"], "a\/b":{ } }"#;
        assert_eq!(over(raw, raw), (raw.to_owned(), true));
        let duplicate = r#"{"a":1,"a":2}"#;
        assert_eq!(over(r#"{"a":2}"#, duplicate), (duplicate.to_owned(), true));
    }

    #[test]
    fn changes_keep_places_and_leave_neighbours_alone() {
        let cases = [
            (r#"{"a":1,"z":1.10}"#, r#"{"z": 1.10,"a":2}"#, r#"{"z": 1.10,"a":1}"#),
            (r#"{"z":1.10,"n":0}"#, r#"{"z":1.10,"a":2}"#, r#"{"z":1.10,"n":0}"#),
            (r#"{"a":3}"#, r#"{"a":1,"a":2}"#, r#"{"a":3}"#),
            (r#"{"a":{"b":1e2,"c":3}}"#, r#"{"a":{"b":1e2,"c":4}}"#, r#"{"a":{"b":1e2,"c":3}}"#),
            ("[1e2,2,3]", "[1e2, 4]", "[1e2,2,3]"),
            ("[1e2]", "[1e2,4]", "[1e2]"),
            ("{}", r#"{"a":1}"#, "{}"),
            ("[]", "{}", "[]"),
        ];
        for (value, raw, expected) in cases {
            assert_eq!(over(value, raw), (expected.to_owned(), false), "{value} over {raw}");
        }
    }
}
