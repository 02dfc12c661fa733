//! The messages of OTLP as tables: <https://github.com/open-telemetry/opentelemetry-proto>, 1.11.0.
//!
//! Fields that are not here are kept as they came and seen by nobody.

mod metrics;
mod requests;

pub use metrics::{EXPONENTIAL_POINT, HISTOGRAM_POINT, METRIC, NUMBER_POINT, SUMMARY_POINT, points};
pub use requests::{LOGS, METRICS, TRACES};

use super::check::Steps;

/// A message.
#[derive(Debug)]
pub struct Message {
    /// What it is called in words.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// The place of each field's number among them, from 1; 0 is none.
    index: [u8; NUMBERS],
    pub(super) steps: Steps,
}

/// Largest number of a known field, and one.
const NUMBERS: usize = 17;

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub kind: Kind,
    /// How often it can be there, and whether its default is a value.
    pub presence: Presence,
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Once; its default is the same as none.
    Implicit,
    /// Once; its default is a value like any other.
    Explicit,
    /// Any number of times.
    Many,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string. That it is UTF-8 is not checked: where it is written as JSON, U+FFFD stands for what is not.
    Text,
    /// Bytes.
    Blob,
    /// An id of so many bytes, or of none.
    Id(usize),
    /// `uint32`, `uint64`.
    Uint,
    /// `int64`.
    Int,
    /// `sint32`.
    Sint,
    /// `bool`.
    Bool,
    /// An enumeration: the names of its values; an empty one is the value that means "none".
    Enum(&'static [&'static str]),
    /// `fixed32`.
    Fixed32,
    /// `fixed64`.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    /// `double`.
    Double,
    /// A message.
    Message(&'static Message),
    /// An `AnyValue`.
    Any,
    /// A `KeyValue`, of which many are one object.
    KeyValue,
}

impl Kind {
    /// The wire type of one value.
    pub(crate) const fn wire_type(self) -> u8 {
        match self {
            Self::Uint | Self::Int | Self::Sint | Self::Bool | Self::Enum(_) => 0,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => 1,
            Self::Fixed32 => 5,
            _ => 2,
        }
    }

    /// Can many of them be packed into one field?
    pub(crate) const fn is_number(self) -> bool {
        self.wire_type() != 2
    }
}

impl Message {
    const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        let mut index = [0; NUMBERS];
        let mut at = 0;
        while at < fields.len() {
            index[fields[at].number as usize] = at as u8 + 1;
            at += 1;
        }
        Self { name, fields, index, steps: Steps::of(fields) }
    }

    /// The field of this number, if it is known.
    #[inline]
    pub fn numbered(&self, number: u32) -> Option<&'static Field> {
        let at = *self.index.get(number as usize)?;
        self.fields.get(usize::from(at).checked_sub(1)?)
    }

    /// The field of this name.
    pub fn named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, presence: Presence::Implicit }
}

const fn told(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, presence: Presence::Explicit }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, presence: Presence::Many }
}

use Kind::{Any, Blob, Bool, Double, Enum, Fixed32, Fixed64, Id, Int, KeyValue, Text, Uint};

const TRACE_ID: Kind = Id(16);
const SPAN_ID: Kind = Id(8);

/// `AnyValue`.
pub static ANY_VALUE: Message = Message::new(
    "a value",
    &[
        told(1, "string_value", Text),
        told(2, "bool_value", Bool),
        told(3, "int_value", Int),
        told(4, "double_value", Double),
        told(5, "array_value", Kind::Message(&ARRAY_VALUE)),
        told(6, "kvlist_value", Kind::Message(&KEY_VALUE_LIST)),
        told(7, "bytes_value", Blob),
    ],
);

/// `ArrayValue`.
pub static ARRAY_VALUE: Message = Message::new("a list", &[many(1, "values", Any)]);

/// `KeyValueList`.
pub static KEY_VALUE_LIST: Message = Message::new("a map", &[many(1, "values", KeyValue)]);

/// `KeyValue`.
pub static KEY_VALUE: Message = Message::new("an attribute", &[one(1, "key", Text), one(2, "value", Any)]);

static ENTITY_REF: Message = Message::new(
    "an entity",
    &[one(1, "schema_url", Text), one(2, "type", Text), many(3, "id_keys", Text), many(4, "description_keys", Text)],
);

/// `Resource`.
pub static RESOURCE: Message = Message::new(
    "a resource",
    &[
        many(1, "attributes", KeyValue),
        one(2, "dropped_attributes_count", Uint),
        many(3, "entity_refs", Kind::Message(&ENTITY_REF)),
    ],
);

/// `InstrumentationScope`.
pub static SCOPE: Message = Message::new(
    "a scope",
    &[
        one(1, "name", Text),
        one(2, "version", Text),
        many(3, "attributes", KeyValue),
        one(4, "dropped_attributes_count", Uint),
    ],
);

static EVENT: Message = Message::new(
    "an event of a span",
    &[
        one(1, "time_unix_nano", Fixed64),
        one(2, "name", Text),
        many(3, "attributes", KeyValue),
        one(4, "dropped_attributes_count", Uint),
    ],
);

static LINK: Message = Message::new(
    "a link of a span",
    &[
        one(1, "trace_id", TRACE_ID),
        one(2, "span_id", SPAN_ID),
        one(3, "trace_state", Text),
        many(4, "attributes", KeyValue),
        one(5, "dropped_attributes_count", Uint),
        one(6, "flags", Fixed32),
    ],
);

/// `STATUS_CODE_ERROR`.
pub(crate) const STATUS_CODE_ERROR: u64 = 2;

static STATUS: Message =
    Message::new("a status", &[one(3, "code", Enum(&["", "ok", "error"])), one(2, "message", Text)]);

/// `Span`.
pub static SPAN: Message = Message::new(
    "a span",
    &[
        one(1, "trace_id", TRACE_ID),
        one(2, "span_id", SPAN_ID),
        one(3, "trace_state", Text),
        one(4, "parent_span_id", SPAN_ID),
        one(5, "name", Text),
        one(6, "kind", Enum(&["", "internal", "server", "client", "producer", "consumer"])),
        one(7, "start_time_unix_nano", Fixed64),
        one(8, "end_time_unix_nano", Fixed64),
        many(9, "attributes", KeyValue),
        one(10, "dropped_attributes_count", Uint),
        many(11, "events", Kind::Message(&EVENT)),
        one(12, "dropped_events_count", Uint),
        many(13, "links", Kind::Message(&LINK)),
        one(14, "dropped_links_count", Uint),
        one(15, "status", Kind::Message(&STATUS)),
        one(16, "flags", Fixed32),
    ],
);

/// `LogRecord`.
pub static LOG_RECORD: Message = Message::new(
    "a log record",
    &[
        one(1, "time_unix_nano", Fixed64),
        one(2, "severity_number", Enum(&[""])),
        one(3, "severity_text", Text),
        one(5, "body", Any),
        many(6, "attributes", KeyValue),
        one(7, "dropped_attributes_count", Uint),
        one(8, "flags", Fixed32),
        one(9, "trace_id", TRACE_ID),
        one(10, "span_id", SPAN_ID),
        one(11, "observed_time_unix_nano", Fixed64),
        one(12, "event_name", Text),
    ],
);
