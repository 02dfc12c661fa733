//! The files that are open: found by path, closed when idle, written so that no line is torn.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Fsync;
use super::folder::{self, Place};
use crate::component::fail;

/// Files open at once; far below the usual limit of 1,024 descriptors for a process.
const MAX_OPEN: usize = 128;

/// Open files, by path below the folder.
pub(super) struct OpenFiles {
    files: HashMap<String, OpenFile>,
    idle: Duration,
    fsync: Fsync,
}

struct OpenFile {
    place: Place,
    /// Bytes that are known to be whole.
    len: u64,
    used: Instant,
}

impl OpenFiles {
    pub(super) fn new(idle: Duration, fsync: Fsync) -> Self {
        Self { files: HashMap::new(), idle, fsync }
    }

    /// The file at `path` below `base`: device, inode, and how long it is now.
    pub(super) fn stand(&mut self, base: &Path, path: &str) -> io::Result<((u64, u64), u64)> {
        let about = self.open(base, path)?.place.file.metadata()?;
        Ok(((about.dev(), about.ino()), about.len()))
    }

    /// Appends `bytes` to the file at `path` below `base`; all of them or, after an error, none.
    pub(super) fn append(&mut self, base: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
        let fsync = self.fsync;
        let file = self.open(base, path)?;
        let written = file.append(bytes, fsync);
        if written.is_err() {
            // What was written of it must not stay: a retry would repeat it behind a torn line.
            file.place.file.set_len(file.len)?;
        }
        written
    }

    fn open(&mut self, base: &Path, path: &str) -> io::Result<&mut OpenFile> {
        let now = Instant::now();
        if self.files.get(path).is_none_or(|file| !file.place.is_there()) {
            self.files.remove(path);
            self.make_room();
            let place = folder::open(base, path)?;
            let len = place.file.metadata()?.len();
            self.files.insert(path.to_owned(), OpenFile { place, len, used: now });
        }
        let file = self.files.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        file.used = now;
        Ok(file)
    }

    fn make_room(&mut self) {
        while self.files.len() >= MAX_OPEN {
            let oldest = self.files.iter().min_by_key(|(_, file)| file.used).map(|(path, _)| path.clone());
            oldest.map(|path| self.files.remove(&path));
        }
    }

    /// Closes files that got nothing for a while.
    pub(super) fn close_idle(&mut self) {
        let idle = self.idle;
        self.files.retain(|_, file| file.used.elapsed() < idle);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }
}

impl OpenFile {
    fn append(&mut self, bytes: &[u8], fsync: Fsync) -> io::Result<()> {
        if fail::is_due("file_torn_write") {
            let _torn = self.place.file.write_all(&bytes[..bytes.len() / 2]);
            fail::die();
        }
        self.place.file.write_all(bytes)?;
        fail::reach("file_written");
        if fsync == Fsync::Each {
            self.place.file.sync_data()?;
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}
