//! Discovery: which files there are, who follows each, and which are gone.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fingerprint::{Fingerprint, Guard};
use super::globs::Globs;
use super::job::{FileId, Job, Letter, Note};
use super::mailbox::Mailbox;
use super::positions::{By, Checkpoint, Entry, Node};
use super::settings::ReadFrom;
use super::tail::Tail;
use crate::component::clock;
use crate::component::signal::Stop;
use crate::event::StreamKey;

/// How often positions are saved, if they changed.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Looks for files and hands them to lanes.
pub(super) struct Discovery {
    job: Arc<Job>,
    globs: Globs,
    lanes: Vec<Arc<Mailbox<Letter>>>,
    live: HashMap<Node, Live>,
    /// Files whose entries are not durable yet.
    waiting: Vec<(FileId, Found, Entry)>,
    /// What cannot be read and was told of.
    reported: HashSet<PathBuf>,
    is_first: bool,
    saved: Instant,
}

/// A file that a lane follows.
struct Live {
    id: FileId,
    path: PathBuf,
    lane: Arc<Mailbox<Letter>>,
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
            globs: Globs::new(&job.settings.include, &job.settings.exclude),
            job,
            lanes,
            live: HashMap::new(),
            waiting: Vec::new(),
            reported: HashSet::new(),
            is_first: true,
            saved: Instant::now(),
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
            self.scan();
            self.save();
            std::thread::park_timeout(self.job.pace.poll.min(SAVE_EVERY));
        }
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
        for Note::Finished(id) in notes {
            self.live.retain(|_, live| live.id != id);
        }
    }

    fn save(&mut self) {
        if self.saved.elapsed() < SAVE_EVERY && self.waiting.is_empty() {
            return;
        }
        self.saved = Instant::now();
        self.job.positions.expire(clock::now());
        match self.job.positions.save() {
            Ok(()) => self.hand_out(),
            Err(error) => {
                self.job.meters.error("positions_not_saved");
                tracing::error!(%error, "cannot save positions, new files wait for it");
            }
        }
    }

    /// Gives new files to lanes: their stream keys are durable.
    fn hand_out(&mut self) {
        for (id, found, entry) in std::mem::take(&mut self.waiting) {
            let lane = self.lanes[id as usize % self.lanes.len()].clone();
            let tail = Tail::new(id, found.file, &entry, (&self.job, lane.clone()));
            lane.post(Letter::Adopt(Box::new(tail)));
            self.live.insert(found.node, Live { id, path: found.path, lane, is_gone: false });
        }
    }

    /// Compares what the globs find with what is followed.
    fn scan(&mut self) {
        let mut shown = HashSet::new();
        let mut found = Vec::new();
        let mut unread = HashSet::new();
        for path in self.globs.find(&mut |path, error| { unread.insert(path); drop(error); }) {
            match self.look(&path, &mut shown) {
                Ok(Some(file)) => found.push(file),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => { unread.insert(path); }
            }
        }
        self.tell_gone(&shown);
        self.enlist(found);
        self.is_first = false;
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
                live.lane.post(Letter::Back(live.id));
            }
            live.is_gone = false;
            if live.path != *path {
                self.job.positions.moved(live.id, path);
                live.path.clone_from(path);
            }
            return Ok(None);
        }
        if self.is_too_old(&about) {
            return Ok(None);
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        Ok(Some(Found { path: path.clone(), node: node(&about), size: about.len(), file }))
    }

    fn is_too_old(&self, about: &Metadata) -> bool {
        let Some(limit) = self.job.settings.ignore_older_secs else { return false };
        let age = clock::now() / 1_000_000_000 - about.mtime();
        self.is_first && age > limit as i64
    }

    /// Lanes learn which of their files no path shows any more.
    fn tell_gone(&mut self, shown: &HashSet<Node>) {
        for (_, live) in self.live.iter_mut().filter(|(node, live)| !live.is_gone && !shown.contains(node)) {
            live.is_gone = true;
            live.lane.post(Letter::Gone(live.id));
        }
    }

    /// Finds or makes the entries of new files. Those that lie where they lay come first, so that a rotated file gets
    /// its own entry, not the one that took its name.
    fn enlist(&mut self, found: Vec<Found>) {
        let mut rest = found;
        for by in [By::Inode, By::Path] {
            for found in std::mem::take(&mut rest) {
                match self.job.positions.claim(&found.file, (&found.path, found.node), by) {
                    Ok(Some((id, entry))) => self.waiting.push((id, found, entry)),
                    Ok(None) => rest.push(found),
                    Err(error) => drop(error),
                }
            }
        }
        for found in rest {
            if let Ok(at) = self.start(&found) {
                let entry = Entry { path: found.path.clone(), node: found.node, key: StreamKey::random(), at, left: None };
                self.waiting.push((self.job.positions.add(entry.clone()), found, entry));
            }
        }
    }

    /// Where to begin with a file that has no position.
    fn start(&self, found: &Found) -> io::Result<Checkpoint> {
        if self.job.settings.read_from == ReadFrom::Beginning || !self.is_first {
            return Ok(Checkpoint::default());
        }
        let guard = Guard::read(&found.file, found.size)?;
        let fingerprint = Fingerprint::default().grow(&found.file)?;
        let known = guard.zip(fingerprint).map(|(guard, fingerprint)| Checkpoint { offset: found.size, guard, fingerprint });
        Ok(known.unwrap_or_default())
    }
}

fn node(about: &Metadata) -> Node {
    Node { device: about.dev(), inode: about.ino() }
}
