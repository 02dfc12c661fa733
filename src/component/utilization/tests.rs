use prometheus::Opts;

use super::*;

fn label(kind: &'static str) -> Label {
    Label { id: "it".into(), kind, type_name: "any" }
}

fn utilization() -> Utilization {
    Utilization::new(GaugeVec::new(Opts::new("utilization", "A share."), &["id", "kind", "type"]).unwrap())
}

/// The figure after a refresh `seconds` behind `begun`, in percent.
fn at(utilization: &Utilization, begun: Instant, seconds: u64) -> u32 {
    utilization.refresh(begun + Duration::from_secs(seconds));
    (utilization.gauge.with_label_values(&["it", "sink", "any"]).get() * 100.0).round() as u32
}

#[test]
fn it_is_the_share_since_it_was_last_told() {
    let (all, begun) = (utilization(), Instant::now());
    let work = all.work(&label("sink"), begun);
    let second = |number| begun + Duration::from_secs(number);
    work.begin(second(1));
    work.end(second(3));
    assert_eq!(at(&all, begun, 4), 50);
    assert_eq!(at(&all, begun, 8), 0, "nothing was done since");
    work.begin(second(9));
    assert_eq!(at(&all, begun, 12), 75, "what goes on counts");
    assert_eq!(at(&all, begun, 20), 100, "and goes on counting");
    work.end(second(25));
    assert_eq!(at(&all, begun, 30), 50, "once");
}

#[test]
fn a_scrape_right_behind_another_shows_the_same() {
    let (all, begun) = (utilization(), Instant::now());
    let work = all.work(&label("sink"), begun);
    work.begin(begun);
    assert_eq!(at(&all, begun, 2), 100);
    work.end(begun + Duration::from_secs(2));
    all.refresh(begun + Duration::from_millis(2_500));
    assert_eq!(at(&all, begun, 2), 100);
    assert_eq!(at(&all, begun, 3), 0);
}

#[test]
fn lanes_share_and_a_second_hand_beyond_them_does_not_exceed_one() {
    let (all, begun) = (utilization(), Instant::now());
    let work = all.work(&label("sink"), begun);
    let seats = [Seat::new(work.clone()), Seat::new(work.clone())];
    work.begin(begun);
    assert_eq!(at(&all, begun, 4), 50, "one of two lanes");
    work.begin(begun + Duration::from_secs(4));
    assert_eq!(at(&all, begun, 8), 100);
    drop(seats);
    assert_eq!(at(&all, begun, 12), 100);
}

#[test]
fn equal_labels_are_one_component_and_sources_are_none() {
    let (all, begun) = (utilization(), Instant::now());
    assert!(Arc::ptr_eq(&all.work(&label("sink"), begun), &all.work(&label("sink"), begun)));
    let source = all.work(&label("source"), begun);
    source.begin(begun);
    assert_eq!(at(&all, begun, 4), 0);
    assert_eq!(all.watched().len(), 1);
}

#[test]
fn work_ends_with_a_panic_too() {
    let work = Arc::new(Work::new(Instant::now()));
    let hand = work.clone();
    let panicked = std::panic::catch_unwind(move || {
        let _at_work = AtWork::new(hand);
        panic!("as the test says");
    });
    assert!(panicked.is_err());
    assert_eq!(work.hands(), 0);
}
