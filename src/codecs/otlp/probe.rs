//! What must hold for any bytes at all as a request, as one function: the fuzz targets and a test both call it.

use std::sync::Arc;

use super::{Signal, Unread, read_json, split};
use crate::event::otlp::Keeper;
use crate::event::otlp::wire::Fault;
use crate::event::{Batch, Origin, Receipt, Resolution, Resolve, Seen, Stock, StreamKey, View, json};

/// What a message may become that is read from JSON.
const LIMIT: usize = 64 << 10;

struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

/// Reads `data` as a request of each signal. It is refused, or each of its records can be written as JSON, and is the same
/// when it is copied out of the request, or stored and read back.
pub fn probe(data: &[u8]) {
    for signal in Signal::ALL {
        let Ok(batch) = read(signal, data) else { continue };
        let written = lines(&batch);
        let copied = batch.select(|_| true).compact();
        assert_eq!(lines(&copied), written, "what is copied out is the same");
        assert_eq!(lines(&restored(&copied)), written, "what was stored is the same");
    }
}

/// Reads `text` as a request in JSON of each signal. What it stands for can be read, and is no longer than it may be.
pub fn probe_json(text: &[u8]) {
    for signal in Signal::ALL {
        let message = match read_json(signal, text, LIMIT) {
            Ok(read) => read.message,
            Err(Unread::TooLarge | Unread::Malformed(_)) => continue,
        };
        assert!(message.len() <= LIMIT, "{} bytes", message.len());
        match read(signal, &message) {
            Ok(batch) => drop(lines(&batch)),
            // JSON may have more records than a request of its size.
            Err(fault) => assert!(matches!(fault, Fault::Many(_)), "{fault}"),
        }
        probe(&message);
    }
}

fn read(signal: Signal, request: &[u8]) -> Result<Batch, Fault> {
    let origin = Arc::new(Origin::new(StreamKey(1)));
    let mut batch = Batch::new(request.to_vec().into(), origin, Receipt::new(Arc::new(Nobody), 0));
    split(signal, request, &mut batch, Seen { position: 7, time: 0 })?;
    Ok(batch)
}

pub(super) fn restored(batch: &Batch) -> Batch {
    let (mut text, mut keeper) = (Vec::new(), Keeper::default());
    let rows: Vec<_> = batch.iter().map(|view| view.store(&mut keeper, &mut text)).collect();
    let heads = keeper.append(0, &mut text);
    let stock = Stock { text: text.into(), origins: batch.origins().to_vec(), heads };
    Batch::restore(stock, rows.into_iter()).expect("what was stored is read back")
}

fn lines(batch: &Batch) -> Vec<String> {
    batch.iter().map(line).collect()
}

fn line(record: View<'_>) -> String {
    let mut out = Vec::new();
    record.write_json(&mut out);
    let _time = record.time();
    json::check(&out).unwrap_or_else(|fault| panic!("{fault:?}: {}", String::from_utf8_lossy(&out)));
    String::from_utf8(out).expect("JSON is UTF-8")
}
