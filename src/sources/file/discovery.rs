//! Discovery: which files there are, who follows each, and which are gone.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fingerprint::{Fingerprint, Guard, first_bytes};
use super::job::{FileId, Job, Letter, Note};
use super::mailbox::Mailbox;
use super::positions::{By, Checkpoint, Entry, Node};
use super::search::Listing;
use super::settings::ReadFrom;
use super::tail::Tail;
use super::watch::{Route, Watch};
use super::look::node;
use super::survey::Survey;
use crate::component::clock;
use crate::component::inspect::{FileReport, FileState, Pod};
use crate::component::signal::Stop;
use crate::event::StreamKey;

/// How often positions are saved, if they changed.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Shortest rest between two looks for files.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// Looks for files and hands them to lanes.
pub(super) struct Discovery {
    job: Arc<Job>,
    lanes: Vec<Arc<Mailbox<Letter>>>,
    live: HashMap<Node, Live>,
    /// Files whose entries are not durable yet.
    waiting: Vec<(FileId, Found, Entry)>,
    /// What cannot be read and was told of.
    reported: HashMap<PathBuf, String>,
    watch: Watch,
    is_first: bool,
    /// Did the kernel tell of a change since the last look?
    is_asked: bool,
    scanned: Option<Instant>,
    /// How long to rest after a look, so that looking takes a small share of the time.
    rest: Duration,
    saved: Instant,
    /// Was it told that positions cannot be saved?
    is_unsaved: bool,
}

/// A file that a lane follows.
struct Live {
    route: Route,
    path: PathBuf,
    is_gone: bool,
}

/// A file that was found and opened.
struct Found {
    path: PathBuf,
    node: Node,
    size: u64,
    file: File,
}

impl Discovery {
    pub(super) fn new(job: Arc<Job>, lanes: Vec<Arc<Mailbox<Letter>>>) -> Self {
        Self {
            watch: Watch::new(job.notes.clone()),
            job,
            lanes,
            live: HashMap::new(),
            waiting: Vec::new(),
            reported: HashMap::new(),
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
            self.read_notes();
            if self.is_scan_due() {
                self.scan();
            }
            self.save();
            std::thread::park_timeout(self.pause());
        }
    }

    /// Is it time to look, or did the kernel tell of a change and some rest follow the last look?
    fn is_scan_due(&mut self) -> bool {
        self.is_asked |= self.job.notes.was_rung();
        let since = self.scanned.map(|at| at.elapsed());
        since.is_none_or(|since| since >= self.job.pace.poll || (self.is_asked && since >= self.rest))
    }

    /// How long there is nothing to do.
    fn pause(&self) -> Duration {
        let next_scan = if self.is_asked { self.rest } else { self.job.pace.poll };
        let since = self.scanned.map_or(Duration::ZERO, |at| at.elapsed());
        next_scan.saturating_sub(since).min(SAVE_EVERY)
    }

