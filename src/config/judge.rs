//! What the schemas cannot tell: faults that components find in their own settings, shown where they stand.

use super::catalogue::{Catalogue, Kind};
use super::plan::{Plan, Section};
use crate::component::row::{About, Problem};
use crate::diagnostic::{Code, Diagnostic, Report, Sources};

/// What messages call the root table.
pub(super) const GLOBALS: &str = "the global settings";

/// Reports what a check `found` in the settings of `subject`.
pub(super) fn judge(
    section: &Section,
    subject: &str,
    found: Result<Vec<Problem>, String>,
    (sources, report): (&Sources, &mut Report),
) {
    match found {
        Ok(problems) => problems.iter().for_each(|problem| report.push(fault(section, subject, problem, sources))),
        Err(refusal) => report.push(section.refused(&refusal)),
    }
}

fn fault(section: &Section, subject: &str, problem: &Problem, sources: &Sources) -> Diagnostic {
    let (code, verdict) = match (problem.about, problem.is_warning) {
        (About::Door, _) => (Code::OpenDoor, "is open to the network"),
        (_, true) => (Code::DoubtfulValue, "may not do what was meant"),
        (About::Program, false) => (Code::BadProgram, "does not compile"),
        (About::Value, false) => (Code::BadValue, "cannot work"),
    };
    let message = match problem.setting.as_str() {
        "" => format!("{subject} {verdict}"),
        setting => format!("`{setting}` in {subject} {verdict}"),
    };
    let place = match &problem.within {
        Some(stretch) => section.place_in(&problem.setting, stretch.clone(), sources),
        None => section.place_of(&problem.setting).clone(),
    };
    let fault = Diagnostic::new(code, message).at(&place, section.without_variables(&problem.message));
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
