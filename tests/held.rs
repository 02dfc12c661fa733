//! Steps that hold records: killed in the middle, one behind the other, and duplicates over a bad line.

use std::collections::BTreeSet;
use std::time::Duration;

use levada::topology::Leftover;

use crate::agent::{Site, sink, source};
use crate::peer::{Act, Peer, World};

const ENOUGH: Duration = Duration::from_secs(20);

/// A step that merges the records of a file; `more` are settings of its own.
fn reduce(id: &str, input: &str, more: &str) -> String {
    format!(
        "[transforms.{id}]\ntype = 'reduce'\ninputs = ['{input}']\ngroup_by = ['file']\nexpire_after_ms = 86400000\n{more}\n"
    )
}

/// The numbers of all members of what is stored.
fn members(world: &World) -> Vec<u64> {
    let documents = world.stored.values().flat_map(|index| index.values());
    let numbers = |document: &serde_json::Value| {
        let list = document["all"].as_array().expect("a list").clone();
        list.into_iter().map(|number| number.as_u64().expect("a number"))
    };
    let mut all: Vec<u64> = documents.flat_map(numbers).collect();
    all.sort_unstable();
    all
}

const LIST: &str = "merge_strategies.all = 'array'\n";

fn line(number: u64, file: &str) -> String {
    format!("{{\"n\":{number},\"all\":{number},\"file\":\"{file}\"}}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_held_at_an_end_at_once_is_read_again() {
    let (site, peer) = (Site::new(), Peer::start());
    let text = source(&site, "app", "*.log")
        + &reduce("whole", "app", &format!("{LIST}max_events = 10"))
        + &sink("out", "whole", &peer.url(), "");
    let lines = |numbers: std::ops::Range<u64>| numbers.map(|number| line(number, "a")).collect::<String>();
    site.append("a.log", &lines(0..25));
    let agent = site.start(&text);
    peer.wait("whole groups", |world| members(world).len() == 20).await;
    let taken = || agent.figure("levada_component_received_events_total", "whole", None);
    crate::wait::until("the open group", || taken() == 25).await;
    // At once: there is no time for what is held.
    agent.stop(Duration::ZERO).await;
    site.append("a.log", &lines(25..30));
    let agent = site.start(&text);
    peer.wait("the open group", |world| BTreeSet::from_iter(members(world)).len() == 30).await;
    assert_eq!(agent.stop(ENOUGH).await, Leftover::default());
    // The groups that were whole before are the same ones again, so they have the same ids. The open one may have
    // arrived in the moment of the end; it is another one now.
    let whole = |world: &World| members(world).into_iter().filter(|number| *number < 20).collect::<Vec<_>>();
    peer.look(|world| assert_eq!(whole(world), (0..20).collect::<Vec<_>>(), "each once"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_steps_in_a_row_end_one_after_the_other() {
    let (site, peer) = (Site::new(), Peer::start());
    let text = source(&site, "app", "*.log")
        + &reduce("few", "app", &format!("{LIST}max_events = 3"))
        + &reduce("many", "few", "merge_strategies.all = 'concat'\n")
        + &sink("out", "many", &peer.url(), "");
    site.append("a.log", &(0..20).map(|number| line(number, "a")).collect::<String>());
    site.append("b.log", &(20..40).map(|number| line(number, "b")).collect::<String>());
    let agent = site.start(&text);
    let taken = || agent.figure("levada_component_received_events_total", "few", None);
    crate::wait::until("all lines", || taken() == 40).await;
    assert_eq!(agent.stop(ENOUGH).await, Leftover::default());
    peer.look(|world| assert_eq!(members(world), (0..40).collect::<Vec<_>>()));
    // All of it is committed.
    let agent = site.start(&text);
    site.append("a.log", &line(40, "a"));
    crate::wait::until("the new line", || agent.figure("levada_component_received_events_total", "few", None) == 1)
        .await;
    agent.stop(ENOUGH).await;
    peer.look(|world| assert_eq!(members(world), (0..41).collect::<Vec<_>>()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_down_makes_the_step_wait_and_its_source_with_it() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(503, &[], ""));
    let small = "buffer.max_size = 2000\n";
    let text = source(&site, "app", "a.log")
        + &source(&site, "other", "b.log")
        + &reduce("whole", "app", &format!("{LIST}max_events = 2\n{small}"))
        + &sink("out", "whole", &peer.url(), &format!("{small}batch.max_events = 5"))
        + "[sinks.free]\ntype = 'blackhole'\ninputs = ['other']\n";
    site.append("a.log", &(0..4_000).map(|number| line(number, "a")).collect::<String>());
    let agent = site.start(&text);
    peer.wait("requests", |world| !world.requests.is_empty()).await;
    site.append("b.log", &(0..500).map(|number| line(number, "b")).collect::<String>());
    let free = || agent.figure("levada_component_sent_events_total", "free", None);
    crate::wait::until("the other stream", || free() == 500).await;
    assert!(peer.look(World::len) == 0, "nothing is stored yet");
    peer.heal();
    peer.wait("all of it", |world| members(world).len() >= 4_000).await;
    assert_eq!(agent.stop(ENOUGH).await, Leftover::default());
    peer.look(|world| assert_eq!(members(world), (0..4_000).collect::<Vec<_>>()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_of_two_files_is_stored_once_over_a_bad_line() {
    const EVENTS: u64 = 3_000;
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|number, _| match number % 4 {
        0 => Act::TakeAndCut,
        1 => Act::Answer(503, &[], ""),
        _ => Act::Take,
    });
    let text = source(&site, "app", "*.log").replace("decoding", "max_read_bytes = 2048\ndecoding")
        + "[transforms.once]\ntype = 'dedupe'\ninputs = ['app']\nfields.match = ['n']\n"
        + &sink("out", "once", &peer.url(), "batch.max_events = 50");
    site.write("a.log", 0..EVENTS);
    site.write("b.log", 0..EVENTS);
    let agent = site.start(&text);
    peer.wait("every event", |world| world.len() as u64 >= EVENTS).await;
    assert_eq!(agent.stop(ENOUGH).await, Leftover::default());
    peer.look(|world| assert_eq!(world.numbers(), (0..EVENTS).collect::<Vec<_>>(), "each once"));
}
