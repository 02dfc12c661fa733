//! Traces that are not decided about, and when they are to be.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::hold::Held;
use super::rules::Summary;
use super::timers::Timers;

/// A place in a table, with the byte that the table keeps for it.
const PLACE: usize = size_of::<(u128, Trace)>() + 1;
/// A list of few records, with what the allocator keeps for it.
const LIST: usize = 48;
/// Tables, by the last bits of the trace's id: one that grows is there twice for a moment, so that they are small.
const TABLES: usize = 64;
/// Tables with fewer places do not shrink.
const FEW: usize = 256;
/// Timers go off together, so often: what is on the disk is then read for many traces at once.
const TICK: Duration = Duration::from_millis(250);
/// Timers of traces that have gone are thrown away when there are more of them than of others, and so many.
const MANY: usize = 1_024;

/// A trace.
pub(super) struct Trace {
    pub(super) summary: Summary,
    pub(super) records: Vec<Held>,
    /// Of its records.
    pub(super) bytes: usize,
    /// Tells it from one with the same id before.
    number: u64,
}

/// What made a decision due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// A rule that nothing which comes can change.
    Rule,
    /// The root came a while ago.
    Root,
    /// The first record came long ago.
    Timeout,
    /// The trace is as large as one may be.
    TraceSize,
    /// All traces together are.
    Memory,
    /// The process ends, or the step is replaced.
    Stop,
    /// It was made before; this came after it.
    Late,
}

impl Trigger {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 7] =
        [Self::Rule, Self::Root, Self::Timeout, Self::TraceSize, Self::Memory, Self::Stop, Self::Late];

    /// The value of the attribute `sampling.trigger`, and of the label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Root => "root",
            Self::Timeout => "timeout",
            Self::TraceSize => "trace_size",
            Self::Memory => "memory",
            Self::Stop => "stop",
            Self::Late => "late",
        }
    }
}

/// All of them.
pub(super) struct Traces {
    tables: Vec<HashMap<u128, Trace>>,
    len: usize,
    /// From the first record on, and from the root on. Each list is in the order of its times, as all wait as long.
    waits: Timers,
    delays: Timers,
    wait: Duration,
    delay: Duration,
    /// Ticks are counted from here.
    start: Option<Instant>,
    numbers: u64,
    records: usize,
}

impl Traces {
    pub(super) fn new(wait: Duration, delay: Duration) -> Self {
        let tables = (0..TABLES).map(|_| HashMap::new()).collect();
        let (waits, delays) = (Timers::default(), Timers::default());
        Self { tables, len: 0, waits, delays, wait, delay, start: None, numbers: 0, records: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the tables, which have eight places for seven that can be taken.
    pub(super) fn bytes(&self) -> usize {
        let places = self.tables.iter().map(HashMap::capacity).sum::<usize>() / 7 * 8;
        let timers = self.waits.bytes() + self.delays.bytes();
        places * PLACE + timers + self.len * LIST + 2 * self.records * size_of::<Held>()
    }

    pub(super) fn has(&self, id: u128) -> bool {
        self.get(id).is_some()
    }

    fn get(&self, id: u128) -> Option<&Trace> {
        self.tables[table(id)].get(&id)
    }

    /// What is known of it.
    pub(super) fn summary(&self, id: u128) -> Option<Summary> {
        self.get(id).map(|trace| trace.summary)
    }

    /// The trace of this id; `blank` is what is known of a new one.
    pub(super) fn open(&mut self, id: u128, blank: impl FnOnce() -> Summary, now: Instant) -> &mut Trace {
        if !self.has(id) {
            self.numbers += 1;
            self.len += 1;
            let due = self.tick(now, self.wait);
            self.waits.push(due, (id, self.numbers));
        }
        let number = self.numbers;
        let new = || Trace { summary: blank(), records: Vec::new(), bytes: 0, number };
        self.tables[table(id)].entry(id).or_insert_with(new)
    }

    /// A record of it is held.
    pub(super) fn add(&mut self, id: u128, record: Held, bytes: usize) {
        if let Some(trace) = self.tables[table(id)].get_mut(&id) {
            trace.records.push(record);
            trace.bytes += bytes;
            self.records += 1;
        }
    }

    /// Its root came.
    pub(super) fn has_root(&mut self, id: u128, now: Instant) {
        let due = self.tick(now, self.delay);
        if let Some(number) = self.get(id).map(|trace| trace.number) {
            self.delays.push(due, (id, number));
        }
    }

    /// The first tick that is so far away, or a bit farther.
    fn tick(&mut self, now: Instant, after: Duration) -> Instant {
        let start = *self.start.get_or_insert(now);
        let ticks = (now + after).saturating_duration_since(start).as_nanos().div_ceil(TICK.as_nanos());
        start + TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// Takes it out.
    pub(super) fn take(&mut self, id: u128) -> Option<Trace> {
        let of_it = &mut self.tables[table(id)];
        let trace = of_it.remove(&id)?;
        if of_it.capacity() > FEW && of_it.len() * 8 < of_it.capacity() {
            of_it.shrink_to(of_it.len() * 2);
        }
        self.records -= trace.records.len();
        self.len -= 1;
        let most = if self.len == 0 { 0 } else { 2 * self.len + MANY };
        for timers in [&mut self.waits, &mut self.delays] {
            if timers.len() > most {
                timers.retain(|timer| is_alive(&self.tables, timer));
            }
        }
        Some(trace)
    }

    /// The one that came first.
    pub(super) fn oldest(&mut self) -> Option<u128> {
        self.waits.trim(|timer| is_alive(&self.tables, timer)).map(|(_, (id, _))| id)
    }

    /// When the next is to be decided about.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.waits.due(), self.delays.due()].into_iter().flatten().min()
    }

    /// One that is to be decided about now, and why.
    pub(super) fn due_at(&mut self, now: Instant) -> Option<(u128, Trigger)> {
        for (timers, trigger) in [(&mut self.delays, Trigger::Root), (&mut self.waits, Trigger::Timeout)] {
            let first = timers.trim(|timer| is_alive(&self.tables, timer));
            if let Some((_, (id, _))) = first.filter(|(due, _)| *due <= now) {
                return Some((id, trigger));
            }
        }
        None
    }
}

fn table(id: u128) -> usize {
    id as usize % TABLES
}

/// Is the timer of a trace that is there, and not of one before with the same id?
fn is_alive(tables: &[HashMap<u128, Trace>], (id, number): (u128, u64)) -> bool {
    tables[table(id)].get(&id).is_some_and(|trace| trace.number == number)
}
