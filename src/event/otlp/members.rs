//! Which top-level members a span, a log record and a metric point read as, and where each comes from.

use std::io::Write;

use super::Head;
use super::project::{self, key};
use super::schema::{LOG_RECORD, METRIC, Message, NUMBER_POINT, RESOURCE, SCOPE, SPAN, points};
use super::wire::{Fields, Value};
use crate::event::record::{Form, Record};
use crate::event::tables::Tables;
use crate::event::time::write_rfc3339;

/// A member that a form has by its nature.
#[derive(Debug)]
struct Virtual {
    key: &'static str,
    from: From,
}

/// Where a member comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// A field of the record's message.
    Own(&'static str),
    /// A field of the record's message that is a time: RFC 3339. The first that is not 0.
    Time(&'static [&'static str]),
    /// Nanoseconds from start to end of a span.
    Duration,
    /// The value of a number point.
    Number,
    /// A field of the metric.
    Metric(&'static str),
    /// What kind of points the metric has.
    Type,
    /// A field of what holds the points of the metric.
    Data(&'static str),
    Resource,
    Scope,
}

const fn own(key: &'static str) -> Virtual {
    Virtual { key, from: From::Own(key) }
}

const fn of(key: &'static str, from: From) -> Virtual {
    Virtual { key, from }
}

/// In the order in which they are written.
static SPAN_MEMBERS: [Virtual; 20] = [
    of("timestamp", From::Time(&["start_time_unix_nano"])),
    own("trace_id"),
    own("span_id"),
    own("parent_span_id"),
    own("name"),
    own("kind"),
    of("duration", From::Duration),
    own("status"),
    own("attributes"),
    own("events"),
    own("links"),
    own("start_time_unix_nano"),
    own("end_time_unix_nano"),
    own("trace_state"),
    own("flags"),
    own("dropped_attributes_count"),
    own("dropped_events_count"),
    own("dropped_links_count"),
    of("resource", From::Resource),
    of("scope", From::Scope),
];

static LOG_MEMBERS: [Virtual; 13] = [
    of("timestamp", From::Time(&["time_unix_nano", "observed_time_unix_nano"])),
    of("message", From::Own("body")),
    own("severity_text"),
    own("severity_number"),
    own("trace_id"),
    own("span_id"),
    own("event_name"),
    own("attributes"),
    of("observed_timestamp", From::Time(&["observed_time_unix_nano"])),
    own("flags"),
    own("dropped_attributes_count"),
    of("resource", From::Resource),
    of("scope", From::Scope),
];

static POINT_MEMBERS: [Virtual; 28] = [
    of("timestamp", From::Time(&["time_unix_nano"])),
    of("name", From::Metric("name")),
    of("description", From::Metric("description")),
    of("unit", From::Metric("unit")),
    of("type", From::Type),
    of("aggregation_temporality", From::Data("aggregation_temporality")),
    of("is_monotonic", From::Data("is_monotonic")),
    of("value", From::Number),
    own("count"),
    own("sum"),
    own("min"),
    own("max"),
    own("bucket_counts"),
    own("explicit_bounds"),
    own("scale"),
    own("zero_count"),
    own("zero_threshold"),
    own("positive"),
    own("negative"),
    own("quantile_values"),
    own("attributes"),
    own("exemplars"),
    own("start_time_unix_nano"),
    own("time_unix_nano"),
    own("flags"),
    of("metadata", From::Metric("metadata")),
    of("resource", From::Resource),
    of("scope", From::Scope),
];

fn of_form(form: Form) -> &'static [Virtual] {
    match form {
        Form::Span => &SPAN_MEMBERS,
        Form::LogRecord => &LOG_MEMBERS,
        Form::Point => &POINT_MEMBERS,
        Form::Text | Form::Json => &[],
    }
}

/// How many members the form has by its nature.
pub(crate) fn count(form: Form) -> u32 {
    of_form(form).len() as u32
}

/// The key of member `number`.
pub(crate) fn name(form: Form, number: u32) -> &'static [u8] {
    of_form(form)[number as usize].key.as_bytes()
}

/// The number of the member `key`, whether or not the record has it.
pub(crate) fn number(form: Form, key: &[u8]) -> Option<u32> {
    of_form(form).iter().position(|member| member.key.as_bytes() == key).map(|at| at as u32)
}

/// A record that is an OTLP message, with what it shares.
#[derive(Clone, Copy)]
pub(crate) struct Otlp<'a> {
    pub(super) form: Form,
    pub(in crate::event) message: &'static Message,
    pub(super) bytes: &'a [u8],
    pub(super) block: &'a [u8],
    pub(super) head: &'a Head,
    pub(super) metric: &'a [u8],
}

impl Tables {
    /// The record as the OTLP message it is.
    pub(crate) fn otlp(&self, record: &Record) -> Otlp<'_> {
        let head = &self.heads[record.members as usize];
        let metric = head.metric.map_or(&[][..], |span| self.span(span));
        let message = match record.form {
            Form::Span => &SPAN,
            Form::LogRecord => &LOG_RECORD,
            _ => data(metric).and_then(|(number, _)| points(number)).unwrap_or(&NUMBER_POINT),
        };
        let block = &self.blocks[usize::from(record.block)];
        Otlp { form: record.form, message, bytes: self.text(record), block, head, metric }
    }
}

