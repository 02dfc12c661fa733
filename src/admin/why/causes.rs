//! What can keep logs back.

use serde::{Deserialize, Serialize};

/// What keeps the logs of a file, or that nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No source means the file.
    NotIncluded,
    /// A rule of a source leaves it out.
    Excluded,
    /// There is no such file.
    Missing,
    /// A folder on the way is not there, or what a link points to: most likely it is not mounted.
    NotMounted,
    /// It is there and may not be read.
    Unreadable,
    /// It is there and is no file.
    NotAFile,
    /// It was written to longer ago than `ignore_older_secs`.
    TooOld,
    /// Its source is paused.
    Paused,
    /// It is there, and its source has not looked since.
    NotDiscovered,
    /// It is read, and there is more.
    Behind,
    /// A queue behind its source is full, there is no memory, or its rate limit is reached.
    Waits,
    /// What was read of it could not be delivered, and is offered again.
    Failed,
    /// The thread that reads it hangs.
    Silent,
    /// What was not read of it is given up.
    Abandoned,
    /// There is no such pod here.
    NoPod,
    /// No agent runs: this is what one would do.
    NoAgent,
    /// It is found and not read: a copy, or compressed in a way that is not unpacked.
    LeftOut,
    /// Records of its source went no further than a step or sink; how many, of all its files.
    Discarded,
    /// It was read to its end and closed.
    Finished,
    /// It is read, and all of it is delivered.
    Delivered,
}

impl Cause {
    /// Does it keep logs back?
    pub const fn is_trouble(self) -> bool {
        !matches!(self, Self::Discarded | Self::Finished | Self::Delivered)
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub cause: Cause,
    /// The source that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// In words.
    pub text: String,
    /// The next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    pub(super) fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, source: None, text: text.into(), next: None }
    }

    pub(super) fn of(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    pub(super) fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}
