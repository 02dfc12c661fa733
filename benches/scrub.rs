//! The scrubber on one core, against `memchr` over the same text and an alternation of the same patterns.
//!
//! Fails far below a yardstick of the same run, or where time is not linear in the length of a line.
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use levada::component::meters::{Families, Label};
use levada::transforms::scrub::{Detector, Found, Profile, Scanner, Scrubber};
use regex::bytes::{NoExpand, Regex};

#[path = "support/alternation.rs"]
mod alternation;

use alternation::{alternation, finds_as_much};

/// Bytes of text: more than the caches hold.
const BYTES: usize = 48 << 20;
const ROUNDS: usize = 7;
/// Lines that are timed at once: so few that most are timed without an interruption in one of the rounds.
const SLICE: usize = 500;
/// Of `memchr`, without candidates: what is aimed at, and below what something has gone wrong.
const SHARE: [f64; 2] = [0.2, 0.12];
/// Of the alternation, with candidates in 15 of 100 lines: the same.
const GAIN: [f64; 2] = [3.0, 2.0];
/// The same where the other lines have what only looks like a candidate: there is a look at each of these.
const GAIN_BESIDE: [f64; 2] = [2.0, 1.2];
/// How much dearer a byte of a line of 1 MiB may be than one of 1 KiB.
const MOST_GROWTH: f64 = 4.0;

/// Lines without a candidate: words and short numbers.
const QUIET: [&str; 6] = [
    "order 4711 accepted and handed to the warehouse with the next available slot, 3 of 3 items in stock",
    "no entry in the cache, reading the price from the second replica now, took 17 ms of 250",
    "the broker moved its leader, connecting again to partition 12, the last one of this topic",
    "reading the history of this account took longer than it should have taken, trying again in 5 s",
    "пересчёт остатков на складе завершён, 1250 позиций за 3,2 с, следующая сверка через час",
    "search of 3 providers finished, 2 answered in time, the third one is left out until it is well again",
];

/// Lines with what only looks like one: times, ids, hashes, paths, long numbers.
const PLAIN: [&str; 10] = [
    "2026-11-21T13:08:46.123Z INFO order 4711 accepted and handed to the warehouse with the next available slot",
    "no entry in the cache, reading the price from the second replica now; took 17 ms of 250",
    "2026-11-21 13:08:46.123 WARN the broker moved its leader, connecting again to partition 12 at offset 88120",
    "GET /api/v1/orders/4711/items?page=2&limit=50 200 31ms kube-probe/1.31",
    "request 550e8400-e29b-41d4-a716-446655440000 finished in 0.0123 s with status 200, 4096 bytes",
    "commit c71ae733de95d47d50296d61b9501d14 is built: 17 warnings, 0 errors, image go2asia/guru:5.2.1",
    "java.net.SocketTimeoutException: Read timed out at com.example.orders.Client.call(Client.java:117)",
    "reading the history of this account took longer than it should have taken, trying again in 5 s",
    "пересчёт остатков на складе завершён: 1250 позиций за 3,2 с, следующая сверка через час",
    "goroutine 1847 [running]: go2asia/guru/geo.(*Provider).search of 3 providers, 2 answered in time",
];

/// What stands behind a line that has a candidate.
const CANDIDATES: [&str; 12] = [
    "receipt sent to ann.lee@example.com",
    "charging card 4111 1111 1111 1111",
    "called +7 916 123-45-67 back",
    "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789",
    "session eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "connecting to postgres://app:s3cret@db.internal:5432/orders",
    "GET /hook?token=8f3a2c&x=1",
    "login with password=hunter2 failed",
    "AKIAIOSFODNN7EXAMPLE is not authorised",
    "paid to DE89 3704 0044 0532 0130 00",
    "ssn 123-45-6789 does not match",
    "mail @ desk 4711 1234 5678 9012 is no card, 13:08:46 is no key",
];

