//! A lane's thread: files take turns by bytes; those that wait for room wait alone.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::claim::Found;
use super::job::{FileId, Job, Letter};
use super::look::{Desk, Turn};
use super::mailbox::Mailbox;
use super::schedule::Schedule;
use super::settings::Drain;
use super::survey::Survey;
use super::tail::{State, Tail};
use crate::component::outlet::{Lane, Offer};
use crate::component::signal::Stop;
use crate::event::{Outcome, StreamKey};

/// A file that has left its place is looked at this often at least: nobody tells of writes to it.
const LEFT_PAUSE: Duration = Duration::from_secs(1);

/// A thread that reads files.
pub(super) struct Reader {
    pub(super) job: Arc<Job>,
    lane: Box<dyn Lane>,
    pub(super) mailbox: Arc<Mailbox<Letter>>,
    waker: Waker,
    pub(super) tails: HashMap<FileId, Tail>,
    /// What is left of generations that were truncated away, by their streams.
    pub(super) orphans: HashMap<StreamKey, FileId>,
    pub(super) schedule: Schedule,
    /// Files that wait for room.
    held: Vec<FileId>,
    /// Is there no memory to read into?
    pub(super) is_starved: bool,
    /// Is everything to be read to its end, since nothing new comes?
    is_last: bool,
    pub(super) now: Instant,
}

impl Reader {
    pub(super) fn new(job: Arc<Job>, lane: Box<dyn Lane>, mailbox: Arc<Mailbox<Letter>>) -> Self {
        Self {
            schedule: Schedule::new(job.tailing.oldest_first),
            job,
            lane,
            waker: Waker::from(mailbox.clone()),
            mailbox,
            tails: HashMap::new(),
            orphans: HashMap::new(),
            held: Vec::new(),
            is_starved: false,
            is_last: false,
            now: Instant::now(),
        }
    }

    /// Reads until `stop`, or until all is read after it; then waits for what is in flight, to the deadline.
    pub(super) fn run(mut self, stop: &Stop) {
        self.mailbox.open();
        stop.leave(&self.waker);
        let mut letters = Vec::new();
        while !self.is_done(stop) {
            if !self.step(Instant::now(), &mut letters) {
                self.park(stop.deadline());
            }
        }
        self.lane.rest();
        self.drain(stop, &mut letters);
        self.tell_left();
    }

    fn is_done(&self, stop: &Stop) -> bool {
        let Some(deadline) = stop.deadline() else { return false };
        let reads_on =
            self.job.tailing.drain == Drain::ReadToEnd && !self.job.pause.is_on() && Instant::now() < deadline;
        !reads_on || (self.is_last && !self.tails.values().any(|tail| tail.is_awaited))
    }

    /// Reads the letters, wakes who is due, and gives one file its turn; false if there is nothing to do.
    pub(super) fn step(&mut self, now: Instant, letters: &mut Vec<Letter>) -> bool {
        self.now = now;
        self.attend(letters);
        self.wake_sleepers();
        if self.is_starved || self.job.pause.holds(&self.waker) {
            return false;
        }
        let Some(id) = self.schedule.pop() else { return false };
        self.take_turns(id);
        true
    }

