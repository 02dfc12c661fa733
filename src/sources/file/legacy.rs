//! A line that a container's log ends with, and that goes on in the log that comes after it: a runtime does not end its line
//! before it opens the next file.
//!
//! What is not whole at the end of the one is handed to the other, which has not been read yet, with a receipt: the
//! position in the one moves when the other's record has arrived. If it does not, both go back, and it is handed on again.

use super::job::FileId;
use super::lane::Reader;
use super::tail::{State, Tail};
use crate::codecs::units::Estate;
use crate::event::Receipt;

impl Reader {
    /// `id` was rotated away, and `heir` came to its path.
    pub(super) fn has_heir(&mut self, id: FileId, heir: FileId) {
        if !self.job.tailing.layout.is_continued() {
            return;
        }
        if let Some(tail) = self.tails.get_mut(&id) {
            tail.heir = Some(heir);
        }
        if let Some(tail) = self.tails.get_mut(&heir) {
            tail.elder = Some(id);
        }
    }

    /// The file is read to its end: the one that came after it goes on with what is not whole.
    pub(super) fn hand_on(&mut self, id: FileId) {
        let Some(heir) = self.heir(id) else { return };
        let Some(tail) = self.tails.get_mut(&id).filter(|tail| tail.stream.units.is_holding()) else { return };
        let (estate, receipt) = tail.bequeath();
        let now = self.now;
        if let Some(tail) = self.tails.get_mut(&heir) {
            tail.inherit(estate, receipt, now);
        }
    }

    /// The file that came after `id`, if it can go on with what `id` ends with: nothing of it was read.
    pub(super) fn heir(&self, id: FileId) -> Option<FileId> {
        let heir = self.tails.get(&id)?.heir?;
        self.tails.get(&heir).filter(|tail| tail.offset == 0 && tail.input.is_some()).map(|_| heir)
    }

    /// A file begins again: where it goes on with what another ends with, that comes first.
    pub(super) fn begin_again(&mut self, id: FileId) {
        let elder = self.tails.get(&id).filter(|tail| tail.offset == 0).and_then(|tail| tail.elder);
        let is_there = |other: &FileId| self.tails.get(other).is_some_and(|tail| tail.input.is_some());
        match elder.filter(is_there) {
            Some(elder) => {
                self.schedule.put_behind(id, elder);
                self.await_end(elder);
            }
            None => self.schedule.push(id),
        }
    }
}

impl Tail {
    /// Gives up what is not whole; all is done here when the receipt has resolved.
    fn bequeath(&mut self) -> (Estate, Receipt) {
        let estate = self.stream.units.bequeath();
        self.hold = None;
        let mark = super::stream::Mark::at(self.offset, self.guard);
        (estate, self.stream.receipt(mark))
    }

    fn inherit(&mut self, estate: Estate, receipt: Receipt, now: std::time::Instant) {
        let moment = self.moment(now);
        self.stream.units.inherit(estate, &self.stream.resolved.resume, moment);
        self.debts.push(receipt);
        if matches!(self.state, State::Rests) {
            self.state = State::Sleeps(now);
        }
    }
}
