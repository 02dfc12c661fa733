//! The thread of a disk buffer, with a queue behind it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::super::storage::Folder;
use super::kit::OPTIONS;
use crate::buffer::{DiskBuffer, DiskOptions, Entrance, Ingredients, Queue, WhenFull};
use crate::component::outlet::Inlet;
use crate::component::test_kit::meters;
use crate::event::test_kit::{Ledger, batch, batch_of};
use crate::event::{Budget, Outcome};

#[tokio::test]
async fn what_finds_no_room_comes_as_soon_as_there_is_some() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
    // One batch has room at a time.
    let queue = Arc::new(Queue::new(1, WhenFull::Block, meters()));
    let options = DiskOptions { min_free: 0.0, is_strict: true, ..OPTIONS };
    let (dir, budget) = (folder.path().join("out"), Budget::new(1 << 30));
    let disk = DiskBuffer::start(Ingredients { folder: dir, options, queue: queue.clone(), meters: meters(), budget });
    assert!(disk.enter());
    let entrance = Entrance { buffer: disk.clone(), is_counted: false };
    for line in ["a", "b", "c"] {
        entrance.offer(batch(&ledger, &[line]), Waker::noop()).unwrap();
    }
    // None of them has an outcome, so nothing but the room tells of itself.
    let mut taken = Vec::new();
    for place in 0..3 {
        let next = tokio::time::timeout(Duration::from_secs(20), queue.take(1)).await;
        taken.extend(next.unwrap_or_else(|_| panic!("batch {place} does not come")).unwrap());
    }
    let lines: Vec<_> = taken.iter().map(|batch| batch.get(0).text().to_vec()).collect();
    assert_eq!(lines, [b"a", b"b", b"c"]);
    disk.leave();
}

#[tokio::test]
async fn what_the_sink_does_not_take_in_time_goes_to_the_disk_and_comes_after_all() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
    let queue = Arc::new(Queue::new(1, WhenFull::Block, meters()));
    let options = DiskOptions { min_free: 0.0, ..OPTIONS };
    let (dir, budget) = (folder.path().join("out"), Budget::new(1 << 30));
    let disk = DiskBuffer::start(Ingredients { folder: dir, options, queue: queue.clone(), meters: meters(), budget });
    assert!(disk.enter());
    let entrance = Entrance { buffer: disk.clone(), is_counted: true };
    let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    // Nobody takes anything, and each offer is accepted at once: there is room on the disk.
    for (position, line) in lines.iter().enumerate() {
        let batch = batch_of(1, position as u64, &[line], ledger.receipt());
        assert!(entrance.offer(batch, Waker::noop()).is_ok());
    }
    let mut got = Vec::new();
    for place in 0..lines.len() {
        let next = tokio::time::timeout(Duration::from_secs(20), queue.take(1)).await;
        for batch in next.unwrap_or_else(|_| panic!("batch {place} does not come")).unwrap() {
            got.push(String::from_utf8(batch.get(0).text().to_vec()).unwrap());
            batch.settle(Outcome::Delivered);
        }
    }
    assert_eq!(got, lines);
    disk.leave();
    disk.finish().await;
    assert!(ledger.worst().iter().all(|(_, worst)| *worst == Outcome::Delivered));
    assert_eq!(ledger.worst().len(), lines.len());
}

