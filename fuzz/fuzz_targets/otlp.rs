//! Feeds any bytes to the walk over OTLP requests; what must hold for them is in its `probe`. `tests/otlp` has requests to begin
//! with: `cargo +nightly fuzz run otlp fuzz/corpus/otlp tests/otlp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::codecs::otlp::probe::probe(data));
