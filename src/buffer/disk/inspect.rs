//! Looking at disk buffers without opening them: nothing is made, changed or locked. Of a buffer that is open a summary can
//! be had, as it is at some moment of the look.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::frame::HEAD;
use super::ledger::Ledger;
use super::log::Segment;
use super::recover::{Scanned, Survey, read_last, survey};
use super::scan::{Found, Scanner};
use super::segment;
use super::storage::{Create, Disk, Folder, Handle};
use crate::event::Batch;

/// The folder of all disk buffers in the state folder.
pub const FOLDER: &str = "buffers";

/// A buffer that is being written loses files while it is looked at; so often it is looked at once more.
const LOOKS: usize = 5;

/// What a buffer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// Bytes of all its files but the ledgers.
    pub bytes: u64,
    /// Files with records that this version reads.
    pub segments: usize,
    /// Records without an outcome; as far as is known without reading them all.
    pub records: u64,
    /// Files that a later version wrote.
    pub newer: usize,
    /// Files that are no segments though they are called so.
    pub broken: usize,
    /// Is it unknown what was settled?
    pub has_lost_ledger: bool,
    /// Damaged bytes that are kept.
    pub quarantined: u64,
}

/// What was found by reading all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contents {
    /// Frames without an outcome.
    pub frames: u64,
    /// Their records.
    pub records: u64,
    /// Bytes that are no frames.
    pub damaged: u64,
    /// Files of which a head, or nothing at all, can be read.
    pub broken: usize,
    /// Files that a later version wrote: they were not read.
    pub newer: usize,
    /// Is it unknown what was settled?
    pub has_lost_ledger: bool,
}

impl Contents {
    /// Is all of it as it was written, as far as this version knows?
    pub fn is_sound(&self) -> bool {
        self.damaged == 0 && self.broken == 0 && !self.has_lost_ledger
    }
}

/// Who has a buffer while it is read?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody: it stays as it is.
    Nobody,
    /// An agent that runs. What it writes and removes meanwhile is neither damage nor loss.
    Agent,
}

/// Bytes of the file system that `folder` is on.
pub fn capacity(folder: &Path) -> io::Result<u64> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_blocks.saturating_mul(facts.f_frsize))
}

/// The ids of the sinks that have a folder in `folder`, in order.
pub fn list(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Some(id) = entry.file_name().to_str()
        {
            ids.push(id.to_owned());
        }
    }
    ids.sort();
    Ok(ids)
}

/// What the buffer in `folder` holds, by the heads of its files and its last segment. An agent may have it open.
pub fn summary(folder: &Path) -> io::Result<Summary> {
    look_once_more(|| summary_now(folder))
}

fn summary_now(folder: &Path) -> io::Result<Summary> {
    let disk = Untouched(Folder::look(folder));
    let survey = survey(&disk, u64::MAX)?;
    let last = last(&disk, &survey)?;
    let segments: u64 = survey.segments.iter().map(|segment| segment.len).sum();
    let gone = survey.ledgers.values().map(|(ledger, _)| ledger.gone).max();
    let gone = gone.or(survey.segments.first().map(|oldest| oldest.records_before)).unwrap_or_default();
    Ok(Summary {
        bytes: segments + survey.others,
        segments: survey.segments.len(),
        records: last.records.saturating_sub(gone),
        newer: survey.report.newer.len(),
        broken: survey.report.broken.len(),
        has_lost_ledger: survey.report.lost_ledger,
        quarantined: survey.quarantined,
    })
}

/// Reads the whole buffer in `folder`, as it was when this began; shows `each` batch that has no outcome, until it says no.
pub fn read(folder: &Path, owner: Owner, mut each: impl FnMut(Batch) -> bool) -> io::Result<Contents> {
    let disk = Untouched(Folder::look(folder));
    let (survey, last) = look_once_more(|| {
        let survey = survey(&disk, u64::MAX)?;
        let last = last(&disk, &survey)?;
        Ok((survey, last))
    })?;
    let newest = survey.segments.iter().map(|segment| segment.id).max();
    // One that an agent is about to begin has no head yet.
    let is_begun = |name: &String| owner == Owner::Agent && segment::parse_name(name) > newest;
    let mut contents = Contents {
        broken: survey.report.broken.iter().filter(|name| !is_begun(name)).count(),
        newer: survey.report.newer.len(),
        has_lost_ledger: survey.report.lost_ledger,
        ..Contents::default()
    };
    for (index, segment) in survey.segments.iter().enumerate() {
        let after = survey.segments.get(index + 1);
        let end = after.map_or(last.next, |after| after.first);
        // Behind what is whole an agent may be writing.
        let len = if after.is_none() && owner == Owner::Agent { last.end } else { segment.len };
        let ledger = survey.ledgers.get(&segment.id.0).map(|(ledger, _)| ledger);
        match read_segment(&disk, (segment, len, end), ledger, (&mut contents, &mut each)) {
            // All that was in it has an outcome by now.
            Err(error) if owner == Owner::Agent && error.kind() == io::ErrorKind::NotFound => {}
            Ok(false) => break,
            done => _ = done?,
        }
    }
    Ok(contents)
}

/// Reads one segment up to `len`, and of it the frames below `end`; false if no more are wanted.
fn read_segment(
    disk: &dyn Disk,
    (segment, len, end): (&Segment, u64, u64),
    ledger: Option<&Ledger>,
    (contents, each): (&mut Contents, &mut impl FnMut(Batch) -> bool),
) -> io::Result<bool> {
    let mut scanner = Scanner::new(disk.open(&segment::name(segment.id.0, segment.id.1), Create::No)?);
    let mut at = segment.body;
    loop {
        match scanner.look(at, len)? {
            Found::Frame(head) => {
                let is_settled = ledger.is_some_and(|ledger| ledger.is_settled(head.sequence));
                if head.sequence < end && !is_settled {
                    let body = Bytes::copy_from_slice(scanner.body(at, &head, len)?);
                    contents.frames += 1;
                    contents.records += u64::from(head.records);
                    match head.batch(&body) {
                        Ok(batch) => {
                            if !each(batch) {
                                return Ok(false);
                            }
                        }
                        Err(_) => contents.damaged += body.len() as u64 + HEAD as u64,
                    }
                }
                at += head.len();
            }
            Found::Damage(bytes) => {
                contents.damaged += bytes;
                at += bytes;
            }
            Found::End => return Ok(true),
        }
    }
}

/// Looks again where a file went meanwhile.
fn look_once_more<T>(look: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let mut seen = look();
    for _ in 1..LOOKS {
        if !seen.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            break;
        }
        seen = look();
    }
    seen
}

fn last(disk: &dyn Disk, survey: &Survey) -> io::Result<Scanned> {
    match survey.segments.last() {
        Some(last) => read_last(disk, last, survey.positions.clone(), 0),
        None => Ok(Scanned::default()),
    }
}

/// A folder in which nothing changes.
pub(super) struct Untouched<D>(pub(super) D);

impl<D: Disk> Disk for Untouched<D> {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.0.list()
    }

    fn open(&self, name: &str, create: Create) -> io::Result<Box<dyn Handle>> {
        match create {
            Create::No => self.0.open(name, Create::No),
            Create::New => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn free(&self) -> io::Result<f64> {
        self.0.free()
    }
}
