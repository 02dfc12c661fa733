//! The signals that an agent answers to.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Read the configuration again.
    Reload,
    /// End; with the exit code of a process that the signal has killed (128 and its number).
    End(u8),
}

/// SIGHUP, SIGTERM and SIGINT.
pub(super) struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the process answers.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End(killed_by(SignalKind::terminate())),
            _ = self.interrupt.recv() => Asked::End(killed_by(SignalKind::interrupt())),
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Waits until the end is asked for; gives the exit code. A SIGHUP that comes meanwhile is left for
    /// [`next`](Self::next). Cancel-safe.
    pub(super) async fn end(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => killed_by(SignalKind::terminate()),
            _ = self.interrupt.recv() => killed_by(SignalKind::interrupt()),
        }
    }
}

/// The exit code of a process that was killed by a signal.
fn killed_by(kind: SignalKind) -> u8 {
    128 + kind.as_raw_value() as u8
}
