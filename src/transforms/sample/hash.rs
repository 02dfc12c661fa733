//! A hash that is the same in every build and on every machine.

use crate::event::json;

/// FNV-1a with the finish of `MurmurHash3`, which spreads it over all bits.
pub(super) struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    /// Adds a part and its end.
    pub(super) fn add(&mut self, part: &[u8]) {
        let bytes = part.iter().copied().chain((part.len() as u64).to_le_bytes());
        self.0 = bytes.fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    }

    pub(super) fn finish(&self) -> u64 {
        let step = |hash: u64, factor: u64| (hash ^ (hash >> 33)).wrapping_mul(factor);
        let hash = step(step(self.0, 0xFF51_AFD7_ED55_8CCD), 0xC4CE_B9FE_1A85_EC53);
        hash ^ (hash >> 33)
    }
}

/// The value without quotes and escapes, so that it counts the same however it is written.
pub(super) fn plain(value: &[u8], out: &mut Vec<u8>) {
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(text) => json::unescape(text, out),
        None => out.extend_from_slice(value),
    }
}
