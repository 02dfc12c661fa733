//! Discovery: which files there are, who follows each, and which are gone.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::board::Bounds;
use super::claim::Found;
use super::input::{node, seen};
use super::job::{FileId, Job, Letter, Note};
use super::links;
use super::mailbox::Mailbox;
use super::positions::{Entry, Node, has_left};
use super::rotated::Families;
use super::search::Listing;
use super::settings::Drain;
use super::tail::{Seen, Tail};
use super::watch::{Route, Watch};
use crate::component::clock;
use crate::component::file_meters::Abandoned;
use crate::component::signal::Stop;

/// How often positions are saved, if they changed.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How often all is looked at where the kernel does not tell of changes.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Shortest rest between two looks for files.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// Looks for files and hands them to lanes.
pub(super) struct Discovery {
    pub(super) job: Arc<Job>,
    lanes: Vec<Arc<Mailbox<Letter>>>,
    pub(super) live: HashMap<Node, Live>,
    pub(super) nodes: HashMap<FileId, Node>,
    /// Files that are not to be read, as they stood: copies of others, and what was rotated before the first look.
    pub(super) passed: HashMap<Node, Seen>,
    /// Files whose entries are not durable yet.
    pub(super) waiting: Vec<(FileId, Found, Entry)>,
    /// What is left of files that were truncated, with the lanes that have it.
    pub(super) orphans: HashMap<FileId, Arc<Mailbox<Letter>>>,
    /// The file of each path that was found there last.
    newest: HashMap<PathBuf, FileId>,
    /// What cannot be read and was told of.
    reported: HashSet<PathBuf>,
    pub(super) families: Families,
    watch: Watch,
    bounds: Bounds,
    pub(super) is_first: bool,
    /// When it began, in nanoseconds since the Unix epoch.
    pub(super) started: i64,
    /// Did anyone tell of a change since the last look?
    is_asked: bool,
    scanned: Option<Instant>,
    /// How long to rest after a look, so that looking takes a small share of the time.
    rest: Duration,
    saved: Instant,
    /// Was it told that positions cannot be saved?
    is_unsaved: bool,
}

/// A file that is known.
pub(super) struct Live {
    pub(super) route: Route,
    pub(super) path: PathBuf,
    /// Has it left its place: does no path show it, or only one that it was rotated to?
    pub(super) has_left: bool,
    /// It is closed, and stood so then.
    pub(super) closed: Option<Seen>,
}

impl Discovery {
    pub(super) fn new(job: Arc<Job>, lanes: Vec<Arc<Mailbox<Letter>>>) -> Self {
        let watch = Watch::new(job.notes.clone());
        Self::with_watch(job, lanes, watch)
    }

    pub(super) fn with_watch(job: Arc<Job>, lanes: Vec<Arc<Mailbox<Letter>>>, watch: Watch) -> Self {
        let tailing = &job.tailing;
        Self {
            watch,
            bounds: Bounds {
                open_files: tailing.max_open_files.unwrap_or_else(links::default_open_files),
                deleted_files: tailing.max_deleted_open_files,
                deleted_bytes: tailing.max_deleted_open_bytes,
            },
            job,
            lanes,
            live: HashMap::new(),
            nodes: HashMap::new(),
            passed: HashMap::new(),
            waiting: Vec::new(),
            orphans: HashMap::new(),
            newest: HashMap::new(),
            started: clock::now(),
            reported: HashSet::new(),
            families: Families::default(),
            is_first: true,
            is_asked: false,
            scanned: None,
            rest: SHORTEST_REST,
            saved: Instant::now(),
            is_unsaved: false,
        }
    }

    /// Looks for files until `stop`.
    pub(super) fn run(mut self, stop: &Stop) {
        let waker = self.job.notes.clone().into();
        stop.leave(&waker);
        if !self.load(stop) {
            return;
        }
        while stop.deadline().is_none() {
            self.step(Instant::now());
            std::thread::park_timeout(self.pause());
        }
        if self.job.tailing.drain == Drain::ReadToEnd {
            self.finish(Instant::now());
        }
    }

    /// Looks if it is time, and saves if it is time.
    pub(super) fn step(&mut self, now: Instant) {
        self.read_notes();
        if self.is_scan_due() {
            self.scan();
        }
        self.save(now);
    }

    /// Looks and saves, whenever it was done last.
    #[cfg(test)]
    pub(super) fn look_now(&mut self, now: Instant) {
        self.read_notes();
        self.scan();
        self.save(now);
    }

