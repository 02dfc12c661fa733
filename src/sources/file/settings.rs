//! Settings of the `file` source.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::job::Tailing;
use super::limits::RateLimit;
use super::named::Named;
use super::source::FileSource;
use crate::codecs::multiline::MultilineSettings;
use crate::codecs::units::{Framing, Layout, charset};
use crate::codecs::{Codec, Decoder, Decoding};
use crate::component::claim::{Claim, Claimed};
use crate::component::inspect::Inspect;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::size::ByteSize;
use crate::component::source::Source;
use crate::sources::line::{self, Written};

/// Where to begin with a file that has no position yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// At its first byte.
    #[default]
    Beginning,
    /// At its end, if it is there when the source starts; a file that appears later is read from its beginning.
    End,
}

/// What a stop does with what is not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// It is left for the next start.
    #[default]
    Leave,
    /// It is read, to the end of every file, within `graceful_shutdown_limit_secs`: for a sidecar, whose files go with
    /// its pod. What is left then is told of, in bytes for each file.
    ReadToEnd,
}

/// Reads lines from files and follows them: as they grow, are rotated, are truncated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Files to read: paths or globs (`*`, `?`, `[a-z]`, `**` for any number of folders).
    pub include: Vec<String>,
    /// Files not to read, of those that `include` finds.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Where to begin with a file that has no position yet.
    #[serde(default)]
    pub read_from: ReadFrom,
    /// Leaves out files that were last written longer ago than this many seconds.
    #[serde(default)]
    pub ignore_older_secs: Option<u64>,
    /// Begins anew with every file at each start, as if no position had been kept.
    #[serde(default)]
    pub ignore_checkpoints: bool,
    /// Reads older files to their end before younger ones. Without it all take turns, but what was rotated away from a
    /// path is always read before what came there after it.
    #[serde(default)]
    pub oldest_first: bool,
    /// Deletes a file that was read and delivered to its end and then not written to for so many seconds.
    #[serde(default)]
    pub remove_after_secs: Option<u64>,
    /// How many seconds a file that was rotated or deleted is read at most. What is not read by then is given up and counted.
    /// Without it such a file is read to its end.
    #[serde(default)]
    pub rotate_wait_secs: Option<u64>,
    /// How many files are open at once, about: beyond it those with nothing to read are closed until they are written to.
    /// By default three quarters of what the system allows the process, which all sources that follow files share.
    #[serde(default)]
    pub max_open_files: Option<usize>,
    /// How many deleted files are kept open at most because they are not read to their end. Beyond it those with the most to
    /// read are given up and counted.
    #[serde(default = "max_deleted_open_files")]
    pub max_deleted_open_files: usize,
    /// How many bytes on disk such files keep at most: a number, or a size such as `"10GiB"`.
    #[serde(default = "max_deleted_open_bytes")]
    pub max_deleted_open_bytes: ByteSize,
    /// How fast each file may be read.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// What a stop does with what is not read.
    #[serde(default)]
    pub drain: Drain,
    /// Tells the kernel behind the reader that it need not keep what was read in its cache.
    #[serde(default)]
    pub release_page_cache: bool,
    /// Longest line in bytes. A longer one is cut at this length, on a character, and marked; its rest is skipped.
    #[serde(default = "line::max_line_bytes")]
    pub max_line_bytes: usize,
    /// Bytes that one file may take before it is the next file's turn.
    #[serde(default = "max_read_bytes")]
    pub max_read_bytes: usize,
    /// How often to look at all files, in milliseconds, besides being told of changes by the kernel. Where it does not
    /// tell, at least once a second.
    #[serde(default = "glob_minimum_cooldown_ms")]
    pub glob_minimum_cooldown_ms: u64,
    /// Member that gets the file's path: `file` if the codec is `bytes`, none if it is `json`. Empty for none.
    #[serde(default)]
    pub file_key: Option<String>,
    /// Member that gets the host's name: `host` if the codec is `bytes`, none if it is `json`. Empty for none.
    #[serde(default)]
    pub host_key: Option<String>,
    /// Member that gets the byte of the file at which the record begins. None by default.
    #[serde(default)]
    pub offset_key: Option<String>,
    /// Member that tells a record's time. Instead of `timestamp`, `@timestamp`, `time`, tried in this order.
    #[serde(default)]
    pub timestamp_key: Option<String>,
    /// Folder for the positions, instead of one in the global `data_dir`.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    /// What ends a line. The default is a line feed, with or without a carriage return before it.
    #[serde(default)]
    pub line_delimiter: Option<String>,
    /// How the files are written; UTF-8 if it is not told. What is not valid is replaced and counted.
    #[serde(default)]
    pub encoding: Option<Written>,
    /// Makes one record of several lines: a stack trace, for example.
    #[serde(default)]
    pub multiline: Option<MultilineSettings>,
    /// How lines are decoded.
    #[serde(default)]
    pub decoding: Decoding,
}

pub(in crate::sources) const fn max_read_bytes() -> usize {
    256 << 10
}

pub(in crate::sources) const fn glob_minimum_cooldown_ms() -> u64 {
    5000
}

pub(in crate::sources) const fn max_deleted_open_files() -> usize {
    1000
}

