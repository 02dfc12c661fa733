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

/// Bytes of text: more than the caches hold.
const BYTES: usize = 48 << 20;
const ROUNDS: usize = 7;
/// Lines that are timed at once: so few that most are timed without an interruption in one of the rounds.
const SLICE: usize = 500;
/// Of `memchr`, without candidates: what is aimed at, and below what something has gone wrong.
const SHARE: [f64; 2] = [0.2, 0.12];
/// Of the alternation, with candidates in 15 of 100 lines: the same.
const GAIN: [f64; 2] = [3.0, 1.2];
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

/// The patterns of the profile `default`, as one would write them without this program: one alternation for one pass over
/// the text, of ASCII alone, since with Unicode it would be slower. It looks for as many things, but makes sure of none:
/// no Luhn, no mod 97, no header that decodes, no word near by. Compared are finding with finding, and writing the line
/// with its matches covered with the same, where the scrubber also looks at what it wrote once more.
const ALTERNATION: &str = concat!(
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"|\b(?:\d[ -]?){12,18}\d\b",
    r"|\+\d[\d ()-]{7,18}\d|\b8[ (-]*9\d\d[\d ()-]{7,12}",
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]+|(?i:basic)\s+[A-Za-z0-9+/=]{8,}",
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
    r"|://[^\s/:@]*:[^\s/@]+@",
    r"|AKIA[A-Z0-9]{16}|ASIA[A-Z0-9]{16}|ABIA[A-Z0-9]{16}|ACCA[A-Z0-9]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}",
    r"|GOCSPX-[\w-]{28}|AQVN[\w-]{36}|t1\.[\w.=-]{80,}|YCAJ[\w-]{21}|YCP[\w-]{37}|y0_[\w-]{40,}",
    r"|vk1\.a\.[\w-]{40,}|LTAI[A-Za-z0-9]{20}|AKID[A-Za-z0-9]{32}|dop_v1_[0-9a-f]{64}|doo_v1_[0-9a-f]{64}",
    r"|dor_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}|ghp_[A-Za-z0-9]{36,}|gho_[A-Za-z0-9]{36,}|ghu_[A-Za-z0-9]{36,}",
    r"|ghs_[A-Za-z0-9]{36,}|ghr_[A-Za-z0-9]{36,}|github_pat_[\w-]{22,}|glpat-[\w.=-]{20,}|gldt-[\w-]{20,}",
    r"|glrt-[\w.=-]{20,}|glptt-[0-9a-f]{40,}|glcbt-[\w-]{20,}|glsoat-[\w-]{20,}|glft-[\w-]{20,}",
    r"|glagent-[\w-]{50,}|GR1348941[\w-]{20}|ATBB[A-Za-z0-9]{32,}|ATATT3[\w.=-]{100,}|ATCTT3[\w.=-]{100,}",
    r"|xoxb-[\w-]{20,}|xoxp-[\w-]{20,}|xoxa-[\w-]{20,}|xoxr-[\w-]{20,}|xoxs-[\w-]{20,}|xoxe-[\w-]{20,}",
    r"|xoxe\.xox[\w-]{20,}|xapp-[\w-]{20,}|hooks\.slack\.com/services/[\w/-]{20,}|\d{8,11}:AA[\w-]{33}",
    r"|sk_live_[A-Za-z0-9]{16,}|sk_test_[A-Za-z0-9]{16,}|rk_live_[A-Za-z0-9]{16,}|rk_test_[A-Za-z0-9]{16,}",
    r"|whsec_[A-Za-z0-9]{24,}|sq0atp-[\w-]{22}|sq0csp-[\w-]{43}|live_[\w-]{40,}|shpat_[0-9a-f]{32,}",
    r"|shpca_[0-9a-f]{32,}|shppa_[0-9a-f]{32,}|shpss_[0-9a-f]{32,}|shippo_live_[0-9a-f]{40,}",
    r"|FLWSECK-[\w-]{20,}|duffel_live_[\w-]{43,}|EZAK[A-Za-z0-9]{54}|sk-ant-[\w-]{24,}|sk-proj-[\w-]{24,}",
    r"|sk-svcacct-[\w-]{24,}|sk-[A-Za-z0-9]{32,}|sk-or-v1-[0-9a-f]{64,}|hf_[A-Za-z0-9]{34,}",
    r"|r8_[A-Za-z0-9]{37,}|gsk_[A-Za-z0-9]{48,}|xai-[A-Za-z0-9]{60,}|pplx-[A-Za-z0-9]{40,}",
    r"|npm_[A-Za-z0-9]{36,}|pypi-AgEIcHlwaS5vcmc[\w-]{50,}|rubygems_[0-9a-f]{48}|cio[A-Za-z0-9]{32,}",
    r"|dckr_pat_[\w-]{27,}|dckr_oat_[\w-]{27,}|SG\.[\w.=-]{60,}|key-[0-9a-f]{32}|xkeysib-[\w-]{60,}",
    r"|md-[\w-]{22}|SK[0-9a-f]{32,}|hvs\.[\w-]{24,}|hvb\.[\w-]{24,}|hvr\.[\w-]{24,}|atlasv1\.[\w.=-]{60,}",
    r"|pul-[0-9a-f]{40,}|dp\.pt\.[A-Za-z0-9]{40,}|lin_api_[A-Za-z0-9]{40,}|ntn_[A-Za-z0-9]{40,}",
    r"|secret_[A-Za-z0-9]{43}|figd_[\w-]{40,}|PMAK-[\w-]{59}|NRAK-[A-Z0-9]{27}|glc_[A-Za-z0-9]{32,}",
    r"|glsa_[\w-]{40,}|sntrys_[\w.=-]{40,}|sntryu_[0-9a-f]{64,}|pscale_tkn_[\w.=-]{32,}",
    r"|pscale_pw_[\w.=-]{32,}|nfp_[A-Za-z0-9]{36,}|fo1_[\w-]{40,}|tskey-[\w-]{20,}|sbp_[0-9a-f]{40,}",
    r"|sgp_[\w-]{40,}|phx_[A-Za-z0-9]{40,}|sl\.[\w-]{130,}|AGE-SECRET-KEY-1[A-Z0-9]{58,}|p8e-[\w-]{32,}",
    r"|pat[\w.=-]{80,}",
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    r"|\b\d{3}-\d{2}-\d{4}\b",
);

