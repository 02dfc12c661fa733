//! VRL programs over the log lines of the node job: MB of log a second, and how much of it reading and writing is.
//!
//! `programs NAME` runs one of them over a fixed number of records, for counting its instructions:
//! `valgrind --tool=callgrind --toggle-collect='*measured*' target/release/deps/programs-... parse`.
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

mod support;

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use levada::codecs::Codec;
use support::{Job, logs};

const RECORDS: u64 = 20_000;
const ROUNDS: usize = 5;

/// From next to nothing to what replaces `enrich` and `scrub`.
const PROGRAMS: [(&str, &str); 6] = [
    ("set", r#".env = "prod""#),
    ("copy", ".copy = .level"),
    ("branch", r#"if .level == "debug" { .is_quiet = true } else { .is_quiet = false }"#),
    ("variables", "a = string!(.level)\nb = a + \"-\" + string!(.service)\n.kind = b\n.length = length(b)"),
    ("closure", ".services = map_values(object!(parse_json!(s'{\"a\":1,\"b\":2,\"c\":3}'))) -> |v| { v }"),
    (
        "b-vrl",
        r#". = object!(parse_json!(string!(.message)))
.env = "prod"
.pod = "checkout-7d9f8b6c5d-x2x7q"
.region = "eu-west-1"
.message = replace(string!(.message), r'[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}', "[REDACTED]")"#,
    ),
];

fn main() {
    let blocks = Job::blocks(logs(RECORDS, 42));
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, source) in PROGRAMS {
        let codec = if name == "b-vrl" { Codec::Bytes } else { Codec::Json };
        let mut job = Job::of_program(source);
        if wanted.as_deref() == Some(name) {
            // What is made at first use is not what a record costs.
            pass(&mut job, codec, &blocks[..1]);
            measured(&mut job, codec, &blocks);
            println!("records: {RECORDS}");
        } else if wanted.is_none() {
            let bytes: usize = blocks.iter().map(Bytes::len).sum();
            let mut best = f64::INFINITY;
            for _ in 0..ROUNDS {
                let begun = Instant::now();
                pass(&mut job, codec, &blocks);
                best = best.min(begun.elapsed().as_secs_f64());
            }
            println!("{name:12} {:8.0} MB/s", bytes as f64 / best / 1e6);
        }
    }
}

/// What is counted, by its name.
#[inline(never)]
fn measured(job: &mut Job, codec: Codec, blocks: &[Bytes]) {
    pass(job, codec, blocks);
}

fn pass(job: &mut Job, codec: Codec, blocks: &[Bytes]) {
    for block in blocks {
        let mut batch = job.read(block, codec);
        job.chain(&mut batch);
        black_box(job.encode(batch));
    }
}
