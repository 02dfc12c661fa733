use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::component::meters::Families;
use crate::component::row::{Context, Problem, Settings};
use crate::component::test_kit::context;
use crate::event::otlp::wire::put_bytes;
use crate::event::test_kit::Ledger;
use crate::event::{Form, Outcome, Path};
use crate::lang::Tables;
use crate::transforms::consistent::{Randomness, Threshold};
use crate::transforms::test_kit::otlp::{Span, logs, spans, trace};
use crate::transforms::test_kit::{batch_of, lines, origin, problems, settings};

mod model;

const RULES: &str = r"
ratio = 0.1
whole_traces = true
rules = [
  { name = 'errors', error = true },
  { name = 'slow', trace_longer_than_ms = 5000 },
]
";

/// A step at work, with a clock that moves when it is told to.
struct Bench {
    step: Box<dyn Stateful>,
    context: Context,
    _families: Families,
    folder: tempfile::TempDir,
    ledger: Arc<Ledger>,
    now: Instant,
    toml: String,
}

/// What came out of a span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Out {
    trace: u128,
    span: u64,
    rule: String,
    trigger: String,
    state: String,
}

impl Bench {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (families, context) = context(folder.path(), 1 << 30);
        let context = Context { state_dir: folder.path().join("spill"), ..context };
        let step = build(toml, &context);
        let (ledger, now) = (Arc::default(), Instant::now());
        Self { step, context, _families: families, folder, ledger, now, toml: toml.to_owned() }
    }

    /// The step is stopped and another takes its place, as after a restart or a reload.
    fn renew(&mut self) -> Vec<Out> {
        let out = self.finish();
        self.step = build(&self.toml, &self.context);
        out
    }

    fn apply(&mut self, given: &[Span]) -> Vec<Out> {
        let batch = spans("shop", given, self.ledger.receipt());
        self.run(|step, now, ports| step.apply(batch, now, ports)).0
    }

    fn after(&mut self, milliseconds: u64) -> Vec<Out> {
        self.now += Duration::from_millis(milliseconds);
        let mut out = self.run(|step, now, ports| step.wake(now, ports)).0;
        while self.step.due().is_some_and(|due| due <= self.now) {
            out.extend(self.run(|step, now, ports| step.wake(now, ports)).0);
        }
        out
    }

    fn finish(&mut self) -> Vec<Out> {
        let mut out = self.run(|step, _, ports| step.finish(ports)).0;
        while self.step.due().is_some() {
            out.extend(self.run(|step, _, ports| step.finish(ports)).0);
        }
        out
    }

    /// What comes out: spans, and other records as JSON.
    fn run(&mut self, work: impl FnOnce(&mut dyn Stateful, Instant, &mut Ports)) -> (Vec<Out>, Vec<String>) {
        let mut ports = Ports::default();
        work(&mut *self.step, self.now, &mut ports);
        let (mut spans, mut others) = (Vec::new(), Vec::new());
        for (port, batch) in ports.take_named() {
            assert_eq!(port, 0);
            for (line, record) in lines(&batch).into_iter().zip(batch.iter()) {
                if record.form() == Form::Span { spans.push(out(&line)) } else { others.push(line) }
            }
            batch.settle(Outcome::Delivered);
        }
        (spans, others)
    }

    fn meters(&self) -> (u64, u64) {
        let count = |reason| self.context.meters.discarded_events(reason);
        (count(Reason::Sampled), count(Reason::Throttled))
    }

    fn decisions(&self, decision: &str, trigger: Trigger) -> u64 {
        self.context.meters.of_sampling().decisions(decision, trigger.name())
    }

    fn late(&self, decision: &str) -> u64 {
        self.context.meters.of_sampling().late_count(decision)
    }
}

fn build(toml: &str, context: &Context) -> Box<dyn Stateful> {
    let settings: TailSampleSettings = settings(toml);
    let faults: Vec<Problem> = settings.check_with(&Tables::default());
    assert_eq!(faults, []);
    settings.build(context.clone()).unwrap().step
}

