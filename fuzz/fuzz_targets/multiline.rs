//! Feeds any text to the rules of `multiline`; what must hold for it is in their `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::codecs::multiline::probe::probe(data));
