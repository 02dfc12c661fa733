//! What is kept of a file: how far it is resolved, and by what it is found again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::fingerprint::{Fingerprint, Guard, Reach};
use super::input::node;
use super::rotated;
use crate::component::inspect::Position;
use crate::event::StreamKey;

/// How far a generation of a file is resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The start of the oldest unit that is not whole or not resolved.
    pub(super) offset: u64,
    /// How far each stream of the file is done beyond that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) ahead: [u64; 3],
    pub(super) guard: Guard,
    pub(super) fingerprint: Fingerprint,
    /// How far it was seen, or read if that is further. Files that begin alike differ here: a key that was given to one is
    /// not used for another.
    #[serde(default, skip_serializing_if = "Reach::is_none")]
    pub(super) reach: Reach,
}

/// Where a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// What is kept of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(serialize_with = "path_text")]
    pub(super) path: PathBuf,
    /// The path that it was rotated away from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<PathBuf>,
    /// None of a generation that was truncated away: what is left of it may lie in a copy.
    pub(super) node: Option<Node>,
    #[serde(with = "key_text")]
    pub(super) key: StreamKey,
    pub(super) at: Checkpoint,
    /// Last modification that was seen, in nanoseconds since the Unix epoch.
    #[serde(default)]
    pub(super) modified: i64,
    /// Its size when it was looked at last.
    #[serde(default)]
    pub(super) size: u64,
    /// Nanoseconds since the Unix epoch at which nobody followed it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<i64>,
    /// Was it read to its end when nobody would write to it any more? Then a file that is longer is another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_whole: bool,
    /// Was it seen to be deleted, with its last name? Then what comes to its place is another, however alike it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_deleted: bool,
}

/// An entry without a file is forgotten after an hour.
const FORGET_NANOS: i64 = 3_600 * 1_000_000_000;

impl Entry {
    /// As people see it.
    pub(super) fn position(&self, is_followed: bool) -> Position {
        Position {
            path: self.path.to_string_lossy().into_owned(),
            stream_key: format!("{:032x}", self.key.0),
            device: self.node.map_or(0, |node| node.device),
            inode: self.node.map_or(0, |node| node.inode),
            offset: self.at.offset,
            is_followed,
            left: self.left,
        }
    }

    /// The path that it had before it was rotated, or has.
    pub(super) fn base(&self) -> &Path {
        self.base.as_ref().unwrap_or(&self.path)
    }

    /// Bytes that were seen and not delivered.
    pub(super) fn unread(&self) -> u64 {
        self.size.max(self.at.reach.offset).saturating_sub(self.at.offset)
    }

    /// It lies at another path now.
    pub(super) fn go_to(&mut self, path: &Path) {
        if self.base.is_none() && rotated::is_of(path, &self.path) {
            self.base = Some(self.path.clone());
        }
        path.clone_into(&mut self.path);
    }

    /// Has it had no file for an hour? A file that is there but cannot be looked at is not gone.
    pub(super) fn is_forgotten(&self, now: i64) -> bool {
        self.left.is_some_and(|left| now - left > FORGET_NANOS) && self.has_left()
    }

    /// Does its path show nothing, or another file?
    pub(super) fn has_left(&self) -> bool {
        has_left(&self.path, self.node)
    }
}

/// Does `path` show something else, or nothing? What cannot be looked at is not gone.
pub(super) fn has_left(path: &Path, was: Option<Node>) -> bool {
    match std::fs::metadata(path) {
        Ok(about) => Some(node(&about)) != was,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn is_zero(ahead: &[u64; 3]) -> bool {
    *ahead == [0; 3]
}

/// A path as text: one that is no UTF-8 must not keep the others from being saved; its file is found by its inode.
fn path_text<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

/// Stream keys as 32 hexadecimal digits: JSON numbers of others' tools do not hold 128 bits.
mod key_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::event::StreamKey;

    pub(super) fn serialize<S: Serializer>(key: &StreamKey, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:032x}", key.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<StreamKey, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map(StreamKey).map_err(D::Error::custom)
    }
}
