use super::*;
use crate::event::test_kit::Ledger;
use crate::event::{Origin, Seen as At, StreamKey};
use crate::transforms::test_kit::{batch, lines, problems, step};

/// A lane's copy, and what its sources learn.
struct Stage {
    step: Dedupe,
    ledger: Arc<Ledger>,
    start: Instant,
}

impl Stage {
    fn new(toml: &str) -> Self {
        let settings: DedupeSettings = toml::from_str(toml).unwrap();
        let (_, context) = crate::component::test_kit::context(std::path::Path::new("unused"), 1 << 20);
        let max_age = settings.time_settings.map(|time| Duration::from_millis(time.max_age_ms));
        let refreshes = settings.time_settings.is_some_and(|time| time.refresh_on_drop);
        let common = Common {
            fields: settings.fields().unwrap(),
            digest: Digest::default(),
            seen: Mutex::new(Seen::new(settings.cache.num_events, max_age, refreshes)),
            meters: context.meters,
        };
        Self { step: Dedupe::new(Arc::new(common)), ledger: Arc::default(), start: Instant::now() }
    }

    fn offer(&mut self, position: u64, records: &[&str]) -> Batch {
        self.offer_at(0, position, records)
    }

    /// What passes of a batch from this position on.
    fn offer_at(&mut self, milliseconds: u64, position: u64, records: &[&str]) -> Batch {
        let origin = Arc::new(Origin::new(StreamKey(1)));
        let mut batch = Batch::new(records.concat().into(), origin, self.ledger.receipt());
        let mut start = 0;
        for (at, record) in records.iter().enumerate() {
            let seen = At { position: position + at as u64, time: 0 };
            batch.fill().json(start, record.len(), seen).unwrap();
            start += record.len();
        }
        self.step.apply_at(&mut batch, self.start + Duration::from_millis(milliseconds));
        batch
    }

    fn duplicates(&self) -> u64 {
        self.step.common.meters.discarded_events(Reason::Duplicate)
    }

    fn worst(&self, token: u64) -> Option<Outcome> {
        self.ledger.resolution(token).map(|resolution| resolution.worst)
    }
}

const A: &str = r#"{"event_id":"a","n":1}"#;
const ALSO_A: &str = r#"{"event_id":"\u0061","n":2}"#;
const B: &str = r#"{"event_id":"b","n":1}"#;
const BY_ID: &str = "fields.match = ['event_id']";

