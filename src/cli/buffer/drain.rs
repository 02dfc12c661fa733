//! `levada buffer drain`: moves what an orphan holds into the buffer of a sink.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use crate::buffer::{DiskBuffer, DiskOptions, Entrance, Ingredients, Queue, WhenFull, inspect};
use crate::component::meters::{Families, Label};
use crate::component::outlet::Inlet;
use crate::event::{Batch, Budget};

/// Bytes that are on the way at once.
const ON_THE_WAY: usize = 8 << 20;
/// An orphan that gives nothing for so long has nothing more to give.
const SILENCE: Duration = Duration::from_secs(2);

/// A buffer at work, with the queue it feeds.
struct Open {
    buffer: Arc<DiskBuffer>,
    queue: Arc<Queue>,
}

impl Open {
    fn start(folder: &Path, in_memory: usize) -> Self {
        let id = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let meters = Families::default().meters(&Label { id, kind: "sink", type_name: "buffer" });
        let queue = Arc::new(Queue::new(in_memory, WhenFull::Block, meters.clone()));
        // The bound is the agent's: beyond it the buffer is full, and delivers.
        let options = DiskOptions { max_size: u64::MAX / 2, min_free: 0.01, is_strict: true, ..DiskOptions::default() };
        let (folder, budget) = (folder.to_owned(), Budget::new(8 * ON_THE_WAY));
        let buffer = DiskBuffer::start(Ingredients { folder, options, queue: queue.clone(), meters, budget });
        Self { buffer, queue }
    }
}

/// Moves all records that can be read, with the identities they have; gives how many. Each is settled in `from` when it is
/// durable in `to`: what stops this repeats at most what was under way.
pub(super) async fn drain(from: &Path, to: &Path) -> u64 {
    let (orphan, target) = (Open::start(from, ON_THE_WAY), Open::start(to, 1));
    let (is_open, is_open_too) = (orphan.buffer.enter(), target.buffer.enter());
    let mut moved = 0;
    if is_open && is_open_too {
        // They come in the order of another buffer: positions do not tell what is there.
        let entrance = Entrance { buffer: target.buffer.clone(), is_counted: false };
        while let Ok(Some(batches)) = timeout(SILENCE, orphan.queue.take(ON_THE_WAY)).await {
            for batch in batches {
                moved += batch.len() as u64;
                pass(&entrance, batch).await;
            }
        }
    }
    // First what was moved becomes durable.
    target.buffer.leave();
    target.buffer.finish().await;
    orphan.buffer.leave();
    orphan.buffer.finish().await;
    moved
}

/// Waits for room.
async fn pass(entrance: &Entrance, batch: Batch) {
    let mut waits = Some(batch);
    poll_fn(|cx| {
        waits = waits.take().and_then(|batch| entrance.offer(batch, cx.waker()).err());
        if waits.is_some() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Removes the folder of a buffer that holds nothing; tells whether it did.
pub(super) fn remove_empty(folder: &Path) -> std::io::Result<bool> {
    let found = inspect::summary(folder)?;
    let is_empty = found.records == 0 && found.newer == 0 && found.quarantined == 0;
    if is_empty {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(is_empty)
}
