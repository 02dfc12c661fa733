//! Ends and beginnings: orderly, at once, and with a truncated file in between.

use std::time::Duration;

use crate::agent::{Site, pipeline};
use crate::peer::{Act, Peer, World};

const ENOUGH: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_delivers_what_was_read() {
    let (site, peer) = (Site::new(), Peer::start());
    let text = pipeline(&site, &peer.url(), "batch.timeout_secs = 3600.0").replace("batch.timeout_secs = 0.02\n", "");
    let agent = site.start(&text);
    site.write("a.log", 0..1_000);
    let read = || agent.figure("levada_component_sent_events_total", "app", None);
    crate::wait::until("the records in the queue", || read() == 1_000).await;
    assert_eq!(peer.look(World::len), 0, "they wait for a fuller request");
    let left = agent.stop(ENOUGH).await;
    assert_eq!(left, levada::topology::Leftover::default());
    peer.assert_all(1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_at_once_tells_what_is_left_and_the_next_agent_brings_it() {
    let (site, peer) = (Site::new(), Peer::start());
    // Half of it is stored without our knowing.
    peer.script(|number, _| if number % 2 == 0 { Act::TakeAndStall } else { Act::Stall });
    site.write("a.log", 0..5_000);
    let text = pipeline(&site, &peer.url(), "batch.max_events = 100");
    let agent = site.start(&text);
    peer.wait("requests", |world| world.requests.len() >= 4).await;
    let left = agent.stop(Duration::ZERO).await;
    assert!(left.components.contains(&"out".to_owned()), "{left:?}");
    let in_hand = left.in_hand.iter().any(|(id, (records, bytes))| id == "out" && *records >= 400 && *bytes > 0);
    assert!(in_hand, "four requests of a hundred were under way: {left:?}");
    peer.heal();
    site.write("a.log", 5_000..6_000);
    let agent = site.start(&text);
    peer.wait_for_all(6_000).await;
    agent.wait_for_health("out").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_ends_in_the_middle_lose_and_repeat_nothing() {
    let (site, peer) = (Site::new(), Peer::start());
    let text =
        pipeline(&site, &peer.url(), "batch.max_events = 20").replace("decoding", "max_read_bytes = 2048\ndecoding");
    for round in 0..8_u64 {
        peer.script(|number, _| if number % 3 == 0 { Act::TakeAndCut } else { Act::Take });
        site.write("a.log", round * 500..(round + 1) * 500);
        let agent = site.start(&text);
        let enough = round as usize * 250 + 100;
        peer.wait("some of it", |world| world.len() > enough).await;
        agent.stop(Duration::from_millis(round % 3 * 20)).await;
    }
    let _agent = site.start(&text);
    peer.wait_for_all(4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_copied_and_truncated_to_the_same_length_is_two_generations() {
    let (site, peer) = (Site::new(), Peer::start());
    site.write("a.log", 10..20);
    let _agent = site.start(&pipeline(&site, &peer.url(), ""));
    peer.wait("the first generation", |world| world.len() == 10).await;
    let text = std::fs::read_to_string(site.log("a.log")).unwrap();
    std::fs::write(site.log("a.log"), "").unwrap();
    site.write("a.log", 20..30);
    assert_eq!(std::fs::read_to_string(site.log("a.log")).unwrap().len(), text.len(), "the same offset");
    peer.wait("both generations", |world| world.numbers() == (10..30).collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_do_not_share_their_state() {
    let site = Site::new();
    let peer = Peer::start();
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    let state = site.logs().parent().unwrap().join("state");
    let why = levada::topology::DataDir::open(&state).unwrap_err();
    assert!(why.contains("in use by another process"), "{why}");
    agent.stop(ENOUGH).await;
    levada::topology::DataDir::open(&state).unwrap();
}
