//! Files that are found and not read: why, so that it is told once, and whoever asks is told again.

use std::collections::HashMap;
use std::path::PathBuf;

use super::claim::Found;
use super::discovery::Discovery;
use super::positions::Node;
use super::tail::Seen;
use crate::component::inspect::{FileReport, FileState, Pod};

/// Why a file is not read as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// It was rotated before its path was followed.
    Earlier,
    /// It has nothing that a followed file has not.
    Copy,
    /// It is compressed in this way, which is not unpacked here.
    Packed(&'static str),
}

impl LeftOut {
    /// In words, for people.
    fn reason(self) -> String {
        match self {
            Self::Earlier => "it was rotated before its path was followed".to_owned(),
            Self::Copy => "it is a copy of a file that is followed, or may become one".to_owned(),
            Self::Packed(how) => {
                format!(
                    "it is compressed by {how}; what was not read before is not read: have rotation use gzip, or compress later"
                )
            }
        }
    }
}

/// A file that is left out.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) path: PathBuf,
    /// How it stood: when that changes it is looked at again.
    pub(super) seen: Seen,
    why: LeftOut,
}

/// What is left out for what others are is judged anew when these change. Is there any?
pub(super) fn judge_again(passed: &mut HashMap<Node, Passed>) -> bool {
    let before = passed.len();
    passed.retain(|_, passed| matches!(passed.why, LeftOut::Packed(_)));
    passed.len() < before
}

impl Discovery {
    /// The file is not read as it stands. What is compressed in a way that is not unpacked here is told of and counted, once.
    pub(super) fn leave_out(&mut self, file: &Found, why: LeftOut) {
        let (path, seen) = (file.path.clone(), file.seen);
        let before = self.passed.insert(file.node, Passed { path, seen, why });
        let path = file.path.display();
        let LeftOut::Packed(compression) = why else {
            return tracing::debug!(%path, why = why.reason(), "file is left out");
        };
        if before.is_none_or(|before| before.why != why) {
            self.job.meters.error("compression_unsupported");
            tracing::warn!(%path, compression, "{}", why.reason());
        }
    }

    /// How the files stand that are left out.
    pub(super) fn left_out(&self) -> impl Iterator<Item = FileReport> {
        self.passed.iter().map(|(node, passed)| FileReport {
            path: passed.path.to_string_lossy().into_owned(),
            device: node.device,
            inode: node.inode,
            pod: Pod::of(&passed.path),
            size: passed.seen.size,
            state: FileState::LeftOut,
            reason: Some(passed.why.reason()),
            ..FileReport::default()
        })
    }
}
