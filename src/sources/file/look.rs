//! A file's turn: how it stands, whether it is still what it was, whether there is more to read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use super::fingerprint::{FINGERPRINT_BYTES, Fingerprint, read_at};
use super::gz::Gz;
use super::input::{Input, seen};
use super::job::{Job, Letter};
use super::limits::WhenExceeded;
use super::mailbox::Mailbox;
use super::stream::Mark;
use super::tail::{Seen, Tail};
use crate::component::clock;
use crate::component::file_meters::Abandoned;
use crate::component::outlet::{Held, Lane};

/// A file whose time of modification is younger than this may be written again without a change of that time: some
/// file systems keep it in steps of two seconds.
pub(super) const TICK_NANOS: i64 = 2_000_000_000;
/// So many NUL bytes at the beginning of a file are a hole, also where no truncation was seen.
const HOLE_BYTES: u64 = 512;

/// What a lane's thread lends a file for its turn.
pub(super) struct Desk<'a> {
    pub(super) job: &'a Job,
    pub(super) lane: &'a mut dyn Lane,
    pub(super) mailbox: &'a Arc<Mailbox<Letter>>,
    pub(super) waker: &'a Waker,
    pub(super) now: Instant,
    /// Is everything to be read to its end, since nothing new comes?
    pub(super) is_last: bool,
    /// Does another file go on with what is not whole at the end of this one?
    pub(super) has_heir: bool,
}

/// What a turn came to.
pub(super) enum Turn {
    /// There may be more to read.
    More,
    /// A batch waits for room.
    Waits(Held),
    /// Nothing more to read now.
    Quiet,
    /// Nothing more may be read before then.
    Later(Instant),
    /// There is no memory to read into.
    Starved,
    /// A new generation has begun; this is left of the old one.
    Truncated(Option<Box<Tail>>),
}

impl Tail {
    /// Reads what there is, up to a quantum, and offers it; where there is nothing, what has waited long enough.
    pub(super) fn turn(&mut self, desk: &mut Desk<'_>) -> io::Result<Turn> {
        match self.look(desk)? {
            Turn::Quiet => self.flush(desk),
            turn => Ok(turn),
        }
    }

    fn look(&mut self, desk: &mut Desk<'_>) -> io::Result<Turn> {
        // Before the look: a write after it is told of again.
        self.is_told.store(false, Ordering::Release);
        let Some(input) = &self.input else { return Ok(Turn::Quiet) };
        let about = input.metadata()?;
        let now = seen(&about);
        if self.left_since.is_some() && about.nlink() == 0 {
            desk.job.positions.deleted(self.id);
        }
        if self.seen == Some(now) && !(self.remains > 0 && self.is_finished(desk)) {
            return Ok(Turn::Quiet);
        }
        let is_same = match &self.input {
            Some(Input::Gz(gz)) => {
                // One that ends too early tells nothing.
                let told = if gz.is_torn() { 0 } else { u64::from(gz.told_len()?) };
                self.row.look(&about, now, told.max(self.offset));
                true
            }
            _ => self.is_same(desk, &about, now)?,
        };
        if !is_same {
            return self.restart(desk);
        }
        if self.is_at_end(now) {
            return Ok(self.rest(now, 0));
        }
        if let Some(due) = self.limits.iter().filter_map(|bucket| bucket.due(desk.now)).max() {
            if desk.job.tailing.when_exceeded == WhenExceeded::Delay {
                return Ok(Turn::Later(due));
            }
            self.is_dropping = true;
        }
        let (before, mut turn) = (self.offset, self.read(desk, now));
        if let (Some(Input::Gz(gz)), Ok(Turn::Quiet)) = (&mut self.input, &turn) {
            turn = gz.take_damage().map_or(turn, Err);
        }
        // What is dropped takes nothing of what may pass: else nothing would, as long as more comes than may.
        if !std::mem::take(&mut self.is_dropping) {
            self.limits.iter().for_each(|bucket| bucket.spend(self.offset.saturating_sub(before)));
        }
        self.row.read_to(self.offset);
        turn
    }

    /// Has it been left and quiet for so long that nothing more will come?
    pub(super) fn is_finished(&self, desk: &Desk<'_>) -> bool {
        desk.is_last || self.is_over(desk.job, desk.now)
    }

