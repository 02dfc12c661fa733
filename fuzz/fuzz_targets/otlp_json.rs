//! Feeds any text to the reader of OTLP/JSON; what must hold for it is in its `probe`. `tests/otlp` has requests to begin with:
//! `cargo +nightly fuzz run otlp_json fuzz/corpus/otlp_json tests/otlp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::codecs::otlp::probe::probe_json(data));
