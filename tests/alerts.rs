//! The alert rules speak of what there is: metrics, labels' values and the page that says what to do.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The first group of each match.
fn all<'a>(pattern: &str, text: &'a str) -> BTreeSet<&'a str> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found.get(1).unwrap().as_str()).collect()
}

#[test]
fn every_metric_and_value_of_a_rule_is_in_the_page_on_metrics() {
    let (rules, metrics) = (read("deploy/prometheus/levada.rules.yml"), read("docs/metrics.md"));
    let used = all(r"\b(levada_[a-z_]+)", &rules);
    let unknown: Vec<_> = used.iter().filter(|name| !metrics.contains(&format!("`{name}`"))).collect();
    assert!(used.len() >= 10 && unknown.is_empty(), "{unknown:?}");
    let values = all(r#"(?:reason|error_type)!?=~?"([^"]+)""#, &rules);
    for value in values.iter().flat_map(|values| values.split('|')) {
        let stem = value.trim_end_matches(".*");
        assert!(metrics.contains(&format!("`{stem}")), "`{value}` is no value of a label");
    }
}

#[test]
fn every_metric_of_the_page_is_in_the_program() {
    let metrics = read("docs/metrics.md");
    let tabled: String = metrics.lines().filter(|line| line.starts_with("| `levada_")).collect();
    let program: String = ["src/component", "src/admin"].into_iter().flat_map(sources).collect();
    let unknown: Vec<_> = all(r"`(levada_[a-z_]+)`", &tabled)
        .into_iter()
        .filter(|name| !program.contains(&format!("\"{name}\"")))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The texts of all Rust files below a folder.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_alert_has_a_row_that_says_what_to_do_and_a_test_names_only_alerts() {
    let (rules, page) = (read("deploy/prometheus/levada.rules.yml"), read("docs/operating.md"));
    let alerts = all(r"- alert: (\w+)", &rules);
    let told = all(r"(?m)^\| `(Levada\w+)` \|", &page);
    assert_eq!(alerts, told);
    assert!(alerts.len() >= 10);
    let tests = read("deploy/prometheus/levada.rules.test.yml");
    assert!(all(r"alertname: (\w+)", &tests).is_subset(&alerts));
}
