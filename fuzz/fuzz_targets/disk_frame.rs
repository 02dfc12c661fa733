//! Feeds any bytes to the reader of disk buffers; what must hold for them is in its `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::buffer::probe(data));
