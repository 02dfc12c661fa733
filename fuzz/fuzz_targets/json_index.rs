//! Feeds any bytes to the JSON index; what must hold for them is in its `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::event::json::probe::probe(data));
