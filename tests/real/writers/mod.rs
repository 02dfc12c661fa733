//! Logs as real programs write and rotate them, without a store: what the agent read is compared with what they wrote.

mod containers;
mod logrotate;
mod tally;

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Is the command there? Where it is not, the test fails with the package to install.
fn need(command: &str, package: &str) {
    let look = format!("PATH=$PATH:/usr/sbin command -v {command}");
    let status = Command::new("sh").args(["-c", &look]).stdout(Stdio::null()).status();
    let is_there = status.is_ok_and(|status| status.success());
    assert!(is_there, "`{command}` is missing: install the Debian package `{package}`");
}

/// The script of this folder's servers, in the repository.
fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/real/writers").join(name)
}
