//! Feeds any line to the readers of container logs; what must hold for it is in their `probe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| levada::codecs::container::probe::probe(data));
