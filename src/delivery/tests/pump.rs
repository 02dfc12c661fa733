use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::kit::{Act, LIMITS, Script, Stage, held, retry};
use crate::component::outlet::Inlet;
use crate::component::signal::Stop;
use crate::component::sink::Answer;
use crate::delivery::cutter::Limits;
use crate::delivery::pump::{Pace, Pump};
use crate::event::test_kit::{Ledger, batch};
use crate::event::{Batch, Outcome};

const SECOND: Duration = Duration::from_secs(1);

fn pump(stage: &Stage, limits: Limits) -> Pump {
    let pace = Pace { limits, linger: SECOND };
    Pump::new(Arc::new(stage.courier(limits)), (stage.bench.queue.clone(), None), pace)
}

fn offer(stage: &Stage, batch: Batch) {
    stage.bench.queue.offer(batch, Waker::noop()).unwrap();
}

fn in_seconds(seconds: u64) -> std::time::Instant {
    (Instant::now() + SECOND * seconds as u32).into_std()
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_to_be_filled_but_not_long() {
    let (stage, ledger) = (Stage::new(Script::default()), Arc::new(Ledger::default()));
    let began = Instant::now();
    let running = tokio::spawn(pump(&stage, LIMITS).run(Stop::default()));
    offer(&stage, batch(&ledger, &["a"]));
    tokio::time::sleep(SECOND / 2).await;
    offer(&stage, batch(&ledger, &["b"]));
    tokio::time::sleep(SECOND).await;
    offer(&stage, batch(&ledger, &["c"]));
    tokio::time::sleep(SECOND / 10).await;
    stage.bench.queue.close();
    running.await.unwrap();
    assert_eq!(stage.script.bodies(), ["[a,b,]", "[c,]"]);
    let times: Vec<_> = stage.script.seen.lock().unwrap().iter().map(|(at, _)| *at - began).collect();
    assert!(times[0] >= SECOND && times[0] < SECOND * 11 / 10, "counted from the first record: {times:?}");
    assert!(times[1] < SECOND * 17 / 10, "a closed queue waits for nothing: {times:?}");
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered), (1, Outcome::Delivered), (2, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_burst_does_not_wait_and_what_comes_after_it_does() {
    let (stage, ledger) = (Stage::new(Script::default()), Arc::new(Ledger::default()));
    let began = Instant::now();
    let running = tokio::spawn(pump(&stage, Limits { records: 2, ..LIMITS }).run(Stop::default()));
    offer(&stage, batch(&ledger, &["a", "b", "c"]));
    tokio::time::sleep(SECOND / 10).await;
    assert_eq!(stage.script.bodies(), ["[a,b,]", "[c,]"]);
    offer(&stage, batch(&ledger, &["d"]));
    tokio::time::sleep(SECOND * 2).await;
    assert_eq!(stage.script.bodies(), ["[a,b,]", "[c,]", "[d,]"]);
    let times: Vec<_> = stage.script.seen.lock().unwrap().iter().map(|(at, _)| *at - began).collect();
    assert!(times[1] < SECOND / 10 && times[2] >= SECOND, "{times:?}");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_to_be_filled_when_the_process_ends() {
    let (stage, ledger) = (Stage::new(Script::default()), Arc::new(Ledger::default()));
    let running = tokio::spawn(pump(&stage, LIMITS).run(Stop::default()));
    offer(&stage, batch(&ledger, &["a"]));
    tokio::time::sleep(SECOND / 10).await;
    let began = Instant::now();
    stage.bench.queue.hurry();
    tokio::time::sleep(SECOND / 10).await;
    offer(&stage, batch(&ledger, &["b"]));
    tokio::time::sleep(SECOND / 10).await;
    assert_eq!(stage.script.bodies(), ["[a,]", "[b,]"]);
    let times: Vec<_> = stage.script.seen.lock().unwrap().iter().map(|(at, _)| *at - began).collect();
    assert!(times[0] < SECOND / 20 && times[1] < SECOND * 3 / 20, "{times:?}");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn so_many_requests_are_under_way_and_no_more() {
    let acts = [Act::Stall, Act::Stall, Act::Answer(Answer::Delivered)];
    let (stage, ledger) = (Stage::new(Script::of(acts)), Arc::new(Ledger::default()));
    let running = tokio::spawn(pump(&stage, Limits { records: 1, ..LIMITS }).run(Stop::default()));
    offer(&stage, batch(&ledger, &["a", "b", "c"]));
    tokio::time::sleep(SECOND * 50).await;
    assert_eq!(stage.script.bodies(), ["[a,]", "[b,]"]);
    tokio::time::sleep(SECOND * 100).await;
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_what_is_not_settled_has_failed() {
    let stage = Stage::new(Script::answers((0..1000).map(|_| retry(None))));
    let (ledger, stop) = (Arc::new(Ledger::default()), Stop::default());
    let running = tokio::spawn(pump(&stage, LIMITS).run(stop.clone()));
    offer(&stage, batch(&ledger, &["a"]));
    tokio::time::sleep(SECOND * 5).await;
    let asked = Instant::now();
    stop.request(in_seconds(10));
    running.await.unwrap();
    assert_eq!(asked.elapsed().as_secs(), 10);
    assert_eq!(ledger.worst(), [(0, Outcome::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_after_the_queue_closed_counts_too() {
    let stage = Stage::new(Script::answers((0..1000).map(|_| retry(None))));
    let (ledger, stop) = (Arc::new(Ledger::default()), Stop::default());
    let running = tokio::spawn(pump(&stage, LIMITS).run(stop.clone()));
    offer(&stage, batch(&ledger, &["a"]));
    stage.bench.queue.close();
    tokio::time::sleep(SECOND * 5).await;
    stop.request(in_seconds(0));
    tokio::time::timeout(SECOND * 40, running).await.expect("it ends").unwrap();
    assert_eq!(ledger.worst(), [(0, Outcome::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_no_more_and_finishes_what_is_in_hand() {
    let stage = Stage::new(Script::answers([retry(None)]));
    let (ledger, stop) = (Arc::new(Ledger::default()), Stop::default());
    let running = tokio::spawn(pump(&stage, LIMITS).run(stop.clone()));
    offer(&stage, batch(&ledger, &["a"]));
    tokio::time::sleep(SECOND / 10).await;
    stop.request(in_seconds(100));
    tokio::task::yield_now().await;
    offer(&stage, batch(&ledger, &["b"]));
    running.await.unwrap();
    assert_eq!((stage.script.bodies(), ledger.worst()), (vec!["[a,]".into(); 2], vec![(0, Outcome::Delivered)]));
    assert!(stage.bench.queue.bytes() > 0, "for the next instance");
}

#[tokio::test(start_paused = true)]
async fn held_records_let_others_pass_and_end_with_the_deadline() {
    let answers = [Answer::Partial(vec![held(0)])];
    let stage = Stage::new(Script::answers(answers));
    let (ledger, stop) = (Arc::new(Ledger::default()), Stop::default());
    let running = tokio::spawn(pump(&stage, LIMITS).run(stop.clone()));
    offer(&stage, batch(&ledger, &["a"]));
    offer(&stage, batch(&ledger, &["b"]));
    tokio::time::sleep(SECOND * 2).await;
    assert_eq!(ledger.worst(), [(1, Outcome::Delivered)], "the other is still held");
    stop.request(in_seconds(0));
    running.await.unwrap();
    assert_eq!(ledger.worst(), [(0, Outcome::Failed), (1, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_sending_fails_only_its_request() {
    let stage = Stage::new(Script::of([Act::Panic]));
    let ledger = Arc::new(Ledger::default());
    offer(&stage, batch(&ledger, &["a"]));
    offer(&stage, batch(&ledger, &["b"]));
    stage.bench.queue.close();
    pump(&stage, Limits { records: 1, ..LIMITS }).run(Stop::default()).await;
    assert_eq!(ledger.worst(), [(0, Outcome::Failed), (1, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_encoded_is_a_dead_letter() {
    let (stage, ledger) = (Stage::new(Script::default()), Arc::new(Ledger::default()));
    offer(&stage, batch(&ledger, &["a", "!refused", "!panic", "b"]));
    stage.bench.queue.close();
    pump(&stage, LIMITS).run(Stop::default()).await;
    assert_eq!(stage.script.bodies(), ["[a,b,]"]);
    assert_eq!(stage.letters().iter().map(|(code, ..)| &**code).collect::<Vec<_>>(), ["refused", "panic"]);
    let resolution = ledger.resolution(0).unwrap();
    assert_eq!((resolution.delivered, resolution.dead_lettered), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn it_is_at_work_while_no_further_request_may_leave() {
    let (stage, ledger) = (Stage::new(Script::of([Act::Stall, Act::Stall])), Arc::new(Ledger::default()));
    let running = tokio::spawn(pump(&stage, Limits { records: 1, ..LIMITS }).run(Stop::default()));
    offer(&stage, batch(&ledger, &["a"]));
    tokio::time::sleep(SECOND * 2).await;
    assert_eq!((stage.script.bodies().len(), stage.bench.meters.hands()), (1, 0), "another may leave");
    offer(&stage, batch(&ledger, &["b"]));
    tokio::time::sleep(SECOND * 2).await;
    assert_eq!((stage.script.bodies().len(), stage.bench.meters.hands()), (2, 1));
    running.abort();
    running.await.unwrap_err();
    assert_eq!(stage.bench.meters.hands(), 0);
}
