//! A lane's thread: files take turns, each a block of bytes; those that wait for room wait alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::job::{FileId, Job, Letter, Note};
use super::look::{Desk, Turn};
use super::mailbox::Mailbox;
use super::set::Order;
use super::survey::Survey;
use super::tail::{State, Tail};
use crate::component::clock;
use crate::component::outlet::{Lane, Offer};
use crate::component::signal::Stop;
use crate::event::Outcome;

/// A thread that reads files.
pub(super) struct Reader {
    job: Arc<Job>,
    lane: Box<dyn Lane>,
    mailbox: Arc<Mailbox<Letter>>,
    waker: Waker,
    tails: HashMap<FileId, Tail>,
    /// Files whose turn comes, in order.
    ready: VecDeque<FileId>,
    /// Files that wait for room.
    held: Vec<FileId>,
    /// When to look at files that sleep. An entry that is not what the file's state tells is out of date.
    timers: BinaryHeap<Reverse<(Instant, FileId)>>,
    /// Is there no memory to read into?
    is_starved: bool,
}

impl Reader {
    pub(super) fn new(job: Arc<Job>, lane: Box<dyn Lane>, mailbox: Arc<Mailbox<Letter>>) -> Self {
        Self {
            job,
            lane,
            waker: Waker::from(mailbox.clone()),
            mailbox,
            tails: HashMap::new(),
            ready: VecDeque::new(),
            held: Vec::new(),
            timers: BinaryHeap::new(),
            is_starved: false,
        }
    }

    /// Reads until `stop`; then waits for what is in flight, to the deadline.
    pub(super) fn run(mut self, stop: &Stop) {
        self.mailbox.open();
        stop.leave(&self.waker);
        let mut letters = Vec::new();
        while stop.deadline().is_none() {
            self.attend(&mut letters);
            self.wake_sleepers();
            match self.next_ready() {
                Some(id) => self.take_turn(id),
                None => self.park(None),
            }
        }
        self.drain(stop, &mut letters);
    }

    /// Nothing more is read; what was offered may still resolve.
    fn drain(&mut self, stop: &Stop, letters: &mut Vec<Letter>) {
        while stop.deadline().is_some_and(|deadline| Instant::now() < deadline) {
            self.attend(letters);
            if self.tails.values().all(Tail::is_settled) {
                return;
            }
            stop.leave(&self.waker);
            self.park(stop.deadline());
        }
    }