fn out(line: &str) -> Out {
    let record: Value = serde_json::from_str(line).unwrap();
    let hex = |key: &str| u128::from_str_radix(record[key].as_str().unwrap(), 16).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attribute = |key: &str| text(&record["attributes"][key]);
    Out {
        trace: hex("trace_id"),
        span: hex("span_id") as u64,
        rule: attribute("sampling.rule"),
        trigger: attribute("sampling.trigger"),
        state: text(&record["trace_state"]),
    }
}

fn child(of: &Span, id: u64) -> Span {
    Span { id, parent: 1, ..of.clone() }
}

fn told(out: &[Out]) -> Vec<(u64, &str, &str, &str)> {
    out.iter().map(|out| (out.span, out.rule.as_str(), out.trigger.as_str(), out.state.as_str())).collect()
}

#[test]
fn a_trace_with_an_error_is_kept_at_once_and_what_follows_streams_through() {
    let mut bench = Bench::new(RULES);
    let first = child(&Span::of(trace("00000000000001")), 2);
    assert_eq!(bench.apply(std::slice::from_ref(&first)), []);
    assert_eq!(bench.ledger.worst(), []);
    let failed = Span { is_error: true, ..child(&first, 3) };
    let out = bench.apply(&[failed]);
    assert_eq!(told(&out), [(2, "errors", "rule", "ot=th:0"), (3, "errors", "rule", "ot=th:0")]);
    let out = bench.apply(&[child(&first, 4), Span { state: "ot=th:8,v=1".into(), ..Span::of(first.trace) }]);
    assert_eq!(told(&out), [(4, "errors", "late", "ot=th:0"), (1, "errors", "late", "ot=th:8,v=1")]);
    assert_eq!((bench.decisions("kept", Trigger::Rule), bench.late("kept")), (1, 2));
    assert!(bench.ledger.worst().iter().all(|(_, worst)| *worst == Outcome::Delivered));
}

#[test]
fn the_root_and_the_first_record_set_the_clock() {
    let mut bench = Bench::new(RULES);
    let (kept, dropped) = (Span::of(trace("ffffffffffffff")), Span::of(trace("e665ffffffffff")));
    assert_eq!(bench.apply(&[child(&kept, 2), child(&dropped, 2)]), []);
    assert_eq!(bench.step.due(), Some(bench.now + Duration::from_secs(30)));
    assert_eq!(bench.after(10_000), []);
    assert_eq!(bench.apply(std::slice::from_ref(&kept)), []);
    assert_eq!(bench.step.due(), Some(bench.now + Duration::from_secs(2)));
    assert_eq!(bench.after(1_999), []);
    let out = bench.after(1);
    assert_eq!(told(&out), [(2, "default", "root", "ot=th:e666"), (1, "default", "root", "ot=th:e666")]);
    assert_eq!((bench.after(17_999), bench.meters()), (vec![], (0, 0)));
    assert_eq!((bench.after(1), bench.meters()), (vec![], (1, 0)));
    assert_eq!(bench.decisions("dropped", Trigger::Timeout), 1);
    assert_eq!((bench.step.due(), bench.apply(&[child(&dropped, 3)])), (None, vec![]));
    assert_eq!((bench.meters(), bench.late("dropped")), ((2, 0), 1));
    let worst: Vec<Outcome> = bench.ledger.worst().into_iter().map(|(_, worst)| worst).collect();
    assert_eq!(worst, [Outcome::Dropped, Outcome::Delivered, Outcome::Dropped]);
}

#[test]
fn a_slow_trace_is_known_by_its_first_start_and_last_end() {
    let mut bench = Bench::new(RULES);
    let first = Span { end: 4_000, ..Span::of(trace("00000000000000")) };
    let last = Span { start: 5_000, end: 6_001, ..child(&first, 2) };
    assert_eq!(bench.apply(&[first]), []);
    assert_eq!(told(&bench.apply(&[last])), [(1, "slow", "rule", "ot=th:0"), (2, "slow", "rule", "ot=th:0")]);
}

