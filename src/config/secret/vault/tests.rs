//! A Vault in the process, as its HTTP API answers.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::delivery::test_peer::{Came, Peer};

fn settings(peer: &Peer, auth: &Json) -> VaultSettings {
    let endpoint = format!("http://{}", peer.address);
    let all = json!({ "endpoint": endpoint, "path": "teams/logging", "namespace": "ns", "auth": auth });
    serde_json::from_value(all).unwrap()
}

fn keys(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn header<'c>(came: &'c Came, name: &str) -> Option<&'c str> {
    came.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Answers to those who have the token.
fn answer(came: &Came) -> (u16, String) {
    let held = json!({ "data": { "data": { "password": "hunter2", "port": 9200, "list": [1] } } });
    let login = json!({ "auth": { "client_token": "short-lived" } });
    let body: Json = serde_json::from_slice(&came.body).unwrap_or_default();
    let known = ["good", "short-lived"].map(Some).contains(&header(came, "X-Vault-Token"));
    match came.uri.path() {
        "/v1/auth/kubernetes/login" if body == json!({ "role": "levada", "jwt": "jwt" }) => (200, login.to_string()),
        "/v1/secret/data/teams/logging" if known => (200, held.to_string()),
        "/v1/auth/token/revoke-self" if known => (204, String::new()),
        "/v1/secret/data/none" if known => (404, "{\"errors\":[]}".to_owned()),
        _ => (403, "{\"errors\":[\"permission denied\"]}".to_owned()),
    }
}

async fn asked(settings: &VaultSettings, names: &[&str]) -> Answers {
    fetch(settings, &keys(names), &Files::default()).await
}

#[tokio::test]
async fn a_token_reads_the_members_of_a_secret() {
    let peer = Peer::new(answer).await;
    let token = |token: &str| settings(&peer, &json!({ "strategy": "token", "token": token }));
    let answers = asked(&token("good"), &["password", "port", "list", "none"]).await.unwrap();
    assert_eq!(answers["password"], Ok("hunter2".to_owned()));
    assert_eq!(answers["port"], Ok("9200".to_owned()));
    assert!(answers["list"].is_err() && answers["none"].is_err());
    assert_eq!(header(&peer.came()[0], "X-Vault-Namespace"), Some("ns"));
    let why = asked(&token("bad"), &["password"]).await.unwrap_err();
    assert!(why.contains("refuses `secret/data/teams/logging`") && !why.contains("bad"), "{why}");
    let none = VaultSettings { path: "none".to_owned(), ..token("good") };
    assert!(asked(&none, &["password"]).await.unwrap_err().contains("has nothing under `secret/data/none`"));
}

#[tokio::test]
async fn a_pod_logs_in_and_gives_its_token_back() {
    let peer = Peer::new(answer).await;
    let folder = tempfile::tempdir().unwrap();
    let jwt_file = folder.path().join("token");
    fs::write(&jwt_file, "jwt\n").unwrap();
    let auth = |file: &std::path::Path| json!({ "strategy": "kubernetes", "role": "levada", "jwt_file": file });
    let answers = asked(&settings(&peer, &auth(&jwt_file)), &["password"]).await.unwrap();
    assert_eq!(answers["password"], Ok("hunter2".to_owned()));
    let paths: Vec<_> = peer.came().iter().map(|came| came.uri.path().to_owned()).collect();
    let wanted = ["/v1/auth/kubernetes/login", "/v1/secret/data/teams/logging", "/v1/auth/token/revoke-self"];
    assert_eq!(paths, wanted);
    let why = asked(&settings(&peer, &auth(&folder.path().join("none"))), &["password"]).await.unwrap_err();
    assert!(why.starts_with("cannot read `"), "{why}");
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_at_half_of_its_time() {
    let peer = Peer::new(|came| {
        let about = |ttl, renewable| json!({ "data": { "ttl": ttl, "renewable": renewable } });
        let body = match (came.uri.path(), header(came, "X-Vault-Token")) {
            ("/v1/auth/token/lookup-self", Some("root")) => about(0, false),
            ("/v1/auth/token/lookup-self", Some("batch")) => about(60, false),
            ("/v1/auth/token/lookup-self", Some("good")) => about(60, true),
            ("/v1/auth/token/renew-self", Some("good")) => json!({ "auth": { "lease_duration": 600 } }),
            _ => return (403, String::new()),
        };
        (200, body.to_string())
    })
    .await;
    let settings = settings(&peer, &json!({ "strategy": "token", "token": "good" }));
    let vault = Vault::new(&settings, &Files::default()).unwrap();
    assert_eq!(vault.renew("good").await, Ok(Some(Duration::from_mins(5))));
    assert_eq!(vault.renew("root").await, Ok(None));
    assert_eq!(vault.renew("batch").await, Ok(None));
    assert!(vault.renew("gone").await.unwrap_err().contains("refuses"));
}

#[test]
fn a_vault_that_is_not_there_is_told_with_its_address() {
    let endpoint = "http://127.0.0.1:1".to_owned();
    let auth = json!({ "strategy": "token", "token": "t0ken" });
    let settings: VaultSettings =
        serde_json::from_value(json!({ "endpoint": endpoint, "path": "a", "auth": auth })).unwrap();
    let why = ask(&settings, &keys(&["a"]), &Files::default()).unwrap_err();
    assert!(why.starts_with("cannot ask Vault at `http://127.0.0.1:1`") && !why.contains("t0ken"), "{why}");
    assert_eq!(settings.check("secret.v"), []);
    let bad = VaultSettings { endpoint: "vault:8200".to_owned(), ..settings };
    assert_eq!(bad.check("secret.v")[0].setting, "secret.v.endpoint");
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_does_not_answer_holds_no_renewal_up() {
    // It listens, and takes no connection up.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let auth = json!({ "strategy": "token", "token": "t0ken" });
    let settings: VaultSettings =
        serde_json::from_value(json!({ "endpoint": endpoint, "path": "a", "auth": auth, "timeout": 7 })).unwrap();
    let vault = Vault::new(&settings, &Files::default()).unwrap();
    let renewed = tokio::time::timeout(Duration::from_mins(1), vault.renew("t0ken")).await.expect("it comes back");
    assert!(renewed.unwrap_err().ends_with("did not answer within 7 s"));
}
