//! Records that are refused for good: dead letters with the server's reason, and nobody else pays.

use crate::agent::{Letter, Site, pipeline};
use crate::peer::{Act, Peer};
use crate::wait;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_document_becomes_a_dead_letter_and_the_others_are_stored() {
    let (site, peer) = (Site::new(), Peer::start());
    let reason = "failed to parse field [n] of type [date]";
    peer.judge(move |item| (item.document["n"] == 13).then_some((400, "document_parsing_exception", reason)));
    site.write("a.log", 0..50);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    let letters = agent.wait_for_letters(1).await;
    let want = Letter {
        component: "out".into(),
        code: "document_parsing_exception".into(),
        reason: reason.into(),
        number: Some(13),
    };
    assert_eq!(letters, [want]);
    peer.wait("the others", |world| world.len() == 49).await;
    wait::until("the count", || agent.discarded("out", "rejected") == 1).await;
    agent.wait_for_health("out").await;
    // It is not offered again by the next agent.
    agent.stop(std::time::Duration::from_secs(20)).await;
    let sent = peer.look(|world| world.requests.len());
    site.write("a.log", 100..101);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    peer.wait("the new record", |world| world.len() == 50).await;
    assert_eq!((peer.look(|world| world.requests.len()) - sent, agent.letters().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_too_large_is_split_down_to_the_one() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, request| if request.bytes > 2_000 { Act::Answer(413, &[], "") } else { Act::Take });
    site.write("a.log", 0..30);
    site.append("a.log", &format!("{{\"n\":999,\"pad\":\"{}\"}}\n", "x".repeat(3_000)));
    site.write("a.log", 30..60);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    peer.wait_for_all(60).await;
    let letters = agent.wait_for_letters(1).await;
    assert_eq!((letters.len(), letters[0].number, letters[0].code.as_str()), (1, Some(999), "too_large"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_request_that_is_refused_becomes_dead_letters() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(400, &[], "{\"error\":{\"type\":\"parse_exception\",\"reason\":\"no\"}}"));
    site.write("a.log", 0..10);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    let mut numbers: Vec<_> = agent.wait_for_letters(10).await.iter().map(|letter| letter.number.unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_are_limited_end_in_dead_letters() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(503, &[], ""));
    site.write("a.log", 0..5);
    let agent = site.start(&pipeline(&site, &peer.url(), "request.retry_attempts = 2"));
    let letters = agent.wait_for_letters(5).await;
    assert!(letters.iter().all(|letter| letter.code == "retries_exhausted"));
    peer.heal();
    site.write("a.log", 10..11);
    peer.wait("the next record", |world| world.numbers() == [10]).await;
}
