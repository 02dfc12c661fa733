//! Opening files below a folder, one name at a time, without following a link.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, fsync, mkdirat, openat, statat};
use rustix::io::Errno;

/// A file that lines are appended to, and where it stands.
#[derive(Debug)]
pub(super) struct Place {
    folder: OwnedFd,
    name: String,
    pub(super) file: File,
}

/// Opens `path` below `base` for appending; makes what is missing.
///
/// `base` is the administrator's: it may be a link. Below it records choose names, and nobody else's link may lead
/// them elsewhere.
pub(super) fn open(base: &Path, path: &str) -> io::Result<Place> {
    DirBuilder::new().recursive(true).mode(0o700).create(base)?;
    let as_folder = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let mut folder = openat(CWD, base, as_folder, Mode::empty())?;
    let (names, name) = path.rsplit_once('/').map_or(("", path), |(names, name)| (names, name));
    for name in names.split('/').filter(|name| !name.is_empty()) {
        match mkdirat(&folder, name, Mode::RWXU) {
            Ok(()) => fsync(&folder)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = openat(&folder, name, as_folder | OFlags::NOFOLLOW, Mode::empty())?;
    }
    // Without NONBLOCK a named pipe in the place of the file would wait for a reader.
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(Errno::NXIO.into());
    }
    fsync(&folder)?;
    Ok(Place { folder, name: name.to_owned(), file: File::from(file) })
}

/// Opens the file at `path` below `base`, if there is one, to compare it with what was written; follows no link.
pub(super) fn existing(base: &Path, path: &str) -> io::Result<File> {
    let as_folder = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let mut folder = openat(CWD, base, as_folder, Mode::empty())?;
    let (names, name) = path.rsplit_once('/').map_or(("", path), |(names, name)| (names, name));
    for name in names.split('/').filter(|name| !name.is_empty()) {
        folder = openat(&folder, name, as_folder | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&folder, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(Errno::NXIO.into());
    }
    Ok(File::from(file))
}

impl Place {
    /// Is the file still what stands at its path? Rotated away or removed it would keep lines that nobody finds.
    pub(super) fn is_there(&self) -> bool {
        let ours = fstat(&self.file);
        let there = statat(&self.folder, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        matches!((ours, there), (Ok(ours), Ok(there)) if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino))
    }
}
