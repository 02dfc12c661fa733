//! The cutter: encodes records straight into request bodies and cuts them by encoded bytes and count.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::body::Bodies;
use super::freezer::Freezer;
use super::in_hand::InHand;
use super::request::{Load, Request};
use super::share::Share;
use crate::codecs::Compression;
use crate::component::sink::{Encoder, KnownBy, Partition, Place, Refusal, Sink};
use crate::event::Batch;

/// When a body is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Encoded bytes, before compression. A single record may be larger.
    pub(crate) bytes: usize,
    pub(crate) records: usize,
    pub(crate) compression: Compression,
}

/// Bytes reserved for a new body at most; a larger one grows.
const MAX_RESERVE: usize = 8 << 20;

/// Room for the record that passes the limit; a larger one makes the body grow.
const LAST_RECORD: usize = 16 << 10;

/// The code of a record whose encoding panicked.
pub(crate) const PANIC: &str = "panic";

/// Bodies that are open at once, for a sink that takes one place in a request; the fullest goes when there are more.
const MAX_OPEN: usize = 64;

/// Makes bodies.
pub(crate) struct Cutter {
    sink: Arc<dyn Sink>,
    encoder: Box<dyn Encoder>,
    limits: Limits,
    bodies: Bodies,
    /// Bodies in the making, the oldest first: one for each place.
    open: Vec<Open>,
    /// How many bodies were begun.
    begun: u64,
    /// What is a request is decided once, where a disk buffer keeps it.
    freezer: Option<Freezer>,
}

/// A body in the making.
struct Open {
    number: u64,
    place: Option<Place>,
    load: Load,
    body: Vec<u8>,
}

/// What encoding gave.
#[derive(Default)]
pub(crate) struct Cut {
    pub(crate) requests: Vec<Request>,
    pub(crate) refused: Vec<(Load, Refusal)>,
}

impl Limits {
    /// Without bounds.
    pub(crate) fn lifted(self) -> Self {
        Self { bytes: usize::MAX, records: usize::MAX, ..self }
    }
}

impl Cutter {
    pub(crate) fn new(sink: Arc<dyn Sink>, limits: Limits, bodies: Bodies) -> Self {
        let encoder = sink.encoder();
        Self { sink, encoder, limits, bodies, open: Vec::new(), begun: 0, freezer: None }
    }

