//! `file`: records appended to files, one line each.
//!
//! Guarantee: once, also where the process is killed, of records that come again as they were; with `fsync = "each"` (the
//! default) also after a power cut. A record counts as delivered when its line is written and, so asked, on disk. What is
//! to be written is noted before (see `journal`): after a kill half a line is taken back, and lines that are there are not
//! written again. A write that fails (full disk) is taken back, so that no line is torn, and tried again until it succeeds.
//!
//! Limits: what records choose stays below `base_dir` (by default the folder that the literal beginning of `path`
//! names); no link below it is followed; folders are made with mode 0700, files with 0600; 1,000 paths in an hour, of
//! which 128 files are open at once. With a compression each write is a gzip member or zstd frame of its own: all of them
//! together are one valid file. A file that is renamed or removed from outside is begun anew.

mod folder;
mod journal;
mod open;
mod path;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codecs::{Compression, Encoding, Writer};
use crate::component::claim::{Claim, Claimed};
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::delivery::confined::Allow;
use crate::delivery::settings::{Acknowledgements, BufferSettings};
use crate::delivery::{Bench, Drain};

use path::PathTemplate;

/// Appends records to files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSettings {
    /// Path of the file: text, `{{ field }}` and date specifiers such as `%Y-%m-%d` of the record's time (UTC).
    path: String,
    /// The folder that nothing leaves, whatever records hold; by default the folder that the literal beginning of `path`
    /// names.
    base_dir: Option<PathBuf>,
    /// Globs of the paths below `base_dir` that `path` may give.
    #[serde(default)]
    allow: Vec<String>,
    /// How records are encoded.
    #[serde(default)]
    encoding: Encoding,
    /// Compression of what is written.
    #[serde(default)]
    compression: Compression,
    /// Seconds after which a file that gets no records is closed.
    #[serde(default = "default_idle")]
    #[schemars(range(min = 0.001, max = 86_400.0))]
    idle_timeout_secs: f64,
    /// When what was written is forced to disk.
    #[serde(default)]
    fsync: Fsync,
    /// Who waits for the sink.
    #[serde(default)]
    acknowledgements: Acknowledgements,
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

/// When what was written is forced to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fsync {
    /// Before records count as delivered: they survive a power cut.
    #[default]
    Each,
    /// When the system sees fit: they survive the end of the process, not of the machine.
    None,
}

fn default_idle() -> f64 {
    30.0
}

impl Settings for FileSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "file";
    const EXAMPLE: &'static str = r#"[sinks.archive]
type = "file"
inputs = ["app"]
path = "/var/lib/levada/archive/{{ service }}/%Y-%m-%d.log.gz"
compression = "gzip"
"#;
    const REACH: Reach = Reach::Machine("it writes files of this machine");

    fn claims(&self) -> Vec<Claim> {
        let written = |path: PathTemplate| Claimed::Writes { path: self.path.clone(), example: path.example() };
        self.template().into_iter().map(|path| Claim::new("path", written(path))).collect()
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Allow::problems("allow", &self.allow);
        problems.extend(self.template().err().filter(|problem| !problem.setting.starts_with("allow")));
        problems.extend(self.encoding.writer().err().map(Problem::from));
        problems
    }

    fn idle(&self) -> Vec<Problem> {
        self.buffer.idle()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        Ok(Box::new(FileSink {
            path: self.template().map_err(|problem| problem.message)?,
            encoder: self.encoding.writer().map_err(|bad| bad.to_string())?,
            compression: self.compression,
            idle: Duration::from_secs_f64(self.idle_timeout_secs),
            fsync: self.fsync,
            is_required: self.acknowledgements.enabled,
            buffer: self.buffer,
            state_dir: context.state_dir,
        }))
    }
}

impl FileSettings {
    fn template(&self) -> Result<PathTemplate, Problem> {
        PathTemplate::parse(&self.path, self.base_dir.as_deref(), &self.allow)
    }
}

struct FileSink {
    path: PathTemplate,
    encoder: Writer,
    compression: Compression,
    idle: Duration,
    fsync: Fsync,
    is_required: bool,
    buffer: BufferSettings,
    /// Where its journal is.
    state_dir: PathBuf,
}

impl Drain for FileSink {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(worker::run(Arc::new(*self), bench, stop))
    }

    /// Two instances must not write to one file.
    fn is_ordered(&self) -> bool {
        true
    }

    fn buffer(&self) -> &BufferSettings {
        &self.buffer
    }

    fn is_required(&self) -> bool {
        self.is_required
    }
}