    /// Reads the positions, however often it takes; false if the end came first.
    fn load(&self, stop: &Stop) -> bool {
        while stop.deadline().is_none() {
            match self.job.positions.load() {
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

    fn read_notes(&mut self) {
        let mut notes = Vec::new();
        self.job.notes.take(&mut notes);
        for note in notes {
            match note {
                Note::Finished(id) => {
                    self.live.retain(|_, live| live.route.id != id);
                    self.watch.forget(id);
                }
                Note::Report(survey) => Survey::answer(&survey, || self.without_lane()),
            }
        }
    }

    /// Files that no lane has: those that cannot be opened, and those whose keys are not durable.
    fn without_lane(&self) -> Vec<FileReport> {
        let faults = self.reported.iter().map(|(path, error)| FileReport {
            path: path.to_string_lossy().into_owned(),
            pod: Pod::of(path),
            state: FileState::Unreadable,
            last_error: Some(error.clone()),
            ..FileReport::default()
        });
        let waiting = self.waiting.iter().map(|(_, found, entry)| FileReport {
            path: found.path.to_string_lossy().into_owned(),
            stream_key: format!("{:032x}", entry.key.0),
            device: found.node.device,
            inode: found.node.inode,
            pod: Pod::of(&found.path),
            size: found.size,
            offset: entry.at.offset,
            delivered: entry.at.offset,
            lag_bytes: found.size.saturating_sub(entry.at.offset),
            state: FileState::Found,
            ..FileReport::default()
        });
        faults.chain(waiting).collect()
    }

    fn save(&mut self) {
        if self.saved.elapsed() < SAVE_EVERY && self.waiting.is_empty() {
            return;
        }
        self.saved = Instant::now();
        self.job.positions.expire(clock::now());
        match self.job.positions.save() {
            Ok(()) => {
                if std::mem::take(&mut self.is_unsaved) {
                    tracing::info!("positions are saved again");
                }
                self.hand_out();
            }
            Err(error) => {
                self.job.meters.error("positions_not_saved");
                if !std::mem::replace(&mut self.is_unsaved, true) {
                    tracing::error!(%error, "cannot save positions, new files wait for it; trying again every second");
                }
            }
        }
    }

    /// Gives new files to lanes: their stream keys are durable.
    fn hand_out(&mut self) {
        for (id, found, entry) in std::mem::take(&mut self.waiting) {
            let lane = self.lanes[id as usize % self.lanes.len()].clone();
            let tail = Tail::new(id, found.file, &entry, (&self.job, lane.clone()));
            let route = Route { id, lane: lane.clone(), is_told: tail.is_told.clone() };
            self.watch.route(found.path.clone(), route.clone());
            lane.post(Letter::Adopt(Box::new(tail)));
            self.live.insert(found.node, Live { route, path: found.path, is_gone: false });
        }
    }

    /// Compares what the globs find with what is followed.
    fn scan(&mut self) {
        let began = Instant::now();
        self.is_asked = false;
        // Watched before it is listed: what comes in between is told of.
        let folders = self.job.search.folders();
        if self.watch.folders(&folders) > 0 {
            self.job.meters.error("watch_failed");
        }
        let Listing { paths, mut faults } = self.job.search.find(&folders);
        let (mut shown, mut found) = (HashSet::new(), Vec::new());
        for path in paths {
            match self.look(&path, &mut shown) {
                Ok(file) => found.extend(file),
                // It vanished after it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => faults.push((path, error)),
            }
        }
        if self.is_first && shown.is_empty() {
            tracing::info!(wanted = self.job.search.wanted(), "no file matches yet: waits for the first");
        }
        self.tell_gone(&shown);
        self.enlist(found, &mut faults);
        self.report(faults);
        self.is_first = false;
        self.scanned = Some(Instant::now());
        self.rest = (began.elapsed() * 8).max(SHORTEST_REST);
    }

    /// Tells once of each path that cannot be read; it is tried again at every look.
    fn report(&mut self, faults: Vec<(PathBuf, io::Error)>) {
        let now = faults.iter().map(|(path, error)| (path.clone(), error.to_string())).collect();
        for (path, error) in faults {
            self.job.meters.error("unreadable");
            if !self.reported.contains_key(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot read, trying again at every look");
            }
        }
        self.reported = now;
    }

    /// Opens the file at `path` if nobody follows it.
    fn look(&mut self, path: &PathBuf, shown: &mut HashSet<Node>) -> io::Result<Option<Found>> {
        let about = std::fs::metadata(path)?;
        if !about.is_file() {
            return Ok(None);
        }
        if !shown.insert(node(&about)) {
            return Ok(None);
        }
        if let Some(live) = self.live.get_mut(&node(&about)) {
            if live.is_gone {
                live.route.lane.post(Letter::Back(live.route.id));
            }
            live.is_gone = false;
            if live.path != *path {
                self.job.positions.moved(live.route.id, path);
                self.watch.forget(live.route.id);
                self.watch.route(path.clone(), live.route.clone());
                live.path.clone_from(path);
            }
            return Ok(None);
        }
        if self.is_too_old(&about) || self.waiting.iter().any(|(_, waiting, _)| waiting.node == node(&about)) {
            return Ok(None);
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        Ok(Some(Found { path: path.clone(), node: node(&about), size: about.len(), file }))
    }

    fn is_too_old(&self, about: &Metadata) -> bool {
        let Some(limit) = self.job.tailing.ignore_older_secs else { return false };
        let age = clock::now() / 1_000_000_000 - about.mtime();
        age > limit as i64
    }

    /// Lanes learn which of their files no path shows any more.
    fn tell_gone(&mut self, shown: &HashSet<Node>) {
        for (node, live) in self.live.iter_mut().filter(|(node, live)| !live.is_gone && !shown.contains(node)) {
            live.is_gone = has_left(&live.path, *node);
            if live.is_gone {
                live.route.lane.post(Letter::Gone(live.route.id));
            }
        }
    }

    /// Finds or makes the entries of new files. Those that lie where they lay come first, so that a rotated file gets
    /// its own entry, not the one that took its name.
    fn enlist(&mut self, found: Vec<Found>, faults: &mut Vec<(PathBuf, io::Error)>) {
        let mut rest = found;
        for by in [By::Inode, By::Path] {
            for found in std::mem::take(&mut rest) {
                match self.job.positions.claim(&found.file, (&found.path, found.node), by) {
                    Ok(Some((id, entry))) => self.waiting.push((id, found, entry)),
                    Ok(None) => rest.push(found),
                    Err(error) => faults.push((found.path, error)),
                }
            }
        }
        for found in rest {
            match self.start(&found) {
                Ok((at, key)) => {
                    let entry = Entry { path: found.path.clone(), node: found.node, key, at, left: None };
                    self.waiting.push((self.job.positions.add(entry.clone()), found, entry));
                }
                Err(error) => faults.push((found.path, error)),
            }
        }
    }

    /// Where to begin with a file that has no position, and under which key.
    fn start(&self, found: &Found) -> io::Result<(Checkpoint, StreamKey)> {
        let first = first_bytes(&found.file)?;
        let key = self.job.search.key(&found.path, &first);
        let fingerprint = Fingerprint::of(&first);
        if self.job.tailing.read_from == ReadFrom::Beginning || !self.is_first {
            return Ok((Checkpoint { fingerprint, ..Checkpoint::default() }, key));
        }
        let guard = Guard::read(&found.file, found.size)?;
        Ok((guard.map(|guard| Checkpoint { offset: found.size, guard, fingerprint }).unwrap_or_default(), key))
    }
}

/// Does `path` show something else, or nothing? What cannot be looked at is not gone.
fn has_left(path: &Path, was: Node) -> bool {
    match std::fs::metadata(path) {
        Ok(about) => node(&about) != was,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::component::test_kit::context;
    use crate::sources::file::named::Named;
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
        let node = Node { device: 0, inode };
        Entry { path: "x".into(), node, key: StreamKey(1), at: Checkpoint::default(), left: None }
    }

    #[test]
    fn a_disk_that_takes_no_positions_is_told_of_once_and_counted_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let settings: FileSettings = toml::from_str("include = ['/nowhere/*.log']").unwrap();
        let (_, context) = context(&state, 1 << 20);
        let job = Arc::new(Job::new(Box::new(Named::new(&settings)), settings.tailing(&context), &context, QUICK));
        let mut discovery = Discovery::new(job.clone(), vec![Arc::default()]);
        let log = Log::default();
        let written = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || written.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut save = |inode: u64| {
                job.positions.add(entry(inode));
                discovery.saved = Instant::now().checked_sub(SAVE_EVERY).unwrap();
                discovery.save();
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
