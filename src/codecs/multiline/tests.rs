//! The rules against what runtimes print, and against their corpus.

use super::*;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/multiline");

/// How many lines each group has; a line that stands alone is one.
fn groups(rules: &Multiline, text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = None;
    for line in text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n') {
        let verdict = open.map(|state| rules.next(state, line));
        if let Some(Verdict::Joins(_) | Verdict::JoinsLast) = verdict {
            *found.last_mut().unwrap() += 1;
        } else {
            found.push(1);
        }
        open = match verdict {
            Some(Verdict::Joins(state)) => Some(state),
            Some(Verdict::JoinsLast) => None,
            None | Some(Verdict::Ends) => rules.begins(line),
        };
    }
    found
}

fn rules(settings: &str) -> Multiline {
    let settings: MultilineSettings = toml::from_str(settings).unwrap();
    assert_eq!(settings.faults(), []);
    settings.rules().unwrap()
}

#[test]
fn presets_know_what_runtimes_print() {
    let cases: [(&str, &[usize]); 12] = [
        ("java_logback", &[1, 10, 1]),
        ("java_uncaught", &[2, 1]),
        ("python_chained", &[1, 12, 1]),
        ("python_group", &[7, 1]),
        ("go_panic", &[1, 11, 1]),
        ("node_logged", &[1, 7, 1]),
        ("node_uncaught", &[7, 1]),
        ("dotnet_inner", &[2, 5, 1]),
        ("ruby_raised", &[4, 1]),
        ("php_fatal", &[1, 9, 1]),
        ("php_laravel", &[5, 1]),
        ("rust_panic", &[1, 8, 2, 5, 1]),
    ];
    for (name, expected) in cases {
        let preset = name.split('_').next().unwrap();
        let text = std::fs::read(format!("{CORPUS}/{name}")).unwrap();
        assert_eq!(groups(&rules(&format!("preset = '{preset}'")), &text), expected, "{name}");
    }
}

#[test]
fn the_modes_are_those_of_vector() {
    let cases: [(&str, &str, &[usize]); 4] = [
        (
            "mode = 'continue_through'\nstart_pattern = '^[^\\s]'\ncondition_pattern = '^\\s'",
            "a\n b\n c\nd\n e",
            &[3, 2],
        ),
        ("mode = 'continue_past'\nstart_pattern = '\\\\$'\ncondition_pattern = '\\\\$'", "a \\\nb \\\nc\nd", &[3, 1]),
        ("mode = 'halt_before'\nstart_pattern = '^\\['\ncondition_pattern = '^\\['", "[1] a\nb\n[2] c", &[2, 1]),
        ("mode = 'halt_with'\nstart_pattern = '[^;]$'\ncondition_pattern = ';$'", "a\nb\nc;\nd;\ne", &[3, 1, 1]),
    ];
    for (settings, text, expected) in cases {
        assert_eq!(groups(&rules(settings), text.as_bytes()), expected, "{settings}");
    }
}

#[test]
fn a_json_object_never_joins() {
    let all = rules("mode = 'halt_before'\nstart_pattern = ''\ncondition_pattern = 'never'");
    assert_eq!(groups(&all, b"a\nb\n{\"c\": 1}\n{d\ne\n[1]"), [2, 1, 3]);
}

#[test]
fn faulty_settings_are_all_told() {
    let faults = |text: &str| {
        let settings: MultilineSettings = toml::from_str(text).unwrap();
        settings.faults().into_iter().map(|(setting, _)| setting).collect::<Vec<_>>()
    };
    assert_eq!(faults(""), ["", "", ""]);
    assert_eq!(faults("preset = 'go'\nmode = 'halt_with'"), ["mode"]);
    let all = "mode = 'halt_with'\nstart_pattern = '('\ncondition_pattern = '['\ntimeout_ms = 0\nmax_lines = 1\nmax_bytes = 0";
    assert_eq!(faults(all), ["start_pattern", "condition_pattern", "timeout_ms", "max_lines", "max_bytes"]);
    assert!(toml::from_str::<MultilineSettings>("preset = 'cobol'").is_err());
}

#[test]
fn the_corpus_holds() {
    let mut files = 0;
    for entry in std::fs::read_dir(CORPUS).expect("the corpus is part of the repository") {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        probe::probe(&data);
        probe::probe(&data[..data.len() / 2]);
        files += 1;
    }
    assert!(files > 12, "{files} files in the corpus");
}
