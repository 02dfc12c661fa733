//! Requests that arrive, do not arrive, or arrive without an answer: none lost, none twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::agent::{Site, pipeline};
use crate::peer::{Act, Peer};

const ENOUGH: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_arrives_once() {
    let (site, peer) = (Site::new(), Peer::start());
    site.write("a.log", 0..5_000);
    site.write("b.log", 5_000..10_000);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    peer.wait_for_all(10_000).await;
    site.write("a.log", 10_000..10_100);
    site.write("c.log", 10_100..10_200);
    peer.wait_for_all(10_200).await;
    agent.wait_for_health("out").await;
    assert_eq!(agent.stop(ENOUGH).await, levada::topology::Leftover::default());
    assert_eq!(peer.look(|world| world.requests.iter().map(|request| request.items.len()).sum::<usize>()), 10_200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_is_not_there_is_waited_for() {
    let (site, mut peer) = (Site::new(), Peer::refusing());
    site.write("a.log", 0..100);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    let why = agent.wait_for_trouble("out").await;
    assert!(why.contains("refused"), "{why}");
    peer.open();
    peer.wait_for_all(100).await;
    agent.wait_for_health("out").await;
}

/// The first requests meet `act`; all records arrive once nevertheless. Gives the ids of each request.
async fn survives(act: Act, more: &str) -> Vec<Vec<String>> {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(move |number, _| if number < 3 { act.clone() } else { Act::Take });
    site.write("a.log", 0..500);
    let agent = site.start(&pipeline(&site, &peer.url(), more));
    let why = agent.wait_for_trouble("out").await;
    assert!(!why.contains("\"n\""), "no record in what is logged: {why}");
    peer.wait_for_all(500).await;
    agent.wait_for_health("out").await;
    assert_eq!((agent.stop(ENOUGH).await.components, 0), (Vec::<String>::new(), 0));
    peer.look(|world| {
        let ids = |request: &crate::peer::Request| request.ids().iter().map(ToString::to_string).collect();
        world.requests.iter().map(ids).collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_ends_in_the_same_request_again() {
    let requests = survives(Act::Stall, "request.timeout_secs = 0.2").await;
    assert_eq!(requests[0], requests[3], "the same ids in the same order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_never_comes_repeats_nothing() {
    let requests = survives(Act::TakeAndStall, "request.timeout_secs = 0.2").await;
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_after_the_body_repeats_nothing() {
    let requests = survives(Act::TakeAndCut, "").await;
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_answer_is_none() {
    survives(Act::TakeAndTruncate, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_no_answer() {
    survives(Act::Answer(200, &[], "<html>welcome</html>"), "").await;
    survives(Act::Answer(200, &[], "{\"errors\":true,\"items\":[]}"), "").await;
    survives(Act::Answer(200, &[], ""), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_trouble_is_asked_again() {
    survives(Act::Answer(503, &[], "no master"), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_when_is_asked_then() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|number, _| if number == 0 { Act::Answer(429, &[("retry-after", "1")], "{}") } else { Act::Take });
    site.write("a.log", 0..10);
    let _agent = site.start(&pipeline(&site, &peer.url(), "request.concurrency = 1"));
    peer.wait_for_all(10).await;
    let pause = peer.look(|world| world.requests[1].at - world.requests[0].at);
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_items_are_sent_again_alone() {
    let (site, peer) = (Site::new(), Peer::start());
    let refused = AtomicUsize::new(0);
    peer.judge(move |item| {
        let is_busy = item.document["n"] == 7 && refused.fetch_add(1, Ordering::Relaxed) < 2;
        is_busy.then_some((429, "es_rejected_execution_exception", "queue full"))
    });
    site.write("a.log", 0..20);
    let _agent = site.start(&pipeline(&site, &peer.url(), ""));
    peer.wait_for_all(20).await;
    let sent = peer.look(|world| world.requests.iter().map(|request| request.items.len()).sum::<usize>());
    assert_eq!(sent, 22);
}
