//! A file that is open: read as it is, or unpacked.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::fingerprint::{FINGERPRINT_BYTES, Guard, Reach, guard_len, read_at, read_on};
use super::gz::Gz;
use super::positions::{Checkpoint, Node};
use super::tail::Seen;

/// How much of a compressed file is unpacked when it is found.
const PACKED_REACH: usize = 64 << 10;

/// A file that is open. Offsets count its bytes, of a compressed one those it unpacks to.
#[derive(Debug)]
pub(super) enum Input {
    Plain(Arc<File>),
    Gz(Box<Gz>),
}

impl Input {
    /// Opens `path`. What is named `.gz` and begins as gzip does is unpacked.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let is_gz = is_named_gz(path) && Gz::begins(&file)?;
        Ok(if is_gz { Self::Gz(Box::new(Gz::new(file)?)) } else { Self::Plain(Arc::new(file)) })
    }

    /// The file for others to compare with, as long as it is open here; none of a compressed one.
    pub(super) fn share(&self) -> Weak<File> {
        match self {
            Self::Plain(file) => Arc::downgrade(file),
            Self::Gz(_) => Weak::new(),
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub(super) fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Gz(gz) => gz.file(),
        }
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.file().metadata()
    }

    /// The first [`FINGERPRINT_BYTES`], or all there are.
    pub(super) fn first(&mut self) -> io::Result<Vec<u8>> {
        let mut first = vec![0; FINGERPRINT_BYTES];
        let got = match self {
            Self::Plain(file) => read_at(file, &mut first, 0)?,
            Self::Gz(gz) => gz.read(&mut first, 0)?,
        };
        first.truncate(got);
        Ok(first)
    }

    /// Fills `buffer` from `offset` on; returns less than its length only at the end of what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_on(file, buffer, offset),
            Self::Gz(gz) => gz.read(buffer, offset),
        }
    }

    /// Does it begin as `at` tells, and has it the bytes that are remembered?
    pub(super) fn bears(&mut self, at: &Checkpoint) -> io::Result<bool> {
        Ok(at.fingerprint.len > 0 && at.fingerprint.fits(&self.first()?) && self.has_marks(at)?)
    }

    /// Has it the bytes that are remembered from before where it was read, and before where it ended?
    pub(super) fn has_marks(&mut self, at: &Checkpoint) -> io::Result<bool> {
        if self.guard(at.offset)? != Some(at.guard) {
            return Ok(false);
        }
        if at.reach.offset <= at.offset {
            return Ok(true);
        }
        match self.guard(at.reach.offset)? {
            Some(guard) => Ok(guard == at.reach.guard),
            // What is left of a file may be all there is.
            None => Ok(matches!(self, Self::Gz(gz) if gz.is_torn())),
        }
    }

    /// How far a file of this size is known when it is found. One that is compressed is not unpacked to its end for it.
    pub(super) fn reach(&mut self, size: u64) -> io::Result<Reach> {
        if let Self::Gz(gz) = self {
            let mut begin = vec![0; PACKED_REACH];
            let got = gz.read(&mut begin, 0)?;
            return Ok(Reach { offset: got as u64, guard: Guard::of(&begin[..got]) });
        }
        Ok(self.guard(size)?.map(|guard| Reach { offset: size, guard }).unwrap_or_default())
    }

    /// The guard at `offset`; none if there is less. What is compressed and tells that it ends there is not unpacked.
    pub(super) fn guard(&mut self, offset: u64) -> io::Result<Option<Guard>> {
        let mut bytes = vec![0; guard_len(offset)];
        let from = offset - bytes.len() as u64;
        let got = match self {
            Self::Plain(file) => read_at(file, &mut bytes, from)?,
            Self::Gz(gz) => gz.read(&mut bytes, from)?,
        };
        Ok((got == bytes.len()).then(|| Guard::of(&bytes)))
    }
}

/// Is it one that is unpacked, as far as its name tells?
pub(super) fn is_named_gz(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "gz")
}

/// Where a file lies.
pub(super) fn node(about: &Metadata) -> Node {
    Node { device: about.dev(), inode: about.ino() }
}

/// How a file stands.
pub(super) fn seen(about: &Metadata) -> Seen {
    let modified = about.mtime().saturating_mul(1_000_000_000).saturating_add(about.mtime_nsec());
    Seen { size: about.len(), modified }
}