    /// Reads the letters and, if someone rang, offers again what waits.
    fn attend(&mut self, letters: &mut Vec<Letter>) {
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
            Letter::Adopt(tail) => {
                self.ready.push_back(tail.id);
                self.tails.insert(tail.id, *tail);
            }
            Letter::Touched(id) => self.touched(id),
            Letter::Gone(id) => self.set_gone(id, Some(Instant::now())),
            Letter::Back(id) => self.set_gone(id, None),
            Letter::Report(survey) => {
                let report = |tail: &Tail| tail.report(&self.job, self.is_starved);
                Survey::answer(&survey, || self.tails.values().map(report).collect());
            }
            Letter::Set(order) => self.set(&order),
            Letter::Resolved { id, stream, token, worst } => {
                let Some(tail) = self.tails.get_mut(&id) else { return };
                if tail.stream.origin.stream() != stream {
                    // Its generation is gone: a failure cannot be read again.
                    if worst == Outcome::Failed {
                        self.job.meters.error("truncated_before_delivery");
                    }
                } else if let Some(until) = tail.resolved(&self.job, (token, worst)) {
                    self.timers.push(Reverse((until, id)));
                    self.ready.retain(|other| *other != id);
                    self.held.retain(|other| *other != id);
                }
            }
        }
    }

    /// A person has a file read from elsewhere.
    fn set(&mut self, order: &Order) {
        let Order { id, wish, answer } = order;
        let done = self.tails.get_mut(id).map(|tail| tail.set(&self.job, wish, &self.mailbox));
        let is_done = matches!(done, Some(Ok(_)));
        Survey::answer(answer, || done.into_iter().collect());
        if is_done {
            self.touched(*id);
        }
    }

    fn set_gone(&mut self, id: FileId, since: Option<Instant>) {
        if let Some(tail) = self.tails.get_mut(&id) {
            tail.gone_since = since;
        }
    }

    /// A sleeping file is looked at as soon as its writer had a moment for more.
    fn touched(&mut self, id: FileId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        let State::Sleeps(until) = tail.state else { return };
        tail.calm.pause = self.job.pace.linger;
        let soon = Instant::now() + self.job.pace.linger;
        if soon < until {
            tail.state = State::Sleeps(soon);
            self.timers.push(Reverse((soon, id)));
        }
    }

    fn retry_held(&mut self) {
        for id in std::mem::take(&mut self.held) {
            let Some(tail) = self.tails.get_mut(&id) else { continue };
            let State::Held(held) = std::mem::replace(&mut tail.state, State::Ready) else { continue };
            match held.retry(&self.waker) {
                Offer::Taken => self.ready.push_back(id),
                Offer::Waits(held) => {
                    tail.state = State::Held(held);
                    self.held.push(id);
                }
            }
        }
    }

    fn wake_sleepers(&mut self) {
        if self.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(&Reverse((until, id))) = self.timers.peek().filter(|Reverse((until, _))| *until <= now) {
            self.timers.pop();
            let Some(tail) = self.tails.get_mut(&id) else { continue };
            match tail.state {
                State::Failed(due) if due == until => tail.rewind(),
                State::Sleeps(due) if due == until => {}
                _ => continue,
            }
            tail.state = State::Ready;
            self.ready.push_back(id);
        }
    }

    fn next_ready(&mut self) -> Option<FileId> {
        if self.is_starved || self.job.pause.holds(&self.waker) { None } else { self.ready.pop_front() }
    }

    fn take_turn(&mut self, id: FileId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        if !matches!(tail.state, State::Ready) {
            return;
        }
        let mut desk = Desk { job: &self.job, lane: &mut *self.lane, mailbox: &self.mailbox, waker: &self.waker };
        let turn = tail.turn(&mut desk);
        tail.standing.read_to(tail.offset, Instant::now());
        match turn {
            Ok(Turn::More) => {
                tail.works();
                tail.calm.pause = self.job.pace.linger;
                self.ready.push_back(id);
            }
            Ok(Turn::Waits(held)) => {
                tail.state = State::Held(held);
                self.held.push(id);
            }
            Ok(Turn::Starved) => {
                self.ready.push_front(id);
                self.is_starved = true;
            }
            Ok(Turn::Quiet) => self.rest(id),
            Err(error) => {
                let until = tail.broke(&self.job, &error);
                tail.state = State::Sleeps(until);
                self.timers.push(Reverse((until, id)));
            }
        }
    }

    /// The file has nothing new: it is looked at again later and later, up to the pace of the net. One that is gone
    /// and read to its end is closed.
    fn rest(&mut self, id: FileId) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        tail.works();
        tail.standing.caught_up(Instant::now());
        if tail.is_finished(&self.job) && tail.is_settled() {
            return self.close(id);
        }
        let until = Instant::now() + tail.calm.pause;
        tail.calm.pause = (tail.calm.pause * 2).min(self.job.pace.poll);
        tail.state = State::Sleeps(until);
        self.timers.push(Reverse((until, id)));
    }

    fn close(&mut self, id: FileId) {
        let Some(tail) = self.tails.remove(&id) else { return };
        match tail.file.metadata() {
            Ok(about) if about.nlink() == 0 => self.job.positions.forget(id),
            _ => self.job.positions.leave(id, clock::now()),
        }
        self.job.notes.post(Note::Finished(id));
    }

    /// Waits for a letter, a ring, the next file that sleeps, or `deadline`.
    fn park(&self, deadline: Option<Instant>) {
        let next = self.timers.peek().map(|Reverse((until, _))| *until);
        // While draining nobody wakes sleepers: only the deadline counts.
        match deadline.or(next) {
            Some(until) => std::thread::park_timeout(until.saturating_duration_since(Instant::now())),
            None => std::thread::park(),
        }
    }
}