fn main() -> ExitCode {
    let scanner = Scanner::new(Profile::Default.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
    let (quiet, plain) = (lines(&QUIET, 0), lines(&PLAIN, 0));
    let (mixed, harder) = (lines(&QUIET, 15), lines(&PLAIN, 15));
    let mut is_met = true;

    let mut found = Found::default();
    println!("lines without a candidate, {} bytes on average", BYTES / quiet.len());
    let yardstick = rate("memchr, a call a line", &quiet, |line| memchr::memchr(0, line).map_or(0, |at| at + 1));
    rate("memchr, one call", &[quiet.concat()], |text| memchr::memchr(0, text).map_or(0, |at| at + 1));
    let skipped = rate("profile `default`", &quiet, |line| scanner.scan(line, &mut found).len());
    is_met &= told("share of memchr", skipped / yardstick, SHARE);

    println!("lines with times, ids, hashes, paths, {} bytes on average", BYTES / plain.len());
    for profile in Profile::ALL {
        let scanner = Scanner::new(profile.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
        rate(&format!("profile `{}`", profile.name()), &plain, |line| scanner.scan(line, &mut found).len());
    }
    for kind in Profile::Default.detectors() {
        let scanner = Scanner::new(vec![Detector::Known(*kind)]);
        rate(&format!("  {} alone", kind.name()), &plain, |line| scanner.scan(line, &mut found).len());
    }

    let meters = Families::default().meters(&Label { id: "bench".into(), kind: "bench", type_name: "scrub" });
    let mut scrubber = Scrubber::of_profile(Profile::Default, meters);
    let regex = alternation();
    is_met &= finds_as_much(&regex);
    println!("a candidate in 15 of 100 lines, none in the others");
    is_met &= beats_alternation(&regex, &mixed, (&scanner, &mut scrubber), GAIN);
    println!("the same, times, ids, hashes, paths in the others");
    is_met &= beats_alternation(&regex, &harder, (&scanner, &mut scrubber), GAIN_BESIDE);

    println!("ns a byte of one line of 1 KiB, 32 KiB, 1 MiB");
    for part in [
        "4",
        "4 ",
        "4111 1111 1111 1112 ",
        "+7 916 123-45-6 ",
        "a@",
        "a@b.",
        "://a:",
        "Bearer ",
        "eyJ.",
        "token:",
        "password=\"",
        "sk-",
        "sk_live_",
        "DE89 3704 0044 0532 ",
        "-----BEGIN A PRIVATE KEY-----",
        "12:",
        "{\"a\":",
        "basic YTpi/",
        "\u{43f}",
    ] {
        is_met &= is_linear(part, &mut scrubber);
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Finds in and covers lines of which some have candidates, beside the alternation.
fn beats_alternation(
    regex: &Regex,
    mixed: &[Vec<u8>],
    (scanner, scrubber): (&Scanner, &mut Scrubber),
    gain: [f64; 2],
) -> bool {
    let found_by = rate("alternation, found", mixed, |line| regex.find_iter(line).count());
    let covered_by = rate("alternation, covered", mixed, |line| regex.replace_all(line, NoExpand(b"[REDACTED]")).len());
    let mut matches = Found::default();
    let found = rate("profile `default`, found", mixed, |line| scanner.scan(line, &mut matches).len());
    let mut out = Vec::new();
    let covered = rate("profile `default`, covered", mixed, |line| {
        out.clear();
        usize::from(scrubber.line(line, &mut out)) + out.len()
    });
    told("gain over the alternation, found", found / found_by, gain)
        & told("gain over the alternation, covered", covered / covered_by, gain)
}

/// Lines of these texts, of which so many in a hundred have a candidate.
fn lines(texts: &[&str], share: usize) -> Vec<Vec<u8>> {
    let (mut lines, mut bytes, mut number) = (Vec::new(), 0, 0_usize);
    while bytes < BYTES {
        // Spread without a pattern that a branch predictor learns.
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut line = texts[(mixed >> 32) % texts.len()].as_bytes().to_vec();
        if (mixed >> 40) % 100 < share {
            line.push(b' ');
            line.extend_from_slice(CANDIDATES[(mixed >> 24) % CANDIDATES.len()].as_bytes());
        }
        bytes += line.len();
        number += 1;
        lines.push(line);
    }
    lines
}

/// Prints and gives the best rate of each slice in some rounds, all together, in MB/s.
fn rate(name: &str, lines: &[Vec<u8>], mut run: impl FnMut(&[u8]) -> usize) -> f64 {
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let mut best = vec![f64::INFINITY; lines.len().div_ceil(SLICE)];
    for _ in 0..ROUNDS {
        for (slice, best) in lines.chunks(SLICE).zip(&mut best) {
            let begun = Instant::now();
            black_box(slice.iter().map(|line| run(black_box(line))).sum::<usize>());
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    let rate = bytes as f64 / best.iter().sum::<f64>() / 1e6;
    println!("  {name:36} {rate:8.0} MB/s");
    rate
}

fn told(what: &str, found: f64, [aim, least]: [f64; 2]) -> bool {
    println!("  {what:36} {found:8.2}, aim {aim}, expected {least} at least");
    found >= least
}

fn is_linear(part: &str, scrubber: &mut Scrubber) -> bool {
    let mut out = Vec::new();
    let costs = [1 << 10, 32 << 10, 1 << 20].map(|size: usize| {
        let line = part.repeat(size / part.len());
        let times = (1 << 20) / size;
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let begun = Instant::now();
            for _ in 0..times {
                out.clear();
                black_box(scrubber.line(black_box(line.as_bytes()), &mut out));
            }
            best = best.min(begun.elapsed().as_secs_f64() * 1e9 / (line.len() * times) as f64);
        }
        best
    });
    println!("  {part:36} {:8.2} {:8.2} {:8.2}", costs[0], costs[1], costs[2]);
    costs[2] <= costs[0] * MOST_GROWTH
}
