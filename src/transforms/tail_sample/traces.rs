//! Traces that are not decided about, and when they are to be.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::hold::Held;
use super::rules::Summary;

/// What a trace takes in the table, about: a table leaves an eighth to a half of its places free.
const PLACE: usize = 2 * size_of::<(u128, Trace)>();
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

struct Timer {
    due: Instant,
    trace: u128,
    number: u64,
}

/// All of them.
pub(super) struct Traces {
    by_id: HashMap<u128, Trace>,
    /// From the first record on, and from the root on. Each list is in the order of its times, as all wait as long.
    waits: VecDeque<Timer>,
    delays: VecDeque<Timer>,
    wait: Duration,
    delay: Duration,
    numbers: u64,
    records: usize,
}

impl Traces {
    pub(super) fn new(wait: Duration, delay: Duration) -> Self {
        let (waits, delays) = (VecDeque::new(), VecDeque::new());
        Self { by_id: HashMap::new(), waits, delays, wait, delay, numbers: 0, records: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Bytes of the tables.
    pub(super) fn bytes(&self) -> usize {
        let timers = (self.waits.len() + self.delays.len()) * size_of::<Timer>();
        self.by_id.len() * PLACE + timers + 2 * self.records * size_of::<Held>()
    }

    pub(super) fn has(&self, id: u128) -> bool {
        self.by_id.contains_key(&id)
    }

    /// What is known of it.
    pub(super) fn summary(&self, id: u128) -> Option<Summary> {
        self.by_id.get(&id).map(|trace| trace.summary)
    }

    /// The trace of this id; `blank` is what is known of a new one.
    pub(super) fn open(&mut self, id: u128, blank: impl FnOnce() -> Summary, now: Instant) -> &mut Trace {
        let Self { by_id, waits, numbers, wait, .. } = self;
        by_id.entry(id).or_insert_with(|| {
            *numbers += 1;
            waits.push_back(Timer { due: now + *wait, trace: id, number: *numbers });
            Trace { summary: blank(), records: Vec::new(), bytes: 0, number: *numbers }
        })
    }

    /// A record of it is held.
    pub(super) fn add(&mut self, id: u128, record: Held, bytes: usize) {
        if let Some(trace) = self.by_id.get_mut(&id) {
            trace.records.push(record);
            trace.bytes += bytes;
            self.records += 1;
        }
    }

    /// Its root came.
    pub(super) fn has_root(&mut self, id: u128, now: Instant) {
        if let Some(trace) = self.by_id.get(&id) {
            self.delays.push_back(Timer { due: now + self.delay, trace: id, number: trace.number });
        }
    }

    /// Takes it out.
    pub(super) fn take(&mut self, id: u128) -> Option<Trace> {
        let trace = self.by_id.remove(&id)?;
        self.records -= trace.records.len();
        let (by_id, most) = (&self.by_id, 2 * self.by_id.len() + MANY);
        for timers in [&mut self.waits, &mut self.delays] {
            if by_id.is_empty() {
                timers.clear();
            } else if timers.len() > most {
                timers.retain(|timer| timer.is_of(by_id));
            }
        }
        Some(trace)
    }

    /// The one that came first.
    pub(super) fn oldest(&mut self) -> Option<u128> {
        trim(&mut self.waits, &self.by_id);
        self.waits.front().map(|timer| timer.trace)
    }

    /// When the next is to be decided about.
    pub(super) fn due(&self) -> Option<Instant> {
        [&self.waits, &self.delays].into_iter().filter_map(|timers| timers.front()).map(|timer| timer.due).min()
    }

    /// One that is to be decided about now, and why.
    pub(super) fn due_at(&mut self, now: Instant) -> Option<(u128, Trigger)> {
        for (timers, trigger) in [(&mut self.delays, Trigger::Root), (&mut self.waits, Trigger::Timeout)] {
            trim(timers, &self.by_id);
            if let Some(timer) = timers.front().filter(|timer| timer.due <= now) {
                return Some((timer.trace, trigger));
            }
        }
        None
    }
}

impl Timer {
    fn is_of(&self, by_id: &HashMap<u128, Trace>) -> bool {
        by_id.get(&self.trace).is_some_and(|trace| trace.number == self.number)
    }
}

/// Throws away what stands first and is of no trace any more.
fn trim(timers: &mut VecDeque<Timer>, by_id: &HashMap<u128, Trace>) {
    while timers.front().is_some_and(|timer| !timer.is_of(by_id)) {
        timers.pop_front();
    }
}
