//! Names of rotated files: which path a file had before it was rotated, and what stands beside a path.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Characters of the dates and numbers that rotation puts into names.
const COUNTING: &[char] = &['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.', '-', '_', ':', 'T'];

/// Paths that a file of this name may have had before it was rotated: `app.log` of `app.log.1`, `app.log.2.gz`,
/// `app.log-20260131`, `app-20260131.log`, `app.log.old`; `0.log` of `0.log.20260131-101500`.
fn origins(name: &str) -> Vec<String> {
    let (plain, is_packed) = name.strip_suffix(".gz").map_or((name, false), |plain| (plain, true));
    let mut found = Vec::new();
    if is_packed {
        found.push(plain.to_owned());
    }
    found.extend(plain.strip_suffix(".old").map(str::to_owned));
    found.extend(uncounted(plain).map(str::to_owned));
    if let Some((stem, end)) = plain.rsplit_once('.') {
        found.extend(uncounted(stem).map(|stem| format!("{stem}.{end}")));
    }
    found
}

/// `text` without a last part that is a number or a date.
fn uncounted(text: &str) -> impl Iterator<Item = &str> {
    let counting = text.len() - text.trim_end_matches(COUNTING).len();
    let from = text.len() - counting;
    let parts = text[from..].match_indices(['.', '-', '_']).map(move |(at, _)| from + at);
    let is_count = |at: &usize| text[at + 1..].starts_with(|first: char| first.is_ascii_digit());
    parts.filter(is_count).filter(|at| *at > 0).map(|at| &text[..at])
}

/// Files of one path: what stands there and what was rotated away from it.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// Rotated files with the path they had.
    rotated: HashMap<PathBuf, PathBuf>,
}

impl Families {
    /// Finds which of `paths` were rotated away from another of `known`, and what else stands beside these by such a name.
    /// Returns what stands beside.
    /// `strays` are folders to which rotation moves files, with the path that they had.
    pub(super) fn find(
        &mut self,
        paths: &[PathBuf],
        known: &HashSet<PathBuf>,
        strays: &HashSet<(PathBuf, PathBuf)>,
    ) -> Vec<PathBuf> {
        self.rotated.clear();
        for path in paths {
            self.add(path, known);
        }
        let listed: HashSet<&PathBuf> = paths.iter().collect();
        let folders: HashSet<&Path> = known.iter().filter_map(|path| path.parent()).collect();
        let mut beside = Vec::new();
        for entry in folders.into_iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
            // Most names are none of a rotated file.
            let name = entry.file_name();
            if !may_be_rotated(&name) {
                continue;
            }
            let path = entry.path();
            if !listed.contains(&path) && self.add(&path, known) {
                beside.push(path);
            }
        }
        for (folder, base) in strays {
            let entries = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
            for path in entries.filter(|path| strays_from(path, base)) {
                if !listed.contains(&path) && !beside.contains(&path) {
                    beside.push(path.clone());
                }
                self.rotated.insert(path, base.clone());
            }
        }
        beside
    }

    fn add(&mut self, path: &Path, known: &HashSet<PathBuf>) -> bool {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
        let origins = origins(name).into_iter().map(|origin| path.with_file_name(origin));
        // Of `app.log.1.gz`: `app.log`, also where `app.log.1` is known too.
        let origin = origins.filter(|path| known.contains(path)).min_by_key(|path| path.as_os_str().len());
        origin.map(|origin| self.rotated.insert(path.to_owned(), origin)).is_some()
    }

    /// The path that `path` had before it was rotated, or itself.
    pub(super) fn base<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.rotated.get(path).map_or(path, PathBuf::as_path)
    }

    /// Is it a rotated file that is being compressed?
    pub(super) fn is_scratch(&self, path: &Path) -> bool {
        path.extension().is_some_and(|end| end == "tmp") && self.rotated.contains_key(&path.with_extension(""))
    }

    /// Was it rotated away from another path?
    pub(super) fn is_rotated(&self, path: &Path) -> bool {
        self.rotated.contains_key(path)
    }
}

/// Was it rotated away from `base` to another folder, as its name tells?
pub(super) fn strays_from(path: &Path, base: &Path) -> bool {
    let names = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let (Some(name), Some(of)) = (names(path), names(base)) else { return false };
    let is_scratch = path.extension().is_some_and(|end| end == "tmp");
    path.parent() != base.parent() && !is_scratch && origins(&name).contains(&of)
}

