//! What must hold for any line at all, as one function: the fuzz target and a test over its corpus both call it.

use std::sync::LazyLock;

use super::{Profile, ScrubSettings, Scrubber};
use crate::component::meters::{Families, Label};
use crate::event::json;

/// Settings that differ in everything that matters for what is written.
const SETTINGS: [&str; 4] = [
    "profile = 'strict'",
    "profile = 'strict'\naction = 'mask'\nactions.ipv4 = 'truncate_ip'\nactions.phone = 'last4'",
    "profile = 'ru'\naction = 'remove'\nexempt_fields = ['a.b']\nfield_actions.c = 'mask'",
    "detectors = ['email']\nfields = ['message', 'a[0]']\nreplacement = \"<\\\"\\n>\"",
];

static SCRUBBERS: LazyLock<Vec<Scrubber>> = LazyLock::new(|| {
    let meters = Families::default().meters(&Label { id: "probe".into(), kind: "transform", type_name: "scrub" });
    let made = |text: &&str| {
        let settings: ScrubSettings = toml::from_str(text).expect("settings are TOML");
        Scrubber::new(&settings, meters.clone()).expect("settings are right")
    };
    let profiles = Profile::ALL.map(|profile| Scrubber::of_profile(profile, meters.clone()));
    SETTINGS.iter().map(made).chain(profiles).collect()
});

/// Scrubs `line` in several ways. JSON stays JSON, one line stays one line, and a second time finds nothing.
pub fn probe(line: &[u8]) {
    let is_json = json::check(line).is_ok();
    for scrubber in &*SCRUBBERS {
        let mut scrubber = scrubber.fork();
        let (mut out, mut plain, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let findings = scrubber.explain(line, &mut out);
        assert!(!is_json || json::check(&out).is_ok(), "JSON stays JSON");
        let is_covered = scrubber.line(line, &mut plain);
        assert_eq!(out, if is_covered { &plain[..] } else { line }, "to explain changes nothing");
        if findings.is_empty() {
            assert_eq!(out, line, "what is not told of stays");
        }
        let left = scrubber.explain(&out, &mut again);
        assert!(left.is_empty(), "found in what was written: {left:?} in {:?}", String::from_utf8_lossy(&out));
        assert_eq!(again, out);
    }
}
