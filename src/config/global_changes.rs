//! What a new configuration changes of the settings that belong to no component, and when that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::catalogue::Kind;
use super::resolved::Resolved;

/// The settings that only a start can change: what is open, and what was handed out, stands on them.
const FIXED: [&str; 2] = ["data_dir", "memory_limit"];

/// A setting of the process that has another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalChange {
    /// Its path from the root, such as `scrub.profile`.
    pub path: String,
    /// Does it wait for the next start?
    pub waits: bool,
}

/// In a person's words. Never a value: it may be a secret.
impl fmt::Display for GlobalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.rsplit_once('.') {
            Some((table, setting)) => write!(f, "`[{table}] {setting}`")?,
            None => write!(f, "`{}`", self.path)?,
        }
        f.write_str(if self.waits { " waits for the next start" } else { " changes now" })
    }
}

/// The settings of the process that are others in `new` than in `running`, by path. Values that are not shown count too.
pub fn global_changes(running: &[Resolved], new: &[Resolved]) -> Vec<GlobalChange> {
    let (before, after) = (globals(running), globals(new));
    let all: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let changed = all.into_iter().filter(|path| before.get(path) != after.get(path));
    changed.map(|path| GlobalChange { path: path.to_owned(), waits: is_fixed(path) }).collect()
}

/// The settings that count after a reload to `new`.
pub fn in_force(running: &[Resolved], mut new: Vec<Resolved>) -> Vec<Resolved> {
    new.retain(|setting| !is_fixed(&setting.path));
    new.extend(running.iter().filter(|setting| is_fixed(&setting.path)).cloned());
    new
}

fn is_fixed(path: &str) -> bool {
    FIXED.contains(&path)
}

fn globals(settings: &[Resolved]) -> BTreeMap<&str, (&str, super::Digest)> {
    let of_component = |path: &str| {
        path.split_once('.').is_some_and(|(first, _)| Kind::ALL.iter().any(|kind| kind.section() == first))
    };
    let globals = settings.iter().filter(|setting| !of_component(&setting.path));
    globals.map(|setting| (setting.path.as_str(), (setting.value.as_str(), setting.digest))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Memory, Rules, Shelves, load_texts, resolved};

    fn settings(globals: &str) -> Vec<Resolved> {
        let text =
            format!("{globals}\n[sources.app]\ntype = 'stdin'\n[sinks.out]\ntype = 'blackhole'\ninputs = ['app']\n");
        let environment = |name: &str| Some(format!("the value of {name}, and long enough for a key"));
        let rules =
            Rules { catalogue: &Shelves, environment: &environment, budget: &Memory { default_limit: 1 << 30 } };
        resolved(&load_texts([("levada.toml", text.as_str())], rules).plan.unwrap(), &Shelves)
    }

    fn changes(before: &str, after: &str) -> Vec<String> {
        global_changes(&settings(before), &settings(after)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_setting_is_named_with_the_time_when_it_counts() {
        let told = changes(
            "graceful_shutdown_limit_secs = 60.0\n[scrub]\nprofile = 'secrets'",
            "data_dir = '/other'\nmemory_limit = '600MiB'\n[api]\naddress = '127.0.0.1:8686'\n[scrub]\nprofile = 'strict'",
        );
        assert_eq!(
            told,
            [
                "`[api] address` changes now",
                "`data_dir` waits for the next start",
                "`memory_limit` waits for the next start",
                "`[scrub] profile` changes now"
            ]
        );
        assert!(changes("", "graceful_shutdown_limit_secs = 60").is_empty(), "the default, written out");
    }

    #[test]
    fn a_value_that_is_not_shown_counts_and_is_not_told() {
        let key = |name: &str| format!("[scrub]\naction = 'hash'\nkeys = [{{ id = 'k', value = '${{{name}}}' }}]");
        let (one, other) = (settings(&key("ONE")), settings(&key("OTHER")));
        let shown = |settings: &[Resolved]| settings.iter().map(|setting| setting.value.clone()).collect::<Vec<_>>();
        assert_eq!(shown(&one), shown(&other));
        let told: Vec<_> = global_changes(&one, &other).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["`[scrub] keys` changes now"]);
    }

    #[test]
    fn what_waits_for_a_start_is_not_in_force() {
        let (before, after) = (settings("data_dir = '/a'"), settings("data_dir = '/b'\nmin_free = '9%'"));
        let now = in_force(&before, after.clone());
        let value = |path: &str| now.iter().find(|setting| setting.path == path).map(|setting| setting.value.as_str());
        assert_eq!((value("data_dir"), value("min_free")), (Some("\"/a\""), Some("\"9%\"")));
        assert_eq!(global_changes(&now, &after).len(), 1, "it is told at each reload");
    }
}
