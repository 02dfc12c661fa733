//! Which entry of the positions belongs to a file that was found: by what is in it, never by its path alone.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fingerprint::{FINGERPRINT_BYTES, GUARD_BYTES};
use super::input::{Input, node, seen};
use super::job::FileId;
use super::positions::{Checkpoint, Entry, Holder, Node, Positions};
use super::rotated;
use super::tail::Seen;

/// A file that was found and opened.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The path that it had before it was rotated, as its name tells; else the same.
    pub(super) base: PathBuf,
    pub(super) node: Node,
    pub(super) seen: Seen,
    pub(super) input: Input,
    /// The first bytes of it.
    pub(super) first: Vec<u8>,
}

/// How an entry may be taken for a file that has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The file lies where it lay: the same inode. Before the path, since after a rotation that is another file's.
    Inode,
    /// It has the path, and begins with the same [`FINGERPRINT_BYTES`]: copied there, or its file system restored.
    Path,
    /// It was rotated away from there and copied or compressed, as its name tells.
    Rotation,
    /// It has more in common than how it begins, and the path of the entry shows it no more: moved to elsewhere.
    Content,
    /// Nothing is known of it but where it lay: it was empty. Only where it is no copy of another.
    Place,
}

impl By {
    /// In the order in which it is tried.
    pub(super) const BY_CONTENT: [Self; 4] = [Self::Inode, Self::Path, Self::Rotation, Self::Content];
}

/// What a file that has no entry has to do with one that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kin {
    /// Nothing.
    Stranger,
    /// It is a copy of what is read elsewhere, or may become one: it is looked at again when anything changes.
    Copy,
    /// It is a copy of what was truncated away before it was all read.
    Rest(FileId),
}

/// A file that is open and from whose path another may have been rotated.
#[derive(Debug)]
pub(super) struct Relative {
    pub(super) file: Arc<File>,
    /// May the other be a copy of it, although it is not of all that has the same lines?
    pub(super) may_be_copied: bool,
}

/// Where a file is that may have been copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// Where it is written to.
    InPlace,
    /// Where it was rotated to.
    Renamed,
    /// No path shows it.
    Nowhere,
}

impl Found {
    /// Opens the file at `path`, which stood at `base` before it was rotated.
    pub(super) fn open(path: PathBuf, base: PathBuf) -> io::Result<Self> {
        let mut input = Input::open(&path)?;
        let about = input.metadata()?;
        let first = input.first()?;
        Ok(Self { path, base, node: node(&about), seen: seen(&about), input, first })
    }

    /// Was it rotated, as far as its name tells?
    pub(super) fn is_rotated(&self) -> bool {
        self.base != self.path || rotated::may_be(&self.path)
    }

    /// Finds the entry that was made of this file. Of several the one that knows most of it.
    pub(super) fn claim(&mut self, positions: &Positions, by: By) -> io::Result<Option<(FileId, Entry)>> {
        let candidates = positions.entries(|entry, holder| holder == Holder::Nobody && self.is_meant(entry, by));
        let mut best: Option<(FileId, Entry)> = None;
        for (id, entry) in candidates {
            let is_better = best.as_ref().is_none_or(|(_, best)| self.rank(best) < self.rank(&entry));
            if is_better && self.fits(&entry, by)? {
                best = Some((id, entry));
            }
        }
        Ok(best.map(|(id, mut entry)| {
            positions.take(id, (&self.path, self.node));
            (entry.node, entry.left) = (Some(self.node), None);
            entry.go_to(&self.path);
            (id, entry)
        }))
    }

    fn is_meant(&self, entry: &Entry, by: By) -> bool {
        let fingerprint = entry.at.fingerprint;
        // Files may be the same byte for byte. What comes after one was seen to go is another, unless its name tells that it
        // was made of that one.
        if entry.is_deleted && self.input.is_plain() && by != By::Rotation {
            return false;
        }
        match by {
            By::Inode => fingerprint.len > 0 && self.lies_at(entry) && (self.is_near(entry) || tells_more(entry)),
            By::Path => entry.left.is_none() && entry.path == self.path && fingerprint.is_full(),
            By::Rotation => fingerprint.len > 0 && self.is_of(entry),
            By::Content => fingerprint.is_full() && tells_more(entry),
            By::Place => fingerprint.len == 0 && self.lies_at(entry) && self.is_near(entry),
        }
    }

    fn lies_at(&self, entry: &Entry) -> bool {
        entry.node.is_some_and(|node| node.inode == self.node.inode)
    }

    /// Is it at the path of the entry, or may it have been rotated away from there?
    fn is_near(&self, entry: &Entry) -> bool {
        entry.path == self.path || self.is_of(entry) || rotated::is_of(&entry.path, &self.path)
    }

