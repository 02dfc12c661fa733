//! Feeds any bytes to the reader of compressed files; what must hold for them is in its `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::sources::file::probe::probe(data));
