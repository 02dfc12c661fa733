//! Writing: a group of batches becomes frames, one sync makes them durable, and only then their sources are told.

use std::collections::VecDeque;
use std::io;

use super::acks::Place;
use super::frame::{Draft, MAX_BODY, Run, runs};
use super::log::{Log, Segment};
use super::parcel::{End, Parcel};
use super::segment;
use super::storage::{Create, Handle, write_all};
use crate::buffer::{Queue, Space, WhenFull};
use crate::component::outlet::Inlet;
use crate::component::reason::Reason;
use crate::event::Outcome;

/// Frames are written when they come to so many bytes.
const WRITE: usize = 1 << 20;

/// Why batches have to wait.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// No room, on the disk or within the bound.
    Full,
    /// A record is larger than the log may be, and waits for room in the queue behind it, or is on its way to the sink.
    Passes,
    /// The disk does not do what it is told.
    Failing(io::Error),
}

/// Where frames go: the last segment, while it is being written.
#[derive(Default)]
pub(crate) struct Writer {
    file: Option<Box<dyn Handle>>,
    /// Frames that are not written yet.
    buffer: Vec<u8>,
    /// Bytes that are written behind the segment's end, and not durable.
    written: u64,
    /// What is not durable yet.
    pub(super) group: Vec<Unsynced>,
    /// What to go back to if the group fails: the next sequence, and the records stored.
    before: (u64, u64),
}

pub(super) struct Unsynced {
    pub(super) parcel: Parcel,
    /// Its frame, unless all its records are stored already, or are done with.
    pub(super) frame: Option<(u64, Place)>,
}

/// What became of a parcel.
pub(super) enum Put {
    Done,
    /// It is cut in two, which follow.
    Cut(Parcel, Parcel),
    Waits(Parcel, Stuck),
}

/// Where a frame can go.
enum Room {
    Here,
    /// Not now.
    None,
    /// Never: it is larger than the log may be.
    Never,
}

impl Writer {
    /// One that has written nothing; the next frame has this sequence, after so many records.
    pub(super) fn at(next: u64, records: u64) -> Self {
        Self { before: (next, records), ..Self::default() }
    }

    /// Bytes that are counted and not in a segment's length yet.
    pub(super) fn unsynced(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}

impl Log {
    /// Stores what waits, in order, makes it durable, tells its sources, and passes it on to `queue` as far as nothing
    /// older is still on the disk. What cannot be stored waits on, or is dropped by policy.
    pub(crate) fn store(&mut self, waiting: &mut VecDeque<Parcel>, queue: &Queue, now: u32) -> Result<(), Stuck> {
        let mut stuck = match self.has_passed(waiting) {
            false => Some(Stuck::Passes),
            true if waiting.iter().all(Parcel::has_passed) => None,
            true => self.lacks_free(now),
        };
        while stuck.is_none()
            && let Some(parcel) = waiting.pop_front()
        {
            match self.put(parcel, queue, now) {
                Ok(Put::Done) => {}
                Ok(Put::Cut(one, two)) => {
                    waiting.push_front(two);
                    waiting.push_front(one);
                }
                Ok(Put::Waits(parcel, Stuck::Full)) if self.may_drop(&parcel) => self.drop(parcel),
                Ok(Put::Waits(parcel, why)) => {
                    waiting.push_front(parcel);
                    stuck = Some(why);
                }
                Err((parcel, error)) => {
                    waiting.push_front(parcel);
                    stuck = Some(Stuck::Failing(error));
                }
            }
        }
        if !matches!(stuck, Some(Stuck::Failing(_) | Stuck::Passes))
            && let Err(error) = self.sync(queue)
        {
            stuck = Some(Stuck::Failing(error));
        }
        self.give_up(stuck, waiting)
    }

    /// Takes a group back that failed; what does not fit or cannot be written is dropped where the policy says so.
    fn give_up(&mut self, stuck: Option<Stuck>, waiting: &mut VecDeque<Parcel>) -> Result<(), Stuck> {
        let Some(stuck) = stuck else { return Ok(()) };
        if matches!(stuck, Stuck::Failing(_)) {
            self.undo(waiting);
        }
        if self.options.when_full != WhenFull::Block && !matches!(stuck, Stuck::Passes) {
            // What the sink has already gets its outcome there.
            let (ahead, others): (VecDeque<_>, VecDeque<_>) = waiting.drain(..).partition(Parcel::is_ahead);
            for parcel in others {
                self.drop(parcel);
            }
            *waiting = ahead;
        }
        Err(stuck)
    }

    fn may_drop(&self, parcel: &Parcel) -> bool {
        self.options.when_full != WhenFull::Block && !parcel.is_ahead()
    }

    fn drop(&self, parcel: Parcel) {
        parcel.settle_rereads();
        self.tools.meters.discarded(Reason::BufferFull, parcel.batch.len());
        if parcel.batch.is_empty() { parcel.batch.close() } else { parcel.batch.settle(Outcome::Dropped) }
    }

