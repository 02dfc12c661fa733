//! Who may write what: unknown users hold the whole sink, a restricted key holds one index.

use std::fs::File;
use std::io::Write;

use serde_json::json;

use crate::agent::Home;
use crate::is_asked;
use crate::lines;
use crate::server::{Kind, shared};
use crate::store::PASSWORD;

/// The user appears later: the sink waits, says so once, and goes on by itself.
#[test]
fn refused_credentials_hold_everything_until_they_are_known() {
    if !is_asked("refused_credentials_hold_everything_until_they_are_known") {
        return;
    }
    let (server, home) = (shared(Kind::ElasticsearchBasic), Home::new());
    let store = server.store();
    lines::append(&home.input(), 0..200, lines::plain);

    let agent = home.start(
        server,
        &format!(
            "bulk.index = \"held\"\nbatch.max_events = 50\n\
             auth = {{ strategy = \"basic\", user = \"late\", password = \"{PASSWORD}\" }}"
        ),
    );
    agent.wait("the agent to tell of it", || home.log().contains("401"));
    assert_eq!(store.count("held"), 0);

    // The same password as the user that is there: its hash is copied.
    let users = std::fs::read_to_string(server.config("users")).unwrap();
    let hash = users.lines().find_map(|line| line.strip_prefix("agent:")).unwrap();
    append_line(server, "users_roles", "superuser:late");
    append_line(server, "users", &format!("late:{hash}"));
    agent.wait("all lines to arrive", || store.count("held") >= 200);
    agent.stop();

    store.assert_has_each_once("held", 200);
    assert!(home.dead_letters().is_empty());
    let complaints = home.log().lines().filter(|line| line.contains("401")).count();
    assert_eq!(complaints, 1, "{}", home.log());
    assert!(!home.log().contains(PASSWORD));
}

fn append_line(server: &crate::server::Server, name: &str, line: &str) {
    let mut file = File::options().append(true).open(server.config(name)).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// An API key for one index: records for others are held, those for it go on.
#[test]
fn a_restricted_key_holds_only_what_it_may_not_write() {
    if !is_asked("a_restricted_key_holds_only_what_it_may_not_write") {
        return;
    }
    let (server, home) = (shared(Kind::ElasticsearchBasic), Home::new());
    let store = server.store();
    for index in ["key-open", "key-closed"] {
        store.put(&format!("/{index}"), &json!({}));
    }
    let role = json!({ "indices": [{ "names": ["key-open"], "privileges": ["create_doc"] }] });
    let key = store.post("/_security/api_key", &json!({ "name": "agent", "role_descriptors": { "writer": role } }));
    let door = |number: u64| format!(",\"door\":\"{}\"", if number < 500 { "open" } else { "closed" });
    lines::append(&home.input(), 0..1000, door);

    let agent = home.start(
        server,
        &format!(
            "bulk.index = \"key-{{{{ door }}}}\"\nbatch.max_events = 100\n\
             auth = {{ strategy = \"api_key\", key = {} }}",
            key["encoded"]
        ),
    );
    agent.wait("the agent to tell of it", || home.log().contains("403 security_exception"));
    agent.wait("the open half to arrive", || store.count("key-open") >= 500);
    // More for the open index passes those that wait.
    lines::append(&home.input(), 1000..1001, |_| ",\"door\":\"open\"".to_owned());
    agent.wait("the line behind them to arrive", || store.count("key-open") >= 501);
    assert_eq!((store.count("key-open"), store.count("key-closed")), (501, 0));
    assert!(home.dead_letters().is_empty(), "what may pass later is no dead letter");
}
