//! More than a destination takes: back-pressure per stream, or records dropped and counted.

use std::time::Duration;

use crate::agent::{Site, pipeline, sink, source};
use crate::peer::{Act, Peer, World};
use crate::wait;

/// Small enough that a few batches fill it.
const SMALL: &str = "buffer.max_size = 40000\nbatch.max_events = 50\nrequest.concurrency = 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_drops_the_newest_and_counts_them() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let text = pipeline(&site, &peer.url(), &format!("{SMALL}\nbuffer.when_full = 'drop_newest'"))
        .replace("decoding", "max_read_bytes = 4096\ndecoding");
    let agent = site.start(&text);
    site.write("a.log", 0..20_000);
    let read = || agent.figure("levada_component_received_events_total", "app", None);
    wait::until("all to be read", || read() == 20_000).await;
    let dropped = || agent.discarded("out", "buffer_full");
    wait::until("drops", || dropped() > 0).await;
    peer.heal();
    let arrived = || peer.look(World::len) as u64;
    wait::until("the rest", || arrived() + dropped() == 20_000).await;
    assert!(arrived() > 0 && dropped() > 10_000, "{} arrived, {} dropped", arrived(), dropped());
    // Positions move past what was dropped: the next agent offers none of it.
    let before = arrived();
    agent.stop(Duration::from_secs(20)).await;
    site.write("a.log", 50_000..50_001);
    let _agent = site.start(&text);
    peer.wait("the new record", |world| world.numbers().last() == Some(&50_000)).await;
    assert_eq!(arrived(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_blocks_and_loses_nothing() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let agent = site.start(&pipeline(&site, &peer.url(), SMALL).replace("decoding", "max_read_bytes = 4096\ndecoding"));
    site.write("a.log", 0..20_000);
    agent.wait_for_trouble("out").await;
    let bytes = || agent.figure("levada_buffer_byte_size", "out", None);
    wait::until("a full queue", || bytes() > 20_000).await;
    assert!(bytes() <= 40_000);
    peer.heal();
    peer.wait_for_all(20_000).await;
    assert_eq!(agent.discarded("out", "buffer_full"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_sink_holds_only_the_streams_that_feed_it() {
    let (site, alive, dead) = (Site::new(), Peer::start(), Peer::start());
    dead.script(|_, _| Act::Stall);
    let text = source(&site, "both", "both*.log").replace("decoding", "max_read_bytes = 4096\ndecoding")
        + &source(&site, "one", "one*.log")
        + &sink("alive", "both", &alive.url(), "").replace("['both']", "['both', 'one']")
        + &sink("dead", "both", &dead.url(), SMALL);
    let agent = site.start(&text);
    site.write("both.log", 0..20_000);
    let read = || agent.figure("levada_component_received_events_total", "both", None);
    dead.wait("a request that stalls", |world| !world.requests.is_empty()).await;
    // What was read of the stream went to the one that has room; then the stream waits.
    wait::until("the stream to wait", || read() > 0 && alive.look(World::len) as u64 == read()).await;
    site.write("one.log", 30_000..31_000);
    alive.wait("the other stream", |world| world.numbers().last() == Some(&30_999)).await;
    assert!(read() < 20_000, "the stream of the dead sink waits");
    dead.heal();
    agent.stop(Duration::ZERO).await;
    let agent = site.start(&text);
    dead.wait_for_all(20_000).await;
    alive.wait("all", |world| world.len() == 21_000).await;
    agent.wait_for_health("dead").await;
}
