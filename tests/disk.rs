//! Disk buffers: what is stored is delivered, whatever the sink and the agent do meanwhile.

use std::time::Duration;

use crate::agent::{Site, pipeline};
use crate::peer::{Act, Peer, World};

const ENOUGH: Duration = Duration::from_secs(20);

fn on_disk(site: &Site, peer: &Peer, more: &str) -> String {
    let buffer = format!("buffer.type = 'disk'\nbuffer.max_size = '64MiB'\n{more}");
    format!("min_free = '0%'\n{}", pipeline(site, &peer.url(), &buffer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_down_costs_nothing_and_an_end_loses_and_repeats_nothing() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let text = on_disk(&site, &peer, "");
    let agent = site.start(&text);
    site.write("a.log", 0..3_000);
    let stored = || agent.figure("levada_buffer_events", "out", None);
    crate::wait::until("the records on the disk", || stored() == 3_000).await;
    agent.stop(Duration::ZERO).await;
    // The log is gone: what is delivered now comes from the buffer.
    std::fs::remove_file(site.log("a.log")).unwrap();
    let agent = site.start(&text);
    site.write("b.log", 3_000..4_000);
    peer.wait("an attempt", |world| !world.requests.is_empty()).await;
    peer.heal();
    peer.wait_for_all(4_000).await;
    agent.wait_for_health("out").await;
    let left = agent.stop(ENOUGH).await;
    assert_eq!(left, levada::topology::Leftover::default());
    let agent = site.start(&text);
    site.write("c.log", 4_000..4_010);
    peer.wait_for_all(4_010).await;
    let sent = || agent.figure("levada_component_sent_events_total", "out", None);
    crate::wait::until("the count", || sent() > 0).await;
    assert_eq!(sent(), 10, "the rest was settled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_at_once_in_the_middle_lose_and_repeat_nothing() {
    let (site, peer) = (Site::new(), Peer::start());
    let text = on_disk(&site, &peer, "batch.max_events = 50").replace("decoding", "max_read_bytes = 2048\ndecoding");
    for round in 0..6_u64 {
        peer.script(|number, _| if number % 3 == 0 { Act::TakeAndCut } else { Act::Take });
        site.write("a.log", round * 500..(round + 1) * 500);
        let agent = site.start(&text);
        let enough = round as usize * 250 + 100;
        peer.wait("some of it", |world| world.len() > enough).await;
        agent.stop(Duration::from_millis(round % 3 * 20)).await;
    }
    let _agent = site.start(&text);
    peer.wait_for_all(3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_sink_takes_its_buffer_over() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let mut agent = site.start(&on_disk(&site, &peer, ""));
    site.write("a.log", 0..500);
    crate::wait::until("the records on the disk", || agent.figure("levada_buffer_events", "out", None) == 500).await;
    agent.reload(&on_disk(&site, &peer, "batch.max_events = 7\nbuffer.compression = 'zstd'")).unwrap();
    site.write("a.log", 500..700);
    peer.heal();
    peer.wait_for_all(700).await;
    assert!(peer.look(|world: &World| world.len()) == 700);
}
