//! What makes records alike.

use super::super::key::{self, Digest};
use crate::event::{Path, View, json};

/// Which values count.
pub(super) enum Fields {
    /// Those at these paths.
    Match(Vec<Path>),
    /// All but those at these paths, each a list of names.
    Ignore(Vec<Vec<Box<[u8]>>>),
}

/// Buffers of a lane.
#[derive(Default)]
pub(super) struct Scratch {
    text: Vec<u8>,
    key: Vec<u8>,
    path: Vec<Box<[u8]>>,
}

impl Fields {
    /// All but these. What is metadata, or inside a list, does not count by itself.
    pub(super) fn ignoring(paths: &[Path]) -> Self {
        let names = |path: &Path| -> Option<Vec<Box<[u8]>>> {
            let first = path.first_key().filter(|_| !path.is_metadata())?;
            let inner = path.segments_below_first();
            let rest = inner.iter().map(|segment| match segment {
                json::Segment::Field(name) => Some(Box::from(*name)),
                json::Segment::Index(_) => None,
            });
            std::iter::once(Some(first.into())).chain(rest).collect()
        };
        Self::Ignore(paths.iter().filter_map(names).collect())
    }

    /// The hash of what counts; of an object, whatever the order of its members. None for a record that has nothing
    /// that counts: it is like no other.
    pub(super) fn digest(&self, record: View<'_>, digest: &Digest, scratch: &mut Scratch) -> Option<u128> {
        match self {
            Self::Match(paths) => key::write(paths, record, &mut scratch.key).then(|| digest.of(&scratch.key)),
            Self::Ignore(ignored) => {
                let mut text = std::mem::take(&mut scratch.text);
                text.clear();
                record.write_json(&mut text);
                let sum = sum(&text, 0, (ignored, digest), scratch);
                scratch.text = text;
                Some(sum)
            }
        }
    }
}

/// The sum of the hashes of all leaves of the object that opens at `open`, each with its path.
fn sum(text: &[u8], open: usize, how: (&[Vec<Box<[u8]>>], &Digest), scratch: &mut Scratch) -> u128 {
    let (ignored, digest) = how;
    let mut sum = 0_u128;
    for entry in json::members(text, open) {
        let mut name = Vec::new();
        json::unescape(&text[entry.key], &mut name);
        scratch.path.push(name.into());
        if !ignored.contains(&scratch.path) {
            let value = &text[entry.value.clone()];
            let hash = match value {
                [b'{', ..] if json::members(text, entry.value.start).next().is_some() => {
                    self::sum(text, entry.value.start, how, scratch)
                }
                _ => leaf(value, digest, scratch),
            };
            sum = sum.wrapping_add(hash);
        }
        scratch.path.pop();
    }
    sum
}

fn leaf(value: &[u8], digest: &Digest, scratch: &mut Scratch) -> u128 {
    scratch.key.clear();
    for name in &scratch.path {
        scratch.key.extend_from_slice(&(name.len() as u64).to_le_bytes());
        scratch.key.extend_from_slice(name);
    }
    scratch.key.push(0xFF);
    key::write_value(value, &mut scratch.key);
    digest.of(&scratch.key)
}
