//! What a source looks for: the one thing in which tailing files by patterns and tailing the logs of pods differ.

use std::collections::HashSet;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::component::inspect::Meant;
use crate::event::{Origin, StreamKey};

/// Which files are meant, and what is known of one by its path.
pub(in crate::sources) trait Search: Debug + Send + Sync {
    /// What is looked for, for people.
    fn wanted(&self) -> String;

    /// The folders in which files that are meant may appear, and those in which such folders may.
    fn folders(&self) -> HashSet<PathBuf>;

    /// All files that are meant. `folders` are those of [`folders`](Self::folders), watched by now: what appears after
    /// this call is told of.
    fn find(&self, folders: &HashSet<PathBuf>) -> Listing;

    /// Whether a file at `path` would be meant.
    fn meant(&self, path: &Path) -> Meant {
        let is_found = self.find(&self.folders()).paths.iter().any(|found| found == path);
        if is_found { Meant::Yes(self.wanted()) } else { Meant::No { nearest: None } }
    }

    /// The folders in which the kubelet's folders of pods lie.
    fn pod_folders(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Is it left out also as what was rotated away from a file that is meant?
    fn excludes(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// Keys whose files share a rate limit, with the bytes a second that they have together; besides the limit that each
    /// file has by itself.
    fn rate_limits(&self, path: &Path) -> Vec<(String, u64)> {
        let _ = path;
        Vec::new()
    }

    /// What the records of one generation of the file at `path` have in common.
    fn origin(&self, stream: StreamKey, path: &Path) -> Arc<Origin>;

    /// The key of a generation of the file at `path`, given the first bytes of it that are there by now: perhaps none,
    /// then it is asked for again before its first record is offered.
    fn key(&self, path: &Path, first: &[u8]) -> StreamKey {
        let _ = (path, first);
        StreamKey::random()
    }
}

/// What a look came to.
#[derive(Debug, Default)]
pub(in crate::sources) struct Listing {
    /// The files that are meant, in any order; one file may have several paths.
    pub(in crate::sources) paths: Vec<PathBuf>,
    /// What could not be looked at.
    pub(in crate::sources) faults: Vec<(PathBuf, io::Error)>,
}
