//! The cutter: encodes records straight into request bodies and cuts them by encoded bytes and count.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::body::Bodies;
use super::request::{Load, Request};
use super::share::Share;
use crate::codecs::Compression;
use crate::component::sink::{Encoder, Partition, Refusal, Sink};

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

/// A body in the making.
pub(crate) struct Cutter {
    sink: Arc<dyn Sink>,
    encoder: Box<dyn Encoder>,
    limits: Limits,
    bodies: Bodies,
    load: Load,
    body: Vec<u8>,
    /// Was the body begun?
    is_begun: bool,
}

/// What encoding gave.
#[derive(Default)]
pub(crate) struct Cut {
    pub(crate) requests: Vec<Request>,
    pub(crate) refused: Vec<(Load, Refusal)>,
}

impl Cutter {
    pub(crate) fn new(sink: Arc<dyn Sink>, limits: Limits, bodies: Bodies) -> Self {
        let encoder = sink.encoder();
        Self { sink, encoder, limits, bodies, load: Load::default(), body: Vec::new(), is_begun: false }
    }

    /// Is a body open that has records?
    pub(crate) fn has_open(&self) -> bool {
        !self.load.is_empty()
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
        match self.encode(share, record) {
            Ok(partition) => self.load.push(share, record, partition),
            Err(refusal) => {
                let mut load = Load::default();
                load.push(share, record, 0);
                cut.refused.push((load, refusal));
                return;
            }
        }
        if self.body.len() >= self.limits.bytes || self.load.len() >= self.limits.records {
            cut.requests.extend(self.close());
        }
    }

    /// Appends one record to the body; one that is refused leaves it as it was.
    fn encode(&mut self, share: &Share, record: u32) -> Result<Partition, Refusal> {
        if !self.is_begun {
            self.is_begun = true;
            if self.body.capacity() == 0 {
                self.body = self.bodies.take(self.limits.bytes.min(MAX_RESERVE) + LAST_RECORD);
            }
            self.encoder.begin(&mut self.body);
        }
        let before = self.body.len();
        let encoded = catch_unwind(AssertUnwindSafe(|| self.encoder.encode(share.get(record), &mut self.body)));
        let Ok(encoded) = encoded else {
            self.start_over();
            return Err(Refusal { code: PANIC, why: "encoding this record failed by a fault of ours".to_owned() });
        };
        if encoded.is_err() {
            self.body.truncate(before);
        }
        encoded
    }

    /// Makes the body anew with a new encoder: what the old one knows after a panic is not to be trusted.
    fn start_over(&mut self) {
        self.encoder = self.sink.encoder();
        self.body.clear();
        self.is_begun = false;
        let load = std::mem::take(&mut self.load);
        // They were encoded before and are below the limits: none is refused now and no request is closed.
        self.push_load(&load, &mut Cut::default());
    }

    /// Closes the open body, if it has records.
    pub(crate) fn close(&mut self) -> Option<Request> {
        if self.load.is_empty() {
            return None;
        }
        self.encoder.end(&mut self.body);
        self.is_begun = false;
        let load = std::mem::take(&mut self.load);
        let body = std::mem::take(&mut self.body);
        let encoded = body.len();
        let body = match self.limits.compression {
            Compression::None => self.bodies.lend(body),
            compression => {
                let compressed = compression.compress(&body);
                self.bodies.give(body);
                Bytes::from(compressed)
            }
        };
        Some(Request { load, body, encoded })
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
        assert!(cutter.has_open());
        cut.requests.extend(cutter.close());
        assert_eq!(bodies(&cut), ["[abc,def,]", "[g,]"]);
        assert!(!cutter.has_open() && cutter.close().is_none());
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
}
