//! Compression of request bodies.

use std::io::Write;

use flate2::write::GzEncoder;

/// How a request's body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, level 1: it costs a fifth of level 6 for logs and saves nearly as much.
    Gzip,
    /// zstd, level 1. Only for destinations known to take it: Elasticsearch ignores the header and reads the body
    /// as plain text.
    Zstd,
}

impl Compression {
    /// The value of `Content-Encoding`, if one is needed.
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Compresses a body. Equal bodies give equal bytes: a retry is the same request.
    pub fn compress(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::None => body.to_vec(),
            Self::Gzip => {
                let out = Vec::with_capacity(body.len() / 4);
                let mut encoder = GzEncoder::new(out, flate2::Compression::new(1));
                encoder.write_all(body).expect("writing to memory");
                encoder.finish().expect("writing to memory")
            }
            Self::Zstd => zstd::bulk::compress(body, 1).expect("level 1 exists and memory is written"),
        }
    }
}
