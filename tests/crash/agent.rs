//! The built agent over folders of its own, and how it dies.

use std::cell::Cell;
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

/// The same, of a sink that writes files.
pub(crate) const FILE_POINTS: &[&str] = &[
    "file_note",
    "file_noted",
    "file_torn_write",
    "file_written",
    "positions_synced",
    "positions_rename",
    "positions_renamed",
];

/// How often is looked whether something happened.
const LOOK: Duration = Duration::from_millis(5);
/// How long the last agent may take for all that is left.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a sink that sends requests has besides its own.
const REQUESTS: &str = "batch.timeout_secs = 0.05\nrequest.timeout_secs = 0.3\n\
    request.retry_initial_backoff_secs = 0.01\nrequest.retry_max_duration_secs = 0.1\n\
    buffer = { type = \"disk\", max_size = \"64MiB\" }\n";

/// Folders for logs and state.
pub(crate) struct Home {
    folder: TempDir,
    config: PathBuf,
    sink: String,
    /// A setting of the source, for reloads.
    read_bytes: Cell<u32>,
}

/// What is done to an agent in the middle of its life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mischief {
    None,
    /// It stands still, as in a debugger or a frozen container.
    Stop(Duration),
    /// Its configuration changes.
    Reload,
}

/// An agent that runs.
pub(crate) struct Agent(Child);

impl Home {
    /// For an agent with this sink (its settings but for its inputs, its buffer and its patience).
    pub(crate) fn new(sink: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("levada.toml");
        let home = Self { folder, config, sink: sink.to_owned(), read_bytes: Cell::new(4096) };
        fs::create_dir(home.logs()).unwrap();
        home.rename_sink("out", sink);
        home
    }

    /// From now on its sink has this name, and these settings.
    pub(crate) fn rename_sink(&self, id: &str, sink: &str) {
        fs::write(&self.config, self.text(id, sink)).unwrap();
    }

    /// From now on the source of its agents has another setting.
    fn change(&self) {
        self.read_bytes.set(self.read_bytes.get() % 16_384 + 4_096);
        let next = self.config.with_extension("next");
        fs::write(&next, self.text("out", &self.sink)).unwrap();
        fs::rename(next, &self.config).unwrap();
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
             max_read_bytes = {}\n\n[sinks.{id}]\ninputs = [\"app\"]\n{}{sink}",
            self.state(),
            self.logs().join("*.log"),
            self.read_bytes.get(),
            if sink.starts_with("type = \"file\"") { "" } else { REQUESTS },
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
    /// Waits for its death, or brings it after `life`; tells how it died. In the middle it is stopped for a while, or told to
    /// read another configuration.
    pub(crate) async fn die(mut self, life: Duration, home: &Home, mischief: Mischief) -> String {
        let (end, mut middle) = (Instant::now() + life, Some(Instant::now() + life / 2));
        while Instant::now() < end {
            if middle.take_if(|middle| *middle < Instant::now()).is_some() {
                self.disturb(home, mischief).await;
            }
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

    async fn disturb(&self, home: &Home, mischief: Mischief) {
        // It may be dead by its point.
        let send = |signal| _ = kill_process(Pid::from_child(&self.0), signal);
        match mischief {
            Mischief::None => {}
            Mischief::Stop(time) => {
                send(Signal::STOP);
                sleep(time).await;
                send(Signal::CONT);
            }
            Mischief::Reload => {
                home.change();
                send(Signal::HUP);
            }
        }
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
