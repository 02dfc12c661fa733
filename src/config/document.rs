//! Finds the files that the command line names, reads them and parses them.

use super::tree::{self, Node};
use crate::component::files::Files;
use crate::diagnostic::{Code, Diagnostic, FileId, Place, Report, Sources};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Beyond this many syntax errors the rest of a file only repeats them.
const MOST_SYNTAX_ERRORS: usize = 5;

/// Whether the whole file could be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soundness {
    /// Valid TOML.
    Whole,
    /// With syntax errors: what could be read serves only to know the names in it.
    Broken,
}

/// A parsed file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// The root table.
    pub(super) root: Node,
    /// Whether the tree is complete.
    pub(super) soundness: Soundness,
}

/// Reads files, folders (`*.toml` directly inside) and patterns. A file that is named in two ways is read once.
pub(super) fn read(paths: &[PathBuf], (kept, sources): (&Files, &mut Sources), report: &mut Report) -> Vec<FileId> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for path in paths {
        for file in expand(path, report) {
            let identity = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if !seen.insert(identity) {
                continue;
            }
            let text = fs::read_to_string(&file);
            kept.put(&file, text.as_deref().ok().map(str::as_bytes));
            match text {
                Ok(text) => files.push(sources.add(file.display().to_string(), text)),
                Err(error) => report.push(unreadable(&file, &error)),
            }
        }
    }
    files
}

/// Parses one file; its syntax errors go to the report.
pub(super) fn parse(file: FileId, sources: &Sources, report: &mut Report) -> Document {
    let text = &sources.file(file).text;
    let (root, errors) = DeTable::parse_recoverable(text);
    syntax_faults(file, &errors, sources, report);
    if errors.is_empty() {
        return Document { root: tree::plant(file, &root, report), soundness: Soundness::Whole };
    }
    Document { root: tree::plant(file, &root, &mut Report::default()), soundness: Soundness::Broken }
}

/// Reports the errors of the parser, without those that only follow from an earlier one.
fn syntax_faults(file: FileId, errors: &[toml::de::Error], sources: &Sources, report: &mut Report) {
    let text = &sources.file(file).text;
    let mut lines = HashSet::new();
    let mut repeated = HashSet::new();
    for error in errors {
        let place = Place { file, span: error.span().unwrap_or(0..0) };
        let header = text.get(..place.span.start).and_then(|before| before.rfind("\n[")).map_or(0, |end| end + 1);
        let line = sources.position(&place).line;
        if line == sources.position(&Place { file, span: header..header }).line {
            repeated.insert((header, error.message()));
        } else if repeated.contains(&(header, error.message())) {
            // A table that is opened a second time repeats its error with each key.
            continue;
        }
        // After a broken value the parser stumbles over each part of the rest of the line.
        if lines.insert(line) && lines.len() <= MOST_SYNTAX_ERRORS {
            report.push(syntax_fault(error.message(), &place, sources));
        }
    }
}

fn syntax_fault(message: &str, place: &Place, sources: &Sources) -> Diagnostic {
    let fault = Diagnostic::new(Code::Syntax, "the file is not valid TOML").at(place, message);
    let written = sources.text(place);
    let is_word = written.starts_with(char::is_alphabetic);
    match message {
        "duplicate key" => fault.help("each table and each key stands once in a file"),
        _ if is_word => fault.help(format!("a text stands in quotes: \"{written}\"")),
        _ => fault,
    }
}

fn expand(path: &Path, report: &mut Report) -> Vec<PathBuf> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder(path, report),
        Ok(_) => vec![path.to_owned()],
        Err(error) if error.kind() == io::ErrorKind::NotFound => pattern(path, report),
        Err(error) => {
            report.push(unreadable(path, &error));
            Vec::new()
        }
    }
}

fn folder(path: &Path, report: &mut Report) -> Vec<PathBuf> {
    let names =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    let mut files = match names {
        Ok(names) => names,
        Err(error) => {
            report.push(unreadable(path, &error));
            return Vec::new();
        }
    };
    files.retain(|file| file.extension() == Some(OsStr::new("toml")) && !file.is_dir());
    files.sort();
    if files.is_empty() {
        let message = format!("the folder `{}` holds no configuration", path.display());
        report.push(Diagnostic::new(Code::NoFile, message).help("put a file that ends in `.toml` directly into it"));
    }
    files
}

fn pattern(path: &Path, report: &mut Report) -> Vec<PathBuf> {
    let text = path.to_string_lossy();
    let is_pattern = text.contains(['*', '?', '[']);
    let matches: Vec<_> = glob::glob(&text)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|file| is_pattern && !file.is_dir())
        .collect();
    if matches.is_empty() {
        let message =
            if is_pattern { format!("no file matches `{text}`") } else { format!("there is no file `{text}`") };
        report.push(
            Diagnostic::new(Code::NoFile, message).help("give a file, a folder or a pattern such as `conf/*.toml`"),
        );
    }
    matches
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let message = format!("cannot read `{}`: {error}", path.display());
    let fault = Diagnostic::new(Code::UnreadableFile, message);
    match error.kind() {
        io::ErrorKind::InvalidData => fault.help("a configuration file is UTF-8 text"),
        io::ErrorKind::PermissionDenied => fault.help("let the user that runs the agent read it"),
        _ => fault,
    }
}