    /// Lacks the file system what others need? Where the oldest is to be dropped it makes room.
    fn lacks_free(&mut self, now: u32) -> Option<Stuck> {
        let looked = self.look_free().and_then(|mut space| {
            while space.is_short() && self.options.when_full == WhenFull::DropOldest && self.segments.len() > 1 {
                self.drop_oldest(now)?;
                space.free = self.tools.disk.free()?;
            }
            Ok(space)
        });
        match looked {
            Ok(space) => space.is_short().then_some(Stuck::Full),
            Err(error) => Some(Stuck::Failing(error)),
        }
    }

    /// Looks at what the file system has free.
    pub(crate) fn look_free(&mut self) -> io::Result<Space> {
        self.space = Space { free: self.tools.disk.free()?, wanted: self.options.min_free };
        Ok(self.space)
    }

    /// Makes a frame of a parcel.
    fn put(&mut self, parcel: Parcel, queue: &Queue, now: u32) -> Result<Put, (Parcel, io::Error)> {
        if parcel.has_passed() {
            self.leave_out(parcel, now);
            return Ok(Put::Done);
        }
        let parcel = if parcel.passing.is_some() { parcel } else { self.without_rereads(parcel) };
        if parcel.batch.is_empty() {
            self.writer.group.push(Unsynced { parcel, frame: None });
            return Ok(Put::Done);
        }
        let runs = if parcel.is_counted { runs(&parcel.batch) } else { Vec::new() };
        let len = self.draft(&parcel, &runs);
        let parcel = if len > self.target().min(MAX_BODY as u64) {
            match parcel.halves() {
                Ok((one, two)) => {
                    self.undraft(len);
                    return Ok(Put::Cut(one, two));
                }
                Err(whole) => whole,
            }
        } else {
            parcel
        };
        if self.has_place(0) {
            return self.push(parcel, (len, &runs), now);
        }
        self.undraft(len);
        match self.find_place(len, queue, now) {
            Err(error) => Err((parcel, error)),
            Ok(Room::None) => Ok(Put::Waits(parcel, Stuck::Full)),
            Ok(Room::Never) => Ok(self.pass_by(parcel, queue)),
            Ok(Room::Here) => {
                self.draft(&parcel, &runs);
                self.push(parcel, (len, &runs), now)
            }
        }
    }

    /// Leaves out records that are stored already, or will be by the same sync.
    fn without_rereads(&self, mut parcel: Parcel) -> Parcel {
        let runs = if parcel.is_counted { runs(&parcel.batch) } else { Vec::new() };
        let ends: Vec<End> = runs.iter().filter_map(|run| End::of(run, &parcel.batch, &self.positions)).collect();
        if !ends.is_empty() {
            let left_out = parcel.batch.retain(|record| !ends.iter().any(|end| end.has(&record.identity())));
            parcel.rereads += left_out;
            self.figures.rereads(left_out);
        }
        parcel
    }

    /// Appends a frame to the buffer; gives its length.
    pub(super) fn draft(&mut self, parcel: &Parcel, runs: &[Run]) -> u64 {
        let before = self.writer.buffer.len();
        let draft = Draft {
            batch: &parcel.batch,
            sequence: self.next,
            group: self.writer.before.0,
            is_counted: parcel.is_counted,
            is_compressed: self.options.is_compressed,
        };
        draft.write(runs, &mut self.writer.buffer);
        (self.writer.buffer.len() - before) as u64
    }

    pub(super) fn undraft(&mut self, len: u64) {
        let rest = self.writer.buffer.len() - len as usize;
        self.writer.buffer.truncate(rest);
    }

    /// Can all that is in the buffer, and `more`, go into the segment that is being written?
    pub(super) fn has_place(&self, more: u64) -> bool {
        let Some(segment) = self.segments.back() else { return false };
        let len = segment.len + self.writer.unsynced() + more;
        let is_first = segment.len == segment.body && self.writer.group.is_empty();
        self.writer.file.is_some() && self.fits(more) && (len <= self.target() || is_first)
    }

    /// Finds room for a frame: what is in the buffer becomes durable first.
    fn find_place(&mut self, len: u64, queue: &Queue, now: u32) -> io::Result<Room> {
        self.sync(queue)?;
        if !self.could_fit(len) {
            return Ok(Room::Never);
        }
        if !self.make_room(len, now)? {
            return Ok(Room::None);
        }
        if !self.has_place(len) {
            self.begin_segment(now)?;
        }
        Ok(Room::Here)
    }

