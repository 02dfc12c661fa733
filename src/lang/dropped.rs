//! What a dropped record says about why it was dropped.

use bytes::BytesMut;
use vrl::path::parse_value_path;
use vrl::value::{ObjectMap, Value};

use super::fields::{FieldsMut, Member, Side};
use super::{json, splice};

/// Why a program dropped a record, and which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped<'a> {
    /// `abort` or `error`.
    pub reason: &'a str,
    /// The program's message.
    pub message: &'a str,
    /// The id of the transform.
    pub component_id: &'a str,
}

/// Writes `.metadata.dropped` into a record that leaves by the output `dropped`: `reason`, `message`, `component_id`, `component_type`, `component_kind`, where Vector
/// writes them. What else `.metadata` holds stays.
pub fn mark_dropped<F: FieldsMut>(fields: &mut F, dropped: &Dropped<'_>) {
    let entries = [
        ("reason", dropped.reason),
        ("message", dropped.message),
        ("component_id", dropped.component_id),
        ("component_type", "remap"),
        ("component_kind", "transform"),
    ];
    let told: ObjectMap = entries.into_iter().map(|(key, text)| (key.into(), Value::from(text))).collect();
    let old = match fields.member(Side::Event, "metadata") {
        Some(Member::Json(raw)) => raw.into_owned(),
        _ => b"null".to_vec(),
    };
    let mut metadata = json::read(&old, &mut BytesMut::new()).unwrap_or(Value::Null);
    metadata.insert(&parse_value_path("dropped").expect("a plain name is a path"), Value::Object(told));
    let mut out = Vec::new();
    splice::write_over(&metadata, &old, &mut out);
    fields.set(Side::Event, "metadata", &out);
}
