//! `console`: records on standard output or standard error, one line each.
//!
//! Guarantee: none beyond the write. Lines are written whole; a record counts as delivered when the system took its
//! line. A reader that is slow makes this sink wait, on a thread of its own, and no other. When the reader goes away
//! (`levada | head`) the sink stops quietly: what comes afterwards is dropped and counted as `discarded`.

mod writer;

use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::codecs::{self, Encoding};
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::signal::Stop;
use crate::component::source::Running;
use crate::component::task::within;
use crate::delivery::settings::{Acknowledgements, BufferSettings};
use crate::delivery::{Bench, Drain};

use writer::{Work, Writer};

/// Writes records to the terminal, or whatever stands there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsoleSettings {
    /// Where to.
    #[serde(default)]
    target: Target,
    /// How records are encoded.
    #[serde(default)]
    encoding: Encoding,
    /// Who waits for the sink.
    #[serde(default)]
    acknowledgements: Acknowledgements,
    /// What stands before the sink.
    #[serde(default)]
    buffer: BufferSettings,
}

/// An output of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error, where Levada's own log goes too.
    Stderr,
}

impl Target {
    fn open(self) -> Box<dyn Write + Send> {
        match self {
            Self::Stdout => Box::new(io::stdout()),
            Self::Stderr => Box::new(io::stderr()),
        }
    }
}

impl Settings for ConsoleSettings {
    type Built = Box<dyn Drain>;
    const NAME: &'static str = "console";
    const EXAMPLE: &'static str = r#"[sinks.shown]
type = "console"
inputs = ["app"]
target = "stdout"
encoding.codec = "json"
"#;
    const REACH: Reach = Reach::Pipeline;

    fn check(&self) -> Vec<Problem> {
        self.encoding.writer().err().map(Problem::from).into_iter().collect()
    }

    fn idle(&self) -> Vec<Problem> {
        self.buffer.idle()
    }

    fn build(self, _: Context) -> Result<Self::Built, String> {
        let encoder = self.encoding.writer().map_err(|bad| bad.to_string())?;
        let is_required = self.acknowledgements.enabled;
        Ok(Box::new(Console { target: self.target, encoder, is_required, buffer: self.buffer }))
    }
}

struct Console {
    target: Target,
    encoder: codecs::Writer,
    is_required: bool,
    buffer: BufferSettings,
}

impl Drain for Console {
    fn run(self: Box<Self>, bench: Bench, stop: Stop) -> Running {
        Box::pin(async move { run(self.target.open(), self.encoder, bench, stop).await })
    }

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

/// Bytes taken from the queue at once.
const TAKE: usize = 256 << 10;

/// Hands batches to a thread that may block. A thread that still blocks at the deadline is left behind: its records
/// count as failed.
async fn run(out: Box<dyn Write + Send>, encoder: codecs::Writer, bench: Bench, stop: Stop) {
    let (batches, work) = sync_channel(1);
    let (idle, is_idle) = mpsc::channel::<()>(1);
    let writer = Writer::new(out, encoder, &bench);
    let spawned = thread::Builder::new().name("console".to_owned()).spawn(within(move || writer.run(&work, &idle)));
    if let Err(error) = spawned {
        bench.health.troubled(&bench.meters.label().id, &format!("cannot start a thread: {error}"));
        return;
    }
    tokio::select! {
        () = feed(batches, is_idle, &bench, &stop) => {}
        () = async { sleep_until(Instant::from_std(stop.requested().await)).await } => {}
    }
}

/// Gives the thread one batch after the other; ends when it has ended.
async fn feed(batches: SyncSender<Work>, mut is_idle: mpsc::Receiver<()>, bench: &Bench, stop: &Stop) {
    while is_idle.recv().await.is_some() {
        let taken = tokio::select! {
            taken = bench.queue.take(TAKE) => taken,
            _ = stop.requested() => None,
        };
        let Some(taken) = taken else { break };
        let in_hand = bench.in_hand.hold(&taken);
        if batches.try_send((taken, in_hand)).is_err() {
            return;
        }
    }
    drop(batches);
    while is_idle.recv().await.is_some() {}
}

#[cfg(test)]
mod tests;
