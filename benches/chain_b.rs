//! The node job over a fixed number of records, for counting instructions: see `instructions.sh`.
#![allow(clippy::print_stdout, reason = "the script reads what is counted")]

mod support;

use std::hint::black_box;

use bytes::Bytes;
use levada::codecs::Codec;
use support::{Job, logs};

const RECORDS: u64 = 20_000;

fn main() {
    let blocks = Job::blocks(logs(RECORDS, 42));
    let mut job = Job::new();
    // What is made at first use is not what a record costs.
    job.run(&blocks[0]);
    black_box(measured_job(&mut job, &blocks));
    println!("records: {RECORDS}");
}

/// What is counted, by its name.
#[inline(never)]
fn measured_job(job: &mut Job, blocks: &[Bytes]) -> usize {
    let run = |block| {
        let mut batch = job.read(block, Codec::Json);
        job.chain(&mut batch);
        job.encode(batch)
    };
    blocks.iter().map(run).sum()
}
