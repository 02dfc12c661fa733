//! `levada demo` as a newcomer runs it, at the end of a pipe.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::peer::{Peer, World};

fn demo(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
    command.arg("demo").args(arguments).env_remove("COLUMNS");
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn end(mut child: Child, mut shown: String) -> (ExitStatus, String) {
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    (child.wait().unwrap(), shown)
}

/// What a demo shows that is interrupted when it has shown all these.
fn interrupted_after(sights: &[&str]) -> (ExitStatus, String) {
    let mut child = demo(&["--seconds", "600"]);
    let mut shown = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    while !sights.iter().all(|sight| shown.contains(sight)) {
        assert!(lines.read_line(&mut shown).unwrap() > 0, "it ended:\n{shown}");
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    lines.read_to_string(&mut shown).unwrap();
    (child.wait().unwrap(), shown)
}

/// The figure at the end of the row that begins with `words`.
fn figure(shown: &str, words: &str) -> u64 {
    let rows = shown.lines().filter_map(|line| line.trim().strip_prefix(words));
    rows.filter_map(|rest| rest.split_whitespace().next()?.replace(',', "").parse::<u64>().ok()).sum()
}

fn assert_adds_up(status: ExitStatus, shown: &str) {
    assert!(status.success(), "{shown}");
    let written = figure(shown, "written by the services");
    let dropped = figure(shown, "left out by `no_debug`") + figure(shown, "sampled away by `few_health_checks`");
    assert!(written > 0 && dropped > 0, "{shown}");
    assert_eq!(figure(shown, "delivered") + dropped, written, "{shown}");
}

#[test]
fn in_a_pipe_it_is_plain_and_adds_up() {
    let (status, shown) = interrupted_after(&["e-mail addresses", "a bearer token", "a payment card"]);
    assert_adds_up(status, &shown);
    assert!(!shown.contains(['\x1b', '\r']), "{shown:?}");
    let widest = shown.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} columns:\n{shown}");
}

#[test]
fn control_c_ends_it_with_the_sum() {
    let (status, shown) = interrupted_after(&["as it leaves"]);
    assert_adds_up(status, &shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_sends_is_what_it_says() {
    let peer = Peer::start();
    let child = demo(&["--seconds", "1", "--to", &peer.url()]);
    let (status, shown) = tokio::task::spawn_blocking(move || end(child, String::new())).await.unwrap();
    assert!(status.success(), "{shown}");
    let (stored, arrived) = (peer.look(World::len) as u64, format!("delivered to {}", peer.url()));
    assert!(stored > 0 && figure(&shown, &arrived) == stored, "{stored}: {shown}");
    assert_adds_up(status, &shown.replace(&arrived, "delivered"));
    assert!(shown.contains("a bearer token"), "the cards are shown all the same:\n{shown}");
}

#[test]
fn an_address_that_is_none_is_an_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
    let output = command.args(["demo", "--to", "localhost"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`localhost` is no address"));
}
