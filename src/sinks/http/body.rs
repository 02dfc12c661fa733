//! Bodies of the `http` sink: lines, or one array.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::codecs::{TextCodec, Writer};
use crate::component::row::Problem;
use crate::component::sink::{Encoder, Partition, Refusal};
use crate::event::View;

/// How records stand beside each other.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Framing {
    /// What is between them.
    method: FramingMethod,
    /// Settings of `method = "character_delimited"`.
    character_delimited: Option<CharacterDelimited>,
}

/// What is between records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FramingMethod {
    /// Each record ends with a line break.
    NewlineDelimited,
    /// One character between two records. A comma between JSON records makes the body one array.
    CharacterDelimited,
    /// Nothing.
    Bytes,
}

/// Settings of `method = "character_delimited"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CharacterDelimited {
    /// The character; ASCII.
    delimiter: char,
}

/// What a body consists of.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    encoder: Writer,
    prefix: String,
    between: String,
    /// Ends each record.
    end: &'static str,
    suffix: String,
}

impl Shape {
    pub(super) fn new(encoder: Writer, framing: Option<&Framing>) -> Result<Self, Problem> {
        let default = match encoder.codec() {
            TextCodec::Json => FramingMethod::CharacterDelimited,
            TextCodec::Text => FramingMethod::NewlineDelimited,
        };
        let method = framing.map_or(default, |framing| framing.method);
        let set = framing.and_then(|framing| framing.character_delimited.as_ref());
        let plain = Self { encoder, prefix: String::new(), between: String::new(), end: "", suffix: String::new() };
        match (method, set) {
            (FramingMethod::CharacterDelimited, set) => {
                let delimiter = set.map_or(',', |set| set.delimiter);
                if !delimiter.is_ascii() {
                    let message = format!("`{delimiter}` is no ASCII character");
                    return Err(Problem::new("framing.character_delimited.delimiter", message));
                }
                let shape = Self { between: delimiter.to_string(), ..plain };
                Ok(if shape.is_array() { Self { prefix: "[".into(), suffix: "]".into(), ..shape } } else { shape })
            }
            (_, Some(_)) => {
                let message = "is set, but `framing.method` is another: expected `character_delimited`";
                Err(Problem::new("framing.character_delimited", message))
            }
            (FramingMethod::NewlineDelimited, None) => Ok(Self { end: "\n", ..plain }),
            (FramingMethod::Bytes, None) => Ok(plain),
        }
    }

    /// Between these texts of the settings.
    pub(super) fn within(self, prefix: &str, suffix: &str) -> Self {
        Self { prefix: format!("{prefix}{}", self.prefix), suffix: format!("{}{suffix}", self.suffix), ..self }
    }

    fn is_array(&self) -> bool {
        self.encoder.codec() == TextCodec::Json && self.between == ","
    }

    /// The format's name for `Content-Type`.
    pub(super) fn content_type(&self) -> &'static str {
        match self.encoder.codec() {
            TextCodec::Json if self.is_array() => "application/json",
            TextCodec::Json if self.end == "\n" => "application/x-ndjson",
            TextCodec::Json => "application/json",
            TextCodec::Text => "text/plain",
        }
    }
}

/// Encodes bodies of one shape.
pub(super) struct BodyEncoder {
    shape: Arc<Shape>,
    /// Where the body's first record begins.
    first: usize,
}

impl BodyEncoder {
    pub(super) fn new(shape: Arc<Shape>) -> Self {
        Self { shape, first: 0 }
    }
}

impl Encoder for BodyEncoder {
    fn begin(&mut self, body: &mut Vec<u8>) {
        body.extend_from_slice(self.shape.prefix.as_bytes());
        self.first = body.len();
    }

    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        if body.len() > self.first {
            body.extend_from_slice(self.shape.between.as_bytes());
        }
        self.shape.encoder.write(record, body);
        body.extend_from_slice(self.shape.end.as_bytes());
        Ok(0)
    }

    fn end(&mut self, body: &mut Vec<u8>) {
        body.extend_from_slice(self.shape.suffix.as_bytes());
    }
}
