//! Fields put into a span or a log record by bytes: all others stay as they came, unknown ones too.

use super::schema::{KEY_VALUE, LOG_RECORD, SPAN};
use super::wire::{Fields, Value, put_bytes};
use crate::event::record::Form;

/// What a message is to have besides, or in another's place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp<'a> {
    /// Attributes that are strings, by their keys.
    pub attributes: &'a [(&'a str, &'a str)],
    /// Of a span: its `tracestate`, if that is to be another.
    pub trace_state: Option<&'a [u8]>,
}

impl Stamp<'_> {
    /// Appends the message `bytes` with what it is to have at its end.
    pub fn write(&self, form: Form, bytes: &[u8], out: &mut Vec<u8>) {
        let message = if form == Form::Span { &SPAN } else { &LOG_RECORD };
        let number = |name: &str| message.named(name).map(|field| field.number);
        let (attributes, state) = (number("attributes"), number("trace_state"));
        let goes = |number: u32, value: Value<'_>| match value {
            Value::Bytes(attribute) if attributes == Some(number) => self.has(attribute),
            _ => state == Some(number) && self.trace_state.is_some(),
        };
        let mut kept = 0;
        for field in Fields::checked(bytes).filter(|field| goes(field.number, field.value)) {
            out.extend_from_slice(&bytes[kept..field.start]);
            kept = field.end;
        }
        out.extend_from_slice(&bytes[kept..]);
        if let (Some(number), Some(text)) = (state, self.trace_state) {
            put_bytes(number, text, out);
        }
        let Some(number) = attributes else { return };
        let mut pair = Vec::new();
        for (key, value) in self.attributes {
            pair.clear();
            text_attribute(key, value, &mut pair);
            put_bytes(number, &pair, out);
        }
    }

    /// Is it an attribute with one of the keys?
    fn has(&self, attribute: &[u8]) -> bool {
        let is_key = |number: u32| KEY_VALUE.numbered(number).is_some_and(|field| field.name == "key");
        Fields::checked(attribute).filter(|field| is_key(field.number)).any(|field| match field.value {
            Value::Bytes(key) => self.attributes.iter().any(|(own, _)| own.as_bytes() == key),
            _ => false,
        })
    }
}

/// Appends a `KeyValue` whose value is a string.
fn text_attribute(key: &str, value: &str, out: &mut Vec<u8>) {
    let mut any = Vec::with_capacity(value.len() + 4);
    put_bytes(1, value.as_bytes(), &mut any);
    put_bytes(1, key.as_bytes(), out);
    put_bytes(2, &any, out);
}
