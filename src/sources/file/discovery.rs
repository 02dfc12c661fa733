//! Discovery: which files there are, who follows each, and which are gone.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Bounds;
use super::claim::Found;
use super::input::{is_named_gz, node, seen};
use super::job::{FileId, Job, Letter, Note};
use super::keep::SAVE_EVERY;
use super::left_out::{LeftOut, Passed, judge_again};
use super::links;
use super::live::Live;
use super::mailbox::Mailbox;
use super::packed;
use super::positions::{Entry, Node};
use super::room::{Room, is_out};
use super::rotated::Families;
use super::saver::Saver;
use super::search::Listing;
use super::settings::Drain;
use super::survey::Survey;
use super::watch::Watch;
use crate::component::clock;
use crate::component::signal::Stop;

/// How often all is looked at where the kernel does not tell of changes.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Shortest rest between two looks for files.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// Looks for files and hands them to lanes.
pub(super) struct Discovery {
    pub(super) job: Arc<Job>,
    pub(super) lanes: Vec<Arc<Mailbox<Letter>>>,
    /// The lane that got the last new path.
    turn: usize,
    pub(super) live: HashMap<Node, Live>,
    pub(super) nodes: HashMap<FileId, Node>,
    /// Files that are not read as they stand.
    pub(super) passed: HashMap<Node, Passed>,
    /// Files whose entries are not durable yet.
    pub(super) waiting: Vec<(FileId, Found, Entry)>,
    /// What is left of files that were truncated, with the lanes that have it.
    pub(super) orphans: HashMap<FileId, Arc<Mailbox<Letter>>>,
    /// The file of each path that was found there last.
    pub(super) newest: HashMap<PathBuf, FileId>,
    /// What cannot be read and was told of.
    pub(super) reported: HashMap<PathBuf, String>,
    pub(super) families: Families,
    pub(super) watch: Watch,
    pub(super) bounds: Bounds,
    /// Descriptors for files.
    pub(super) room: Room,
    pub(super) is_first: bool,
    /// When it began, in nanoseconds since the Unix epoch.
    pub(super) started: i64,
    /// Did anyone tell of a change since the last look?
    pub(super) is_asked: bool,
    pub(super) scanned: Option<Instant>,
    /// None where positions are saved between two looks.
    pub(super) saver: Option<Saver>,
    /// How long to rest after a look, so that looking takes a small share of the time.
    rest: Duration,
    pub(super) saved: Instant,
    /// Was it told that positions cannot be saved?
    pub(super) is_unsaved: bool,
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
                open_files: tailing.max_open_files.unwrap_or(usize::MAX),
                deleted_files: tailing.max_deleted_open_files,
                deleted_bytes: tailing.max_deleted_open_bytes,
            },
            room: Room::new(links::for_files()),
            job,
            lanes,
            turn: 0,
            live: HashMap::new(),
            nodes: HashMap::new(),
            passed: HashMap::new(),
            waiting: Vec::new(),
            orphans: HashMap::new(),
            newest: HashMap::new(),
            started: clock::now(),
            reported: HashMap::new(),
            families: Families::default(),
            is_first: true,
            is_asked: false,
            scanned: None,
            saver: None,
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
        let share = links::Share::new();
        self.saver = Saver::start(&self.job);
        while stop.deadline().is_none() {
            self.room.most = share.files();
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
        self.saver = None;
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

    fn read_notes(&mut self) {
        let mut notes = Vec::new();
        self.job.notes.take(&mut notes);
        for note in notes {
            // A copy that was passed over may be wanted now.
            if !matches!(note, Note::Report(_) | Note::Saved(_)) {
                judge_again(&mut self.passed);
                self.is_asked = true;
            }
            match note {
                Note::Report(survey) => Survey::answer(&survey, || self.without_lane()),
                Note::Set(order) => self.set(&order),
                Note::Overflowed => {
                    self.job.meters.error("watch_overflow");
                    tracing::warn!("the kernel has lost changes that it was to tell of: all files are looked at");
                }
                Note::Closed(id, seen) => self.closed(id, seen),
                Note::Saved(saved) => self.saved(saved, Instant::now()),
                Note::Truncated(id, old) => {
                    let lane =
                        self.nodes.get(&id).and_then(|node| self.live.get(node)).map(|live| live.route.lane.clone());
                    self.orphans.extend(old.zip(lane));
                }
            }
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
        let room = self.room();
        self.room.waiting.clear();
        for path in paths.iter().chain(&beside) {
            if self.families.is_scratch(path) {
                continue;
            }
            match self.look(path, &mut shown) {
                // What there are no descriptors for is found again when others are closed.
                Ok(true) if found.len() >= room => self.room.waiting.push(path.clone()),
                Ok(true) => match self.open(path) {
                    Ok(file) => found.extend(file),
                    Err(error) if is_out(&error) => {
                        self.run_out(found.len());
                        self.room.waiting.push(path.clone());
                    }
                    Err(error) => faults.extend(links::fault(path, error)),
                },
                Ok(false) => {}
                Err(error) => faults.extend(links::fault(path, error)),
            }
        }
        if self.is_first && shown.is_empty() {
            tracing::info!(wanted = self.job.search.wanted(), "no file matches yet: waits for the first");
        }
        self.tell_crowded();
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
        let mut strays = HashSet::new();
        self.job.positions.each(|entry| {
            if let Some(folder) = entry.path.parent().filter(|folder| entry.base().parent() != Some(folder)) {
                strays.insert((folder.to_owned(), entry.base().to_owned()));
            }
            for path in [Some(&entry.path), entry.base.as_ref()].into_iter().flatten() {
                if !known.contains(path) {
                    known.insert(path.clone());
                }
            }
        });
        let beside = self.families.find(paths, &known, &strays).into_iter();
        beside.filter(|path| !self.job.search.excludes(path)).collect()
    }

    /// Tells once of each path that cannot be read; it is tried again at every look.
    fn report(&mut self, faults: Vec<(PathBuf, io::Error)>) {
        let now: HashMap<_, _> = faults.into_iter().map(|(path, error)| (path, error.to_string())).collect();
        for (path, error) in &now {
            self.job.meters.error("unreadable");
            if !self.reported.contains_key(path) {
                tracing::warn!(path = %path.display(), %error, "cannot read, trying again at every look");
            }
        }
        self.reported = now;
    }

    /// Is there a file at `path` that nobody follows?
    fn look(&mut self, path: &Path, shown: &mut HashSet<Node>) -> io::Result<bool> {
        let about = std::fs::metadata(path)?;
        let (node, stands) = (node(&about), seen(&about));
        if !about.is_file() || !shown.insert(node) {
            return Ok(false);
        }
        if self.live.contains_key(&node) {
            if self.is_as_known(node, path, stands) {
                return Ok(false);
            }
        } else if self.is_too_old(&about) || self.waiting.iter().any(|(_, waiting, _)| waiting.node == node) {
            return Ok(false);
        }
        Ok(self.passed.get(&node).is_none_or(|passed| passed.seen != stands))
    }

    /// Opens the file at `path`, unless it is still being compressed, or is in a way that is not unpacked here.
    fn open(&mut self, path: &Path) -> io::Result<Option<Found>> {
        if is_named_gz(path) && !packed::is_ready(path, seen(&std::fs::metadata(path)?), clock::now())? {
            return Ok(None);
        }
        let found = Found::open(path.to_owned(), self.families.base(path).to_owned())?;
        if !found.input.is_plain() {
            return Ok(Some(found));
        }
        if let Some(program) = packed::other(path, &found.first) {
            self.leave_out(&found, LeftOut::Packed(program));
            return Ok(None);
        }
        Ok((!packed::may_become_other(path, found.seen, clock::now())).then_some(found))
    }

    fn is_too_old(&self, about: &Metadata) -> bool {
        let Some(limit) = self.job.tailing.ignore_older_secs else { return false };
        let age = clock::now() / 1_000_000_000 - about.mtime();
        age > limit as i64
    }

    /// The lane that follows the file which stood last at `base`.
    pub(super) fn home(&self, base: &Path) -> Option<Arc<Mailbox<Letter>>> {
        let node = self.nodes.get(self.newest.get(base)?)?;
        Some(self.live.get(node)?.route.lane.clone())
    }

    /// The lane of what comes to a new path: they take turns, so that each has as many.
    pub(super) fn next_lane(&mut self) -> Arc<Mailbox<Letter>> {
        self.turn = (self.turn + 1) % self.lanes.len();
        self.lanes[self.turn].clone()
    }
}