#[test]
fn what_arrived_does_not_pass_again() {
    let mut stage = Stage::new(BY_ID);
    let first = stage.offer(0, &[A, B, ALSO_A]);
    assert_eq!(lines(&first), [A, B]);
    first.settle(Outcome::Delivered);
    let second = stage.offer(3, &[ALSO_A, A, r#"{"event_id":"c"}"#]);
    assert_eq!(lines(&second), [r#"{"event_id":"c"}"#]);
    second.settle(Outcome::Delivered);
    let told = |token: u64| stage.ledger.resolution(token).map(|told| (told.delivered, told.dropped, told.failed));
    assert_eq!((told(0), told(1)), (Some((2, 1, 0)), Some((1, 2, 0))));
    assert_eq!(stage.duplicates(), 3);
}

#[test]
fn a_record_that_failed_and_comes_again_is_not_its_own_duplicate() {
    let mut stage = Stage::new(BY_ID);
    for round in 0..3 {
        let batch = stage.offer(0, &[A, B]);
        assert_eq!(lines(&batch), [A, B], "round {round}");
        drop(batch);
        assert_eq!(stage.worst(round), Some(Outcome::Failed));
    }
    let batch = stage.offer(0, &[A, B]);
    assert_eq!(lines(&batch), [A, B]);
    batch.settle(Outcome::Delivered);
    assert_eq!((stage.worst(3), stage.duplicates()), (Some(Outcome::Delivered), 0));
}

#[test]
fn one_like_it_that_comes_meanwhile_has_its_outcome() {
    for (outcome, theirs) in [
        (Outcome::Delivered, Outcome::Dropped),
        (Outcome::Dropped, Outcome::Dropped),
        (Outcome::DeadLettered, Outcome::Dropped),
        (Outcome::Failed, Outcome::Failed),
    ] {
        let mut stage = Stage::new(BY_ID);
        let first = stage.offer(0, &[A]);
        let second = stage.offer(100, &[ALSO_A]);
        assert_eq!(lines(&second), [""; 0]);
        second.close();
        assert_eq!(stage.worst(1), None, "nobody knows yet");
        first.settle(outcome);
        assert_eq!((stage.worst(0), stage.worst(1)), (Some(outcome), Some(theirs)));
        // After a failure either may come again, and passes.
        let again = stage.offer(100, &[ALSO_A]);
        assert_eq!(again.len(), usize::from(outcome == Outcome::Failed));
        again.settle(Outcome::Delivered);
        assert_ne!(stage.worst(2), Some(Outcome::Failed));
    }
}

#[test]
fn a_stream_that_goes_back_while_its_records_are_on_their_way_waits_for_them() {
    let mut stage = Stage::new(BY_ID);
    let first = stage.offer(0, &[A, B]);
    let again = stage.offer(0, &[A, B]);
    assert!(again.is_empty());
    again.close();
    first.settle(Outcome::Delivered);
    assert_eq!(stage.worst(1), Some(Outcome::Dropped));
}

#[test]
fn the_one_met_longest_ago_is_forgotten_first() {
    let mut stage = Stage::new("fields.match = ['event_id']\ncache.num_events = 2");
    let event = |id: u32| format!("{{\"event_id\":{id}}}");
    let mut pass = |id: u32| {
        let batch = stage.offer(0, &[&event(id)]);
        let passes = !batch.is_empty();
        batch.settle(Outcome::Delivered);
        passes
    };
    assert_eq!([pass(1), pass(2), pass(1), pass(3), pass(1), pass(2)], [true, true, false, true, false, true]);
}

#[test]
fn what_is_old_passes_and_a_duplicate_may_keep_it_young() {
    let timed = |more: &str| format!("{BY_ID}\ntime_settings.max_age_ms = 1000\n{more}");
    let passes = |toml: &str, times: [u64; 4]| {
        let mut stage = Stage::new(toml);
        times.map(|at| {
            let batch = stage.offer_at(at, 0, &[A]);
            let passes = !batch.is_empty();
            batch.settle(Outcome::Delivered);
            passes
        })
    };
    assert_eq!(passes(&timed(""), [0, 600, 1_000, 1_999]), [true, false, true, false]);
    assert_eq!(
        passes(&timed("time_settings.refresh_on_drop = true"), [0, 600, 1_000, 1_999]),
        [true, false, false, false]
    );
}

#[test]
fn form_and_name_matter_and_order_does_not() {
    let alike = |toml: &str, one: &str, other: &str| {
        let mut stage = Stage::new(toml);
        stage.offer(0, &[one]).settle(Outcome::Delivered);
        let batch = stage.offer(1, &[other]);
        let alike = batch.is_empty();
        batch.settle(Outcome::Delivered);
        alike
    };
    let two = "fields.match = ['a', 'b']";
    assert!(alike(two, r#"{"a":1,"b":2,"c":3}"#, r#"{"b":2,"c":4,"a":1}"#));
    assert!(!alike(two, r#"{"a":1}"#, r#"{"b":1}"#));
    assert!(!alike(two, r#"{"a":"1"}"#, r#"{"a":1}"#));
    assert!(!alike(two, r#"{"a":"xb","b":""}"#, r#"{"a":"x","b":"b"}"#));
    assert!(!alike(two, r#"{"c":1}"#, r#"{"c":1}"#));
    let but = "fields.ignore = ['a', 'o.x']";
    assert!(alike(but, r#"{"a":1,"b":2,"o":{"x":1,"y":"z"}}"#, r#"{"o":{"y":"\u007a","x":[]},"b":2}"#));
    assert!(!alike(but, r#"{"o":{"y":1}}"#, r#"{"y":1}"#));
    assert!(!alike(but, r#"{"b":1}"#, r#"{"c":1}"#));
    assert!(!alike(but, r#"{"b":[1]}"#, r#"{"b":[2]}"#));
    assert!(alike("", r#"{"message":"x","host":"h","n":1}"#, r#"{"message":"x","host":"h","n":2}"#));
}

#[test]
fn lanes_share_what_they_have_seen() {
    let step = step::<DedupeSettings>(BY_ID);
    assert_eq!(step.main(batch(&[A])), [A]);
    assert_eq!(step.main(batch(&[ALSO_A, B])), [B]);
}

#[test]
fn faults_stand_at_their_place() {
    let found = |toml: &str| -> Vec<String> {
        problems::<DedupeSettings>(toml).into_iter().map(|problem| problem.setting).collect()
    };
    assert_eq!(found("fields.match = []"), ["fields.match"]);
    assert_eq!(found("fields.match = ['a']\nfields.ignore = ['b']"), ["fields"]);
    assert_eq!(found("[fields]"), ["fields"]);
    assert_eq!(found("fields.ignore = ['a', 'b c']"), ["fields.ignore[1]"]);
    assert_eq!(found(""), [""; 0]);
}
