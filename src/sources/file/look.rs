//! A file's turn: how it stands, whether it is still what it was, whether there is more to read.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use super::fingerprint::{Fingerprint, Guard, first_bytes};
use super::job::{Job, Letter};
use super::mailbox::Mailbox;
use super::positions::Node;
use super::tail::{Seen, Tail};
use crate::component::clock;
use crate::component::outlet::{Held, Lane};

/// A file whose time of modification is younger than this may be written again without a change of that time: some
/// file systems keep it in steps of two seconds.
const TICK_NANOS: i64 = 2_000_000_000;

/// What a lane's thread lends a file for its turn.
pub(super) struct Desk<'a> {
    pub(super) job: &'a Job,
    pub(super) lane: &'a mut dyn Lane,
    pub(super) mailbox: &'a Arc<Mailbox<Letter>>,
    pub(super) waker: &'a Waker,
}

/// What a turn came to.
pub(super) enum Turn {
    /// There may be more to read.
    More,
    /// A batch waits for room.
    Waits(Held),
    /// Nothing more to read now.
    Quiet,
    /// There is no memory to read into.
    Starved,
}

impl Tail {
    /// Reads what there is, up to a quantum, and offers it.
    pub(super) fn turn(&mut self, desk: &mut Desk<'_>) -> io::Result<Turn> {
        // Before the look: a write after it is told of again.
        self.is_told.store(false, Ordering::Release);
        let about = self.file.metadata()?;
        let now = seen(&about);
        let is_last = self.is_finished(desk.job);
        if self.seen == Some(now) && !(is_last && now.size > self.offset) {
            return Ok(Turn::Quiet);
        }
        if now.size < self.offset {
            return self.restart(desk);
        }
        if !self.fingerprint.is_full() {
            let first = first_bytes(&self.file)?;
            if !self.fingerprint.fits(&first) {
                return self.restart(desk);
            }
            if self.fingerprint.len == 0 && !first.is_empty() {
                self.begin(desk, &first)?;
            }
            self.fingerprint = Fingerprint::of(&first);
        }
        if now.size == self.offset {
            let is_same = Guard::read(&self.file, self.offset)? == Some(self.guard);
            return if is_same { Ok(self.rest(now)) } else { self.restart(desk) };
        }
        self.read(desk, now)
    }

    /// Has it been gone and quiet for so long that nothing more will come?
    pub(super) fn is_finished(&self, job: &Job) -> bool {
        let Some(gone) = self.gone_since else { return false };
        gone.max(self.calm.since).elapsed() >= job.pace.quiet
    }

    pub(super) fn restart(&mut self, desk: &Desk<'_>) -> io::Result<Turn> {
        self.renew(desk.job, desk.mailbox.clone())?;
        Ok(Turn::More)
    }

    /// Nothing more to read. A look at it is trusted only if a later write must change what is seen.
    pub(super) fn rest(&mut self, now: Seen) -> Turn {
        self.seen = (clock::now() - now.modified > TICK_NANOS).then_some(now);
        Turn::Quiet
    }
}

/// Where a file lies.
pub(super) fn node(about: &Metadata) -> Node {
    Node { device: about.dev(), inode: about.ino() }
}

/// How a file stands.
pub(super) fn seen(about: &Metadata) -> Seen {
    let modified = about.mtime().saturating_mul(1_000_000_000).saturating_add(about.mtime_nsec());
    Seen { size: about.len(), modified }
}
