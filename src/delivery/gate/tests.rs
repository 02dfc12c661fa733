//! The gate before destinations that are played: one that grows slow under load, one that sheds, one that is down.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;
use crate::component::test_kit::meters;
use crate::delivery::settings::AdaptiveSettings;

const SECOND: Duration = Duration::from_secs(1);
const BACKOFF: Backoff = Backoff { initial: SECOND, max: Duration::from_secs(30) };

fn gate(limit: Limit, rate: Option<Rate>) -> Arc<Gate> {
    Arc::new(Gate::new(limit, rate, BACKOFF, meters().of_requests()))
}

fn adaptive() -> Limit {
    Limit::adaptive(AdaptiveSettings::default())
}

fn busy(after: Option<Duration>) -> Answer {
    Answer::Retry { why: "busy".into(), after }
}

/// A destination: how long it takes and what it says to a request when so many are at it.
type Peer = dyn Fn(usize) -> (Duration, Answer) + Send + Sync;

/// Has `workers` keep the destination busy for so long; gives how many requests it took.
async fn play(gate: &Arc<Gate>, workers: usize, lasts: Duration, peer: Arc<Peer>) -> usize {
    let (at_it, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let until = Instant::now() + lasts;
    let mut work = JoinSet::new();
    for _ in 0..workers {
        let (gate, peer, at_it, taken) = (gate.clone(), peer.clone(), at_it.clone(), taken.clone());
        work.spawn(async move {
            while Instant::now() < until {
                let pass = gate.enter().await;
                let (took, answer) = peer(at_it.fetch_add(1, Ordering::SeqCst) + 1);
                sleep(took).await;
                at_it.fetch_sub(1, Ordering::SeqCst);
                taken.fetch_add(usize::from(answer == Answer::Delivered), Ordering::SeqCst);
                pass.tell(&answer);
            }
        });
    }
    work.join_all().await;
    taken.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn it_grows_where_the_destination_bears_more() {
    let gate = gate(adaptive(), None);
    let even = Arc::new(|_: usize| (SECOND / 10, Answer::Delivered));
    let taken = play(&gate, 300, SECOND * 60, even.clone()).await;
    assert_eq!(gate.limit(), 200, "the largest");
    assert!(taken > 60 * 10 * 100, "{taken}");
    let few = self::gate(adaptive(), None);
    play(&few, 3, SECOND * 60, even).await;
    assert_eq!(few.limit(), 4, "nobody asks for more");
}

#[tokio::test(start_paused = true)]
async fn it_stops_where_requests_only_wait_at_the_destination() {
    // Ten at once; what is more waits there.
    let knee = Arc::new(|load: usize| ((SECOND / 10).mul_f64((load as f64 / 10.0).max(1.0)), Answer::Delivered));
    let gate = gate(adaptive(), None);
    let taken = play(&gate, 300, SECOND * 300, knee).await;
    assert!((10..=25).contains(&gate.limit()), "{}", gate.limit());
    assert!(taken > 300 * 100 * 8 / 10, "of 100 in a second: {taken}");
}

#[tokio::test(start_paused = true)]
async fn delay_alone_never_takes_it_below_its_beginning() {
    let gate = gate(adaptive(), None);
    let calls = AtomicUsize::new(0);
    let ever_slower = move |_: usize| {
        let calls = calls.fetch_add(1, Ordering::SeqCst);
        (Duration::from_millis(10 + calls as u64), Answer::Delivered)
    };
    play(&gate, 50, SECOND * 60, Arc::new(ever_slower)).await;
    assert_eq!(gate.limit(), 4);
}

#[tokio::test(start_paused = true)]
async fn it_finds_what_a_destination_takes_that_sheds() {
    let sheds = |load: usize| match load {
        ..=8 => (SECOND / 10, Answer::Delivered),
        _ => (SECOND / 100, busy(None)),
    };
    let gate = gate(adaptive(), None);
    let taken = play(&gate, 100, SECOND * 300, Arc::new(sheds)).await;
    assert!(taken > 300 * 80 * 7 / 10, "of 80 in a second: {taken}");
    assert!((6..=10).contains(&gate.limit()), "{}", gate.limit());
}

#[tokio::test(start_paused = true)]
async fn records_that_are_refused_for_now_are_a_sign_too() {
    let some = |_: usize| (SECOND / 10, Answer::Partial(vec![(0, Verdict::Retry { why: "full".into() })]));
    let gate = gate(adaptive(), None);
    play(&gate, 10, SECOND * 10, Arc::new(some)).await;
    assert_eq!(gate.limit(), 1);
    let stays = |_: usize| (SECOND / 10, Answer::Partial(vec![(0, Verdict::AlreadyThere)]));
    play(&gate, 10, SECOND * 60, Arc::new(stays)).await;
    assert!(gate.limit() >= 4, "it comes back: {}", gate.limit());
}

#[tokio::test(start_paused = true)]
async fn one_that_sheds_and_is_slower_for_good_gets_its_requests_again() {
    let gate = gate(adaptive(), None);
    play(&gate, 2, SECOND * 10, Arc::new(|_: usize| (SECOND / 100, Answer::Delivered))).await;
    play(&gate, 10, SECOND * 10, Arc::new(|_: usize| (SECOND / 10, busy(None)))).await;
    assert_eq!(gate.limit(), 1);
    play(&gate, 50, SECOND * 300, Arc::new(|_: usize| (SECOND / 2, Answer::Delivered))).await;
    assert!(gate.limit() > 10, "{}", gate.limit());
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_down_is_asked_by_one_at_a_time() {
    let gate = gate(Limit::Fixed(50), None);
    let began = Instant::now();
    let asked = Arc::new(AtomicUsize::new(0));
    let (counted, back) = (asked.clone(), SECOND * 3600);
    let down = move |load: usize| {
        counted.fetch_add(1, Ordering::SeqCst);
        if began.elapsed() > SECOND {
            assert_eq!(load, 1, "a single probe");
        }
        (SECOND / 10, if began.elapsed() < back { busy(None) } else { Answer::Delivered })
    };
    play(&gate, 50, SECOND * 1800, Arc::new(down)).await;
    let probes = asked.load(Ordering::SeqCst);
    assert!((50 + 60..=50 + 140).contains(&probes), "every 15 to 30 s: {probes}");
}

#[tokio::test(start_paused = true)]
async fn all_go_again_when_a_probe_succeeds() {
    let gate = gate(adaptive(), None);
    let began = Instant::now();
    let outage = move |_: usize| {
        let is_down = began.elapsed() < SECOND * 60;
        (SECOND / 10, if is_down { busy(None) } else { Answer::Delivered })
    };
    play(&gate, 20, SECOND * 60, Arc::new(outage)).await;
    let taken = play(&gate, 20, SECOND * 60, Arc::new(outage)).await;
    assert!(taken > (60 - 31) * 40 && gate.limit() > 4, "{taken} at {}", gate.limit());
}

#[tokio::test(start_paused = true)]
async fn what_the_destination_asks_for_is_obeyed_by_all() {
    let gate = gate(Limit::Fixed(10), None);
    for _ in 0..3 {
        gate.enter().await.tell(&busy(Some(SECOND * 100)));
    }
    let began = Instant::now();
    gate.enter().await.tell(&Answer::Delivered);
    assert_eq!(began.elapsed(), SECOND * 100);
    gate.enter().await.tell(&busy(Some(SECOND * 100)));
    gate.enter().await.tell(&Answer::Delivered);
    assert_eq!(began.elapsed(), SECOND * 100, "one refusal is no outage");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_person_is_asked_rarely() {
    let gate = gate(Limit::Fixed(10), None);
    gate.enter().await.tell(&Answer::Hold { why: "credentials".into() });
    for _ in 0..20 {
        gate.enter().await.tell(&Answer::Hold { why: "credentials".into() });
    }
    let began = Instant::now();
    gate.enter().await.tell(&Answer::Delivered);
    assert!((SECOND * 30..=SECOND * 60).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_goes_without_an_answer_makes_room_for_another() {
    let gate = gate(Limit::Fixed(1), None);
    for _ in 0..3 {
        gate.enter().await.tell(&busy(None));
    }
    drop(gate.enter().await);
    gate.enter().await.tell(&Answer::Anew);
    assert!(gate.lock().breaker.is_open(), "nothing was sent");
    gate.enter().await.tell(&Answer::Delivered);
    assert!(!gate.lock().breaker.is_open() && gate.lock().under_way == 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_sent_in_a_time_than_the_rate_allows() {
    let gate = gate(Limit::Fixed(100), Some(Rate::new(7, SECOND * 2)));
    let fast = Arc::new(|_: usize| (Duration::from_millis(1), Answer::Delivered));
    let taken = play(&gate, 30, SECOND * 20, fast).await;
    assert!((70..=77 + 30).contains(&taken), "{taken}");
    let began = Instant::now();
    sleep(SECOND * 10).await;
    for _ in 0..7 {
        gate.enter().await.tell(&Answer::Delivered);
    }
    assert_eq!(began.elapsed(), SECOND * 10);
    gate.enter().await.tell(&Answer::Delivered);
    assert_eq!(began.elapsed(), SECOND * 12);
}

#[test]
fn a_largest_number_below_the_first_one_counts() {
    let most = NonZeroUsize::new(2).unwrap();
    let limit = Limit::adaptive(AdaptiveSettings { max_concurrency_limit: most, ..AdaptiveSettings::default() });
    assert_eq!(limit.get(), 2);
}