#[tokio::test]
async fn too_little_that_is_free_is_told_of_when_it_begins_and_ends_by_itself() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
    let (queue, meters) = (Arc::new(Queue::new(1 << 20, WhenFull::Block, meters())), meters());
    // More than there can be.
    let options = DiskOptions { min_free: 1.1, is_strict: true, ..OPTIONS };
    let (dir, budget) = (folder.path().join("out"), Budget::new(1 << 30));
    let made_of = Ingredients { folder: dir, options, queue: queue.clone(), meters: meters.clone(), budget };
    let disk = DiskBuffer::start(made_of);
    assert!(disk.enter());
    let entrance = Entrance { buffer: disk.clone(), is_counted: false };
    entrance.offer(batch(&ledger, &["a"]), Waker::noop()).unwrap();
    let told = async {
        while meters.error_count("buffer_min_free") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is told of");
    disk.leave_free(0.0);
    let taken = tokio::time::timeout(Duration::from_secs(20), queue.take(1)).await.expect("it goes on by itself");
    assert_eq!(taken.unwrap()[0].get(0).text(), b"a");
    assert_eq!(meters.error_count("buffer_min_free"), 1, "it lasted, and was told of once");
    disk.leave();
}

/// What is offered while the folder cannot be opened yet may be a re-read.
#[tokio::test]
async fn what_comes_before_the_log_is_open_is_not_taken_for_new() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
    let dir = folder.path().join("out");
    let start = || {
        let queue = Arc::new(Queue::new(1 << 20, WhenFull::Block, meters()));
        let options = DiskOptions { min_free: 0.0, ..OPTIONS };
        let made_of = Ingredients {
            folder: dir.clone(),
            options,
            queue: queue.clone(),
            meters: meters(),
            budget: Budget::new(1 << 30),
        };
        let disk = DiskBuffer::start(made_of);
        assert!(disk.enter());
        (Entrance { buffer: disk.clone(), is_counted: true }, disk, queue)
    };
    let offer = |entrance: &Entrance, position: u64| {
        entrance.offer(batch_of(1, position, &[&position.to_string()], ledger.receipt()), Waker::noop()).unwrap();
    };
    let take = async |queue: &Queue| {
        let taken = tokio::time::timeout(Duration::from_secs(20), queue.take(1)).await.expect("it comes").unwrap();
        let texts = taken.iter().map(|batch| batch.get(0).text().to_vec()).collect::<Vec<_>>();
        for batch in taken {
            batch.settle(Outcome::Delivered);
        }
        texts
    };
    let (entrance, disk, queue) = start();
    offer(&entrance, 0);
    assert_eq!(take(&queue).await, [b"0"]);
    disk.leave();
    disk.finish().await;

    let lock = Folder::open(&dir).unwrap();
    let (entrance, disk, queue) = start();
    offer(&entrance, 0);
    offer(&entrance, 1);
    drop(lock);
    assert_eq!(take(&queue).await, [b"1"], "the first is stored, and delivered");
    disk.leave();
    disk.finish().await;
    assert!(ledger.worst().iter().all(|(_, worst)| *worst == Outcome::Delivered));
}

/// The sink takes everything and is done with nothing, so what is out fills the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_dropped_where_the_policy_says_so() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
    let queue = Arc::new(Queue::new(64 << 20, WhenFull::Block, meters()));
    let options = DiskOptions { min_free: 0.0, max_size: 2 << 20, when_full: WhenFull::DropNewest, ..OPTIONS };
    let (dir, budget) = (folder.path().join("out"), Budget::new(1 << 30));
    let disk = DiskBuffer::start(Ingredients { folder: dir, options, queue: queue.clone(), meters: meters(), budget });
    assert!(disk.enter());
    let entrance = Entrance { buffer: disk.clone(), is_counted: true };
    let sink = tokio::spawn(async move {
        let mut out = Vec::new();
        while let Some(batches) = queue.take(1).await {
            out.extend(batches);
        }
        out
    });
    let line = "x".repeat(64 << 10);
    let all = async {
        for position in 0..200 {
            let mut next = batch_of(1, position, &[&line], ledger.receipt());
            while let Err(refused) = entrance.offer(next, Waker::noop()) {
                next = refused;
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.expect("nobody waits for the sink");
    let dropped = ledger.worst().iter().filter(|(_, worst)| *worst == Outcome::Dropped).count();
    assert!(dropped > 0, "{dropped} of 200");
    sink.abort();
    disk.leave();
}
