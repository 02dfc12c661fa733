use std::time::Duration;

use super::*;
use crate::component::test_kit::context;
use crate::event::{Origin, Outcome, StreamKey};
use crate::transforms::test_kit::{Ledger, batch, batch_with, lines, problems, settings, step};

/// A lane's copy, and the clock's start.
fn throttle(toml: &str) -> (Throttle, Instant) {
    let settings: ThrottleSettings = settings(toml);
    let (_, context) = context(std::path::Path::new("unused"), 1 << 20);
    let start = Instant::now();
    let common = Common {
        key: settings.key().unwrap(),
        exclude: settings.exclude.as_ref().map(|condition| condition.compile().unwrap()),
        digest: Digest::default(),
        buckets: Mutex::new(Buckets::new(settings.threshold, settings.window_secs, start)),
        told: settings.internal_metrics.emit_events_discarded_per_key.then(Mutex::default),
        failed_conditions: Notice::failed_condition(&context),
        crowded: Notice::new("it", "too_many_keys", ""),
        meters: context.meters,
    };
    (Throttle::new(Arc::new(common)), start)
}

fn pass(throttle: &mut Throttle, at: Instant, records: &[&str]) -> Vec<String> {
    let mut batch = batch(records);
    throttle.apply_at(&mut batch, at);
    let passed = lines(&batch);
    batch.settle(Outcome::Delivered);
    passed
}

#[test]
fn each_key_has_its_threshold_over_all_lanes() {
    let (mut one, start) = throttle("threshold = 2\nwindow_secs = 1\nkey_field = '{{ k }}'");
    let mut other = Throttle::new(one.common.clone());
    let [a, b, none] = [r#"{"k":"a"}"#, r#"{"k":"b"}"#, r#"{"n":1}"#];
    assert_eq!(pass(&mut one, start, &[a, b, a, none]), [a, b, a, none]);
    assert_eq!(pass(&mut other, start, &[a, b, b, none, none]), [b, none]);
    assert_eq!(pass(&mut one, start + Duration::from_millis(500), &[a, a]), [a]);
    assert_eq!(one.common.meters.discarded_events(Reason::Throttled), 4);
}

#[test]
fn what_is_excluded_passes_and_does_not_count() {
    let (mut one, start) = throttle("threshold = 1\nwindow_secs = 60\nexclude = '.level == \"error\"'");
    let [error, info] = [r#"{"level":"error"}"#, r#"{"level":"info"}"#];
    assert_eq!(pass(&mut one, start, &[error, info, error, info]), [error, info, error]);
}

#[test]
fn what_is_dropped_is_told_by_key_and_to_its_source() {
    let ledger = Arc::new(Ledger::default());
    let metrics = "internal_metrics.emit_events_discarded_per_key = true";
    let step =
        step::<ThrottleSettings>(&format!("threshold = 1\nwindow_secs = 60\nkey_field = '{{{{ k }}}}'\n{metrics}"));
    let records = [r#"{"k":"a"}"#, r#"{"k":"a"}"#, r#"{"k":"a"}"#];
    assert_eq!(step.main(batch_with(&records, Origin::new(StreamKey(1)), &ledger)), [records[0]]);
    let resolution = ledger.resolution();
    assert_eq!((resolution.delivered, resolution.dropped, resolution.failed), (1, 2, 0));
    let families = step.families.registry().gather();
    let told = families.iter().find(|family| family.name() == "levada_events_discarded_total").unwrap();
    assert_eq!(told.get_metric()[0].get_counter().get_value(), 2.0);
    assert!(told.get_metric()[0].get_label().iter().any(|label| (label.name(), label.value()) == ("key", "a")));
}

#[test]
fn many_keys_are_told_together() {
    let metrics = "internal_metrics.emit_events_discarded_per_key = true";
    let (mut one, start) = throttle(&format!("threshold = 1\nwindow_secs = 60\nkey_field = '{{{{ k }}}}'\n{metrics}"));
    let records: Vec<String> = (0..TOLD_KEYS + 5).flat_map(|key| vec![format!("{{\"k\":{key}}}"); 2]).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    assert_eq!(pass(&mut one, start, &records).len(), TOLD_KEYS + 5);
    assert_eq!(lock(one.common.told.as_ref().unwrap()).len(), TOLD_KEYS);
}

#[test]
fn faults_stand_at_their_place() {
    let found = problems::<ThrottleSettings>("threshold = 1\nwindow_secs = 1\nkey_field = 'x{{ k'\nexclude = '.a'");
    let found: Vec<&str> = found.iter().map(|problem| problem.setting.as_str()).collect();
    assert_eq!(found, ["key_field", "exclude"]);
}
