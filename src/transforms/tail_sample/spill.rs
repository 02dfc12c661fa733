//! Bytes that wait on the disk for a while. The files have no name: nobody else can open them, and what is in them goes
//! with the process. What they cost of the disk is bounded.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, remove_file};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Bytes after which a file takes no more.
const ENOUGH: u64 = 16 << 20;
/// How long a disk that failed is left alone.
const PAUSE: Duration = Duration::from_secs(10);

/// Files that are written one after the other, each of which goes when nothing in it is wanted any more.
pub(super) struct Spill {
    folder: PathBuf,
    max_bytes: u64,
    files: BTreeMap<u64, Open>,
    /// The number of the file that is written, one more than any before.
    last: u64,
    bytes: u64,
    paused_until: Option<Instant>,
}

struct Open {
    file: File,
    len: u64,
    wanted: usize,
}

/// Where bytes are.
#[derive(Debug)]
pub(super) struct Place {
    file: u64,
    offset: u64,
    len: usize,
    checksum: u32,
}

/// Why bytes did not get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There are as many as may be, or the disk failed a moment ago.
    Full,
    /// The disk failed.
    Failed,
}

impl Spill {
    /// None are opened before the first bytes come.
    pub(super) fn new(folder: &Path, max_bytes: u64) -> Self {
        let (folder, files) = (folder.to_owned(), BTreeMap::new());
        Self { folder, max_bytes, files, last: 0, bytes: 0, paused_until: None }
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Would so many bytes more fit?
    pub(super) fn has_room(&self, len: usize, now: Instant) -> bool {
        self.paused_until.is_none_or(|until| now >= until) && self.bytes + len as u64 <= self.max_bytes
    }

    /// Writes bytes down.
    pub(super) fn write(&mut self, bytes: &[u8], now: Instant) -> Result<Place, Refused> {
        if !self.has_room(bytes.len(), now) {
            return Err(Refused::Full);
        }
        self.append(bytes).map_err(|error| {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "traces cannot be put on the disk: it is left alone for a while");
            self.paused_until = Some(now + PAUSE);
            Refused::Failed
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<Place> {
        if self.files.get(&self.last).is_none_or(|open| open.len >= ENOUGH) {
            let file = nameless(&self.folder)?;
            self.last += 1;
            self.files.insert(self.last, Open { file, len: 0, wanted: 0 });
        }
        let Some(open) = self.files.get_mut(&self.last) else { return Err(io::ErrorKind::NotFound.into()) };
        open.file.write_all_at(bytes, open.len)?;
        let place = Place { file: self.last, offset: open.len, len: bytes.len(), checksum: crc32c::crc32c(bytes) };
        open.len += bytes.len() as u64;
        open.wanted += 1;
        self.bytes += bytes.len() as u64;
        Ok(place)
    }

    /// Reads bytes back.
    pub(super) fn read(&self, place: &Place) -> io::Result<Bytes> {
        let open = self.files.get(&place.file).ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; place.len];
        open.file.read_exact_at(&mut bytes, place.offset)?;
        if crc32c::crc32c(&bytes) == place.checksum { Ok(bytes.into()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// The bytes there are not wanted any more.
    pub(super) fn forget(&mut self, place: &Place) {
        let Some(open) = self.files.get_mut(&place.file) else { return };
        open.wanted -= 1;
        if open.wanted == 0 {
            self.bytes -= open.len;
            self.files.remove(&place.file);
        }
    }

    /// Takes all bytes away, as a failing disk would.
    #[cfg(test)]
    pub(super) fn damage(&self) {
        self.files.values().for_each(|open| open.file.set_len(0).unwrap());
    }
}

fn nameless(folder: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join("spill");
    // One that stands there is of a process that died between these two lines.
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_files_go_with_the_last_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spill, now) = (Spill::new(&folder.path().join("it"), 40 << 20), Instant::now());
        let of = |at: u8| vec![at; 6 << 20];
        let places: Vec<Place> = (0..6).map(|at| spill.write(&of(at), now).unwrap()).collect();
        assert_eq!((spill.files.len(), spill.bytes()), (2, 36 << 20));
        assert!(std::fs::read_dir(folder.path().join("it")).unwrap().next().is_none(), "they have no names");
        assert!(matches!(spill.write(&of(6), now), Err(Refused::Full)));
        for (at, place) in (0..).zip(&places) {
            assert_eq!(spill.read(place).unwrap(), of(at));
        }
        places[..3].iter().for_each(|place| spill.forget(place));
        assert_eq!((spill.files.len(), spill.bytes()), (1, 18 << 20));
        spill.damage();
        assert!(spill.read(&places[5]).is_err());
        places[3..].iter().for_each(|place| spill.forget(place));
        assert_eq!((spill.files.len(), spill.bytes()), (0, 0));
        let again = spill.write(b"again", now).unwrap();
        assert_eq!(spill.read(&again).unwrap(), &b"again"[..]);
    }

    #[test]
    fn a_disk_that_fails_is_left_alone_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("file");
        std::fs::write(&taken, b"").unwrap();
        let (mut spill, now) = (Spill::new(&taken, 1 << 20), Instant::now());
        assert!(matches!(spill.write(b"x", now), Err(Refused::Failed)));
        assert!(matches!(spill.write(b"x", now), Err(Refused::Full)));
        std::fs::remove_file(&taken).unwrap();
        assert!(spill.write(b"x", now + PAUSE).is_ok());
    }
}
