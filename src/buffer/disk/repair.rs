//! Repairing a log that nobody has open: what a start would find out frame by frame is put right at once.
//!
//! First all of it is read, and nothing changed; what is to be done follows from that. A torn end is cut off, by the rule of
//! a start. A segment with damage is written anew without it, under its own name, in one step; what is damaged goes to
//! `quarantine`, first and durably. A head that is damaged is made again: its positions are those of the segments before,
//! and of their frames. A ledger that is lost is made again with nothing settled, as a start takes it: what the oldest
//! segments hold may be sent once more. Where a later version wrote a part nothing is touched.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::frame;
use super::inspect::Untouched;
use super::ledger::{self, Ledger};
use super::log::{Segment, epoch_of};
use super::positions::Positions;
use super::recover::{COPY, Survey, survey, whole_groups};
use super::scan::{Found, Scanner};
use super::segment;
use super::storage::{Create, Disk, Folder, Handle, QUARANTINE, write_all};

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;
/// Damaged bytes that are kept at most, those of before included.
const KEPT: u64 = 64 << 20;
/// Frames that are missing in one place are counted up to here.
const MISSING: usize = 1 << 16;
/// What the head of a segment may take for positions.
const HEAD_ROOM: usize = 4 << 20;

/// Is it to be done?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Only tell.
    DryRun,
    /// Do it.
    ForReal,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Bytes cut off at the end, that were torn.
    pub torn: u64,
    /// Bytes taken out that were no frames.
    pub damaged: u64,
    /// Frames, of a batch each, that are missing and were not settled: these were some of them.
    pub lost: u64,
    /// Files written anew.
    pub rewritten: usize,
    /// Of these, with another head.
    pub heads: usize,
    /// Files moved away as a whole: nothing can be read of them.
    pub set_aside: Vec<String>,
    /// Ledgers made again.
    pub ledgers: usize,
    /// Files of a later version: then nothing was done.
    pub newer: usize,
}

impl Repaired {
    /// Is there nothing to be done? What is missing since long cannot be made again.
    pub fn is_sound(&self) -> bool {
        *self == Self { lost: self.lost, ..Self::default() }
    }
}

/// A segment that is to be written anew.
struct Rewrite {
    name: String,
    /// Where its first frame begins; what stands before is its head.
    body: u64,
    /// Another head, where its own is damaged.
    head: Option<Vec<u8>>,
    /// Bytes to keep: where they begin and end.
    frames: Vec<(u64, u64)>,
    /// The same, of damage.
    damaged: Vec<(u64, u64)>,
}

/// What the frames before a segment come to.
struct State<'s> {
    positions: &'s mut Positions,
    records: &'s mut u64,
    now: u32,
}

/// What is to be done.
#[derive(Default)]
struct Plan {
    told: Repaired,
    rewrites: Vec<Rewrite>,
    /// The last segment, and where it ends.
    torn: Option<(String, u64)>,
    ledgers: Vec<(u16, Ledger)>,
    bad_ledgers: Vec<String>,
    /// Damaged bytes that are kept already.
    quarantined: u64,
}

/// Repairs the buffer in `folder`; `now` is in minutes since the Unix epoch. It fails where another process has it open.
///
/// # Errors
/// If the disk fails. What was done until then is whole: it can be called again.
pub fn repair(folder: &Path, how: How, now: u32) -> io::Result<Repaired> {
    if how == How::DryRun {
        return Ok(Plan::of(&Untouched(Folder::look(folder)), now)?.told);
    }
    let disk = Folder::open(folder)?;
    let plan = Plan::of(&Untouched(Folder::look(folder)), now)?;
    plan.carry_out(&disk)?;
    Ok(plan.told)
}

/// The same, for a disk of any kind and another view of it.
#[cfg(test)]
pub(super) fn repair_on<D: Disk + Clone>(disk: &D, now: u32) -> io::Result<Repaired> {
    let plan = Plan::of(&Untouched(disk.clone()), now)?;
    plan.carry_out(disk)?;
    Ok(plan.told)
}

impl Plan {
    /// Reads all of it; `look` changes nothing.
    fn of(look: &dyn Disk, now: u32) -> io::Result<Self> {
        let survey = survey(look, u64::MAX)?;
        let mut plan = Self { quarantined: survey.quarantined, ..Self::default() };
        plan.told.newer = survey.report.newer.len();
        if plan.told.newer > 0 {
            return Ok(plan);
        }
        plan.see_ledgers(look, &survey)?;
        let (mut positions, mut records) = (Positions::default(), 0);
        for (index, segment) in survey.segments.iter().enumerate() {
            let end = survey.segments.get(index + 1).map(|next| next.first);
            let ledger = survey.ledgers.get(&segment.id.0).map(|(ledger, _)| ledger);
            let state = State { positions: &mut positions, records: &mut records, now };
            plan.see_segment(look, (segment, end, ledger), state)?;
        }
        let known: BTreeSet<String> = survey.segments.iter().map(|one| segment::name(one.id.0, one.id.1)).collect();
        plan.told.set_aside = survey.report.broken.iter().filter(|name| !known.contains(*name)).cloned().collect();
        plan.told.set_aside.dedup();
        Ok(plan)
    }

