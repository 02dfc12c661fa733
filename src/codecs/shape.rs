//! What a written record shows: which of its members, and its times in which form. Names and meanings are Vector's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::json::{Segment, seek, splice_remove, splice_set};
use crate::event::{Path, View, parse_time};

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    /// As RFC 3339 text, as they came.
    #[default]
    Rfc3339,
    /// Seconds since the Unix epoch.
    Unix,
    /// Milliseconds since the Unix epoch.
    UnixMs,
    /// Microseconds since the Unix epoch.
    UnixUs,
    /// Nanoseconds since the Unix epoch.
    UnixNs,
    /// Seconds since the Unix epoch, with microseconds as a fraction.
    UnixFloat,
}

impl TimestampFormat {
    /// `time`, in nanoseconds since the Unix epoch, as a JSON number; none where times stay as they came.
    fn write(self, time: i64) -> Option<String> {
        Some(match self {
            Self::Rfc3339 => return None,
            Self::Unix => time.div_euclid(1_000_000_000).to_string(),
            Self::UnixMs => time.div_euclid(1_000_000).to_string(),
            Self::UnixUs => time.div_euclid(1_000).to_string(),
            Self::UnixNs => time.to_string(),
            Self::UnixFloat => format!("{:?}", time.div_euclid(1_000) as f64 / 1e6),
        })
    }
}

/// What of a record is written, for sinks that have one codec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShapeSettings {
    /// Paths of the members that are written, and no other.
    only_fields: Option<Vec<String>>,
    /// Paths of members that are not written.
    except_fields: Vec<String>,
    /// How the members are written that tell a record's time (`timestamp`, or what `timestamp_key` of its source
    /// names), where they are RFC 3339 text.
    timestamp_format: TimestampFormat,
}

impl ShapeSettings {
    /// The shape of every record.
    ///
    /// # Errors
    ///
    /// See [`Shape::new`].
    pub fn shape(&self) -> Result<Shape, BadField> {
        Shape::new(self.only_fields.as_deref(), &self.except_fields, self.timestamp_format)
    }
}

/// A path of the settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct BadField {
    /// The setting, such as `encoding.only_fields[0]`.
    pub setting: String,
    /// What is wrong.
    pub why: String,
}

/// What of each record is written. The work is one more copy of the record for each path, and none without paths.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    only: Option<Vec<Path>>,
    except: Vec<Path>,
    times: TimestampFormat,
}

impl Shape {
    /// Reads the settings `only_fields`, `except_fields` and `timestamp_format`.
    ///
    /// # Errors
    ///
    /// A path that is none, leads into metadata, or is both kept and left out.
    pub fn new(only: Option<&[String]>, except: &[String], times: TimestampFormat) -> Result<Self, BadField> {
        let read = |setting: &str, list: &[String]| -> Result<Vec<Path>, BadField> {
            list.iter().enumerate().map(|(at, text)| path(text, &format!("{setting}[{at}]"))).collect()
        };
        let only = only.map(|list| read("encoding.only_fields", list)).transpose()?;
        let except = read("encoding.except_fields", except)?;
        let is_kept = |path: &Path| only.as_ref().is_some_and(|only| only.contains(path));
        if let Some(at) = except.iter().position(is_kept) {
            let why = "is in `only_fields` too: a member is written or left out".to_owned();
            return Err(BadField { setting: format!("encoding.except_fields[{at}]"), why });
        }
        Ok(Self { only, except, times })
    }

    /// Is every record written as it is?
    pub fn is_plain(&self) -> bool {
        self.only.is_none() && self.except.is_empty() && self.times == TimestampFormat::Rfc3339
    }

    /// Appends `record` as a JSON object.
    pub fn write(&self, record: View<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        record.write_json(out);
        self.apply(record, start, out);
    }

    /// Shapes the JSON object of `record` that `out` holds from `start` on.
    pub fn apply(&self, record: View<'_>, start: usize, out: &mut Vec<u8>) {
        if self.is_plain() {
            return;
        }
        let mut whole = out.split_off(start);
        if let Some(only) = &self.only {
            whole = pick(&whole, only);
        }
        for path in &self.except {
            let mut rest = Vec::new();
            if splice_remove(&whole, &path.segments(), &mut rest) {
                whole = rest;
            }
        }
        for key in record.origin().timestamp_keys() {
            let path = [Segment::Field(key.as_bytes())];
            // A number is a time in a form already.
            let text = seek(&whole, &path).map(|at| &whole[at]).filter(|value| value.first() == Some(&b'"'));
            if let Some(number) = text.and_then(parse_time).and_then(|time| self.times.write(time)) {
                let mut changed = Vec::new();
                splice_set(&whole, &path, number.as_bytes(), &mut changed);
                whole = changed;
            }
        }
        out.append(&mut whole);
    }
}

