//! Whether bytes are a message of OTLP, in full, at every depth: the one pass over what nobody else reads.
//!
//! A table tells by the tag alone, which nearly always is one byte, what to step over. The rest, and whatever is at
//! fault, is looked at field by field.

use super::schema::{ANY_VALUE, Field, KEY_VALUE, Kind, Message, Presence};
use super::wire::{Fault, Field as Found, Fields, Value, varint};

/// How deep messages may be nested, from the record on: each level of an attribute's value takes two. What
/// implementations of protocol buffers allow by default.
pub(super) const MAX_DEPTH: u32 = 100;

/// What follows a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    /// A tag of several bytes, a field that is not known, a wire type that is not its own.
    Other,
    Varint,
    Fixed32,
    Fixed64,
    /// A string, or bytes.
    Text,
    Id,
    Message,
    KeyValue,
}

/// What follows each tag of one byte.
#[derive(Debug)]
pub(super) struct Steps([Step; 128]);

impl Steps {
    pub(super) const fn of(fields: &[Field]) -> Self {
        let mut steps = [Step::Other; 128];
        let mut at = 0;
        while at < fields.len() {
            let field = &fields[at];
            let tag = field.number as usize * 8 + field.kind.wire_type() as usize;
            if tag < steps.len() {
                steps[tag] = Step::of(field.kind);
            }
            at += 1;
        }
        Self(steps)
    }

    #[inline]
    fn at(&self, tag: u8) -> Step {
        self.0.get(usize::from(tag)).copied().unwrap_or(Step::Other)
    }
}

impl Step {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Blob => Self::Text,
            Kind::Id(_) => Self::Id,
            Kind::Uint | Kind::Int | Kind::Sint | Kind::Bool | Kind::Enum(_) => Self::Varint,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => Self::Fixed64,
            Kind::Message(_) | Kind::Any => Self::Message,
            Kind::KeyValue => Self::KeyValue,
        }
    }
}

impl Message {
    /// Checks that `bytes` are this message, in full: every field that is known, at every depth.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Fault> {
        self.check_at(bytes, 0)
    }

    fn check_at(&self, bytes: &[u8], depth: u32) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Deep(MAX_DEPTH));
        }
        let mut at = 0;
        while let Some(&tag) = bytes.get(at) {
            at = match self.steps.at(tag) {
                Step::Other => self.one(bytes, at, depth)?,
                Step::Varint => at + 1 + varint(&bytes[at + 1..])?.1,
                Step::Fixed32 => at + 5,
                Step::Fixed64 => at + 9,
                Step::Text => sized(bytes, at + 1)?.1,
                Step::KeyValue => {
                    let (start, end) = sized(bytes, at + 1)?;
                    let attribute = &bytes[start..end];
                    if !is_plain(attribute) {
                        KEY_VALUE.check_at(attribute, depth + 1)?;
                    }
                    end
                }
                Step::Id | Step::Message => {
                    let (start, end) = sized(bytes, at + 1)?;
                    self.inner(u32::from(tag >> 3), &bytes[start..end], depth)?;
                    end
                }
            };
        }
        if at > bytes.len() { Err(Fault::Truncated) } else { Ok(()) }
    }

    #[inline]
    fn inner(&self, number: u32, bytes: &[u8], depth: u32) -> Result<(), Fault> {
        match self.numbered(number).map(|field| (field.kind, field.name)) {
            Some((Kind::Message(message), _)) => message.check_at(bytes, depth + 1),
            Some((Kind::Any, _)) => ANY_VALUE.check_at(bytes, depth + 1),
            Some((Kind::KeyValue, _)) => KEY_VALUE.check_at(bytes, depth + 1),
            Some((Kind::Id(len), name)) if !bytes.is_empty() && bytes.len() != len => {
                Err(Fault::Id(name, self.name, bytes.len()))
            }
            _ => Ok(()),
        }
    }

    /// Checks the field at `at`; gives where it ends.
    #[cold]
    fn one(&self, bytes: &[u8], at: usize, depth: u32) -> Result<usize, Fault> {
        let found = Fields::from(bytes, at).next().unwrap_or(Err(Fault::Truncated))?;
        if let Some(field) = self.numbered(found.number) {
            self.check_field(field, &found, depth)?;
        }
        Ok(found.end)
    }

    fn check_field(&self, field: &Field, found: &Found<'_>, depth: u32) -> Result<(), Fault> {
        let wire_type = match found.value {
            Value::Varint(_) => 0,
            Value::Fixed64(_) => 1,
            Value::Fixed32(_) => 5,
            Value::Bytes(bytes) if field.kind.is_number() && field.presence == Presence::Many => {
                return check_packed(field.kind, bytes);
            }
            Value::Bytes(bytes) if !field.kind.is_number() => return self.inner(field.number, bytes, depth),
            Value::Bytes(_) => 2,
        };
        if wire_type == field.kind.wire_type() { Ok(()) } else { Err(Fault::WrongType(self.name, field.number)) }
    }
}

/// Where the length-delimited value at `at`, with its length, begins and ends.
#[inline]
fn sized(bytes: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    let (len, took) = varint(&bytes[at..])?;
    let start = at + took;
    let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len)).filter(|end| *end <= bytes.len());
    Ok((start, end.ok_or(Fault::Truncated)?))
}

/// An attribute as most are: a short key, and a value that is a short string. `false` says nothing.
#[inline]
fn is_plain(attribute: &[u8]) -> bool {
    let [0x0A, key, rest @ ..] = attribute else { return false };
    let Some([0x12, value, 0x0A, len, string @ ..]) = rest.get(usize::from(*key)..) else { return false };
    (*key | *value | *len) < 0x80 && usize::from(*len) == string.len() && usize::from(*value) == string.len() + 2
}

fn check_packed(kind: Kind, bytes: &[u8]) -> Result<(), Fault> {
    if kind.wire_type() != 0 {
        return if bytes.len().is_multiple_of(8) { Ok(()) } else { Err(Fault::Truncated) };
    }
    let mut at = 0;
    while at < bytes.len() {
        at += varint(&bytes[at..])?.1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::schema::TRACES;
    use super::*;

    /// The same, field by field.
    fn by_field(message: &Message, bytes: &[u8], depth: u32) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Deep(MAX_DEPTH));
        }
        for found in Fields::of(bytes) {
            let found = found?;
            let Some(field) = message.numbered(found.number) else { continue };
            match (field.kind, found.value) {
                (Kind::Message(inner), Value::Bytes(bytes)) => by_field(inner, bytes, depth + 1)?,
                (Kind::Any, Value::Bytes(bytes)) => by_field(&ANY_VALUE, bytes, depth + 1)?,
                (Kind::KeyValue, Value::Bytes(bytes)) => by_field(&KEY_VALUE, bytes, depth + 1)?,
                _ => message.check_field(field, &found, depth)?,
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_table_finds_what_field_by_field_finds(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = include_bytes!("../../../tests/otlp/traces.pb").to_vec();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            prop_assert_eq!(TRACES.check(&bytes), by_field(&TRACES, &bytes, 0));
        }
    }
}
