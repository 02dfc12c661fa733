//! What the schemas cannot tell: faults that components find in their own settings, shown where they stand.

use super::catalogue::{Catalogue, Kind};
use super::plan::{Plan, Section};
use crate::component::files::Files;
use crate::component::row::{About, Problem};
use crate::diagnostic::{Code, Diagnostic, Place, Report, Sources};

/// What messages call the root table.
pub(super) const GLOBALS: &str = "the global settings";

/// Reports what a check `found` in the settings of `subject`.
pub(super) fn judge(
    (section, subject): (&Section, &str),
    found: Result<Vec<Problem>, String>,
    files: &Files,
    (sources, report): (&mut Sources, &mut Report),
) {
    match found {
        Ok(problems) => {
            for problem in problems.iter().filter(|problem| is_known(section, problem)) {
                let places = places(section, problem, files, sources);
                report.push(fault((section, subject), problem, places));
            }
        }
        // The stand-in of an address is none.
        Err(_) if section.has_stand_in("") => {}
        Err(refusal) => report.push(section.refused(&refusal)),
    }
}

/// Does the problem lie in what is known? A program compiles with the stand-in of a secret as with the secret, and what is
/// not written cannot be without effect.
fn is_known(section: &Section, problem: &Problem) -> bool {
    match problem.about {
        About::Program | About::Form => true,
        About::Idle => section.written(&problem.setting).is_some(),
        About::Value | About::Door => !section.has_stand_in(&problem.setting),
    }
}

/// Where the fault is; and where the file is named, if it is in a file of its own.
fn places(section: &Section, problem: &Problem, files: &Files, sources: &mut Sources) -> (Place, Option<Place>) {
    let named = section.place_of(&problem.setting).clone();
    match (&problem.file, problem.within.clone()) {
        (Some(path), Some(span)) if let Ok(text) = files.text(path) => {
            let file = sources.add_once(path.display().to_string(), text);
            (Place { file, span }, Some(named))
        }
        (None, Some(span)) => (section.place_in(&problem.setting, span, sources), None),
        _ => (named, None),
    }
}

fn fault((section, subject): (&Section, &str), problem: &Problem, places: (Place, Option<Place>)) -> Diagnostic {
    let (code, verdict) = match (problem.about, problem.is_warning) {
        (About::Door, _) => (Code::OpenDoor, "is open to the network"),
        (About::Idle, _) => (Code::IdleSetting, "has no effect"),
        (_, true) => (Code::DoubtfulValue, "may not do what was meant"),
        (About::Program, false) => (Code::BadProgram, "does not compile"),
        (About::Value | About::Form, false) => (Code::BadValue, "cannot work"),
    };
    let message = match problem.setting.as_str() {
        "" => format!("{subject} {verdict}"),
        setting => format!("`{setting}` in {subject} {verdict}"),
    };
    let (place, named) = places;
    let fault = Diagnostic::new(code, message).at(&place, section.without_variables(&problem.message));
    let fault = named.iter().fold(fault, |fault, named| fault.also(named, "the file is named here"));
    problem
        .help
        .iter()
        .flat_map(|help| help.lines())
        .fold(fault, |fault, help| fault.help(section.without_variables(help)))
}

/// A configuration without a source or without a sink does nothing.
pub(super) fn something_to_do(plan: &Plan, catalogue: &dyn Catalogue, report: &mut Report) {
    for (kind, components) in [(Kind::Source, &plan.sources), (Kind::Sink, &plan.sinks)] {
        if !components.is_empty() {
            continue;
        }
        let (noun, section) = (kind.noun(), kind.section());
        let types: Vec<_> = catalogue.names(kind).iter().map(|name| format!("`{name}`")).collect();
        let fault = Diagnostic::new(Code::NothingToDo, format!("the configuration has no {noun}"))
            .help(format!("declare one: `[{section}.NAME]` with a `type`: {}", types.join(", ")))
            .help("`levada demo` shows a pipeline at work without any configuration");
        report.push(fault);
    }
}
