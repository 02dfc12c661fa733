//! What all threads of one `file` source share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::mailbox::Mailbox;
use super::positions::Positions;
use super::search::Search;
use super::set::Order;
use super::settings::ReadFrom;
use super::survey::Survey;
use crate::codecs::Decoder;
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
    /// Follow this file.
    Adopt(Box<super::tail::Tail>),
    /// It was written to.
    Touched(FileId),
    /// No path shows it any more.
    Gone(FileId),
    /// A path shows it again.
    Back(FileId),
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
    /// A lane is done with a file that was gone.
    Finished(FileId),
    /// Tell which files no lane has.
    Report(Weak<Survey<FileReport>>),
}

/// How often things are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
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
#[derive(Clone, Debug)]
pub(in crate::sources) struct Tailing {
    pub(in crate::sources) decoder: Decoder,
    pub(in crate::sources) read_from: ReadFrom,
    pub(in crate::sources) ignore_older_secs: Option<u64>,
    pub(in crate::sources) max_read_bytes: usize,
    pub(in crate::sources) glob_minimum_cooldown_ms: u64,
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
            tailing,
        }
    }
}
