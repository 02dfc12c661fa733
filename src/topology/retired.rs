//! Components that were removed and have not ended. One of the same id that comes back meanwhile is not a second one
//! beside them: a source waits for its positions and ports, a sink takes the queue over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};

use crate::buffer::Queue;
use crate::component::signal::Stop;

/// How long a component that is replaced or removed may finish what it has in hand.
pub(super) const HAND_OVER: Duration = Duration::from_secs(10);

/// By id.
#[derive(Default)]
pub(super) struct Retired {
    sources: HashMap<String, (Stop, JoinHandle<()>)>,
    sinks: HashMap<String, RetiredSink>,
}

struct RetiredSink {
    queue: Arc<Queue>,
    stop: Stop,
    fate: Fate,
    /// Ends after the sink.
    end: JoinHandle<()>,
}

/// What becomes of the queue of a removed sink, decided once.
#[derive(Clone, Default)]
struct Fate(Arc<Mutex<Ending>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    #[default]
    Undecided,
    /// A new sink has it.
    TakenOver,
    /// Its sink has ended, and nobody else takes from it.
    Abandoned,
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, Ending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it the caller who decides?
    fn becomes(&self, ending: Ending) -> bool {
        let mut fate = self.lock();
        let is_open = *fate == Ending::Undecided;
        if is_open {
            *fate = ending;
        }
        is_open
    }
}

impl Retired {
    /// A source that was removed: it takes no more, and ends when what it has in hand is resolved.
    pub(super) fn source(&mut self, id: String, stop: Stop, task: JoinHandle<()>) {
        stop.request(Instant::now() + HAND_OVER);
        self.sources.insert(id, (stop, task));
    }

    /// What a source of this id has to wait for.
    pub(super) fn take_source(&mut self, id: &str) -> Option<JoinHandle<()>> {
        self.sources.remove(id).map(|(_, task)| task)
    }

    /// A sink that was removed: it delivers what its queue holds, for a while.
    pub(super) fn sink(&mut self, id: String, (queue, stop): (Arc<Queue>, Stop), mut task: JoinHandle<()>) {
        let fate = Fate::default();
        let (ending, left, shared) = (stop.clone(), queue.clone(), fate.clone());
        let end = tokio::spawn(async move {
            if timeout(HAND_OVER, &mut task).await.is_err() {
                ending.request(Instant::now());
                let _ended = task.await;
            }
            if shared.becomes(Ending::Abandoned) {
                left.abandon();
            }
        });
        self.sinks.insert(id, RetiredSink { queue, stop, fate, end });
    }

    /// The queue for a sink of this id, if the old one still has it, and the old one's end. The old one takes no more.
    pub(super) fn take_sink(&mut self, id: &str) -> Option<(Arc<Queue>, JoinHandle<()>)> {
        let RetiredSink { queue, stop, fate, end } = self.sinks.remove(id)?;
        if !fate.becomes(Ending::TakenOver) {
            return None;
        }
        stop.request(Instant::now() + HAND_OVER);
        Some((queue, end))
    }

    /// Lets go of those that have ended.
    pub(super) fn sweep(&mut self) {
        self.sources.retain(|_, (_, task)| !task.is_finished());
        self.sinks.retain(|_, sink| !sink.end.is_finished());
    }

    /// The process ends: nothing waits any longer than to `deadline`.
    pub(super) fn hurry(&self, deadline: Instant) {
        self.sources.values().for_each(|(stop, _)| stop.request(deadline));
        self.sinks.values().for_each(|sink| sink.queue.hurry());
    }

    /// Waits for the sources; gives the ids of those that had not ended in time.
    pub(super) async fn sources_end(&mut self, deadline: Instant) -> Vec<String> {
        let mut late = Vec::new();
        for (id, (_, mut task)) in self.sources.drain() {
            if timeout_at(deadline.into(), &mut task).await.is_err() {
                task.abort();
                late.push(id);
            }
        }
        late
    }

    /// Waits for the sinks; gives the ids of those that had not ended in time, with the bytes in their queues.
    pub(super) async fn sinks_end(&mut self, deadline: Instant) -> Vec<(String, usize)> {
        let mut late = Vec::new();
        for (id, mut sink) in self.sinks.drain() {
            if timeout_at(deadline.into(), &mut sink.end).await.is_err() {
                sink.stop.request(deadline);
                late.push((id, sink.queue.bytes()));
            }
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::buffer::WhenFull;
    use crate::component::outlet::Inlet;
    use crate::component::test_kit::meters;
    use crate::delivery::test_batch::json_watched;
    use crate::event::Outcome;

    #[tokio::test]
    async fn a_queue_that_was_abandoned_is_nobodys() {
        let queue = Arc::new(Queue::new(1 << 20, WhenFull::Block, meters()));
        let (batch, resolution) = json_watched(&["{}"]);
        queue.offer(batch, Waker::noop()).unwrap();
        let mut retired = Retired::default();
        retired.sink("out".into(), (queue.clone(), Stop::default()), tokio::spawn(async {}));
        while !retired.sinks["out"].end.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(retired.take_sink("out").is_none());
        assert_eq!((resolution.recv().unwrap().worst, queue.bytes()), (Outcome::Failed, 0));
    }

    #[tokio::test]
    async fn a_queue_that_is_taken_over_is_not_abandoned() {
        let queue = Arc::new(Queue::new(1 << 20, WhenFull::Block, meters()));
        queue.offer(json_watched(&["{}"]).0, Waker::noop()).unwrap();
        let (mut retired, stop) = (Retired::default(), Stop::default());
        let (ends, end) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async { drop(end.await) });
        retired.sink("out".into(), (queue.clone(), stop.clone()), task);
        let (same, ended) = retired.take_sink("out").unwrap();
        assert!(Arc::ptr_eq(&same, &queue) && stop.is_requested());
        drop(ends);
        ended.await.unwrap();
        assert!(queue.bytes() > 0);
    }
}
