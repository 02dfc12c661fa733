//! `tail_sample` under load, on a clock of its own: 100,000 spans a second for a minute, ten times as many for five seconds in it, 30
//! seconds of waiting. Fails if a span is unaccounted for, or memory goes more than 64 MiB beyond `max_bytes`.
//!
//! `LEVADA_SPANS=10000` offers fewer.
#![allow(clippy::print_stdout, reason = "figures are for people")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use levada::codecs::otlp::{Signal, split};
use levada::component::files::Files;
use levada::component::meters::{Families, Label, Meters};
use levada::component::pause::Pause;
use levada::component::reason::Reason;
use levada::component::row::Context;
use levada::component::transform::{Ports, Stateful};
use levada::event::otlp::wire::{put_bytes, put_varint};
use levada::event::{Batch, Budget, Origin, Outcome, Receipt, Resolution, Resolve, Seen, StreamKey};

const SECONDS: u64 = 60;
const BURST: std::ops::Range<u64> = 30..35;
/// Requests a second, and how many times as many in the burst.
const REQUESTS: u64 = 100;
const TIMES: u64 = 10;
/// Kinds of spans in a request: a trace has every other of them, each a second after the one before.
const PARTS: u64 = 8;
const MAX_BYTES: u64 = 256 << 20;
/// Beyond `max_bytes`: what is in work, the decisions, what the allocator keeps.
const MORE: u64 = 64 << 20;

const SETTINGS: &str = r"
ratio = 0.1
whole_traces = true
max_bytes = '256MiB'
spill.max_bytes = '1GiB'
rules = [{ name = 'errors', error = true }, { name = 'slow', trace_longer_than_ms = 60000 }]
";

struct Nobody;

impl Resolve for Nobody {
    fn resolved(&self, _: u64, resolution: Resolution) {
        assert!(resolution.worst <= Outcome::Dropped, "a receipt failed");
    }
}

fn main() {
    let spans: u64 = std::env::var("LEVADA_SPANS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = std::env::temp_dir().join(format!("levada-tail-sample-{}", std::process::id()));
    let (mut step, meters) = step(&folder);
    let before = peak();
    let (mut offered, mut kept, mut ports) = (0, 0, Ports::default());
    let (start, real) = (Instant::now(), Instant::now());
    let mut worked = Duration::ZERO;
    for second in 0..SECONDS {
        let requests = if BURST.contains(&second) { REQUESTS * TIMES } else { REQUESTS };
        for request in 0..requests {
            let now = start + Duration::from_micros(second * 1_000_000 + request * 1_000_000 / requests);
            let batch = batch((second, request, requests), spans / REQUESTS / PARTS);
            offered += batch.len() as u64;
            let from = Instant::now();
            while step.due().is_some_and(|due| due <= now) {
                step.wake(now, &mut ports);
                kept += deliver(&mut ports);
            }
            step.apply(batch, now, &mut ports);
            worked += from.elapsed();
            kept += deliver(&mut ports);
        }
    }
    while step.due().is_some() {
        step.finish(&mut ports);
        kept += deliver(&mut ports);
    }
    let dropped = meters.discarded_events(Reason::Sampled) + meters.discarded_events(Reason::Throttled);
    let (memory, sampling) = (peak() - before, meters.of_sampling());
    std::fs::remove_dir_all(&folder).unwrap_or_default();
    println!(
        "offered {offered}, kept {kept}, dropped {dropped}, in {:.1} s, of which {:.1} s in the step",
        real.elapsed().as_secs_f64(),
        worked.as_secs_f64()
    );
    println!(
        "{:.2} us a span; {} MiB spilled in all",
        worked.as_secs_f64() * 1e6 / offered as f64,
        sampling.spilled_total() >> 20
    );
    println!("decided early: {}", meters.error_count("decided_early"));
    println!("memory: {} MiB, with `max_bytes` {} MiB", memory >> 20, MAX_BYTES >> 20);
    assert_eq!(offered, kept + dropped, "spans are unaccounted for");
    assert!(memory <= MAX_BYTES + MORE, "more than {} MiB", (MAX_BYTES + MORE) >> 20);
}

fn step(folder: &std::path::Path) -> (Box<dyn Stateful>, Meters) {
    let meters = Families::default().meters(&Label { id: "it".into(), kind: "transform", type_name: "tail_sample" });
    let context = Context {
        id: "it".into(),
        meters: meters.clone(),
        budget: Budget::new(usize::MAX),
        state_dir: folder.to_owned(),
        files: Files::default(),
        tables: levada::lang::Tables::default(),
        pause: Pause::default(),
        health: levada::component::health::Health::default(),
    };
    let row = levada::transforms::STATEFUL.iter().find(|row| row.name == "tail_sample").expect("it is on the shelf");
    let settings = SETTINGS.parse().expect("they are TOML");
    let keeping = (row.read)(settings).and_then(|settings| settings.build(context)).expect("they are without fault");
    (keeping.step, meters)
}

/// A request: of each of `PARTS` generations of traces one span; a quarter of the traces end with their root.
fn batch((second, request, requests): (u64, u64, u64), traces: u64) -> Batch {
    let (mut scope, mut resource, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let mut span = Vec::new();
    for part in 0..PARTS {
        // Those that began so many half seconds ago, in the same request of that second.
        let began = (second * 2 + 1).saturating_sub(part);
        for number in 0..traces {
            let trace = (began << 40 | (request % REQUESTS.max(requests)) << 20 | number) + 1;
            span.clear();
            write_span(trace, part, &mut span);
            put_bytes(2, &span, &mut scope);
        }
    }
    put_bytes(1, &[], &mut resource);
    put_bytes(2, &scope, &mut resource);
    put_bytes(1, &resource, &mut whole);
    let block = Bytes::from(whole);
    let receipt = Receipt::new(Arc::new(Nobody), 0);
    let mut batch = Batch::new(block.clone(), Arc::new(Origin::new(StreamKey(1))), receipt);
    split(Signal::Traces, &block, &mut batch, Seen { position: 0, time: 1 }).expect("it is a request");
    batch
}

fn write_span(trace: u64, part: u64, out: &mut Vec<u8>) {
    let hash = trace.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    put_bytes(1, &(u128::from(trace) << 64 | u128::from(hash)).to_be_bytes(), out);
    put_bytes(2, &(part + 1).to_be_bytes(), out);
    if !(part == PARTS - 1 && trace.is_multiple_of(2)) {
        put_bytes(4, &100_u64.to_be_bytes(), out);
    }
    put_bytes(5, b"GET /orders/{id}", out);
    for (number, time) in [(7, 1_000_000_000_u64), (8, 1_020_000_000)] {
        put_varint(number << 3 | 1, out);
        out.extend_from_slice(&time.to_le_bytes());
    }
    for at in 0..4 {
        put_bytes(9, &[b"\x0a\x0chttp.request\x12\x12\x0a\x10a value of some", &[b'0' + at][..]].concat(), out);
    }
    if hash % 800 == part {
        put_bytes(15, &[0x18, 2], out);
    }
}

fn deliver(ports: &mut Ports) -> u64 {
    let mut records = 0;
    for (_, batch) in ports.take_named() {
        records += batch.len() as u64;
        batch.settle(Outcome::Delivered);
    }
    records
}

/// The most memory that the process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("it is a number") << 10
}
