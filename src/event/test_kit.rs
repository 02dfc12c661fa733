//! For tests: batches of lines, and a source that writes down how their receipts resolve.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Batch, Origin, Outcome, Receipt, Resolution, Resolve, Seen, StreamKey};

/// Receipts by token, with how they resolved.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    issued: u64,
    resolved: BTreeMap<u64, Resolution>,
}

impl Ledger {
    /// A receipt with the next token, from 0.
    pub(crate) fn receipt(self: &Arc<Self>) -> Receipt {
        let mut book = self.0.lock().unwrap();
        book.issued += 1;
        Receipt::new(self.clone(), book.issued - 1)
    }

    /// The worst outcome of each token that has resolved.
    pub(crate) fn worst(&self) -> Vec<(u64, Outcome)> {
        self.0.lock().unwrap().resolved.iter().map(|(token, resolution)| (*token, resolution.worst)).collect()
    }

    /// How `token` resolved.
    pub(crate) fn resolution(&self, token: u64) -> Option<Resolution> {
        self.0.lock().unwrap().resolved.get(&token).copied()
    }
}

impl Resolve for Ledger {
    fn resolved(&self, token: u64, resolution: Resolution) {
        let before = self.0.lock().unwrap().resolved.insert(token, resolution);
        assert!(before.is_none(), "receipt {token} resolved twice");
    }
}

/// A batch of raw lines with a receipt of `ledger`, of stream 1 from position 0 on.
pub(crate) fn batch(ledger: &Arc<Ledger>, lines: &[&str]) -> Batch {
    batch_of(1, 0, lines, ledger.receipt())
}

/// A batch of raw lines of a stream; the first has `position`, the others follow.
pub(crate) fn batch_of(stream: u128, position: u64, lines: &[&str], receipt: Receipt) -> Batch {
    let origin = Arc::new(Origin::new(StreamKey(stream)));
    let mut batch = Batch::new(lines.concat().into(), origin, receipt);
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        batch.fill().text(start, line.len(), Seen { position: position + at as u64, time: 0 });
        start += line.len();
    }
    batch
}
