//! The thread of a disk buffer, with a queue behind it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::kit::OPTIONS;
use crate::buffer::{DiskBuffer, DiskOptions, Entrance, Ingredients, Queue, WhenFull};
use crate::component::outlet::Inlet;
use crate::component::test_kit::meters;
use crate::event::Budget;
use crate::event::test_kit::{Ledger, batch};

#[tokio::test]
async fn what_finds_no_room_comes_as_soon_as_there_is_some() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Arc::new(Ledger::default()));
    // One batch has room at a time.
    let queue = Arc::new(Queue::new(1, WhenFull::Block, meters()));
    let options = DiskOptions { min_free: 0.0, ..OPTIONS };
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
