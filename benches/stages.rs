//! The stages of the node job on one core, over generated logs: MB of log a second, and allocations a record.
//!
//! Fails where a record allocates: the native path may do so once a batch, never once a record.
#![allow(unsafe_code, reason = "an allocator that counts can be had in no other way")]
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use levada::codecs::{Codec, lines};
use levada::event::{Batch, Outcome};
use support::{Job, logs};

/// Allocations a record that the chain and the encoder of case b may make: a batch's tables are shared by hundreds.
const MOST_ALLOCATIONS: f64 = 0.05;
const RECORDS: u64 = 200_000;
const ROUNDS: usize = 5;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

fn main() -> ExitCode {
    let text = logs(RECORDS, 42);
    println!("{} records of {} bytes on average", RECORDS, text.len() as u64 / RECORDS);
    let blocks = Job::blocks(text);
    let mut job = Job::new();

    measure("split", &blocks, |block| {
        black_box(lines(block).count());
    });
    measure("split, raw records", &blocks, |block| job.read(block, Codec::Bytes).settle(Outcome::Delivered));
    measure("split, check, index", &blocks, |block| job.read(block, Codec::Json).settle(Outcome::Delivered));
    measure("index, enrich, scrub", &blocks, |block| {
        let mut batch = job.read(block, Codec::Json);
        job.chain(&mut batch);
        batch.settle(Outcome::Delivered);
    });
    let whole = measure("case b: all, and encode", &blocks, |block| {
        black_box(job.run(block));
    });
    measure("write_json, nothing changed", &blocks, |block| {
        let batch = job.read(block, Codec::Json);
        black_box(write(&batch));
        batch.settle(Outcome::Delivered);
    });

    if whole > MOST_ALLOCATIONS {
        println!("case b allocates {whole:.3} times a record, expected at most {MOST_ALLOCATIONS}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn write(batch: &Batch) -> usize {
    let mut body = Vec::with_capacity(1 << 19);
    batch.iter().for_each(|record| record.write_json(&mut body));
    body.len()
}

/// Prints the best of some rounds; gives the allocations a record.
fn measure(stage: &str, blocks: &[Bytes], mut run: impl FnMut(&Bytes)) -> f64 {
    // The first round makes room that later ones use.
    blocks.iter().for_each(&mut run);
    let bytes: usize = blocks.iter().map(Bytes::len).sum();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        blocks.iter().for_each(&mut run);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / (RECORDS * ROUNDS as u64) as f64;
    println!("{stage:28} {:8.0} MB/s {allocations:8.3} allocations/record", bytes as f64 / best / 1e6);
    allocations
}
