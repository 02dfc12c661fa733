//! Why the logs of a file or of a pod are absent. One answer for the running agent, which knows how far each file is, and
//! for a verb without one, which has only the configuration and the folder.

mod causes;
mod look;
mod path;
mod pod;
mod seen;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::sight::Sight;

pub use causes::{Cause, Finding};

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A file, by its absolute path.
    Path(PathBuf),
    /// A pod: `NAMESPACE/POD`, or a part of its name.
    Pod(String),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Does it come from the running agent, not from the configuration alone?
    pub is_live: bool,
    /// The user by whose rights files were looked at.
    pub uid: u32,
    /// What is asked about, file by file.
    pub files: Vec<WhyFile>,
}

/// What is said of a file, or, where there is none, of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyFile {
    /// The file, or the pod that has none.
    pub subject: String,
    /// What keeps its logs, the first first; or that nothing does.
    pub findings: Vec<Finding>,
}

impl Why {
    /// Does anything keep logs back?
    pub fn is_kept(&self) -> bool {
        self.files.iter().flat_map(|file| &file.findings).any(|finding| finding.cause.is_trouble())
    }
}

/// Answers. May block for a few seconds.
pub fn why(subject: &Subject, sights: &[Sight], is_live: bool) -> Why {
    let seen = seen::Seen::of(sights, is_live);
    let files = match subject {
        Subject::Path(path) => {
            vec![WhyFile { subject: path.display().to_string(), findings: path::findings(path, &seen) }]
        }
        Subject::Pod(pod) => pod::files(pod, &seen),
    };
    Why { is_live, uid: rustix::process::geteuid().as_raw(), files }
}

#[cfg(test)]
mod tests;
