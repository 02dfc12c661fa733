//! Which entry of the positions belongs to a file that was found: by what is in it, never by its path alone.

use std::io;
use std::path::PathBuf;

use super::fingerprint::{FINGERPRINT_BYTES, GUARD_BYTES};
use super::input::{Input, node};
use super::job::FileId;
use super::positions::{Checkpoint, Entry, Holder, Node, Positions};
use super::rotated;
use super::tail::Seen;

/// A file that was found and opened.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) node: Node,
    pub(super) seen: Seen,
    pub(super) input: Input,
    /// The first bytes of it.
    pub(super) first: Vec<u8>,
}

/// How an entry may be taken for a file that has its bytes, in the order in which this is tried.
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
    /// Nothing is known of it but where it lay: it was empty.
    Place,
}

impl By {
    pub(super) const ALL: [Self; 5] = [Self::Inode, Self::Path, Self::Rotation, Self::Content, Self::Place];
}

/// What a file that has no entry has to do with one that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kin {
    /// Nothing.
    Stranger,
    /// It is a copy of what is read elsewhere.
    Copy,
    /// It is a copy of what was truncated away before it was all read.
    Rest(FileId),
}

impl Found {
    /// Opens the file at `path`.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let mut input = Input::open(&path)?;
        let about = input.metadata()?;
        let first = input.first()?;
        Ok(Self { path, node: node(&about), seen: super::input::seen(&about), input, first })
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
        match by {
            By::Inode => fingerprint.len > 0 && self.lies_at(entry) && (self.is_near(entry) || tells_more(entry)),
            By::Path => entry.path.as_os_str() == self.path.as_os_str() && fingerprint.is_full(),
            By::Rotation => fingerprint.len > 0 && rotated::is_of(&self.path, &entry.path),
            By::Content => fingerprint.is_full() && tells_more(entry),
            By::Place => fingerprint.len == 0 && self.lies_at(entry) && self.is_near(entry),
        }
    }

    fn lies_at(&self, entry: &Entry) -> bool {
        entry.node.is_some_and(|node| node.inode == self.node.inode)
    }

    /// Is it at the path of the entry, or may it have been rotated away from there?
    fn is_near(&self, entry: &Entry) -> bool {
        entry.path == self.path || rotated::is_of(&self.path, &entry.path) || rotated::is_of(&entry.path, &self.path)
    }

    /// Which of two entries tells more of this file: the longest beginning, the path, the inode, the longest part.
    fn rank(&self, entry: &Entry) -> (usize, bool, bool, u64) {
        (entry.at.fingerprint.len, entry.path == self.path, entry.node == Some(self.node), entry.at.offset)
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
        Ok(!is_other && (is_known && self.ends_at(entry.at.offset)? || self.has_guard(entry)?))
    }

    fn has_guard(&mut self, entry: &Entry) -> io::Result<bool> {
        Ok(self.input.guard(entry.at.offset)? == Some(entry.at.guard))
    }

    /// Is it as long as that? A compressed one as it tells itself.
    pub(super) fn ends_at(&self, offset: u64) -> io::Result<bool> {
        match &self.input {
            Input::Plain(_) => Ok(self.seen.size == offset),
            Input::Gz(gz) => Ok(gz.told_len()? == offset as u32),
        }
    }

    /// What has it to do with files that are followed under a path from which it may have been rotated?
    pub(super) fn kin(&mut self, positions: &Positions) -> io::Result<Kin> {
        let is_kin = |entry: &Entry| entry.at.fingerprint.len > 0 && rotated::is_of(&self.path, &entry.path);
        let of = |wanted: Holder| positions.entries(|entry, holder| holder == wanted && is_kin(entry));
        let (orphans, followed) = (of(Holder::Orphan), of(Holder::File));
        for (id, entry) in orphans {
            if entry.at.fingerprint.fits(&self.first) {
                let is_cut = self.input.is_plain() && self.seen.size < entry.at.offset;
                if is_cut {
                    return Ok(Kin::Copy);
                }
                if self.has_guard(&entry)? {
                    return Ok(Kin::Rest(id));
                }
            }
        }
        for (_, entry) in followed {
            if entry.at.fingerprint.fits(&self.first) && self.is_copy_of(&entry)? {
                return Ok(Kin::Copy);
            }
        }
        Ok(Kin::Stranger)
    }

    /// Is all that is in this file in the other too? Looked at where it ends: a copy is no longer than what it was made of.
    fn is_copy_of(&mut self, entry: &Entry) -> io::Result<bool> {
        if self.first.is_empty() {
            return Ok(false);
        }
        let Ok(mut other) = Input::open(&entry.path) else { return self.has_guard(entry) };
        if entry.node != Some(node(&other.metadata()?)) {
            return self.has_guard(entry);
        }
        let is_truncated =
            !entry.at.fingerprint.fits(&other.first()?) || other.guard(entry.at.offset)? != Some(entry.at.guard);
        if is_truncated {
            // Its lane will notice, and then this is the rest.
            return Ok(true);
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
    let Checkpoint { offset, fingerprint, .. } = entry.at;
    offset > if fingerprint.is_full() { (FINGERPRINT_BYTES + GUARD_BYTES) as u64 } else { 0 }
}
