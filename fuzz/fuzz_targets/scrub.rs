//! Feeds any line to the scrubber; what must hold for it is in its `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::transforms::scrub::probe::probe(data));
