//! A file that is open: read as it is, or unpacked.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::fingerprint::{FINGERPRINT_BYTES, Guard, guard_len, read_at, read_on};
use super::gz::Gz;
use super::positions::Node;
use super::tail::Seen;

/// A file that is open. Offsets count its bytes, of a compressed one those it unpacks to.
#[derive(Debug)]
pub(super) enum Input {
    Plain(File),
    Gz(Box<Gz>),
}

impl Input {
    /// Opens `path`. What is named `.gz` and begins as gzip does is unpacked.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if path.extension().is_none_or(|end| end != "gz") {
            return Ok(Self::Plain(file));
        }
        let mut magic = [0; 2];
        let got = read_at(&file, &mut magic, 0)?;
        if Gz::is_magic(&magic[..got]) { Ok(Self::Gz(Box::new(Gz::new(file)?))) } else { Ok(Self::Plain(file)) }
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

/// Where a file lies.
pub(super) fn node(about: &Metadata) -> Node {
    Node { device: about.dev(), inode: about.ino() }
}

/// How a file stands.
pub(super) fn seen(about: &Metadata) -> Seen {
    let modified = about.mtime().saturating_mul(1_000_000_000).saturating_add(about.mtime_nsec());
    Seen { size: about.len(), modified }
}
