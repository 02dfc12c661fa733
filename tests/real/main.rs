//! The agent as users run it, against real servers: what arrived there is read back through their own interface.
//!
//! Runs where `LEVADA_REAL` is set; a server that cannot be installed or started then fails the tests. Needs Maven,
//! a JDK of version 17, Python 3 with `pip`, `curl`, `openssl`, `conmon`, `runc`, `busybox-static` and `logrotate`. Servers are installed once, into the folder `LEVADA_SERVERS`.
#![allow(clippy::unwrap_used, reason = "in a test that is how things fail")]
#![allow(clippy::unnecessary_debug_formatting, reason = "quotes and escapes are what TOML needs")]

mod agent;
mod answers;
mod clickhouse;
mod credentials;
mod delivery;
mod lines;
mod restart;
mod server;
mod store;
mod writers;

use std::io::Write;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen: a busy machine is slow, never this slow.
const PATIENCE: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(100);

/// Was this run asked to meet real servers? Says so if not.
fn is_asked(test: &str) -> bool {
    let is_asked = std::env::var_os("LEVADA_REAL").is_some_and(|value| !value.is_empty());
    if !is_asked {
        // Past the capture of the test runner: a test that was not run should be seen.
        let _ = writeln!(std::io::stderr(), "{test}: not run, it needs a real server; set LEVADA_REAL=1 to run it");
    }
    is_asked
}

/// Looks until `look` finds something; fails with what `explain` says where it never does.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>, explain: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}\n{}", explain());
        std::thread::park_timeout(GLANCE);
    }
}
