//! The file system as the log sees it: few words, so that a model can stand for it and fail at each.

use std::fs::{DirBuilder, File, OpenOptions, read_dir};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::component::fail;

/// The folder of one log. Names are of files in it, or `quarantine/NAME`.
pub(crate) trait Disk: Send {
    /// All files with their lengths, in no order.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Opens a file; `Create::New` makes it, and refuses if there is one.
    fn open(&self, name: &str, create: Create) -> io::Result<Box<dyn Handle>>;

    /// Gives a file another name, in the place of what has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable: files that were made, renamed, removed.
    fn sync_folder(&self) -> io::Result<()>;

    /// The share of the file system that is free, the lesser of bytes and inodes: 0 to 1.
    fn free(&self) -> io::Result<f64>;
}

/// Is a file to be made?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Create {
    No,
    New,
}

/// An open file.
pub(crate) trait Handle: Send {
    /// Reads some bytes; fewer than asked for only at the end.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes some of the bytes, and says how many.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Makes its bytes and its length durable. After an error nothing is known of what was written since the last
    /// success: kernels drop dirty pages that they could not write.
    fn sync(&self) -> io::Result<()>;

    /// Cuts it to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// Where damaged bytes are kept.
pub(crate) const QUARANTINE: &str = "quarantine";

/// A folder that is ours alone.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Holds the lock; none where the log is only looked at.
    lock: Option<File>,
}

impl Folder {
    /// Makes the folder (mode 0700), durably, and locks it against others.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut missing: Vec<_> = path.ancestors().take_while(|folder| !folder.is_dir()).collect();
        DirBuilder::new().recursive(true).mode(0o700).create(path.join(QUARANTINE))?;
        missing.push(path);
        for folder in missing.iter().filter_map(|folder| folder.parent()).chain([path]) {
            File::open(folder)?.sync_all()?;
        }
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(path.join("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: Some(lock) }),
            Err(Errno::WOULDBLOCK) => {
                let why = format!("`{}` is in use by another process", path.display());
                Err(io::Error::new(io::ErrorKind::ResourceBusy, why))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A folder to look at: nothing is made or locked.
    pub(crate) fn look(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None }
    }

    fn files_in(&self, prefix: &str, into: &mut Vec<(String, u64)>) -> io::Result<()> {
        let entries = match read_dir(self.path.join(prefix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let facts = entry.metadata()?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if facts.is_file() && name != "lock" {
                let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                into.push((name, facts.len()));
            }
        }
        Ok(())
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        self.files_in("", &mut files)?;
        self.files_in(QUARANTINE, &mut files)?;
        Ok(files)
    }

    fn open(&self, name: &str, create: Create) -> io::Result<Box<dyn Handle>> {
        let mut options = OpenOptions::new();
        options.read(true).write(self.lock.is_some()).mode(0o600).create_new(create == Create::New);
        Ok(Box::new(options.open(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fail::reach("buffer_rename");
        std::fs::rename(self.path.join(from), self.path.join(to))?;
        fail::reach("buffer_renamed");
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fail::reach("buffer_remove");
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free(&self) -> io::Result<f64> {
        crate::buffer::min_free::free(&self.path)
    }
}

impl Handle for File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match FileExt::read_at(self, &mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        fail::reach("buffer_write");
        if fail::is_due("buffer_torn_write") {
            let _torn = FileExt::write_at(self, &bytes[..bytes.len() / 2], offset);
            fail::die();
        }
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        fail::reach("buffer_sync");
        self.sync_data()?;
        fail::reach("buffer_synced");
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// Writes all of `bytes`.
pub(crate) fn write_all(file: &dyn Handle, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_private_and_locked() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("buffers/out");
        let folder = Folder::open(&path).unwrap();
        let file = folder.open("a", Create::New).unwrap();
        write_all(&*file, 0, b"abc").unwrap();
        write_all(&*file, 1, b"xyz").unwrap();
        file.sync().unwrap();
        file.truncate(3).unwrap();
        let mut read = [0; 9];
        assert_eq!((file.read_at(1, &mut read).unwrap(), &read[..2]), (2, &b"xy"[..]));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("a"))), (0o700, 0o600));
        assert_eq!(Folder::open(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        assert!(folder.open("a", Create::New).is_err() && folder.open("b", Create::No).is_err());
        folder.rename("a", "quarantine/b").unwrap();
        assert_eq!(folder.list().unwrap(), [("quarantine/b".to_owned(), 3)]);
        folder.remove("quarantine/b").unwrap();
        folder.sync_folder().unwrap();
        assert!(folder.list().unwrap().is_empty() && (0.0..=1.0).contains(&folder.free().unwrap()));
        drop(folder);
        Folder::open(&path).unwrap();
    }
}