/// Might the file at `path` have been rotated, as its name tells?
pub(super) fn may_be(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| !origins(name).is_empty())
}

/// Might a file of this name have been rotated?
fn may_be_rotated(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let is_tmp = bytes.ends_with(b".tmp");
    !is_tmp && (bytes.iter().any(u8::is_ascii_digit) || bytes.ends_with(b".old") || bytes.ends_with(b".gz"))
}

/// May `rotated` have stood at `path`, as its name tells?
pub(super) fn leads_to(rotated: &Path, path: &Path) -> bool {
    let names = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let (Some(name), Some(of)) = (names(rotated), names(path)) else { return false };
    rotated.parent() == path.parent() && origins(&name).contains(&of)
}

/// May `rotated` have stood at `path`, or been rotated away from where `path` was? By its name alone.
pub(super) fn is_of(rotated: &Path, path: &Path) -> bool {
    let names = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let (Some(name), Some(other)) = (names(rotated), names(path)) else { return false };
    if rotated.parent() != path.parent() || name == other {
        return false;
    }
    let ours = origins(&name);
    ours.contains(&other) || origins(&other).iter().any(|origin| ours.contains(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_lead_back() {
        for (name, origin) in [
            ("app.log.1", "app.log"),
            ("app.log.12.gz", "app.log"),
            ("app.log-20260131", "app.log"),
            ("app.log-20260131-1769817600.gz", "app.log"),
            ("app-20260131.log", "app.log"),
            ("app-20260131.log.gz", "app.log"),
            ("app.1.log", "app.log"),
            ("app.log.gz", "app.log"),
            ("app.log.old", "app.log"),
            ("app.log.2026-01-31T10:15:00", "app.log"),
            ("0.log.20260131-101500", "0.log"),
            ("0.log.20260131-101500.gz", "0.log"),
            ("10.0.0.1.log.3", "10.0.0.1.log"),
        ] {
            assert!(origins(name).iter().any(|found| found == origin), "{name}: {:?}", origins(name));
        }
        for name in ["app.log", "app", "1", ".1", "app.txt", "20260131.log"] {
            assert_eq!(origins(name), [""; 0], "{name}");
        }
    }

    #[test]
    fn relatives_know_each_other() {
        let is_of = |one: &str, other: &str| is_of(Path::new(one), Path::new(other));
        assert!(is_of("/l/a.log.1", "/l/a.log") && is_of("/l/a.log.2.gz", "/l/a.log.1"));
        assert!(!is_of("/l/a.log", "/l/a.log.1"), "a new file is no rotated one");
        let leads_to = |one: &str, other: &str| leads_to(Path::new(one), Path::new(other));
        assert!(leads_to("/l/a.log.1", "/l/a.log") && leads_to("/l/a.log.1.gz", "/l/a.log.1"));
        assert!(!leads_to("/l/a-2.log", "/l/a-1.log") && is_of("/l/a-2.log", "/l/a-1.log"), "both may be of `a.log`");
        assert!(
            !is_of("/l/a.log.1", "/m/a.log") && !is_of("/l/a.log", "/l/b.log") && !is_of("/l/a.log.1", "/l/b.log.1")
        );
    }

    #[test]
    fn only_what_stands_beside_a_known_path_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a.log", "a.log.1", "a.log.2.gz", "a.log.3.tmp", "worker.1", "b.log.1"] {
            std::fs::write(path(name), "").unwrap();
        }
        let listed = vec![path("a.log"), path("worker.1")];
        let known: HashSet<PathBuf> = listed.iter().cloned().collect();
        let mut families = Families::default();
        let mut beside = families.find(&listed, &known, &HashSet::new());
        beside.sort();
        assert_eq!(beside, [path("a.log.1"), path("a.log.2.gz")]);
        assert!(families.is_rotated(&path("a.log.1")) && !families.is_rotated(&path("worker.1")));
        assert_eq!(families.base(&path("a.log.2.gz")), path("a.log"));
        std::fs::create_dir(path("old")).unwrap();
        for name in ["old/a.log.4", "old/a.log.5.tmp", "old/b.log.4"] {
            std::fs::write(path(name), "").unwrap();
        }
        let strays = HashSet::from([(path("old"), path("a.log"))]);
        assert_eq!(families.find(&listed, &known, &strays).last(), Some(&path("old/a.log.4")));
        assert_eq!(families.base(&path("old/a.log.4")), path("a.log"));
    }
}
