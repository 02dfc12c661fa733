//! Reload: what changed is swapped, what did not change does not notice, and a failed reload changes nothing.

use std::time::Duration;

use crate::agent::{Site, pipeline, sink, source};
use crate::peer::{Act, Peer, World};

const ENOUGH: Duration = Duration::from_secs(20);

/// All logs, marked with `mark`, into one sink.
fn marked(site: &Site, url: &str, mark: u64, more: &str) -> String {
    source(site, "app", "*.log")
        + &format!("[transforms.mark]\ntype = 'enrich'\ninputs = ['app']\nfields.mark = {mark}\n")
        + &sink("out", "mark", url, more)
}

fn marks(world: &World) -> Vec<u64> {
    let mut marks: Vec<_> = world.stored["logs"].values().map(|document| document["mark"].as_u64().unwrap()).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_step_takes_the_next_records_and_the_source_does_not_notice() {
    let (site, peer) = (Site::new(), Peer::start());
    site.write("a.log", 0..100);
    let mut agent = site.start(&marked(&site, &peer.url(), 1, ""));
    peer.wait_for_all(100).await;
    agent.reload(&marked(&site, &peer.url(), 2, "")).unwrap();
    site.write("a.log", 100..200);
    peer.wait_for_all(200).await;
    assert_eq!(peer.look(marks), [1, 2]);
    assert_eq!(agent.figure("levada_component_received_events_total", "app", None), 200, "none is read twice");
    let sent = peer.look(|world| world.requests.iter().map(|request| request.items.len()).sum::<usize>());
    assert_eq!(sent, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_reloads_under_load_lose_and_repeat_nothing() {
    let (site, peer) = (Site::new(), Peer::start());
    let mut agent = site.start(&marked(&site, &peer.url(), 0, ""));
    for round in 0..200_u64 {
        site.write("a.log", round * 50..round * 50 + 25);
        agent.reload(&marked(&site, &peer.url(), round + 1, "")).unwrap();
        site.write("b.log", round * 50 + 25..(round + 1) * 50);
        if round == 100 {
            peer.wait("what was read so far", |world| !world.requests.is_empty()).await;
        }
        tokio::task::yield_now().await;
    }
    peer.wait_for_all(10_000).await;
    assert!(peer.look(marks).len() > 1);
    assert_eq!(agent.figure("levada_component_received_events_total", "app", None), 10_000);
    agent.stop(ENOUGH).await;
    let sent = peer.look(|world| world.requests.iter().map(|request| request.items.len()).sum::<usize>());
    assert_eq!(sent, 10_000, "not even offered twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_changes_of_the_sink_under_load_lose_and_repeat_nothing() {
    let (site, peer) = (Site::new(), Peer::start());
    let text = |round: u64| marked(&site, &peer.url(), 0, &format!("batch.max_events = {}", 10 + round));
    let mut agent = site.start(&text(0));
    for round in 0..200_u64 {
        site.write("a.log", round * 50..(round + 1) * 50);
        agent.reload(&text(round + 1)).unwrap();
        tokio::task::yield_now().await;
    }
    peer.wait_for_all(10_000).await;
    assert_eq!(agent.figure("levada_component_received_events_total", "app", None), 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_sink_takes_its_queue_over() {
    let (site, stuck, well) = (Site::new(), Peer::start(), Peer::start());
    stuck.script(|_, _| Act::Stall);
    site.write("a.log", 0..1_000);
    let more = "batch.max_events = 100\nrequest.concurrency = 1";
    let mut agent = site.start(&pipeline(&site, &stuck.url(), more));
    stuck.wait("a request", |world| !world.requests.is_empty()).await;
    site.write("b.log", 1_000..1_100);
    let queued = || agent.figure("levada_component_received_events_total", "out", None) == 1_100;
    crate::wait::until("records in the queue", queued).await;
    agent.reload(&pipeline(&site, &well.url(), more)).unwrap();
    // What the old one did not begin comes at once; what it has in hand when its time is over.
    well.wait("the queue", |world| world.numbers().contains(&1_099)).await;
    well.wait_for_all(1_100).await;
    agent.wait_for_health("out").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_retries_cannot_hang_a_reload() {
    let (site, dead, well) = (Site::new(), Peer::refusing(), Peer::start());
    site.write("a.log", 0..1_000);
    let mut agent = site.start(&pipeline(&site, &dead.url(), "buffer.max_size = 20000"));
    agent.wait_for_trouble("out").await;
    agent.reload(&pipeline(&site, &well.url(), "")).unwrap();
    well.wait_for_all(1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_sink_that_is_removed_sets_its_streams_free() {
    let (site, dead, well) = (Site::new(), Peer::refusing(), Peer::start());
    let source = source(&site, "app", "*.log").replace("decoding", "max_read_bytes = 4096\ndecoding");
    let both = source.clone()
        + &sink("well", "app", &well.url(), "")
        + &sink("dead", "app", &dead.url(), "buffer.max_size = 20000");
    site.write("a.log", 0..10_000);
    let mut agent = site.start(&both);
    agent.wait_for_trouble("dead").await;
    agent.reload(&(source + &sink("well", "app", &well.url(), ""))).unwrap();
    well.wait("all records", |world| world.numbers() == (0..10_000).collect::<Vec<_>>()).await;
    // What the dead one had in hand is read again: these are the same records, though they have one reader less now.
    let received = || agent.figure("levada_component_received_events_total", "app", None);
    crate::wait::until("a record is read again", || received() > 10_000).await;
    agent.stop(ENOUGH).await;
    assert_eq!(well.look(World::len), 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_reload_changes_nothing() {
    let (site, peer, other) = (Site::new(), Peer::start(), Peer::start());
    site.write("a.log", 0..100);
    let mut agent = site.start(&marked(&site, &peer.url(), 1, ""));
    peer.wait_for_all(100).await;
    let no_folder = site.log("a.log");
    let broken = marked(&site, &other.url(), 2, "")
        + &source(&site, "more", "*.txt")
            .replace("decoding", &format!("data_dir = '{}'\ndecoding", no_folder.display()));
    let why = agent.reload(&broken).unwrap_err();
    assert!(why.contains("more") && why.contains("cannot keep positions"), "{why}");
    site.write("a.log", 100..200);
    peer.wait_for_all(200).await;
    assert_eq!((peer.look(marks), other.look(World::len)), (vec![1], 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_source_goes_on_where_it_was() {
    let (site, peer) = (Site::new(), Peer::start());
    site.write("a.log", 0..100);
    let mut agent = site.start(&pipeline(&site, &peer.url(), ""));
    peer.wait_for_all(100).await;
    let changed =
        pipeline(&site, &peer.url(), "").replace("glob_minimum_cooldown_ms = 50", "glob_minimum_cooldown_ms = 40");
    agent.reload(&changed).unwrap();
    site.write("a.log", 100..200);
    peer.wait_for_all(200).await;
    let sent = peer.look(|world| world.requests.iter().map(|request| request.items.len()).sum::<usize>());
    assert_eq!(sent, 200);
}