fn path(text: &str, setting: &str) -> Result<Path, BadField> {
    let bad = |why: String| BadField { setting: setting.to_owned(), why };
    let path = Path::parse(text).map_err(|error| bad(error.to_string()))?;
    if path.is_metadata() || path.depth() == 0 {
        return Err(bad(format!("`{text}` is no member of a record: expected `.name` or `.name.inner`")));
    }
    Ok(path)
}

/// An object of what stands at these paths.
fn pick(whole: &[u8], paths: &[Path]) -> Vec<u8> {
    let mut picked = b"{}".to_vec();
    for path in paths {
        let segments = path.segments();
        if let Some(at) = seek(whole, &segments) {
            let mut more = Vec::new();
            splice_set(&picked, &segments, &whole[at], &mut more);
            picked = more;
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::event::test_kit::Ledger;
    use crate::event::{Batch, Origin, Seen, StreamKey};

    fn shape(only: Option<&[&str]>, except: &[&str], times: TimestampFormat) -> Result<Shape, BadField> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Shape::new(only.map(owned).as_deref(), &owned(except), times)
    }

    fn written(shape: &Shape, text: &str) -> String {
        let batch = Batch::of_object(text.as_bytes(), Seen { position: 0, time: 0 }).unwrap();
        let mut out = b"before".to_vec();
        shape.write(batch.get(0), &mut out);
        String::from_utf8(out.split_off(6)).unwrap()
    }

    #[test]
    fn members_are_chosen_and_left_out_at_any_depth() {
        let record = r#"{"a":{"b":1,"c":[5,{"d":2}]},"e":"x","f":1.0}"#;
        let only = shape(Some(&["f", ".a.c[1].d", "absent"]), &[], TimestampFormat::Rfc3339).unwrap();
        assert_eq!(written(&only, record), r#"{"f":1.0,"a":{"c":[null,{"d":2}]}}"#);
        let except = shape(None, &["a.b", "e", "absent"], TimestampFormat::Rfc3339).unwrap();
        assert_eq!(written(&except, record), r#"{"a":{"c":[5,{"d":2}]},"f":1.0}"#);
        let both = shape(Some(&["a", "e"]), &["a.c"], TimestampFormat::Rfc3339).unwrap();
        assert_eq!(written(&both, record), r#"{"a":{"b":1},"e":"x"}"#);
        let none = shape(Some(&[]), &[], TimestampFormat::Rfc3339).unwrap();
        assert_eq!(written(&none, record), "{}");
    }

    #[test]
    fn a_line_is_shaped_as_the_object_that_it_reads_as() {
        let batch = Batch::of_line(b"a line", Seen { position: 0, time: 1_500_000_000 });
        let mut out = Vec::new();
        shape(Some(&["message"]), &[], TimestampFormat::Rfc3339).unwrap().write(batch.get(0), &mut out);
        assert_eq!(out, br#"{"message":"a line"}"#);
    }

    #[test]
    fn times_are_numbers_of_the_unit_asked_for() {
        let forms = [
            (TimestampFormat::Rfc3339, r#""2026-11-20T10:00:00.123456789Z""#),
            (TimestampFormat::Unix, "1795168800"),
            (TimestampFormat::UnixMs, "1795168800123"),
            (TimestampFormat::UnixUs, "1795168800123456"),
            (TimestampFormat::UnixNs, "1795168800123456789"),
            (TimestampFormat::UnixFloat, "1795168800.123456"),
        ];
        for (form, expected) in forms {
            assert_eq!(form.write(1_795_168_800_123_456_789).is_none(), form == TimestampFormat::Rfc3339);
            let origin = Origin::new(StreamKey(0));
            let origin = origin.with_timestamp_keys(["timestamp", "ts", "at"].map(Box::from).to_vec().into());
            let text =
                r#"{"timestamp":"2026-11-20T10:00:00.123456789Z","ts":"soon","at":5,"b":"2026-11-20T10:00:00Z"}"#;
            let ledger = Arc::new(Ledger::default());
            let mut batch = Batch::new(Bytes::from_static(text.as_bytes()), Arc::new(origin), ledger.receipt());
            batch.fill().json(0, text.len(), Seen { position: 0, time: 0 }).unwrap();
            let mut out = Vec::new();
            shape(None, &[], form).unwrap().write(batch.get(0), &mut out);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out, format!(r#"{{"timestamp":{expected},"ts":"soon","at":5,"b":"2026-11-20T10:00:00Z"}}"#));
        }
        assert_eq!(TimestampFormat::Unix.write(-1), Some("-1".to_owned()), "before 1970");
    }

    #[test]
    fn faults_are_told_at_their_path() {
        let setting = |only, except| shape(only, except, TimestampFormat::Rfc3339).unwrap_err().setting;
        assert_eq!(setting(Some(&["a", "b..c"]), &[]), "encoding.only_fields[1]");
        assert_eq!(setting(None, &["%kafka"]), "encoding.except_fields[0]");
        assert_eq!(setting(None, &["."]), "encoding.except_fields[0]");
        assert_eq!(setting(Some(&[".a"]), &["b", "a"]), "encoding.except_fields[1]");
    }
}
