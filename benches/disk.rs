//! The disk log alone, on one core: batches of 64 KiB are stored, fsynced in groups and read back, against a plain program
//! that writes, fsyncs and reads the same number of bytes, in the same run.
//!
//! `LEVADA_BENCH_DIR` names the folder to work in (default: the temporary one); it needs two times 256 MiB.
#![allow(unsafe_code, reason = "an allocator that counts can be had in no other way")]
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use levada::buffer::{DiskBuffer, DiskOptions, Entrance, Ingredients, Queue, WhenFull};
use levada::codecs::Codec;
use levada::component::meters::{Families, Label};
use levada::component::outlet::Inlet;
use levada::component::signal::thread_waker;
use levada::event::{Budget, Outcome};
use support::{Job, logs};

/// Bytes of a batch.
const BATCH: usize = 64 << 10;
/// Bytes that are stored.
const BYTES: usize = 256 << 20;
/// Bytes between two fsyncs of the plain program: as in a full group.
const GROUP: usize = 16 << 20;
const ROUNDS: usize = 3;
/// How much slower than the plain program it may be.
const LEAST: f64 = 0.6;

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
    let place = std::env::var_os("LEVADA_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let place = place.join("levada-disk-bench");
    std::fs::create_dir_all(&place).expect("a folder to work in");
    let blocks = blocks();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let plain = plain(&place.join("plain"), &blocks);
            let (log, allocations) = runtime.block_on(log(&place.join("log"), &blocks));
            let rate = |time: Duration| BYTES as f64 / time.as_secs_f64() / 1e6;
            let ratio = plain.as_secs_f64() / log.as_secs_f64();
            let (plain, log) = (rate(plain), rate(log));
            println!(
                "plain {plain:6.0} MB/s   log {log:6.0} MB/s   {ratio:.2}   {allocations:.3} allocations a record"
            );
            ratio
        })
        .collect();
    std::fs::remove_dir_all(&place).expect("the folder is ours");
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    println!("median {median:.2}, at least {LEAST}");
    if median < LEAST { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Blocks of whole lines, together about as many bytes as are stored.
fn blocks() -> Vec<Bytes> {
    let text = logs(40_000, 42);
    let mut rest = Bytes::from(text);
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let near = BATCH.min(rest.len());
        let end = memchr::memrchr(b'\n', &rest[..near]).expect("a line is shorter than a batch") + 1;
        blocks.push(rest.split_to(end));
    }
    let count = BYTES / BATCH;
    (0..count).map(|number| blocks[number % blocks.len()].clone()).collect()
}

/// Writes, fsyncs and reads the same bytes as they are.
fn plain(path: &Path, blocks: &[Bytes]) -> Duration {
    let start = Instant::now();
    let mut file = File::create(path).expect("a file");
    let mut unsynced = 0;
    for block in blocks {
        file.write_all(block).expect("room on the disk");
        unsynced += block.len();
        if unsynced >= GROUP {
            file.sync_data().expect("a disk that works");
            unsynced = 0;
        }
    }
    file.sync_data().expect("a disk that works");
    let (mut file, mut buffer) = (File::open(path).expect("the file"), vec![0; BATCH]);
    while file.read(&mut buffer).expect("a disk that works") > 0 {}
    let time = start.elapsed();
    std::fs::remove_file(path).expect("the file is ours");
    time
}

/// Stores everything, then reads it back; gives the time, and allocations a record.
async fn log(path: &Path, blocks: &[Bytes]) -> (Duration, f64) {
    let label = Label { id: "bench".to_owned(), kind: "sink", type_name: "bench" };
    let meters = Families::default().meters(&label);
    // Nothing goes by memory: one batch is in the queue, and the others have to be read back.
    let queue = Arc::new(Queue::new(1, WhenFull::Block, Families::default().meters(&label)));
    let options = DiskOptions { max_size: 4 << 30, is_strict: true, ..DiskOptions::default() };
    let ingredients = Ingredients {
        folder: path.to_owned(),
        options,
        queue: queue.clone(),
        meters: meters.clone(),
        budget: Budget::new(512 << 20),
    };
    let mut job = Job::new();
    let batches: Vec<_> =
        blocks.iter().enumerate().map(|(at, block)| job.read_at(block, Codec::Json, at * BATCH)).collect();
    let records: usize = batches.iter().map(levada::event::Batch::len).sum();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let start = Instant::now();
    let buffer = DiskBuffer::start(ingredients);
    assert!(buffer.enter(), "it has just begun");
    let entrance = Entrance { buffer: buffer.clone(), is_counted: true };
    let waker = thread_waker();
    for batch in batches {
        let mut waits = Some(batch);
        while let Some(batch) = waits.take() {
            waits = entrance.offer(batch, &waker).err();
            if waits.is_some() {
                std::thread::park();
            }
        }
    }
    queue.configure(8 << 20, WhenFull::Block);
    let mut arrived = 0;
    while arrived < records {
        for batch in queue.take(1 << 20).await.expect("it is open") {
            arrived += batch.len();
            batch.settle(Outcome::Delivered);
        }
    }
    let time = start.elapsed();
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / records as f64;
    buffer.leave();
    buffer.finish().await;
    std::fs::remove_dir_all(path).expect("the folder is ours");
    (time, allocations)
}
