//! Descriptors that run out: how many files may be open, and those that wait for others to be closed.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::discovery::Discovery;
use crate::component::clock;

/// How many files may be open.
#[derive(Debug)]
pub(super) struct Room {
    /// As the limit of the system tells.
    pub(super) most: usize,
    /// As it turned out: others take descriptors too.
    learned: usize,
    /// Files that the last look found none for.
    pub(super) waiting: Vec<PathBuf>,
    is_told: bool,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        Self { most, learned: usize::MAX, waiting: Vec::new(), is_told: false }
    }

    pub(super) fn files(&self) -> usize {
        self.most.min(self.learned)
    }

    /// There was no descriptor left with so many files open: some are left to others from now on.
    fn ran_out(&mut self, open: usize) {
        self.learned = (open / 4 * 3).max(1);
    }

    /// There was one: there may be more by now.
    pub(super) fn sufficed(&mut self) {
        self.learned = self.learned.saturating_add(1 + self.learned / 8);
    }
}

/// Are there no descriptors left, of the process or of the system?
pub(super) fn is_out(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|out| errno == Some(out.raw_os_error()))
}

impl Discovery {
    /// How many more files can be opened: some descriptors are left for all else, positions among it.
    pub(super) fn room(&self) -> usize {
        self.room.files().saturating_sub(self.taken())
    }

    /// How many files of this source are open.
    fn taken(&self) -> usize {
        self.live.values().filter(|live| live.closed.is_none()).count() + self.waiting.len()
    }

    /// A look with `found` new files in hand has found no descriptor for one more.
    pub(super) fn run_out(&mut self, found: usize) {
        self.room.ran_out(self.taken() + found);
    }

    /// New files are closed, so that positions can be saved; they are found again.
    pub(super) fn close_waiting(&mut self) {
        self.room.ran_out(self.taken());
        for (id, ..) in std::mem::take(&mut self.waiting) {
            self.job.positions.leave(id, clock::now());
        }
    }

    /// Tells once that files wait for descriptors.
    pub(super) fn tell_crowded(&mut self) {
        let waiting = self.room.waiting.len();
        self.job.files.waiting.set(waiting as i64);
        if waiting > 0 && !self.room.is_told {
            tracing::warn!(
                waiting,
                open = self.room.files(),
                "files wait until others are read and closed; raise the limit of open files (`ulimit -n`, `LimitNOFILE`)"
            );
        }
        self.room.is_told = waiting > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_out_is_less_until_it_suffices() {
        let mut room = Room::new(100);
        assert_eq!(room.files(), 100);
        room.ran_out(80);
        assert_eq!(room.files(), 60);
        room.sufficed();
        assert_eq!(room.files(), 68);
        (0..9).for_each(|_| room.sufficed());
        assert_eq!(room.files(), 100);
        (0..9).for_each(|_| room.ran_out(1));
        assert_eq!(room.files(), 1, "one is always tried");
    }

    #[test]
    fn only_the_lack_of_descriptors_is_that() {
        let is_out = |errno: Errno| is_out(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert!(is_out(Errno::MFILE) && is_out(Errno::NFILE) && !is_out(Errno::ACCESS));
    }
}
