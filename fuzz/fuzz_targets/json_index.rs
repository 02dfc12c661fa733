//! Feeds any bytes to the JSON room; what must hold for them is in its `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jsonlab::event::json::probe::probe(data));