/// Where member `number` comes from.
pub(super) fn source(form: Form, number: u32) -> From {
    of_form(form)[number as usize].from
}

/// The field of a metric that holds its points, by number, without them.
pub(super) fn data(metric: &[u8]) -> Option<(u32, &[u8])> {
    Fields::checked(metric).find_map(|field| match field.value {
        Value::Bytes(bytes) if points(field.number).is_some() => Some((field.number, bytes)),
        _ => None,
    })
}

/// Where a resource or a scope stands: what reads alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    block: u16,
    number: u32,
    message: super::Range,
    schema_url: super::Range,
}

impl Otlp<'_> {
    /// Is there a value that is bytes, in its message, its resource or its scope?
    pub(crate) fn holds_bytes(self) -> bool {
        project::holds_bytes(self.message, self.bytes)
            || project::holds_bytes(&RESOURCE, self.head.resource.of(self.block))
            || project::holds_bytes(&SCOPE, self.head.scope.of(self.block))
            || project::holds_bytes(&METRIC, self.metric)
    }

    /// Where member `number` stands, if it is a resource or a scope, in the block of this number.
    pub(crate) fn part(self, number: u32, block: u16) -> Option<Part> {
        let (message, schema_url) = match of_form(self.form)[number as usize].from {
            From::Resource => (self.head.resource, self.head.resource_schema_url),
            From::Scope => (self.head.scope, self.head.scope_schema_url),
            _ => return None,
        };
        Some(Part { block, number, message, schema_url })
    }

    /// Does the record have member `number`?
    pub(crate) fn has(self, number: u32) -> bool {
        let of_message = |message: &Message, bytes: &[u8], name: &str| {
            message.named(name).is_some_and(|field| project::has(field, bytes))
        };
        match of_form(self.form)[number as usize].from {
            From::Own(name) => of_message(self.message, self.bytes, name),
            From::Metric(name) => of_message(&METRIC, self.metric, name),
            // The others are short, or there for most: writing them is the look.
            _ => self.write(number, &mut Vec::new()),
        }
    }

    /// Appends the value of member `number` as JSON; appends nothing, and tells so, if the record has none.
    pub(crate) fn write(self, number: u32, out: &mut Vec<u8>) -> bool {
        match of_form(self.form)[number as usize].from {
            From::Own(name) => field(self.message, name, self.bytes, out),
            From::Metric(name) => field(&METRIC, name, self.metric, out),
            From::Time(names) => self.time(names).map(|time| quoted_time(time, out)).is_some(),
            From::Duration => self.duration().map(|nanos| number_text(nanos, out)).is_some(),
            From::Number => {
                field(self.message, "as_int", self.bytes, out) || field(self.message, "as_double", self.bytes, out)
            }
            From::Type => self.data_field().map(|(name, ..)| json_name(name, out)).is_some(),
            From::Data(name) => self.data_field().is_some_and(|(_, message, bytes)| field(message, name, bytes, out)),
            From::Resource => self.shared((&RESOURCE, self.head.resource, self.head.resource_schema_url), out),
            From::Scope => self.shared((&SCOPE, self.head.scope, self.head.scope_schema_url), out),
        }
    }

    /// When it was, in nanoseconds since the Unix epoch, if it tells.
    pub(crate) fn told_time(self) -> Option<i64> {
        match of_form(self.form)[0].from {
            From::Time(names) => self.time(names),
            _ => None,
        }
    }

    fn time(self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| i64::try_from(self.fixed(name)?).ok())
    }

    fn duration(self) -> Option<u64> {
        self.fixed("end_time_unix_nano")?.checked_sub(self.fixed("start_time_unix_nano")?)
    }

    /// A time of its message that is not 0.
    fn fixed(self, name: &str) -> Option<u64> {
        let number = self.message.named(name)?.number;
        let found = Fields::checked(self.bytes).filter(|field| field.number == number).last()?;
        match found.value {
            Value::Fixed64(time) if time != 0 => Some(time),
            _ => None,
        }
    }

    /// What holds the points of its metric: its name, its message, its bytes.
    fn data_field(&self) -> Option<(&'static str, &'static Message, &[u8])> {
        let (number, bytes) = data(self.metric)?;
        let field = METRIC.numbered(number)?;
        match field.kind {
            super::schema::Kind::Message(message) => Some((field.name, message, bytes)),
            _ => None,
        }
    }

    fn shared(self, (message, bytes, schema_url): (&Message, super::Range, super::Range), out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.push(b'{');
        project::members(message, bytes.of(self.block), out);
        let schema_url = schema_url.of(self.block);
        if !schema_url.is_empty() {
            if out.len() > start + 1 {
                out.push(b',');
            }
            key("schema_url", out);
            crate::event::json::quote(schema_url, out);
        }
        out.push(b'}');
        let is_there = out.len() > start + 2;
        if !is_there {
            out.truncate(start);
        }
        is_there
    }
}

fn field(message: &Message, name: &str, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    message.named(name).is_some_and(|field| project::value(field, bytes, out))
}

fn quoted_time(time: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    write_rfc3339(time, out);
    out.push(b'"');
}

fn number_text(number: u64, out: &mut Vec<u8>) {
    write!(out, "{number}").expect("memory is written");
}

fn json_name(name: &str, out: &mut Vec<u8>) {
    crate::event::json::quote(name.as_bytes(), out);
}
