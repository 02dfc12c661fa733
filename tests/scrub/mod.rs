//! How well the scrubber finds: labelled lines from a generator with a seed, counted by type.

mod data;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use levada::component::meters::{Families, Label};
use levada::transforms::scrub::{Detector, Found, Kind, Match, Profile, Scanner, Scrubber};
use serde_json::Value;

use self::data::{Line, Maker, SEED};

/// Lines of each type, half of them JSON.
const LINES: usize = 3_000;
/// What each type must reach, in both figures.
const LEAST: f64 = 0.99;

/// What was found of a type.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    right: usize,
    missed: usize,
    wrong: usize,
}

impl Score {
    fn recall(self) -> f64 {
        self.right as f64 / (self.right + self.missed).max(1) as f64
    }

    fn precision(self) -> f64 {
        self.right as f64 / (self.right + self.wrong).max(1) as f64
    }
}

/// Kinds that find the same values by other signs: a token behind `Bearer` may be a JSON Web Token.
fn alike(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Jwt | Kind::BearerToken => &[Kind::Jwt, Kind::BearerToken],
        Kind::CloudKey => &[Kind::CloudKey, Kind::KeyValue, Kind::QuerySecret],
        Kind::QuerySecret | Kind::KeyValue => &[Kind::QuerySecret, Kind::KeyValue],
        _ => &[],
    }
}

fn is_it(found: Kind, kind: Kind) -> bool {
    found == kind || alike(kind).contains(&found)
}

/// Every string of a line, with the name of its member.
fn texts(line: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(line) else { return vec![line.to_owned()] };
    let mut open = vec![value];
    let mut found = Vec::new();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    found
}

fn count(scanner: &Scanner, line: &Line, scores: &mut BTreeMap<Kind, Score>) {
    let mut found = Found::default();
    let mut is_met = line.value.is_none();
    for text in texts(&line.text) {
        let place = line.value.as_ref().and_then(|(_, value)| text.find(value.as_str()).map(|at| at..at + value.len()));
        for Match { span, detector, .. } in scanner.scan(text.as_bytes(), &mut found) {
            let Some(kind) = scanner.detectors()[*detector].kind() else { continue };
            let expected = line.value.as_ref().is_some_and(|(expected, _)| is_it(kind, *expected));
            let covers = place.as_ref().is_some_and(|place| span.start <= place.start && place.end <= span.end);
            if expected && covers {
                is_met = true;
            } else {
                scores.entry(kind).or_default().wrong += 1;
            }
        }
    }
    if let Some((kind, _)) = line.value {
        let score = scores.entry(kind).or_default();
        if is_met {
            score.right += 1;
        } else {
            score.missed += 1;
        }
    }
}

fn table(scores: &BTreeMap<Kind, Score>) -> String {
    let mut table = String::from("| detector | values | recall | precision |\n|---|---:|---:|---:|\n");
    for (kind, score) in scores {
        let values = score.right + score.missed;
        let (recall, precision) = (score.recall(), score.precision());
        writeln!(table, "| `{}` | {values} | {recall:.4} | {precision:.4} |", kind.name()).unwrap();
    }
    table
}

#[test]
fn each_type_is_found_and_nothing_else() {
    let mut maker = Maker::new(SEED);
    let scanner = Scanner::new(Profile::Strict.detectors().iter().map(|kind| Detector::Known(*kind)).collect());
    let mut scores = BTreeMap::new();
    for kind in Kind::ALL {
        for _ in 0..LINES {
            count(&scanner, &maker.line_with(kind), &mut scores);
            count(&scanner, &maker.near_miss(kind), &mut scores);
        }
    }
    for _ in 0..LINES {
        count(&scanner, &maker.nothing(), &mut scores);
    }
    let table = table(&scores);
    println!("{table}");
    for (kind, score) in &scores {
        let reached = score.recall() >= LEAST && score.precision() >= LEAST;
        assert!(reached, "{}: {score:?}\n{table}", kind.name());
    }
    assert_eq!(scores.len(), Kind::ALL.len());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scrub.md");
    let text = fs::read_to_string(&page).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let (before, rest) = text.split_once("| detector | values | recall").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        fs::write(&page, format!("{before}{table}\n{after}")).unwrap();
        return;
    }
    assert!(
        text.contains(&table),
        "docs/scrub.md shows another table; `UPDATE=1 cargo test --test integration scrub` writes it"
    );
}

/// The same line with some of its characters written as escapes, if it is JSON; else a record that has it as a string.
fn escaped(line: &str, number: usize) -> String {
    let record = if serde_json::from_str::<Value>(line).is_ok() {
        line.to_owned()
    } else {
        serde_json::json!({ "message": line }).to_string()
    };
    let mut before = ' ';
    let hide = |(at, character): (usize, char)| {
        // What stands behind a backslash is a part of an escape, and its digits have to stay.
        let may_hide =
            before != '\\' && matches!(character, '@' | '0'..='9' | '.' | ' ') && (at + number).is_multiple_of(5);
        before = character;
        if may_hide { format!("\\u{:04x}", u32::from(character)) } else { character.to_string() }
    };
    let start = record.find(&line[..line.len().min(4)]).filter(|_| !line.starts_with('{')).unwrap_or(0);
    if start == 0 {
        return record;
    }
    let (head, body) = record.split_at(start);
    format!("{head}{}", body.char_indices().map(hide).collect::<String>())
}

/// The step as it runs: whole lines go in, JSON and text, with and without escapes, and what is labelled does not come out.
#[test]
fn what_is_labelled_does_not_leave() {
    let meters = Families::default().meters(&Label { id: "it".into(), kind: "transform", type_name: "scrub" });
    let mut scrubber = Scrubber::of_profile(Profile::Strict, meters);
    let mut maker = Maker::new(SEED + 1);
    for kind in Kind::ALL {
        let left = (0..LINES).filter(|number| {
            let Line { text, value } = maker.line_with(kind);
            let line = if number % 2 == 0 { text } else { escaped(&text, *number) };
            let mut out = Vec::new();
            let is_covered = scrubber.line(line.as_bytes(), &mut out);
            let (_, value) = value.unwrap();
            let is_json = serde_json::from_str::<Value>(&line).is_ok();
            assert!(!is_json || !is_covered || serde_json::from_slice::<Value>(&out).is_ok(), "{line}");
            let shown = if is_covered { String::from_utf8(out).unwrap() } else { line };
            texts(&shown).iter().any(|text| text.contains(&value))
        });
        let left = left.count();
        assert!(left as f64 <= (1.0 - LEAST) * LINES as f64, "{}: {left} of {LINES} leave", kind.name());
    }
}