fn main() -> ExitCode {
    let scanner = Scanner::new(Profile::Default.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
    let (quiet, plain, mixed) = (lines(&QUIET, 0), lines(&PLAIN, 0), lines(&PLAIN, 15));
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
    is_met &= beats_alternation(&mixed, &scanner, &mut scrubber);

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
fn beats_alternation(mixed: &[Vec<u8>], scanner: &Scanner, scrubber: &mut Scrubber) -> bool {
    println!("candidates in 15 of 100 lines");
    let names = Profile::Default.key_names().join("|").replace('_', "[_.-]?");
    let assigned = format!(r"|(?i:{names}|sig|signature|code|auth)[\x22']?\s*[=:]\s*[^\s&,;]+");
    let regex = Regex::new(&format!("(?-u:{ALTERNATION}{assigned})")).expect("a valid expression");
    let found_by = rate("alternation, found", mixed, |line| regex.find_iter(line).count());
    let covered_by = rate("alternation, covered", mixed, |line| regex.replace_all(line, NoExpand(b"[REDACTED]")).len());
    let mut matches = Found::default();
    let found = rate("profile `default`, found", mixed, |line| scanner.scan(line, &mut matches).len());
    let mut out = Vec::new();
    let covered = rate("profile `default`, covered", mixed, |line| {
        out.clear();
        scrubber.line(line, &mut out);
        out.len()
    });
    told("gain over the alternation, found", found / found_by, GAIN)
        & told("gain over the alternation, covered", covered / covered_by, GAIN)
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
                scrubber.line(black_box(line.as_bytes()), &mut out);
            }
            best = best.min(begun.elapsed().as_secs_f64() * 1e9 / (line.len() * times) as f64);
        }
        best
    });
    println!("  {part:36} {:8.2} {:8.2} {:8.2}", costs[0], costs[1], costs[2]);
    costs[2] <= costs[0] * MOST_GROWTH
}
