//! Globs: which paths are meant.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::component::inspect::Meant;

/// A `*` does not cross a `/`, as in a shell.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What to read and what to leave out.
#[derive(Debug)]
pub(super) struct Globs {
    include: Vec<String>,
    exclude: Vec<Pattern>,
    /// The same as `include`, for names that are not UTF-8.
    wanted: Vec<Pattern>,
    /// Patterns of the folders on the way.
    levels: Vec<Pattern>,
}

impl Globs {
    /// From patterns that have been checked; a relative one counts from the working directory.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Self {
        let include: Vec<String> = include.iter().map(|pattern| absolute(pattern)).collect();
        let parse = |pattern: &String| Pattern::new(pattern).ok();
        Self {
            exclude: exclude.iter().map(|pattern| absolute(pattern)).filter_map(|pattern| parse(&pattern)).collect(),
            wanted: include.iter().filter_map(parse).collect(),
            levels: include.iter().flat_map(|pattern| levels(pattern)).filter_map(|level| parse(&level)).collect(),
            include,
        }
    }

    /// All paths that are meant and exist, and what could not be listed. `folders` are those of [`folders`](Self::folders).
    pub(super) fn find(&self, folders: &HashSet<PathBuf>) -> (Vec<PathBuf>, Vec<(PathBuf, io::Error)>) {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for folder in folders {
            // What cannot be listed may hold files that are meant.
            match fs::read_dir(folder) {
                Ok(entries) => {
                    let odd = entries.flatten().filter(|entry| entry.file_name().to_str().is_none());
                    odd.for_each(|entry| self.find_odd(entry.path(), &mut found, &mut faults));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => faults.push((folder.clone(), error)),
            }
        }
        for pattern in &self.include {
            if !is_glob(pattern) {
                found.extend(self.find_literal(pattern));
                continue;
            }
            let Ok(paths) = glob::glob_with(pattern, OPTIONS) else { continue };
            for path in paths {
                match path {
                    Ok(path) if self.is_excluded(&path) => {}
                    Ok(path) => found.push(path),
                    Err(error) => faults.push((error.path().to_owned(), error.into())),
                }
            }
        }
        (found, faults)
    }

    /// A path that is named literally, also one that cannot be looked at: whoever does will be told why.
    fn find_literal(&self, pattern: &str) -> Option<PathBuf> {
        let path = PathBuf::from(pattern);
        let is_gone = fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        (!is_gone && !self.is_excluded(&path)).then_some(path)
    }

    /// A name that is not UTF-8, which the patterns' own search passes over: it is compared as it is shown. What lies in
    /// a folder of such a name is not found.
    fn find_odd(&self, path: PathBuf, found: &mut Vec<PathBuf>, faults: &mut Vec<(PathBuf, io::Error)>) {
        let fits = |patterns: &[Pattern]| {
            let shown = path.to_string_lossy();
            patterns.iter().any(|pattern| pattern.matches_with(&shown, OPTIONS))
        };
        if path.is_dir() {
            if fits(&self.levels) {
                let why = "the name of this folder is not UTF-8, its files are not found; rename it";
                faults.push((path, io::Error::other(why)));
            }
        } else if fits(&self.wanted) && !self.is_excluded(&path) {
            found.push(path);
        }
    }

    /// The folders in which files that are meant may appear, and those in which such folders may.
    pub(super) fn folders(&self) -> HashSet<PathBuf> {
        let levels = self.include.iter().flat_map(|pattern| levels(pattern));
        let paths = levels.filter_map(|level| glob::glob_with(&level, OPTIONS).ok()).flatten();
        paths.filter_map(Result::ok).filter(|path| path.is_dir()).collect()
    }

    /// Whether a file at `path` would be meant, and by which pattern.
    pub(super) fn meant(&self, path: &Path) -> Meant {
        let shown = path.to_string_lossy();
        let fits = |pattern: &&Pattern| pattern.matches_with(&shown, OPTIONS);
        let rule = |setting: &str, pattern: &Pattern| format!("`{setting}` = `{pattern}`");
        let Some(by) = self.wanted.iter().find(fits) else {
            return Meant::No {
                nearest: nearest(path, &self.include).map(|(near, why)| (format!("`include` = `{near}`"), why)),
            };
        };
        match self.exclude.iter().find(fits) {
            Some(pattern) => Meant::Excluded(rule("exclude", pattern)),
            None => Meant::Yes(rule("include", by)),
        }
    }

    /// The folders whose folders are of pods: those that patterns end in three levels below, the first of these not
    /// literally.
    pub(super) fn pod_folders(&self) -> Vec<PathBuf> {
        let folder = |pattern: &String| {
            let path = Path::new(pattern);
            let pod = path.parent()?.parent()?;
            let is_open = pod.file_name()?.to_str().is_some_and(is_glob);
            let folder = pod.parent().filter(|_| is_open)?;
            (!is_glob(folder.to_str()?)).then(|| folder.to_owned())
        };
        self.include.iter().filter_map(folder).collect()
    }

    pub(super) fn is_excluded(&self, path: &Path) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches_with(&path.to_string_lossy(), OPTIONS))
    }
}

