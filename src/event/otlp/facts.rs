//! What sampling asks of a span or a log record, read in place: its trace, how it ended, and when.

use std::borrow::Cow;

use super::schema::{KEY_VALUE, RESOURCE, STATUS_CODE_ERROR};
use super::wire::{Fields, Value};
use super::{members, project};
use crate::event::json::{self, Segment};
use crate::event::record::{Form, NONE};
use crate::event::tables::Target;
use crate::event::view::View;

/// The least `SeverityNumber` of an error.
const ERROR: u64 = 17;

/// Facts of a span or a log record, as edits have left them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Its trace, if it has one.
    pub trace_id: Option<[u8; 16]>,
    /// Of a span: the `tracestate`.
    pub trace_state: Cow<'a, [u8]>,
    /// Of a span: has it a parent?
    pub has_parent: bool,
    /// Did it fail? A span whose status is an error, a log record of the severity of one.
    pub is_error: bool,
    /// Of a span: when it began, in nanoseconds since the Unix epoch, 0 if it does not tell.
    pub start: u64,
    /// Of a span: when it ended.
    pub end: u64,
}

impl<'a> View<'a> {
    /// The facts of a span or an OTLP log record; of anything else there are none.
    pub fn facts(self) -> Option<Facts<'a>> {
        let mut facts = match self.form() {
            Form::Span => of_span(self.text()),
            Form::LogRecord => of_log(self.text()),
            Form::Text | Form::Json | Form::Point => return None,
        };
        if self.record.edits != NONE {
            self.overlay(&mut facts);
        }
        Some(facts)
    }

    /// The string that an OTLP record's resource has as attribute `key`, if nobody has changed the resource.
    pub fn resource_text(self, key: &str) -> Option<&'a [u8]> {
        let head = &self.tables.heads[self.record.members as usize];
        let resource = head.resource.of(&self.tables.blocks[usize::from(self.record.block)]);
        let attributes = RESOURCE.named("attributes")?.number;
        let found = Fields::checked(resource).filter(|field| field.number == attributes);
        found.filter_map(|field| text_of(field.value, key.as_bytes())).last()
    }

    /// JSON text of what an OTLP record's resource has as attribute `key`, as steps have left it.
    pub fn resource_attribute(self, key: &[u8]) -> Option<Vec<u8>> {
        if !self.form().is_otlp() {
            return None;
        }
        if self.is_edited(b"resource") || self.shares(b"resource") {
            let resource = self.member(b"resource")?;
            let at = json::seek(&resource, &[Segment::Field(b"attributes"), Segment::Field(key)])?;
            return Some(resource[at].to_vec());
        }
        let head = &self.tables.heads[self.record.members as usize];
        let resource = head.resource.of(&self.tables.blocks[usize::from(self.record.block)]);
        let number = RESOURCE.named("attributes")?.number;
        let pairs = Fields::checked(resource).filter(|field| field.number == number);
        let found = pairs.filter_map(|field| match field.value {
            Value::Bytes(bytes) => Some(project::pair(bytes)),
            _ => None,
        });
        let (_, value) = found.filter(|(name, _)| *name == key).last()?;
        let mut text = Vec::new();
        project::any(value.unwrap_or_default(), &mut text);
        Some(text)
    }

    fn overlay(self, facts: &mut Facts<'a>) {
        for edit in self.tables.edits(self.record) {
            let key = match edit.target {
                Target::Own(number) => members::name(self.form(), number),
                Target::New(key) => self.tables.span(key),
            };
            let value = edit.value.map(|value| self.tables.span(value));
            facts.set(key, value);
        }
    }
}

impl Facts<'_> {
    /// What an edit makes of the member `key`: JSON text, or nothing.
    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        let text = || value.map(string).unwrap_or_default();
        let number = || value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        match key {
            b"trace_id" => self.trace_id = trace_id(&text()),
            b"trace_state" => self.trace_state = text().into(),
            b"parent_span_id" => self.has_parent = !text().is_empty(),
            b"start_time_unix_nano" => self.start = number().unwrap_or_default(),
            b"end_time_unix_nano" => self.end = number().unwrap_or_default(),
            b"severity_number" => self.is_error = number().is_some_and(|number: u64| number >= ERROR),
            b"status" => {
                let code = value.and_then(|value| Some(&value[json::seek(value, &[Segment::Field(b"code")])?]));
                self.is_error = code == Some(b"\"error\"");
            }
            _ => {}
        }
    }
}

/// The id that 32 hexadecimal digits are, unless it is all zeros.
pub fn trace_id(text: &[u8]) -> Option<[u8; 16]> {
    let is_id = text.len() == 32 && text.iter().all(u8::is_ascii_hexdigit);
    let number = is_id.then(|| u128::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()).flatten()?;
    (number != 0).then(|| number.to_be_bytes())
}

fn string(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(quoted) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        json::unescape(quoted, &mut text);
    }
    text
}

fn of_span(bytes: &[u8]) -> Facts<'_> {
    let mut facts = Facts::default();
    for field in Fields::checked(bytes) {
        match (field.number, field.value) {
            (1, Value::Bytes(id)) => facts.trace_id = id.try_into().ok(),
            (3, Value::Bytes(state)) => facts.trace_state = Cow::Borrowed(state),
            (4, Value::Bytes(parent)) => facts.has_parent = parent.iter().any(|byte| *byte != 0),
            (7, Value::Fixed64(start)) => facts.start = start,
            (8, Value::Fixed64(end)) => facts.end = end,
            (15, Value::Bytes(status)) => facts.is_error = is_error(status),
            _ => {}
        }
    }
    facts
}

fn is_error(status: &[u8]) -> bool {
    let code = Fields::checked(status).filter(|field| field.number == 3).last();
    code.is_some_and(|code| code.value == Value::Varint(STATUS_CODE_ERROR))
}

fn of_log(bytes: &[u8]) -> Facts<'_> {
    let (mut facts, mut severity, mut named) = (Facts::default(), 0, false);
    for field in Fields::checked(bytes) {
        match (field.number, field.value) {
            (2, Value::Varint(number)) => severity = number,
            (3, Value::Bytes(text)) => named = is_error_level(text),
            (9, Value::Bytes(id)) => facts.trace_id = id.try_into().ok().filter(|id| *id != [0; 16]),
            _ => {}
        }
    }
    facts.is_error = severity >= ERROR || (severity == 0 && named);
    facts
}

/// Is it a level that loggers give to errors, and to worse?
pub fn is_error_level(text: &[u8]) -> bool {
    let levels = ["error", "err", "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "severe"];
    levels.iter().any(|level| text.eq_ignore_ascii_case(level.as_bytes()))
}

/// The string that the attribute `bytes` has, if it has this key.
fn text_of<'a>(value: Value<'a>, key: &[u8]) -> Option<&'a [u8]> {
    let Value::Bytes(bytes) = value else { return None };
    let (mut is_it, mut text) = (false, None);
    for field in Fields::checked(bytes) {
        match (KEY_VALUE.numbered(field.number).map(|field| field.name), field.value) {
            (Some("key"), Value::Bytes(own)) => is_it = own == key,
            (Some("value"), Value::Bytes(value)) => text = Some(value),
            _ => {}
        }
    }
    let value = text.filter(|_| is_it)?;
    Fields::checked(value).filter(|field| field.number == 1).find_map(|field| match field.value {
        Value::Bytes(text) => Some(text),
        _ => None,
    })
}
