//! Feeds any text to the configuration; what must hold for it is in its `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::config::probe::probe(data));
