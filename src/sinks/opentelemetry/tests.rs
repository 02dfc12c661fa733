//! What stands in requests, and what comes of answers.

mod answers;
mod encoding;

use std::sync::Arc;

use super::*;
use crate::event::{Batch, Origin, Receipt, Resolution, Resolve, Seen, StreamKey, View};

struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

fn settings(text: &str) -> OpenTelemetrySettings {
    toml::from_str(text).unwrap()
}

fn sink(text: &str) -> OpenTelemetry {
    settings(text).sink(&Files::default()).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp").join(name)).unwrap()
}

/// The records of a request.
fn records(signal: Signal, request: &[u8]) -> Batch {
    let origin = Arc::new(Origin::new(StreamKey(1)));
    let mut batch = Batch::new(request.to_vec().into(), origin, Receipt::new(Arc::new(Nobody), 0));
    let refused = crate::codecs::otlp::split(signal, request, &mut batch, Seen { position: 0, time: 1 }).unwrap();
    assert_eq!(refused.records, 0, "{refused:?}");
    batch
}

/// The requests that records become, one for each signal.
fn encoded<'a>(records: impl Iterator<Item = View<'a>>) -> Vec<(Signal, Vec<u8>)> {
    let sink = sink("endpoint = 'http://h:4317'");
    let mut encoder = sink.encoder();
    let mut open: Vec<(Signal, Vec<u8>)> = Vec::new();
    for record in records {
        let place = encoder.place(record).unwrap().unwrap();
        let signal = *place.get::<Signal>().unwrap();
        let at = open.iter().position(|(known, _)| *known == signal).unwrap_or_else(|| {
            let mut body = Vec::new();
            encoder.begin(&mut body);
            open.push((signal, body));
            open.len() - 1
        });
        encoder.encode(record, &mut open[at].1).unwrap();
    }
    for (_, body) in &mut open {
        encoder.end(body);
    }
    open
}

/// The one request that records become.
fn request(batch: &Batch) -> Vec<u8> {
    let mut requests = encoded(batch.iter());
    assert_eq!(requests.len(), 1);
    requests.remove(0).1
}

fn json(view: View<'_>) -> String {
    let mut out = Vec::new();
    view.write_json(&mut out);
    String::from_utf8(out).unwrap()
}
