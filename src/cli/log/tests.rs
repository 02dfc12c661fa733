//! The log as whoever reads it sees it, on a clock that is moved by hand.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::dispatcher::{self, DefaultGuard, Dispatch};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, registry};

use super::filter;
use super::journal::Journal;
use super::line::Form;
use super::owner::Chosen;
use crate::component::meters::Label;
use crate::component::task;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log of this thread, as long as it is there.
struct Log {
    paper: Paper,
    journal: Journal,
    dispatch: Dispatch,
    _guard: DefaultGuard,
}

impl Log {
    fn new(form: Form, level: &str) -> Self {
        let paper = Paper::default();
        let journal = Journal::new(form, paper.clone());
        let filter = Chosen(filter(Some(level), |_| None).unwrap());
        let dispatch = Dispatch::new(registry().with(journal.clone().with_filter(filter)));
        let guard = dispatcher::set_default(&dispatch);
        Self { paper, journal, dispatch, _guard: guard }
    }

    /// What is written, without the times.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.paper.0.lock().unwrap().clone()).unwrap();
        let line = |line: &str| match line.split_once("Z\",") {
            Some((_, rest)) => rest.to_owned(),
            None => line.split_once("Z ").unwrap().1.to_owned(),
        };
        text.lines().map(line).collect()
    }
}

fn label(id: &str) -> Label {
    Label { id: id.to_owned(), kind: "sink", type_name: "http" }
}

