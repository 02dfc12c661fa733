//! `tail_sample`: keeps traces by what became of them.
//!
//! The records of a trace are held until it is decided about: `decision_delay_secs` after its root, `decision_wait_secs`
//! after its first record, or at once where a rule holds that nothing which may come can change (an error, say). The
//! first rule that the trace meets is for it; the rest stays by OpenTelemetry's consistent probability sampling, so that
//! agents which never talk keep the same traces. What is kept says by which rule, what made the decision due, and how
//! many it stands for (`th` in its `tracestate`). Late records follow the decision; one that meets an earlier rule
//! flips what was dropped.
//!
//! **Holds** at most `max_bytes` of memory: beyond that the oldest bytes go to the disk, and where that is full, the
//! oldest traces are decided about early, by the same rules. **A stop** and **a reload** of these settings decide about
//! all that is held, and forget the decisions; **a crash** loses what senders were told is queued. Others read it again.
//!
//! **Guarantee.** Each record is kept or counted: `sampled` by a ratio, `throttled` by a limit. Receipts of what is held
//! stay open. **Limits.** Only what comes to this agent counts as the trace. Behind it delivery is *at least once*.

mod cache;
mod hold;
mod record;
mod rules;
mod settings;
mod spill;
mod stamp;
mod tally;
#[cfg(test)]
mod tests;
mod timers;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use self::settings::TailSampleSettings;

use self::cache::Cache;
use self::hold::{Held, Hold, Stays};
use self::record::{Places, Seen};
use self::rules::{Fate, Limit, Rules, Summary, Verdict};
use self::spill::Spill;
use self::stamp::Mark;
use self::tally::{Late, Tally};
use self::traces::{Traces, Trigger};
use super::condition::Judge;
use super::notice::Notice;
use crate::component::meters::{Meters, SamplingMeters};
use crate::component::reason::Reason;
use crate::component::transform::{Ports, Stateful};
use crate::event::{Batch, View};

/// Bytes of the traces that are decided about at once, about: what is kept of them is copied.
const ENOUGH: usize = 1 << 20;

struct Common {
    rules: Rules,
    places: Places,
    wait: Duration,
    delay: Duration,
    max_bytes: usize,
    max_trace_bytes: usize,
    spill_folder: PathBuf,
    spill_bytes: u64,
    cache_bytes: usize,
    logs: bool,
    failed_conditions: Notice,
    early: Notice,
    spill_failed: Notice,
    sampling: SamplingMeters,
    meters: Meters,
}

/// What becomes of a record now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// It goes on as it is.
    Pass,
    Keep(Mark),
    Drop(Reason),
}

struct TailSample {
    common: Arc<Common>,
    judge: Judge,
    traces: Traces,
    hold: Hold,
    cache: Cache,
    limits: Vec<Option<Limit>>,
    /// What is to leave.
    acts: Vec<(Held, Act)>,
    tally: Tally,
}

impl Stateful for TailSample {
    fn apply(&mut self, batch: Batch, now: Instant, ports: &mut Ports) {
        let common = self.common.clone();
        for row in 0..batch.len() {
            self.take(&common, (self.hold.name(row), batch.get(row)), now);
        }
        self.hold.put(batch);
        common.failed_conditions.count(&common.meters, self.judge.take_failed());
        self.release(ports);
        self.make_room(now, ports);
        self.tell();
    }

    fn due(&self) -> Option<Instant> {
        self.traces.due()
    }

    fn wake(&mut self, now: Instant, ports: &mut Ports) {
        // What is left is due, so that this is called again when what came of it has found room.
        self.decide_some(now, |traces| traces.due_at(now));
        self.release(ports);
        self.make_room(now, ports);
        self.tell();
    }

    fn finish(&mut self, ports: &mut Ports) {
        let now = Instant::now();
        self.decide_some(now, |traces| Some((traces.oldest()?, Trigger::Stop)));
        self.release(ports);
        self.tell();
    }

    fn renew(&self) -> Box<dyn Stateful> {
        Box::new(Self::new(self.common.clone()))
    }
}

