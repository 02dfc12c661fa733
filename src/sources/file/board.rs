//! The board: how every open file stands, for figures and for bounds. A lane writes its files' rows, anyone reads them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::FileId;
use super::tail::Seen;
use crate::component::file_meters::FileMeters;

/// How one file stands.
#[derive(Debug, Default)]
pub(super) struct Row {
    size: AtomicU64,
    modified: AtomicI64,
    /// How far it is read.
    offset: AtomicU64,
    /// Bytes on disk that only the open descriptor keeps, if it is deleted.
    held: AtomicU64,
    is_open: AtomicBool,
    is_deleted: AtomicBool,
    /// Is it read to its end, with nothing in flight?
    is_idle: AtomicBool,
    /// A size that it had, and when: how long the bytes up to it have waited.
    mark: Mutex<Option<(u64, Instant)>>,
}

impl Row {
    /// What a look at an open file has shown.
    pub(super) fn look(&self, about: &Metadata, now: Seen, size: u64) {
        self.size.store(size, Ordering::Relaxed);
        self.modified.store(now.modified, Ordering::Relaxed);
        self.is_open.store(true, Ordering::Relaxed);
        let is_deleted = about.nlink() == 0;
        self.is_deleted.store(is_deleted, Ordering::Relaxed);
        self.held.store(if is_deleted { about.blocks() * 512 } else { 0 }, Ordering::Relaxed);
    }

    /// It has no file any more: so many bytes were seen, so many read.
    pub(super) fn lost(&self, size: u64, offset: u64) {
        self.size.store(size, Ordering::Relaxed);
        self.read_to(offset);
    }

    /// Its file is closed.
    pub(super) fn closed(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.is_deleted.store(false, Ordering::Relaxed);
        self.held.store(0, Ordering::Relaxed);
    }

    pub(super) fn read_to(&self, offset: u64) {
        self.offset.store(offset, Ordering::Relaxed);
    }

    pub(super) fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Relaxed);
    }

    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    pub(super) fn modified(&self) -> i64 {
        self.modified.load(Ordering::Relaxed)
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Relaxed)
    }

    /// Bytes that were seen and are not read.
    pub(super) fn lag(&self) -> u64 {
        self.size().saturating_sub(self.offset.load(Ordering::Relaxed))
    }

    /// How long the oldest of these have waited at least, as far as looks at `now` and before tell.
    fn age(&self, now: Instant) -> Duration {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.offset.load(Ordering::Relaxed);
        if mark.is_some_and(|(size, _)| offset >= size) {
            *mark = None;
        }
        if self.lag() == 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(mark.get_or_insert((self.size(), now)).1)
    }
}

/// All rows of a source.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<BTreeMap<FileId, Arc<Row>>>);

/// How many files may be open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) open_files: usize,
    pub(super) deleted_files: usize,
    pub(super) deleted_bytes: u64,
}

/// What must be closed to stay within the bounds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Surplus {
    /// Deleted files to give up.
    pub(super) deleted: Vec<FileId>,
    /// Files with nothing to read: their descriptors can be opened again.
    pub(super) idle: Vec<FileId>,
}

impl Board {
    /// The row of a file that a lane follows from now on.
    pub(super) fn row(&self, id: FileId) -> Arc<Row> {
        self.lock().entry(id).or_default().clone()
    }

    /// The sizes of files that were looked at.
    pub(super) fn sizes(&self) -> Vec<(FileId, u64)> {
        self.lock().iter().map(|(id, row)| (*id, row.size())).filter(|(_, size)| *size > 0).collect()
    }

    /// No lane follows it any more.
    pub(super) fn clear(&self, id: FileId) {
        self.lock().remove(&id);
    }

    /// Brings the figures up to date.
    pub(super) fn show(&self, meters: &FileMeters, now: Instant) {
        let rows = self.lock();
        let open = rows.values().filter(|row| row.is_open.load(Ordering::Relaxed));
        let deleted = || rows.values().filter(|row| row.is_deleted());
        let sum = |figures: &mut dyn Iterator<Item = u64>| figures.sum::<u64>() as i64;
        meters.open.set(open.count() as i64);
        meters.deleted_open.set(deleted().count() as i64);
        meters.deleted_open_bytes.set(sum(&mut deleted().map(|row| row.held.load(Ordering::Relaxed))));
        meters.lag_bytes.set(sum(&mut rows.values().map(|row| row.lag())));
        meters.lag_max_bytes.set(rows.values().map(|row| row.lag()).max().unwrap_or(0) as i64);
        meters.lag_max_seconds.set(rows.values().map(|row| row.age(now)).max().unwrap_or_default().as_secs() as i64);
    }

