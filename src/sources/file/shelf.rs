//! The files that keep positions: versioned, with a checksum, replaced in one step, the last generation kept.
//!
//! What a later version wrote is left alone: this one then writes beside it, under a name with its own version, and the
//! version that knows both reads both when it returns.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fingerprint::hash;
use super::positions::Entry;
use crate::component::fail;

/// The version this program writes. It reads this and all before.
const VERSION: u32 = 2;

/// What the files are called, without their version.
const NAME: &str = "positions";

/// Why positions were not loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// It is there and cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Io(PathBuf, io::Error),
}

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) entries: Vec<Entry>,
    /// What a later version wrote and was not read.
    pub(super) newer: Option<PathBuf>,
}

/// The folder where positions are kept.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    /// Is the main row a later version's, so that this one writes beside it?
    is_beside: AtomicBool,
    /// Is there anything beside that is to go when the main row has it?
    is_double: AtomicBool,
}

#[derive(Serialize, Deserialize)]
struct Document<'a> {
    version: u32,
    /// Of `files`, byte for byte.
    checksum: u64,
    #[serde(borrow)]
    files: &'a RawValue,
}

/// One row of files: what was saved last, what was saved before, what is being saved.
struct Row([PathBuf; 3]);

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, is_beside: AtomicBool::new(false), is_double: AtomicBool::new(false) }
    }

    /// Can files be written here? Makes the folder.
    pub(super) fn probe(&self) -> Result<(), String> {
        let probe = self.folder.join("probe");
        let tried = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .and_then(|()| fs::write(&probe, b""))
            .and_then(|()| fs::remove_file(&probe));
        tried.map_err(|error| {
            let folder = self.folder.display();
            format!(
                "cannot keep positions in `{folder}`: {error}; give `data_dir` a folder that this user may write to"
            )
        })?;
        self.load().map_or_else(|error| Err(error.to_string()), |_| Ok(()))
    }

    /// What was saved last, in every row that this version can read. A damaged file gives way to the generation before it,
    /// and that to nothing.
    pub(super) fn load(&self) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded::default();
        self.main().load(&mut loaded)?;
        self.is_beside.store(loaded.newer.is_some(), Ordering::Release);
        let of_main = loaded.entries.len();
        for version in 1..=VERSION {
            self.beside(version).load(&mut loaded)?;
        }
        if loaded.entries.len() > of_main {
            self.is_double.store(true, Ordering::Release);
            // What is in both rows counts as far as it came.
            loaded.entries.sort_by_key(|entry| (entry.key, std::cmp::Reverse(entry.at.offset)));
            loaded.entries.dedup_by_key(|entry| entry.key);
        }
        Ok(loaded)
    }

    /// Replaces what is saved. Durable on return.
    pub(super) fn save(&self, entries: &[Entry]) -> io::Result<()> {
        let files = RawValue::from_string(serde_json::to_string(entries)?)?;
        let document = Document { version: VERSION, checksum: hash(files.get().as_bytes()), files: &files };
        let is_beside = self.is_beside.load(Ordering::Acquire);
        let row = if is_beside { self.beside(VERSION) } else { self.main() };
        row.save(&serde_json::to_vec(&document)?)?;
        File::open(&self.folder)?.sync_all()?;
        if !is_beside && self.is_double.load(Ordering::Acquire) {
            self.clear_beside()?;
            self.is_double.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn main(&self) -> Row {
        Row::new(&self.folder, NAME)
    }

    fn beside(&self, version: u32) -> Row {
        Row::new(&self.folder, &format!("{NAME}.v{version}"))
    }

    /// What stands beside is in the main row by now.
    fn clear_beside(&self) -> io::Result<()> {
        for path in (1..=VERSION).flat_map(|version| self.beside(version).0) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Row {
    fn new(folder: &Path, name: &str) -> Self {
        Self([".json", ".previous.json", ".next.json"].map(|end| folder.join(format!("{name}{end}"))))
    }

    fn load(&self, loaded: &mut Loaded) -> Result<(), LoadError> {
        let Self([current, previous, _]) = self;
        for path in [current, previous] {
            let text = match fs::read(path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(LoadError::Io(path.clone(), error)),
            };
            match parse(&text) {
                Ok(entries) => {
                    loaded.entries.extend(entries);
                    break;
                }
                Err(Unread::Newer) => {
                    loaded.newer = Some(path.clone());
                    break;
                }
                Err(Unread::Damaged) => {
                    tracing::warn!(path = %path.display(), "positions are damaged, taking an older generation");
                }
            }
        }
        Ok(())
    }

    fn save(&self, text: &[u8]) -> io::Result<()> {
        let Self([current, previous, next]) = self;
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(next)?;
        file.write_all(text)?;
        file.sync_all()?;
        fail::reach("positions_synced");
        match fs::rename(current, previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fail::reach("positions_rename");
        fs::rename(next, current)?;
        fail::reach("positions_renamed");
        Ok(())
    }
}

enum Unread {
    Damaged,
    Newer,
}

fn version(text: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    Some(serde_json::from_slice::<Head>(text).ok()?.version)
}

fn parse(text: &[u8]) -> Result<Vec<Entry>, Unread> {
    if version(text).ok_or(Unread::Damaged)? > VERSION {
        return Err(Unread::Newer);
    }
    let document: Document<'_> = serde_json::from_slice(text).map_err(|_| Unread::Damaged)?;
    if hash(document.files.get().as_bytes()) != document.checksum {
        return Err(Unread::Damaged);
    }
    serde_json::from_str(document.files.get()).map_err(|_| Unread::Damaged)
}
