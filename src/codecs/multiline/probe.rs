//! What must hold for any text at all, as one function: the fuzz target and a test over its corpus both call it.

use super::{Mode, MultilineSettings, Preset, Verdict};

/// Runs every preset and every mode over the lines of `data`: each line joins, ends or stands alone; a JSON object never joins.
pub fn probe(data: &[u8]) {
    let of = |preset| MultilineSettings {
        preset,
        mode: None,
        start_pattern: None,
        condition_pattern: None,
        timeout_ms: 1,
        max_lines: 2,
        max_bytes: 1,
    };
    let presets = Preset::ALL.map(|preset| of(Some(preset)));
    let modes =
        [Mode::ContinueThrough, Mode::ContinuePast, Mode::HaltBefore, Mode::HaltWith].map(|mode| MultilineSettings {
            mode: Some(mode),
            start_pattern: Some("^[a-z]".into()),
            condition_pattern: Some("^ |;$".into()),
            ..of(None)
        });
    for settings in presets.iter().chain(&modes) {
        assert_eq!(settings.faults(), []);
        probe_rules(settings, data);
    }
}

fn probe_rules(settings: &MultilineSettings, data: &[u8]) {
    let rules = settings.rules().expect("settings without a fault");
    let mut open = None;
    for line in data.split(|byte| *byte == b'\n') {
        let verdict = open.map(|state| rules.next(state, line));
        if super::is_object(line) {
            assert!(matches!(verdict, None | Some(Verdict::Ends)), "an object joins nothing");
            assert_eq!(rules.begins(line), None, "and begins nothing");
        }
        open = match verdict {
            Some(Verdict::Joins(state)) => Some(state),
            Some(Verdict::JoinsLast) => None,
            None | Some(Verdict::Ends) => rules.begins(line),
        };
    }
}
