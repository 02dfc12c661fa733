//! Files whose content is wanted as it is now: looked at each second, read again when they changed.

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::task::within;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// A file, and what it was like when it was read last.
#[derive(Debug)]
pub struct Fresh {
    path: PathBuf,
    most: u64,
    mark: Mark,
    content: u64,
}

/// What tells a changed file from the one before, without reading it. The volumes of Kubernetes put another file in
/// the place of the old one.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Fresh {
    /// Reads a file of at most `most` bytes for the first time.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is larger.
    pub fn open(path: &Path, most: u64) -> io::Result<(Self, Vec<u8>)> {
        let (mark, bytes) = read(path, most)?;
        Ok((Self { path: path.to_owned(), most, mark, content: hash(&bytes) }, bytes))
    }

    /// One that cannot be read now: whatever comes counts as a change.
    pub fn lost(path: &Path, most: u64) -> Self {
        let mark = Mark { file: (0, 0), size: 0, modified: (0, 0) };
        Self { path: path.to_owned(), most, mark, content: hash(&[]) }
    }

    /// Its content, if that is another than at the last look.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is too large; the next look tries again.
    pub fn changed(&mut self) -> io::Result<Option<Vec<u8>>> {
        if Mark::of(&fs::metadata(&self.path)?) == self.mark {
            return Ok(None);
        }
        let (mark, bytes) = read(&self.path, self.most)?;
        let content = hash(&bytes);
        self.mark = mark;
        let has_changed = std::mem::replace(&mut self.content, content) != content;
        Ok(has_changed.then_some(bytes))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read(path: &Path, most: u64) -> io::Result<(Mark, Vec<u8>)> {
    let file = File::open(path)?;
    let mark = Mark::of(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok((mark, bytes))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Looks each second, on a thread of its own, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    _goes: SyncSender<()>,
}

impl Watch {
    /// Calls `look` each second, also after a panic in it.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub fn begin(name: &str, mut look: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (goes, gone) = sync_channel(0);
        let watch = move || {
            while gone.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let _told = catch_unwind(AssertUnwindSafe(&mut look));
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(within(watch))?;
        Ok(Self { _goes: goes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_its_content_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it");
        assert!(Fresh::open(&path, 10).is_err());
        fs::write(&path, "one").unwrap();
        let (mut file, first) = Fresh::open(&path, 10).unwrap();
        assert_eq!((first, file.changed().unwrap()), (b"one".to_vec(), None));
        // As the volumes of Kubernetes do it: another file in its place.
        let put = |text: &str| {
            let new = folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &path).unwrap();
        };
        put("one");
        assert_eq!(file.changed().unwrap(), None, "the same content");
        put("two");
        assert_eq!(file.changed().unwrap(), Some(b"two".to_vec()));
        put("more than is allowed");
        assert!(file.changed().is_err());
        fs::remove_file(&path).unwrap();
        assert!(file.changed().is_err());
        put("three");
        assert_eq!(file.changed().unwrap(), Some(b"three".to_vec()));
        assert_eq!(Fresh::lost(&path, 10).changed().unwrap(), Some(b"three".to_vec()));
    }

    #[test]
    fn a_watch_looks_until_it_is_dropped() {
        let (looked, looks) = sync_channel(0);
        let look = move || {
            let _dropped = looked.send(());
            panic!("as the test says");
        };
        let watch = Watch::begin("watch", look).unwrap();
        for _ in 0..2 {
            looks.recv_timeout(Duration::from_mins(1)).expect("it looks, also after a panic");
        }
        drop(watch);
        while looks.recv_timeout(Duration::from_mins(1)) != Err(RecvTimeoutError::Disconnected) {}
    }
}
