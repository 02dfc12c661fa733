//! Whatever comes in whatever order, with stops, reloads and too little memory: each record is kept or counted.

use std::collections::BTreeSet;

use super::*;

/// A span with where it belongs.
#[derive(Clone, Debug)]
struct Sent {
    span: Span,
    /// Of its trace.
    has_error: bool,
}

/// Traces of a few spans: some with an error, some of ten seconds, most of neither.
fn traces(seed: u64, count: u64) -> Vec<Sent> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for _ in 0..count {
        let trace = random.u128(1..);
        let (failing, slow) = (random.u64(0..40), random.u64(0..40));
        let spans = random.u64(1..8);
        for id in 1..=spans {
            let end = if slow == id { 11_001 } else { 1_001 };
            let attributes = vec![("x".to_owned(), "y".repeat(random.usize(0..2_000)))];
            let parent = u64::from(id > 1);
            let span = Span { id, parent, end, attributes, is_error: failing == id, ..Span::of(trace) };
            all.push(Sent { span, has_error: (1..=spans).contains(&failing) });
        }
    }
    random.shuffle(&mut all);
    all
}

/// Sends them in requests of several sizes, with time between; `restart` tells how often the step is replaced.
fn play(bench: &mut Bench, sent: &[Sent], seed: u64, restart: u64) -> Vec<Out> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut out, mut left) = (Vec::new(), sent);
    while !left.is_empty() {
        let (now, rest) = left.split_at(random.usize(1..=left.len().min(60)));
        let request: Vec<Span> = now.iter().map(|sent| sent.span.clone()).collect();
        out.extend(bench.apply(&request));
        out.extend(bench.after(random.u64(0..400)));
        if restart > 0 && random.u64(0..restart) == 0 {
            out.extend(bench.renew());
        }
        left = rest;
    }
    out.extend(bench.finish());
    out
}

fn names(out: &[Out]) -> BTreeSet<(u128, u64)> {
    out.iter().map(|out| (out.trace, out.span)).collect()
}

fn stays(trace: u128) -> bool {
    Threshold::of_ratio(0.1).keeps(Randomness::of_trace(&trace.to_be_bytes()))
}

const SPAN_RULES: &str = r"
ratio = 0.1
whole_traces = true
rules = [{ name = 'errors', error = true }, { name = 'slow', span_longer_than_ms = 5000 }]
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_record_is_kept_or_counted_and_what_matters_is_kept(
        seed in any::<u64>(),
        restart in prop_oneof![Just(0_u64), 2..30_u64],
        kib in 60..2_000_u64,
        spill in any::<bool>(),
        cache in prop_oneof![Just(1_u64), Just(1 << 20)],
    ) {
        let toml = format!(
            "max_bytes = '{kib}KiB'\nmax_trace_bytes = '{}KiB'\nspill.enabled = {spill}\nspill.max_bytes = '300KiB'\n\
             decision_cache.max_bytes = {cache}\n{SPAN_RULES}",
            1 + kib / 100
        );
        let mut bench = Bench::new(&toml);
        let sent = traces(seed, 200);
        let out = play(&mut bench, &sent, seed ^ 1, restart);
        let kept = names(&out);
        prop_assert_eq!(kept.len(), out.len(), "no span twice");
        let (sampled, throttled) = bench.meters();
        prop_assert_eq!(out.len() as u64 + sampled + throttled, sent.len() as u64);
        for Sent { span, .. } in &sent {
            let is_kept = kept.contains(&(span.trace, span.id));
            prop_assert!(is_kept || !(span.is_error || span.end > 6_001 || stays(span.trace)), "{:?}", span);
        }
        prop_assert!(bench.ledger.worst().iter().all(|(_, worst)| *worst <= Outcome::Dropped));
        prop_assert!(held_bytes(&bench) < EMPTY);
    }

    #[test]
    fn with_memory_enough_traces_are_whole_in_every_order(seed in any::<u64>(), order in any::<u64>()) {
        let mut bench = Bench::new(&format!("decision_wait_secs = 86400\ndecision_delay_secs = 86400\n{SPAN_RULES}"));
        let mut sent = traces(seed, 100);
        fastrand::Rng::with_seed(order).shuffle(&mut sent);
        let out = names(&play(&mut bench, &sent, order, 0));
        let is_slow = |trace: u128| sent.iter().any(|sent| sent.span.trace == trace && sent.span.end > 6_001);
        for Sent { span, has_error } in &sent {
            let stays = *has_error || is_slow(span.trace) || stays(span.trace);
            prop_assert_eq!(out.contains(&(span.trace, span.id)), stays, "{:?}", span);
        }
    }
}

#[test]
fn two_that_never_talk_keep_the_same_tenth() {
    let sent: Vec<Sent> =
        traces(7, 3_000).into_iter().filter(|sent| !sent.has_error && sent.span.end < 6_001).collect();
    let all: BTreeSet<u128> = sent.iter().map(|sent| sent.span.trace).collect();
    let (here, there): (Vec<Sent>, Vec<Sent>) = sent.into_iter().partition(|sent| sent.span.id % 2 == 1);
    let kept = |sent: &[Sent]| -> BTreeSet<u128> {
        let mut bench = Bench::new(RULES);
        play(&mut bench, sent, 3, 0).into_iter().map(|out| out.trace).collect()
    };
    let (one, other) = (kept(&here), kept(&there));
    let of = |sent: &[Sent]| -> BTreeSet<u128> { sent.iter().map(|sent| sent.span.trace).collect() };
    let both = &of(&here) & &of(&there);
    assert!(both.len() > 1_000);
    assert_eq!(&one & &both, &other & &both);
    let (expected, sigma) = (all.len() as f64 * 0.1, (all.len() as f64 * 0.09).sqrt());
    assert!((one.union(&other).count() as f64 - expected).abs() < 3.0 * sigma);
}
