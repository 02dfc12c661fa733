//! Encoding: how a record becomes text on a line, for sinks that write what people or other programs read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::View;
use crate::event::json::unescape;

/// How records are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Encoding {
    /// The codec.
    pub codec: TextCodec,
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
        let raw = message.as_deref().and_then(|value| value.strip_prefix(b"\"")?.strip_suffix(b"\""));
        match raw {
            Some(raw) => {
                let mut text = Vec::with_capacity(raw.len());
                unescape(raw, &mut text);
                write_line(&text, out);
            }
            None => record.write_json(out),
        }
    }
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
        match form {
            Form::Text => batch.fill().text(0, line.len(), seen),
            Form::Json => batch.fill().json(0, line.len(), seen).unwrap(),
        }
        let mut out = Vec::new();
        TextCodec::Text.write(batch.get(0), &mut out);
        String::from_utf8(out).unwrap()
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
