//! Reading dead letters, and letting go of those that have arrived after all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use tokio::sync::OwnedMutexGuard;

use super::DeadLetters;

/// What a file is called while it is written anew.
const ANEW: &str = "anew";

/// The lines of a file, in order.
#[derive(Debug)]
pub struct Lines {
    from: BufReader<File>,
    number: usize,
}

/// A line of a file: its number, from 0, and its bytes without the end.
pub type Line = (usize, Vec<u8>);

impl DeadLetters {
    /// The files, the oldest first.
    ///
    /// # Errors
    /// The folder cannot be read; that it is not there yet is none.
    pub fn list(&self) -> io::Result<Vec<PathBuf>> {
        self.files()
    }

    /// The files, none of which grows any more: what comes from now on goes into another.
    ///
    /// # Errors
    /// As of [`list`](Self::list).
    pub fn seal(&self) -> io::Result<Vec<PathBuf>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = None;
        self.files()
    }

    /// The right to send letters again, which one has at a time: two would take out each other's lines. None while
    /// another has it.
    pub fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        self.turn.clone().try_lock_owned().ok()
    }

    /// Takes these lines, by their numbers in ascending order, out of a file that does not grow, if it is still the one
    /// that was `read`. Blocks until that is durable.
    ///
    /// # Errors
    /// The file cannot be written anew, or is another by now; then it is as it was. That it is gone is none.
    pub fn forget(&self, path: &Path, read: &File, lines: &[usize]) -> io::Result<()> {
        let _one_by_one = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut from = match Lines::of(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            from => from?,
        };
        if number(from.from.get_ref())? != number(read)? {
            return Err(io::Error::other(format!(
                "`{}` was written anew by somebody else: what arrived stays in it too",
                path.display()
            )));
        }
        let anew = path.with_extension(ANEW);
        let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&anew)?;
        let (mut gone, mut kept) = (lines.iter().copied().peekable(), 0_usize);
        while let Some((number, mut line)) = from.next()? {
            if gone.next_if_eq(&number).is_none() {
                line.push(b'\n');
                to.write_all(&line)?;
                kept += 1;
            }
        }
        to.sync_all()?;
        if kept == 0 {
            fs::remove_file(path)?;
            fs::remove_file(&anew)?;
        } else {
            fs::rename(&anew, path)?;
        }
        File::open(&self.dir)?.sync_all()
    }
}

impl Lines {
    /// The lines of the file at `path`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { from: BufReader::new(File::open(path)?), number: 0 })
    }

    /// The file itself, by which [`DeadLetters::forget`] knows it.
    ///
    /// # Errors
    /// The process may open no more files.
    pub fn file(&self) -> io::Result<File> {
        self.from.get_ref().try_clone()
    }

    /// Lines of about `bytes` together, at least one; none at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn take(&mut self, bytes: usize) -> io::Result<Vec<Line>> {
        let (mut lines, mut sum) = (Vec::new(), 0);
        while sum < bytes
            && let Some(line) = self.next()?
        {
            sum += line.1.len();
            lines.push(line);
        }
        Ok(lines)
    }

    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        if self.from.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        line.pop_if(|byte| *byte == b'\n');
        self.number += 1;
        Ok(Some((self.number - 1, line)))
    }
}

/// Which file it is: no other has its number while it is open.
fn number(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|about| (about.dev(), about.ino()))
}
