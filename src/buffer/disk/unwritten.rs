//! What the sink settled before it was written: its positions are noted, or it would be offered once more to the sink if it
//! is read again after a restart.

use std::collections::{HashMap, VecDeque};
use std::io;

use super::frame::{Run, runs};
use super::log::Log;
use super::parcel::Parcel;
use super::passing;
use super::write::Unsynced;
use crate::buffer::Queue;
use crate::event::{Batch, StreamKey};

/// The last run of each stream and way that was settled without being written, since the last note.
#[derive(Debug, Default)]
pub(super) struct Unwritten(HashMap<(StreamKey, u32), Run>);

impl Log {
    /// Tells the sources of the first of those that wait that went ahead and are done with. It needs no disk.
    pub(crate) fn settle_passed(&mut self, waiting: &mut VecDeque<Parcel>, queue: &Queue, now: u32) -> io::Result<()> {
        while let Some(parcel) = waiting.pop_front_if(|parcel| parcel.has_passed()) {
            self.leave_out(parcel, now);
        }
        self.sync(queue)
    }

    /// Takes a parcel into the group that needs no frame.
    pub(super) fn leave_out(&mut self, parcel: Parcel, now: u32) {
        if parcel.is_counted {
            for run in runs(&parcel.batch) {
                self.positions.wrote(&run, now);
            }
        }
        self.writer.group.push(Unsynced { parcel, frame: None });
    }

    /// All before is durable or done with.
    pub(super) fn pass_unwritten(&mut self, parcel: Parcel) {
        let Some(told) = parcel.told().filter(|_| !parcel.batch.is_empty()) else { return parcel.batch.close() };
        self.figures.passed(parcel.batch.len());
        if parcel.is_counted {
            let runs = runs(&parcel.batch).into_iter();
            self.unwritten.0.extend(runs.map(|run| ((run.stream, run.path), run)));
        }
        passing::tell(parcel.batch, told);
    }

    /// Are there positions to be noted?
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.unwritten.0.is_empty()
    }

    /// Notes the positions of what was settled without being written: in a frame without records, or in the head of a new
    /// segment. A log that is full does not; then they come with what is written next.
    pub(crate) fn note_passed(&mut self, queue: &Queue, now: u32) -> io::Result<()> {
        if !self.has_unwritten() || !self.writer.group.is_empty() {
            return Ok(());
        }
        let runs: Vec<Run> = self.unwritten.0.values().copied().collect();
        let note = Parcel::new(Batch::default(), true);
        let len = self.draft(&note, &runs);
        if self.has_place(0) {
            let pushed = self.push(note, (len, &runs), now).map_err(|(_, error)| error);
            pushed.and_then(|_| self.sync(queue)).inspect_err(|_| self.undo(&mut VecDeque::new()))?;
        } else {
            self.undraft(len);
            if !self.fits(len) {
                return Ok(());
            }
            self.begin_segment(now)?;
        }
        self.unwritten.0.clear();
        Ok(())
    }
}
