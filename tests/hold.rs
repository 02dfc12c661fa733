//! What waits for a person: refused credentials hold the sink, a refused index holds only itself.

use crate::agent::{Site, pipeline, sink, source};
use crate::peer::{Act, Peer};

const UNAUTHORISED: &str = "{\"error\":{\"type\":\"security_exception\",\"reason\":\"unable to authenticate user\"}}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_hold_the_sink_until_they_are_right() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.script(|_, _| Act::Answer(401, &[], UNAUTHORISED));
    site.write("a.log", 0..50);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    let why = agent.wait_for_trouble("out").await;
    assert!(
        why.contains("credentials") && why.contains("unable to authenticate user") && why.contains("auth"),
        "{why}"
    );
    peer.heal();
    peer.wait_for_all(50).await;
    agent.wait_for_health("out").await;
    let asked = peer.look(|world| world.requests.len());
    assert!(asked <= 3, "probes are rare, it was asked {asked} times");
    assert_eq!(agent.letters(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_we_may_not_write_to_holds_only_itself() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.judge(|item| (item.index == "logs-shut").then_some((403, "security_exception", "not for you")));
    let text =
        source(&site, "app", "*.log") + &sink("out", "app", &peer.url(), "").replace("'logs'", "'logs-{{ file }}'");
    site.write("shut.log", 0..20);
    site.write("open.log", 20..40);
    let agent = site.start(&text);
    peer.wait("the open index", |world| world.len() == 20).await;
    let why = agent.wait_for_trouble("out").await;
    assert!(why.contains("403"), "{why}");
    site.write("open.log", 40..60);
    peer.wait("what goes on", |world| world.len() == 40).await;
    assert_eq!(peer.look(|world| world.stored.keys().cloned().collect::<Vec<_>>()), ["logs-open"]);
    peer.heal();
    peer.wait_for_all(60).await;
    agent.wait_for_health("out").await;
    assert_eq!(agent.letters(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_not_there_is_waited_for() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.judge(|_| Some((404, "index_not_found_exception", "no such index")));
    site.write("a.log", 0..5);
    let agent = site.start(&pipeline(&site, &peer.url(), ""));
    let why = agent.wait_for_trouble("out").await;
    assert!(why.contains("404"), "{why}");
    peer.heal();
    peer.wait_for_all(5).await;
    agent.wait_for_health("out").await;
}
