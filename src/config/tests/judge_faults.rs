//! What components say of their own settings, as a person sees it.

use super::kit::{self, SINK, SOURCE, faults};
use insta::assert_snapshot;

#[test]
fn values_that_cannot_work() {
    let text = format!("{SOURCE}[sinks.out]\ntype = 'elasticsearch'\ninputs = ['in']\nendpoints = ['http://a', 'b']\n");
    assert_snapshot!(faults(&text), @r#"
    error[E024]: `endpoints[1]` in sink `out` cannot work
     --> levada.toml:8:26
      |
    8 | endpoints = ['http://a', 'b']
      |                          ^^^ `b` is no address

    1 error
    "#);
}

#[test]
fn programs_that_do_not_compile() {
    let work = "[transforms.work]\ntype = 'remap'\ninputs = ['in']\nsource = '''\n.a = 1\n.b = broken(.a)\n'''\n\n";
    let text = format!("{SOURCE}{work}{}", SINK.replace("'in'", "'work'"));
    assert_snapshot!(faults(&text), @r#"
    error[E025]: `source` in transform `work` does not compile
      --> levada.toml:10:6
       |
    10 | .b = broken(.a)
       |      ^^^^^^ there is no such function
       |
       = help: try `parse_json`

    1 error
    "#);
}

#[test]
fn doubtful_values_and_open_doors_are_warnings() {
    let sink = SINK.replace("127.0.0.1:9200", "public");
    let text = format!("api.address = '0.0.0.0:8686'\n\n{SOURCE}{sink}");
    assert!(kit::load(&text).plan.is_some());
    assert_snapshot!(faults(&text), @r#"
    warning[W003]: `api.address` in the global settings is open to the network
     --> levada.toml:1:15
      |
    1 | api.address = '0.0.0.0:8686'
      |               ^^^^^^^^^^^^^^ anyone who can reach this machine can read health and metrics here
      |
      = help: `127.0.0.1` keeps it to this machine

    warning[W002]: `endpoints[0]` in sink `out` may not do what was meant
      --> levada.toml:10:14
       |
    10 | endpoints = ['http://public']
       |              ^^^^^^^^^^^^^^^ `http://public` is sent in the clear

    2 warnings
    "#);
}

#[test]
fn an_address_that_is_none() {
    assert_snapshot!(faults(&format!("api.address = 'here'\n\n{SOURCE}{SINK}")), @r#"
    error[E024]: `api.address` in the global settings cannot work
     --> levada.toml:1:15
      |
    1 | api.address = 'here'
      |               ^^^^^^ expected an IP address and a port, such as `127.0.0.1:8686`

    1 error
    "#);
}

#[test]
fn nothing_to_do() {
    assert_snapshot!(faults("data_dir = '/var/lib/levada'\n"), @r#"
    error[E026]: the configuration has no source
     |
     = help: declare one: `[sources.NAME]` with a `type`: `file`, `opentelemetry`
     = help: `levada demo` shows a pipeline at work without any configuration

    error[E026]: the configuration has no sink
     |
     = help: declare one: `[sinks.NAME]` with a `type`: `blackhole`, `elasticsearch`
     = help: `levada demo` shows a pipeline at work without any configuration

    2 errors
    "#);
}

#[test]
fn values_of_variables_are_not_shown() {
    let text = format!("{SOURCE}{}", SINK.replace("http://127.0.0.1:9200", "user:${WORD}@host"));
    assert_snapshot!(faults(&text), @r#"
    error[E024]: `endpoints[0]` in sink `out` cannot work
     --> levada.toml:8:14
      |
    8 | endpoints = ['user:${WORD}@host']
      |              ^^^^^^^^^^^^^^^^^^^ `user:***@host` is no address

    1 error
    "#);
}

#[test]
fn a_problem_finds_keys_with_dots() {
    let text = format!("{SOURCE}{SINK}fields.\"a.b\" = 'x'\nfields.a = 'y'\n");
    let loaded = kit::load(&text);
    let plan = loaded.plan.expect("a plan");
    let place = |setting| loaded.sources.text(plan.sinks[0].section.place_of(setting));
    assert_eq!(place("fields.a.b"), "'x'");
    assert_eq!(place("fields.a"), "'y'");
    assert_eq!(place("fields.none"), place("fields"));
    assert_eq!(place("endpoints[7]"), place("endpoints"));
}

#[test]
fn a_default_of_a_variable_is_shown() {
    let shown = faults(&format!("{SOURCE}{}", SINK.replace("http://127.0.0.1:9200", "${NONE:-no address}")));
    assert!(shown.contains("`no address` is no address"), "{shown}");
}
