//! Whose turn it is: rates, and more for what may soon be gone.

use std::fs;

use super::Bench;
use super::engine::Engine;
use crate::component::reason::Reason;
use crate::component::test_kit::Catcher;

/// A bench whose file is named, not found by a pattern.
fn named(settings: &str) -> (Bench, Catcher) {
    (Bench::with(&format!("include = [\"LOGSapp.log\"]\n{settings}")), Catcher::default())
}

#[test]
fn what_is_beyond_a_rate_limit_waits_or_is_dropped_and_counted() {
    for (what, arrives) in [("delay", 10), ("drop", 2)] {
        let limit = format!("rate_limit = {{ bytes_per_sec = 10, when_exceeded = \"{what}\" }}\nmax_read_bytes = 10");
        let (bench, outlet) = named(&limit);
        bench.append("app.log", "line\n".repeat(10));
        let mut engine = Engine::start(&bench, &outlet);
        engine.look();
        for _ in 0..20 {
            engine.turn();
        }
        assert_eq!(outlet.lines().len(), 2, "a second's worth");
        engine.settle();
        engine.settle();
        assert_eq!(outlet.lines().len(), arrives, "{what}");
        let dropped = engine.job.meters.discarded_events(Reason::Throttled);
        assert_eq!(dropped as usize, 10 - arrives);
    }
}

#[test]
fn a_writer_that_is_always_too_fast_gets_through_what_the_limit_allows() {
    let (bench, outlet) = named("rate_limit = { bytes_per_sec = 10, when_exceeded = \"drop\" }\nmax_read_bytes = 10");
    let mut engine = Engine::start(&bench, &outlet);
    for second in 1..=5 {
        bench.append("app.log", "line\n".repeat(10));
        engine.look();
        for _ in 0..12 {
            engine.turn();
        }
        assert_eq!(outlet.lines().len(), 2 * second);
    }
    assert_eq!(engine.job.meters.discarded_events(Reason::Throttled), 40);
}

#[test]
fn what_may_soon_be_gone_has_four_times_as_much_of_a_turn() {
    let (bench, outlet) = (Bench::with("max_read_bytes = 10"), Catcher::default());
    bench.append("here.log", "here\n".repeat(100));
    bench.append("gone.log", "gone\n".repeat(100));
    let mut engine = Engine::start(&bench, &outlet);
    engine.look();
    fs::rename(bench.path("gone.log"), bench.path("gone.log.1")).unwrap();
    engine.look();
    engine.turn();
    let count = |text: &str| outlet.lines().iter().filter(|line| *line == text).count();
    assert_eq!((count("here"), count("gone")), (2, 8));
}

#[test]
fn a_younger_file_of_a_path_waits_for_the_older() {
    let (bench, outlet) = named("max_read_bytes = 4");
    outlet.refuse(|record| record.text() == b"002");
    bench.append("app.log", "001\n002\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.append("app.log", "003\n");
    engine.settle();
    assert_eq!(outlet.lines(), ["001"], "002 waits, and so does what came after it");
    outlet.accept_all();
    engine.settle();
    assert_eq!(outlet.lines(), ["001", "002", "003"]);
}
