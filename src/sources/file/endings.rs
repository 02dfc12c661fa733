//! How files end for a lane: read, broken, truncated, given up.

use std::io;
use std::time::Duration;

use super::job::{FileId, Note};
use super::lane::Reader;
use super::tail::{State, Tail};
use crate::component::file_meters::Abandoned;

impl Reader {
    pub(super) fn broke(&mut self, id: FileId, error: &io::Error) {
        self.schedule.release(id);
        let Some(tail) = self.tails.get_mut(&id) else { return };
        if error.kind() == io::ErrorKind::InvalidData {
            self.job.meters.error("gz_damaged");
            tracing::error!(path = %tail.path.display(), %error, "compressed file is damaged, its rest is given up");
            let rest = tail.input.as_ref().and_then(|input| input.metadata().ok()).map_or(0, |about| about.len());
            tail.row.lost(tail.offset + rest, tail.offset);
            return self.give_up(id, Abandoned::Damaged);
        }
        let until = tail.broke(&self.job, error, self.now);
        tail.state = State::Sleeps(until);
        tail.is_awaited = false;
        self.schedule.set_timer(until, id);
    }

    /// What is left of a generation waits for its receipts, and for a copy of what was not read.
    pub(super) fn mourn(&mut self, id: FileId, old: Option<Box<Tail>>) {
        self.job.notes.post(Note::Truncated(id, old.as_ref().map(|old| old.id)));
        if let Some(old) = old {
            self.orphans.insert(old.stream.origin.stream(), old.id);
            self.schedule.push(old.id);
            self.tails.insert(old.id, *old);
        }
    }

    /// Has a file that left its place had all the time that the settings give it?
    pub(super) fn is_overdue(&mut self, id: FileId) -> bool {
        let Some(wait) = self.job.tailing.rotate_wait_secs else { return false };
        let left = self.tails.get(&id).filter(|tail| tail.input.is_some()).and_then(|tail| tail.left_since);
        let is_overdue =
            left.is_some_and(|since| self.now.saturating_duration_since(since) >= Duration::from_secs(wait));
        if is_overdue {
            self.give_up(id, Abandoned::RotateWait);
        }
        is_overdue
    }

    /// The file is closed; what is in flight of it may still arrive.
    pub(super) fn give_up(&mut self, id: FileId, why: Abandoned) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        tail.give_up(why, self.now);
        if matches!(tail.state, State::Ready | State::Sleeps(_) | State::Rests | State::Waits(_)) {
            self.schedule.remove(id);
            tail.state = State::Ready;
            self.rest(id);
        }
    }

    pub(super) fn close(&mut self, id: FileId) {
        let Some(tail) = self.tails.remove(&id) else { return };
        self.orphans.remove(&tail.stream.origin.stream());
        self.schedule.release(id);
        let seen = tail.finish(&self.job);
        self.job.board.clear(id);
        self.job.notes.post(Note::Closed(id, seen));
    }
}
