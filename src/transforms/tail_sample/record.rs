//! What a record says of its trace: spans and log records of OTLP, and JSON objects that are either.

use std::borrow::Cow;

use crate::event::otlp::facts::{Facts, is_error_level, trace_id};
use crate::event::{Form, Path, View, json};
use crate::transforms::consistent::trace_state::{self, Said};

/// A record of a trace.
pub(super) struct Seen<'a> {
    pub(super) trace: [u8; 16],
    /// Else it is a log record.
    pub(super) is_span: bool,
    pub(super) facts: Facts<'a>,
    pub(super) record: View<'a>,
    places: &'a Places,
}

/// Where things stand in JSON objects.
pub(super) struct Places {
    status: Path,
    service: Path,
    log_level: Path,
}

impl Default for Places {
    fn default() -> Self {
        let path = |text| Path::parse(text).expect("paths are constants");
        Self {
            status: path(".status.code"),
            service: path(r#".resource.attributes."service.name""#),
            log_level: path(".log.level"),
        }
    }
}

impl Places {
    /// What the record says, if it belongs to a trace.
    pub(super) fn see<'a>(&'a self, record: View<'a>) -> Option<Seen<'a>> {
        if let Some(facts) = record.facts() {
            let is_span = record.form() == Form::Span;
            return Some(Seen { trace: facts.trace_id?, is_span, facts, record, places: self });
        }
        if record.form() != Form::Json {
            return None;
        }
        let trace = trace_id(&text(record, b"trace_id")?)?;
        let is_span = record.member(b"span_id").is_some()
            && [&b"duration"[..], b"start_time_unix_nano"].iter().any(|key| record.member(key).is_some());
        let facts = if is_span { self.of_span(record) } else { self.of_log(record) };
        Some(Seen { trace, is_span, facts: Facts { trace_id: Some(trace), ..facts }, record, places: self })
    }

    fn of_span<'a>(&self, record: View<'a>) -> Facts<'a> {
        let start = number(record, b"start_time_unix_nano");
        let end = number(record, b"end_time_unix_nano");
        Facts {
            trace_state: text(record, b"trace_state").unwrap_or_default(),
            has_parent: text(record, b"parent_span_id").is_some_and(|id| !id.is_empty()),
            is_error: record.get(&self.status).is_some_and(|code| *code == *b"\"error\""),
            start,
            end: if end == 0 { start + number(record, b"duration") } else { end },
            ..Facts::default()
        }
    }

    fn of_log<'a>(&self, record: View<'a>) -> Facts<'a> {
        let levels = [&b"level"[..], b"severity", b"severity_text"].iter().find_map(|key| text(record, key));
        let level = levels.or_else(|| record.get(&self.log_level).and_then(|value| unquoted(&value).map(Cow::Owned)));
        Facts { is_error: level.is_some_and(|level| is_error_level(&level)), ..Facts::default() }
    }

    /// Is a JSON record, or one whose resource was changed, of one of these services?
    fn is_of(&self, record: View<'_>, services: &[String]) -> bool {
        let name = record.get(&self.service).and_then(|value| unquoted(&value));
        let name = name.or_else(|| text(record, b"service").map(Cow::into_owned));
        name.is_some_and(|name| services.iter().any(|service| service.as_bytes() == name))
    }
}

impl Seen<'_> {
    /// What its `tracestate` says.
    pub(super) fn said(&self) -> Said {
        trace_state::read(&self.facts.trace_state)
    }

    /// Nanoseconds.
    pub(super) fn duration(&self) -> u64 {
        self.facts.end.saturating_sub(self.facts.start)
    }

    pub(super) fn is_of(&self, services: &[String]) -> bool {
        let record = self.record;
        if record.form().is_otlp() && !record.is_edited(b"resource") {
            let name = record.resource_text("service.name");
            return name.is_some_and(|name| services.iter().any(|service| service.as_bytes() == name));
        }
        self.places.is_of(record, services)
    }
}

/// The string that a top-level member is.
fn text<'a>(record: View<'a>, key: &[u8]) -> Option<Cow<'a, [u8]>> {
    record.member(key).and_then(|value| unquoted(&value)).map(Cow::Owned)
}

fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    let quoted = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut out = Vec::new();
    json::unescape(quoted, &mut out);
    Some(out)
}

/// The whole number that a top-level member is, as number or as text; 0 if it is none.
fn number(record: View<'_>, key: &[u8]) -> u64 {
    let value = record.member(key);
    let digits = value.as_deref().map(<[u8]>::trim_ascii).unwrap_or_default();
    let digits = digits.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(digits);
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}