#[test]
fn an_error_31_minutes_after_a_drop_is_kept_and_flips_the_decision() {
    let mut bench = Bench::new(RULES);
    let root = Span::of(trace("00000000000000"));
    assert_eq!((bench.apply(std::slice::from_ref(&root)), bench.after(30_000)), (vec![], vec![]));
    assert_eq!(bench.meters(), (1, 0));
    assert_eq!(bench.after(31 * 60_000), []);
    let long = Span { is_error: true, end: 1_000 + 31 * 60_000, ..child(&root, 2) };
    assert_eq!(told(&bench.apply(&[child(&root, 3), long])), [(2, "errors", "late", "ot=th:0")]);
    assert_eq!(told(&bench.apply(&[child(&root, 4)])), [(4, "errors", "late", "ot=th:0")]);
    assert_eq!((bench.late("flipped"), bench.late("dropped"), bench.late("kept")), (1, 1, 1));
    // What nobody remembers is a trace of its own, and an error all the same.
    bench.renew();
    let again = Span { is_error: true, ..child(&root, 5) };
    assert_eq!(told(&bench.apply(&[again])), [(5, "errors", "rule", "ot=th:0")]);
}

#[test]
fn the_first_rule_is_for_a_trace_whatever_came_first() {
    let toml = r#"
ratio = 1.0
whole_traces = true
rules = [
  { name = "health", condition = '.attributes."http.route" == "/health"', ratio = 0.0 },
  { name = "errors", error = true },
  { name = "pay", services = ["pay", "bill"], ratio = 0.5 },
  { name = "large", min_spans = 3, ratio = 0.25 },
  { name = "small", max_spans = 1, span_longer_than_ms = 10, ratio = 0.1 },
]
"#;
    let health = vec![("http.route".to_owned(), "/health".to_owned())];
    let root = Span { attributes: health, ..Span::of(trace("ffffffffffffff")) };
    let failed = Span { is_error: true, attributes: Vec::new(), ..child(&root, 2) };
    for order in [[root.clone(), failed.clone()], [failed.clone(), root.clone()]] {
        let mut bench = Bench::new(toml);
        let mut out: Vec<Out> = order.iter().flat_map(|span| bench.apply(std::slice::from_ref(span))).collect();
        out.extend(bench.after(60_000));
        assert_eq!((out, bench.meters()), (vec![], (2, 0)));
        // A late error does not undo what an earlier rule has said.
        assert_eq!(bench.apply(&[Span { id: 9, ..failed.clone() }]), []);
    }
    let mut bench = Bench::new(toml);
    let plain = Span::of(trace("c0000000000000"));
    let paid = spans(
        "bill",
        &[Span { trace: trace("7fffffffffffff"), ..plain.clone() }, plain.clone()],
        bench.ledger.receipt(),
    );
    bench.run(|step, now, ports| step.apply(paid, now, ports));
    let large: Vec<Span> = (1..4).map(|id| Span { id, trace: trace("c1000000000000"), ..plain.clone() }).collect();
    bench.apply(&large);
    bench.apply(&[Span { end: 2_000, trace: trace("e7000000000000"), ..plain.clone() }]);
    bench.apply(&[Span { trace: trace("00000000000001"), ..plain }]);
    let mut out = bench.after(2_000);
    out.sort();
    let rules: Vec<(&str, &str)> = out.iter().map(|out| (out.rule.as_str(), out.state.as_str())).collect();
    let large = ("large", "ot=th:c");
    assert_eq!(rules, [("default", "ot=th:0"), ("pay", "ot=th:8"), large, large, large, ("small", "ot=th:e666")]);
}

#[test]
fn a_late_record_does_not_tell_how_many_spans_there_are() {
    let mut bench = Bench::new("ratio = 0.0\nrules = [{ name = 'few', max_spans = 1 }]");
    let root = Span::of(trace("ffffffffffffff"));
    assert_eq!((bench.apply(&[child(&root, 2), root.clone()]), bench.after(2_000)), (vec![], vec![]));
    assert_eq!((bench.apply(&[child(&root, 3)]), bench.meters()), (vec![], (3, 0)));
}

#[test]
fn what_is_decided_about_at_once_is_bounded() {
    let mut bench = Bench::new("ratio = 0.5");
    bench.apply(&heavy(1..401, 10_000));
    let mut kept = bench.run(|step, now, ports| step.wake(now + Duration::from_secs(2), ports)).0.len() as u64;
    assert!((100..120).contains(&(kept + bench.meters().0)), "{kept}");
    kept += bench.run(|step, _, ports| step.finish(ports)).0.len() as u64;
    assert!((200..240).contains(&(kept + bench.meters().0)) && bench.step.due().is_some(), "{kept}");
    kept += bench.finish().len() as u64;
    assert_eq!(kept + bench.meters().0, 400);
}