    /// Takes a frame that was drafted into the group.
    pub(super) fn push(
        &mut self,
        parcel: Parcel,
        (len, runs): (u64, &[Run]),
        now: u32,
    ) -> Result<Put, (Parcel, io::Error)> {
        let Some(segment) = self.segments.back() else { return Ok(Put::Waits(parcel, Stuck::Full)) };
        let offset = segment.len + self.writer.unsynced() - len;
        let records = parcel.batch.len() as u32;
        let place = Place { segment: segment.id, offset, records };
        self.writer.group.push(Unsynced { parcel, frame: Some((self.next, place)) });
        self.next += 1;
        self.records += u64::from(records);
        for run in runs {
            self.positions.wrote(run, now);
        }
        if self.writer.buffer.len() >= WRITE
            && let Err(error) = self.write()
            && let Some(Unsynced { parcel, .. }) = self.writer.group.pop()
        {
            return Err((parcel, error));
        }
        Ok(Put::Done)
    }

    fn write(&mut self) -> io::Result<()> {
        let (Some(file), Some(segment)) = (&self.writer.file, self.segments.back()) else { return Ok(()) };
        write_all(&**file, segment.len + self.writer.written, &self.writer.buffer)?;
        self.writer.written += self.writer.buffer.len() as u64;
        self.writer.buffer.clear();
        Ok(())
    }

    /// Makes the group durable and tells its sources.
    pub(super) fn sync(&mut self, queue: &Queue) -> io::Result<()> {
        self.write()?;
        if let (Some(file), Some(segment)) = (&self.writer.file, self.segments.back_mut())
            && self.writer.written > 0
        {
            file.sync().inspect_err(|_| self.figures.fsync_failed())?;
            segment.len += self.writer.written;
            self.writer.written = 0;
        }
        self.positions.keep();
        self.writer.before = (self.next, self.records);
        let mut group = std::mem::take(&mut self.writer.group);
        group.drain(..).for_each(|unsynced| self.pass_on(unsynced, queue));
        self.writer.group = group;
        Ok(())
    }

    /// Tells the sources of a batch that it is stored, and gives it to the sink if it is its turn and there is room.
    fn pass_on(&mut self, Unsynced { parcel, frame }: Unsynced, queue: &Queue) {
        parcel.settle_rereads();
        let Some((sequence, place)) = frame else { return self.pass_unwritten(parcel) };
        if let Some(passing) = &parcel.passing {
            self.acks.handed(sequence, place);
            passing.became(&self.acks, sequence);
            return parcel.batch.settle(Outcome::Delivered);
        }
        let mut batch = parcel.batch;
        if !self.is_next(sequence) {
            return batch.settle(Outcome::Delivered);
        }
        self.leave_line(queue);
        let records = u64::from(place.records);
        for receipt in batch.answer_to(self.acks.issue(sequence, place)) {
            receipt.note(Outcome::Delivered, records);
            receipt.close();
        }
        if let Err(batch) = queue.offer(batch, &self.tools.bell) {
            self.acks.withdraw(sequence);
            self.reader.resume(place);
            // What is offered next may be of another stream.
            queue.give_up(&batch);
            batch.close();
            // It left the queue's line: reading it back puts it there again, and nothing else need happen before.
            self.tools.bell.wake_by_ref();
        }
    }

    /// The group did not become durable: the segment is given up where it last was, and all of it waits again.
    pub(super) fn undo(&mut self, waiting: &mut VecDeque<Parcel>) {
        for unsynced in self.writer.group.drain(..).rev() {
            waiting.push_front(unsynced.parcel);
        }
        (self.next, self.records) = self.writer.before;
        self.positions.undo();
        // A write that failed may have done a part.
        let written = std::mem::take(&mut self.writer.written) + self.writer.buffer.len() as u64;
        self.writer.buffer.clear();
        if let (Some(file), Some(segment)) = (self.writer.file.take(), self.segments.back_mut())
            && file.truncate(segment.len).and_then(|()| file.sync()).is_err()
        {
            segment.void += written;
        }
    }

    /// Begins a segment, durably. Nothing may be in the group.
    pub(super) fn begin_segment(&mut self, now: u32) -> io::Result<()> {
        self.last_number += 1;
        let id = (self.epoch, self.last_number);
        let head = segment::Head { number: id.1, first: self.next, records_before: self.records };
        let room = self.head_room() as usize;
        let bytes = head.write(&mut self.positions, now, room);
        let name = segment::name(id.0, id.1);
        let disk = &self.tools.disk;
        let made = disk.open(&name, Create::New).and_then(|file| {
            write_all(&*file, 0, &bytes)?;
            file.sync().inspect_err(|_| self.figures.fsync_failed())?;
            disk.sync_folder().inspect_err(|_| self.figures.fsync_failed())?;
            Ok(file)
        });
        let len = bytes.len() as u64;
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                let is_left = disk.remove(&name).is_err_and(|error| error.kind() != io::ErrorKind::NotFound);
                self.others += if is_left { len } else { 0 };
                return Err(error);
            }
        };
        let records_before = self.records;
        self.segments.push_back(Segment { id, first: self.next, body: len, len, void: 0, records_before });
        self.writer.file = Some(file);
        self.writer.before = (self.next, self.records);
        Ok(())
    }
}
