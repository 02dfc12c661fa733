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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_sink_costs_its_sibling_nothing_before_its_buffer_is_full() {
    let (site, alive, dead) = (Site::new(), Peer::start(), Peer::start());
    dead.script(|_, _| Act::Stall);
    let text = source(&site, "app", "*.log")
        + &sink("alive", "app", &alive.url(), "")
        + &sink("dead", "app", &dead.url(), "buffer.max_size = '8MiB'");
    let agent = site.start(&text);
    site.write("a.log", 0..20_000);
    alive.wait_for_all(20_000).await;
    assert_eq!((dead.look(World::len), agent.discarded("dead", "buffer_full")), (0, 0));
    dead.heal();
    agent.stop(Duration::ZERO).await;
    let _agent = site.start(&text);
    dead.wait_for_all(20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_sink_that_drops_costs_its_sibling_nothing() {
    let (site, alive, full) = (Site::new(), Peer::start(), Peer::start());
    full.script(|_, _| Act::Stall);
    let text = source(&site, "app", "*.log").replace("decoding", "max_read_bytes = 4096\ndecoding")
        + &sink("alive", "app", &alive.url(), "")
        + &sink("full", "app", &full.url(), &format!("{SMALL}\nbuffer.when_full = 'drop_newest'"));
    let agent = site.start(&text);
    site.write("a.log", 0..20_000);
    alive.wait_for_all(20_000).await;
    assert!(agent.discarded("full", "buffer_full") > 0);
    assert_eq!(agent.discarded("alive", "buffer_full"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_sink_without_acknowledgements() {
    let (site, alive, dead) = (Site::new(), Peer::start(), Peer::start());
    dead.script(|_, _| Act::Stall);
    let text = source(&site, "app", "*.log")
        + &sink("alive", "app", &alive.url(), "")
        + &sink("dead", "app", &dead.url(), "acknowledgements.enabled = false");
    let agent = site.start(&text);
    site.write("a.log", 0..2_000);
    alive.wait_for_all(2_000).await;
    dead.wait("a request that stalls", |world| !world.requests.is_empty()).await;
    agent.wait_for_health("alive").await;
    agent.stop(Duration::ZERO).await;
    // What it did not take is not read again.
    dead.heal();
    let _agent = site.start(&text);
    site.write("a.log", 2_000..2_010);
    alive.wait_for_all(2_010).await;
    // A request of the first agent may have been on its way still.
    dead.wait("the new ones", |world| (2_000..2_010).all(|number| world.numbers().contains(&number))).await;
    let sent: usize = alive.look(|world| world.requests.iter().map(|request| request.items.len()).sum());
    assert_eq!(sent, 2_010, "nothing came twice");
}

/// Bytes of memory, and a tenth of what there is to read.
const LITTLE: usize = 2 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_sink_stopped_memory_stays_within_its_limit_and_all_arrives_afterwards() {
    const FILES: u64 = 8;
    const EACH: u64 = 2_600;
    let (site, one, other) = (Site::new(), Peer::start(), Peer::start());
    one.script(|_, _| Act::Stall);
    other.script(|_, _| Act::Answer(503, &[], ""));
    let pad = "x".repeat(1_000);
    for file in 0..FILES {
        let line = |n: u64| format!("{{\"n\":{n},\"pad\":\"{pad}\"}}\n");
        site.append(&format!("{file}.log"), &(file * EACH..(file + 1) * EACH).map(line).collect::<String>());
    }
    let more = "buffer.max_size = '256KiB'\nbatch.max_bytes = 65536\nrequest.timeout_secs = 0.5";
    let text = source(&site, "app", "*.log")
        + &sink("one", "app", &one.url(), more)
        + &sink("other", "app", &other.url(), more);
    let agent = site.start_within(LITTLE, &text);
    let (mut most, mut before, mut same) = (0, 0, 0);
    // Nothing more is read when as many looks as make a second show the same.
    wait::until("the sources to wait", || {
        most = most.max(agent.budget.used());
        let read = agent.figure("levada_component_received_bytes_total", "app", None);
        same = if read == before && read > 0 { same + 1 } else { 0 };
        before = read;
        same > 300
    })
    .await;
    assert!(before < FILES * EACH * 1_000 / 2, "the sources wait: {before} bytes were read");
    // A body that is on its way is charged though there is no room: one for each sink, and what it was made of is copied.
    assert!(most <= LITTLE + (1 << 20), "{most} bytes");
    one.heal();
    other.heal();
    one.wait_for_all(FILES * EACH).await;
    other.wait_for_all(FILES * EACH).await;
    for sink in ["one", "other"] {
        agent.wait_for_health(sink).await;
        assert!(agent.figure("levada_adaptive_concurrency_limit", sink, None) >= 4, "as many at once as before");
    }
    wait::until("memory to come back", || agent.budget.used() < LITTLE / 2).await;
}
