//! How a file stands, for people: what is kept of it besides where it is read, and what is told of it.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::discovery::Discovery;
use super::input::{Input, node, seen};
use super::job::Job;
use super::lane::Reader;
use super::tail::{State, Tail};
use crate::component::clock;
use crate::component::file_meters::Abandoned;
use crate::component::inspect::{FileReport, FileState, Pod};

/// Over how long a rate is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// What is kept of a file for people, written once a turn.
#[derive(Debug)]
pub(super) struct Standing {
    /// When the window began, at which offset.
    window: (Instant, u64),
    /// Bytes a second in the window before.
    rate: f64,
    /// When it was read to its end last, or was found.
    caught_up: Instant,
    last_error: Option<(String, Instant)>,
}

impl Standing {
    pub(super) fn new(offset: u64) -> Self {
        let now = Instant::now();
        Self { window: (now, offset), rate: 0.0, caught_up: now, last_error: None }
    }

    /// A turn has ended at `offset`.
    pub(super) fn read_to(&mut self, offset: u64, now: Instant) {
        let since = now.saturating_duration_since(self.window.0);
        if since >= WINDOW || offset < self.window.1 {
            self.rate = rate(offset, self.window.1, since);
            self.window = (now, offset);
        }
    }

    /// It is read to its end.
    pub(super) fn caught_up(&mut self, now: Instant) {
        self.caught_up = now;
    }

    pub(super) fn failed(&mut self, why: impl Into<String>) {
        self.last_error = Some((why.into(), Instant::now()));
    }

    fn rate(&self, offset: u64, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.window.0);
        if since < WINDOW { self.rate } else { rate(offset, self.window.1, since) }
    }

    fn last_error(&self, now: Instant) -> Option<String> {
        let (error, at) = self.last_error.as_ref()?;
        Some(format!("{error}, {} s ago", now.saturating_duration_since(*at).as_secs()))
    }
}

fn rate(offset: u64, before: u64, since: Duration) -> f64 {
    if since.is_zero() { 0.0 } else { offset.saturating_sub(before) as f64 / since.as_secs_f64() }
}

impl Tail {
    /// How it stands. Looks at the file once more.
    pub(super) fn report(&self, job: &Job, is_starved: bool) -> FileReport {
        let now = Instant::now();
        let about = self.input.as_ref().and_then(|input| input.metadata().ok());
        let (node, seen) = (about.as_ref().map(node), about.as_ref().map(seen));
        // Of a compressed file the row tells what it unpacks to.
        let size = match (&self.input, seen) {
            (Some(Input::Plain(_)), Some(seen)) => seen.size,
            _ => self.row.size().max(self.offset),
        };
        let (state, reason) = self.state_of(job, size, is_starved);
        let lag_bytes = size.saturating_sub(self.offset);
        let delivered = self.stream.committed();
        FileReport {
            path: self.path.to_string_lossy().into_owned(),
            stream_key: format!("{:032x}", self.stream.origin.stream().0),
            device: node.map_or(0, |node| node.device),
            inode: node.map_or(0, |node| node.inode),
            pod: Pod::of(&self.path),
            size,
            offset: self.offset,
            delivered,
            lag_bytes,
            lag_seconds: if lag_bytes == 0 { 0.0 } else { self.age(seen.map(|seen| seen.modified), now) },
            bytes_per_second: self.standing.rate(self.offset, now),
            state,
            is_deleted: about.is_some_and(|about| about.nlink() == 0),
            reason,
            last_error: self.standing.last_error(now),
        }
    }

