//! Bytes to records and back: lines, decoding, compression.

mod compression;
mod decoder;
mod encoding;
mod lines;
mod shape;

pub use compression::Compression;
pub use decoder::{Codec, Counts, Decoder, Decoding, Piece};
pub use encoding::{Encoding, TextCodec, Writer};
pub use lines::{head, lines};
pub use shape::{BadField, Shape, ShapeSettings, TimestampFormat};
