//! What transforms with programs share: where the text stands, and how its faults are told.

use std::path::PathBuf;

use crate::component::row::{About, Problem};
use crate::lang::{Fault, TimeZone};

/// Where a program's text stands.
pub(super) enum Written<'a> {
    /// In the configuration.
    Here(&'a str),
    /// In files, one after another.
    Files(&'a [PathBuf]),
}

impl Written<'_> {
    /// A name for messages, and the text.
    pub(super) fn read(&self) -> Result<(String, String), String> {
        let files = match self {
            Self::Here(source) => return Ok(("source".to_owned(), (*source).to_owned())),
            Self::Files(files) => files,
        };
        let mut texts = Vec::new();
        for file in *files {
            let text = std::fs::read_to_string(file);
            texts.push(text.map_err(|error| format!("cannot read the program `{}`: {error}", file.display()))?);
        }
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Ok((names.join("`, `"), texts.join("\n")))
    }
}

/// How much a fault matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The program cannot run.
    Error,
    /// It can, but may not do what its author means.
    Warning,
}

/// The faults of the program in `setting`, each at its place in the text.
pub(super) fn problems(setting: &str, faults: &[Fault], weight: Weight) -> Vec<Problem> {
    let problem = |fault: &Fault| Problem {
        setting: setting.to_owned(),
        within: Some(fault.span.clone()),
        message: message(fault),
        help: help(fault),
        is_warning: weight == Weight::Warning,
        about: About::Program,
    };
    faults.iter().map(problem).collect()
}

/// VRL's own pictures of the faults of the program in the file `name`.
pub(super) fn pictures(name: &str, faults: &[Fault]) -> String {
    let pictures: Vec<&str> = faults.iter().map(|fault| fault.rendered.trim_end()).collect();
    format!("the program `{name}` does not compile:\n{}", pictures.join("\n"))
}

fn message(fault: &Fault) -> String {
    let about = fault.labels.first().map_or("", |label| label.text.as_str());
    // VRL's label often repeats the end of the message: "call to undefined function", "undefined function".
    let adds = !about.is_empty() && !fault.message.ends_with(about);
    let message = if adds { format!("{}: {about}", fault.message) } else { fault.message.clone() };
    if fault.code == 0 { message } else { format!("{message} (VRL E{:03})", fault.code) }
}

fn help(fault: &Fault) -> Option<String> {
    let remarks = fault.labels.iter().skip(1).map(|label| label.text.as_str());
    let lines: Vec<&str> =
        remarks.chain(fault.notes.iter().map(String::as_str)).filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The time zone of this name; the machine's if none is set.
pub(super) fn timezone(name: Option<&str>) -> Result<TimeZone, Problem> {
    let Some(name) = name else { return Ok(TimeZone::default()) };
    TimeZone::parse(name).ok_or_else(|| {
        Problem::new("timezone", format!("`{name}` is no time zone"))
            .help("names are those of the tz database, such as `Europe/Lisbon`, or `local`")
    })
}