    /// May it have been rotated away from where the file of the entry is, or from where that was?
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        self.is_rotated_from(entry.base()) || rotated::is_of(&self.path, &entry.path)
    }

    /// May it be a copy of the file at `path`, which stood at `base` before? A plain copy is made of what stands in its place,
    /// and named after that; a compressed one of what was rotated, too.
    pub(super) fn may_copy(&self, path: &Path, base: &Path, stands: Stands) -> bool {
        match stands {
            Stands::InPlace => self.stems_from(path, base),
            Stands::Renamed => !self.input.is_plain(),
            Stands::Nowhere => true,
        }
    }

    /// Is its name made of one of these?
    fn stems_from(&self, path: &Path, base: &Path) -> bool {
        self.is_rotated_from(base) || [path, base].iter().any(|of| rotated::leads_to(&self.path, of))
    }

    /// Stood it at `base` before?
    pub(super) fn is_rotated_from(&self, base: &Path) -> bool {
        self.base == base && self.base != self.path
    }

    /// Which of two entries tells more of this file: the longest beginning, the path, the inode, the longest part.
    fn rank(&self, entry: &Entry) -> (usize, bool, bool, u64) {
        let known = entry.at.offset.max(entry.at.reach.offset);
        (entry.at.fingerprint.len, entry.path == self.path, entry.node == Some(self.node), known)
    }

    /// Has it the bytes this entry was made of?
    fn fits(&mut self, entry: &Entry, by: By) -> io::Result<bool> {
        if !entry.at.fingerprint.fits(&self.first) {
            return Ok(false);
        }
        let is_other = match by {
            By::Inode | By::Path | By::Place => false,
            By::Rotation => entry.is_whole && !self.ends_at(entry.at.offset)?,
            By::Content => !entry.has_left(),
        };
        // A compressed file that was known as such is not unpacked at every start.
        let is_known = by == By::Inode && !self.input.is_plain() && entry.at.offset > 0;
        Ok(!is_other && (is_known && self.ends_at(entry.at.offset)? || self.input.has_marks(&entry.at)?))
    }

    /// Is it as long as that? A compressed one as it tells itself.
    pub(super) fn ends_at(&self, offset: u64) -> io::Result<bool> {
        match &self.input {
            Input::Plain(_) => Ok(self.seen.size == offset),
            Input::Gz(gz) => Ok(gz.told_len()? == offset as u32),
        }
    }

    /// What has it to do with files that are followed under a path from which it may have been rotated, of which those in
    /// `open` are open?
    pub(super) fn kin(&mut self, positions: &Positions, open: &HashMap<FileId, Relative>) -> io::Result<Kin> {
        // Before the positions: what a lane has read of a file that is truncated after this is in them.
        for relative in open.values().filter(|relative| relative.may_be_copied) {
            if self.is_part_of(&mut Input::Plain(relative.file.clone()))? {
                return Ok(Kin::Copy);
            }
        }
        let relatives = positions.entries(|entry, holder| holder != Holder::Nobody && self.is_of(entry));
        if relatives.is_empty() && open.is_empty() {
            return Ok(Kin::Stranger);
        }
        if self.first.is_empty() {
            return Ok(Kin::Copy);
        }
        let (orphans, followed): (Vec<_>, Vec<_>) = relatives.into_iter().partition(|(_, entry)| entry.node.is_none());
        for (id, entry) in orphans {
            if self.stems_from(&entry.path, entry.base()) && self.input.bears(&entry.at)? {
                return Ok(Kin::Rest(id));
            }
        }
        for (id, entry) in followed {
            if self.is_copy_of(&entry, open.get(&id))? {
                return Ok(Kin::Copy);
            }
        }
        // What is being written may be a copy that was not whole when it was compared.
        let is_still = seen(&self.input.metadata()?) == self.seen;
        Ok(if is_still { Kin::Stranger } else { Kin::Copy })
    }

    /// Is it a copy of a file that is followed, or of what that was before a truncation which its lane will notice?
    fn is_copy_of(&mut self, entry: &Entry, open: Option<&Relative>) -> io::Result<bool> {
        let other = match open {
            Some(relative) => Some(Input::Plain(relative.file.clone())),
            None => Input::open(&entry.path).ok(),
        };
        let is_there = |other: &Input| other.metadata().is_ok_and(|about| Some(node(&about)) == entry.node);
        let Some(mut other) = other.filter(|other| open.is_some() || is_there(other)) else {
            return self.input.bears(&entry.at);
        };
        let stands = if entry.base() == entry.path { Stands::InPlace } else { Stands::Renamed };
        let may_be_part = open.is_none() && self.may_copy(&entry.path, entry.base(), stands);
        Ok(may_be_part && self.is_part_of(&mut other)? || self.input.bears(&entry.at)? && !other.bears(&entry.at)?)
    }

    /// Is all that is in this file in the other too? Looked at where it ends: a copy is no longer than what it was made of.
    fn is_part_of(&mut self, other: &mut Input) -> io::Result<bool> {
        if self.first.is_empty() || !other.first()?.starts_with(&self.first) {
            return Ok(false);
        }
        let size = match &mut self.input {
            Input::Plain(_) => self.seen.size,
            Input::Gz(gz) => gz.end()?,
        };
        let end = self.input.guard(size)?;
        Ok(end.is_some() && other.guard(size)? == end)
    }
}

/// Is more known of a file than how it begins? Inodes are used again, and files may begin alike.
fn tells_more(entry: &Entry) -> bool {
    let Checkpoint { offset, fingerprint, reach, .. } = entry.at;
    if fingerprint.is_full() { offset.max(reach.offset) > (FINGERPRINT_BYTES + GUARD_BYTES) as u64 } else { offset > 0 }
}