#[test]
fn a_limit_lets_so_many_pass_in_a_second_and_says_no_threshold() {
    let toml = "ratio = 0.0\nrules = [{ name = 'some', traces_per_second = 2 }]";
    let mut bench = Bench::new(toml);
    let of = |at: u8| Span { state: "ot=th:8;a:b".into(), ..Span::of(trace(&format!("ffffffffffff{at:02x}"))) };
    bench.apply(&(0..5).map(of).collect::<Vec<_>>());
    let out = bench.after(2_000);
    assert_eq!(told(&out), [(1, "some", "root", "ot=a:b"), (1, "some", "root", "ot=a:b")]);
    assert_eq!(bench.meters(), (0, 3));
    bench.apply(&(5..10).map(of).collect::<Vec<_>>());
    assert_eq!(bench.after(2_000).len(), 2);
    let mut bench = Bench::new("ratio = 0.0\nrules = [{ name = 'some', spans_per_second = 3 }]");
    let of = |at: u8, id: u64| Span { id, ..of(at) };
    bench.apply(&[of(0, 1), of(0, 2), of(1, 1), of(1, 2), of(2, 1)]);
    assert_eq!((bench.after(2_000).len(), bench.meters()), (3, (0, 2)));
}

#[test]
fn logs_stay_with_their_trace_and_an_error_among_them_keeps_it() {
    let mut bench = Bench::new(&format!("logs = true\n{RULES}"));
    let [kept, gone, failed] = ["ffffffffffffff", "00000000000000", "00000000000001"].map(trace);
    bench.apply(&[kept, gone].map(Span::of));
    let of = |trace: u128, level: &str| format!(r#"{{"trace_id":"{trace:032x}","level":"{level}"}}"#);
    let json =
        [of(kept, "info"), of(gone, "warn"), of(failed, "info"), of(failed, "ERROR"), r#"{"level":"error"}"#.into()];
    let batch = batch_of(&json.each_ref().map(String::as_str), origin(&[]));
    let (_, out) = bench.run(|step, now, ports| step.apply(batch, now, ports));
    assert_eq!(out, [json[4].clone(), json[2].clone(), json[3].clone()], "JSON leaves as it came");
    let records =
        logs("shop", &[(Some(kept), 9), (Some(gone), 9), (Some(kept), 9), (None, 17)], bench.ledger.receipt());
    assert_eq!(bench.run(|step, now, ports| step.apply(records, now, ports)).1.len(), 1);
    let (spans, out) = {
        bench.now += Duration::from_secs(30);
        bench.run(|step, now, ports| step.wake(now, ports))
    };
    assert_eq!((spans.len(), out.len()), (1, 3));
    assert!(out[0] == json[0] && out[1].contains(r#""sampling.rule":"default""#), "{out:?}");
    let late = logs("shop", &[(Some(gone), 9), (Some(gone), 17)], bench.ledger.receipt());
    let (_, out) = bench.run(|step, now, ports| step.apply(late, now, ports));
    assert!(out.len() == 1 && out[0].contains(r#""sampling.trigger":"late""#), "{out:?}");
    assert_eq!(bench.meters(), (4, 0));
}

#[test]
fn logs_of_a_trace_that_a_rule_dropped_follow_the_ratio_and_without_logs_they_pass() {
    let toml = "ratio = 0.1\nrules = [{ name = 'none', min_spans = 1, ratio = 0.0 }]";
    for (settings, passed) in [(format!("logs = true\n{toml}"), 1), (toml.to_owned(), 2)] {
        let mut bench = Bench::new(&settings);
        let ids = ["ffffffffffffff", "00000000000000"].map(trace);
        bench.apply(&ids.map(Span::of));
        let records = logs("shop", &ids.map(|id| (Some(id), 9)), bench.ledger.receipt());
        let (_, out) = bench.run(|step, now, ports| step.apply(records, now, ports));
        assert_eq!(out.len(), passed, "{settings}");
    }
}

#[test]
fn bytes_stay_as_they_came_but_for_the_stamp() {
    let mut bench = Bench::new(RULES);
    let own = ("sampling.rule".to_owned(), "of another agent".to_owned());
    let span = Span { is_error: true, state: "v=1".into(), attributes: vec![own], ..Span::of(7) };
    let mut batch = spans("shop", &[span], bench.ledger.receipt()).rewritten(|_, record, out| {
        out.extend_from_slice(record.text());
        put_bytes(99, b"nobody knows this", out);
    });
    let came = batch.get(0).text().to_vec();
    let (plain, mut ports) = (batch.clone(), Ports::default());
    batch.edit().set(0, &Path::parse(".attributes.new").unwrap(), b"1.50");
    for (batch, has_edit) in [(plain, false), (batch, true)] {
        bench.step.apply(batch, bench.now, &mut ports);
        let (_, out) = ports.take_named().next().unwrap();
        let line: Value = serde_json::from_str(&lines(&out)[0]).unwrap();
        assert_eq!(line["attributes"]["sampling.rule"], "errors");
        assert_eq!(line["attributes"].get("new").is_some(), has_edit);
        assert_eq!(line["trace_state"], "ot=th:0,v=1");
        let text = out.get(0).text();
        assert!(text.windows(17).any(|part| part == b"nobody knows this"));
        assert!(!text.windows(16).any(|part| part == b"of another agent"));
        assert_eq!(text[..18], came[..18], "the id and what follows it");
        out.settle(Outcome::Delivered);
    }
}

/// Spans of traces that no rule is for, with some bytes in them.
fn heavy(traces: std::ops::Range<u64>, bytes: usize) -> Vec<Span> {
    let attributes = vec![("x".to_owned(), "y".repeat(bytes))];
    let of = |at: u64| Span {
        attributes: attributes.clone(),
        ..Span::of(u128::from(at.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    };
    traces.map(of).collect()
}

/// Bytes that the tables keep when nothing is held.
const EMPTY: i64 = 200_000;

fn held_bytes(bench: &Bench) -> i64 {
    bench.context.meters.of_sampling().held_now()
}

#[test]
fn beyond_the_bytes_the_oldest_go_to_the_disk_and_come_back() {
    let toml = format!("max_bytes = '1MiB'\nmax_trace_bytes = '64KiB'\n{RULES}");
    let mut bench = Bench::new(&toml);
    for at in 0..40 {
        assert_eq!(bench.apply(&heavy(1 + at * 10..11 + at * 10, 10_000)), []);
        assert!(held_bytes(&bench) <= 1 << 20);
    }
    assert!(bench.context.meters.of_sampling().spilled_total() > 2 << 20);
    assert!(std::fs::read_dir(bench.folder.path().join("spill")).unwrap().next().is_none());
    let out = bench.after(2_000);
    let share = Threshold::of_ratio(0.1);
    let expected =
        heavy(1..401, 0).iter().filter(|span| share.keeps(Randomness::of_trace(&span.trace.to_be_bytes()))).count();
    assert_eq!((out.len(), bench.meters().0), (expected, 400 - expected as u64));
    assert!(held_bytes(&bench) < EMPTY && bench.decisions("kept", Trigger::Memory) == 0);
    assert_eq!(bench.context.meters.of_sampling().spilled_now(), 0);
}

#[test]
fn without_a_disk_the_oldest_are_decided_about_early() {
    for (settings, failures) in [("spill.enabled = false", 0), ("", 1)] {
        let mut bench = Bench::new(&format!("max_bytes = '1MiB'\nmax_trace_bytes = '64KiB'\n{settings}\n{RULES}"));
        std::fs::write(bench.folder.path().join("spill"), b"a file where a folder should be").unwrap();
        let mut out = Vec::new();
        for at in 0..40 {
            out.extend(bench.apply(&heavy(1 + at * 10..11 + at * 10, 10_000)));
            assert!(held_bytes(&bench) <= 1 << 20);
        }
        let early = bench.decisions("kept", Trigger::Memory) + bench.decisions("dropped", Trigger::Memory);
        assert!(early > 200 && out.iter().all(|out| out.trigger == "memory"), "{early}");
        assert_eq!(bench.context.meters.error_count("decided_early"), early);
        assert_eq!(bench.context.meters.error_count("spill_failed"), failures);
        out.extend(bench.finish());
        assert_eq!(out.len() as u64 + bench.meters().0, 400);
        assert!(bench.ledger.worst().len() == 40);
    }
}

#[test]
fn a_trace_that_is_too_large_is_decided_about_and_the_rest_of_it_follows() {
    let mut bench = Bench::new(&format!("max_trace_bytes = '64KiB'\n{RULES}"));
    let large = |randomness: &str, ids: std::ops::Range<u64>| -> Vec<Span> {
        let root = Span { attributes: vec![("x".to_owned(), "y".repeat(10_000))], ..Span::of(trace(randomness)) };
        ids.map(|id| child(&root, id)).collect()
    };
    let out = bench.apply(&large("ffffffffffffff", 2..12));
    let (now, late) = (
        out.iter().filter(|out| out.trigger == "trace_size").count(),
        out.iter().filter(|out| out.trigger == "late").count(),
    );
    assert_eq!((now, late), (7, 3));
    assert_eq!((bench.apply(&large("00000000000000", 2..12)), bench.meters()), (vec![], (10, 0)));
    let failed = Span { is_error: true, ..large("00000000000000", 12..13).remove(0) };
    assert_eq!(bench.apply(&[failed])[0].rule, "errors");
}

#[test]
fn what_the_disk_does_not_give_back_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let mut hold = Hold::new(Spill::new(&folder.path().join("spill"), 1 << 20));
    let ledger: Arc<Ledger> = Arc::default();
    let names = [hold.name(0), hold.name(1)];
    hold.put(spans("shop", &heavy(1..3, 100), ledger.receipt()));
    assert!(
        hold.spill_oldest(Instant::now()).is_ok() && matches!(hold.spill_oldest(Instant::now()), Err(Stays::NoRoom))
    );
    hold.spill.damage();
    assert!(hold.pick(&names[..1]).is_none());
    hold.drop(&names[1..]);
    hold.release(&names);
    assert_eq!((hold.bytes(), ledger.worst()), (0, vec![(0, Outcome::Failed)]));
}

#[test]
fn a_few_records_do_not_keep_all_of_their_batch() {
    let mut bench = Bench::new(RULES);
    let mut given = heavy(1..101, 10_000);
    given[..99].iter_mut().for_each(|span| span.is_error = true);
    assert_eq!(bench.apply(&given).len(), 99);
    assert!(held_bytes(&bench) < 50_000, "{}", held_bytes(&bench));
    bench.finish();
    assert_eq!(bench.ledger.worst().len(), 1);
}

#[test]
fn faults_are_told() {
    let rule = |rule: &str| format!("ratio = 0.1\nwhole_traces = true\nrules = [{{ name = 'a', {rule} }}]");
    let twice = "ratio = 0.1\nrules = [{ name = 'a', min_spans = 1 }, { name = 'a', min_spans = 1 }]".to_owned();
    for (toml, setting) in [
        ("ratio = 1.5".to_owned(), "ratio"),
        ("ratio = 0.1\nmax_bytes = 1000\nmax_trace_bytes = 2000".to_owned(), "max_trace_bytes"),
        (rule("error = true, ratio = -0.1"), "rules[0].ratio"),
        (rule("condition = '.a'"), "rules[0].condition"),
        (rule("error = true, traces_per_second = 1, spans_per_second = 1"), "rules[0].spans_per_second"),
        (rule("error = true, traces_per_second = 0"), "rules[0]"),
        (rule("min_spans = 3, max_spans = 2"), "rules[0].max_spans"),
        (rule("ratio = 0.5"), "rules[0]"),
        (twice, "rules[1].name"),
        ("ratio = 0.1\nrules = [{ name = 'default', min_spans = 1 }]".to_owned(), "rules[0].name"),
    ] {
        let found = problems::<TailSampleSettings>(&toml);
        assert_eq!(found.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{toml}");
        assert!(!found[0].is_warning);
    }
    let alone = problems::<TailSampleSettings>(&RULES.replace("whole_traces = true", ""));
    assert!(alone.len() == 1 && alone[0].is_warning && alone[0].message.contains("`errors`"), "{alone:?}");
}
