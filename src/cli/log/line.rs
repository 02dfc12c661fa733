//! One line of the log: what an event says and whose it is, as text for people or as JSON for programs.

use std::fmt::{Debug, Write};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, SecondsFormat};
use serde_json::Value as Json;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use super::owner::Owner;
use crate::component::clock;

/// Bytes of a message or a value that are kept to tell of repetitions.
const KEPT: usize = 512;
/// Fields that are kept for it.
const KEPT_FIELDS: usize = 8;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// Text with the colours of a terminal.
    Colored,
    Json,
}

/// What one event says.
#[derive(Clone, Debug)]
pub(super) struct Line {
    about: &'static Metadata<'static>,
    message: String,
    fields: Vec<(&'static str, Value)>,
    owner: Option<Owner>,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// Is quoted in text.
    Text(String),
    /// Is not.
    Shown(String),
    /// A number or a truth value.
    Plain(Json),
}

impl Line {
    /// What `event` says; `owner` is the component in whose span it happened. One that the event names itself counts more.
    pub(super) fn of(event: &Event<'_>, owner: Option<Owner>) -> Self {
        let mut line = Self { about: event.metadata(), message: String::new(), fields: Vec::new(), owner: None };
        event.record(&mut line);
        line.owner = match (line.owner.take(), owner) {
            (Some(named), Some(around)) if named.id != around.id => Some(named),
            (named, around) => around.or(named),
        };
        line
    }

    /// Must each one be seen: does it say who looked at what?
    pub(super) fn is_audit(&self) -> bool {
        self.fields.iter().any(|(name, _)| *name == "act")
    }

    /// Feeds what makes two lines the same: where in the program, whose, and the words. Numbers differ within one flood of
    /// a component; other lines are the same only as a whole.
    pub(super) fn identify(&self, hasher: &mut impl Hasher) {
        self.about.callsite().hash(hasher);
        self.message.hash(hasher);
        self.owner.as_ref().map(|owner| &owner.id).hash(hasher);
        for (name, value) in &self.fields {
            match value {
                Value::Text(text) | Value::Shown(text) => (name, text).hash(hasher),
                Value::Plain(plain) if self.owner.is_none() => (name, plain.to_string()).hash(hasher),
                Value::Plain(_) => {}
            }
        }
    }

    /// As it is kept to tell of repetitions: bounded, without what may differ among them.
    pub(super) fn brief(mut self) -> Self {
        cut(&mut self.message);
        self.fields.retain(|(_, value)| !matches!(value, Value::Plain(_)));
        self.fields.truncate(KEPT_FIELDS);
        for (_, value) in &mut self.fields {
            if let Value::Text(text) | Value::Shown(text) = value {
                cut(text);
            }
        }
        self
    }

    /// Says that it came `times` more in so many seconds.
    pub(super) fn repeated(mut self, times: u64, seconds: u64) -> Self {
        self.message = format!("repeated {times} times in {seconds} s: {}", self.message);
        self.fields.push(("repeated", Value::Plain(times.into())));
        self
    }

    /// The line as it is written, with its end.
    pub(super) fn write(&self, form: Form) -> String {
        let time = DateTime::from_timestamp_nanos(clock::now()).to_rfc3339_opts(SecondsFormat::Micros, true);
        match form {
            Form::Text => self.text(&time, Paint::default()),
            Form::Colored => self.text(&time, Paint::of(*self.about.level())),
            Form::Json => self.json(&time),
        }
    }

    fn text(&self, time: &str, paint: Paint) -> String {
        let Paint { dim, level, name, end } = paint;
        let mut out = format!("{dim}{time}{end} {level}{:>5}{end} ", self.about.level().as_str());
        plain(&self.message, &mut out);
        for (field, value) in self.all() {
            let _infallible = write!(out, " {name}{field}{end}{dim}={end}");
            match value {
                Value::Text(text) => _ = write!(out, "{text:?}"),
                Value::Shown(text) => plain(&text, &mut out),
                Value::Plain(value) => _ = write!(out, "{value}"),
            }
        }
        out.push('\n');
        out
    }

    fn json(&self, time: &str) -> String {
        let quoted = |text: &str| Json::from(text).to_string();
        let level = self.about.level().as_str();
        let mut out = format!("{{\"timestamp\":\"{time}\",\"level\":\"{level}\",\"message\":{}", quoted(&self.message));
        for (field, value) in self.all() {
            let value = match value {
                Value::Text(text) | Value::Shown(text) => quoted(&text),
                Value::Plain(value) => value.to_string(),
            };
            let _infallible = write!(out, ",{}:{value}", quoted(field));
        }
        let _infallible = writeln!(out, ",\"target\":{}}}", quoted(self.about.target()));
        out
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let owner = self.owner.iter().flat_map(Owner::fields).map(|(name, text)| (name, Value::Text(text.to_owned())));
        self.fields.iter().cloned().chain(owner)
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text) | Value::Shown(text)) => self.message = text,
            ("component_id", Value::Text(id) | Value::Shown(id)) => self.owner = Some(Owner::named(id)),
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::Shown(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Plain(value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Plain(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Plain(value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Plain(value.into()));
    }
}

/// Text without what moves a terminal's cursor or begins a line.
fn plain(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(KEPT));
}

/// Sequences for a terminal (ECMA-48, SGR).
#[derive(Clone, Copy, Default)]
struct Paint {
    dim: &'static str,
    level: &'static str,
    name: &'static str,
    end: &'static str,
}

impl Paint {
    fn of(level: Level) -> Self {
        let level = match level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            Level::DEBUG => "\x1b[34m",
            Level::TRACE => "\x1b[35m",
        };
        Self { dim: "\x1b[2m", level, name: "\x1b[3m", end: "\x1b[0m" }
    }
}
