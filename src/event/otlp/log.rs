//! A line or a JSON object as an OTLP log record: what is known by its name becomes a field, the rest attributes.
//!
//! The table of names stands in `docs/opentelemetry.md`. What an OTLP log record reads as becomes the same record again.

use super::encode::{Encoder, Wrong, put_text, unhex};
use super::schema::{RESOURCE, SCOPE};
use super::wire::{close, open, put_bytes, put_varint};
use super::write::{Shown, Writer};
use crate::event::json::{Entry, Segment, members, seek, unescape};
use crate::event::record::Form;
use crate::event::time::parse_json;
use crate::event::view::View;

/// Numbers of fields of `LogRecord`.
mod field {
    pub(super) const TIME: u32 = 1;
    pub(super) const SEVERITY_NUMBER: u32 = 2;
    pub(super) const SEVERITY_TEXT: u32 = 3;
    pub(super) const BODY: u32 = 5;
    pub(super) const ATTRIBUTES: u32 = 6;
    pub(super) const FLAGS: u32 = 8;
    pub(super) const TRACE_ID: u32 = 9;
    pub(super) const SPAN_ID: u32 = 10;
    pub(super) const OBSERVED_TIME: u32 = 11;
    pub(super) const EVENT_NAME: u32 = 12;
}

/// Of `Resource`.
const RESOURCE_ATTRIBUTES: u32 = 1;

/// What members of these names are. Of several that are the same the first that a record has counts; the others are
/// attributes.
const KNOWN: [(&str, What); 20] = [
    ("message", What::Body),
    ("msg", What::Body),
    ("severity_text", What::Severity),
    ("level", What::Severity),
    ("severity", What::Severity),
    ("log.level", What::Severity),
    ("severity_number", What::SeverityNumber),
    ("trace_id", What::TraceId),
    ("traceId", What::TraceId),
    ("trace.id", What::TraceId),
    ("span_id", What::SpanId),
    ("spanId", What::SpanId),
    ("span.id", What::SpanId),
    ("trace_flags", What::Flags),
    ("flags", What::Flags),
    ("event_name", What::EventName),
    ("observed_timestamp", What::Observed),
    ("attributes", What::Attributes),
    ("resource", What::Resource),
    ("scope", What::Scope),
];

/// Kinds of what is known.
const KINDS: usize = 11;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Body,
    Severity,
    SeverityNumber,
    TraceId,
    SpanId,
    Flags,
    EventName,
    Observed,
    Attributes,
    Resource,
    Scope,
}

/// The resource's name of a service, which backends sort by, and what applications call it in a line.
const SERVICE: [&str; 2] = ["service.name", "service"];

/// The members of an object that have a place of their own.
struct Named<'t> {
    text: &'t [u8],
    /// By kind: the rank of its name and the member.
    found: [Option<(usize, Entry)>; KINDS],
}

impl<'t> Named<'t> {
    /// Those of the object `text`, as far as their values are such as they can be.
    fn of(text: &'t [u8], is_shared: impl Fn(&[u8]) -> bool) -> Self {
        let mut found = [const { None }; KINDS];
        for member in members(text, 0) {
            let key = &text[member.key.clone()];
            let Some(rank) = KNOWN.iter().position(|(name, _)| name.as_bytes() == key) else { continue };
            let what = KNOWN[rank].1;
            let is_first = found[what as usize].as_ref().is_none_or(|(known, _)| rank < *known);
            if is_first && !is_shared(key) && what.can_be(&text[member.value.clone()]) {
                found[what as usize] = Some((rank, member));
            }
        }
        Self { text, found }
    }

    fn get(&self, what: What) -> Option<&'t [u8]> {
        self.found[what as usize].as_ref().map(|(_, member)| &self.text[member.value.clone()])
    }

    fn has_taken(&self, member: &Entry) -> bool {
        self.found.iter().flatten().any(|(_, taken)| taken == member)
    }
}