fn is_glob(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

/// The pattern that goes along with `path` the longest, and where they part.
fn nearest<'p>(path: &Path, patterns: &'p [String]) -> Option<(&'p str, String)> {
    let shown = path.to_string_lossy();
    let names: Vec<&str> = shown.split('/').skip(1).collect();
    let common = |pattern: &str| {
        let parts = pattern.split('/').skip(1);
        let fits = |(part, name): &(&str, &&str)| Pattern::new(part).is_ok_and(|part| part.matches_with(name, OPTIONS));
        parts.zip(&names).take_while(fits).count()
    };
    let (pattern, common) =
        patterns.iter().map(|pattern| (pattern, common(pattern))).rev().max_by_key(|(_, common)| *common)?;
    if common == 0 {
        return None;
    }
    let why = match (pattern.split('/').nth(common + 1), names.get(common)) {
        (Some("**"), _) => "nothing below fits it".to_owned(),
        (Some(part), Some(name)) => format!("`{name}` is not `{part}`"),
        (Some(part), None) => format!("`{part}` is missing"),
        (None, _) => format!("it ends before `{}`", names[common..].join("/")),
    };
    Some((pattern, why))
}

/// Patterns of the folders on the way to `pattern`, from the first that is not named literally.
fn levels(pattern: &str) -> Vec<String> {
    let slashes = pattern.match_indices('/').map(|(at, _)| at);
    let ends: Vec<usize> = slashes.filter(|at| *at > 0).collect();
    let literal = ends.iter().rposition(|end| !is_glob(&pattern[..*end])).unwrap_or(0);
    ends.iter().skip(literal).map(|end| pattern[..*end].to_owned()).collect()
}

fn absolute(pattern: &str) -> String {
    std::path::absolute(pattern).map_or_else(|_| pattern.to_owned(), |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_watched_from_the_first_that_is_not_literal() {
        assert_eq!(levels("/var/log/app/a.log"), ["/var/log/app"]);
        assert_eq!(levels("/var/log/*.log"), ["/var/log"]);
        assert_eq!(levels("/var/log/*/app-?/*.log"), ["/var/log", "/var/log/*", "/var/log/*/app-?"]);
        assert_eq!(levels("/var/**/*.log"), ["/var", "/var/**"]);
    }

    #[test]
    fn finds_at_any_depth_and_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        for name in ["top.log", "a/mid.log", "a/b/low.log", "a/b/low.gz", "a/b/not.log"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let pattern = |tail: &str| root.join(tail).display().to_string();
        let globs = Globs::new(&[pattern("**/*.log")], &[pattern("**/not.*")]);
        let mut found = globs.find(&globs.folders()).0;
        found.sort();
        assert_eq!(found, ["a/b/low.log", "a/mid.log", "top.log"].map(|name| root.join(name)));
        let folders = globs.folders();
        assert!(
            ["", "a", "a/b"].iter().all(|name| folders.iter().any(|folder| folder == &root.join(name))),
            "{folders:?}"
        );
    }

    #[test]
    fn names_that_are_not_utf8_are_compared_as_they_are_shown() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let odd = |bytes: &[u8]| root.join(std::ffi::OsStr::from_bytes(bytes));
        for name in [&b"caf\xe9.log"[..], b"caf\xe9.gz", b"not\xe9.log"] {
            std::fs::write(odd(name), "").unwrap();
        }
        std::fs::create_dir(odd(b"r\xe9sum\xe9")).unwrap();
        let pattern = |tail: &str| root.join(tail).display().to_string();
        let globs = Globs::new(&[pattern("*.log"), pattern("*/x.log")], &[pattern("not*")]);
        let (found, faults) = globs.find(&globs.folders());
        assert_eq!(found, [odd(b"caf\xe9.log")]);
        let faults: Vec<_> = faults.iter().map(|(path, error)| (path.clone(), error.to_string())).collect();
        assert!(matches!(&faults[..], [(path, why)] if *path == odd(b"r\xe9sum\xe9") && why.contains("not UTF-8")));
    }
}
