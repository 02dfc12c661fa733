//! Dead letters: records that were refused for good, kept where a person can read them.
//!
//! One JSON line each, durable before the receipt resolves, bounded in bytes and age from the first day.

mod letter;
mod read;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::buffer::{MinFree, Shortage};
use crate::component::clock;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::event::{Batch, Outcome, View};

pub use letter::Letter;
pub use read::{Line, Lines};

/// Bytes all dead letters may take together.
const MAX_BYTES: u64 = 256 << 20;
/// How long a dead letter is kept.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);
/// A file is closed at this size and the next begun, so that old ones can go.
const FILE_BYTES: u64 = 16 << 20;
/// A file is closed at this age too: it goes when its last letter is past its age.
const FILE_AGE: Duration = Duration::from_hours(24);

/// The dead-letter folder.
#[derive(Debug)]
pub struct DeadLetters {
    dir: PathBuf,
    max_bytes: u64,
    /// What of the file system is others'.
    min_free: Option<MinFree>,
    shortage: Mutex<Shortage>,
    open: Mutex<Option<Open>>,
    /// Whoever sends letters again has it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// Nanoseconds since the Unix epoch.
    begun: i64,
}

impl Open {
    /// Must the next lines go into another file? Also where somebody removed it: they would be lost.
    fn is_over(&self, more: u64) -> bool {
        let is_removed = self.file.metadata().is_ok_and(|about| about.nlink() == 0);
        is_removed || self.bytes + more > FILE_BYTES || clock::now() - self.begun > FILE_AGE.as_nanos() as i64
    }

    /// What a write that failed has left is cut off: its records are offered again.
    fn cut_off(&self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_data()
    }
}

impl DeadLetters {
    /// Dead letters in `dir`, which is made, in a folder that is there, when the first one comes.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            max_bytes: MAX_BYTES,
            min_free: None,
            shortage: Mutex::new(Shortage::LETTERS),
            open: Mutex::default(),
            turn: Arc::default(),
        }
    }

    /// With another bound in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// With a file system that others need a part of: with less free they are full.
    #[must_use]
    pub fn with_min_free(mut self, min_free: MinFree) -> Self {
        self.min_free = Some(min_free);
        self
    }

    /// Writes all records of `batch`, as they stand, and counts them for the component of `meters`. Gives the
    /// outcome for their receipts: [`Outcome::Failed`] where the disk refuses, so that the source offers them again.
    /// Blocks until they are on disk.
    pub fn write(&self, batch: &Batch, (code, reason): (&str, &str), meters: &Meters) -> Outcome {
        self.write_each(batch.iter().map(|view| (view, code, reason)), meters)
    }

    /// See [`write`](Self::write); each record with its code and reason. One write, however many there are.
    pub(crate) fn write_each<'a>(
        &self,
        letters: impl Iterator<Item = (View<'a>, &'a str, &'a str)>,
        meters: &Meters,
    ) -> Outcome {
        let mut lines = Vec::new();
        let mut count = 0;
        for (view, code, reason) in letters {
            let letter = Letter::of(view, (code, reason), &meters.label().id);
            serde_json::to_writer(&mut lines, &letter).expect("strings are JSON");
            lines.push(b'\n');
            count += 1;
        }
        match if self.is_short(meters) { Ok(false) } else { self.append(&lines) } {
            Ok(true) => {
                meters.discarded(Reason::Rejected, count);
                Outcome::DeadLettered
            }
            Ok(false) => {
                meters.discarded(Reason::DeadLetterLost, count);
                tracing::error!(component_id = meters.label().id, count, "dead letters are full: records dropped");
                Outcome::Dropped
            }
            Err(error) => {
                meters.error("dead_letter_write");
                tracing::error!(%error, dir = %self.dir.display(), "cannot write dead letters; the records will be offered again");
                Outcome::Failed
            }
        }
    }

    /// Is less than `min_free` free? A file system that does not tell is told of by the write.
    fn is_short(&self, meters: &Meters) -> bool {
        let Some((min_free, space)) = self.min_free.as_ref().and_then(|min| Some((min, min.look().ok()?))) else {
            return false;
        };
        self.shortage.lock().unwrap_or_else(PoisonError::into_inner).note(space, min_free.folder(), meters);
        space.is_short()
    }

    /// Adds lines to the open file; `false`: there is no room for them.
    fn append(&self, lines: &[u8]) -> io::Result<bool> {
        let more = lines.len() as u64;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_none_or(|open| open.is_over(more)) {
            *open = None;
            self.remove_old()?;
        }
        if self.size()? + more > self.max_bytes {
            return Ok(false);
        }
        let current = match open.as_mut() {
            Some(open) => open,
            None => open.insert(self.begin()?),
        };
        let written = current.file.write_all(lines).and_then(|()| current.file.sync_data());
        if written.is_ok() {
            current.bytes += more;
        } else if current.cut_off().is_err() {
            // A torn line must not be continued.
            *open = None;
        }
        written.map(|()| true)
    }

    fn begin(&self) -> io::Result<Open> {
        if fs::DirBuilder::new().mode(0o700).create(&self.dir).is_ok()
            && let Some(parent) = self.dir.parent()
        {
            File::open(parent)?.sync_all()?;
        }
        let begun = clock::now();
        let path = self.dir.join(format!("{begun:020}.jsonl"));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(Open { bytes: file.metadata()?.len(), file, begun })
    }

    /// Removes files whose last letter is past its age.
    fn remove_old(&self) -> io::Result<()> {
        let oldest = clock::now() - (MAX_AGE + FILE_AGE).as_nanos() as i64;
        for path in self.files()? {
            let begun = path.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok());
            if begun.is_some_and(|begun| begun < oldest) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let size = |path: PathBuf| path.metadata().map(|meta| meta.len());
        self.files()?.into_iter().map(size).sum()
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.retain(|path| path.extension() == Some(Path::new("jsonl").as_os_str()));
        files.sort();
        Ok(files)
    }
}