    /// What is beyond the bounds. Of deleted files those with the largest lag go first, of idle ones those that were
    /// written to the longest ago.
    pub(super) fn surplus(&self, bounds: Bounds) -> Surplus {
        let rows = self.lock();
        let mut deleted: Vec<_> = rows.iter().filter(|(_, row)| row.is_deleted()).collect();
        deleted.sort_by_key(|(_, row)| row.lag());
        let held = |row: &Row| row.held.load(Ordering::Relaxed);
        let mut bytes: u64 = deleted.iter().map(|(_, row)| held(row)).sum();
        let mut surplus = Surplus::default();
        while deleted.len() > bounds.deleted_files || bytes > bounds.deleted_bytes {
            let Some((id, row)) = deleted.pop() else { break };
            bytes -= held(row);
            surplus.deleted.push(*id);
        }
        let open = rows.values().filter(|row| row.is_open.load(Ordering::Relaxed)).count();
        let mut idle: Vec<_> = rows.iter().filter(|(_, row)| row.is_idle.load(Ordering::Relaxed)).collect();
        idle.sort_by_key(|(_, row)| row.modified());
        surplus.idle = idle.into_iter().map(|(id, _)| *id).take(open.saturating_sub(bounds.open_files)).collect();
        surplus
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FileId, Arc<Row>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(rows: &[(u64, u64, u64)]) -> Board {
        let board = Board::default();
        for (id, (size, offset, held)) in (0..).zip(rows) {
            let row = board.row(id);
            row.size.store(*size, Ordering::Relaxed);
            row.offset.store(*offset, Ordering::Relaxed);
            row.modified.store(-(id as i64), Ordering::Relaxed);
            row.held.store(*held, Ordering::Relaxed);
            row.is_deleted.store(*held > 0, Ordering::Relaxed);
            row.is_open.store(true, Ordering::Relaxed);
            row.is_idle.store(size == offset, Ordering::Relaxed);
        }
        board
    }

    #[test]
    fn the_largest_lag_goes_first() {
        let board = board(&[(100, 90, 4096), (100, 0, 4096), (100, 50, 8192), (9, 9, 0)]);
        let over = |deleted_files, deleted_bytes| {
            board.surplus(Bounds { open_files: 9, deleted_files, deleted_bytes }).deleted
        };
        assert_eq!(over(3, 1 << 20), [0; 0]);
        assert_eq!(over(2, 1 << 20), [1]);
        assert_eq!(over(3, 5000), [1, 2]);
        assert_eq!(over(0, 0), [1, 2, 0]);
    }

    #[test]
    fn what_was_idle_longest_is_closed_and_nothing_that_is_behind() {
        let board = board(&[(1, 1, 0), (9, 0, 0), (1, 1, 0), (1, 1, 0)]);
        let over = |open_files| board.surplus(Bounds { open_files, deleted_files: 9, deleted_bytes: 9 }).idle;
        assert_eq!(over(4), [0; 0]);
        assert_eq!(over(2), [3, 2]);
        assert_eq!(over(0), [3, 2, 0]);
    }

    #[test]
    fn lag_is_as_old_as_the_bytes_that_were_seen_first() {
        let board = board(&[(10, 5, 0)]);
        let row = board.row(0);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(row.age(at(0)), Duration::ZERO);
        row.size.store(30, Ordering::Relaxed);
        assert_eq!(row.age(at(4)).as_secs(), 4);
        row.read_to(12);
        assert_eq!(row.age(at(6)).as_secs(), 0, "from here on counted anew");
        assert_eq!(row.age(at(7)).as_secs(), 1);
        row.read_to(30);
        assert_eq!(row.age(at(9)), Duration::ZERO);
    }
}
