use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::kit::{Act, LIMITS, Script, Stage, held, hold, retry};
use crate::component::health::State;
use crate::component::reason::Reason;
use crate::component::sink::{Answer, KnownBy, Verdict};
use crate::delivery::cutter::Limits;
use crate::delivery::sorted::Told;
use crate::event::Outcome;
use crate::event::test_kit::{Ledger, batch};

const SECOND: Duration = Duration::from_secs(1);

/// Delivers these lines as one request, and what is held too.
async fn deliver(stage: &Stage, lines: &[&str]) -> (Arc<Ledger>, Vec<Told>) {
    let ledger = Arc::new(Ledger::default());
    let request = stage.request(batch(&ledger, lines));
    let held = stage.courier(LIMITS).deliver(request).await;
    (ledger, held)
}

#[tokio::test(start_paused = true)]
async fn the_same_request_is_sent_until_it_is_taken() {
    let busy = [retry(None), retry(None), retry(None)];
    let stage = Stage::new(Script::answers(busy));
    let (ledger, _) = deliver(&stage, &["a", "b"]).await;
    assert_eq!(stage.script.bodies(), ["[a,b,]"; 4]);
    assert!(stage.script.pauses().iter().zip([1, 2, 4]).all(|(pause, most)| *pause <= SECOND * most));
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
    assert_eq!((stage.bench.meters.sent_events(), stage.bench.health.state()), (2, State::Running));
}

