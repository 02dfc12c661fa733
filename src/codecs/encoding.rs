//! Encoding: how a record becomes text on a line, for sinks that write what people or other programs read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{BadField, Shape, TimestampFormat};
use crate::event::View;
use crate::event::json::{Segment, seek, unescape};

/// How records are encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Encoding {
    /// The codec.
    pub codec: TextCodec,
    /// Paths of the members that are written, and no other.
    pub only_fields: Option<Vec<String>>,
    /// Paths of members that are not written.
    pub except_fields: Vec<String>,
    /// How the members are written that tell a record's time (`timestamp`, or what `timestamp_key` of its source
    /// names), where they are RFC 3339 text.
    pub timestamp_format: TimestampFormat,
}

impl Encoding {
    /// What writes records so.
    ///
    /// # Errors
    ///
    /// See [`Shape::new`].
    pub fn writer(&self) -> Result<Writer, BadField> {
        let shape = Shape::new(self.only_fields.as_deref(), &self.except_fields, self.timestamp_format)?;
        Ok(Writer { codec: self.codec, shape })
    }
}

/// Writes records as an [`Encoding`] says.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    codec: TextCodec,
    shape: Shape,
}

impl Writer {
    /// The codec.
    pub fn codec(&self) -> TextCodec {
        self.codec
    }

    /// Appends `record`, without anything to end it.
    pub fn write(&self, record: View<'_>, out: &mut Vec<u8>) {
        if self.shape.is_plain() {
            return self.codec.write(record, out);
        }
        let start = out.len();
        self.shape.write(record, out);
        if self.codec == TextCodec::Text
            && let Some(at) = seek(&out[start..], &[Segment::Field(b"message")])
            && let Some(text) = text_of(&out[start..][at])
        {
            out.truncate(start);
            write_line(&text, out);
        }
    }
}

/// A codec for one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextCodec {
    /// The whole record as a JSON object.
    #[default]
    Json,
    /// Its `message` as plain text, in which line breaks are written as `\n` and `\r`: one record stays one line. A
    /// record without a `message` that is text is written as JSON.
    Text,
}

impl TextCodec {
    /// Appends `record`, without anything to end it.
    pub fn write(self, record: View<'_>, out: &mut Vec<u8>) {
        if self == Self::Json {
            return record.write_json(out);
        }
        if let Some(line) = record.untouched_line() {
            return write_line(line, out);
        }
        let message = record.member(b"message");
        match message.as_deref().and_then(text_of) {
            Some(text) => write_line(&text, out),
            None => record.write_json(out),
        }
    }
}

/// The text of a JSON value that is a string.
fn text_of(value: &[u8]) -> Option<Vec<u8>> {
    let raw = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut text = Vec::with_capacity(raw.len());
    unescape(raw, &mut text);
    Some(text)
}

fn write_line(text: &[u8], out: &mut Vec<u8>) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'\n', b'\r', text) {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(if text[at] == b'\n' { b"\\n" } else { b"\\r" });
        done = at + 1;
    }
    out.extend_from_slice(&text[done..]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::event::{Batch, Form, Origin, Receipt, Resolution, Resolve, Seen, StreamKey};

    struct Nobody;
    impl Resolve for Nobody {
        fn resolved(&self, _: u64, _: Resolution) {}
    }

    fn text(form: Form, line: &str) -> String {
        let (origin, receipt) = (Arc::new(Origin::new(StreamKey(1))), Receipt::new(Arc::new(Nobody), 0));
        let mut batch = Batch::new(Bytes::from(line.to_owned()), origin, receipt);
        let seen = Seen { position: 0, time: 0 };
        if form == Form::Text {
            batch.fill().text(0, line.len(), seen);
        } else {
            batch.fill().json(0, line.len(), seen).unwrap();
        }
        let mut out = Vec::new();
        TextCodec::Text.write(batch.get(0), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_that_is_not_written_leaves_the_rest_as_json() {
        let written = |encoding: Encoding| {
            let batch = Batch::of_object(br#"{"message":"a\nb","n":1}"#, Seen { position: 0, time: 0 }).unwrap();
            let mut out = Vec::new();
            encoding.writer().unwrap().write(batch.get(0), &mut out);
            String::from_utf8(out).unwrap()
        };
        let encoding = |except: &str| Encoding {
            codec: TextCodec::Text,
            except_fields: vec![except.to_owned()],
            ..Encoding::default()
        };
        assert_eq!(written(encoding("n")), r"a\nb");
        assert_eq!(written(encoding("message")), r#"{"n":1}"#);
    }

    #[test]
    fn a_record_is_one_line_and_nothing_of_it_is_lost() {
        assert_eq!(text(Form::Text, "a \"b\""), "a \"b\"");
        let forged = r#"{"message":"in\r\n2026 ERROR \u0041"}"#;
        assert_eq!(text(Form::Json, forged), r"in\r\n2026 ERROR A");
        for without in [r#"{"a":1}"#, r#"{"message":{"a":1}}"#, r#"{"message":null}"#] {
            assert_eq!(text(Form::Json, without), without);
        }
    }
}
