//! Spans and log records as they come in requests.

use bytes::Bytes;

use crate::codecs::otlp::{Signal, split};
use crate::event::otlp::wire::{put_bytes, put_varint};
use crate::event::{Batch, Origin, Receipt, Seen, StreamKey};

/// A span in the making; times are milliseconds.
#[derive(Clone, Debug)]
pub(in crate::transforms) struct Span {
    pub(in crate::transforms) trace: u128,
    pub(in crate::transforms) id: u64,
    pub(in crate::transforms) parent: u64,
    pub(in crate::transforms) state: String,
    pub(in crate::transforms) start: u64,
    pub(in crate::transforms) end: u64,
    pub(in crate::transforms) is_error: bool,
    pub(in crate::transforms) attributes: Vec<(String, String)>,
}

/// A trace id whose randomness are these 14 digits.
pub(in crate::transforms) fn trace(randomness: &str) -> u128 {
    u128::from_str_radix(&format!("abababababababab01{randomness}"), 16).unwrap()
}

impl Span {
    /// The root of a trace, of one millisecond.
    pub(in crate::transforms) fn of(trace: u128) -> Self {
        let (state, attributes) = (String::new(), Vec::new());
        Self { trace, id: 1, parent: 0, state, start: 1_000, end: 1_001, is_error: false, attributes }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(1, &self.trace.to_be_bytes(), &mut out);
        put_bytes(2, &self.id.to_be_bytes(), &mut out);
        if !self.state.is_empty() {
            put_bytes(3, self.state.as_bytes(), &mut out);
        }
        if self.parent != 0 {
            put_bytes(4, &self.parent.to_be_bytes(), &mut out);
        }
        put_bytes(5, b"work", &mut out);
        put_fixed64(7, self.start * 1_000_000, &mut out);
        put_fixed64(8, self.end * 1_000_000, &mut out);
        for (key, value) in &self.attributes {
            put_bytes(9, &attribute(key, value), &mut out);
        }
        if self.is_error {
            put_bytes(15, &[0x18, 2], &mut out);
        }
        out
    }
}

fn put_fixed64(number: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    let (mut out, mut text) = (Vec::new(), Vec::new());
    put_bytes(1, key.as_bytes(), &mut out);
    put_bytes(1, value.as_bytes(), &mut text);
    put_bytes(2, &text, &mut out);
    out
}

/// One request of one service.
pub(in crate::transforms) fn spans(service: &str, spans: &[Span], receipt: Receipt) -> Batch {
    let records: Vec<Vec<u8>> = spans.iter().map(Span::bytes).collect();
    batch(Signal::Traces, service, &records, receipt)
}

/// One request of log records: the trace each belongs to, if any, and its `SeverityNumber`.
pub(in crate::transforms) fn logs(service: &str, logs: &[(Option<u128>, u8)], receipt: Receipt) -> Batch {
    let record = |(trace, severity): &(Option<u128>, u8)| {
        let mut out = vec![2 << 3, *severity];
        if let Some(trace) = trace {
            put_bytes(9, &trace.to_be_bytes(), &mut out);
        }
        out
    };
    batch(Signal::Logs, service, &logs.iter().map(record).collect::<Vec<_>>(), receipt)
}

fn batch(signal: Signal, service: &str, records: &[Vec<u8>], receipt: Receipt) -> Batch {
    let (mut resource, mut scope, mut whole, mut request) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    put_bytes(1, &attribute("service.name", service), &mut resource);
    for record in records {
        put_bytes(2, record, &mut scope);
    }
    put_bytes(1, &resource, &mut whole);
    put_bytes(2, &scope, &mut whole);
    put_bytes(1, &whole, &mut request);
    let block = Bytes::from(request);
    let mut batch = Batch::new(block.clone(), Origin::new(StreamKey(9)).into(), receipt);
    let seen = Seen { position: 0, time: 1_795_168_800_000_000_000 };
    assert_eq!(split(signal, &block, &mut batch, seen).unwrap().records, 0);
    batch
}
