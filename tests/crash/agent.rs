//! The built agent over folders of its own, and how it dies.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Points that the agent can be told to die at.
pub(crate) const POINTS: &[&str] = &[
    "buffer_write",
    "buffer_torn_write",
    "buffer_sync",
    "buffer_synced",
    "buffer_rename",
    "buffer_renamed",
    "buffer_remove",
    "request",
    "answer",
    "positions_synced",
    "positions_rename",
    "positions_renamed",
];

/// How often is looked whether something happened.
const LOOK: Duration = Duration::from_millis(5);
/// How long the last agent may take for all that is left.
const PATIENCE: Duration = Duration::from_mins(1);

/// Folders for logs and state.
pub(crate) struct Home {
    folder: TempDir,
    config: PathBuf,
}

/// An agent that runs.
pub(crate) struct Agent(Child);

impl Home {
    /// For an agent with this sink (its settings but for its inputs, its buffer and its patience).
    pub(crate) fn new(sink: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("levada.toml");
        let home = Self { folder, config };
        fs::create_dir(home.logs()).unwrap();
        home.rename_sink("out", sink);
        home
    }

    /// From now on its sink has this name, and these settings.
    pub(crate) fn rename_sink(&self, id: &str, sink: &str) {
        fs::write(&self.config, self.text(id, sink)).unwrap();
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// Its `data_dir`.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Where the agent looks for lines.
    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn text(&self, id: &str, sink: &str) -> String {
        format!(
            "data_dir = {:?}\nmin_free = \"0%\"\n\n\
             [sources.app]\ntype = \"file\"\ninclude = [{:?}]\ndecoding.codec = \"json\"\nglob_minimum_cooldown_ms = 50\n\
             max_read_bytes = 4096\n\n\
             [sinks.{id}]\ninputs = [\"app\"]\nbatch.timeout_secs = 0.05\nrequest.timeout_secs = 0.3\n\
             request.retry_initial_backoff_secs = 0.01\nrequest.retry_max_duration_secs = 0.1\n\
             buffer = {{ type = \"disk\", max_size = \"64MiB\" }}\n{sink}",
            self.state(),
            self.logs().join("*.log"),
        )
    }

    /// Starts an agent, told to die when it comes to a point for the nth time.
    pub(crate) fn start(&self, point: Option<(&str, u64)>) -> Agent {
        let log = File::options().append(true).create(true).open(self.folder.path().join("levada.out")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.arg("--config").arg(&self.config).env("NO_COLOR", "1").env_remove("RUST_LOG");
        if let Some((point, count)) = point {
            command.env("LEVADA_DIE_AT", format!("{point}:{count}"));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Agent(command.spawn().unwrap())
    }

    /// What its agents have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("levada.out")).unwrap_or_default()
    }

    /// Leaves all files behind, and tells where.
    pub(crate) fn keep(self) -> String {
        let path = self.folder.keep();
        let log = fs::read_to_string(path.join("levada.out")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("{}\n{}", Path::new(&path).display(), lines[lines.len().saturating_sub(30)..].join("\n"))
    }
}

impl Agent {
    /// Waits for its death, or brings it after `life`; tells how it died.
    pub(crate) async fn die(mut self, life: Duration) -> String {
        let end = Instant::now() + life;
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.code().is_none(), "the agent ended by itself: {status}");
                return "its point".to_owned();
            }
            sleep(LOOK).await;
        }
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        "any time".to_owned()
    }

    /// Waits until `has_all`; false if that never happens.
    pub(crate) async fn arrives(&self, has_all: impl Fn() -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while !has_all() && Instant::now() < end {
            sleep(LOOK).await;
        }
        has_all()
    }

    /// Asks it to stop, as a service manager does, and waits for it.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        let _status = self.0.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
