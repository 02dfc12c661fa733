//! Watching folders: the kernel tells of new files and of writes, so that both are seen at once. Where it refuses,
//! the looks at fixed times remain.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::ModifyKind;
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::job::{FileId, Letter, Note};
use super::mailbox::Mailbox;

/// Who is told that a file was written to.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) id: FileId,
    pub(super) lane: Arc<Mailbox<Letter>>,
    /// Set while the lane has been told and has not looked yet: a busy writer wakes it once.
    pub(super) is_told: Arc<AtomicBool>,
}

/// Whom writes to a path concern.
enum Concern {
    /// The lane that has the file.
    Lane(Route),
    /// The thread that looks for files: this one is closed until it is written to.
    Looker(FileId),
}

impl Concern {
    fn id(&self) -> FileId {
        match self {
            Self::Lane(route) => route.id,
            Self::Looker(id) => *id,
        }
    }
}

type Routes = Arc<Mutex<HashMap<PathBuf, Concern>>>;

/// A watch on folders.
pub(super) struct Watch {
    watcher: Option<Box<dyn Watcher + Send>>,
    /// The folders that are watched, with their inodes: one that was made anew is watched anew.
    folders: HashMap<PathBuf, u64>,
    routes: Routes,
    /// Does the kernel not tell of all changes?
    is_degraded: bool,
}

impl Watch {
    /// Rings `notes` when files come, go or move.
    pub(super) fn new(notes: Arc<Mailbox<Note>>) -> Self {
        let routes = Routes::default();
        let told = routes.clone();
        let watcher = RecommendedWatcher::new(move |event| heard(event, &told, &notes), Config::default());
        let mut watch = Self { watcher: None, folders: HashMap::new(), routes, is_degraded: false };
        match watcher {
            Ok(watcher) => watch.watcher = Some(Box::new(watcher)),
            Err(error) => watch.report(&error),
        }
        watch
    }

    /// One that the kernel refused.
    #[cfg(test)]
    pub(super) fn blind() -> Self {
        Self { watcher: None, folders: HashMap::new(), routes: Routes::default(), is_degraded: true }
    }

    /// Watches these folders and no others. Returns how many could not be watched.
    pub(super) fn folders(&mut self, wanted: &HashSet<PathBuf>) -> usize {
        let Some(mut watcher) = self.watcher.take() else { return wanted.len() };
        self.folders.retain(|folder, _| {
            let is_wanted = wanted.contains(folder);
            if !is_wanted {
                // The kernel has dropped the watch by itself if the folder is gone.
                let _ = watcher.unwatch(folder);
            }
            is_wanted
        });
        let mut failed = 0;
        for folder in wanted {
            let Ok(inode) = std::fs::metadata(folder).map(|about| about.ino()) else { continue };
            if self.folders.get(folder) == Some(&inode) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(folder.clone(), inode)),
                Err(error) => {
                    failed += 1;
                    self.report(&error);
                }
            }
        }
        self.watcher = Some(watcher);
        if failed == 0 && std::mem::take(&mut self.is_degraded) {
            tracing::info!("all folders are watched again");
        }
        failed
    }

    /// Does the kernel not tell of all changes, so that one has to look?
    pub(super) fn is_degraded(&self) -> bool {
        self.is_degraded
    }

    /// From now on the lane of `route` hears of writes to `path`.
    pub(super) fn route(&self, path: PathBuf, route: Route) {
        self.lock().insert(path, Concern::Lane(route));
    }

    /// From now on a write to the file `id` has files looked for.
    pub(super) fn park(&self, id: FileId) {
        self.lock()
            .values_mut()
            .filter(|concern| concern.id() == id)
            .for_each(|concern| *concern = Concern::Looker(id));
    }

    /// Nobody hears of writes to the file `id` any more.
    pub(super) fn forget(&self, id: FileId) {
        self.lock().retain(|_, concern| concern.id() != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Concern>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&mut self, error: &notify::Error) {
        if !std::mem::replace(&mut self.is_degraded, true) {
            tracing::warn!(%error, "cannot watch all folders: they are looked at every second instead; raise `fs.inotify.max_user_watches` or `max_user_instances`");
        }
    }
}

