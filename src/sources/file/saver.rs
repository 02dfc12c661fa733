//! Positions are saved beside the looks for files: a disk may take seconds for it, and what lives only for a moment must be
//! opened meanwhile.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::discovery::Discovery;
use super::job::{Job, Note};
use super::room::is_out;
use crate::component::task::within;

/// A thread that saves positions when it is asked to.
#[derive(Debug)]
pub(super) struct Saver {
    /// None at its end.
    asked: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// What is under way.
    round: Option<Round>,
}

/// One time that positions are saved.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// How many files were waiting for it when it began.
    waiting: usize,
    /// The last look before it.
    looked: Option<Instant>,
}

impl Saver {
    /// One that posts to the job's notes how it went. None where no thread can be started.
    pub(super) fn start(job: &Arc<Job>) -> Option<Self> {
        let (asked, asks) = sync_channel(1);
        let job = job.clone();
        let save = move || {
            for () in asks {
                job.notes.post(Note::Saved(job.positions.save()));
            }
        };
        let thread = Builder::new().name("levada-positions".to_owned()).spawn(within(save)).ok()?;
        Some(Self { asked: Some(asked), thread: Some(thread), round: None })
    }

    /// Has it not yet told how it went? One that panicked never will.
    pub(super) fn is_busy(&self) -> bool {
        self.round.is_some() && self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Begins a round; false if it cannot.
    fn ask(&mut self, round: Round) -> bool {
        self.round = Some(round);
        self.is_busy() && self.asked.as_ref().is_some_and(|asked| asked.try_send(()).is_ok())
    }
}

/// It is done with what it was asked for before whoever comes next saves there.
impl Drop for Saver {
    fn drop(&mut self) {
        self.asked = None;
        // What it panicked of is in the log.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

impl Discovery {
    /// Has positions saved, by the thread that does so where there is one.
    pub(super) fn ask_to_save(&mut self, now: Instant) {
        let round = Round { waiting: self.waiting.len(), looked: self.scanned };
        if !self.saver.as_mut().is_some_and(|saver| saver.ask(round)) {
            self.saver = None;
            let saved = self.job.positions.save();
            self.after_save(saved, round.waiting, now);
        }
    }

    /// The thread that saves positions tells how it went.
    pub(super) fn saved(&mut self, saved: io::Result<()>, now: Instant) {
        let Some(round) = self.saver.as_mut().and_then(|saver| saver.round.take()) else { return };
        // What was renamed or deleted since was not compared with what is followed.
        self.is_asked |= round.waiting > 0 && round.looked != self.scanned;
        self.after_save(saved, round.waiting, now);
    }

    /// Files whose entries are durable now are handed out: the first of those that wait.
    fn after_save(&mut self, saved: io::Result<()>, count: usize, now: Instant) {
        match saved {
            Ok(()) => {
                if std::mem::take(&mut self.is_unsaved) {
                    tracing::info!("positions are saved again");
                }
                self.room.sufficed();
                self.hand_out(count, now);
            }
            Err(error) => {
                if is_out(&error) {
                    self.close_waiting();
                }
                self.job.meters.error("positions_not_saved");
                if !std::mem::replace(&mut self.is_unsaved, true) {
                    tracing::error!(%error, "cannot save positions, new files wait for it; trying again every second");
                }
            }
        }
    }
}
