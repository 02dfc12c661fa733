//! Opening a log after whatever happened to it.
//!
//! Only heads and the last segment are read; older segments are checked as their frames' turn comes. The last group of all
//! is written anew before it is trusted: after a kill it may be in the page cache alone, and a sync of that file may have
//! failed before, which no later one tells.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use super::acks::Acks;
use super::frame;
use super::ledger::{self, Found as FoundLedger, Ledger};
use super::log::{Log, Options, Segment, Tools, first_of, kept_at_most};
use super::positions::Positions;
use super::read::Reader;
use super::scan::{Found, Scanner};
use super::segment::{self, Kind};
use super::storage::{Create, Disk, Handle, QUARANTINE, write_all};
use super::unwritten::Unwritten;
use super::write::Writer;
use crate::buffer::Space;

/// What the name of a segment ends with while it is written anew.
pub(super) const COPY: &str = ".copy";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Bytes of an end that was torn, and is cut off.
    pub(crate) torn: u64,
    /// Files that could not be read as segments.
    pub(crate) broken: Vec<String>,
    /// Files of a later program, left alone.
    pub(crate) newer: Vec<String>,
    /// There was a ledger, and it is damaged or gone. One is not written before there is an outcome.
    pub(crate) lost_ledger: bool,
}

/// What a folder holds.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) segments: Vec<Segment>,
    /// Of the last segment with a whole head.
    pub(super) positions: Positions,
    pub(super) others: u64,
    pub(super) quarantined: u64,
    last_epoch: u16,
    last_number: u64,
    newer: BTreeSet<u16>,
    pub(super) ledgers: BTreeMap<u16, (Ledger, u64)>,
    pub(super) report: Report,
}

impl Log {
    /// Opens the log in `tools.disk`; `now` is in minutes since the Unix epoch.
    pub(crate) fn open(tools: Tools, options: Options, now: u32) -> io::Result<(Self, Report)> {
        let mut survey = survey(&*tools.disk, options.max_size)?;
        let scanned = scan_last(&*tools.disk, &mut survey, now)?;
        let (group, end) = (scanned.group, scanned.end);
        let report = std::mem::take(&mut survey.report);
        let mut log = Self::of(tools, options, (survey, scanned));
        // What was removed may be back after a crash.
        log.remove_settled()?;
        log.renew_group(group, end, now)?;
        log.show();
        Ok((log, report))
    }

    fn of(tools: Tools, options: Options, (survey, scanned): (Survey, Scanned)) -> Self {
        let epoch = match survey.last_epoch {
            0 => 1,
            last if survey.newer.contains(&last) => last + 1,
            last => last,
        };
        let next = scanned.next.max(first_of(epoch));
        let fed = survey.segments.first().map_or(next, |oldest| survey.unsettled_from(oldest)).min(next);
        let segments: VecDeque<Segment> = survey.segments.into();
        let gone = survey.ledgers.values().map(|(ledger, _)| ledger.gone).max();
        let gone = gone.unwrap_or_else(|| segments.front().map_or(0, |oldest| oldest.records_before));
        let windows = survey.ledgers.values().flat_map(|(ledger, _)| ledger.windows.iter().copied());
        let acks = Acks::new((fed, gone), windows, tools.bell.clone());
        let figures = tools.meters.of_buffer();
        let records = scanned.records.max(gone);
        Self {
            figures,
            options,
            segments,
            epoch,
            next,
            records,
            positions: scanned.positions,
            acks,
            reader: Reader::default(),
            writer: Writer::at(next, records),
            passing: None,
            unwritten: Unwritten::default(),
            ledgers: survey.ledgers,
            others: survey.others,
            quarantined: survey.quarantined,
            space: Space::default(),
            last_number: survey.last_number,
            tools,
        }
    }

    /// The last segment ends there.
    fn cut_off(&mut self, end: u64) {
        if let Some(last) = self.segments.back_mut() {
            (last.len, last.void) = (end, 0);
        }
    }