    fn state_of(&self, job: &Job, size: u64, is_starved: bool) -> (FileState, Option<String>) {
        let has_rest = self.remains > 0 && self.seen.is_some_and(|seen| seen.size == size);
        let is_torn = has_rest || self.stream.units.is_holding() && self.stream.tracker.is_idle();
        let rotated = || self.left_since.map(|_| "rotated or deleted: closed when nothing more comes".to_owned());
        if let (None, Some(why)) = (&self.input, self.given_up) {
            let reason = match why {
                Abandoned::Truncated if size == self.offset => {
                    return (FileState::Quiet, Some("truncated; all of it was read before".to_owned()));
                }
                Abandoned::Truncated => "truncated; looks for a copy of what was not read",
                Abandoned::DeletedLimit => "`max_deleted_open_files` or `max_deleted_open_bytes` was reached",
                Abandoned::RotateWait => "`rotate_wait_secs` were over",
                Abandoned::Damaged => "it is compressed and damaged, or ends too early",
                Abandoned::Gone => "it was gone when it was looked for again",
            };
            return (FileState::Abandoned, Some(reason.to_owned()));
        }
        match self.state {
            State::Failed(_) => (FileState::Failed, None),
            State::Held(_) => (FileState::WaitsForRoom, None),
            _ if self.is_broken() => (FileState::Unreadable, None),
            _ if job.pause.is_on() => (FileState::Paused, None),
            State::Ready if is_starved => (FileState::WaitsForMemory, None),
            State::Ready => (FileState::Reading, None),
            State::Waits(_) => (FileState::RateLimited, None),
            State::Sleeps(_) | State::Rests if is_torn => {
                (FileState::Quiet, Some("the last line or group of lines has no end yet".to_owned()))
            }
            State::Sleeps(_) | State::Rests => (FileState::Quiet, rotated()),
        }
    }

    /// For how many seconds bytes have not been read, at least: since it was read to its end, or was written to last.
    fn age(&self, modified: Option<i64>, now: Instant) -> f64 {
        let behind = now.saturating_duration_since(self.standing.caught_up).as_secs_f64();
        let written = modified.map_or(0.0, |modified| (clock::now() - modified) as f64 / 1e9);
        behind.max(written)
    }
}

impl Reader {
    /// How the files of this lane stand.
    pub(super) fn reports(&self) -> Vec<FileReport> {
        self.tails.values().map(|tail| tail.report(&self.job, self.is_starved)).collect()
    }
}

impl Discovery {
    /// Files that no lane has: those that cannot be opened, those whose keys are not durable, those that wait for descriptors,
    /// those that are left out.
    pub(super) fn without_lane(&self) -> Vec<FileReport> {
        let faults = self.reported.iter().map(|(path, error)| FileReport {
            path: path.to_string_lossy().into_owned(),
            pod: Pod::of(path),
            state: FileState::Unreadable,
            last_error: Some(error.clone()),
            ..FileReport::default()
        });
        let waiting = self.waiting.iter().map(|(_, found, entry)| FileReport {
            path: found.path.to_string_lossy().into_owned(),
            stream_key: format!("{:032x}", entry.key.0),
            device: found.node.device,
            inode: found.node.inode,
            pod: Pod::of(&found.path),
            size: found.seen.size,
            offset: entry.at.offset,
            delivered: entry.at.offset,
            lag_bytes: found.seen.size.saturating_sub(entry.at.offset),
            state: FileState::Found,
            ..FileReport::default()
        });
        let crowded = self.room.waiting.iter().map(|path| FileReport {
            path: path.to_string_lossy().into_owned(),
            pod: Pod::of(path),
            state: FileState::Found,
            reason: Some("waits until others are closed: as many files are open as the system allows".to_owned()),
            ..FileReport::default()
        });
        faults.chain(waiting).chain(crowded).chain(self.left_out()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_second_and_fades() {
        let mut standing = Standing::new(100);
        let start = standing.window.0;
        let at = |millis| start + Duration::from_millis(millis);
        let whole = |rate: f64| rate.round() as u64;
        standing.read_to(600, at(500));
        assert_eq!(whole(standing.rate(600, at(600))), 0, "the first second is not over");
        standing.read_to(1100, at(1000));
        assert_eq!(whole(standing.rate(1100, at(1500))), 1000);
        assert_eq!(whole(standing.rate(1100, at(11_000))), 0);
        standing.read_to(50, at(11_000));
        assert_eq!(whole(standing.rate(50, at(11_100))), 0, "going back is no speed");
    }
}
