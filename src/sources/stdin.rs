//! The `stdin` source: reads lines from the standard input.
//!
//! **Delivery.** A block is kept until its records have arrived, and offered again if they failed; what is under way when
//! the process ends cannot be read again. **Order.** Kept. **Limits.** A line longer than `max_line_bytes` is cut and marked.
//! At the end of the input the source ends, as soon as all records have arrived.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::Thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use schemars::JsonSchema;
use serde::Deserialize;

use super::feed::{Feed, Stopped, Stream};
use super::line;
use crate::codecs::{Codec, Decoder, Decoding};
use crate::component::claim::{Claim, Claimed};
use crate::component::machine;
use crate::component::outlet::Outlet;
use crate::component::row::{Context, Problem, Reach, Settings};
use crate::component::signal::Stop;
use crate::component::source::{Running, Source};
use crate::component::task::on_thread;
use crate::event::{Origin, Shared, StreamKey};

/// Bytes asked for at once: what a pipe holds by default (pipe(7)).
const READ: usize = 64 << 10;

/// Reads lines from the standard input.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdinSettings {
    /// Longest line in bytes. A longer one is cut at this length, on a character, and marked; its rest is skipped.
    #[serde(default = "line::max_line_bytes")]
    max_line_bytes: usize,
    /// Member that gets the host's name: `host` if the codec is `bytes`, none if it is `json`. Empty for none.
    #[serde(default)]
    host_key: Option<String>,
    /// How lines are decoded.
    #[serde(default)]
    decoding: Decoding,
}

impl Settings for StdinSettings {
    type Built = Box<dyn Source>;
    const NAME: &'static str = "stdin";
    const EXAMPLE: &'static str = r#"[sources.piped]
type = "stdin"
decoding.codec = "json"
"#;
    const REACH: Reach = Reach::Machine("it reads the standard input of the process");

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::new("", Claimed::Input)]
    }

    fn check(&self) -> Vec<Problem> {
        let length = line::check_bytes("max_line_bytes", self.max_line_bytes);
        length.into_iter().chain(line::check_key("host_key", self.host_key.as_deref())).collect()
    }

    fn build(self, context: Context) -> Result<Self::Built, String> {
        let input = io::stdin().as_fd().try_clone_to_owned();
        let input = input.map_err(|error| format!("cannot use the standard input: {error}"))?;
        Ok(Box::new(Stdin { settings: self, context, input: input.into() }))
    }
}

impl StdinSettings {
    fn stream(&self) -> Stream {
        let is_plain = self.decoding.codec == Codec::Bytes;
        let key = line::key(self.host_key.as_deref(), is_plain.then_some("host"));
        let host = key.map(|key| Shared::string(key, &machine::host_name()));
        let kind = is_plain.then(|| Shared::string("source_type", "stdin"));
        let members: Vec<Shared> = host.into_iter().chain(kind).collect();
        Stream {
            decoder: Decoder { codec: self.decoding.codec, max_line_bytes: self.max_line_bytes },
            origin: Origin::new(StreamKey::random()).with_timestamp_keys(line::timestamp_keys().into()).with(&members),
        }
    }
}

struct Stdin {
    settings: StdinSettings,
    context: Context,
    input: File,
}

impl Source for Stdin {
    fn run(self: Box<Self>, outlet: Arc<dyn Outlet>, stop: Stop) -> Running {
        Box::pin(async move {
            let read = move || {
                if let Err(error) = self.read(&*outlet, &stop) {
                    tracing::error!(%error, "cannot read the standard input");
                }
            };
            if let Err(error) = on_thread("levada-stdin", read).await {
                tracing::error!(%error, "cannot start a thread, the standard input is not read");
            }
        })
    }
}

impl Stdin {
    fn read(self, outlet: &dyn Outlet, stop: &Stop) -> io::Result<()> {
        let bell = Arc::new(Bell { event: eventfd(0, EventfdFlags::NONBLOCK)?, thread: std::thread::current() });
        let waker = Waker::from(bell.clone());
        let feed = Feed::new(self.settings.stream(), &self.context, outlet, (stop.clone(), waker));
        let mut lines =
            Lines { input: self.input, feed, begun: Vec::new(), limit: self.settings.max_line_bytes, is_cut: false };
        let outcome = lines.run(stop, &bell);
        lines.feed.finish();
        outcome
    }
}

/// Wakes the reading thread wherever it waits: parked, or for input.
struct Bell {
    event: OwnedFd,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A full counter is a bell that has been rung.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        self.thread.unpark();
    }
}

/// Lines as they are read.
struct Lines {
    input: File,
    feed: Feed,
    /// The beginning of a line whose end has not been read.
    begun: Vec<u8>,
    limit: usize,
    /// Was the line that is being read cut and passed on?
    is_cut: bool,
}

impl Lines {
    fn run(&mut self, stop: &Stop, bell: &Bell) -> io::Result<()> {
        while !stop.is_requested() {
            self.feed.attend();
            let mut ready = [PollFd::new(&self.input, PollFlags::IN), PollFd::new(&bell.event, PollFlags::IN)];
            match poll(&mut ready, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [input, rung] = ready.map(|fd| !fd.revents().is_empty());
            if rung {
                let _ = rustix::io::read(&bell.event, &mut [0; 8]);
            }
            if input && self.read() != Ok(More::Yes) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads once and passes on the lines that are whole.
    fn read(&mut self) -> Result<More, Stopped> {
        let begun = self.begun.len();
        let permit = self.feed.room(begun + READ)?;
        let mut buffer = self.feed.buffer(begun + READ);
        buffer[..begun].copy_from_slice(&self.begun);
        let got = match self.input.read(&mut buffer[begun..]) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(More::Yes),
            Err(error) => {
                tracing::error!(%error, "cannot read the standard input any further");
                0
            }
        };
        buffer.truncate(begun + got);
        let from = self.rest_of_cut(&buffer);
        let to = match memchr::memrchr(b'\n', &buffer[from..]) {
            _ if got == 0 => buffer.len(),
            Some(at) => from + at + 1,
            None if buffer.len() - from > self.limit => {
                self.is_cut = true;
                buffer.len()
            }
            None => from,
        };
        self.begun.clear();
        self.begun.extend_from_slice(&buffer[to..]);
        self.feed.skip(from);
        if to > from {
            self.feed.offer(permit, buffer, from..to)?;
        }
        Ok(if got == 0 { More::No } else { More::Yes })
    }

    /// How many of the bytes belong to a line that was cut.
    fn rest_of_cut(&mut self, buffer: &[u8]) -> usize {
        if !self.is_cut {
            return 0;
        }
        let end = memchr::memchr(b'\n', buffer);
        self.is_cut = end.is_none();
        end.map_or(buffer.len(), |at| at + 1)
    }
}

/// Is there more to read?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

#[cfg(test)]
mod tests;
