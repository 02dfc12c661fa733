//! The ledger: how far a log's frames are settled. Two generations; each is replaced in one step.
//!
//! ```text
//! magic "lvL\x01" | version u8 | 0 [3] | generation u64 | bound u64 | records gone u64 | count u32 | crc32c of all else u32
//! | sequences below `bound` that are not settled | windows without an outcome: first u64, end u64, fingerprint u32
//! ```

use std::io;
use std::ops::Range;

use super::bytes::{Cursor, Malformed};
use super::storage::{Create, Disk, Handle, write_all};
use super::windows::Window;

const MAGIC: [u8; 4] = *b"lvL\x01";
const VERSION: u8 = 1;
const HEAD: usize = 40;
/// Frames that are named at most.
pub(crate) const MAX_OPEN: usize = 216;
const WINDOW: usize = 20;
/// Windows that a ledger has room for without taking it from frames.
const WINDOWS: usize = 16;
/// A ledger that is larger is none.
const LONGEST: usize = 16 << 20;

/// What is settled of the frames of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Everything below is settled, but for `open`.
    pub(crate) bound: u64,
    /// Frames below `bound` that are not, in order.
    pub(crate) open: Vec<u64>,
    /// Windows without an outcome: none of their frames is settled.
    pub(crate) windows: Vec<Window>,
    /// Records that were settled or lost since the log began.
    pub(crate) gone: u64,
}

/// What was found at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No ledger was ever written.
    None,
    /// The latest that is whole.
    Read(Ledger, u64),
    /// There are files, and none of them is whole.
    Damaged,
    /// A later program wrote it.
    Newer,
}

impl Ledger {
    /// Is this frame settled?
    pub(crate) fn is_settled(&self, sequence: u64) -> bool {
        let is_in = |window: &Window| (window.first..window.end).contains(&sequence);
        sequence < self.bound && self.open.binary_search(&sequence).is_err() && !self.windows.iter().any(is_in)
    }

    /// Are all these frames settled?
    pub(crate) fn has_settled(&self, frames: &Range<u64>) -> bool {
        let is_open = |sequence: &u64| frames.contains(sequence);
        let has_part = |window: &Window| window.first < frames.end && frames.start < window.end;
        frames.end <= self.bound && !self.open.iter().any(is_open) && !self.windows.iter().any(has_part)
    }

    /// The first frame from `first` on that may not be settled.
    pub(crate) fn unsettled_from(&self, first: u64) -> u64 {
        let open = self.open.iter().copied().find(|sequence| *sequence >= first);
        let windows = self.windows.iter().filter(|window| window.end > first).map(|window| window.first);
        first.max(windows.chain(open).min().unwrap_or(self.bound))
    }

    /// The most it may take on the disk, all generations and the one being written.
    pub(crate) fn room() -> u64 {
        3 * (HEAD + MAX_OPEN * 8 + WINDOWS * WINDOW) as u64
    }

    /// What it takes beyond that.
    pub(crate) fn excess(&self) -> u64 {
        3 * (self.windows.len().saturating_sub(WINDOWS) * WINDOW) as u64
    }

    /// Bounds what it names: what lies behind the last that is named is settled once more.
    pub(crate) fn shorten(&mut self) {
        if self.open.len() > MAX_OPEN {
            self.bound = self.open[MAX_OPEN];
            self.open.truncate(MAX_OPEN);
        }
    }

    fn write(&self, generation: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.open.len() * 8);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        for number in [generation, self.bound, self.gone] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.open.len() as u32).to_le_bytes());
        bytes.resize(HEAD, 0);
        self.open.iter().for_each(|sequence| bytes.extend_from_slice(&sequence.to_le_bytes()));
        for Window { first, end, fingerprint } in &self.windows {
            bytes.extend_from_slice(&first.to_le_bytes());
            bytes.extend_from_slice(&end.to_le_bytes());
            bytes.extend_from_slice(&fingerprint.to_le_bytes());
        }
        let crc = checksum(&bytes);
        bytes[36..HEAD].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Self, u64), Malformed> {
        let mut from = Cursor(bytes);
        if from.take(8)? != [&MAGIC[..], &[VERSION, 0, 0, 0]].concat() {
            return Err(Malformed);
        }
        let (generation, bound, gone) = (from.u64()?, from.u64()?, from.u64()?);
        let (count, crc) = (from.u32()? as usize, from.u32()?);
        let windows = from.0.len().checked_sub(count * 8).ok_or(Malformed)?;
        if windows % WINDOW != 0 || crc != checksum(bytes) {
            return Err(Malformed);
        }
        let open = (0..count).map(|_| from.u64()).collect::<Result<_, _>>()?;
        let mut window = |_| Ok(Window { first: from.u64()?, end: from.u64()?, fingerprint: from.u32()? });
        let windows = (0..windows / WINDOW).map(&mut window).collect::<Result<_, Malformed>>()?;
        Ok((Self { bound, open, windows, gone }, generation))
    }

    /// Makes it durable as this generation. The one before stays.
    pub(crate) fn save(&self, disk: &dyn Disk, epoch: u16, generation: u64) -> io::Result<()> {
        let next = format!("{epoch:05}.ledger.next");
        match disk.remove(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(&next, Create::New)?;
        write_all(&*file, 0, &self.write(generation))?;
        file.sync()?;
        disk.rename(&next, &name(epoch, generation))?;
        disk.sync_folder()
    }

    /// Is there a file of this name that nobody can read? Not one of a later program.
    pub(crate) fn is_damaged(disk: &dyn Disk, name: &str) -> io::Result<bool> {
        let bytes = read_all(&*disk.open(name, Create::No)?)?;
        Ok(!is_newer(&bytes) && Self::read(&bytes).is_err())
    }

    /// The ledger of an epoch.
    pub(crate) fn load(disk: &dyn Disk, epoch: u16) -> io::Result<Found> {
        let mut found = Found::None;
        for generation in 0..2 {
            let file = match disk.open(&name(epoch, generation), Create::No) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            let bytes = read_all(&*file)?;
            found = match (Self::read(&bytes), found) {
                _ if is_newer(&bytes) => return Ok(Found::Newer),
                (Ok((_, new)), Found::Read(ledger, known)) if new <= known => Found::Read(ledger, known),
                (Ok((ledger, generation)), _) => Found::Read(ledger, generation),
                (Err(_), Found::Read(ledger, known)) => Found::Read(ledger, known),
                (Err(_), _) => Found::Damaged,
            };
        }
        Ok(found)
    }

    /// Removes the ledgers of an epoch that is over.
    pub(crate) fn remove(disk: &dyn Disk, epoch: u16) -> io::Result<()> {
        for name in [name(epoch, 0), name(epoch, 1), format!("{epoch:05}.ledger.next")] {
            match disk.remove(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        disk.sync_folder()
    }
}

fn read_all(file: &dyn Handle) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEAD + (MAX_OPEN + WINDOWS) * 8 + 1];
    loop {
        let len = file.read_at(0, &mut bytes)?;
        if len < bytes.len() || len > LONGEST {
            bytes.truncate(len);
            return Ok(bytes);
        }
        bytes.resize(len * 2, 0);
    }
}

/// Did a later program write it?
fn is_newer(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(4).is_some_and(|version| *version > VERSION)
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..36]), &bytes[HEAD..])
}

fn name(epoch: u16, generation: u64) -> String {
    format!("{epoch:05}.ledger.{}", generation % 2)
}

/// The epoch of a ledger with this name.
pub(crate) fn parse_name(name: &str) -> Option<u16> {
    name.split_once(".ledger.")?.0.parse().ok()
}
