use std::collections::HashMap;

use super::*;
use crate::event::{Origin, StreamKey};
use crate::transforms::test_kit::{Step, batch, batch_with, problems, step};

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
    ];
    for (settings, setting) in cases {
        let found = problems::<SampleSettings>(settings);
        assert_eq!(found.iter().map(|problem| problem.setting.as_str()).collect::<Vec<_>>(), [setting], "{settings}");
    }
}
