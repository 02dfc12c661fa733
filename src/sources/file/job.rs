//! What all threads of one `file` source share.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::board::Board;
use super::claim::Found;
use super::limits::{Buckets, RateLimit, WhenExceeded};
use super::mailbox::Mailbox;
use super::positions::Positions;
use super::search::Search;
use super::set::Order;
use super::settings::{Drain, ReadFrom};
use super::survey::Survey;
use super::tail::{Seen, Tail};
use crate::codecs::units::Layout;
use crate::component::file_meters::{Abandoned, FileMeters};
use crate::component::inspect::FileReport;
use crate::component::meters::Meters;
use crate::component::pause::Pause;
use crate::component::row::Context;
use crate::event::{Budget, Outcome, StreamKey};

/// Names a file within the source, from when it is first seen until it is forgotten.
pub(super) type FileId = u64;

/// What a lane's thread is told.
#[derive(Debug)]
pub(super) enum Letter {
    /// Follow this file, but not before another is read to its end: the one that was rotated away from its path.
    Adopt(Box<Tail>, Option<FileId>),
    /// It was written to.
    Touched(FileId),
    /// Where it shows now, or showed last.
    Shows {
        /// The file.
        id: FileId,
        /// Its path.
        path: PathBuf,
        /// Does no path show it, or only one that it was rotated to?
        has_left: bool,
    },
    /// What was truncated away lies there.
    Rest(FileId, Box<Found>),
    /// Close it if there is nothing to read: too many files are open.
    Park(FileId),
    /// Close it, whatever is not read.
    Abandon(FileId, Abandoned),
    /// Nothing new comes any more: read all to the end, then rest.
    Last,
    /// Tell how the files stand.
    Report(Weak<Survey<FileReport>>),
    /// Read a file from elsewhere.
    Set(Box<Order>),
    /// A batch of it has resolved.
    Resolved {
        /// The file.
        id: FileId,
        /// Which of its generations.
        stream: StreamKey,
        /// The tracker's token.
        token: u64,
        /// The worst outcome of its records.
        worst: Outcome,
    },
}

/// What the thread that looks for files is told.
#[derive(Debug)]
pub(super) enum Note {
    /// A lane is done with a file, and has closed it as it stood.
    Closed(FileId, Option<Seen>),
    /// A file was truncated: a copy may hold the rest of what it was, which has an id of its own.
    Truncated(FileId, Option<FileId>),
    /// The kernel has lost changes that it was to tell of.
    Overflowed,
    /// Positions were saved, or could not be.
    Saved(io::Result<()>),
    /// Tell which files no lane has.
    Report(Weak<Survey<FileReport>>),
    /// Have a file that no lane has read from elsewhere.
    Set(Box<Order>),
}

/// How often things are looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::sources) struct Pace {
    /// The net: new files, and files that are quiet.
    pub(super) poll: Duration,
    /// A file that was read to its end is left alone at least this long, so that a busy writer makes batches and not
    /// single lines.
    pub(super) linger: Duration,
    /// A file that no path shows is closed when it was quiet for so long.
    pub(super) quiet: Duration,
    /// First pause after a failure; it doubles.
    pub(super) retry: Duration,
}

impl Pace {
    pub(super) fn new(poll: Duration) -> Self {
        // Two polls of the kubelet (10 s): its runtime writes to a renamed file until the reopen.
        let quiet = (poll * 2).max(Duration::from_secs(20));
        Self { poll, linger: Duration::from_millis(10), quiet, retry: Duration::from_millis(250) }
    }
}

/// Longest pause after failures.
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// How files are followed, whatever is looked for. The settings of the sources tell what each is for.
#[derive(Debug)]
pub(in crate::sources) struct Tailing {
    pub(in crate::sources) layout: Layout,
    pub(in crate::sources) read_from: ReadFrom,
    pub(in crate::sources) ignore_older_secs: Option<u64>,
    pub(in crate::sources) max_read_bytes: usize,
    pub(in crate::sources) glob_minimum_cooldown_ms: u64,
    pub(in crate::sources) ignore_checkpoints: bool,
    pub(in crate::sources) oldest_first: bool,
    pub(in crate::sources) remove_after_secs: Option<u64>,
    pub(in crate::sources) rotate_wait_secs: Option<u64>,
    pub(in crate::sources) max_open_files: Option<usize>,
    pub(in crate::sources) max_deleted_open_files: usize,
    pub(in crate::sources) max_deleted_open_bytes: u64,
    pub(in crate::sources) rate_limit: Option<RateLimit>,
    pub(in crate::sources) when_exceeded: WhenExceeded,
    pub(in crate::sources) drain: Drain,
    pub(in crate::sources) release_page_cache: bool,
    /// The folder that keeps the positions.
    pub(in crate::sources) state_dir: PathBuf,
}

/// What all threads of one source share.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) search: Box<dyn Search>,
    pub(super) tailing: Tailing,
    pub(super) meters: Meters,
    pub(super) budget: Budget,
    pub(super) positions: Positions,
    pub(super) pace: Pace,
    pub(super) notes: Arc<Mailbox<Note>>,
    pub(super) pause: Pause,
    /// The lanes, once it runs.
    pub(super) lanes: OnceLock<Vec<Arc<Mailbox<Letter>>>>,
    pub(super) board: Board,
    pub(super) buckets: Buckets,
    pub(super) files: FileMeters,
}

impl Job {
    pub(super) fn new(search: Box<dyn Search>, tailing: Tailing, context: &Context, pace: Pace) -> Self {
        Self {
            search,
            meters: context.meters.clone(),
            budget: context.budget.clone(),
            positions: Positions::new(tailing.state_dir.clone()),
            pace,
            notes: Arc::default(),
            pause: context.pause.clone(),
            lanes: OnceLock::new(),
            board: Board::default(),
            buckets: Buckets::default(),
            files: context.meters.files(),
            tailing,
        }
    }
}