    /// The number of the oldest body that is open and has records.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.open.first().map(|open| open.number)
    }

    /// The same, for what comes by a disk buffer to a destination that knows requests.
    pub(crate) fn frozen(self, freezer: Option<Freezer>) -> Self {
        Self { freezer, ..self }
    }

    /// Encodes all records of a batch; what is one frame of a disk buffer goes into its window.
    pub(crate) fn take(&mut self, batch: Batch, in_hand: &InHand, cut: &mut Cut) {
        let KnownBy::Request { fingerprint } = self.sink.identity() else {
            return self.push(&Share::held(batch, in_hand, 0), cut);
        };
        let Some(freezer) = &self.freezer else {
            return self.push(&Share::held(batch, in_hand, fingerprint), cut);
        };
        let frame = freezer.frame(&batch, fingerprint);
        if freezer.ends_before(&frame, self.limits.records) {
            self.close_all(cut);
        }
        let share = Share::held(batch, in_hand, frame.fingerprint);
        let before = self.largest();
        let is_whole = self.freezer.as_mut().is_some_and(|freezer| freezer.take(&frame));
        self.push(&share, cut);
        let grown = self.largest().saturating_sub(before);
        let is_new = self.freezer.as_ref().is_some_and(Freezer::is_new);
        if is_whole || (is_new && (self.is_crowded() || self.largest() + grown > self.limits.bytes)) {
            self.close_all(cut);
        }
    }

    /// Bytes of the largest open body.
    fn largest(&self) -> usize {
        self.open.iter().map(|open| open.body.len()).max().unwrap_or_default()
    }

    /// Closes all bodies: they are what a window is sent as. One that is torn fails and comes again whole.
    fn close_all(&mut self, cut: &mut Cut) {
        if self.freezer.as_ref().is_some_and(Freezer::is_torn) {
            self.give_up();
            return self.encoder.look_again();
        }
        let from = cut.requests.len();
        cut.requests.extend(std::iter::from_fn(|| self.close()));
        if let Some(freezer) = &mut self.freezer {
            let mark = freezer.close();
            cut.requests[from..].iter_mut().for_each(|request| request.mark.clone_from(&mark));
        }
        self.encoder.look_again();
    }

    /// Closes what may not wait any longer: all, but for a window that is not whole. At the end that one is let go: its
    /// frames come again.
    pub(crate) fn flush(&mut self, is_end: bool, cut: &mut Cut) {
        if self.freezer.as_ref().is_none_or(Freezer::may_close) {
            self.close_all(cut);
        } else if is_end {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.open.clear();
        self.freezer.iter_mut().for_each(Freezer::give_up);
    }

    /// Encodes all records of `share`.
    pub(crate) fn push(&mut self, share: &Arc<Share>, cut: &mut Cut) {
        for record in 0..share.len() as u32 {
            self.push_one(share, record, cut);
        }
    }

    /// Encodes the records of a load once more, for a request that comes back in part.
    pub(crate) fn push_load(&mut self, load: &Load, cut: &mut Cut) {
        for item in &load.items {
            self.push_one(load.share(*item), item.record, cut);
        }
    }

    fn push_one(&mut self, share: &Arc<Share>, record: u32, cut: &mut Cut) {
        let at = match self.encode(share, record) {
            Ok((at, partition)) => {
                self.open[at].load.push(share, record, partition);
                at
            }
            Err(refusal) => {
                let mut load = Load::default();
                load.push(share, record, 0);
                cut.refused.push((load, refusal));
                return;
            }
        };
        if self.freezer.as_ref().is_some_and(Freezer::is_open) {
            return;
        }
        let Open { body, load, .. } = &self.open[at];
        if body.len() >= self.limits.bytes || load.len() >= self.limits.records {
            cut.requests.push(self.close_at(at));
        } else if self.is_crowded() {
            let fullest = (0..self.open.len()).max_by_key(|at| self.open[*at].body.len());
            cut.requests.extend(fullest.map(|at| self.close_at(at)));
        }
    }

    /// Do open bodies hold more together than two full ones?
    fn is_crowded(&self) -> bool {
        let held = || self.open.iter().map(|open| open.body.len()).sum::<usize>();
        self.open.len() > 1 && (self.open.len() > MAX_OPEN || held() / 2 > self.limits.bytes)
    }

    /// Appends one record to the body of its place and tells which that is; one that is refused leaves it as it was.
    fn encode(&mut self, share: &Share, record: u32) -> Result<(usize, Partition), Refusal> {
        let mut touched = None;
        let encoded = catch_unwind(AssertUnwindSafe(|| {
            let view = share.get(record);
            let place = self.encoder.place(view)?;
            let at = self.body_of(place);
            let body = &mut self.open[at].body;
            touched = Some((at, body.len()));
            self.encoder.encode(view, body).map(|partition| (at, partition))
        }));
        let Ok(encoded) = encoded else {
            self.start_over(touched.map(|(at, _)| at));
            return Err(Refusal { code: PANIC, why: "encoding this record failed by a fault of ours".to_owned() });
        };
        if let (Err(_), Some((at, before))) = (&encoded, touched) {
            self.open[at].body.truncate(before);
            if self.open[at].load.is_empty() {
                let Open { body, .. } = self.open.remove(at);
                self.bodies.give(body);
            }
        }
        encoded
    }

    /// The open body of a place, begun if there is none.
    fn body_of(&mut self, place: Option<Place>) -> usize {
        let is_it = |open: &Open| match (&open.place, &place) {
            (Some(one), Some(other)) => one.is(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        if let Some(at) = self.open.iter().position(is_it) {
            return at;
        }
        // Of several bodies most stay small: only the first has all its room from the beginning.
        let room = if self.open.is_empty() { self.limits.bytes.min(MAX_RESERVE) } else { 0 };
        let mut body = self.bodies.take(room + LAST_RECORD);
        self.encoder.begin(&mut body);
        self.begun += 1;
        self.open.push(Open { number: self.begun, place, load: Load::default(), body });
        self.open.len() - 1
    }

    /// Makes the body at `at` anew with a new encoder: what the old one knows after a panic is not to be trusted. In a
    /// window one place is one body, and a new encoder names its places anew: there all bodies are made anew.
    fn start_over(&mut self, at: Option<usize>) {
        self.encoder = self.sink.encoder();
        let is_window = self.freezer.as_ref().is_some_and(Freezer::is_open);
        let spoilt: Vec<Open> = match at {
            _ if is_window => self.open.drain(..).collect(),
            Some(at) => vec![self.open.remove(at)],
            None => Vec::new(),
        };
        for Open { load, body, .. } in spoilt {
            self.bodies.give(body);
            // They were encoded before and are below the limits: none is refused now and no request is closed.
            self.push_load(&load, &mut Cut::default());
        }
    }

    /// Closes the oldest body, if any is open.
    pub(crate) fn close(&mut self) -> Option<Request> {
        (!self.open.is_empty()).then(|| self.close_at(0))
    }

    fn close_at(&mut self, at: usize) -> Request {
        let Open { place, load, mut body, .. } = self.open.remove(at);
        self.encoder.end(&mut body);
        let encoded = body.len();
        let body = match self.limits.compression {
            Compression::None => self.bodies.lend(body),
            compression => {
                let compressed = compression.compress(&body);
                self.bodies.give(body);
                self.bodies.keep(compressed)
            }
        };
        let is_known = matches!(self.sink.identity(), KnownBy::Request { .. });
        let identity = if is_known { load.identity() } else { 0 };
        if !self.freezer.as_ref().is_some_and(Freezer::is_open) {
            self.encoder.look_again();
        }
        Request { load, body, encoded, place, identity, mark: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::kit::Script;
    use crate::event::Outcome;
    use crate::event::test_kit::{Ledger, batch};

    fn cutter(bytes: usize, records: usize) -> Cutter {
        let limits = Limits { bytes, records, compression: Compression::None };
        Cutter::new(Arc::new(Script::default()), limits, Bodies::default())
    }

    fn share(lines: &[&str]) -> Arc<Share> {
        Share::new(batch(&Arc::new(Ledger::default()), lines))
    }

    fn bodies(cut: &Cut) -> Vec<&str> {
        cut.requests.iter().map(|request| std::str::from_utf8(&request.body).unwrap()).collect()
    }

    #[test]
    fn cuts_by_bytes_behind_the_record_that_passes_them() {
        let (mut cutter, mut cut) = (cutter(8, usize::MAX), Cut::default());
        cutter.push(&share(&["abc", "def", "g"]), &mut cut);
        assert_eq!(bodies(&cut), ["[abc,def,]"]);
        assert_eq!(cutter.oldest(), Some(2));
        cut.requests.extend(cutter.close());
        assert_eq!(bodies(&cut), ["[abc,def,]", "[g,]"]);
        assert!(cutter.oldest().is_none() && cutter.close().is_none());
    }

    #[test]
    fn a_single_record_may_be_larger_than_the_limit() {
        let (mut cutter, mut cut) = (cutter(4, usize::MAX), Cut::default());
        cutter.push(&share(&["much too long", "b"]), &mut cut);
        assert_eq!(bodies(&cut), ["[much too long,]"]);
    }

    #[test]
    fn cuts_by_count_and_across_shares() {
        let (mut cutter, mut cut) = (cutter(usize::MAX, 2), Cut::default());
        cutter.push(&share(&["a"]), &mut cut);
        cutter.push(&share(&["b", "c"]), &mut cut);
        assert_eq!(bodies(&cut), ["[a,b,]"]);
        assert_eq!((cut.requests[0].load.shares.len(), cut.requests[0].encoded), (2, 6));
    }

    #[test]
    fn a_refused_record_leaves_no_trace_in_the_body() {
        let (mut cutter, mut cut) = (cutter(usize::MAX, usize::MAX), Cut::default());
        cutter.push(&share(&["!refused", "a", "!refused", "b"]), &mut cut);
        cut.requests.extend(cutter.close());
        assert_eq!(bodies(&cut), ["[a,b,]"]);
        assert_eq!(cut.refused.iter().map(|(_, refusal)| refusal.code).collect::<Vec<_>>(), ["refused", "refused"]);
    }

    #[test]
    fn a_panic_costs_only_its_record() {
        let ledger = Arc::new(Ledger::default());
        let (mut cutter, mut cut) = (cutter(usize::MAX, usize::MAX), Cut::default());
        cutter.push(&Share::new(batch(&ledger, &["a", "!panic", "b"])), &mut cut);
        cut.requests.extend(cutter.close());
        assert_eq!(bodies(&cut), ["[a,b,]"]);
        let (load, refusal) = cut.refused.pop().unwrap();
        assert_eq!((load.views().next().unwrap().text(), refusal.code), (&b"!panic"[..], "panic"));
        load.settle(Outcome::DeadLettered);
        cut.requests.pop().unwrap().load.settle(Outcome::Delivered);
        assert_eq!(ledger.worst(), [(0, Outcome::DeadLettered)]);
    }

    /// A cutter over a destination that takes one place in a request: the first letter of a line.
    fn by_letter(bytes: usize) -> Cutter {
        let limits = Limits { bytes, records: usize::MAX, compression: Compression::None };
        let script = Script { identity: KnownBy::Request { fingerprint: 0 }, has_places: true, ..Script::default() };
        Cutter::new(Arc::new(script), limits, Bodies::default())
    }

    #[test]
    fn a_body_has_records_of_one_place() {
        let (mut cutter, mut cut) = (by_letter(7), Cut::default());
        cutter.push(&share(&["a1", "b1", "a2", "b2", "a3"]), &mut cut);
        assert_eq!((bodies(&cut), cutter.oldest()), (vec!["[a1,a2,]", "[b1,b2,]"], Some(3)));
        cut.requests.extend(std::iter::from_fn(|| cutter.close()));
        assert_eq!(bodies(&cut), ["[a1,a2,]", "[b1,b2,]", "[a3,]"]);
        let identities: std::collections::HashSet<u128> = cut.requests.iter().map(|one| one.identity).collect();
        assert!(identities.len() == 3 && cut.requests.iter().all(|one| one.place.is_some()));
    }

    #[test]
    fn open_bodies_are_bounded_together() {
        let (mut cutter, mut cut) = (by_letter(10), Cut::default());
        cutter.push(&share(&["a234", "b23456", "c2345", "d2345"]), &mut cut);
        assert_eq!(bodies(&cut), ["[b23456,]"], "the fullest");
        let (mut cutter, mut cut) = (by_letter(1000), Cut::default());
        let lines: Vec<String> = (0..=MAX_OPEN as u8).map(|at| char::from(b'0' + at).to_string()).collect();
        cutter.push(&share(&lines.iter().map(String::as_str).collect::<Vec<_>>()), &mut cut);
        assert_eq!((cut.requests.len(), cutter.open.len()), (1, MAX_OPEN));
    }

    #[test]
    fn what_is_encoded_anew_keeps_its_identity_whatever_the_limits() {
        let (mut cutter, mut cut) = (by_letter(7), Cut::default());
        cutter.push(&share(&["a1", "b1", "a2"]), &mut cut);
        let first = cut.requests.pop().unwrap();
        let mut again = Cut::default();
        let limits = Limits { bytes: 1, records: 1, compression: Compression::None }.lifted();
        let mut anew = Cutter::new(cutter.sink.clone(), limits, Bodies::default());
        anew.push_load(&first.load, &mut again);
        again.requests.extend(anew.close());
        assert_eq!((bodies(&again), again.requests[0].identity), (vec!["[a1,a2,]"], first.identity));
        assert!(first.identity != 0 && anew.close().is_none());
    }

    #[test]
    fn a_refused_record_opens_no_body() {
        let (mut cutter, mut cut) = (by_letter(8), Cut::default());
        cutter.push(&share(&["a1", "!refused", "!panic", "a2"]), &mut cut);
        assert_eq!((bodies(&cut), cut.refused.len(), cutter.oldest()), (vec![], 2, Some(1)));
        cut.requests.extend(std::iter::from_fn(|| cutter.close()));
        assert_eq!(bodies(&cut).concat(), "[a1,][a2,]", "a new encoder names its places anew");
    }
}
