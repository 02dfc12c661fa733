//! Settings of the `kubernetes_logs` source.

use std::path::PathBuf;
use std::sync::Arc;

use glob::Pattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pods::Pods;
use crate::codecs::multiline::MultilineSettings;
use crate::codecs::units::{Framing, Layout};
use crate::codecs::{Decoder, Decoding};
use crate::component::claim::{Claim, Claimed};
use crate::component::inspect::Inspect;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::size::ByteSize;
use crate::component::source::Source;
use crate::sources::file::job::Tailing;
use crate::sources::file::source::FileSource;
use crate::sources::file::{self, Drain, RateLimit, ReadFrom, WhenExceeded};
use crate::sources::line;

/// Where metadata of pods comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metadata {
    /// The path of a log: namespace, name and uid of the pod, the container and its restarts.
    #[default]
    Path,
}

/// Reads the logs of the containers on this node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct KubernetesLogsSettings {
    /// The folder in which the kubelet keeps the logs of pods (its `podLogsDir`).
    #[serde(default = "logs_dir")]
    pub logs_dir: PathBuf,
    /// Where metadata of pods comes from.
    #[serde(default)]
    pub metadata: Metadata,
    /// Namespaces whose pods are read, as globs; all, if there is none.
    #[serde(default)]
    pub include_namespaces: Vec<String>,
    /// Namespaces whose pods are not read, as globs.
    #[serde(default)]
    pub exclude_namespaces: Vec<String>,
    /// Names of pods that are read, as globs; all, if there is none.
    #[serde(default)]
    pub include_pods: Vec<String>,
    /// Names of pods that are not read, as globs.
    #[serde(default)]
    pub exclude_pods: Vec<String>,
    /// Names of containers that are read, as globs; all, if there is none.
    #[serde(default)]
    pub include_containers: Vec<String>,
    /// Names of containers that are not read, as globs.
    #[serde(default)]
    pub exclude_containers: Vec<String>,
    /// Paths of logs that are read, as globs; all, if there is none.
    #[serde(default)]
    pub include_paths_glob_patterns: Vec<String>,
    /// Paths of logs that are not read, as globs.
    #[serde(default)]
    pub exclude_paths_glob_patterns: Vec<String>,
    /// Are the agent's own logs left out? Its pod is known by the variables `POD_UID`, or `POD_NAMESPACE` and `POD_NAME`, which the
    /// downward API sets.
    #[serde(default = "exclude_self")]
    pub exclude_self: bool,
    /// Where to begin with a log that has no position yet.
    #[serde(default)]
    pub read_from: ReadFrom,
    /// Leaves out logs that were last written longer ago than this many seconds.
    #[serde(default)]
    pub ignore_older_secs: Option<u64>,
    /// Begins anew with every log at each start, as if no position had been kept.
    #[serde(default)]
    pub ignore_checkpoints: bool,
    /// Reads older logs to their end before younger ones. Without it all take turns, but what was rotated away is always read before
    /// what came after it.
    #[serde(default)]
    pub oldest_first: bool,
    /// How many seconds a log that was rotated or deleted is read at most. What is not read by then is given up and counted. Without it
    /// such a log is read to its end.
    #[serde(default)]
    pub rotate_wait_secs: Option<u64>,
    /// How many logs are open at once, about: beyond it those with nothing to read are closed until they are written to.
    /// By default three quarters of what the system allows the process, which all sources that follow files share.
    #[serde(default)]
    pub max_open_files: Option<usize>,
    /// How many deleted logs are kept open at most because they are not read to their end. Beyond it those with the most to
    /// read are given up and counted.
    #[serde(default = "file::max_deleted_open_files")]
    pub max_deleted_open_files: usize,
    /// How many bytes on disk such logs keep at most: a number, or a size such as `"10GiB"`.
    #[serde(default = "file::max_deleted_open_bytes")]
    pub max_deleted_open_bytes: ByteSize,
    /// How fast each log may be read.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// Bytes a second that the logs of a pod have together, at most.
    #[serde(default)]
    pub pod_bytes_per_sec: Option<ByteSize>,
    /// Bytes a second that the logs of a namespace have together, at most.
    #[serde(default)]
    pub namespace_bytes_per_sec: Option<ByteSize>,
    /// What happens to what is beyond these rates: it waits (`delay`), or is passed over and counted (`drop`). What
    /// `rate_limit` says by default.
    #[serde(default)]
    pub when_exceeded: Option<WhenExceeded>,
    /// What a stop does with what is not read.
    #[serde(default)]
    pub drain: Drain,
    /// Tells the kernel behind the reader that it need not keep what was read in its cache.
    #[serde(default)]
    pub release_page_cache: bool,
    /// Longest line in bytes, without what the runtime writes around it, all its pieces together. A longer one is cut at this length, on a
    /// character, and marked; its rest is skipped.
    #[serde(default = "line::max_line_bytes")]
    pub max_line_bytes: usize,
    /// Bytes that one log may take before it is the next one's turn.
    #[serde(default = "file::max_read_bytes")]
    pub max_read_bytes: usize,
    /// How often to look at all logs, in milliseconds, besides being told of changes by the kernel. Where it does not tell, at
    /// least once a second.
    #[serde(default = "file::glob_minimum_cooldown_ms")]
    pub glob_minimum_cooldown_ms: u64,
    /// Folder for the positions, instead of one in the global `data_dir`.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    /// Makes one record of several lines: a stack trace, for example.
    #[serde(default)]
    pub multiline: Option<MultilineSettings>,
    /// How lines are decoded.
    #[serde(default)]
    pub decoding: Decoding,
}

