//! Bytes to records and back: lines, decoding, compression.

mod compression;
pub mod container;
mod decoder;
mod encoding;
mod lines;
pub mod multiline;
pub mod otlp;
mod rfc3339;
mod shape;
pub mod units;

pub use compression::Compression;
pub use decoder::{Codec, Counts, Decoder, Decoding, Piece};
pub use encoding::{Encoding, TextCodec, Writer};
pub use lines::{head, lines};
pub use shape::{BadField, Shape, ShapeSettings, TimestampFormat};