#[tokio::test(start_paused = true)]
async fn the_destination_says_when_it_wants_to_be_asked() {
    let stage = Stage::new(Script::answers([retry(Some(SECOND * 17)), retry(Some(SECOND * 9999))]));
    deliver(&stage, &["a"]).await;
    assert_eq!(stage.script.pauses(), [SECOND * 17, SECOND * 300], "but not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_sent_again() {
    let stage = Stage::new(Script::of([Act::Stall]));
    let (ledger, _) = deliver(&stage, &["a"]).await;
    assert_eq!(stage.script.bodies(), ["[a,]"; 2]);
    assert!(stage.script.pauses()[0] >= SECOND * 60);
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn attempts_may_be_limited() {
    let stage = Stage::new(Script::answers([retry(None), retry(None), retry(None)]));
    let ledger = Arc::new(Ledger::default());
    let mut courier = stage.courier(LIMITS);
    courier.attempts.retries = Some(1);
    courier.deliver(stage.request(batch(&ledger, &["a"]))).await;
    assert_eq!(stage.script.bodies().len(), 2);
    assert_eq!(stage.letters(), [("retries_exhausted".into(), "busy".into(), "a".into())]);
    assert_eq!(ledger.worst(), [(0, Outcome::DeadLettered)]);
}

#[tokio::test(start_paused = true)]
async fn too_large_is_split_down_to_the_one() {
    // [a b c d] no, [a b] yes, [c d] no, [c] no: dead, [d] yes.
    let (no, yes) = (|| Answer::Split, || Answer::Delivered);
    let stage = Stage::new(Script::answers([no(), yes(), no(), no(), yes()]));
    let (ledger, _) = deliver(&stage, &["a", "b", "c", "d"]).await;
    assert_eq!(stage.script.bodies(), ["[a,b,c,d,]", "[a,b,]", "[c,d,]", "[c,]", "[d,]"]);
    assert_eq!(
        stage.letters().iter().map(|(code, _, line)| (&**code, &**line)).collect::<Vec<_>>(),
        [("too_large", "c")]
    );
    let resolution = ledger.resolution(0).unwrap();
    assert_eq!((resolution.delivered, resolution.dead_lettered), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn records_are_sorted_by_what_is_said_of_each() {
    let verdicts = vec![
        (0, Verdict::AlreadyThere),
        (1, Verdict::Retry { why: "full".into() }),
        (2, Verdict::Rejected { code: "mapper".into(), why: "no number".into() }),
        (4, Verdict::Rejected { code: "routing".into(), why: "no routing".into() }),
    ];
    let stage = Stage::new(Script::answers([Answer::Partial(verdicts)]));
    let (ledger, held) = deliver(&stage, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(stage.script.bodies(), ["[a,b,c,d,e,]", "[b,]"], "only that one again");
    let letter = |code: &str, why: &str, line: &str| (code.to_owned(), why.to_owned(), line.to_owned());
    assert_eq!(stage.letters(), [letter("mapper", "no number", "c"), letter("routing", "no routing", "e")]);
    let resolution = ledger.resolution(0).unwrap();
    assert_eq!((held.len(), resolution.delivered, resolution.dead_lettered), (0, 3, 2));
    assert_eq!(stage.bench.meters.discarded_events(Reason::Rejected), 2);
}

#[tokio::test(start_paused = true)]
async fn all_is_well_when_a_retry_finds_everything_there() {
    let there = Answer::Partial(vec![(0, Verdict::AlreadyThere)]);
    let stage = Stage::new(Script::answers([retry(None), there]));
    deliver(&stage, &["a"]).await;
    assert_eq!(stage.bench.health.state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn a_whole_sink_is_held_until_a_person_acts() {
    let stage = Stage::new(Script::answers([hold(), hold(), hold()]));
    let (ledger, _) = deliver(&stage, &["a"]).await;
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
    let pauses = stage.script.pauses();
    assert!(pauses.iter().all(|pause| *pause >= SECOND * 5 / 2), "probes are rare: {pauses:?}");
    assert_eq!(stage.bench.health.state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_for_an_hour_becomes_dead_letters() {
    let stage = Stage::new(Script::answers((0..500).map(|_| hold())));
    let (ledger, _) = deliver(&stage, &["a"]).await;
    assert_eq!(stage.letters(), [("held_too_long".into(), "forbidden".into(), "a".into())]);
    assert_eq!(ledger.worst(), [(0, Outcome::DeadLettered)]);
}

#[tokio::test(start_paused = true)]
async fn the_hour_begins_with_the_first_hold_in_a_row_and_holds_are_no_attempts() {
    let script = (0..40).map(|_| hold()).chain([retry(None)]).chain((0..40).map(|_| hold())).chain([Answer::Delivered]);
    let stage = Stage::new(Script::answers(script));
    let request = stage.request(batch(&Arc::new(Ledger::default()), &["a"]));
    let mut courier = stage.courier(LIMITS);
    courier.attempts.retries = Some(1);
    courier.deliver(request).await;
    assert_eq!(stage.letters(), []);
}

#[tokio::test(start_paused = true)]
async fn held_records_come_back_while_others_settle() {
    let partial = |verdicts| Answer::Partial(verdicts);
    let stage =
        Stage::new(Script::answers([partial(vec![held(0), held(2)]), partial(vec![held(1)]), partial(vec![held(0)])]));
    let (ledger, mut told) = deliver(&stage, &["a", "b", "c"]).await;
    let courier = stage.courier(LIMITS);
    assert!(matches!(stage.bench.health.state(), State::Degraded { .. }));
    courier.hold(told.pop().unwrap()).await;
    assert_eq!(stage.script.bodies(), ["[a,b,c,]", "[a,c,]", "[c,]", "[c,]"]);
    assert!(stage.script.pauses().iter().all(|pause| *pause >= SECOND * 5 / 2));
    assert_eq!((ledger.worst(), courier.held.load(Ordering::Acquire)), (vec![(0, Outcome::Delivered)], 0));
    assert_eq!(stage.bench.health.state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn all_is_not_well_as_long_as_some_are_held() {
    let stage = Stage::new(Script::answers([Answer::Partial(vec![held(0)])]));
    let (_, mut told) = deliver(&stage, &["a", "b"]).await;
    let courier = stage.courier(LIMITS);
    let holding = courier.hold(told.pop().unwrap());
    let ledger = Arc::new(Ledger::default());
    let other = async {
        tokio::time::sleep(SECOND / 10).await;
        courier.deliver(stage.request(batch(&ledger, &["c"]))).await;
        assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
        assert!(matches!(stage.bench.health.state(), State::Degraded { .. }));
    };
    tokio::join!(holding, other);
    assert_eq!(stage.bench.health.state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_its_share() {
    let stage = Stage::new(Script::answers([Answer::Partial(vec![held(0)])]));
    let (ledger, mut told) = deliver(&stage, &["a"]).await;
    let mut courier = stage.courier(LIMITS);
    courier.attempts.max_held_bytes = 10;
    courier.hold(told.pop().unwrap()).await;
    assert_eq!(stage.letters()[0].0, "held_too_much");
    assert_eq!((ledger.worst(), courier.held.load(Ordering::Acquire)), (vec![(0, Outcome::DeadLettered)], 0));
}

#[tokio::test(start_paused = true)]
async fn probes_keep_to_the_limits_of_requests() {
    let stage = Stage::new(Script::answers([Answer::Partial(vec![held(0), held(1), held(2)])]));
    let (_, mut told) = deliver(&stage, &["a", "b", "c"]).await;
    stage.courier(Limits { records: 2, ..LIMITS }).hold(told.pop().unwrap()).await;
    assert_eq!(stage.script.bodies(), ["[a,b,c,]", "[a,b,]", "[c,]"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_order_lets_nothing_pass_a_held_record() {
    let answers = [Answer::Partial(vec![held(1), (2, Verdict::Retry { why: "busy".into() })])];
    let stage = Stage::new(Script { is_ordered: true, ..Script::answers(answers) });
    let (ledger, held) = deliver(&stage, &["a", "b", "c"]).await;
    assert_eq!((held.len(), stage.script.bodies()), (0, vec!["[a,b,c,]".into(), "[b,c,]".into()]));
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn rejected_as_a_whole_becomes_dead_letters() {
    let rejected = Answer::Rejected { code: "400".into(), why: "no".into() };
    let stage = Stage::new(Script::answers([rejected]));
    let (ledger, _) = deliver(&stage, &["a", "b"]).await;
    assert_eq!(stage.letters().len(), 2);
    assert_eq!(ledger.worst(), [(0, Outcome::DeadLettered)]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_dead_letters_fails_the_receipt() {
    let rejected = Answer::Rejected { code: "400".into(), why: "no".into() };
    let stage = Stage::new(Script::answers([rejected]));
    std::fs::write(stage.folder.path().join("dead_letters"), "a file where the folder should be").unwrap();
    let (ledger, _) = deliver(&stage, &["a"]).await;
    assert_eq!(ledger.worst(), [(0, Outcome::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_in_the_middle_is_a_failure_however_much_is_stored() {
    let busy = (0..100).map(|_| retry(None));
    let partial = Answer::Partial(vec![(1, Verdict::Retry { why: "busy".into() })]);
    let stage = Stage::new(Script::answers(std::iter::once(partial).chain(busy)));
    let ledger = Arc::new(Ledger::default());
    let (courier, request) = (stage.courier(LIMITS), stage.request(batch(&ledger, &["a", "b"])));
    assert!(tokio::time::timeout(SECOND * 100, courier.deliver(request)).await.is_err());
    let resolution = ledger.resolution(0).unwrap();
    assert_eq!((resolution.worst, resolution.delivered), (Outcome::Failed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_keeps_the_identity_and_each_half_has_its_own() {
    let answers = [retry(None), Answer::Split, retry(None), Answer::Delivered, Answer::Delivered];
    let stage = Stage::new(Script { identity: KnownBy::Request { fingerprint: 0 }, ..Script::answers(answers) });
    let (ledger, _) = deliver(&stage, &["a", "b", "c"]).await;
    assert_eq!(stage.script.bodies(), ["[a,b,c,]", "[a,b,c,]", "[a,]", "[a,]", "[b,c,]"]);
    let ids = stage.script.identities.lock().unwrap().clone();
    assert_eq!((ids[0], ids[2]), (ids[1], ids[3]));
    assert!(ids[0] != ids[2] && ids[2] != ids[4] && ids[4] != 0);
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_knows_requests_gets_what_was_held_as_it_was() {
    let hold_all = || Answer::Partial(vec![held(0), held(1), held(2)]);
    let stage = Stage::new(Script {
        identity: KnownBy::Request { fingerprint: 0 },
        ..Script::answers([hold_all(), hold_all()])
    });
    let (ledger, mut told) = deliver(&stage, &["a", "b", "c"]).await;
    stage.courier(Limits { records: 2, ..LIMITS }).hold(told.pop().unwrap()).await;
    assert_eq!(stage.script.bodies(), ["[a,b,c,]"; 3]);
    let ids = stage.script.identities.lock().unwrap().clone();
    assert!(ids[0] != 0 && ids.iter().all(|id| *id == ids[0]));
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_encoded_with_old_knowledge_is_encoded_anew() {
    let stage = Stage::new(Script { identity: KnownBy::Request { fingerprint: 0 }, ..Script::answers([Answer::Anew]) });
    let (ledger, _) = deliver(&stage, &["a", "b"]).await;
    assert_eq!(stage.script.bodies(), ["[a,b,]"; 2]);
    assert_eq!((stage.script.pauses(), stage.bench.meters.sent_events()), (vec![Duration::ZERO], 2));
    assert_eq!(ledger.worst(), [(0, Outcome::Delivered)]);
}
