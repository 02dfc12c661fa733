//! The thread of a console: encodes batches and writes them, whole lines at a time.

use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::codecs;
use crate::component::health::Health;
use crate::component::meters::Meters;
use crate::component::reason::Reason;
use crate::delivery::{Bench, Hold};
use crate::event::{Batch, Outcome};

/// How long to wait before a write that failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// Batches, and what counts them as in hand.
pub(super) type Work = (Vec<Batch>, Hold);

pub(super) struct Writer {
    out: Box<dyn Write + Send>,
    encoder: codecs::Writer,
    meters: Meters,
    health: Health,
    lines: Vec<u8>,
    is_closed: bool,
}

impl Writer {
    pub(super) fn new(out: Box<dyn Write + Send>, encoder: codecs::Writer, bench: &Bench) -> Self {
        let (meters, health) = (bench.meters.clone(), bench.health.clone());
        Self { out, encoder, meters, health, lines: Vec::new(), is_closed: false }
    }

    /// Works until no more comes; says through `idle` when it can take the next.
    pub(super) fn run(mut self, work: &Receiver<Work>, idle: &Sender<()>) {
        while idle.blocking_send(()).is_ok() {
            let Ok((batches, _in_hand)) = work.recv() else { return };
            let _working = self.meters.working();
            for batch in batches {
                self.write_guarded(batch);
            }
        }
    }

    /// What a panic leaves behind counts as failed: its source offers it again. The thread goes on.
    fn write_guarded(&mut self, batch: Batch) {
        if catch_unwind(AssertUnwindSafe(|| self.write(batch))).is_err() {
            let id = &self.meters.label().id;
            self.meters.error("panic");
            tracing::error!(component_id = id, "writing ended early; the records will be offered again");
            self.health.troubled(id, "an internal error; its records are tried again");
        }
    }

    fn write(&mut self, batch: Batch) {
        if !self.is_closed {
            self.lines.clear();
            for record in batch.iter() {
                self.encoder.write(record, &mut self.lines);
                self.lines.push(b'\n');
            }
            self.is_closed = !self.push_lines();
        }
        if self.is_closed {
            self.meters.discarded(Reason::Discarded, batch.len());
            batch.settle(Outcome::Dropped);
            return;
        }
        self.health.succeeded(&self.meters.label().id);
        self.meters.sent(batch.len(), self.lines.len());
        batch.settle(Outcome::Delivered);
    }

    /// Writes all lines; false if nobody reads any more.
    fn push_lines(&mut self) -> bool {
        let mut done = 0;
        while done < self.lines.len() {
            match self.out.write(&self.lines[done..]) {
                Ok(0) => return false,
                Ok(written) => done += written,
                Err(error) if self.is_over(&error) => return false,
                Err(_) => {}
            }
        }
        loop {
            match self.out.flush() {
                Ok(()) => return true,
                Err(error) if self.is_over(&error) => return false,
                Err(_) => {}
            }
        }
    }

    /// Did the reader go? Other faults pass: waits a little.
    fn is_over(&self, error: &io::Error) -> bool {
        match error.kind() {
            ErrorKind::BrokenPipe => return true,
            ErrorKind::Interrupted => return false,
            ErrorKind::WouldBlock => {}
            _ => {
                self.meters.error("console_write");
                self.health.troubled(&self.meters.label().id, &format!("cannot write to the console: {error}"));
            }
        }
        std::thread::park_timeout(PAUSE);
        false
    }
}