fn logs_dir() -> PathBuf {
    "/var/log/pods".into()
}

const fn exclude_self() -> bool {
    true
}

impl Settings for KubernetesLogsSettings {
    type Built = Box<dyn Source>;
    const NAME: &'static str = "kubernetes_logs";
    const EXAMPLE: &'static str = r#"[sources.pods]
type = "kubernetes_logs"
exclude_namespaces = ["kube-*"]
multiline.preset = "java"
"#;
    const REACH: Reach = Reach::Machine("it reads the logs of all pods of this machine");

    fn claims(&self) -> Vec<Claim> {
        // `NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`.
        let logs = format!("{}/*_*_*/*/[0-9]*.log*", Pattern::escape(&self.logs_dir.to_string_lossy()));
        let exclude = self.exclude_paths_glob_patterns.clone();
        vec![Claim::new("logs_dir", Claimed::Reads { include: vec![logs], exclude })]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (setting, patterns) in self.patterns() {
            let bad = patterns.iter().filter_map(|pattern| Some((pattern, Pattern::new(pattern).err()?)));
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
        let rates = [
            ("rate_limit.bytes_per_sec", self.rate_limit.map(|limit| limit.bytes_per_sec)),
            ("pod_bytes_per_sec", self.pod_bytes_per_sec),
            ("namespace_bytes_per_sec", self.namespace_bytes_per_sec),
        ];
        let stopped = rates.into_iter().filter(|(_, rate)| rate.is_some_and(|rate| rate.0 == 0));
        problems
            .extend(stopped.map(|(setting, _)| Problem::new(setting, "expected at least 1 byte a second, found 0")));
        problems.extend(line::check_multiline(self.multiline.as_ref()));
        problems
    }

    fn inspect(&self, context: &Context) -> Option<Arc<dyn Inspect>> {
        let tailing = self.tailing(context).ok()?;
        Some(FileSource::unbuilt(Box::new(Pods::new(self)), tailing, context))
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let tailing = self.tailing(&context)?;
        Ok(Box::new(FileSource::build(Box::new(Pods::new(&self)), tailing, &context)?))
    }
}

impl KubernetesLogsSettings {
    fn patterns(&self) -> [(&'static str, &[String]); 8] {
        [
            ("include_namespaces", &self.include_namespaces),
            ("exclude_namespaces", &self.exclude_namespaces),
            ("include_pods", &self.include_pods),
            ("exclude_pods", &self.exclude_pods),
            ("include_containers", &self.include_containers),
            ("exclude_containers", &self.exclude_containers),
            ("include_paths_glob_patterns", &self.include_paths_glob_patterns),
            ("exclude_paths_glob_patterns", &self.exclude_paths_glob_patterns),
        ]
    }

    /// How the logs are followed.
    pub(super) fn tailing(&self, context: &Context) -> Result<Tailing, String> {
        let decoder = Decoder { codec: self.decoding.codec, max_line_bytes: self.max_line_bytes };
        let multiline = self.multiline.as_ref().map(MultilineSettings::rules).transpose()?;
        Ok(Tailing {
            layout: Layout::new(decoder, Framing::Container).with_multiline(multiline),
            read_from: self.read_from,
            ignore_older_secs: self.ignore_older_secs,
            max_read_bytes: self.max_read_bytes,
            glob_minimum_cooldown_ms: self.glob_minimum_cooldown_ms,
            ignore_checkpoints: self.ignore_checkpoints,
            oldest_first: self.oldest_first,
            remove_after_secs: None,
            rotate_wait_secs: self.rotate_wait_secs,
            max_open_files: self.max_open_files,
            max_deleted_open_files: self.max_deleted_open_files,
            max_deleted_open_bytes: self.max_deleted_open_bytes.0,
            rate_limit: self.rate_limit,
            when_exceeded: self.when_exceeded.or(self.rate_limit.map(|limit| limit.when_exceeded)).unwrap_or_default(),
            drain: self.drain,
            release_page_cache: self.release_page_cache,
            state_dir: match &self.data_dir {
                Some(folder) => folder.join(&context.id),
                None => context.state_dir.clone(),
            },
        })
    }
}
