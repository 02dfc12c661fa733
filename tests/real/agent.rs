//! The `levada` binary with a configuration, a log file and a data folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::server::Server;
use crate::store::{PASSWORD, USER};
use crate::wait_for;

/// A folder with all that one agent has.
pub(crate) struct Home(TempDir);

/// An agent that runs; killed where the test ends early.
pub(crate) struct Agent<'a> {
    home: &'a Home,
    process: Child,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The file it tails.
    pub(crate) fn input(&self) -> PathBuf {
        self.0.path().join("app.log")
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Its dead letters so far.
    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        let Ok(folder) = fs::read_dir(self.0.path().join("data/dead_letters")) else { return Vec::new() };
        let texts: Vec<String> = folder.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts the agent with `sink` (the settings of its sink but for the address) towards `server`.
    pub(crate) fn start(&self, server: &Server, sink: &str) -> Agent<'_> {
        self.launch(&self.config(server, sink))
    }

    /// Starts the agent with `text` as its configuration.
    pub(crate) fn launch(&self, text: &str) -> Agent<'_> {
        let config = self.0.path().join("levada.toml");
        fs::write(&config, text).unwrap();
        let log = File::options().append(true).create(true).open(self.log_path()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
        command.arg("--config").arg(config).env("NO_COLOR", "1").env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Agent { home: self, process: command.spawn().unwrap() }
    }

    fn config(&self, server: &Server, sink: &str) -> String {
        let authority = server.authority().map_or_else(String::new, |path| format!("tls.ca_file = {path:?}\n"));
        format!(
            "data_dir = {:?}\nmin_free = \"0%\"\n\n\
             [sources.app]\ntype = \"file\"\ninclude = [{:?}]\ndecoding.codec = \"json\"\n\n\
             [sinks.store]\ntype = \"elasticsearch\"\ninputs = [\"app\"]\nendpoints = [{:?}]\n{authority}\
             batch.timeout_secs = 0.1\nrequest.retry_initial_backoff_secs = 0.1\n\
             request.retry_max_duration_secs = 1\n{sink}\n",
            self.0.path().join("data"),
            self.input(),
            server.store().address,
        )
    }

    fn log_path(&self) -> PathBuf {
        self.0.path().join("levada.log")
    }
}

impl AsRef<Path> for Home {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}

impl Agent<'_> {
    /// Waits until `is_met`; where that never happens, shows what the agent said.
    pub(crate) fn wait(&self, what: &str, is_met: impl Fn() -> bool) {
        wait_for(what, || is_met().then_some(()), || self.home.log());
    }

    /// Asks it to stop, as a service manager does, and waits for it.
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.home.log());
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The settings that name the administrator, where the server asks who comes.
pub(crate) fn auth(server: &Server) -> String {
    if server.is_open() {
        return String::new();
    }
    format!("auth = {{ strategy = \"basic\", user = \"{USER}\", password = \"{PASSWORD}\" }}\n")
}
