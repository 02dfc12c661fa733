//! Bytes to records and back: compression.

mod compression;

pub use compression::Compression;