    fn see_ledgers(&mut self, look: &dyn Disk, survey: &Survey) -> io::Result<()> {
        for (name, _) in look.list()? {
            let is_unfinished = name.strip_suffix(".next").is_some();
            if ledger::parse_name(&name).is_some() && !is_unfinished && Ledger::is_damaged(look, &name)? {
                self.bad_ledgers.push(name);
            }
        }
        self.bad_ledgers.sort();
        if !survey.report.lost_ledger {
            return Ok(());
        }
        for segment in &survey.segments {
            let epoch = segment.id.0;
            if !survey.ledgers.contains_key(&epoch) && self.ledgers.iter().all(|(known, _)| *known != epoch) {
                let ledger = Ledger { bound: segment.first, gone: segment.records_before, ..Ledger::default() };
                self.ledgers.push((epoch, ledger));
            }
        }
        self.told.ledgers = self.ledgers.len();
        Ok(())
    }

    /// Looks at one segment.
    fn see_segment(
        &mut self,
        look: &dyn Disk,
        (segment, end, ledger): (&Segment, Option<u64>, Option<&Ledger>),
        State { positions, records, now }: State<'_>,
    ) -> io::Result<()> {
        let name = segment::name(segment.id.0, segment.id.1);
        let mut walk = Walk::over(look, segment, end)?;
        let own = own_head(look, &name, segment)?;
        if end.is_none() && walk.cut_off_torn(segment) {
            self.told.torn = segment.len - walk.end;
            self.torn = Some((name.clone(), walk.end));
        }
        let head = if let Some((head, of_head)) = own {
            (*positions, *records) = (of_head, head.records_before);
            None
        } else {
            let head = segment::Head { number: segment.id.1, first: segment.first, records_before: *records };
            walk.gaps.insert(0, (0, segment.body));
            Some(head.write(positions, now, HEAD_ROOM))
        };
        walk.tell(positions, now);
        *records += walk.frames.iter().map(|(_, head)| u64::from(head.records)).sum::<u64>();
        self.told.lost += walk.missing(segment.first, end, ledger);
        let damaged = walk.damage(segment.first, end);
        if head.is_some() || !walk.gaps.is_empty() {
            self.told.rewritten += 1;
            self.told.heads += usize::from(head.is_some());
            self.told.damaged += damaged.iter().map(|(from, to)| to - from).sum::<u64>();
            let frames = walk.frames.iter().map(|(at, head)| (*at, at + head.len())).collect();
            self.rewrites.push(Rewrite { name, body: segment.body, head, frames, damaged });
        }
        Ok(())
    }

    fn carry_out(&self, disk: &dyn Disk) -> io::Result<()> {
        if self.told.newer > 0 || self.told.is_sound() && self.bad_ledgers.is_empty() {
            return Ok(());
        }
        let mut room = KEPT.saturating_sub(self.quarantined);
        for name in self.told.set_aside.iter().chain(&self.bad_ledgers) {
            disk.rename(name, &format!("{QUARANTINE}/{name}"))?;
        }
        if let Some((name, end)) = &self.torn {
            let file = disk.open(name, Create::No)?;
            file.truncate(*end)?;
            file.sync()?;
        }
        for rewrite in &self.rewrites {
            rewrite.keep_damage(disk, &mut room)?;
            rewrite.carry_out(disk)?;
        }
        for (epoch, ledger) in &self.ledgers {
            ledger.save(disk, *epoch, 1)?;
        }
        disk.sync_folder()
    }
}

/// What stands in a segment.
#[derive(Default)]
struct Walk {
    frames: Vec<(u64, frame::Head)>,
    /// What is no frame: where it begins and ends.
    gaps: Vec<(u64, u64)>,
    /// Streams of the frames, as far as their positions count.
    runs: Vec<Vec<frame::Run>>,
    /// Where what is to be kept ends.
    end: u64,
}

impl Walk {
    /// Over frames below `end`: the others are void.
    fn over(look: &dyn Disk, segment: &Segment, end: Option<u64>) -> io::Result<Self> {
        let mut scanner = Scanner::new(look.open(&segment::name(segment.id.0, segment.id.1), Create::No)?);
        let (mut at, mut next, mut walk) = (segment.body, segment.first, Self { end: segment.len, ..Self::default() });
        loop {
            match scanner.look(at, segment.len)? {
                Found::Frame(head) => {
                    if head.sequence >= next && end.is_none_or(|end| head.sequence < end) {
                        next = head.sequence + 1;
                        let runs = frame::Head::runs(scanner.body(at, &head, segment.len)?).unwrap_or_default();
                        walk.runs.push(if head.is_counted { runs } else { Vec::new() });
                        walk.frames.push((at, head));
                    }
                    at += head.len();
                }
                Found::Damage(len) => {
                    walk.gaps.push((at, at + len));
                    at += len;
                }
                Found::End => return Ok(walk),
            }
        }
    }

