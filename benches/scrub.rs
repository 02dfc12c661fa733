//! The scrubber on one core, against `memchr` over the same text and an alternation of the same patterns.
//!
//! Fails where a yardstick of the same run is missed, or where time is not linear in the length of a line.
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use levada::component::meters::{Families, Label};
use levada::transforms::scrub::{Detector, Found, Kind, Profile, Scanner, Scrubber};
use regex::bytes::Regex;

/// Bytes of text: more than the caches hold.
const BYTES: usize = 48 << 20;
const ROUNDS: usize = 5;
/// Of `memchr`, without candidates.
const LEAST_SHARE: f64 = 0.2;
/// Of the alternation, with candidates in 15 of 100 lines.
const LEAST_GAIN: f64 = 3.0;
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

/// The patterns of the profile `default`, as one would write them without this program.
const ALTERNATION: &str = concat!(
    r"(?-u)[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"|\b(?:\d[ -]?){12,18}\d\b",
    r"|\+\d[\d ()-]{7,18}\d|\b8[ (-]*9\d\d[\d ()-]{7,12}",
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]+|(?i:basic)\s+[A-Za-z0-9+/=]{8,}",
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
    r"|://[^\s/:@]*:[^\s/@]+@",
    r"|(?i:password|passwd|pwd|secret|token|api_?key|access_?key|authorization|cookie|sig|signature)[\x22']?\s*[=:]\s*[^\s&,;]+",
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|xox[abprs]-[\w-]{20,}",
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9]{32,}|npm_[A-Za-z0-9]{36}|SG\.[\w.-]{60,}|hvs\.[\w-]{24,}|dop_v1_[a-f0-9]{64}",
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    r"|\b\d{3}-\d{2}-\d{4}\b",
);

fn main() -> ExitCode {
    let scanner = Scanner::new(Profile::Default.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
    let regex = Regex::new(ALTERNATION).expect("a valid expression");
    let (quiet, plain, mixed) = (lines(&QUIET, 0), lines(&PLAIN, 0), lines(&PLAIN, 15));
    let mut is_met = true;

    let mut found = Found::default();
    println!("lines without a candidate, {} bytes on average", BYTES / quiet.len());
    let yardstick = rate("memchr, a call a line", &quiet, |line| memchr::memchr(0, line).map_or(0, |at| at + 1));
    rate("memchr, one call", &[quiet.concat()], |text| memchr::memchr(0, text).map_or(0, |at| at + 1));
    let skipped = rate("profile `default`", &quiet, |line| scanner.scan(line, &mut found).len());
    is_met &= told("share of memchr", skipped / yardstick, LEAST_SHARE);

    println!("lines with times, ids, hashes, paths, {} bytes on average", BYTES / plain.len());
    for profile in Profile::ALL {
        let scanner = Scanner::new(profile.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
        rate(&format!("profile `{}`", profile.name()), &plain, |line| scanner.scan(line, &mut found).len());
    }
    for kind in Profile::Default.detectors() {
        let scanner = Scanner::new(vec![Detector::Known(*kind)]);
        rate(&format!("  {} alone", kind.name()), &plain, |line| scanner.scan(line, &mut found).len());
    }

    println!("candidates in 15 of 100 lines");
    let yardstick = rate("alternation", &mixed, |line| regex.find_iter(line).count());
    let busy = rate("profile `default`, found", &mixed, |line| scanner.scan(line, &mut found).len());
    let meters = Families::default().meters(&Label { id: "bench".into(), kind: "bench", type_name: "scrub" });
    let mut scrubber = Scrubber::of_profile(Profile::Default, meters);
    let mut out = Vec::new();
    let covered = rate("profile `default`, covered", &mixed, |line| {
        out.clear();
        scrubber.line(line, &mut out);
        out.len()
    });
    is_met &= told("gain over the alternation, found", busy / yardstick, LEAST_GAIN);
    is_met &= told("gain over the alternation, covered", covered / yardstick, LEAST_GAIN);

    println!("ns a byte of one line of 1 KiB, 32 KiB, 1 MiB");
    for part in [
        "4", "4 ", "4111 1111 1111 1112 ", "+7 916 123-45-6 ", "a@", "a@b.", "://a:", "Bearer ", "eyJ.", "token:", "password=\"",
        "sk-", "sk_live_", "DE89 3704 0044 0532 ", "-----BEGIN A PRIVATE KEY-----", "12:", "{\"a\":", "basic YTpi/", "\u{43f}",
    ] {
        is_met &= is_linear(part, &mut scrubber);
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// Prints and gives the best rate of some rounds, in MB/s.
fn rate(name: &str, lines: &[Vec<u8>], mut run: impl FnMut(&[u8]) -> usize) -> f64 {
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        black_box(lines.iter().map(|line| run(black_box(line))).sum::<usize>());
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let rate = bytes as f64 / best / 1e6;
    println!("  {name:36} {rate:8.0} MB/s");
    rate
}

fn told(what: &str, found: f64, least: f64) -> bool {
    println!("  {what:36} {found:8.2}, expected {least} at least");
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
                scrubber.line(black_box(line.as_bytes()), &mut out);
            }
            best = best.min(begun.elapsed().as_secs_f64() * 1e9 / (line.len() * times) as f64);
        }
        best
    });
    println!("  {part:36} {:8.2} {:8.2} {:8.2}", costs[0], costs[1], costs[2]);
    costs[2] <= costs[0] * MOST_GROWTH
}