    /// The last look before the end: what is there now is all that is read.
    pub(super) fn finish(&mut self, now: Instant) {
        self.read_notes();
        self.scan();
        self.save(now);
        self.lanes.iter().for_each(|lane| lane.post(Letter::Last));
    }

    /// Is it time to look, or did anyone tell of a change and some rest follow the last look?
    fn is_scan_due(&mut self) -> bool {
        self.is_asked |= self.job.notes.was_rung();
        let since = self.scanned.map(|at| at.elapsed());
        since.is_none_or(|since| since >= self.poll() || (self.is_asked && since >= self.rest))
    }

    fn poll(&self) -> Duration {
        if self.watch.is_degraded() { self.job.pace.poll.min(POLL_EVERY) } else { self.job.pace.poll }
    }

    /// How long there is nothing to do.
    fn pause(&self) -> Duration {
        let next_scan = if self.is_asked { self.rest } else { self.poll() };
        let since = self.scanned.map_or(Duration::ZERO, |at| at.elapsed());
        next_scan.saturating_sub(since).min(SAVE_EVERY)
    }

    /// Reads the positions, however often it takes; false if the end came first.
    fn load(&self, stop: &Stop) -> bool {
        while stop.deadline().is_none() {
            match self.load_once() {
                Ok(()) => return true,
                Err(error) => {
                    self.job.meters.error("positions_not_loaded");
                    tracing::error!(%error, "cannot load positions, no file is read before that");
                    std::thread::park_timeout(Duration::from_secs(10));
                }
            }
        }
        false
    }

    pub(super) fn load_once(&self) -> Result<(), super::shelf::LoadError> {
        if self.job.tailing.ignore_checkpoints {
            return Ok(());
        }
        if let Some(newer) = self.job.positions.load()? {
            self.job.meters.error("positions_newer");
            tracing::error!(
                path = %newer.display(),
                "these positions are of a later version and left alone: files are read as if they were new, and positions \
                 kept beside; the later version reads both when it returns"
            );
        }
        Ok(())
    }

    fn read_notes(&mut self) {
        let mut notes = Vec::new();
        self.job.notes.take(&mut notes);
        for note in notes {
            // A copy that was passed over may be wanted now.
            self.passed.clear();
            self.is_asked = true;
            match note {
                Note::Closed(id, seen) => self.closed(id, seen),
                Note::Truncated(id, old) => {
                    let lane =
                        self.nodes.get(&id).and_then(|node| self.live.get(node)).map(|live| live.route.lane.clone());
                    self.orphans.extend(old.zip(lane));
                }
            }
        }
    }

    /// A lane has closed a file, or what was left of one. One that a path shows is known to be read; it is opened again
    /// when it changes.
    fn closed(&mut self, id: FileId, stood: Option<Seen>) {
        self.orphans.remove(&id);
        let node = self.nodes.get(&id).copied();
        if let Some((node, live)) = node.and_then(|node| Some((node, self.live.get_mut(&node)?))) {
            if let Some(stood) = stood.filter(|_| !has_left(&live.path, Some(node))) {
                tracing::debug!(path = %live.path.display(), id, "file is closed until it changes");
                live.closed = Some(stood);
                return self.watch.forget(id);
            }
            self.live.remove(&node);
        }
        self.drop_file(id);
    }

    /// A file is gone and read: its entry stays for a while.
    fn drop_file(&mut self, id: FileId) {
        tracing::debug!(id, "file is gone");
        self.nodes.remove(&id);
        self.watch.forget(id);
        self.job.files.unwatched.inc();
        self.job.positions.leave(id, clock::now());
    }

    fn save(&mut self, now: Instant) {
        if now.saturating_duration_since(self.saved) < SAVE_EVERY && self.waiting.is_empty() {
            return;
        }
        self.saved = now;
        self.hold_bounds(now);
        self.job.positions.expire(clock::now());
        match self.job.positions.save() {
            Ok(()) => {
                if std::mem::take(&mut self.is_unsaved) {
                    tracing::info!("positions are saved again");
                }
                self.hand_out(now);
            }
            Err(error) => {
                self.job.meters.error("positions_not_saved");
                if !std::mem::replace(&mut self.is_unsaved, true) {
                    tracing::error!(%error, "cannot save positions, new files wait for it; trying again every second");
                }
            }
        }
    }