fn refused(count: u64, code: &str) {
    tracing::warn!(count, code, "refused for good");
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_two_lines_in_both_forms() {
    let told = [
        (
            Form::Text,
            r#" WARN repeated 999 times in 10 s: refused for good code="x" repeated=999 component_id="out" component_kind="sink" component_type="http""#,
        ),
        (
            Form::Json,
            r#""level":"WARN","message":"repeated 999 times in 10 s: refused for good","code":"x","repeated":999,"component_id":"out","component_kind":"sink","component_type":"http","target":"levada::cli::log::tests"}"#,
        ),
    ];
    for (form, told) in told {
        let log = Log::new(form, "info");
        let telling = tokio::spawn(log.journal.clone().tell_repetitions());
        let span = label("out").span();
        for count in 0..1000 {
            span.in_scope(|| refused(count, "x"));
        }
        assert_eq!(log.lines().len(), 1, "the first comes at once, and alone");
        assert!(log.lines()[0].contains("count"), "{:?}", log.lines());
        tokio::time::sleep(Duration::from_millis(9_999)).await;
        assert_eq!(log.lines().len(), 1);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(log.lines()[1..], [told]);
        // The next one is new.
        span.in_scope(|| refused(0, "x"));
        assert_eq!(log.lines().len(), 3);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(log.lines().len(), 3, "one alone is not repeated");
        telling.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_written_at_once_and_numbers_do_not_count() {
    let log = Log::new(Form::Text, "info");
    let (one, other) = (label("one").span(), label("other").span());
    one.in_scope(|| refused(1, "x"));
    other.in_scope(|| refused(1, "x"));
    one.in_scope(|| refused(1, "y"));
    one.in_scope(|| tracing::warn!(count = 1, code = "x", "refused for good"));
    assert_eq!(log.lines().len(), 4, "another component, another word, another place in the program");
    one.in_scope(|| refused(2, "x"));
    assert_eq!(log.lines().len(), 4);
    refused(1, "x");
    refused(2, "x");
    refused(2, "x");
    assert_eq!(log.lines().len(), 6, "what is of no component is the same only as a whole");
    (0..3).for_each(|_| tracing::info!(act = "tap", "audit: records are shown"));
    assert_eq!(log.lines().len(), 9, "each look is told");
    tokio::time::sleep(Duration::from_secs(3)).await;
    log.journal.end();
    let told: Vec<_> = log.lines().split_off(9);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with(" WARN repeated 1 times in 3 s: refused for good code=\"x\""), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_no_first_line_is_held_back() {
    let log = Log::new(Form::Text, "info");
    let span = label("out").span();
    let long = "x".repeat(10_000);
    for turn in 0..2_000 {
        for _ in 0..2 {
            span.in_scope(|| tracing::error!("{long} {turn}"));
        }
    }
    assert_eq!(log.journal.remembered(), 256);
    log.journal.end();
    let lines = log.lines();
    let firsts = lines.iter().filter(|line| line.starts_with("ERROR x")).count();
    let repeated: Vec<_> = lines.iter().filter(|line| line.starts_with("ERROR repeated 1 times")).collect();
    assert_eq!((firsts, repeated.len()), (2_000, 2_000));
    assert!(repeated.iter().all(|line| line.len() < 1_000), "what is kept of a line is short");
}

#[tokio::test]
async fn every_line_says_whose_it_is() {
    let log = Log::new(Form::Json, "warn,levada::cli=error");
    let of = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(&format!("{{{line}")).unwrap();
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        [text("component_id"), text("component_kind"), text("component_type")].join(" ")
    };
    let (source, step) = (label("app").span(), label("step").span());
    source.in_scope(|| step.in_scope(|| tracing::error!("in a step")));
    source.in_scope(|| tracing::error!("behind it"));
    let work = source.in_scope(|| task::within(|| tracing::error!("on another thread")));
    let dispatch = log.dispatch.clone();
    std::thread::spawn(move || dispatcher::with_default(&dispatch, work)).join().unwrap();
    source.in_scope(|| tracing::error!(component_id = "other", "it names another"));
    source.in_scope(|| tracing::error!(component_id = "app", "it names itself"));
    tracing::error!("nobody's");
    source.in_scope(|| tracing::warn!("below the level"));
    let seen: Vec<_> = log.lines().iter().map(|line| of(line)).collect();
    assert_eq!(seen, ["step sink http", "app sink http", "app sink http", "other - -", "app sink http", "- - -"]);
}

#[tokio::test]
async fn text_moves_no_cursor_and_a_terminal_gets_colours() {
    let log = Log::new(Form::Text, "info");
    tracing::warn!(path = %"a\u{1b}[2Jb", quoted = "c\nd", number = 1.5, is = true, "one\ntwo");
    assert_eq!(log.lines(), [r#" WARN one\ntwo path=a\u{1b}[2Jb quoted="c\nd" number=1.5 is=true"#]);
    let log = Log::new(Form::Colored, "info");
    tracing::error!(a = 1, "red");
    let text = String::from_utf8(log.paper.0.lock().unwrap().clone()).unwrap();
    assert!(text.ends_with("\u{1b}[31mERROR\u{1b}[0m red \u{1b}[3ma\u{1b}[0m\u{1b}[2m=\u{1b}[0m1\n"), "{text:?}");
}

#[test]
fn the_flag_wins_over_the_variables() {
    let all = |name: &str| Some(if name == "LEVADA_LOG" { "debug" } else { "trace" }.to_owned());
    let rust = |name: &str| (name == "RUST_LOG").then(|| "trace".to_owned());
    let shown = |flag, variable: &dyn Fn(&str) -> Option<String>| {
        let shown = filter(flag, variable).unwrap().to_string();
        let own: Vec<_> = shown.split(',').filter(|part| *part != "vrl=off").collect();
        assert!(own.len() < shown.split(',').count(), "VRL would quote records: {shown}");
        own.join(",")
    };
    assert_eq!(shown(Some("warn"), &all), "warn");
    assert_eq!(shown(None, &all), "debug");
    assert_eq!(shown(None, &rust), "trace");
    assert_eq!(shown(None, &|_| None), "info");
    let fault = filter(Some("loud=="), |_| None).unwrap_err();
    assert!(fault.starts_with("`loud==` in --log-level is no log level"), "{fault}");
    let fault = filter(Some("trac"), |_| None).unwrap_err();
    assert!(fault.starts_with("`trac` in --log-level is no log level; expected one of error"), "{fault}");
    assert_eq!(shown(Some("OFF"), &|_| None), "off");
}
