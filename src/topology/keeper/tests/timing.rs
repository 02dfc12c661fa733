//! When what is held goes: by its timers, at an end, when nobody reads any more.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_held_waits_for_its_time_and_its_source_with_it() {
    let stage = Stage::fake(1 << 20);
    let start = Instant::now();
    stage.lines(0, &["a", "b", "c"]).await;
    assert_eq!(stage.next().await, ["ab"]);
    assert!(start.elapsed() < Duration::from_mins(1));
    assert_eq!(stage.ledger.worst(), []);
    assert_eq!(stage.next().await, ["c"]);
    assert!(start.elapsed() >= Duration::from_mins(1));
    assert_eq!(stage.ledger.worst(), [(0, Outcome::Delivered)]);
    assert_eq!(stage.health.state(), crate::component::health::State::Running);
    assert_eq!(stage.meters.sent_events(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_does_not_wait_for_timers() {
    let stage = Stage::fake(1 << 20);
    let start = Instant::now();
    stage.lines(0, &["a", "b", "c"]).await;
    assert_eq!(stage.next().await, ["ab"]);
    stage.queue.hurry();
    assert_eq!(stage.next().await, ["c"]);
    // What a source still has goes as quickly.
    stage.lines(3, &["d"]).await;
    assert_eq!(stage.next().await, ["d"]);
    stage.lines(4, &["e"]).await;
    stage.queue.close();
    assert_eq!(stage.next().await, ["e"]);
    stage.task.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(stage.ledger.worst().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn where_no_source_reads_any_more_nothing_waits_for_timers() {
    let stage = Stage::fake(1 << 20);
    let start = Instant::now();
    stage.lines(0, &["a", "b", "c"]).await;
    assert_eq!(stage.next().await, ["ab"]);
    stage.reads.send(0).unwrap();
    assert_eq!(stage.next().await, ["c"]);
    // What a source offers again.
    stage.lines(3, &["d"]).await;
    assert_eq!(stage.next().await, ["d"]);
    assert!(start.elapsed() < Duration::from_secs(1));
    // A reload brings another source.
    stage.reads.send(1).unwrap();
    stage.lines(4, &["e"]).await;
    assert_eq!(stage.next().await, ["e"]);
    assert!(start.elapsed() >= Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_replaced_gives_out_what_it_holds_and_leaves_its_queue() {
    let stage = Stage::fake(1 << 20);
    stage.lines(0, &["a"]).await;
    while stage.queue.bytes() > 0 {
        tokio::task::yield_now().await;
    }
    stage.stop.request(Instant::now().into_std() + Duration::from_secs(10));
    assert_eq!(stage.next().await, ["a"]);
    stage.task.await.unwrap();
    assert_eq!(stage.ledger.worst(), [(0, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_by_the_deadline_has_failed() {
    let stage = Stage::fake(1);
    stage.lines(0, &["a", "b"]).await;
    stage.lines(2, &["c", "d"]).await;
    stage.lines(4, &["e", "f"]).await;
    // The end has room for one, one waits, one is in the queue: nobody takes more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.queue.bytes() > 0, "a full end fills the queue");
    assert!(stage.queue.offer(batch_of(1, 6, &["g"], stage.ledger.receipt()), Waker::noop()).is_err());
    stage.stop.request(Instant::now().into_std() + Duration::from_secs(10));
    stage.task.await.unwrap();
    let failed = |token: u64| stage.ledger.worst().contains(&(token, Outcome::Failed));
    assert!(failed(1) && !failed(0), "{:?}", stage.ledger.worst());
}

/// Says that the last source has ended while the step is asked for its time: after the keeper looked, and before it
/// waits.
struct EndsLate {
    pairs: Pairs,
    reads: watch::Sender<usize>,
}

impl Stateful for EndsLate {
    fn apply(&mut self, batch: Batch, now: std::time::Instant, ports: &mut Ports) {
        self.pairs.apply(batch, now, ports);
    }

    fn due(&self) -> Option<std::time::Instant> {
        if self.pairs.held.is_some() {
            self.reads.send_if_modified(|count| std::mem::take(count) > 0);
        }
        self.pairs.due()
    }

    fn wake(&mut self, now: std::time::Instant, ports: &mut Ports) {
        self.pairs.wake(now, ports);
    }

    fn finish(&mut self, ports: &mut Ports) {
        self.pairs.finish(ports);
    }

    fn renew(&self) -> Box<dyn Stateful> {
        unreachable!("nothing panics")
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_last_source_is_not_missed_between_a_look_and_a_wait() {
    let reads = watch::Sender::new(1);
    let step = Box::new(EndsLate { pairs: Pairs::default(), reads: reads.clone() });
    let stage = Stage::with_readers(step, meters(), (1 << 20, reads));
    let start = Instant::now();
    stage.lines(0, &["a"]).await;
    assert_eq!(stage.next().await, ["a"]);
    assert!(start.elapsed() < Duration::from_secs(1), "it did not wait for its timer");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_begins_at_the_last_moment_is_waited_for() {
    let stage = Stage::fake(1 << 20);
    stage.reads.send(0).unwrap();
    let start = Instant::now();
    stage.lines(0, &["a"]).await;
    // It is about to give out what it holds.
    tokio::time::sleep(QUIET / 2).await;
    stage.reads.send(1).unwrap();
    assert_eq!(stage.next().await, ["a"]);
    assert!(start.elapsed() >= Duration::from_mins(1), "another may come");
}