impl TailSample {
    fn new(common: Arc<Common>) -> Self {
        Self {
            judge: Judge::default(),
            traces: Traces::new(common.wait, common.delay),
            hold: Hold::new(Spill::new(&common.spill_folder, common.spill_bytes)),
            cache: Cache::new(common.cache_bytes),
            limits: common.rules.limits(Instant::now()),
            acts: Vec::new(),
            tally: Tally::default(),
            common,
        }
    }

    fn take(&mut self, common: &Common, (held, record): (Held, View<'_>), now: Instant) {
        let Some(seen) = common.places.see(record).filter(|seen| seen.is_span || common.logs) else {
            return self.acts.push((held, Act::Pass));
        };
        let held = if seen.is_span { held } else { held.of_log() };
        let trace = u128::from_be_bytes(seen.trace);
        match self.cache.get(trace).filter(|_| !self.traces.has(trace)) {
            Some(verdict) => self.follow(verdict, (held, &seen), now),
            None => self.hold(held, &seen, now),
        }
    }

    /// A record of a trace that is not decided about.
    fn hold(&mut self, held: Held, seen: &Seen<'_>, now: Instant) {
        let (common, size) = (self.common.clone(), seen.record.text().len());
        let id = u128::from_be_bytes(seen.trace);
        let trace = self.traces.open(id, || common.rules.blank(&seen.trace), now);
        let had_root = trace.summary.has_root;
        common.rules.add(&mut trace.summary, seen, &mut self.judge);
        let (summary, bytes) = (trace.summary, trace.bytes);
        self.traces.add(id, held, size);
        if let Some(verdict) = common.rules.settled(&summary) {
            self.settle(id, verdict, Trigger::Rule);
        } else if bytes + size > common.max_trace_bytes {
            self.decide(id, Trigger::TraceSize, now);
        } else if summary.has_root && !had_root {
            self.traces.has_root(id, now);
        }
    }

    /// A record of a trace that was decided about. What it meets alone may stand before the rule that dropped the trace.
    fn follow(&mut self, verdict: Verdict, (held, seen): (Held, &Seen<'_>), now: Instant) {
        let common = self.common.clone();
        if verdict.fate == Fate::Kept {
            self.tally.late(Late::Kept);
            return self.keep_late(verdict, held);
        }
        let mut alone = common.rules.blank(&seen.trace);
        common.rules.add(&mut alone, seen, &mut self.judge);
        let flipped = common.rules.decide_late(&alone, verdict, (&mut self.limits, now));
        if let Some(flipped) = flipped.filter(|verdict| verdict.fate == Fate::Kept) {
            self.tally.late(Late::Flipped);
            self.cache.put(u128::from_be_bytes(seen.trace), flipped);
            return self.keep_late(flipped, held);
        }
        self.tally.late(Late::Dropped);
        self.acts.push((held, common.dropped(verdict, held, &alone)));
    }

    fn keep_late(&mut self, verdict: Verdict, held: Held) {
        self.acts.push((held, Act::Keep(Mark { rule: verdict.rule, trigger: Trigger::Late })));
    }

    /// Decides about traces that `next` names, until what they hold is enough for once; gives how many.
    fn decide_some(&mut self, now: Instant, mut next: impl FnMut(&mut Traces) -> Option<(u128, Trigger)>) -> usize {
        let (mut traces, mut bytes) = (0, 0);
        while bytes < ENOUGH
            && let Some((trace, trigger)) = next(&mut self.traces)
        {
            bytes += self.decide(trace, trigger, now);
            traces += 1;
        }
        traces
    }

    /// Decides about a trace; gives its bytes.
    fn decide(&mut self, trace: u128, trigger: Trigger, now: Instant) -> usize {
        let Some(summary) = self.traces.summary(trace) else { return 0 };
        let verdict = self.common.rules.decide(&summary, (&mut self.limits, now));
        self.settle(trace, verdict, trigger)
    }

    fn settle(&mut self, id: u128, verdict: Verdict, trigger: Trigger) -> usize {
        let Some(trace) = self.traces.take(id) else { return 0 };
        self.cache.put(id, verdict);
        let is_kept = verdict.fate == Fate::Kept;
        self.tally.decided(is_kept, trigger);
        for held in trace.records {
            let act = if is_kept {
                Act::Keep(Mark { rule: verdict.rule, trigger })
            } else {
                self.common.dropped(verdict, held, &trace.summary)
            };
            self.acts.push((held, act));
        }
        trace.bytes
    }

    /// Lets go of what is decided about, batch by batch.
    fn release(&mut self, ports: &mut Ports) {
        let mut acts = std::mem::take(&mut self.acts);
        acts.sort_unstable_by_key(|(held, _)| *held);
        for acts in acts.chunk_by(|(one, _), (other, _)| one.slot() == other.slot()) {
            self.release_of(acts, ports);
        }
        acts.clear();
        self.acts = acts;
    }

    /// The same of one batch.
    fn release_of(&mut self, acts: &[(Held, Act)], ports: &mut Ports) {
        let common = self.common.clone();
        for reason in [Reason::Sampled, Reason::Throttled] {
            let dropped = held(acts, |act| act == Act::Drop(reason));
            self.hold.drop(&dropped);
            common.meters.discarded(reason, dropped.len());
        }
        let (passed, kept) = (held(acts, |act| act == Act::Pass), held(acts, |act| matches!(act, Act::Keep(_))));
        for (records, is_kept) in [(passed, false), (kept, true)].into_iter().filter(|(records, _)| !records.is_empty())
        {
            match self.hold.pick(&records) {
                None => common.spill_failed.count(&common.meters, records.len()),
                Some(batch) if !is_kept => ports.send(0, batch),
                Some(batch) => ports.send(0, stamp::stamped(batch, &marks(acts), &common.rules)),
            }
        }
        self.hold.release(&acts.iter().map(|(held, _)| *held).collect::<Vec<_>>());
    }

    /// Takes bytes out of memory until the others fit: to the disk, and if it has no room, by decisions.
    fn make_room(&mut self, now: Instant, ports: &mut Ports) {
        let common = self.common.clone();
        while self.hold.bytes() + self.traces.bytes() > common.max_bytes {
            match self.hold.spill_oldest(now) {
                Ok(bytes) => {
                    common.sampling.spilled(bytes as u64);
                    continue;
                }
                Err(Stays::Failed) => common.spill_failed.count(&common.meters, 1),
                Err(Stays::NoRoom) => {}
            }
            let decided = self.decide_some(now, |traces| Some((traces.oldest()?, Trigger::Memory)));
            if decided == 0 {
                return;
            }
            common.early.count(&common.meters, decided);
            self.release(ports);
        }
    }

    fn tell(&mut self) {
        let bytes = self.hold.bytes() + self.traces.bytes();
        self.common.sampling.holds(self.traces.len(), bytes, self.hold.spill.bytes());
        self.tally.tell(&self.common.sampling);
    }
}

impl Common {
    /// What becomes of a record of a trace that was dropped: a log record follows the ratio of the rest.
    fn dropped(&self, verdict: Verdict, held: Held, summary: &Summary) -> Act {
        if held.is_log() && self.rules.is_of_rest(summary) {
            return Act::Pass;
        }
        Act::Drop(if verdict.fate == Fate::Limited { Reason::Throttled } else { Reason::Sampled })
    }
}

fn held(acts: &[(Held, Act)], wanted: impl Fn(Act) -> bool) -> Vec<Held> {
    acts.iter().filter(|(_, act)| wanted(*act)).map(|(held, _)| *held).collect()
}

fn marks(acts: &[(Held, Act)]) -> Vec<Mark> {
    let mark = |(_, act): &(Held, Act)| match act {
        Act::Keep(mark) => Some(*mark),
        Act::Pass | Act::Drop(_) => None,
    };
    acts.iter().filter_map(mark).collect()
}
