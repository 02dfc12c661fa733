//! What makes records alike: the values at some paths, as bytes or as a hash.

use std::hash::{BuildHasher, RandomState};

use crate::event::{Path, View, json};

/// Writes the values at `paths` one behind the other, so that no two lists of values are written alike. A string is the
/// same however it is escaped; any other value is the text it came as. Tells whether there is any value.
pub(super) fn write(paths: &[Path], record: View<'_>, out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut is_any = false;
    for path in paths {
        let Some(value) = record.get(path) else {
            out.push(b'?');
            continue;
        };
        is_any = true;
        let start = out.len();
        write_value(&value, out);
        let length = (out.len() - start) as u64;
        out.extend_from_slice(&length.to_le_bytes());
    }
    is_any
}

/// Appends a value that is JSON text; what is written differs where the form does.
pub(super) fn write_value(value: &[u8], out: &mut Vec<u8>) {
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(text) => {
            out.push(b'"');
            json::unescape(text, out);
        }
        None => out.extend_from_slice(value),
    }
}

/// Hashes of 128 bits under a key that each process draws anew: nobody can choose values that meet.
#[derive(Debug, Default)]
pub(super) struct Digest(RandomState, RandomState);

impl Digest {
    pub(super) fn of(&self, bytes: &[u8]) -> u128 {
        (u128::from(self.0.hash_one(bytes)) << 64) | u128::from(self.1.hash_one(bytes))
    }
}
