//! Positions: how far each file is resolved, and by what it is found again. Kept on disk so that a restart reads on.
//!
//! The stream key of a file is durable before its first record is offered; how far it is committed follows at most a
//! second later. So a crash repeats records under the identity they had, and loses none.

use std::collections::BTreeMap;
use std::io;
use std::mem::replace;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use super::entry::{Checkpoint, Entry, Node, has_left};
use super::fingerprint::{Fingerprint, Reach};
use super::job::FileId;
use super::shelf::{LoadError, Shelf};
use crate::event::StreamKey;

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
    holder: Holder,
}

/// Who has to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nobody: it is for the file that fits it.
    Nobody,
    /// Its file is followed, or is known to be read.
    File,
    /// A lane waits for receipts, and for a copy of what was truncated away.
    Orphan,
}

impl Positions {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { shelf: Shelf::new(folder), table: Mutex::default(), writing: Mutex::default() }
    }

    /// Can positions be kept? Makes the folder.
    pub(super) fn probe(&self) -> Result<(), String> {
        self.shelf.probe()
    }

    /// Reads what an earlier run has left. Tells of a file that a later version wrote, which is left alone.
    pub(super) fn load(&self) -> Result<Option<PathBuf>, LoadError> {
        let loaded = self.shelf.load()?;
        let mut table = self.table();
        for entry in loaded.entries {
            table.add(entry, Holder::Nobody);
        }
        Ok(loaded.newer)
    }

    /// What is kept in the folder, without taking it over.
    pub(super) fn kept(&self) -> Result<Vec<Entry>, LoadError> {
        self.shelf.load().map(|loaded| loaded.entries)
    }

    /// All entries and their holders.
    pub(super) fn all(&self) -> Vec<(FileId, Entry, Holder)> {
        self.table().slots.iter().map(|(id, slot)| (*id, slot.entry.clone(), slot.holder)).collect()
    }

    /// A file is read from `at` on, under another key, since a person says so. Durable on return; on an error nothing has
    /// changed.
    pub(super) fn set(&self, id: FileId, key: StreamKey, at: Checkpoint) -> io::Result<()> {
        let before = self.table().change(id).map(|entry| {
            entry.is_whole = false;
            (replace(&mut entry.key, key), replace(&mut entry.at, at))
        });
        self.save().inspect_err(|_| {
            if let (Some(before), Some(entry)) = (before, self.table().change(id)) {
                (entry.key, entry.at) = before;
            }
        })
    }

    /// The entries, with their holders, of which `is_meant` is true.
    pub(super) fn entries(&self, is_meant: impl Fn(&Entry, Holder) -> bool) -> Vec<(FileId, Entry)> {
        let table = self.table();
        let meant = table.slots.iter().filter(|(_, slot)| is_meant(&slot.entry, slot.holder));
        meant.map(|(id, slot)| (*id, slot.entry.clone())).collect()
    }

    /// Does something with each entry.
    pub(super) fn each(&self, mut see: impl FnMut(&Entry)) {
        self.table().slots.values().for_each(|slot| see(&slot.entry));
    }

    /// A file that lies there has this entry from now on.
    pub(super) fn take(&self, id: FileId, (path, node): (&Path, Node)) {
        let mut table = self.table();
        table.is_changed = true;
        if let Some(Slot { entry, holder }) = table.slots.get_mut(&id) {
            *holder = Holder::File;
            entry.go_to(path);
            (entry.node, entry.left, entry.is_deleted) = (Some(node), None, false);
        }
    }

    /// Adds a file; not durable before [`save`](Self::save).
    pub(super) fn add(&self, entry: Entry) -> FileId {
        self.table().add(entry, Holder::File)
    }

    /// A file begins a new generation. What is known of the old one becomes an entry of its own, whose id is returned,
    /// if any of it was. Durable on return; on an error nothing has changed.
    pub(super) fn split(&self, id: FileId, key: StreamKey) -> io::Result<Option<FileId>> {
        let before = {
            let mut table = self.table();
            let Some(entry) = table.change(id) else { return Ok(None) };
            let before = entry.clone();
            (entry.key, entry.at) = (key, Checkpoint::default());
            before
        };
        let is_known = before.at.fingerprint.len > 0;
        let old = is_known.then(|| self.table().add(Entry { node: None, ..before.clone() }, Holder::Orphan));
        self.save().inspect_err(|_| {
            let mut table = self.table();
            old.map(|old| table.slots.remove(&old));
            if let Some(entry) = table.change(id) {
                *entry = before;
            }
        })?;
        Ok(old)
    }

    /// What a generation begins with is known, and so its key: it is not taken for other bytes after a crash. Durable on
    /// return.
    pub(super) fn begin(&self, id: FileId, key: StreamKey, (first, reach): (Fingerprint, Reach)) -> io::Result<()> {
        if let Some(entry) = self.table().change(id) {
            (entry.key, entry.at.fingerprint, entry.at.reach) = (key, first, reach);
            entry.is_whole = false;
        }
        self.save()
    }

    /// A file was read so far.
    pub(super) fn reached(&self, id: FileId, (first, reach): (Fingerprint, Reach)) {
        if let Some(entry) = self.table().change(id) {
            (entry.at.fingerprint, entry.at.reach) = (first, reach);
            // It was put back and written to.
            entry.is_whole = false;
        }
    }

    /// Files were seen with these sizes.
    pub(super) fn seen(&self, sizes: impl Iterator<Item = (FileId, u64)>) {
        let mut table = self.table();
        for (id, size) in sizes {
            if table.slots.get(&id).is_some_and(|slot| slot.entry.size != size)
                && let Some(entry) = table.change(id)
            {
                entry.size = size;
            }
        }
    }

    /// What is there now is another generation: of this one so many bytes were seen and not delivered. Told once.
    pub(super) fn unread(&self, id: FileId) -> u64 {
        self.table().change(id).map_or(0, |entry| {
            let unread = entry.unread();
            entry.size = entry.at.offset;
            unread
        })
    }

    /// A file is resolved up to a new checkpoint; `modified` is when it was written to last.
    pub(super) fn commit(&self, id: FileId, at: Checkpoint, modified: i64) {
        if let Some(entry) = self.table().change(id) {
            entry.at = at;
            entry.modified = entry.modified.max(modified);
        }
    }

    /// A file lies in another folder: rotation moved it there.
    pub(super) fn strayed(&self, id: FileId, path: &Path) {
        if let Some(entry) = self.table().change(id) {
            let from = replace(&mut entry.path, path.to_owned());
            entry.base.get_or_insert(from);
        }
    }

    /// A file shows at another path.
    pub(super) fn moved(&self, id: FileId, path: &Path) {
        if let Some(entry) = self.table().change(id) {
            entry.go_to(path);
        }
    }

    /// A file was read to its end, and nobody would write to it any more.
    pub(super) fn ended(&self, id: FileId) {
        if let Some(entry) = self.table().change(id) {
            entry.is_whole = true;
        }
    }

    /// A file has no name any more.
    pub(super) fn deleted(&self, id: FileId) {
        let mut table = self.table();
        if table.slots.get(&id).is_some_and(|slot| !slot.entry.is_deleted)
            && let Some(entry) = table.change(id)
        {
            entry.is_deleted = true;
        }
    }

    /// Nobody has to do with a file any more; it may come back.
    pub(super) fn leave(&self, id: FileId, now: i64) {
        let mut table = self.table();
        table.is_changed = true;
        if let Some(slot) = table.slots.get_mut(&id) {
            slot.holder = Holder::Nobody;
            slot.entry.left = Some(now);
        }
    }

    /// Forgets what has had no file for an hour; what was loaded and not claimed begins its hour. Returns how many bytes of it
    /// had been seen and were not delivered.
    pub(super) fn expire(&self, now: i64) -> u64 {
        let mut table = self.table();
        let mut is_changed = false;
        for slot in table.slots.values_mut().filter(|slot| slot.holder == Holder::Nobody) {
            is_changed |= slot.entry.left.is_none();
            slot.entry.left.get_or_insert(now);
        }
        let (before, mut unread) = (table.slots.len(), 0);
        table.slots.retain(|_, slot| {
            let stays = slot.holder != Holder::Nobody || !slot.entry.is_forgotten(now);
            unread += if stays { 0 } else { slot.entry.unread() };
            stays
        });
        table.is_changed |= is_changed || table.slots.len() != before;
        unread
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
    fn add(&mut self, entry: Entry, holder: Holder) -> FileId {
        let id = self.next;
        self.next += 1;
        self.is_changed = true;
        self.slots.insert(id, Slot { entry, holder });
        id
    }

    fn change(&mut self, id: FileId) -> Option<&mut Entry> {
        self.is_changed = true;
        self.slots.get_mut(&id).map(|slot| &mut slot.entry)
    }
}
