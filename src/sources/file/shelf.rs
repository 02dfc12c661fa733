//! The file that keeps positions: versioned, with a checksum, replaced in one step, its last generation kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fingerprint::hash;
use super::positions::Entry;

/// The version this program writes and reads.
const VERSION: u32 = 1;

const CURRENT: &str = "positions.json";
const PREVIOUS: &str = "positions.previous.json";
const NEXT: &str = "positions.next.json";

/// Why positions were not loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// It is there and cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Io(PathBuf, io::Error),
    /// A later program wrote it.
    #[error(
        "`{0}` has version {1}, expected {VERSION}; run the version that wrote it, or move the file away to start anew"
    )]
    Newer(PathBuf, u32),
}

/// The folder where positions are kept.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Document<'a> {
    version: u32,
    /// Of `files`, byte for byte.
    checksum: u64,
    #[serde(borrow)]
    files: &'a RawValue,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Can files be written here? Makes the folder.
    pub(super) fn probe(&self) -> Result<(), String> {
        let probe = self.folder.join("probe");
        let tried = fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&probe, b""))
            .and_then(|()| fs::remove_file(&probe));
        tried.map_err(|error| {
            let folder = self.folder.display();
            format!(
                "cannot keep positions in `{folder}`: {error}; give `data_dir` a folder that this user may write to"
            )
        })?;
        match self.load() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What was saved last. A damaged file gives way to the generation before it, and that to nothing.
    pub(super) fn load(&self) -> Result<Vec<Entry>, LoadError> {
        for name in [CURRENT, PREVIOUS] {
            let path = self.folder.join(name);
            let text = match fs::read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(LoadError::Io(path, error)),
            };
            match parse(&text) {
                Ok(entries) => return Ok(entries),
                Err(Unread::Newer(version)) => return Err(LoadError::Newer(path, version)),
                Err(Unread::Damaged) => {
                    tracing::warn!(path = %path.display(), "positions are damaged, taking an older generation");
                }
            }
        }
        Ok(Vec::new())
    }

    /// Replaces what is saved. Durable on return.
    pub(super) fn save(&self, entries: &[Entry]) -> io::Result<()> {
        let files = RawValue::from_string(serde_json::to_string(entries)?)?;
        let document = Document { version: VERSION, checksum: hash(files.get().as_bytes()), files: &files };
        let text = serde_json::to_vec(&document)?;
        let [current, previous, next] = [CURRENT, PREVIOUS, NEXT].map(|name| self.folder.join(name));
        let mut file = File::create(&next)?;
        file.write_all(&text)?;
        file.sync_all()?;
        match fs::rename(&current, &previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::rename(&next, &current)?,
        }
        File::open(&self.folder)?.sync_all()
    }
}

enum Unread {
    Damaged,
    Newer(u32),
}

fn parse(text: &[u8]) -> Result<Vec<Entry>, Unread> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let head: Head = serde_json::from_slice(text).map_err(|_| Unread::Damaged)?;
    if head.version > VERSION {
        return Err(Unread::Newer(head.version));
    }
    let document: Document<'_> = serde_json::from_slice(text).map_err(|_| Unread::Damaged)?;
    if hash(document.files.get().as_bytes()) != document.checksum {
        return Err(Unread::Damaged);
    }
    serde_json::from_str(document.files.get()).map_err(|_| Unread::Damaged)
}