pub(in crate::sources) const fn max_deleted_open_bytes() -> ByteSize {
    ByteSize(10 << 30)
}

impl Settings for FileSettings {
    type Built = Box<dyn Source>;
    const NAME: &'static str = "file";
    const EXAMPLE: &'static str = r#"[sources.app]
type = "file"
include = ["/var/log/app/*.log"]
decoding.codec = "json"
"#;
    const REACH: Reach = Reach::Machine("it reads files of this machine");

    fn claims(&self) -> Vec<Claim> {
        let (include, exclude) = (self.include.clone(), self.exclude.clone());
        vec![Claim::new("include", Claimed::Reads { include, exclude })]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.include.is_empty() {
            problems.push(Problem::new("include", "expected at least one path, found none"));
        }
        for (setting, patterns) in [("include", &self.include), ("exclude", &self.exclude)] {
            let bad = patterns.iter().filter_map(|pattern| Some((pattern, glob::Pattern::new(pattern).err()?)));
            problems.extend(
                bad.map(|(pattern, error)| Problem::new(setting, format!("`{pattern}` is not a glob: {error}"))),
            );
        }
        for (setting, bytes) in [("max_line_bytes", self.max_line_bytes), ("max_read_bytes", self.max_read_bytes)] {
            problems.extend(line::check_bytes(setting, bytes));
        }
        if self.glob_minimum_cooldown_ms == 0 {
            problems.push(Problem::new("glob_minimum_cooldown_ms", "expected at least 1 millisecond, found 0"));
        }
        if self.rate_limit.is_some_and(|limit| limit.bytes_per_sec.0 == 0) {
            problems.push(Problem::new("rate_limit.bytes_per_sec", "expected at least 1 byte, found 0"));
        }
        if self.max_open_files == Some(0) {
            problems.push(Problem::new("max_open_files", "expected at least 1 file, found 0"));
        }
        let keys = [("file_key", &self.file_key), ("host_key", &self.host_key), ("offset_key", &self.offset_key)];
        for (setting, key) in keys {
            problems.extend(line::check_key(setting, key.as_deref()));
        }
        if self.line_delimiter.as_ref().is_some_and(String::is_empty) {
            problems.push(Problem::new("line_delimiter", "expected at least one character, found none"));
        }
        problems.extend(line::check_charset(self.encoding.as_ref()));
        problems.extend(line::check_multiline(self.multiline.as_ref()));
        problems
    }

    fn inspect(&self, context: &Context) -> Option<Arc<dyn Inspect>> {
        let tailing = self.tailing(context).ok()?;
        Some(FileSource::unbuilt(Box::new(Named::new(self)), tailing, context))
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let tailing = self.tailing(&context)?;
        Ok(Box::new(FileSource::build(Box::new(Named::new(&self)), tailing, &context)?))
    }
}

impl FileSettings {
    /// The members that get the file's path and the host's name, where they are wanted.
    pub(super) fn member_keys(&self) -> [Option<&str>; 2] {
        let is_plain = self.decoding.codec == Codec::Bytes;
        [(&self.file_key, "file"), (&self.host_key, "host")]
            .map(|(written, default)| line::key(written.as_deref(), is_plain.then_some(default)))
    }

    /// Names of the members that tell a record's time.
    pub(super) fn timestamp_keys(&self) -> Vec<Box<str>> {
        match self.timestamp_key.as_deref() {
            Some(key) => vec![key.trim_start_matches('.').into()],
            None => line::timestamp_keys(),
        }
    }

    /// What the files are made of.
    fn layout(&self) -> Result<Layout, String> {
        let decoder = Decoder { codec: self.decoding.codec, max_line_bytes: self.max_line_bytes };
        let written = self.encoding.as_ref().and_then(|written| charset(&written.charset)).unwrap_or_default();
        let multiline = self.multiline.as_ref().map(MultilineSettings::rules).transpose()?;
        let layout = Layout::new(decoder, Framing::Lines).with_text(self.line_delimiter.as_deref(), written);
        Ok(layout.with_multiline(multiline).with_position_key(line::key(self.offset_key.as_deref(), None)))
    }

    /// How the files are followed.
    pub(super) fn tailing(&self, context: &Context) -> Result<Tailing, String> {
        let in_folder = |folder: &Path| folder.join(&context.id);
        Ok(Tailing {
            layout: self.layout()?,
            read_from: self.read_from,
            ignore_older_secs: self.ignore_older_secs,
            max_read_bytes: self.max_read_bytes,
            glob_minimum_cooldown_ms: self.glob_minimum_cooldown_ms,
            ignore_checkpoints: self.ignore_checkpoints,
            oldest_first: self.oldest_first,
            remove_after_secs: self.remove_after_secs,
            rotate_wait_secs: self.rotate_wait_secs,
            max_open_files: self.max_open_files,
            max_deleted_open_files: self.max_deleted_open_files,
            max_deleted_open_bytes: self.max_deleted_open_bytes.0,
            rate_limit: self.rate_limit,
            when_exceeded: self.rate_limit.map(|limit| limit.when_exceeded).unwrap_or_default(),
            drain: self.drain,
            release_page_cache: self.release_page_cache,
            state_dir: self.data_dir.as_deref().map_or_else(|| context.state_dir.clone(), in_folder),
        })
    }
}