    /// Writes the last group anew, in a segment of its own, unless the sink has it all.
    fn renew_group(&mut self, (offset, first, records): (u64, u64, u64), end: u64, now: u32) -> io::Result<()> {
        let Some(last) = self.segments.back() else { return Ok(()) };
        let name = segment::name(last.id.0, last.id.1);
        let file = self.tools.disk.open(&name, Create::No)?;
        let is_settled = |sequence| self.ledgers.get(&last.id.0).is_some_and(|(ledger, _)| ledger.is_settled(sequence));
        let is_over = offset >= end || last.id.0 != self.epoch || (first..self.next).all(is_settled);
        if is_over || !self.fits(end - offset) {
            // Where there is no room for a second copy its sync has to be believed.
            file.truncate(end)?;
            return file.sync().map(|()| self.cut_off(end));
        }
        let (next, all) = (self.next, self.records);
        (self.next, self.records) = (first, records);
        let renewed = self.write_group(&*file, (offset, end), now);
        (self.next, self.records) = (next, all);
        let segment = renewed?;
        if let Some(old) = self.segments.back_mut() {
            (old.void, old.len) = (old.void + old.len - offset, offset);
            // Else it may be back after a crash.
            if file.truncate(offset).and_then(|()| file.sync()).is_ok() {
                old.void = 0;
            }
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// Writes a segment with frames that stand in `file`. It is there as a whole or not at all: its head says that they
    /// are stored, and that those in `file` are void.
    fn write_group(&mut self, file: &dyn Handle, (offset, end): (u64, u64), now: u32) -> io::Result<Segment> {
        self.last_number += 1;
        let id = (self.epoch, self.last_number);
        let head = segment::Head { number: id.1, first: self.next, records_before: self.records };
        let room = self.head_room() as usize;
        let mut bytes = head.write(&mut self.positions, now, room);
        let body = bytes.len();
        bytes.resize(body + (end - offset) as usize, 0);
        if file.read_at(offset, &mut bytes[body..])? < bytes.len() - body {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (disk, name) = (&self.tools.disk, segment::name(id.0, id.1));
        let copy = format!("{name}{COPY}");
        let made = disk.open(&copy, Create::New).and_then(|copy| {
            write_all(&*copy, 0, &bytes)?;
            copy.sync().inspect_err(|_| self.figures.fsync_failed())
        });
        made.and_then(|()| disk.rename(&copy, &name)).inspect_err(|_| drop(disk.remove(&copy)))?;
        disk.sync_folder()?;
        let (body, len) = (body as u64, bytes.len() as u64);
        Ok(Segment { id, first: self.next, body, len, void: 0, records_before: self.records })
    }
}

/// Reads the heads of all files.
pub(super) fn survey(disk: &dyn Disk, max_size: u64) -> io::Result<Survey> {
    let mut survey = Survey::default();
    let mut files = disk.list()?;
    files.sort();
    let mut found = Vec::new();
    for (name, len) in files {
        if let Some(id) = segment::parse_name(&name) {
            survey.saw(id.0);
            survey.last_number = survey.last_number.max(id.1);
            found.push((id, name, len));
        } else if let Some(epoch) = ledger::parse_name(&name) {
            survey.saw(epoch);
        } else if name.ends_with(COPY) && disk.remove(&name).is_ok() {
            tracing::debug!(name, "removed what an earlier start did not finish");
        } else {
            survey.others += len;
            survey.quarantined += if name.starts_with(QUARANTINE) { len } else { 0 };
        }
    }
    survey.read_ledgers(disk)?;
    survey.find_newer(disk, &found)?;
    found.sort_unstable();
    for (id, name, len) in found {
        if survey.newer.contains(&id.0) {
            survey.others += len;
            survey.report.newer.push(name);
        } else if let Some(segment) = read_head(disk, &mut survey, (id, &name, len))? {
            survey.segments.push(segment);
        } else {
            survey.set_aside(disk, (&name, len), max_size)?;
        }
    }
    survey.report.lost_ledger |= survey.ledgers.is_empty() && survey.lacks_first();
    Ok(survey)
}

impl Survey {
    fn saw(&mut self, epoch: u16) {
        self.last_epoch = self.last_epoch.max(epoch);
        self.ledgers.entry(epoch).or_default();
    }

    fn read_ledgers(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let epochs: Vec<u16> = self.ledgers.keys().copied().collect();
        for epoch in epochs {
            match Ledger::load(disk, epoch)? {
                FoundLedger::Read(ledger, generation) => _ = self.ledgers.insert(epoch, (ledger, generation)),
                FoundLedger::None => _ = self.ledgers.remove(&epoch),
                FoundLedger::Newer => _ = self.newer.insert(epoch),
                FoundLedger::Damaged => {
                    self.report.lost_ledger = true;
                    self.ledgers.remove(&epoch);
                }
            }
        }
        Ok(())
    }

    /// An epoch in which a later program wrote anything is left alone as a whole: what it has settled is not known here.
    fn find_newer(&mut self, disk: &dyn Disk, found: &[((u16, u64), String, u64)]) -> io::Result<()> {
        for (id, name, _) in found {
            let mut first = [0; 8];
            let read = disk.open(name, Create::No)?.read_at(0, &mut first)?;
            if let Kind::Newer(_) = segment::kind(&first[..read]) {
                self.newer.insert(id.0);
            }
        }
        for epoch in &self.newer {
            self.ledgers.remove(epoch);
        }
        Ok(())
    }

    /// Does the oldest segment not begin with the first frame of its epoch? Those before went by a ledger.
    fn lacks_first(&self) -> bool {
        self.segments.first().is_some_and(|oldest| oldest.first > first_of(oldest.id.0))
    }

    /// The first frame that may have no outcome, given the oldest segment.
    fn unsettled_from(&self, oldest: &Segment) -> u64 {
        let Some((ledger, _)) = self.ledgers.get(&oldest.id.0) else { return oldest.first };
        ledger.unsettled_from(oldest.first)
    }

    /// A file without a frame that can be read: an empty one goes, others are kept for a person to look at, if small.
    fn set_aside(&mut self, disk: &dyn Disk, (name, len): (&str, u64), max_size: u64) -> io::Result<()> {
        self.report.broken.push(name.to_owned());
        if len == 0 || self.quarantined + len > kept_at_most(max_size) {
            return disk.remove(name);
        }
        disk.rename(name, &format!("{QUARANTINE}/{name}"))?;
        self.quarantined += len;
        self.others += len;
        Ok(())
    }
}

/// The segment in a file; none if there is nothing to be read.
fn read_head(
    disk: &dyn Disk,
    survey: &mut Survey,
    (id, name, len): ((u16, u64), &str, u64),
) -> io::Result<Option<Segment>> {
    let mut scanner = Scanner::new(disk.open(name, Create::No)?);
    let head = scanner.fetch(0, segment::HEAD, len)?;
    let length = segment::Head::length(head).unwrap_or_default();
    let whole = segment::Head::read(scanner.fetch(0, length, len)?);
    if let Ok((head, positions)) = whole
        && head.number == id.1
    {
        survey.positions = positions;
        let body = length as u64;
        return Ok(Some(Segment { id, first: head.first, body, len, void: 0, records_before: head.records_before }));
    }
    // Its frames say where they belong.
    let mut at = 0;
    loop {
        match scanner.look(at, len)? {
            Found::Frame(head) => {
                survey.report.broken.push(name.to_owned());
                let records_before = survey.segments.last().map_or(0, |before| before.records_before);
                return Ok(Some(Segment { id, first: head.sequence, body: at, len, void: 0, records_before }));
            }
            Found::Damage(bytes) => at += bytes,
            Found::End => return Ok(None),
        }
    }
}

/// What the last segment says.
#[derive(Default)]
pub(super) struct Scanned {
    /// Sequence of the frame after it.
    pub(super) next: u64,
    /// Records stored since the log began.
    pub(super) records: u64,
    positions: Positions,
    /// Where what is to be kept of it ends.
    pub(super) end: u64,
    /// Where its last group begins: the offset, the sequence, and the records stored before.
    group: (u64, u64, u64),
}

/// Goes over the last segment and leaves out an end that was torn.
fn scan_last(disk: &dyn Disk, survey: &mut Survey, now: u32) -> io::Result<Scanned> {
    let positions = std::mem::take(&mut survey.positions);
    let Some(last) = survey.segments.last_mut() else { return Ok(Scanned { positions, ..Scanned::default() }) };
    let scanned = read_last(disk, last, positions, now)?;
    survey.report.torn = last.len - scanned.end;
    last.void = last.len - scanned.end;
    last.len = scanned.end;
    Ok(scanned)
}

/// Goes over the last segment, given the positions in its head.
pub(super) fn read_last(disk: &dyn Disk, last: &Segment, mut positions: Positions, now: u32) -> io::Result<Scanned> {
    let mut scanner = Scanner::new(disk.open(&segment::name(last.id.0, last.id.1), Create::No)?);
    let frames = frames(&mut scanner, last)?;
    let kept = whole_groups(&frames, last);
    let end = kept.last().map_or(last.body, |(at, head)| at + head.len());
    for (at, head) in kept {
        let runs = frame::Head::runs(scanner.body(*at, head, last.len)?).unwrap_or_default();
        runs.iter().filter(|_| head.is_counted).for_each(|run| positions.wrote(run, now));
    }
    positions.keep();
    let next = kept.last().map_or(last.first, |(_, head)| head.sequence + 1);
    let records = last.records_before + kept.iter().map(|(_, head)| u64::from(head.records)).sum::<u64>();
    let group = kept.last().map_or(next, |(_, head)| head.group);
    let of_group = kept.iter().filter(|(_, head)| head.sequence >= group);
    let group = (
        of_group.clone().map(|(at, _)| *at).next().unwrap_or(end),
        group,
        records - of_group.map(|(_, head)| u64::from(head.records)).sum::<u64>(),
    );
    Ok(Scanned { next, records, positions, end, group })
}

type Frames = Vec<(u64, frame::Head)>;

/// All frames of a segment that are whole, with where they stand.
fn frames(scanner: &mut Scanner, segment: &Segment) -> io::Result<Frames> {
    let (mut at, mut frames, mut next) = (segment.body, Frames::new(), segment.first);
    loop {
        match scanner.look(at, segment.len)? {
            Found::Frame(head) => {
                if head.sequence >= next {
                    next = head.sequence + 1;
                    frames.push((at, head));
                }
                at += head.len();
            }
            Found::Damage(len) => at += len,
            Found::End => return Ok(frames),
        }
    }
}

/// The frames up to a gap in the last group: what is behind it was never acknowledged, and must not make a re-read of
/// what is missing look like one of what is stored.
pub(super) fn whole_groups<'f>(frames: &'f [(u64, frame::Head)], segment: &Segment) -> &'f [(u64, frame::Head)] {
    let Some(group) = frames.iter().map(|(_, head)| head.group).max() else { return &[] };
    let mut expected = group.max(segment.first);
    let kept = frames.iter().position(|(_, head)| {
        let is_whole = head.sequence < group || head.sequence == expected;
        expected += u64::from(head.sequence >= group);
        !is_whole
    });
    &frames[..kept.unwrap_or(frames.len())]
}
