//! Reading dead letters, and letting go of those that have arrived after all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

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

    /// Takes these lines, by their numbers in ascending order, out of a file that does not grow. Blocks until that is
    /// durable.
    ///
    /// # Errors
    /// The file cannot be written anew; then it is as it was. That it is gone is none.
    pub fn forget(&self, path: &Path, lines: &[usize]) -> io::Result<()> {
        let _one_by_one = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut from = match Lines::of(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            from => from?,
        };
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