impl What {
    fn can_be(self, value: &[u8]) -> bool {
        match self {
            Self::Body => true,
            Self::Severity => level(value).is_some() || value.starts_with(b"\""),
            Self::SeverityNumber => severity_number(value).is_some(),
            Self::TraceId => id(value, 16).is_some(),
            Self::SpanId => id(value, 8).is_some(),
            Self::Flags => flags(value).is_some(),
            Self::EventName => value.starts_with(b"\""),
            Self::Observed => parse_json(value).is_some(),
            Self::Attributes => value.starts_with(b"{"),
            Self::Resource => {
                seek(value, &[Segment::Field(b"attributes")]).is_some_and(|at| value[at].starts_with(b"{"))
            }
            Self::Scope => seek(value, &[Segment::Field(b"name")]).is_some_and(|at| value[at].starts_with(b"\"")),
        }
    }
}

impl Writer {
    /// The log record that a line or an object is.
    pub(super) fn log<'a>(&'a mut self, view: View<'a>) -> Result<Shown<'a>, Wrong> {
        let Self { encoder, resource, scope, record, scratch, shares, .. } = self;
        scratch.clear();
        view.write_json(scratch);
        let text = &scratch[..];
        let is_shared = |key: &[u8]| view.shown_shared().any(|member| member.key.as_bytes() == key);
        let named = Named::of(text, is_shared);
        let (record, resource, scope) = (cleared(record), resource.begin(), scope.begin());
        times(view, &named, record);
        fields(&named, encoder, record)?;
        let told = told_by(view, text);
        if let Some(of_resource) = named.get(What::Resource) {
            encoder.to(resource.0).object(&RESOURCE, &[], of_resource)?;
            schema_url(of_resource, resource.1);
        }
        if let Some(of_scope) = named.get(What::Scope) {
            encoder.to(scope.0).object(&SCOPE, &[], of_scope)?;
            schema_url(of_scope, scope.1);
        }
        let mut key = Vec::new();
        for member in members(text, 0).filter(|member| !named.has_taken(member)) {
            if told.as_ref() == Some(&member) {
                continue;
            }
            let value = &text[member.value.clone()];
            key.clear();
            unescape(&text[member.key.clone()], &mut key);
            let is_service = SERVICE.iter().any(|name| name.as_bytes() == key) && value.starts_with(b"\"");
            if is_service {
                encoder.to(resource.0).attribute(RESOURCE_ATTRIBUTES, (SERVICE[0].as_bytes(), value), None)?;
            } else if is_shared(&key) {
                encoder.to(resource.0).attribute(RESOURCE_ATTRIBUTES, (&key, value), None)?;
            } else {
                encoder.to(record).attribute(field::ATTRIBUTES, (&key, value), None)?;
            }
        }
        Ok(Shown {
            form: Form::LogRecord,
            resource: resource.0,
            resource_schema_url: resource.1,
            scope: scope.0,
            scope_schema_url: scope.1,
            metric: &[],
            record,
            shares: *shares,
        })
    }
}

fn cleared(out: &mut Vec<u8>) -> &mut Vec<u8> {
    out.clear();
    out
}

/// When it was, as far as the record tells, and when it was read.
fn times(view: View<'_>, named: &Named<'_>, out: &mut Vec<u8>) {
    let (time, is_observed) = view.time();
    let observed = named.get(What::Observed).and_then(parse_json).or(is_observed.then_some(time));
    let told = (!is_observed).then_some(time);
    for (number, time) in [(field::TIME, told), (field::OBSERVED_TIME, observed)] {
        if let Some(time) = time.and_then(|time| u64::try_from(time).ok()).filter(|time| *time > 0) {
            put_varint(u64::from(number) << 3 | 1, out);
            out.extend_from_slice(&time.to_le_bytes());
        }
    }
}

