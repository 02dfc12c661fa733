//! Which sources are paused. Kept in the state folder: a person's word outlives a reload and a restart.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::component::meters::Meters;
use crate::component::pause::{Pause, Paused};

/// The file in the state folder.
const FILE: &str = "paused.json";
const NEXT: &str = "paused.next.json";
/// The version this program writes and reads.
const VERSION: u32 = 1;

/// Which sources are paused; a clone tells of the same. The default keeps nothing on disk.
#[derive(Clone, Debug, Default)]
pub struct Pauses(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    folder: Option<PathBuf>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    kept: BTreeMap<String, Paused>,
    sources: HashMap<String, (Pause, Meters)>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    paused: BTreeMap<String, Paused>,
}

impl Pauses {
    /// What is kept in `folder`. A file that cannot be read pauses nothing, which is told of.
    pub(super) fn open(folder: &Path) -> Self {
        let kept = load(&folder.join(FILE)).unwrap_or_else(|why| {
            tracing::error!("{why}: every source reads; say `levada pause ID` again where one must not");
            BTreeMap::new()
        });
        let table = Table { kept, sources: HashMap::new() };
        Self(Arc::new(Inner { folder: Some(folder.to_owned()), table: Mutex::new(table) }))
    }

    /// The pause of a source, the same for whoever has its id.
    pub(super) fn of(&self, meters: &Meters) -> Pause {
        let mut table = self.lock();
        let id = &meters.label().id;
        if let Some((pause, _)) = table.sources.get(id) {
            return pause.clone();
        }
        let (pause, state) = (Pause::default(), table.kept.get(id).copied());
        pause.set(state);
        meters.paused(state.is_some());
        if state.is_some() {
            tracing::warn!(component_id = id, "the source is paused and reads nothing; `levada resume {id}` ends that");
        }
        table.sources.insert(id.clone(), (pause.clone(), meters.clone()));
        pause
    }

    /// Whether the source `id` is paused, also one that does not run.
    pub fn state(&self, id: &str) -> Option<Paused> {
        self.lock().kept.get(id).copied()
    }

    /// Pauses the source `id`, or has it read again with `None`; tells whether that changes anything. Durable on return.
    ///
    /// # Errors
    /// If it cannot be kept: then nothing has changed.
    pub fn set(&self, id: &str, state: Option<Paused>) -> io::Result<bool> {
        let mut table = self.lock();
        if table.kept.contains_key(id) == state.is_some() {
            return Ok(false);
        }
        let mut kept = table.kept.clone();
        match state {
            Some(state) => drop(kept.insert(id.to_owned(), state)),
            None => drop(kept.remove(id)),
        }
        if let Some(folder) = &self.0.folder {
            save(folder, &kept)?;
        }
        table.kept = kept;
        if let Some((pause, meters)) = table.sources.get(id) {
            pause.set(state);
            meters.paused(state.is_some());
        }
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(path: &Path) -> Result<BTreeMap<String, Paused>, String> {
    let failed =
        |why: &dyn std::fmt::Display| format!("cannot read which sources are paused, `{}`: {why}", path.display());
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(&error)),
    };
    let document: Document = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    match document.version {
        VERSION => Ok(document.paused),
        other => Err(failed(&format!("it has version {other}, expected {VERSION}"))),
    }
}

/// Replaces what is kept, in one step.
fn save(folder: &Path, paused: &BTreeMap<String, Paused>) -> io::Result<()> {
    let (next, current) = (folder.join(NEXT), folder.join(FILE));
    let document = Document { version: VERSION, paused: paused.clone() };
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(&serde_json::to_vec(&document)?)?;
    file.sync_all()?;
    fs::rename(&next, &current)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::test_kit::meters;

    const BY: Option<Paused> = Some(Paused { since: 1_700_000_000_000_000_000, uid: Some(7), pid: Some(8) });

    #[test]
    fn a_pause_outlives_the_process_and_ends_once() {
        let folder = tempfile::tempdir().unwrap();
        let pauses = Pauses::open(folder.path());
        let pause = pauses.of(&meters());
        assert!(pauses.set("it", BY).unwrap() && pause.is_on());
        assert!(!pauses.set("it", Some(Paused::default())).unwrap(), "it is paused already");
        assert!(pauses.set("other", BY).unwrap(), "also one that does not run");
        let next = Pauses::open(folder.path());
        assert_eq!((next.state("it"), next.of(&meters()).state()), (BY, BY));
        assert!(next.set("it", None).unwrap() && !next.set("it", None).unwrap());
        assert!(next.state("other").is_some());
        assert!(!Pauses::open(folder.path()).of(&meters()).is_on());
    }

    #[test]
    fn a_pause_that_cannot_be_kept_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let pauses = Pauses::open(&folder.path().join("gone"));
        let pause = pauses.of(&meters());
        pauses.set("it", BY).unwrap_err();
        assert!(!pause.is_on() && pauses.state("it").is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_pauses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "{\"version\":2,\"paused\":{\"it\":{\"since\":1}}}"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(load(&folder.path().join(FILE)).is_err(), "{text}");
            assert!(!Pauses::open(folder.path()).of(&meters()).is_on());
        }
    }
}
