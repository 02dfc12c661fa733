use std::collections::HashMap;

use super::*;
use crate::event::{Origin, StreamKey};
use crate::transforms::consistent::Randomness;
use crate::transforms::test_kit::otlp::{Span, logs, spans, trace};
use crate::transforms::test_kit::{Step, batch, batch_with, problems, receipt, step};

fn sample(settings: &str) -> Step {
    step::<SampleSettings>(settings)
}

fn many(line: impl Fn(usize) -> String) -> Vec<String> {
    (0..4_000).map(line).collect()
}

fn run(step: &Step, lines: &[String]) -> Vec<String> {
    step.main(batch(&lines.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[test]
fn about_one_of_rate_stays_and_the_rest_is_counted() {
    let lines = many(|at| format!(r#"{{"n":{at}}}"#));
    for (settings, expected) in
        [("rate = 10", 400), ("ratio = 0.25", 1_000), ("rate = 1", 4_000), ("ratio = 1.0", 4_000)]
    {
        let step = sample(&format!("{settings}\nsample_rate_key = ''"));
        let kept = run(&step, &lines).len();
        assert!(kept.abs_diff(expected) <= expected / 5, "{settings}: {kept}");
        assert_eq!(step.meters.discarded_events(Reason::Sampled), 4_000 - kept as u64);
        assert!(expected < 4_000 || kept == expected, "{settings}: {kept}");
    }
}

#[test]
fn a_re_read_and_another_agent_make_the_same_choice() {
    let lines = many(|at| format!(r#"{{"n":{at}}}"#));
    let step = sample("rate = 7");
    assert_eq!(run(&step, &lines), run(&sample("rate = 7"), &lines));
    let tail = &lines[3_000..];
    let skipped: usize = lines[..3_000].iter().map(String::len).sum();
    let whole = run(&step, &lines);
    // Records stand at other positions now, so the choice is another: it is the identity that decides.
    assert!(skipped > 0 && run(&step, tail) != whole[whole.len() - run(&step, tail).len()..]);
}

#[test]
fn records_with_the_same_key_stay_or_go_together_however_it_is_written() {
    let lines = many(|at| match at % 2 {
        0 => format!(r#"{{"n":{at},"trace":{{"id":"trace/{}"}}}}"#, at / 4),
        _ => format!(r#"{{"n":{at},"trace":{{"id":"tr\u0061ce\/{}"}}}}"#, at / 4),
    });
    let kept = run(&sample("rate = 5\nkey_field = '.trace.id'\nsample_rate_key = ''"), &lines);
    let mut of_key: HashMap<u64, usize> = HashMap::new();
    for line in &kept {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        *of_key.entry(record["n"].as_u64().unwrap() / 4).or_default() += 1;
    }
    assert!(of_key.values().all(|count| *count == 4), "a key is kept whole");
    assert!(of_key.len().abs_diff(200) < 50, "{}", of_key.len());
}

#[test]
fn groups_are_independent_of_each_other() {
    let group = |name: &str| many(|at| format!(r#"{{"g":"{name}","k":{at}}}"#));
    let settings = "rate = 4\nkey_field = 'k'\ngroup_by = '{{ g }}'\nsample_rate_key = ''";
    let keys = |lines: &[String]| -> Vec<u64> {
        let key = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["k"].as_u64().unwrap();
        run(&sample(settings), lines).iter().map(key).collect()
    };
    let (one, other) = (keys(&group("a")), keys(&group("b")));
    let both = one.iter().filter(|key| other.contains(key)).count();
    assert!(both.abs_diff(250) < 80, "{both}");
}

#[test]
fn chosen_records_tell_the_share_and_excluded_ones_do_not() {
    let step = sample("rate = 1\nexclude = '.level == \"error\"'");
    let lines = [r#"{"level":"info"}"#, r#"{"level":"error"}"#, r#"{"sample_rate":"forged"}"#];
    let expected = [r#"{"level":"info","sample_rate":"1"}"#, lines[1], r#"{"sample_rate":"1"}"#];
    assert_eq!(step.main(batch(&lines)), expected);
    let nested = sample("ratio = 1.0\nsample_rate_key = 'meta.share'");
    assert_eq!(nested.main(batch(&lines[..1])), [r#"{"level":"info","meta":{"share":"1"}}"#]);
}

#[test]
fn excluded_records_always_stay_and_receipts_add_up() {
    let lines = many(|at| format!(r#"{{"error":{}}}"#, at % 2 == 0));
    let ledger = Arc::default();
    let refs: Vec<&str> = lines.iter().map(String::as_str).collect();
    let step = sample("rate = 1_000_000_000\nexclude = '.error == true'");
    assert_eq!(step.main(batch_with(&refs, Origin::new(StreamKey(1)), &ledger)).len(), 2_000);
    let resolution = ledger.resolution();
    assert_eq!((resolution.delivered, resolution.dropped, resolution.failed), (2_000, 2_000, 0));
}

#[test]
fn faults_are_told() {
    let cases = [
        ("", ""),
        ("rate = 1\nratio = 0.5", ""),
        ("rate = 0", "rate"),
        ("ratio = 0.0", "ratio"),
        ("ratio = 1.5", "ratio"),
        ("rate = 2\nkey_field = 'a b'", "key_field"),
        ("rate = 2\nkey_field = '.'", "key_field"),
        ("rate = 2\ngroup_by = '{{ a'", "group_by"),
        ("rate = 2\nexclude = '.a'", "exclude"),
        ("rate = 2\nrules = [{ condition = '.a', ratio = 0.5 }]", "rules[0].condition"),
        ("rate = 2\nrules = [{ condition = 'true', ratio = 1.5 }]", "rules[0].ratio"),
        ("rate = 2\nrules = [{ condition = 'true' }]", "rules[0]"),
    ];
    for (settings, setting) in cases {
        let found = problems::<SampleSettings>(settings);
        assert_eq!(found.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{settings}");
    }
}

/// Which traces stay, and what their `tracestate` says then.
fn sampled(settings: &str, given: &[Span]) -> Vec<(u128, String)> {
    let told = |line: &String| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = u128::from_str_radix(record["trace_id"].as_str().unwrap(), 16).unwrap();
        (id, record["trace_state"].as_str().unwrap_or_default().to_owned())
    };
    sample(settings).main(spans("shop", given, receipt())).iter().map(told).collect()
}

fn of(randomness: &str, state: &str) -> Span {
    Span { state: state.to_owned(), ..Span::of(trace(randomness)) }
}

#[test]
fn a_span_stays_by_its_trace_and_says_by_which_threshold() {
    let given = [
        of("e6660000000000", ""),
        of("e665ffffffffff", ""),
        of("00000000000000", "ot=rv:ffffffffffffff"),
        of("ffffffffffffff", "ot=rv:00000000000000"),
        of("ffffffffffffff", "vendor=1,ot=th:8;p:1"),
    ];
    let expected = [
        (given[0].trace, "ot=th:e666".to_owned()),
        (given[2].trace, "ot=rv:ffffffffffffff;th:e666".to_owned()),
        (given[4].trace, "ot=th:e666;p:1,vendor=1".to_owned()),
    ];
    assert_eq!(sampled("ratio = 0.1", &given), expected);
    assert_eq!(sampled("rate = 10", &given), expected);
    assert_eq!(sampled("rate = 10\nkey_field = '.trace_id'", &given), expected);
}

#[test]
fn a_threshold_is_never_lowered() {
    let given = [of("f0000000000000", "ot=th:f"), of("efffffffffffff", "ot=th:f"), of("80000000000000", "")];
    let kept = sampled("ratio = 0.5", &given);
    assert_eq!(kept, [(given[0].trace, "ot=th:f".to_owned()), (given[2].trace, "ot=th:8".to_owned())]);
}

#[test]
fn two_samplers_that_never_talk_keep_the_same_and_a_share_holds_smaller_ones() {
    let ids = (0..4_000_u64).map(|at| u128::from(at.wrapping_mul(0x9E37_79B9_7F4A_7C15)) << 8 | u128::from(at % 256));
    let given: Vec<Span> = ids.filter(|id| *id != 0).map(Span::of).collect();
    let traces = |settings: &str| -> Vec<u128> { sampled(settings, &given).into_iter().map(|(id, _)| id).collect() };
    let (tenth, half) = (traces("ratio = 0.1"), traces("rate = 2"));
    assert_eq!(tenth, traces("rate = 10"));
    assert!(tenth.iter().all(|id| half.contains(id)));
    let sigma = (given.len() as f64 * 0.1 * 0.9).sqrt();
    assert!((tenth.len() as f64 - given.len() as f64 * 0.1).abs() < 3.0 * sigma, "{}", tenth.len());
}

#[test]
fn the_first_rule_that_a_record_meets_is_for_it() {
    let rules = r#"
ratio = 0.5
exclude = '.status.code == "error"'
rules = [
  { condition = '.resource.attributes."service.name" == "shop" && .attributes."http.route" == "/health"', ratio = 0.0 },
  { condition = 'exists(.attributes."http.route")', ratio = 0.25 },
]"#;
    let with = |randomness: &str, route: &str, is_error: bool| {
        let attributes = vec![("http.route".to_owned(), route.to_owned())];
        Span { is_error, attributes, ..of(randomness, "") }
    };
    let given = [
        with("ffffffffffffff", "/health", false),
        with("00000000000000", "/health", true),
        with("c0000000000000", "/buy", false),
        with("bfffffffffffff", "/buy", false),
        of("80000000000000", ""),
        of("7fffffffffffff", ""),
    ];
    let kept: Vec<String> = sampled(rules, &given).into_iter().map(|(_, state)| state).collect();
    assert_eq!(kept, ["ot=th:0", "ot=th:c", "ot=th:8"]);
    let step = sample("ratio = 0.5\nrules = [{ condition = '.a == 1', rate = 1 }]");
    assert_eq!(step.main(batch(&[r#"{"a":1}"#])), [r#"{"a":1,"sample_rate":"1"}"#]);
}

#[test]
fn logs_of_a_trace_stay_with_it() {
    let ids = ["e6660000000000", "e665ffffffffff", "ffffffffffffff", "00000000000000"].map(trace);
    let kept = sampled("ratio = 0.1", &ids.map(Span::of));
    let of_json = ids.map(|id| format!(r#"{{"trace":{{"id":"{id:032X}"}}}}"#));
    let step = sample("ratio = 0.1\nkey_field = 'trace.id'\nsample_rate_key = ''");
    assert_eq!(step.main(batch(&of_json.each_ref().map(String::as_str))), [of_json[0].clone(), of_json[2].clone()]);
    let records = ids.map(|id| (Some(id), 9));
    let of_otlp = sample("ratio = 0.1").main(logs("shop", &records, receipt()));
    assert_eq!((kept.len(), of_otlp.len()), (2, 2));
    assert!(of_otlp[0].contains(&format!("{:032x}", ids[0])) && of_otlp[0].contains(r#""sample_rate":"0.1""#));
}

#[test]
fn what_a_program_made_of_a_span_is_what_counts() {
    let mut batch = spans("shop", &[of("00000000000000", "")], receipt());
    let facts = |batch: &Batch| batch.get(0).facts().unwrap().trace_id;
    batch.edit().set(0, &Path::parse(".trace_state").unwrap(), br#""a=1,ot=rv:\u0066fffffffffffff""#);
    batch.edit().set(0, &Path::parse(".status.code").unwrap(), br#""error""#);
    assert!(batch.get(0).facts().unwrap().is_error);
    assert_eq!(facts(&batch), Some(trace("00000000000000").to_be_bytes()));
    let step = sample("ratio = 0.1");
    let kept = step.main(batch.clone());
    assert!(kept[0].contains(r#""trace_state":"ot=rv:ffffffffffffff;th:e666,a=1""#), "{kept:?}");
    let other = format!("\"{:032x}\"", trace("ffffffffffffff"));
    batch.edit().set(0, &Path::parse(".trace_id").unwrap(), other.as_bytes());
    assert_eq!(
        Randomness::of_trace(&facts(&batch).unwrap()),
        Randomness::of_trace(&trace("ffffffffffffff").to_be_bytes())
    );
    batch.settle(crate::event::Outcome::Delivered);
}
