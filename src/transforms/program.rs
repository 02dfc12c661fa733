//! What transforms with programs share: where the text stands, and how its faults are told.

use std::ops::Range;

use crate::component::files::{Files, Named};
use crate::component::row::{About, Problem};
use crate::lang::{Fault, TimeZone};

/// Where a program's text stands.
pub(super) enum Written<'a> {
    /// In the configuration.
    Here(&'a str),
    /// In files, one after another.
    Files(Vec<Named>),
}

/// A program's text, and where its parts come from.
pub(super) struct Text {
    pub(super) source: String,
    /// The bytes of each part that is a file; none if the text stands in the setting `source`.
    parts: Vec<(Range<usize>, Named)>,
}

impl Written<'_> {
    /// The text; the problem is a file that is no text, or cannot be read.
    pub(super) fn read(&self, files: &Files) -> Result<Text, Problem> {
        let named = match self {
            Self::Here(source) => return Ok(Text { source: (*source).to_owned(), parts: Vec::new() }),
            Self::Files(named) => named,
        };
        let mut text = Text { source: String::new(), parts: Vec::new() };
        for named in named {
            let part = files.text(&named.path).map_err(|why| Problem::new(&named.setting, why))?;
            if !text.parts.is_empty() {
                text.source.push('\n');
            }
            let start = text.source.len();
            text.source.push_str(&part);
            text.parts.push((start..text.source.len(), named.clone()));
        }
        Ok(text)
    }
}

impl Text {
    /// A name for messages.
    pub(super) fn name(&self) -> String {
        let names: Vec<String> = self.parts.iter().map(|(_, named)| named.path.display().to_string()).collect();
        if names.is_empty() { "source".to_owned() } else { names.join("`, `") }
    }

    /// The faults of the program, each at its place: in the configuration, or in the file it begins in.
    pub(super) fn problems(&self, faults: &[Fault], weight: Weight) -> Vec<Problem> {
        let mut problems = problems("source", faults, weight);
        for problem in &mut problems {
            let Some(span) = problem.within.clone() else { continue };
            // One at the very end may stand behind the last byte.
            let part = self.parts.iter().rev().find(|(part, _)| part.start <= span.start);
            if let Some((part, named)) = part {
                let inside = |at: usize| at.clamp(part.start, part.end) - part.start;
                problem.within = Some(inside(span.start)..inside(span.end));
                problem.setting.clone_from(&named.setting);
                problem.file = Some(named.path.as_path().into());
            }
        }
        problems
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
        file: None,
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
