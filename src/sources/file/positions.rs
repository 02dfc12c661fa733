//! Positions: how far each file is resolved, and by what it is found again. Kept on disk so that a restart reads on.
//!
//! The stream key of a file is durable before its first record is offered; how far it is committed follows at most a
//! second later. So a crash repeats records under the identity they had, and loses none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem::replace;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize, Serializer};

use super::fingerprint::{FINGERPRINT_BYTES, Fingerprint, Guard, first_bytes};
use super::job::FileId;
use super::shelf::{LoadError, Shelf};
use crate::component::inspect::Position;
use crate::event::StreamKey;

/// How far a generation of a file is resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) offset: u64,
    pub(super) guard: Guard,
    pub(super) fingerprint: Fingerprint,
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
    pub(super) node: Node,
    #[serde(with = "key_text")]
    pub(super) key: StreamKey,
    pub(super) at: Checkpoint,
    /// Nanoseconds since the Unix epoch at which nobody followed it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<i64>,
}

/// How an entry may be taken for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// It lies where it lay: the same inode.
    Inode,
    /// It has the path, and begins with the same [`FINGERPRINT_BYTES`]: copied there, or its file system restored.
    Path,
}

/// An entry without a file is forgotten after an hour.
const FORGET_NANOS: i64 = 3_600 * 1_000_000_000;

/// The positions of one source.
#[derive(Debug)]
pub(super) struct Positions {
    shelf: Shelf,
    table: Mutex<Table>,
    /// Held while the file is written, so that two writers keep their order.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Table {
    slots: BTreeMap<FileId, Slot>,
    next: FileId,
    is_changed: bool,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    /// Does anyone follow the file?
    is_live: bool,
}

