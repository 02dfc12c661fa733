//! The engine without its threads: a look, turns and outcomes happen when a test says so, at a time that it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bench, QUICK};
use crate::component::inspect::FileReport;
use crate::component::meters::Families;
use crate::component::outlet::Outlet;
use crate::component::test_kit::{Catcher, context};
use crate::sources::file::discovery::Discovery;
use crate::sources::file::job::{Job, Letter};
use crate::sources::file::lane::Reader;
use crate::sources::file::mailbox::Mailbox;
use crate::sources::file::named::Named;
use crate::sources::file::watch::Watch;

/// A source that goes on step by step.
pub(super) struct Engine {
    pub(super) job: Arc<Job>,
    pub(super) families: Families,
    discovery: Discovery,
    readers: Vec<Reader>,
    now: Instant,
}

impl Engine {
    /// Starts where the last one ended.
    pub(super) fn start(bench: &Bench, outlet: &Catcher) -> Self {
        let settings = bench.settings();
        let (families, context) = context(&bench.state(), bench.memory);
        let job =
            Arc::new(Job::new(Box::new(Named::new(&settings)), settings.tailing(&context).unwrap(), &context, QUICK));
        job.positions.probe().unwrap();
        let mailboxes: Vec<Arc<Mailbox<Letter>>> = (0..2).map(|_| Arc::default()).collect();
        let reader = |mailbox: &Arc<Mailbox<Letter>>| Reader::new(job.clone(), outlet.lane(), mailbox.clone());
        let readers = mailboxes.iter().map(reader).collect();
        let discovery = Discovery::with_watch(job.clone(), mailboxes, Watch::blind());
        discovery.load_once().unwrap();
        Self { job, families, discovery, readers, now: Instant::now() }
    }

    /// What the thread that looks for files tells of those that no lane has.
    pub(super) fn without_lane(&self) -> Vec<FileReport> {
        self.discovery.without_lane()
    }

    /// So few descriptors are left for files.
    pub(super) fn crowd(&mut self, most_open: usize) {
        self.discovery.room.most = most_open;
    }

    /// One look for files, and what is new is handed to lanes.
    pub(super) fn look(&mut self) {
        self.now += Duration::from_secs(1);
        self.discovery.look_now(self.now);
    }

    /// One turn of each lane; true if any had something to do.
    pub(super) fn turn(&mut self) -> bool {
        self.now += Duration::from_millis(5);
        let mut letters = Vec::new();
        let did = self.readers.iter_mut().map(|reader| reader.step(self.now, &mut letters));
        did.filter(|did| *did).count() > 0
    }

    /// Looks and reads until files that have left are closed.
    pub(super) fn settle(&mut self) {
        for _ in 0..6 {
            self.look();
            for _ in 0..12 {
                self.turn();
            }
        }
    }

    /// What an end that reads to the end would tell of: the names of files and their bytes that are not delivered.
    pub(super) fn left(&self) -> Vec<(String, u64)> {
        let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let left = self.readers.iter().flat_map(Reader::left).map(|(path, bytes)| (name(path), bytes));
        let mut left: Vec<_> = left.collect();
        left.sort();
        left
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// All that will not be written to any more is read and closed; positions are kept.
    pub(super) fn stop(mut self) {
        let mut letters = Vec::new();
        // Once more, as the drain does: what waited for room is offered, and what comes of that is read.
        for _ in 0..2 {
            self.readers.iter_mut().for_each(|reader| reader.attend(&mut letters));
        }
        self.job.positions.save().unwrap();
    }
}
