//! Globs: which paths are meant.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// A `*` does not cross a `/`, as in a shell.
const OPTIONS: MatchOptions = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What to read and what to leave out.
#[derive(Debug)]
pub(super) struct Globs {
    include: Vec<String>,
    exclude: Vec<Pattern>,
}

impl Globs {
    /// From patterns that have been checked; a relative one counts from the working directory.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Self {
        let exclude = exclude.iter().filter_map(|pattern| Pattern::new(&absolute(pattern)).ok());
        Self { include: include.iter().map(|pattern| absolute(pattern)).collect(), exclude: exclude.collect() }
    }

    /// All paths that are meant and exist. What cannot be listed goes to `fault`.
    pub(super) fn find(&self, fault: &mut dyn FnMut(PathBuf, std::io::Error)) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for pattern in &self.include {
            let Ok(paths) = glob::glob_with(pattern, OPTIONS) else { continue };
            for path in paths {
                match path {
                    Ok(path) if self.is_excluded(&path) => {}
                    Ok(path) => found.push(path),
                    Err(error) => fault(error.path().to_owned(), error.into_error()),
                }
            }
        }
        found
    }

    fn is_excluded(&self, path: &Path) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches_path_with(path, OPTIONS))
    }
}

fn absolute(pattern: &str) -> String {
    std::path::absolute(pattern).map_or_else(|_| pattern.to_owned(), |path| path.to_string_lossy().into_owned())
}
