//! What of the state folder's file system is others': with less free, what is kept there behaves as full.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::component::meters::Meters;

/// The share of the file system of `folder` that is free, the lesser of bytes and inodes: 0 to 1.
///
/// # Errors
/// If the file system does not tell, such as where the folder is gone.
pub(super) fn free(folder: &Path) -> io::Result<f64> {
    let facts = rustix::fs::statvfs(folder)?;
    // Some file systems (btrfs) count no inodes.
    let share = |free: u64, all: u64| if all == 0 { 1.0 } else { free as f64 / all as f64 };
    Ok(share(facts.f_bavail, facts.f_blocks).min(share(facts.f_favail, facts.f_files)))
}

/// The bound of one folder; a clone is the same.
#[derive(Clone, Debug)]
pub struct MinFree {
    folder: Arc<Path>,
    /// The bits of an `f64`.
    wanted: Arc<AtomicU64>,
}

/// What is free, and what is wanted: shares, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Space {
    /// What is free.
    pub free: f64,
    /// What is others'.
    pub wanted: f64,
}

impl Space {
    /// Is there less than is others'?
    pub fn is_short(self) -> bool {
        self.free < self.wanted
    }
}

impl MinFree {
    /// Nothing is others', until [`set`](Self::set) says so.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), wanted: Arc::default() }
    }

    /// From now on this share is others', 0 to 1.
    pub fn set(&self, share: f64) {
        self.wanted.store(share.to_bits(), Ordering::Relaxed);
    }

    /// The share that is others'.
    pub fn wanted(&self) -> f64 {
        f64::from_bits(self.wanted.load(Ordering::Relaxed))
    }

    /// The folder whose file system it is of.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How it is now.
    ///
    /// # Errors
    /// If the file system does not tell.
    pub fn look(&self) -> io::Result<Space> {
        Ok(Space { free: free(&self.folder)?, wanted: self.wanted() })
    }
}

/// Something that is full while too little is free; it tells when that begins and when it ends.
#[derive(Debug)]
pub struct Shortage {
    /// What is full.
    what: &'static str,
    /// As what it is counted.
    error_type: &'static str,
    is_on: bool,
}

impl Shortage {
    /// Of disk buffers.
    pub const BUFFER: Self = Self { what: "disk buffer", error_type: "buffer_min_free", is_on: false };
    /// Of dead letters.
    pub const LETTERS: Self = Self { what: "dead letters", error_type: "dead_letter_min_free", is_on: false };

    /// Does it last, as far as was seen?
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes note of what is free in `folder`.
    pub fn note(&mut self, space: Space, folder: &Path, meters: &Meters) {
        if space.is_short() == self.is_on {
            return;
        }
        self.is_on = space.is_short();
        let (id, what, path) = (meters.label().id.as_str(), self.what, folder.display());
        let (free, wanted) = (percent(space.free), percent(space.wanted));
        if self.is_on {
            meters.error(self.error_type);
            let next =
                "make room on its file system (`df`, `df -i`), give `data_dir` a larger one, or lower `min_free`";
            tracing::warn!(component_id = id, free, wanted, %path, "less than `min_free` is free: {what} full; {next}");
        } else {
            tracing::info!(component_id = id, free, wanted, %path, "`min_free` is free again: {what} not full");
        }
    }
}

/// A share as people write it.
pub fn percent(share: f64) -> String {
    // Rounded down: what is short must not read as enough.
    format!("{:.1}%", (share * 1000.0).floor() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::test_kit::meters;

    #[test]
    fn it_is_counted_once_each_time_it_begins() {
        let (mut shortage, meters, folder) = (Shortage::BUFFER, meters(), Path::new("/x"));
        for (free, begun) in [(0.2, 0), (0.1499, 1), (0.01, 1), (0.15, 1), (0.0, 2)] {
            shortage.note(Space { free, wanted: 0.15 }, folder, &meters);
            assert_eq!((meters.error_count("buffer_min_free"), shortage.is_on()), (begun, free < 0.15), "{free}");
        }
        shortage.note(Space::default(), folder, &meters);
        assert!(!shortage.is_on(), "nothing is wanted");
    }

    #[test]
    fn a_folder_tells_what_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let min_free = MinFree::new(folder.path());
        assert!(!min_free.look().unwrap().is_short(), "nobody wants anything");
        min_free.set(1.1);
        let space = min_free.look().unwrap();
        assert!(space.is_short() && (0.0..=1.0).contains(&space.free));
        assert_eq!((percent(0.149_99), percent(0.15)), ("14.9%".to_owned(), "15.0%".to_owned()));
        assert!(MinFree::new(&folder.path().join("absent")).look().is_err());
    }
}
