use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::*;

use super::*;
use crate::component::test_kit::meters;
use crate::event::test_kit::{Ledger, batch, batch_of};

#[derive(Default)]
struct Bell(AtomicUsize);
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

fn lines(batches: &[Batch]) -> Vec<String> {
    let texts = batches.iter().flat_map(Batch::iter).map(|view| view.text().to_vec());
    texts.map(|text| String::from_utf8(text).unwrap()).collect()
}

fn offer(queue: &Queue, batch: Batch) -> bool {
    queue.offer(batch, Waker::noop()).is_ok()
}

/// A queue with room for two batches of one line such as `sample` gives.
fn for_two(when_full: WhenFull, ledger: &Arc<Ledger>) -> Queue {
    Queue::new(batch(ledger, &["a"]).weight() * 2, when_full, meters())
}

#[tokio::test]
async fn a_full_queue_gives_back_and_calls_when_there_is_room() {
    let (ledger, bell) = (Arc::new(Ledger::default()), Arc::new(Bell::default()));
    let queue = for_two(WhenFull::Block, &ledger);
    let waker = bell.clone().into();
    assert!(offer(&queue, batch(&ledger, &["a"])) && offer(&queue, batch(&ledger, &["b"])));
    let back = queue.offer(batch(&ledger, &["c"]), &waker).unwrap_err();
    assert_eq!((lines(std::slice::from_ref(&back)), bell.0.load(Ordering::Acquire)), (vec!["c".to_owned()], 0));
    assert_eq!(lines(&queue.take(1).await.unwrap()), ["a"]);
    assert_eq!(bell.0.load(Ordering::Acquire), 1);
    assert!(offer(&queue, back));
    assert_eq!(lines(&queue.take(usize::MAX).await.unwrap()), ["b", "c"]);
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn drop_newest_drops_counts_and_settles() {
    let ledger = Arc::new(Ledger::default());
    let meters = meters();
    let queue = Queue::new(batch(&ledger, &["a"]).weight() * 2, WhenFull::DropNewest, meters.clone());
    for _ in 0..5 {
        assert!(offer(&queue, batch(&ledger, &["a"])));
    }
    assert_eq!((meters.received_events(), meters.discarded_events(Reason::BufferFull)), (2, 3));
    let dropped: Vec<_> = ledger.worst().into_iter().filter(|(token, _)| *token > 0).collect();
    assert_eq!(dropped, [(3, Outcome::Dropped), (4, Outcome::Dropped), (5, Outcome::Dropped)]);
}

#[test]
fn drop_oldest_drops_from_the_front_counts_and_settles() {
    let ledger = Arc::new(Ledger::default());
    let meters = meters();
    let queue = Queue::new(batch(&ledger, &["a"]).weight() * 2, WhenFull::DropOldest, meters.clone());
    for line in ["a", "b", "c", "d"] {
        assert!(offer(&queue, batch(&ledger, &[line])));
    }
    assert_eq!((meters.received_events(), meters.discarded_events(Reason::BufferFull)), (4, 2));
    let dropped: Vec<_> = ledger.worst().into_iter().filter(|(token, _)| *token > 0).collect();
    assert_eq!(dropped, [(1, Outcome::Dropped), (2, Outcome::Dropped)]);
    let Poll::Ready(Some(left)) = queue.try_take(usize::MAX) else { panic!("two are left") };
    assert_eq!(lines(&left), ["c", "d"]);
}

#[test]
fn a_batch_larger_than_the_queue_passes_alone() {
    let ledger = Arc::new(Ledger::default());
    let queue = Queue::new(1, WhenFull::Block, meters());
    assert!(offer(&queue, batch(&ledger, &["a"])));
    assert!(!offer(&queue, batch(&ledger, &["b"])));
    assert!(matches!(queue.try_take(1), Poll::Ready(Some(_))));
    assert!(offer(&queue, batch(&ledger, &["b"])));
}

#[test]
fn a_batch_without_records_is_not_queued_and_not_failed() {
    let ledger = Arc::new(Ledger::default());
    let queue = for_two(WhenFull::Block, &ledger);
    assert!(offer(&queue, batch(&ledger, &[])));
    assert_eq!(queue.bytes(), 0);
    assert!(ledger.worst().contains(&(1, Outcome::Delivered)));
}

#[test]
fn few_records_of_a_block_do_not_keep_it() {
    let ledger = Arc::new(Ledger::default());
    let queue = Queue::new(1 << 20, WhenFull::Block, meters());
    let long = "x".repeat(10_000);
    let whole = batch(&ledger, &["a", &long]);
    assert!(offer(&queue, whole.select(|at| at == 0)));
    assert!(queue.bytes() < 1000, "{}", queue.bytes());
    assert!(offer(&queue, whole));
    assert!(queue.bytes() > 10_000, "{}", queue.bytes());
}

#[tokio::test]
async fn a_taker_is_called_and_a_closed_queue_ends_when_it_is_empty() {
    let ledger = Arc::new(Ledger::default());
    let queue = Arc::new(for_two(WhenFull::Block, &ledger));
    let taker = tokio::spawn({
        let queue = queue.clone();
        async move { queue.take(usize::MAX).await.map(|taken| lines(&taken)) }
    });
    tokio::task::yield_now().await;
    assert!(offer(&queue, batch(&ledger, &["a"])));
    assert_eq!(taker.await.unwrap(), Some(vec!["a".to_owned()]));
    assert!(offer(&queue, batch(&ledger, &["b"])));
    queue.close();
    assert_eq!(lines(&queue.take(1).await.unwrap()), ["b"]);
    assert!(queue.take(1).await.is_none());
}

#[test]
fn a_wider_bound_calls_those_who_wait() {
    let (ledger, bell) = (Arc::new(Ledger::default()), Arc::new(Bell::default()));
    let queue = Queue::new(1, WhenFull::Block, meters());
    assert!(offer(&queue, batch(&ledger, &["a"])));
    let back = queue.offer(batch(&ledger, &["b"]), &bell.clone().into()).unwrap_err();
    queue.configure(1 << 20, WhenFull::Block);
    assert_eq!(bell.0.load(Ordering::Acquire), 1);
    assert!(offer(&queue, back));
}

#[test]
fn an_abandoned_queue_holds_nobody() {
    let (ledger, bell) = (Arc::new(Ledger::default()), Arc::new(Bell::default()));
    let queue = Queue::new(1, WhenFull::Block, meters());
    assert!(offer(&queue, batch(&ledger, &["a"])));
    let back = queue.offer(batch(&ledger, &["b"]), &bell.clone().into()).unwrap_err();
    queue.abandon();
    assert_eq!((bell.0.load(Ordering::Acquire), queue.bytes()), (1, 0));
    assert!(offer(&queue, back));
    assert_eq!(ledger.worst(), [(0, Outcome::Failed), (1, Outcome::Failed)], "their sources offer them again");
}

#[tokio::test]
async fn what_passes_by_is_not_queued() {
    let ledger = Arc::new(Ledger::default());
    let queue = for_two(WhenFull::Block, &ledger);
    assert!(offer(&queue, batch(&ledger, &["a"])));
    queue.pass_by(Some(Arc::new(|batch: Batch| batch.settle(Outcome::Delivered))));
    for _ in 0..5 {
        assert!(offer(&queue, batch(&ledger, &["b"])), "there is always room");
    }
    let delivered = ledger.worst().into_iter().filter(|(_, worst)| *worst == Outcome::Delivered);
    assert_eq!((delivered.count(), queue.bytes() > 0), (5, true), "what was queued before stays");
    assert_eq!(lines(&queue.take(usize::MAX).await.unwrap()), ["a"]);
    queue.pass_by(None);
    assert!(offer(&queue, batch(&ledger, &["c"])));
    assert_eq!(lines(&queue.take(usize::MAX).await.unwrap()), ["c"]);
}

#[tokio::test]
async fn the_last_door_closes_a_queue_and_a_new_one_opens_it_again() {
    let queue = Queue::new(1 << 20, WhenFull::Block, meters());
    queue.enter();
    queue.enter();
    queue.leave();
    queue.enter();
    queue.leave();
    assert!(offer(&queue, batch(&Arc::new(Ledger::default()), &["a"])), "one is left");
    queue.leave();
    assert_eq!(queue.take(1).await.unwrap().len(), 1);
    assert!(queue.take(1).await.is_none(), "closed and empty");
    queue.enter();
    assert!(offer(&queue, batch(&Arc::new(Ledger::default()), &["b"])));
    assert_eq!(lines(&queue.take(1).await.unwrap()), ["b"]);
    queue.leave();
    queue.abandon();
    queue.enter();
    assert!(queue.take(1).await.is_none(), "nobody takes from it for good");
}

/// A stream that offers a batch, waits, and offers it again when it is called.
#[derive(Default)]
struct Offers {
    bell: Arc<Bell>,
    waiting: Option<Batch>,
}

proptest! {
    #[test]
    fn streams_are_served_in_the_order_in_which_they_came(
        acts in prop::collection::vec((0..4_u8, 0..6_usize, 1..40_usize), 1..120),
        room in 1..2_000_usize,
    ) {
        let ledger = Arc::new(Ledger::default());
        let queue = Queue::new(room, WhenFull::Block, meters());
        let mut streams: Vec<Offers> = (0..6).map(|_| Offers::default()).collect();
        let mut line: VecDeque<usize> = VecDeque::new();
        let try_to_put = |batch: Batch, at: usize, streams: &mut Vec<Offers>, line: &mut VecDeque<usize>| {
            let waker = streams[at].bell.clone().into();
            match queue.offer(batch, &waker) {
                Ok(()) => {
                    assert!(line.is_empty() || line.front() == Some(&at), "{at} passes by {line:?}");
                    line.retain(|waits| *waits != at);
                }
                Err(back) => {
                    streams[at].waiting = Some(back);
                    if !line.contains(&at) {
                        line.push_back(at);
                    }
                }
            }
        };
        for (act, at, length) in acts {
            match act {
                0 | 1 => {
                    let text = "x".repeat(length * 10);
                    let fresh = || batch_of(at as u128, 0, &[&text], ledger.receipt());
                    let batch = streams[at].waiting.take().unwrap_or_else(fresh);
                    try_to_put(batch, at, &mut streams, &mut line);
                }
                2 => drop(queue.try_take(length * 20)),
                _ => {
                    if let Some(batch) = streams[at].waiting.take() {
                        queue.give_up(&batch);
                        line.retain(|waits| *waits != at);
                    }
                }
            }
        }
        // From here on only who was called comes: nobody is forgotten.
        let mut rounds = 0;
        while !line.is_empty() {
            let called = (0..6).find(|at| streams[*at].bell.0.swap(0, Ordering::AcqRel) > 0);
            match called.and_then(|at| Some((streams[at].waiting.take()?, at))) {
                Some((batch, at)) => try_to_put(batch, at, &mut streams, &mut line),
                None => drop(queue.try_take(1)),
            }
            rounds += 1;
            assert!(rounds < 1_000, "{line:?} are never called");
        }
    }
}

#[tokio::test]
async fn how_long_each_batch_waited_is_measured() {
    let (ledger, meters) = (Arc::new(Ledger::default()), meters());
    let queue = Queue::new(1 << 20, WhenFull::Block, meters.clone());
    assert!(offer(&queue, batch(&ledger, &["a"])) && offer(&queue, batch(&ledger, &["b"])));
    assert_eq!(meters.latencies(), (0, 0));
    assert_eq!(lines(&queue.take(usize::MAX).await.unwrap()), ["a", "b"]);
    assert_eq!(meters.latencies(), (2, 0));
}