impl Positions {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { shelf: Shelf::new(folder), table: Mutex::default(), writing: Mutex::default() }
    }

    /// Can positions be kept? Makes the folder.
    pub(super) fn probe(&self) -> Result<(), String> {
        self.shelf.probe()
    }

    /// Reads what an earlier run has left.
    pub(super) fn load(&self) -> Result<(), LoadError> {
        let entries = self.shelf.load()?;
        let mut table = self.table();
        for entry in entries {
            table.add(entry, false);
        }
        Ok(())
    }

    /// What is kept in the folder, without taking it over.
    pub(super) fn kept(&self) -> Result<Vec<Entry>, LoadError> {
        self.shelf.load()
    }

    /// All entries, and whether anyone follows their files.
    pub(super) fn entries(&self) -> Vec<(FileId, Entry, bool)> {
        self.table().slots.iter().map(|(id, slot)| (*id, slot.entry.clone(), slot.is_live)).collect()
    }

    /// A file is read from `at` on, under another key, since a person says so. Durable on return; on an error nothing has
    /// changed.
    pub(super) fn set(&self, id: FileId, key: StreamKey, at: Checkpoint) -> io::Result<()> {
        let before = self.table().change(id).map(|entry| (replace(&mut entry.key, key), replace(&mut entry.at, at)));
        self.save().inspect_err(|_| {
            if let (Some(before), Some(entry)) = (before, self.table().change(id)) {
                (entry.key, entry.at) = before;
            }
        })
    }

    /// The entry of a file that is about to be followed, if there is one for it.
    pub(super) fn claim(&self, file: &File, found: (&PathBuf, Node), by: By) -> io::Result<Option<(FileId, Entry)>> {
        let (path, node) = found;
        let mut table = self.table();
        let free = table.slots.iter_mut().filter(|(_, slot)| !slot.is_live);
        for (id, slot) in free {
            let entry = &mut slot.entry;
            let is_candidate = match by {
                By::Inode => entry.node.inode == node.inode,
                By::Path => &entry.path == path && entry.at.fingerprint.len == FINGERPRINT_BYTES,
            };
            if is_candidate && entry.fits(file)? {
                (entry.path, entry.node, entry.left) = (path.clone(), node, None);
                slot.is_live = true;
                let claimed = (*id, entry.clone());
                table.is_changed = true;
                return Ok(Some(claimed));
            }
        }
        Ok(None)
    }

    /// Adds a file; not durable before [`save`](Self::save).
    pub(super) fn add(&self, entry: Entry) -> FileId {
        self.table().add(entry, true)
    }

    /// A file begins a new generation. Durable on return.
    pub(super) fn renew(&self, id: FileId, key: StreamKey) -> io::Result<()> {
        if let Some(entry) = self.table().change(id) {
            (entry.key, entry.at) = (key, Checkpoint::default());
        }
        self.save()
    }

    /// What a generation begins with is known, and so its key: it is not taken for other bytes after a crash. Durable on
    /// return.
    pub(super) fn begin(&self, id: FileId, key: StreamKey, fingerprint: Fingerprint) -> io::Result<()> {
        if let Some(entry) = self.table().change(id) {
            (entry.key, entry.at.fingerprint) = (key, fingerprint);
        }
        self.save()
    }

    /// A file is resolved up to a new checkpoint.
    pub(super) fn commit(&self, id: FileId, at: Checkpoint) {
        if let Some(entry) = self.table().change(id) {
            entry.at = at;
        }
    }

    /// A file shows at another path.
    pub(super) fn moved(&self, id: FileId, path: &PathBuf) {
        if let Some(entry) = self.table().change(id) {
            entry.path.clone_from(path);
        }
    }

    /// Nobody follows a file any more; it may come back.
    pub(super) fn leave(&self, id: FileId, now: i64) {
        let mut table = self.table();
        table.is_changed = true;
        if let Some(slot) = table.slots.get_mut(&id) {
            slot.is_live = false;
            slot.entry.left = Some(now);
        }
    }

    /// A file is deleted and read: it cannot come back.
    pub(super) fn forget(&self, id: FileId) {
        let mut table = self.table();
        table.slots.remove(&id);
        table.is_changed = true;
    }

    /// Forgets what has had no file for an hour; what was loaded and not claimed begins its hour.
    pub(super) fn expire(&self, now: i64) {
        let mut table = self.table();
        for slot in table.slots.values_mut().filter(|slot| !slot.is_live) {
            slot.entry.left.get_or_insert(now);
        }
        let before = table.slots.len();
        table.slots.retain(|_, slot| slot.is_live || !slot.entry.is_forgotten(now));
        table.is_changed |= table.slots.len() != before;
    }

    /// Makes everything durable, if anything changed.
    pub(super) fn save(&self) -> io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let entries: Vec<Entry> = {
            let mut table = self.table();
            if !std::mem::take(&mut table.is_changed) {
                return Ok(());
            }
            table.slots.values().map(|slot| slot.entry.clone()).collect()
        };
        let saved = self.shelf.save(&entries);
        if saved.is_err() {
            self.table().is_changed = true;
        }
        saved
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, entry: Entry, is_live: bool) -> FileId {
        let id = self.next;
        self.next += 1;
        self.is_changed = true;
        self.slots.insert(id, Slot { entry, is_live });
        id
    }

    fn change(&mut self, id: FileId) -> Option<&mut Entry> {
        self.is_changed = true;
        self.slots.get_mut(&id).map(|slot| &mut slot.entry)
    }
}

impl Entry {
    /// As people see it.
    pub(super) fn position(&self, is_followed: bool) -> Position {
        Position {
            path: self.path.to_string_lossy().into_owned(),
            stream_key: format!("{:032x}", self.key.0),
            device: self.node.device,
            inode: self.node.inode,
            offset: self.at.offset,
            is_followed,
            left: self.left,
        }
    }

    /// Has `file` the bytes this entry was made of?
    fn fits(&self, file: &File) -> io::Result<bool> {
        Ok(self.at.fingerprint.fits(&first_bytes(file)?) && Guard::read(file, self.at.offset)? == Some(self.at.guard))
    }

    /// Has it had no file for an hour? A file that is there but cannot be read is not gone.
    fn is_forgotten(&self, now: i64) -> bool {
        let is_due = self.left.is_some_and(|left| now - left > FORGET_NANOS);
        is_due && matches!(std::fs::metadata(&self.path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }
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