    /// Shows how files stand, and closes what is beyond the bounds.
    fn hold_bounds(&self, now: Instant) {
        self.job.board.show(&self.job.files, now);
        let surplus = self.job.board.surplus(self.bounds);
        for id in surplus.deleted {
            self.tell(id, Letter::Abandon(id, Abandoned::DeletedLimit));
        }
        for id in surplus.idle {
            self.tell(id, Letter::Park(id));
        }
    }

    fn tell(&self, id: FileId, letter: Letter) {
        if let Some(live) = self.nodes.get(&id).and_then(|node| self.live.get(node)) {
            live.route.lane.post(letter);
        }
    }

    /// Gives new files to lanes: their stream keys are durable. Files of one path go to one lane, in the order they
    /// came there.
    fn hand_out(&mut self, now: Instant) {
        for (id, found, entry) in std::mem::take(&mut self.waiting) {
            let base = self.families.base(&found.path).to_owned();
            let lane = self.lane(&found.path);
            let has_left = self.has_left_place(&found.path);
            let mut tail = Tail::new(id, Some(found.input), &entry, (&self.job, lane.clone(), now));
            tail.left_since = has_left.then_some(now);
            let route = Route { id, lane: lane.clone(), is_told: tail.is_told.clone() };
            self.watch.route(found.path.clone(), route.clone());
            let after = self.newest.insert(base, id).filter(|other| self.nodes.contains_key(other));
            self.live.insert(found.node, Live { route, path: found.path, has_left, closed: None });
            self.nodes.insert(id, found.node);
            lane.post(Letter::Adopt(Box::new(tail), after));
        }
    }

    /// Compares what is there with what is followed.
    pub(super) fn scan(&mut self) {
        let began = Instant::now();
        self.is_asked = false;
        // Watched before it is listed: what comes in between is told of.
        let folders = self.job.search.folders();
        if self.watch.folders(&folders) > 0 {
            self.job.meters.error("watch_failed");
        }
        self.job.files.polling.set(i64::from(self.watch.is_degraded()));
        let Listing { paths, mut faults } = self.job.search.find(&folders);
        let beside = self.beside(&paths);
        let (mut shown, mut found) = (HashSet::new(), Vec::new());
        for path in paths.iter().chain(&beside) {
            if self.families.is_scratch(path) {
                continue;
            }
            match self.look(path, &mut shown) {
                Ok(file) => found.extend(file),
                Err(error) => faults.extend(links::fault(path, error)),
            }
        }
        if self.is_first && shown.is_empty() {
            tracing::info!(wanted = self.job.search.wanted(), "no file matches yet: waits for the first");
        }
        self.tell_gone(&shown);
        self.passed.retain(|node, _| shown.contains(node));
        self.enlist(found, &beside, &mut faults);
        self.report(faults);
        self.is_first = false;
        self.scanned = Some(Instant::now());
        self.rest = (began.elapsed() * 8).max(SHORTEST_REST);
    }

    /// What stands beside the files that are meant, or were followed, and was rotated away from their paths.
    fn beside(&mut self, paths: &[PathBuf]) -> HashSet<PathBuf> {
        let mut known: HashSet<PathBuf> = paths.iter().cloned().collect();
        self.job.positions.each(|entry| {
            for path in [Some(&entry.path), entry.base.as_ref()].into_iter().flatten() {
                if !known.contains(path) {
                    known.insert(path.clone());
                }
            }
        });
        let beside = self.families.find(paths, &known).into_iter();
        beside.filter(|path| !self.job.search.excludes(path)).collect()
    }

    /// Tells once of each path that cannot be read; it is tried again at every look.
    fn report(&mut self, faults: Vec<(PathBuf, io::Error)>) {
        let now: HashSet<PathBuf> = faults.iter().map(|(path, _)| path.clone()).collect();
        for (path, error) in faults {
            self.job.meters.error("unreadable");
            if !self.reported.contains(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot read, trying again at every look");
            }
        }
        self.reported = now;
    }

    /// Opens the file at `path` if nobody follows it.
    fn look(&mut self, path: &Path, shown: &mut HashSet<Node>) -> io::Result<Option<Found>> {
        let about = std::fs::metadata(path)?;
        if !about.is_file() {
            return Ok(None);
        }
        let (node, stands) = (node(&about), seen(&about));
        if !shown.insert(node) {
            return Ok(None);
        }
        if self.live.contains_key(&node) {
            if self.is_as_known(node, path, stands) {
                return Ok(None);
            }
        } else if self.is_too_old(&about) || self.waiting.iter().any(|(_, waiting, _)| waiting.node == node) {
            return Ok(None);
        }
        if self.passed.get(&node) == Some(&stands) {
            return Ok(None);
        }
        Found::open(path.to_owned()).map(Some)
    }

