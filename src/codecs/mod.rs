//! Bytes to records and back: lines, decoding, compression.

mod compression;
mod decoder;
mod encoding;
mod lines;

pub use compression::Compression;
pub use decoder::{Codec, Counts, Decoder, Decoding, Piece};
pub use encoding::{Encoding, TextCodec};
pub use lines::{head, lines};
