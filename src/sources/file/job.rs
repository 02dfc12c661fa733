//! What all threads of one `file` source share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::mailbox::Mailbox;
use super::positions::Positions;
use super::settings::FileSettings;
use crate::codecs::{Codec, Decoder};
use crate::component::machine;
use crate::component::meters::Meters;
use crate::component::row::Context;
use crate::event::{Budget, Origin, Outcome, Shared, StreamKey};

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

/// What all threads of one source share.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) settings: FileSettings,
    pub(super) decoder: Decoder,
    pub(super) meters: Meters,
    pub(super) budget: Budget,
    pub(super) positions: Positions,
    pub(super) pace: Pace,
    pub(super) notes: Arc<Mailbox<Note>>,
    host: String,
    timestamp_keys: Arc<[Box<str>]>,
}

impl Job {
    pub(super) fn new(settings: FileSettings, context: &Context, pace: Pace) -> Self {
        Self {
            decoder: Decoder { codec: settings.decoding.codec, max_line_bytes: settings.max_line_bytes },
            meters: context.meters.clone(),
            budget: context.budget.clone(),
            positions: Positions::new(settings.state_dir(context)),
            pace,
            notes: Arc::default(),
            host: machine::host_name(),
            timestamp_keys: settings.timestamp_keys().into(),
            settings,
        }
    }

    /// What the records of one generation of a file have in common.
    pub(super) fn origin(&self, stream: StreamKey, path: &Path) -> Arc<Origin> {
        let path = path.to_string_lossy();
        let [file_key, host_key] = self.settings.member_keys();
        let mut members = Vec::new();
        members.extend(file_key.map(|key| Shared::string(key, &path)));
        members.extend(host_key.map(|key| Shared::string(key, &self.host)));
        if self.settings.decoding.codec == Codec::Bytes {
            members.push(Shared::string("source_type", "file"));
        }
        let file = serde_json::json!({ "path": path, "host": self.host });
        let metadata = Shared { key: "file".into(), value: file.to_string().into_bytes().into() };
        let origin = Origin::new(stream).with_metadata(vec![metadata]).with_timestamp_keys(self.timestamp_keys.clone());
        Arc::new(origin.with(&members))
    }
}