    /// Nothing more is read; what was offered may still resolve.
    fn drain(&mut self, stop: &Stop, letters: &mut Vec<Letter>) {
        while stop.deadline().is_some_and(|deadline| Instant::now() < deadline) {
            self.attend(letters);
            if self.tails.values().all(Tail::is_settled) {
                return;
            }
            stop.leave(&self.waker);
            let left =
                stop.deadline().map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()));
            std::thread::park_timeout(left);
        }
    }

    /// Tells of what is not delivered of files that were to be read to their end.
    fn tell_left(&self) {
        if self.job.tailing.drain == Drain::Leave {
            return;
        }
        for (path, bytes) in self.left() {
            let id = &self.job.meters.label().id;
            tracing::warn!(component_id = id, path = %path.display(), bytes, "not delivered before the end");
        }
    }

    /// How many bytes of each file are not delivered.
    pub(super) fn left(&self) -> impl Iterator<Item = (&std::path::Path, u64)> {
        let left = self.tails.values().map(|tail| {
            let bytes = tail.row.size().saturating_sub(tail.stream.committed());
            (tail.path.as_path(), bytes)
        });
        left.filter(|(_, bytes)| *bytes > 0)
    }

    /// Reads the letters and, if someone rang, offers again what waits.
    pub(super) fn attend(&mut self, letters: &mut Vec<Letter>) {
        self.mailbox.take(letters);
        for letter in letters.drain(..) {
            self.read_letter(letter);
        }
        if self.mailbox.was_rung() {
            self.is_starved = false;
            self.retry_held();
        }
    }

    fn read_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Adopt(tail, after) => self.adopt(*tail, after),
            Letter::Touched(id) => self.touched(id),
            Letter::Shows { id, path, has_left } => self.shows(id, path, has_left),
            Letter::Rest(id, found) => self.adopt_rest(id, *found),
            Letter::Park(id) => {
                if self.tails.get(&id).is_some_and(Tail::is_idle) {
                    self.close(id);
                }
            }
            Letter::Abandon(id, why) => self.give_up(id, why),
            Letter::Last => {
                self.is_last = true;
                let all: Vec<FileId> = self.tails.keys().copied().collect();
                for id in all {
                    self.await_end(id);
                }
            }
            Letter::Report(survey) => Survey::answer(&survey, || self.reports()),
            Letter::Set(order) => self.set(&order),
            Letter::Resolved { id, stream, token, worst } => self.resolved(id, stream, (token, worst)),
        }
    }

    fn adopt(&mut self, mut tail: Tail, after: Option<FileId>) {
        let id = tail.id;
        tail.is_awaited = self.is_last;
        self.tails.insert(id, tail);
        match after.filter(|other| self.tails.get(other).is_some_and(|other| other.input.is_some())) {
            Some(other) => {
                self.has_heir(other, id);
                self.schedule.put_behind(id, other);
                self.await_end(other);
            }
            None => self.schedule.push(id),
        }
    }

    /// A copy of what was truncated away is read on where that was.
    fn adopt_rest(&mut self, id: FileId, found: Found) {
        let Some(tail) = self.tails.get_mut(&id).filter(|tail| tail.input.is_none()) else { return };
        (tail.input, tail.path) = (Some(found.input), found.path);
        (tail.seen, tail.left_since) = (None, Some(self.now));
        self.touched(id);
    }

    /// The end of a file is waited for: it is looked at now.
    pub(super) fn await_end(&mut self, id: FileId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        tail.is_awaited = true;
        if matches!(tail.state, State::Sleeps(_) | State::Rests) {
            tail.seen = None;
            tail.state = State::Ready;
            self.schedule.push(id);
        }
    }

    fn resolved(&mut self, id: FileId, stream: StreamKey, how: (u64, Outcome)) {
        let is_current = self.tails.get(&id).is_some_and(|tail| tail.stream.origin.stream() == stream);
        let id = if is_current { id } else { self.orphans.get(&stream).copied().unwrap_or(id) };
        let Some(tail) = self.tails.get_mut(&id).filter(|tail| tail.stream.origin.stream() == stream) else {
            // A person has set its position since: it is not read again.
            if how.1 == Outcome::Failed {
                self.job.meters.error("set_before_delivery");
            }
            return;
        };
        if let Some(until) = tail.resolved(&self.job, how, self.now) {
            self.schedule.set_timer(until, id);
            self.schedule.remove(id);
            self.held.retain(|other| *other != id);
        }
    }

    fn shows(&mut self, id: FileId, path: PathBuf, has_left: bool) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        tail.path = path;
        tail.left_since = has_left.then(|| tail.left_since.unwrap_or(self.now));
        self.touched(id);
    }

    /// A sleeping file is looked at as soon as its writer had a moment for more.
    pub(super) fn touched(&mut self, id: FileId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        let soon = self.now + self.job.pace.linger;
        match tail.state {
            State::Rests => {}
            State::Sleeps(until) if soon < until => {}
            _ => return,
        }
        tail.calm.pause = self.job.pace.linger;
        tail.state = State::Sleeps(soon);
        tail.row.set_idle(false);
        self.schedule.set_timer(soon, id);
    }

    fn retry_held(&mut self) {
        for id in std::mem::take(&mut self.held) {
            let Some(tail) = self.tails.get_mut(&id) else { continue };
            let State::Held(held) = std::mem::replace(&mut tail.state, State::Ready) else { continue };
            match held.retry(&self.waker) {
                Offer::Taken => self.schedule.push(id),
                Offer::Waits(held) => {
                    tail.state = State::Held(held);
                    self.held.push(id);
                }
            }
        }
    }

    fn wake_sleepers(&mut self) {
        while let Some((until, id)) = self.schedule.pop_due(self.now) {
            let Some(tail) = self.tails.get_mut(&id) else { continue };
            match tail.state {
                State::Failed(due) if due == until => tail.rewind(),
                State::Sleeps(due) | State::Waits(due) if due == until => {}
                _ => continue,
            }
            tail.state = State::Ready;
            self.begin_again(id);
        }
    }

    /// A file has turns as long as it has credit: a quantum of bytes, more if it may soon be gone.
    fn take_turns(&mut self, id: FileId) {
        let quantum = self.job.tailing.max_read_bytes as i64;
        let Some(tail) = self.tails.get_mut(&id) else { return };
        if !matches!(tail.state, State::Ready) {
            return;
        }
        let most = quantum * tail.weight();
        tail.credit = (tail.credit + most).min(most);
        let has_heir = self.heir(id).is_some();
        loop {
            if self.is_overdue(id) {
                return;
            }
            let Some(tail) = self.tails.get_mut(&id) else { return };
            if tail.credit <= 0 {
                return self.schedule.push(id);
            }
            let before = tail.offset;
            let mut desk = Desk {
                job: &self.job,
                lane: &mut *self.lane,
                mailbox: &self.mailbox,
                waker: &self.waker,
                now: self.now,
                is_last: self.is_last,
                has_heir,
            };
            let turn = tail.turn(&mut desk);
            tail.standing.read_to(tail.offset, self.now);
            let read = tail.offset.saturating_sub(before) as i64;
            tail.credit -= if read > 0 { read } else { quantum };
            if self.job.tailing.release_page_cache {
                tail.release();
            }
            if !self.after_turn(id, turn) {
                return;
            }
        }
    }

    /// Puts a file where it belongs after a turn; true if it may have another at once.
    fn after_turn(&mut self, id: FileId, turn: io::Result<Turn>) -> bool {
        let Some(tail) = self.tails.get_mut(&id) else { return false };
        match turn {
            Ok(Turn::More) => {
                tail.works();
                tail.calm.pause = self.job.pace.linger;
                return true;
            }
            Ok(Turn::Waits(held)) => {
                tail.state = State::Held(held);
                self.held.push(id);
            }
            Ok(Turn::Starved) => {
                self.schedule.push_front(id);
                self.is_starved = true;
            }
            Ok(Turn::Later(until)) => {
                tail.state = State::Waits(until);
                self.schedule.set_timer(until, id);
            }
            Ok(Turn::Truncated(old)) => {
                self.schedule.push(id);
                self.mourn(id, old);
            }
            Ok(Turn::Quiet) => self.rest(id),
            Err(error) => self.broke(id, &error),
        }
        false
    }

    /// The file has nothing new: it is looked at again when it is written to, or later and later. One that has left and
    /// is read to its end is closed.
    pub(super) fn rest(&mut self, id: FileId) {
        self.hand_on(id);
        self.schedule.release(id);
        let Some(tail) = self.tails.get_mut(&id) else { return };
        tail.works();
        tail.standing.caught_up(self.now);
        (tail.is_awaited, tail.credit) = (false, 0);
        if tail.is_settled() && tail.is_over(&self.job, self.now) && !tail.is_kept(&self.job) {
            return if tail.is_torn() { self.broke(id, &torn()) } else { self.close(id) };
        }
        let removes = tail.remove_if_due(&self.job, self.now);
        let due = tail.due(&self.job);
        if tail.seen.is_some() && tail.left_since.is_none() && !removes && tail.input.is_some() && due.is_none() {
            tail.state = State::Rests;
            tail.row.set_idle(tail.is_idle());
            return;
        }
        let until = self.now + tail.calm.pause;
        let until = due.map_or(until, |due| due.min(until));
        let longest = if tail.left_since.is_some() { LEFT_PAUSE.min(self.job.pace.poll) } else { self.job.pace.poll };
        tail.calm.pause = (tail.calm.pause * 2).min(longest);
        tail.state = State::Sleeps(until);
        self.schedule.set_timer(until, id);
    }

    /// Waits for a letter, a ring, the next file that sleeps, or `deadline`.
    fn park(&self, deadline: Option<Instant>) {
        match deadline.into_iter().chain(self.schedule.next_timer()).min() {
            Some(until) => std::thread::park_timeout(until.saturating_duration_since(Instant::now())),
            None => std::thread::park(),
        }
    }
}

/// Why the rest of a compressed file is given up of which no more comes.
fn torn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it ends too early")
}
