use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::component::meters::Families;
use crate::component::test_kit::context;
use crate::event::test_kit::Ledger;
use crate::event::{Origin, Outcome, Seen, StreamKey};
use crate::transforms::test_kit::{lines, problems, settings};

/// A step at work, with a clock that stands still.
struct Bench {
    step: Box<dyn Stateful>,
    meters: Meters,
    _families: Families,
    ledger: Arc<Ledger>,
    start: Instant,
    position: Mutex<u64>,
}

impl Bench {
    fn new(toml: &str) -> Self {
        let (families, context) = context(Path::new("unused"), 1 << 20);
        let meters = context.meters.clone();
        let settings: ReduceSettings = settings(toml);
        assert_eq!(settings.check(), []);
        let step = settings.build(context).unwrap().step;
        let (ledger, start) = (Arc::default(), Instant::now());
        Self { step, meters, _families: families, ledger, start, position: Mutex::new(0) }
    }

    fn batch(&self, lines: &[&str]) -> Batch {
        let mut position = self.position.lock().unwrap();
        *position += 100;
        self.batch_at(*position, lines)
    }

    fn batch_at(&self, position: u64, lines: &[&str]) -> Batch {
        let origin = Origin::new(StreamKey(7)).with_timestamp_keys(Arc::new(["time".into()]));
        let mut batch = Batch::new(lines.concat().into(), Arc::new(origin), self.ledger.receipt());
        let mut start = 0;
        for (at, line) in lines.iter().enumerate() {
            let seen = Seen { position: position + at as u64, time: 1_795_168_800_000_000_000 };
            if batch.fill().json(start, line.len(), seen).is_err() {
                batch.fill().text(start, line.len(), seen);
            }
            start += line.len();
        }
        batch
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn apply(&mut self, milliseconds: u64, lines: &[&str]) -> Vec<String> {
        let batch = self.batch(lines);
        self.apply_batch(milliseconds, batch)
    }

    fn apply_batch(&mut self, milliseconds: u64, batch: Batch) -> Vec<String> {
        let (now, mut ports) = (self.at(milliseconds), Ports::default());
        self.step.apply(batch, now, &mut ports);
        delivered(&mut ports)
    }

    fn wake(&mut self, milliseconds: u64) -> Vec<String> {
        let (now, mut ports) = (self.at(milliseconds), Ports::default());
        self.step.wake(now, &mut ports);
        delivered(&mut ports)
    }

    fn finish(&mut self) -> Vec<String> {
        let mut ports = Ports::default();
        self.step.finish(&mut ports);
        delivered(&mut ports)
    }

    fn due(&self) -> Option<u128> {
        self.step.due().map(|due| due.duration_since(self.start).as_millis())
    }
}

fn delivered(ports: &mut Ports) -> Vec<String> {
    let mut out = Vec::new();
    for (port, batch) in ports.take_named() {
        assert_eq!(port, 0);
        out.extend(lines(&batch));
        batch.settle(Outcome::Delivered);
    }
    out
}

#[test]
fn members_are_merged_by_their_form() {
    let mut bench = Bench::new("group_by = ['id']\nends_when = 'exists(.end)'");
    let first = r#"{"id":"a","s":"x","n":1,"f":0.5,"b":true,"z":null,"l":[1],"time":"2026-11-20T10:00:00Z","o":{"n":2,"s":"y"}}"#;
    let second =
        r#"{"id":"a","s":"q","n":41,"f":1,"b":false,"z":1,"l":[2],"time":"2026-11-20T10:00:05Z","o":{"n":3,"new":[]}}"#;
    assert_eq!(bench.apply(0, &[first, second]), [""; 0]);
    let out = bench.apply(0, &[r#"{"id":"\u0061","end":1}"#]);
    let merged = r#"{"id":"a","s":"x","n":42,"f":1.5,"b":true,"z":null,"l":[1],"time":"2026-11-20T10:00:00Z","time_end":"2026-11-20T10:00:05Z","o":{"n":5,"s":"y","new":[]},"end":1}"#;
    assert_eq!(out, [merged]);
    assert_eq!(bench.meters.discarded_events(Reason::Merged), 2);
    assert_eq!(bench.ledger.worst(), [(0, Outcome::Delivered), (1, Outcome::Delivered)]);
    assert_eq!(bench.due(), None);
}

#[test]
fn each_strategy_does_what_vectors_does() {
    let merged = |strategy: &str, values: &[&str]| {
        let mut bench = Bench::new(&format!("merge_strategies.v = '{strategy}'"));
        for value in values {
            assert_eq!(bench.apply(0, &[&format!("{{\"v\":{value}}}")]), [""; 0]);
        }
        let failed = bench.meters.error_count("merge_failed");
        let out = bench.finish();
        (out[0].strip_prefix("{\"v\":").unwrap_or("{}").trim_end_matches('}').to_owned(), failed)
    };
    for (strategy, values, expected, failed) in [
        ("array", &["1", "[2]", "\"x\""][..], "[1,[2],\"x\"]", 0),
        ("concat", &["\"a\\\"\"", "\"b\"", "1"], "\"a\\\" b\"", 1),
        ("concat", &["[1]", "[2,3]", "4", "[]"], "[1,2,3,4]", 0),
        ("concat_newline", &["\"a\"", "\"b\""], "\"a\\nb\"", 0),
        ("concat_raw", &["\"a\"", "\"b\"", "null"], "\"ab\"", 1),
        ("discard", &["1", "2"], "1", 0),
        ("retain", &["1", "2", "null"], "2", 0),
        ("flat_unique", &["[1,2,1]", "2", "\"2\"", "[3]"], "[1,2,\"2\",3]", 0),
        ("longest_array", &["[1]", "[2,3]", "[4,5]", "6"], "[2,3]", 1),
        ("shortest_array", &["[1,2]", "[2]", "[3]"], "[2]", 0),
        ("max", &["1.50", "12345678901234567890", "3", "\"9\""], "12345678901234567890", 1),
        ("min", &["1.50", "2", "1e0"], "1e0", 0),
        ("sum", &["9223372036854775807", "1"], "9223372036854775808", 0),
        ("sum", &["0.5", "1"], "1.5", 0),
        ("sum", &["\"x\"", "1"], "1", 1),
    ] {
        assert_eq!(merged(strategy, values), (expected.to_owned(), failed), "{strategy} of {values:?}");
    }
}

#[test]
fn strategies_reach_into_objects_and_cover_them() {
    let rules =
        "merge_strategies.\".a.b\" = 'max'\nmerge_strategies.o = 'array'\nmerge_strategies.'u.x' = 'flat_unique'";
    let mut bench = Bench::new(rules);
    bench.apply(0, &[r#"{"a":{"b":1,"c":1},"o":{"p":1},"u":{"x":{"k":1}}}"#, r#"{"a":{"b":7,"c":1},"o":{"p":2}}"#]);
    assert_eq!(bench.finish(), [r#"{"a":{"b":7,"c":2},"o":[{"p":1},{"p":2}],"u":{"x":[1]}}"#]);
    bench.apply(0, &[r#"{"a":1}"#, r#"{"a":{"b":2}}"#, r#"{"a":3}"#]);
    assert_eq!((bench.finish(), bench.meters.error_count("merge_failed")), (vec![r#"{"a":4}"#.to_owned()], 1));
}

#[test]
fn a_group_begins_where_it_is_told() {
    let mut bench = Bench::new(
        "starts_when = 'starts_with(string!(.message), \"at \") == false'\nmerge_strategies.message = 'concat_newline'",
    );
    let out = bench.apply(0, &["one", "at a", "at b", "two", "at c"]);
    assert_eq!(out.len(), 1);
    let read: Value = serde_json::from_str(&out[0]).unwrap();
    assert_eq!(read["message"], "one\nat a\nat b");
    assert_eq!(read["timestamp"], read["timestamp_end"]);
    let rest: Value = serde_json::from_str(&bench.finish()[0]).unwrap();
    assert_eq!(rest["message"], "two\nat c");
}

#[test]
fn a_group_ends_at_its_number_and_by_time() {
    let mut bench = Bench::new("group_by = ['k']\nmax_events = 2\nexpire_after_ms = 5000\nend_every_period_ms = 8000");
    assert_eq!(bench.apply(0, &[r#"{"k":1,"n":1}"#, r#"{"k":2,"n":1}"#, r#"{"k":1,"n":1}"#]), [r#"{"k":2,"n":2}"#]);
    assert_eq!(bench.due(), Some(1_000));
    assert_eq!(bench.wake(1_000), [""; 0]);
    assert_eq!(bench.due(), Some(2_000));
    assert_eq!(bench.wake(5_000), [r#"{"k":2,"n":1}"#]);
    assert_eq!(bench.due(), None);
    let mut bench = Bench::new("expire_after_ms = 5000\nend_every_period_ms = 8000");
    for second in 0..8 {
        assert_eq!(bench.apply(second * 1_000, &[r#"{"n":1}"#]), [""; 0]);
        assert_eq!(bench.wake(second * 1_000 + 999), [""; 0]);
    }
    assert_eq!(bench.wake(9_000), [r#"{"n":8}"#]);
}

#[test]
fn the_group_that_waited_longest_makes_room() {
    let mut bench = Bench::new("group_by = ['k']\nmax_bytes = 1500\nmerge_strategies.t = 'array'");
    let line = |key: u32| format!("{{\"k\":\"{key}\",\"t\":\"{}\"}}", "x".repeat(200));
    assert_eq!(bench.apply(0, &[&line(1), &line(2)]), [""; 0]);
    let out = bench.apply(0, &[&line(1), &line(3), &line(4)]);
    assert_eq!(out.iter().map(|line| &line[..8]).collect::<Vec<_>>(), [r#"{"k":"2""#, r#"{"k":"1""#]);
    assert_eq!(bench.meters.error_count("group_completed_early"), 2);
    let mut tight = Bench::new("max_bytes = 100");
    assert_eq!(tight.apply(0, &[&line(1)]).len(), 1, "what does not fit at all goes at once");
}

#[test]
fn a_record_that_comes_again_is_merged_once_and_answered_twice() {
    let mut bench = Bench::new("ends_when = 'exists(.end)'");
    let again = || [r#"{"n":1}"#, r#"{"n":10}"#];
    let (first, second) = (bench.batch_at(5, &again()), bench.batch_at(5, &again()));
    assert_eq!(bench.apply_batch(0, first), [""; 0]);
    assert_eq!(bench.apply_batch(0, second), [""; 0]);
    assert_eq!(bench.ledger.worst(), [], "both wait");
    assert_eq!(bench.apply(0, &[r#"{"n":100,"end":1}"#]), [r#"{"n":111,"end":1}"#]);
    assert_eq!(bench.ledger.worst().len(), 3);
    assert_eq!(bench.meters.discarded_events(Reason::Merged), 4);
}

#[test]
fn what_is_held_when_the_step_goes_has_failed() {
    let mut bench = Bench::new("");
    bench.apply(0, &[r#"{"n":1}"#]);
    bench.step = bench.step.renew();
    assert_eq!(bench.ledger.worst(), [(0, Outcome::Failed)]);
    assert_eq!(bench.finish(), [""; 0]);
}

#[test]
fn faults_stand_at_their_place() {
    let found = |toml: &str| -> Vec<String> {
        problems::<ReduceSettings>(toml).into_iter().map(|problem| problem.setting).collect()
    };
    assert_eq!(found("starts_when = 'true'\nends_when = 'true'"), ["ends_when"]);
    assert_eq!(found("ends_when = '.a'"), ["ends_when"]);
    assert_eq!(found("group_by = ['a', 'b..c']"), ["group_by[1]"]);
    assert_eq!(found("merge_strategies.'a[0]' = 'sum'"), ["merge_strategies.a[0]"]);
    assert_eq!(found("merge_strategies.'%a' = 'sum'"), ["merge_strategies.%a"]);
}

/// What a plain program makes of the records.
fn model(records: &[(u8, i64, String)]) -> Vec<Value> {
    let mut groups: Vec<(u8, Value)> = Vec::new();
    for (key, number, text) in records {
        let fresh = json!({ "k": key, "n": 0, "t": [], "first": text });
        let at = groups.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
            groups.push((*key, fresh));
            groups.len() - 1
        });
        let group = &mut groups[at].1;
        group["n"] = json!(group["n"].as_i64().unwrap() + number);
        group["t"].as_array_mut().unwrap().push(json!(text));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

proptest! {
    #[test]
    fn it_agrees_with_a_plain_program(
        records in prop::collection::vec((0..5_u8, -1000..1000_i64, any::<String>()), 1..40),
        cut in 1..10_usize,
    ) {
        let mut bench = Bench::new(
            "group_by = ['k']\nmerge_strategies.k = 'discard'\nmerge_strategies.t = 'array'\n",
        );
        let line = |(key, number, text): &(u8, i64, String)| {
            json!({ "k": key, "n": number, "t": text, "first": text }).to_string()
        };
        for chunk in records.chunks(cut) {
            let texts: Vec<String> = chunk.iter().map(line).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(bench.apply(0, &texts).len(), 0);
        }
        let read = |line: &String| -> Value { serde_json::from_str(line).unwrap() };
        let mut out: Vec<Value> = bench.finish().iter().map(read).collect();
        let mut expected = model(&records);
        let by_key = |value: &Value| value["k"].as_u64();
        out.sort_by_key(by_key);
        expected.sort_by_key(by_key);
        let merged = bench.meters.discarded_events(Reason::Merged) as usize;
        prop_assert_eq!(merged + out.len(), records.len());
        prop_assert_eq!(out, expected);
        prop_assert!(bench.ledger.worst().iter().all(|(_, worst)| *worst == Outcome::Delivered));
    }
}
