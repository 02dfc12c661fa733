//! What discovery does each second: positions are saved, new files handed out, bounds held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Bounds;
use super::discovery::Discovery;
use super::job::{FileId, Letter};
use super::live::Live;
use super::saver::Saver;
use super::shelf::LoadError;
use super::tail::Tail;
use super::watch::Route;
use crate::component::clock;
use crate::component::file_meters::Abandoned;
use crate::component::signal::Stop;

/// How often positions are saved, if they changed.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(1);

impl Discovery {
    /// Reads the positions, however often it takes; false if the end came first.
    pub(super) fn load(&self, stop: &Stop) -> bool {
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

    pub(super) fn load_once(&self) -> Result<(), LoadError> {
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

    pub(super) fn save(&mut self, now: Instant) {
        if now.saturating_duration_since(self.saved) < SAVE_EVERY && self.waiting.is_empty() {
            return;
        }
        if self.saver.as_ref().is_some_and(Saver::is_busy) {
            // Its disk is slow; bounds are held all the same.
            if now.saturating_duration_since(self.saved) >= SAVE_EVERY {
                self.saved = now;
                self.hold_bounds(now);
            }
            return;
        }
        self.saved = now;
        self.hold_bounds(now);
        self.job.positions.seen(self.job.board.sizes().into_iter());
        self.job.files.abandoned(Abandoned::Gone, self.job.positions.expire(clock::now()));
        self.ask_to_save(now);
    }

    /// Shows how files stand, and closes what is beyond the bounds.
    pub(super) fn hold_bounds(&self, now: Instant) {
        self.job.board.show(&self.job.files, now);
        // As many are closed as wait for descriptors.
        let open_files = self.bounds.open_files.min(self.room.files().saturating_sub(self.room.waiting.len()));
        let surplus = self.job.board.surplus(Bounds { open_files, ..self.bounds });
        for id in surplus.deleted {
            self.tell(id, Letter::Abandon(id, Abandoned::DeletedLimit));
        }
        for id in surplus.idle {
            self.tell(id, Letter::Park(id));
        }
    }

    pub(super) fn tell(&self, id: FileId, letter: Letter) {
        if let Some(live) = self.nodes.get(&id).and_then(|node| self.live.get(node)) {
            live.route.lane.post(letter);
        }
    }

    /// Gives the first `count` new files to lanes: their stream keys are durable. Files of one path go to one lane, in the
    /// order they came there.
    pub(super) fn hand_out(&mut self, count: usize, now: Instant) {
        let durable: Vec<_> = self.waiting.drain(..count.min(self.waiting.len())).collect();
        for (id, found, entry) in durable {
            let base = found.base.clone();
            let lane = self.home(&base).unwrap_or_else(|| self.next_lane());
            let has_left = self.has_left_place(&found.path);
            let route = Route { id, lane: lane.clone(), is_told: Arc::default() };
            self.watch.route(found.path.clone(), route.clone());
            let after = self.newest.insert(base, id).filter(|other| self.nodes.contains_key(other));
            self.nodes.insert(id, found.node);
            self.live.insert(found.node, Live::new(route.clone(), &found, has_left));
            let mut tail = Tail::new(id, Some(found.input), &entry, (&self.job, lane.clone(), now));
            (tail.left_since, tail.is_told) = (has_left.then_some(now), route.is_told);
            lane.post(Letter::Adopt(Box::new(tail), after));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, Write};
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::component::test_kit::context;
    use crate::event::StreamKey;
    use crate::sources::file::job::Job;
    use crate::sources::file::mailbox::Mailbox;
    use crate::sources::file::named::Named;
    use crate::sources::file::positions::{Checkpoint, Entry, Node};
    use crate::sources::file::settings::FileSettings;
    use crate::sources::file::tests::{Bench, QUICK};
    use crate::sources::file::watch::Watch;

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
        Entry {
            path: "x".into(),
            base: None,
            node,
            key: StreamKey(1),
            at,
            modified: 0,
            size: 0,
            left: None,
            is_whole: false,
            is_deleted: false,
        }
    }

    #[test]
    fn new_paths_are_spread_evenly_over_lanes_and_what_follows_stays_there() {
        let bench = Bench::new();
        for file in 0..8 {
            bench.append(&format!("{file}.log"), "line\n");
        }
        let settings = bench.settings();
        let (_, context) = context(&bench.state(), 1 << 20);
        let job =
            Arc::new(Job::new(Box::new(Named::new(&settings)), settings.tailing(&context).unwrap(), &context, QUICK));
        job.positions.probe().unwrap();
        let lanes: [Arc<Mailbox<Letter>>; 2] = Default::default();
        let mut discovery = Discovery::with_watch(job, lanes.to_vec(), Watch::blind());
        let mut look = || {
            discovery.look_now(Instant::now());
            lanes.each_ref().map(|lane| {
                let mut letters = Vec::new();
                lane.take(&mut letters);
                let adopted = letters.into_iter().filter_map(|letter| match letter {
                    Letter::Adopt(tail, _) => Some(tail.path),
                    _ => None,
                });
                adopted.collect::<Vec<_>>()
            })
        };
        let [one, two] = look();
        assert_eq!((one.len(), two.len()), (4, 4));
        fs::rename(&two[0], two[0].with_extension("log.1")).unwrap();
        fs::write(&two[0], "another\n").unwrap();
        assert_eq!(look(), [vec![], vec![two[0].clone()]]);
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
