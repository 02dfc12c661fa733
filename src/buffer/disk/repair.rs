//! Repairing a log that nobody has open: what a start would find out frame by frame is put right at once.
//!
//! First all of it is read, and nothing changed; what is to be done follows from that. A torn end is cut off, by the rule of
//! a start. A segment with damage is written anew without it, under its own name, in one step; what is damaged goes to
//! `quarantine`, first and durably, as much as a start would keep. A frame that holds no records is damage. A head that is damaged is made again: its positions are those of the segments before,
//! and of their frames. A ledger that is lost is made again with nothing settled, as a start takes it: what the oldest
//! segments hold may be sent once more. Where a later version wrote a part nothing is touched.

mod walk;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::frame::{self, HEAD};
use super::inspect::Untouched;
use super::ledger::{self, Ledger};
use super::log::{Segment, kept_at_most};
use super::positions::Positions;
use super::recover::{COPY, Survey, survey};
use super::scan::Scanner;
use super::segment;
use super::storage::{Create, Disk, Folder, Handle, QUARANTINE, write_all};
use walk::Walk;

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;
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
    /// Files taken out as a whole: nothing can be read of them.
    pub set_aside: Vec<String>,
    /// Bytes of all that is taken out for which there is no room in `quarantine`: they are removed.
    pub unkept: u64,
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
    /// Frames to keep, and where they begin.
    frames: Vec<(u64, frame::Head)>,
    /// Damage to keep: where it begins and ends.
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
    /// Files that go to `quarantine`, and files that are removed.
    moved: Vec<String>,
    removed: Vec<String>,
}

/// Repairs the buffer in `folder`; `now` is in minutes since the Unix epoch. `max_size` is what the buffer may take, if that
/// is known: it bounds what is kept of the damage. It fails where another process has the buffer open.
///
/// # Errors
/// If the disk fails. What was done until then is whole: it can be called again.
pub fn repair(folder: &Path, how: How, max_size: Option<u64>, now: u32) -> io::Result<Repaired> {
    if how == How::DryRun {
        return Ok(Plan::of(&Untouched(Folder::look(folder)), max_size, now)?.told);
    }
    let disk = Folder::open(folder)?;
    let plan = Plan::of(&Untouched(Folder::look(folder)), max_size, now)?;
    plan.carry_out(&disk)?;
    Ok(plan.told)
}

/// The same, for a disk of any kind and another view of it.
#[cfg(test)]
pub(super) fn repair_on<D: Disk + Clone>(disk: &D, max_size: Option<u64>, now: u32) -> io::Result<Repaired> {
    let plan = Plan::of(&Untouched(disk.clone()), max_size, now)?;
    plan.carry_out(disk)?;
    Ok(plan.told)
}

impl Plan {
    /// Reads all of it; `look` changes nothing.
    fn of(look: &dyn Disk, max_size: Option<u64>, now: u32) -> io::Result<Self> {
        let survey = survey(look, u64::MAX)?;
        let mut plan = Self::default();
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
        plan.bound_kept(&look.list()?, max_size);
        Ok(plan)
    }

    /// Says what of the damage is kept, and what is removed.
    fn bound_kept(&mut self, files: &[(String, u64)], max_size: Option<u64>) {
        let (kept, held): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| name.starts_with(QUARANTINE));
        let sum = |files: &[&(String, u64)]| files.iter().map(|(_, len)| len).sum::<u64>();
        let mut room = kept_at_most(max_size.unwrap_or_else(|| sum(&held))).saturating_sub(sum(&kept));
        for name in self.told.set_aside.iter().chain(&self.bad_ledgers) {
            let len = held.iter().find(|(known, _)| known == name).map_or(0, |(_, len)| *len);
            if len == 0 || len > room {
                self.told.unkept += len;
                self.removed.push(name.clone());
            } else {
                room -= len;
                self.moved.push(name.clone());
            }
        }
        for (from, to) in self.rewrites.iter_mut().flat_map(|rewrite| &mut rewrite.damaged) {
            let len = (*to - *from).min(room);
            self.told.unkept += *to - *from - len;
            *to = *from + len;
            room -= len;
        }
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
        let mut walk = Walk::over(look, segment, (end, ledger))?;
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
            self.rewrites.push(Rewrite { name, body: segment.body, head, frames: walk.frames, damaged });
        }
        Ok(())
    }

    fn carry_out(&self, disk: &dyn Disk) -> io::Result<()> {
        if self.told.newer > 0 || self.told.is_sound() && self.bad_ledgers.is_empty() {
            return Ok(());
        }
        for name in &self.moved {
            disk.rename(name, &format!("{QUARANTINE}/{name}"))?;
        }
        for name in &self.removed {
            disk.remove(name)?;
        }
        if let Some((name, end)) = &self.torn {
            let file = disk.open(name, Create::No)?;
            file.truncate(*end)?;
            file.sync()?;
        }
        for rewrite in &self.rewrites {
            rewrite.keep_damage(disk)?;
            rewrite.carry_out(disk)?;
        }
        for (epoch, ledger) in &self.ledgers {
            ledger.save(disk, *epoch, 1)?;
        }
        disk.sync_folder()
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
    /// Keeps damage, durably.
    fn keep_damage(&self, disk: &dyn Disk) -> io::Result<()> {
        let file = disk.open(&self.name, Create::No)?;
        for (from, to) in self.damaged.iter().filter(|(from, to)| from < to) {
            let kept = format!("{QUARANTINE}/{}.{from}", self.name);
            let copy = match disk.open(&kept, Create::New) {
                // It was found before.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                copy => copy?,
            };
            pass(&*file, (*from, *to), (&*copy, 0))?;
            copy.sync()?;
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
        for (from, frame) in &self.frames {
            write_all(&*copy, at, &frame.bytes())?;
            let body = (from + HEAD as u64, from + frame.len());
            at = pass(&*file, body, (&*copy, at + HEAD as u64))?;
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