    /// Does someone follow this file, or is it as it was when it was closed? Notes where it shows now.
    fn is_as_known(&mut self, node: Node, path: &Path, stands: Seen) -> bool {
        let has_left = self.has_left_place(path);
        let Some(live) = self.live.get_mut(&node) else { return false };
        let id = live.route.id;
        if let Some(stood) = live.closed {
            if stood != stands {
                // It is found again by what is in it.
                self.live.remove(&node);
                self.nodes.remove(&id);
                self.job.positions.leave(id, clock::now());
                return false;
            }
            if live.path != path {
                self.job.positions.moved(id, path);
                path.clone_into(&mut live.path);
            }
            return true;
        }
        if live.path != path || live.has_left != has_left {
            self.job.files.rotations.inc_by(u64::from(has_left && !live.has_left));
            self.job.positions.moved(id, path);
            self.watch.forget(id);
            self.watch.route(path.to_owned(), live.route.clone());
            path.clone_into(&mut live.path);
            live.has_left = has_left;
            live.route.lane.post(Letter::Shows { id, path: path.to_owned(), has_left });
        }
        let row = self.job.board.row(id);
        if (row.size(), row.modified()) != (stands.size, stands.modified)
            && !live.route.is_told.swap(true, Ordering::AcqRel)
        {
            live.route.lane.post(Letter::Touched(id));
        }
        true
    }

    fn is_too_old(&self, about: &Metadata) -> bool {
        let Some(limit) = self.job.tailing.ignore_older_secs else { return false };
        let age = clock::now() / 1_000_000_000 - about.mtime();
        age > limit as i64
    }

    /// Lanes learn which of their files no path shows any more; what was read and closed is dropped.
    fn tell_gone(&mut self, shown: &HashSet<Node>) {
        let mut dropped = Vec::new();
        for (node, live) in self.live.iter_mut().filter(|(node, _)| !shown.contains(node)) {
            if !has_left(&live.path, Some(*node)) {
                continue;
            }
            let id = live.route.id;
            if live.closed.is_some() {
                dropped.push((*node, id));
            } else if !live.has_left {
                live.has_left = true;
                self.job.files.rotations.inc();
                live.route.lane.post(Letter::Shows { id, path: live.path.clone(), has_left: true });
            }
        }
        for (node, id) in dropped {
            self.live.remove(&node);
            self.drop_file(id);
        }
    }

    /// The lane of the files that stood at one path.
    pub(super) fn lane(&self, path: &Path) -> Arc<Mailbox<Letter>> {
        let mut hasher = DefaultHasher::new();
        self.families.base(path).hash(&mut hasher);
        self.lanes[hasher.finish() as usize % self.lanes.len()].clone()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::component::test_kit::context;
    use crate::event::StreamKey;
    use crate::sources::file::named::Named;
    use crate::sources::file::positions::Checkpoint;
    use crate::sources::file::settings::FileSettings;
    use crate::sources::file::tests::QUICK;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn entry(inode: u64) -> Entry {
        let node = Some(Node { device: 0, inode });
        let at = Checkpoint::default();
        Entry { path: "x".into(), base: None, node, key: StreamKey(1), at, modified: 0, left: None, is_whole: false }
    }

    #[test]
    fn a_disk_that_takes_no_positions_is_told_of_once_and_counted_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let settings: FileSettings = toml::from_str("include = ['/nowhere/*.log']").unwrap();
        let (_, context) = context(&state, 1 << 20);
        let job =
            Arc::new(Job::new(Box::new(Named::new(&settings)), settings.tailing(&context).unwrap(), &context, QUICK));
        let mut discovery = Discovery::new(job.clone(), vec![Arc::default()]);
        let log = Log::default();
        let written = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || written.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut save = |inode: u64| {
                job.positions.add(entry(inode));
                discovery.save(discovery.saved + SAVE_EVERY);
            };
            // There is no folder to write to.
            (0..3).for_each(&mut save);
            fs::create_dir(&state).unwrap();
            (3..5).for_each(&mut save);
            fs::remove_dir_all(&state).unwrap();
            save(5);
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("cannot save positions").count(), 2, "{text}");
        assert_eq!(text.matches("positions are saved again").count(), 1, "{text}");
        assert_eq!(context.meters.error_count("positions_not_saved"), 4);
    }
}
