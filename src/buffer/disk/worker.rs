//! The thread of a disk buffer: the only one that does its input and output.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::buffer::{Ingredients, Shared};
use super::growth::Growth;
use super::log::{Log, Tools};
use super::mail::Phase;
use super::parcel::Parcel;
use super::recover::Report;
use super::storage::Folder;
use super::write::Stuck;
use crate::buffer::{Queue, Shortage};
use crate::component::clock;
use crate::component::outlet::Inlet;

/// The ledger is written at most so often.
const LEDGER: Duration = Duration::from_secs(1);
/// The first pause after a failure; it doubles up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// What the sink failed on is offered again after so long.
const FAILED: Duration = Duration::from_secs(1);
/// The queue and the sink call when a record may pass by the log, or has; a look now and then costs nothing.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    made_of: Ingredients,
    shared: Arc<Shared>,
    /// Taken and not stored.
    waiting: VecDeque<Parcel>,
    timers: Timers,
    pause: Duration,
    obstacle: Option<Obstacle>,
    shortage: Shortage,
    growth: Growth,
    /// Is the queue open for us?
    is_inside: bool,
}

/// Why what waits is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    Full,
    Failing,
    Passes,
}

#[derive(Debug, Default)]
struct Timers {
    /// When to store again what could not be.
    store: Option<Instant>,
    ledger: Option<Instant>,
    failed: Option<Instant>,
    feed: Option<Instant>,
    /// When to try again to make marks durable.
    mark: Option<Instant>,
    /// When to look whether there is `min_free` again.
    free: Option<Instant>,
}

impl Timers {
    fn next(&self) -> Option<Instant> {
        [self.store, self.ledger, self.failed, self.feed, self.mark, self.free].into_iter().flatten().min()
    }
}

/// Says that the thread is gone, however it went.
struct Farewell {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    is_inside: bool,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if self.is_inside {
            self.queue.leave();
        }
        self.shared.end();
    }
}

/// Minutes since the Unix epoch.
fn minute() -> u32 {
    (clock::now() / 60_000_000_000) as u32
}

impl Worker {
    pub(super) fn new(made_of: Ingredients, shared: Arc<Shared>) -> Self {
        Self {
            made_of,
            shared,
            waiting: VecDeque::new(),
            timers: Timers::default(),
            pause: PAUSE.0,
            obstacle: None,
            shortage: Shortage::BUFFER,
            growth: Growth::default(),
            is_inside: true,
        }
    }

    pub(super) fn run(mut self) {
        let (shared, queue) = (self.shared.clone(), self.made_of.queue.clone());
        let mut farewell = Farewell { shared, queue, is_inside: true };
        if let Some(mut log) = self.open() {
            while self.turn(&mut log) {
                farewell.is_inside = self.is_inside;
            }
            self.save(&mut log, Instant::now());
        }
        farewell.is_inside = self.is_inside;
    }

    fn id(&self) -> &str {
        &self.made_of.meters.label().id
    }

    /// Opens the folder; tries until it can, or until nobody wants it any more.
    fn open(&mut self) -> Option<Log> {
        loop {
            let options = self.shared.lock().options;
            let opened = Folder::open(&self.made_of.folder).and_then(|folder| {
                let tools = Tools {
                    disk: Box::new(folder),
                    budget: self.made_of.budget.clone(),
                    meters: self.made_of.meters.clone(),
                    bell: Waker::from(self.shared.clone()),
                };
                Log::open(tools, options, minute())
            });
            match opened {
                Ok((log, report)) => {
                    self.tell(&log, &report);
                    self.shared.lock().forget_streams(&log.positions);
                    // Set once: the folder is opened once.
                    let _known = self.shared.acks.set(log.acks.clone());
                    self.pause = PAUSE.0;
                    return Some(log);
                }
                Err(error) => self.failed("buffer_open", &error),
            }
            let until = Instant::now() + self.pause;
            let mut mail = self.shared.lock();
            while mail.phase == Phase::Open && Instant::now() < until {
                mail = self.shared.wait(mail, Some(until));
            }
            if mail.phase != Phase::Open {
                return None;
            }
        }
    }