    /// The same, as long as files are followed.
    pub(super) fn is_over(&self, job: &Job, now: Instant) -> bool {
        if self.given_up.is_some_and(|why| why != Abandoned::Truncated) {
            return true;
        }
        let Some(left) = self.left_since else { return false };
        now.saturating_duration_since(left.max(self.calm.since)) >= job.pace.quiet
    }

    fn is_at_end(&self, now: Seen) -> bool {
        matches!(self.input, Some(Input::Plain(_))) && now.size == self.offset
    }

    /// Does a file that lies there as it is still begin as it began, and end where it was read as it did?
    fn is_same(&mut self, desk: &Desk<'_>, about: &Metadata, now: Seen) -> io::Result<bool> {
        if now.size < self.offset.max(self.reach.offset) {
            return Ok(false);
        }
        self.row.look(about, now, now.size);
        if self.offset == 0 && now.size > 0 {
            self.skip_hole(desk, now)?;
        }
        let Some(input) = &mut self.input else { return Ok(true) };
        // What is not full grows; and where less is read than it covers, nothing else tells of a truncation.
        if !self.fingerprint.is_full() || self.offset < FINGERPRINT_BYTES as u64 {
            let first = input.first()?;
            if !self.fingerprint.fits(&first) {
                return Ok(false);
            }
            if self.fingerprint.len == 0 && !first.is_empty() {
                self.begin(desk, &first)?;
            }
            self.fingerprint = Fingerprint::of(&first);
        }
        let Some(input) = &mut self.input else { return Ok(true) };
        if self.reach.offset > self.offset && input.guard(self.reach.offset)? != Some(self.reach.guard) {
            return Ok(false);
        }
        // Where there is more to read, the bytes before it are read and compared with it.
        Ok(now.size > self.offset || input.guard(self.offset)? == Some(self.guard))
    }

    /// Passes over the hole that a writer leaves who goes on writing where it was, after a truncation.
    fn skip_hole(&mut self, desk: &Desk<'_>, now: Seen) -> io::Result<()> {
        let Some(Input::Plain(file)) = &self.input else { return Ok(()) };
        let sparse = sparse(file, now.size);
        let end = sparse + nuls(file, sparse)?;
        if end == 0 || !(self.is_renewed || sparse > 0 || end >= HOLE_BYTES) {
            return Ok(());
        }
        let input = self.input.as_mut().expect("it was there above");
        let Some(guard) = input.guard(end)? else { return Ok(()) };
        if self.fingerprint.len == 0 {
            let first = input.first()?;
            self.begin(desk, &first)?;
            self.fingerprint = Fingerprint::of(&first);
        }
        desk.job.files.hole_bytes.inc_by(end);
        (self.offset, self.guard) = (end, guard);
        self.stream.receipt(Mark::at(end, guard)).close();
        Ok(())
    }

    pub(super) fn restart(&mut self, desk: &Desk<'_>) -> io::Result<Turn> {
        if matches!(self.input, Some(Input::Gz(_))) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold what was read of it before"));
        }
        Ok(Turn::Truncated(self.renew(desk)?))
    }

    /// Nothing more to read but `remains`. A look at it is trusted only if a later write must change what is seen.
    pub(super) fn rest(&mut self, now: Seen, remains: u64) -> Turn {
        self.seen = (clock::now() - now.modified > TICK_NANOS).then_some(now);
        self.remains = remains;
        Turn::Quiet
    }

    /// Does a compressed file end where there must be more?
    pub(super) fn is_torn(&self) -> bool {
        matches!(&self.input, Some(Input::Gz(gz)) if Gz::is_torn(gz))
    }
}

/// Where the first bytes of a file are that take room on the disk.
fn sparse(file: &File, size: u64) -> u64 {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(0)) {
        Ok(at) => at.min(size),
        Err(rustix::io::Errno::NXIO) => size,
        // Not every file system tells.
        Err(_) => 0,
    }
}

/// How many NUL bytes there are from `offset` on.
fn nuls(file: &File, offset: u64) -> io::Result<u64> {
    let mut count = 0;
    let mut bytes = [0; 4096];
    loop {
        let got = read_at(file, &mut bytes, offset + count)?;
        let run = bytes[..got].iter().take_while(|byte| **byte == 0).count();
        count += run as u64;
        if got == 0 || run < got {
            return Ok(count);
        }
    }
}