fn heard(event: notify::Result<Event>, routes: &Routes, notes: &Mailbox<Note>) {
    let Ok(event) = event else { return notes.ring() };
    if event.need_rescan() {
        notes.post(Note::Overflowed);
    }
    match event.kind {
        EventKind::Access(_) => {}
        EventKind::Modify(ModifyKind::Data(_)) => event.paths.iter().for_each(|path| tell(path, routes, notes)),
        _ => notes.ring(),
    }
}

fn tell(path: &Path, routes: &Routes, notes: &Mailbox<Note>) {
    let routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
    let route = match routes.get(path) {
        Some(Concern::Lane(route)) => route,
        Some(Concern::Looker(_)) => return notes.ring(),
        None => return,
    };
    if !route.is_told.swap(true, Ordering::AcqRel) {
        route.lane.post(Letter::Touched(route.id));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sources::file::tests::append;

    fn wait(mut is_met: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !is_met() {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nobody was told");
            std::thread::park_timeout(left);
        }
    }

    /// A kernel that has no more watches, until it has.
    #[derive(Debug, Default)]
    struct Meagre(Arc<AtomicBool>);

    impl Watcher for Meagre {
        fn new<F: notify::EventHandler>(_: F, _: Config) -> notify::Result<Self> {
            Ok(Self::default())
        }

        fn watch(&mut self, _: &Path, _: RecursiveMode) -> notify::Result<()> {
            let has_room = self.0.load(Ordering::Acquire);
            if has_room { Ok(()) } else { Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)) }
        }

        fn unwatch(&mut self, _: &Path) -> notify::Result<()> {
            Ok(())
        }

        fn kind() -> notify::WatcherKind {
            notify::WatcherKind::NullWatcher
        }
    }

    #[test]
    fn folders_that_cannot_be_watched_are_looked_at_until_they_can() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = HashSet::from([folder.path().to_owned()]);
        let kernel = Meagre::default();
        let has_room = kernel.0.clone();
        let mut watch = Watch { watcher: Some(Box::new(kernel)), is_degraded: false, ..Watch::blind() };
        assert_eq!((watch.folders(&wanted), watch.is_degraded()), (1, true));
        assert_eq!((watch.folders(&wanted), watch.is_degraded()), (1, true), "tried at every look");
        has_room.store(true, Ordering::Release);
        assert_eq!((watch.folders(&wanted), watch.is_degraded()), (0, false));
    }

    #[test]
    fn a_queue_that_overflowed_has_all_files_looked_at_and_says_so() {
        let notes = Mailbox::default();
        let event = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        heard(Ok(event), &Routes::default(), &notes);
        assert!(notes.was_rung());
        let mut letters = Vec::new();
        notes.take(&mut letters);
        assert!(matches!(letters[..], [Note::Overflowed]), "{letters:?}");
    }

    #[test]
    fn tells_of_new_files_and_once_of_writes() {
        let folder = tempfile::tempdir().unwrap();
        let (notes, lane) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        notes.open();
        lane.open();
        let mut watch = Watch::new(notes.clone());
        assert_eq!(watch.folders(&HashSet::from([folder.path().to_owned()])), 0);
        let path = folder.path().join("a.log");
        append(&path, b"");
        wait(|| notes.was_rung());
        let is_told = Arc::new(AtomicBool::new(false));
        watch.route(path.clone(), Route { id: 7, lane: lane.clone(), is_told: is_told.clone() });
        let mut letters = Vec::new();
        append(&path, b"one\n");
        append(&path, b"two\n");
        wait(|| {
            lane.take(&mut letters);
            !letters.is_empty()
        });
        assert!(matches!(letters[..], [Letter::Touched(7)]), "{letters:?}");
        assert!(is_told.load(Ordering::Acquire));
        notes.was_rung();
        watch.park(7);
        append(&path, b"three\n");
        wait(|| notes.was_rung());
    }
}