    /// Of the last segment: forgets what is behind the last whole group; tells whether there was anything.
    fn cut_off_torn(&mut self, segment: &Segment) -> bool {
        let kept = whole_groups(&self.frames, segment).len();
        self.frames.truncate(kept);
        self.runs.truncate(kept);
        self.end = self.frames.last().map_or(segment.body, |(at, head)| at + head.len());
        self.gaps.retain(|(from, _)| *from < self.end);
        self.end < segment.len
    }

    /// Adds its frames to `positions`.
    fn tell(&self, positions: &mut Positions, now: u32) {
        self.runs.iter().flatten().for_each(|run| positions.wrote(run, now));
        positions.keep();
    }

    /// Frames that should be there, from `first` to `end`, and were not settled.
    fn missing(&self, first: u64, end: Option<u64>, ledger: Option<&Ledger>) -> u64 {
        let is_open = |sequence: &u64| !ledger.is_some_and(|ledger| ledger.is_settled(*sequence));
        let last = self.frames.last().map_or(first, |(_, head)| head.sequence + 1);
        // The end of an epoch is not known.
        let end = end.filter(|end| epoch_of(*end) == epoch_of(first)).unwrap_or(last);
        let after = self.frames.iter().map(|(_, head)| head.sequence).chain([end]);
        let mut next = first;
        let gaps = after.map(|sequence| {
            let gap = next..sequence;
            next = sequence + 1;
            gap.take(MISSING).filter(is_open).count() as u64
        });
        gaps.sum()
    }

    /// The gaps in which frames were. Where none is missing a write that failed has left them.
    fn damage(&self, first: u64, end: Option<u64>) -> Vec<(u64, u64)> {
        let is_damage = |(from, to): &(u64, u64)| {
            let before = self.frames.iter().rfind(|(at, _)| at < from).map_or(first, |(_, head)| head.sequence + 1);
            let after = self.frames.iter().find(|(at, _)| at >= to).map(|(_, head)| head.sequence).or(end);
            *from == 0 || after.is_some_and(|after| after > before)
        };
        self.gaps.iter().copied().filter(is_damage).collect()
    }
}

/// The head of a segment, if it is whole.
fn own_head(look: &dyn Disk, name: &str, segment: &Segment) -> io::Result<Option<(segment::Head, Positions)>> {
    let mut scanner = Scanner::new(look.open(name, Create::No)?);
    let length = segment::Head::length(scanner.fetch(0, segment::HEAD, segment.len)?).unwrap_or_default();
    let read = segment::Head::read(scanner.fetch(0, length, segment.len)?).ok();
    Ok(read.filter(|(head, _)| head.number == segment.id.1 && length as u64 == segment.body))
}

impl Rewrite {
    /// Keeps what is damaged, durably, as far as there is `room` for such.
    fn keep_damage(&self, disk: &dyn Disk, room: &mut u64) -> io::Result<()> {
        let file = disk.open(&self.name, Create::No)?;
        for (from, to) in &self.damaged {
            let len = (to - from).min(*room);
            let kept = format!("{QUARANTINE}/{}.{from}", self.name);
            let copy = match disk.open(&kept, Create::New) {
                // It was found before.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                copy => copy?,
            };
            pass(&*file, (*from, from + len), (&*copy, 0))?;
            copy.sync()?;
            *room -= len;
        }
        Ok(())
    }

    fn carry_out(&self, disk: &dyn Disk) -> io::Result<()> {
        let (file, name) = (disk.open(&self.name, Create::No)?, format!("{}{COPY}", self.name));
        match disk.remove(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let copy = disk.open(&name, Create::New)?;
        let mut at = match &self.head {
            Some(head) => write_all(&*copy, 0, head).map(|()| head.len() as u64)?,
            None => pass(&*file, (0, self.body), (&*copy, 0))?,
        };
        for frame in &self.frames {
            at = pass(&*file, *frame, (&*copy, at))?;
        }
        copy.sync()?;
        disk.rename(&name, &self.name)
    }
}

/// Copies a part of a file; gives where the copy ends.
fn pass(from: &dyn Handle, (mut at, end): (u64, u64), (to, mut into): (&dyn Handle, u64)) -> io::Result<u64> {
    let mut piece = vec![0; PIECE.min((end - at) as usize)];
    while at < end {
        let wanted = piece.len().min((end - at) as usize);
        let read = from.read_at(at, &mut piece[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all(to, into, &piece[..read])?;
        (at, into) = (at + read as u64, into + read as u64);
    }
    Ok(into)
}