    fn tell(&self, log: &Log, report: &Report) {
        let (id, bytes) = (self.id(), log.bytes());
        if bytes > 0 {
            tracing::info!(component_id = id, bytes, "the buffer holds records of an earlier run");
        }
        if report.torn > 0 {
            tracing::info!(
                component_id = id,
                bytes = report.torn,
                "cut off the end of the buffer that was being written"
            );
        }
        if report.lost_ledger {
            tracing::warn!(component_id = id, "the ledger of the buffer is lost: starting with its oldest records");
        }
        for name in &report.broken {
            tracing::warn!(component_id = id, name, "a file of the buffer is damaged");
        }
        if !report.newer.is_empty() {
            let files = report.newer.len();
            tracing::warn!(component_id = id, files, "a later version wrote a part of the buffer: it is kept for it");
        }
    }

    fn failed(&mut self, kind: &'static str, error: &std::io::Error) {
        self.made_of.meters.error(kind);
        if self.pause == PAUSE.0 {
            tracing::error!(component_id = self.id(), %error, "the disk buffer cannot be used; it is tried again");
        }
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    /// Waits for work and does it; false at the end.
    fn turn(&mut self, log: &mut Log) -> bool {
        let (phase, mut is_rung) = self.wait();
        let now = Instant::now();
        let is_due = |timer: Option<Instant>| timer.is_some_and(|due| due <= now);
        if phase == Phase::Open && !self.is_inside {
            self.made_of.queue.enter();
            (self.is_inside, is_rung) = (true, true);
        }
        self.settle_passed(log);
        if !self.waiting.is_empty() && (is_due(self.timers.store) || self.may_go(log, is_rung)) {
            self.store(log, now);
        }
        if phase != Phase::Open {
            return self.close(log, phase);
        }
        if is_due(self.timers.free) {
            self.look_free(log, now);
        }
        if log.acks.has_failed() && self.timers.failed.is_none() {
            self.timers.failed = Some(now + FAILED);
        }
        if is_due(self.timers.failed) {
            self.timers.failed = None;
            log.offer_failed();
            // What comes waits behind it.
            self.shared.lock().ahead.close(&self.made_of.queue);
        }
        if is_rung || log.is_offering() || is_due(self.timers.feed) {
            self.feed(log, now);
        }
        self.look_ahead(log);
        self.note(log, now);
        true
    }

    /// Tells of what the sink was done with before it was written.
    fn settle_passed(&mut self, log: &mut Log) {
        if self.waiting.front().is_some_and(Parcel::has_passed)
            && let Err(error) = log.settle_passed(&mut self.waiting, &self.made_of.queue, minute())
        {
            self.failed("buffer_write", &error);
        }
        if self.waiting.is_empty() {
            (self.obstacle, self.timers.store) = (None, None);
            self.shared.lock().set_full(false);
        }
    }

    /// Lets what comes go to the sink right away, if that has all that is stored.
    fn look_ahead(&mut self, log: &Log) {
        if self.waiting.is_empty() && log.is_caught_up() && !log.is_offering() {
            let bell = Waker::from(self.shared.clone());
            let mut mail = self.shared.lock();
            mail.open_ahead(&self.made_of.queue, &bell);
            if mail.ahead.is_crowded() {
                mail.forget_streams(&log.positions);
            }
        }
    }

    /// Nobody writes any more: what came is stored if it can be, else its sources offer it again. The rest stays where it
    /// is.
    fn close(&mut self, log: &mut Log, phase: Phase) -> bool {
        self.shared.lock().ahead.close(&self.made_of.queue);
        while !self.waiting.is_empty() || self.shared.lock().has_parcels() {
            self.shared.lock().take(true, &mut self.waiting);
            self.store(log, Instant::now());
            for parcel in self.waiting.drain(..) {
                // It may wait for room in the queue.
                self.made_of.queue.give_up(&parcel.batch);
                parcel.let_go();
            }
            log.forget_passing();
        }
        if self.is_inside {
            log.let_go(&self.made_of.queue);
            self.made_of.queue.leave();
            self.is_inside = false;
        }
        self.timers = Timers { ledger: self.timers.ledger, mark: self.timers.mark, ..Timers::default() };
        self.note(log, Instant::now());
        phase != Phase::Finishing
    }

    /// Writes the ledger, if it is time.
    fn note(&mut self, log: &mut Log, now: Instant) {
        if (log.acks.has_changed() || log.has_unwritten()) && self.timers.ledger.is_none() {
            self.timers.ledger = Some(now + LEDGER);
        }
        let is_due = |timer: Option<Instant>| timer.is_some_and(|due| due <= now);
        let has_marks = log.acks.awaits_mark() && (self.timers.mark.is_none() || is_due(self.timers.mark));
        if has_marks || is_due(self.timers.ledger) {
            self.save(log, now);
        }
    }

    /// Waits until there is something to do; takes what came.
    fn wait(&mut self) -> (Phase, bool) {
        let shared = self.shared.clone();
        let mut mail = shared.lock();
        loop {
            let (is_rung, now) = (shared.was_rung(), Instant::now());
            if mail.is_stalled(&self.made_of.queue) {
                mail.fall_back(&self.made_of.queue);
            }
            let due = mail.due().filter(|_| self.waiting.is_empty());
            let timer = self.timers.next();
            let is_due = |time: Option<Instant>| time.is_some_and(|due| due <= now);
            let has_to_close = mail.phase != Phase::Open && (self.is_inside || mail.phase == Phase::Finishing);
            let has_to_open = mail.phase == Phase::Open && !self.is_inside;
            if is_due(due) || (has_to_close && due.is_some()) {
                mail.fall_back(&self.made_of.queue);
                mail.take(true, &mut self.waiting);
                return (mail.phase, is_rung);
            }
            let has_passed = due.is_some() && mail.has_passed();
            if has_passed {
                mail.take(false, &mut self.waiting);
            }
            if is_rung || has_passed || is_due(timer) || has_to_close || has_to_open {
                return (mail.phase, is_rung);
            }
            let until = [timer, due].into_iter().flatten().min();
            mail = shared.wait(mail, until);
        }
    }

    /// Is it worth a try to store what waits?
    fn may_go(&self, log: &Log, is_rung: bool) -> bool {
        match self.obstacle {
            None => true,
            Some(Obstacle::Full) => log.may_free() || log.options != self.shared.lock().options,
            Some(Obstacle::Passes) => is_rung,
            Some(Obstacle::Failing) => false,
        }
    }

    fn store(&mut self, log: &mut Log, now: Instant) {
        log.configure(self.shared.lock().options);
        let stored = log.store(&mut self.waiting, &self.made_of.queue, minute());
        log.acks.await_each(matches!(stored, Err(Stuck::Full)));
        self.note_free(log, now);
        let (obstacle, pause) = match stored {
            Ok(()) => {
                self.pause = PAUSE.0;
                (None, Duration::ZERO)
            }
            Err(Stuck::Failing(error)) => {
                self.failed("buffer_write", &error);
                (Some(Obstacle::Failing), self.pause)
            }
            Err(Stuck::Full) => (Some(Obstacle::Full), PAUSE.1),
            Err(Stuck::Passes) => {
                // It waits for the queue alone: nobody shall stand in front of it there.
                self.shared.lock().ahead.close(&self.made_of.queue);
                (Some(Obstacle::Passes), LOOK)
            }
        };
        self.obstacle = obstacle.filter(|_| !self.waiting.is_empty());
        self.timers.store = self.obstacle.map(|_| now + pause);
        self.shared.lock().set_full(matches!(self.obstacle, Some(Obstacle::Full | Obstacle::Failing)));
        log.show();
    }

    /// Tells of too little that is free, and when that ends: nothing else may ask the log until then.
    fn note_free(&mut self, log: &Log, now: Instant) {
        self.shortage.note(log.space, &self.made_of.folder, &self.made_of.meters);
        self.timers.free = self.shortage.is_on().then(|| now + PAUSE.1);
    }

    fn look_free(&mut self, log: &mut Log, now: Instant) {
        log.configure(self.shared.lock().options);
        // One that fails is told of by what has to be written.
        let _looked = log.look_free();
        self.note_free(log, now);
    }

    fn feed(&mut self, log: &mut Log, now: Instant) {
        self.timers.feed = None;
        if let Err(error) = log.feed(&self.made_of.queue) {
            self.failed("buffer_read", &error);
            self.timers.feed = Some(now + self.pause);
        }
    }

    fn save(&mut self, log: &mut Log, now: Instant) {
        (self.timers.ledger, self.timers.mark) = (None, None);
        let noted = log.note_passed(&self.made_of.queue, minute());
        let saved = noted.and_then(|()| if log.is_settled() { log.rest(minute()) } else { log.save() });
        if let Err(error) = saved {
            self.failed("buffer_write", &error);
            self.timers.ledger = Some(now + self.pause.max(LEDGER));
            self.timers.mark = log.acks.awaits_mark().then_some(now + self.pause);
        }
        let max_size = self.shared.lock().options.max_size;
        let full_in = self.growth.full_in(now, log.bytes(), max_size);
        log.figures.full_in(if log.is_settled() { f64::INFINITY } else { full_in });
    }
}