/// The member that told the time: what it says stands in the record's time. Of a line that is the time of reading.
fn told_by(view: View<'_>, text: &[u8]) -> Option<Entry> {
    let (time, is_observed) = view.time();
    let names = |key: &[u8]| view.origin().timestamp_keys().iter().any(|name| name.as_bytes() == key);
    members(text, 0).find(|member| {
        let key = &text[member.key.clone()];
        let is_its = (!is_observed && names(key)) || key == b"timestamp";
        is_its && parse_json(&text[member.value.clone()]) == Some(time)
    })
}

fn fields(named: &Named<'_>, encoder: &mut Encoder, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let severity = named.get(What::Severity);
    let number = named.get(What::SeverityNumber).and_then(severity_number).or_else(|| severity.and_then(level));
    if let Some(number) = number {
        put_varint(u64::from(field::SEVERITY_NUMBER) << 3, out);
        put_varint(number, out);
    }
    if let Some(text) = severity {
        put_text(field::SEVERITY_TEXT, text, out);
    }
    if let Some(body) = named.get(What::Body) {
        let start = open(field::BODY, out);
        encoder.to(out).any(&[], body)?;
        close(start, out);
    }
    for (what, number, len) in [(What::TraceId, field::TRACE_ID, 16), (What::SpanId, field::SPAN_ID, 8)] {
        if let Some(id) = named.get(what).and_then(|value| id(value, len)) {
            put_bytes(number, &id, out);
        }
    }
    if let Some(flags) = named.get(What::Flags).and_then(flags) {
        put_varint(u64::from(field::FLAGS) << 3 | 5, out);
        out.extend_from_slice(&flags.to_le_bytes());
    }
    if let Some(name) = named.get(What::EventName) {
        put_text(field::EVENT_NAME, name, out);
    }
    let Some(attributes) = named.get(What::Attributes) else { return Ok(()) };
    let mut key = Vec::new();
    for member in members(attributes, 0) {
        key.clear();
        unescape(&attributes[member.key], &mut key);
        encoder.to(out).attribute(field::ATTRIBUTES, (&key, &attributes[member.value]), None)?;
    }
    Ok(())
}

fn schema_url(text: &[u8], out: &mut Vec<u8>) {
    if let Some(url) = seek(text, &[Segment::Field(b"schema_url")])
        && let Some(raw) = unquoted(&text[url])
    {
        unescape(raw, out);
    }
}

fn unquoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// An id that is not all zeros.
fn id(value: &[u8], len: usize) -> Option<Vec<u8>> {
    unhex(unquoted(value)?).filter(|id| id.len() == len && id.iter().any(|byte| *byte != 0))
}

/// A number, or two hexadecimal digits as in `traceparent`.
fn flags(value: &[u8]) -> Option<u32> {
    match unquoted(value) {
        Some(text) if text.len() == 2 => u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok(),
        Some(_) => None,
        None => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}

fn severity_number(value: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(value).ok()?.parse().ok()?;
    (1..=24).contains(&number).then_some(number)
}

/// The number of a level: of its name, as the appendix of the log data model maps those of syslog and of libraries, or of
/// the numbers of bunyan and pino.
fn level(value: &[u8]) -> Option<u64> {
    let Some(name) = unquoted(value) else {
        let number: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
        return (number.is_multiple_of(10) && (10..=60).contains(&number)).then(|| number / 10 * 4 - 3);
    };
    let levels: [(&[&str], u64); 10] = [
        (&["trace", "verbose", "finest"], 1),
        (&["debug", "dbg", "fine"], 5),
        (&["info", "information", "informational"], 9),
        (&["notice"], 10),
        (&["warn", "warning"], 13),
        (&["error", "err", "severe"], 17),
        (&["critical", "crit"], 18),
        (&["alert"], 19),
        (&["fatal", "emergency", "emerg"], 21),
        (&["panic"], 24),
    ];
    let is_it = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
    levels.iter().find(|(names, _)| names.iter().any(is_it)).map(|(_, number)| *number)
}
