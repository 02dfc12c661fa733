//! The global `[scrub]`: what it masks is in no dead letter and at no sink, whatever becomes of the record.

use crate::agent::{Site, sink, source};
use crate::peer::Peer;

const MAIL: &str = "ines@mail.example.org";
fn write(site: &Site) {
    site.append("a.log", &format!("{{\"n\":1,\"mail\":\"{MAIL}\"}}\nno JSON, but {MAIL}\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_global_scrub_comes_first() {
    let (site, peer) = (Site::new(), Peer::start());
    peer.judge(|item| (item.document["n"] == 1).then_some((400, "document_parsing_exception", "no")));
    write(&site);
    let text = format!(
        "[scrub]\nprofile = 'default'\n{}",
        source(&site, "app", "*.log") + &sink("out", "app", &peer.url(), "")
    );
    let agent = site.start(&text);
    agent.wait_for_letters(1).await;
    let letters = agent.letters_text();
    peer.wait("the line", |world| world.len() == 1).await;
    let stored = peer.look(|world| format!("{:?}", world.stored));
    assert!(!letters.contains(MAIL) && letters.contains("[REDACTED]"), "{letters}");
    assert!(!stored.contains(MAIL) && stored.contains("[REDACTED]"), "{stored}");
    assert_eq!(agent.figure("levada_scrubbed_values_total", "app", Some(("detector", "email"))), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_exempt_passes_as_it_came() {
    let (site, peer) = (Site::new(), Peer::start());
    write(&site);
    let text = "[scrub]\nexempt = ['app']\n".to_owned()
        + &source(&site, "app", "*.log")
        + &sink("out", "app", &peer.url(), "");
    let agent = site.start(&text);
    peer.wait("both", |world| world.len() == 2).await;
    let stored = peer.look(|world| format!("{:?}", world.stored));
    assert_eq!(stored.matches(MAIL).count(), 2, "{stored}");
    assert_eq!(agent.figure("levada_scrubbed_values_total", "app", None), 0);
}
