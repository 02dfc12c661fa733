//! Files as this version writes them, and as older ones did. They are part of the repository: a change of the format shows here, and takes a new
//! version. `LEVADA_UPDATE=1` writes them anew; the fuzz target begins with them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::buffer::disk::frame::{Draft, runs};
use crate::buffer::disk::positions::Positions;
use crate::buffer::disk::probe::probe;
use crate::buffer::disk::{payload, segment};
use crate::codecs::otlp::{Signal, split};
use crate::event::test_kit::{Ledger, batch_of};
use crate::event::{Batch, Origin, Outcome, Path, Seen, Shared, StreamKey};

fn mixed() -> Batch {
    let keys: Vec<Box<str>> = vec!["ts".into()];
    let origin = Origin::new(StreamKey(0xABCD)).with_timestamp_keys(keys.into());
    let origin = origin.with_metadata(vec![Shared::string("kind", "file")]).with(&[Shared::string("host", "h1")]);
    let lines = [&br#"{"ts":"2024-05-06T07:08:09Z","n":1}"#[..], b"a raw line", br#"{"mail":"a@b.example","n":2}"#];
    let ledger = Arc::new(Ledger::default());
    let mut batch = Batch::new(lines.concat().into(), Arc::new(origin), ledger.receipt());
    let mut start = 0;
    for line in lines {
        let seen = Seen { position: start as u64, time: 1_700_000_000_000_000_000 };
        if batch.fill().json(start, line.len(), seen).is_err() {
            batch.fill().text(start, line.len(), seen);
        }
        start += line.len();
    }
    batch.edit().set(2, &Path::parse(".mail").unwrap(), b"\"***\"");
    batch
}

/// Spans and points of a client, one of each changed.
fn messages(signal: Signal, request: &'static [u8]) -> Batch {
    let origin = Origin::new(StreamKey(0xBEEF)).with(&[Shared::string("env", "prod")]);
    let mut batch = Batch::new(request.into(), Arc::new(origin), Arc::new(Ledger::default()).receipt());
    split(signal, request, &mut batch, Seen { position: 3, time: 1_700_000_000_000_000_000 }).unwrap();
    batch.edit().set(0, &Path::parse(".name").unwrap(), b"5");
    batch.edit().set(0, &Path::parse(".team").unwrap(), b"[\"new\"]");
    batch
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let ledger = Arc::new(Ledger::default());
    let lines = batch_of(7, 100, &["one", "two", ""], ledger.receipt());
    let frame = |batch: &Batch, is_compressed: bool| {
        let mut bytes = Vec::new();
        let is_counted = !is_compressed;
        Draft { batch, sequence: 5, group: 4, is_counted, is_compressed }.write(&runs(batch), &mut bytes);
        bytes
    };
    let mut positions = Positions::default();
    for run in runs(&lines) {
        positions.wrote(&run, 9);
    }
    positions.keep();
    let head = segment::Head { number: 3, first: 5, records_before: 77 }.write(&mut positions, 9, 1 << 10);
    let (mut plain, mixed) = (Vec::new(), mixed());
    payload::encode(&mixed, &mut plain);
    let mut torn = frame(&mixed, false);
    torn.truncate(torn.len() - 9);
    let spans = messages(Signal::Traces, include_bytes!("../../../../tests/otlp/traces.pb"));
    let points = messages(Signal::Metrics, include_bytes!("../../../../tests/otlp/metrics.pb"));
    let mut of_points = Vec::new();
    payload::encode(&points, &mut of_points);
    let samples = vec![
        ("frame_spans", frame(&spans, false)),
        ("payload_points", of_points),
        ("frame_lines", frame(&lines, false)),
        ("frame_mixed", frame(&mixed, false)),
        ("frame_torn", torn),
        ("frame_zstd", frame(&mixed, true)),
        ("payload_mixed", plain),
        ("payload_none", vec![0; 8]),
        ("segment_head", head),
    ];
    lines.settle(Outcome::Delivered);
    mixed.settle(Outcome::Delivered);
    samples
}

#[test]
fn the_format_is_what_it_was() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/disk_frame"));
    let has_to_write = std::env::var_os("LEVADA_UPDATE").is_some();
    for (name, bytes) in samples() {
        if has_to_write {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), &bytes).unwrap();
        }
        let known = std::fs::read(folder.join(name)).expect("the corpus is part of the repository");
        probe(&known);
        // How zstd compresses is not ours.
        assert!(known == bytes || name == "frame_zstd", "{name} is written otherwise than it was");
    }
}

#[test]
fn a_segment_of_the_first_version_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/disk_frame/segment_head_1");
    let bytes = std::fs::read(path).unwrap();
    let (head, positions) = segment::Head::read(&bytes).unwrap();
    assert_eq!((bytes[4], head.number, head.first, positions.len()), (1, 3, 5, 1));
}
