//! What must hold for any text at all as a configuration, as one function: the fuzz target and a test over its corpus both
//! call it. No file is read, no command run, no socket opened.

use std::collections::HashSet;

use super::privacy::unscrubbed;
use super::{Budget, Catalogue, Files, Globals, Kind, Loaded, Memory, OutputRef, Plan, Purpose, Rules, Shelves};
use super::{plan_files, resolved};
use crate::diagnostic::{Color, Diagnostic, Report, Sources, render_report, to_github, to_json};

/// The line between one file and the next.
const NEXT: &str = "\n# next file\n";
/// Files that are read of a text.
const MOST_FILES: usize = 4;

/// Loads what `data` holds, a file or several. There is a plan, or there is an error; each fault has its place; what can be
/// said of a plan can be said.
pub fn probe(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let loaded = load(&text);
    let shown = show(&loaded);
    assert_eq!(loaded.plan.is_none(), loaded.report.has_errors(), "{shown}");
    if let Some(plan) = &loaded.plan {
        connected(plan);
        described(plan, &loaded.sources);
    }
    assert_eq!(shown, show(&load(&text)), "a second time the same faults are told");
}

/// Is it without error?
#[cfg(test)]
pub(super) fn is_valid(text: &str) -> bool {
    load(text).plan.is_some()
}

fn load(text: &str) -> Loaded {
    let mut sources = Sources::default();
    let texts = text.split(NEXT).take(MOST_FILES).enumerate();
    let documents: Vec<_> = texts.map(|(at, text)| sources.add(format!("{at}.toml"), text)).collect();
    let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &Memory { default_limit: 512 << 20 } };
    plan_files((&documents, Files::unread()), sources, Report::default(), (rules, Purpose::Check, None))
}

/// Variables of every shape.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "EMPTY" => "",
        "NUMBER" => "8090",
        "TRUE" => "true",
        "SIZE" => "10MiB",
        "LIST" => "a, b,c",
        "ODD" => "\"]\n[sources.x] = ${NUMBER} $$ SECRET[a.b] {{ x }} \u{1F980}",
        _ => return None,
    };
    Some(value.to_owned())
}

/// All faults in all their forms.
fn show(loaded: &Loaded) -> String {
    let faults = loaded.faults();
    for fault in faults.diagnostics() {
        placed(fault, &loaded.sources);
    }
    render_report(&faults, &loaded.sources, Color::Always) + &render_report(&faults, &loaded.sources, Color::Never)
}

fn placed(fault: &Diagnostic, sources: &Sources) {
    for label in fault.primary.iter().chain(&fault.secondary) {
        let text = &sources.file(label.place.file).text;
        assert!(text.get(label.place.span.clone()).is_some(), "{} of {text:?}: {fault:?}", text.len());
    }
    assert!(!fault.message.is_empty(), "{fault:?}");
    assert!(!to_github(fault, sources).contains('\n'), "one line");
    assert!(to_json(fault, sources).is_object());
}

/// Whatever is taken is given, and nothing leads to itself.
fn connected(plan: &Plan) {
    let gives = |input: &OutputRef| {
        let component =
            plan.components().find(|component| component.id == input.component).expect("an input is a component");
        input.port.as_deref() == Some("dead_letter") || component.outputs.contains(&input.port)
    };
    let mut open: Vec<_> = plan.components().collect();
    while !open.is_empty() {
        let left: HashSet<&str> = open.iter().map(|component| component.id.as_str()).collect();
        open.retain(|component| component.inputs.iter().any(|input| left.contains(input.component.as_str())));
        assert!(open.len() < left.len(), "{left:?} wait for each other");
    }
    for component in plan.components() {
        assert!(component.inputs.iter().all(gives), "{} takes {:?}", component.id, component.inputs);
        assert_eq!(component.inputs.is_empty(), component.kind == Kind::Source, "{}", component.id);
        assert!(Shelves.find(component.kind, &component.type_name).is_some(), "{}", component.type_name);
    }
}

/// What verbs say of a plan.
fn described(plan: &Plan, sources: &Sources) {
    plan.globals.read::<Globals>().expect("what was checked can be read");
    let memory = Memory { default_limit: 512 << 20 };
    let held: u64 = plan.components().map(|component| memory.buffer_bytes(component)).sum();
    assert!(held <= memory.memory_limit(&plan.globals), "the budget holds");
    for line in resolved(plan, &Shelves) {
        assert!(!line.path.is_empty() && !line.origin.show(sources).is_empty(), "{line:?}");
    }
    for fault in unscrubbed(plan) {
        placed(&fault, sources);
    }
}
