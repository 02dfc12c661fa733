//! Which output feeds which input, and what is wrong with the whole.

use super::catalogue::Kind;
use super::document::Soundness;
use super::draft::{DEAD_LETTER, Draft, Input};
use super::plan::OutputRef;
use crate::diagnostic::{Code, Diagnostic, Report, closest};
use glob::Pattern;
use std::collections::{HashMap, HashSet};

mod cycle;

/// The inputs of each draft, in the order of the drafts. Faults go to the report.
/// `soundness` tells whether whole components may be lost.
pub(super) fn connect(
    drafts: &[Draft],
    links: &Links,
    soundness: Soundness,
    report: &mut Report,
) -> Vec<Vec<OutputRef>> {
    let by_id = drafts.iter().enumerate().map(|(index, draft)| (draft.id.as_str(), index)).collect();
    let graph = Graph { drafts, by_id, imports: &links.imports };
    graph.shadows(report);
    let exported: Vec<_> =
        links.exports.iter().filter_map(|export| graph.exported(export, soundness, report)).collect();
    let inputs: Vec<_> = drafts.iter().map(|draft| graph.inputs(draft, report)).collect();
    cycle::find(&graph, &inputs, report);
    let lost = drafts.iter().any(|draft| draft.inputs_soundness == Soundness::Broken);
    // A lost input may be the use of any output.
    if soundness == Soundness::Whole && !lost {
        graph.unused(&inputs.iter().flatten().chain(&exported).collect(), &graph.unresolved(links), report);
    }
    inputs
}

/// What leads out of these files.
pub(super) struct Links {
    /// Outputs of elsewhere that may be taken.
    pub(super) imports: Vec<OutputRef>,
    /// Outputs that are taken elsewhere, as they are written.
    pub(super) exports: Vec<Input>,
}

struct Graph<'d> {
    drafts: &'d [Draft],
    by_id: HashMap<&'d str, usize>,
    imports: &'d [OutputRef],
}

impl Graph<'_> {
    fn inputs(&self, draft: &Draft, report: &mut Report) -> Vec<OutputRef> {
        let mut silent = Report::default();
        let report = if draft.soundness == Soundness::Whole { report } else { &mut silent };
        let mut taken = Vec::new();
        let mut written = HashSet::new();
        for input in &draft.inputs {
            if !written.insert(input.name.as_str()) {
                let fault =
                    Diagnostic::new(Code::InputTwice, format!("{} lists `{}` twice", draft.subject(), input.name));
                report.push(
                    fault.at(&input.place, "listed again here").help("remove one: it would take each record twice"),
                );
                continue;
            }
            for output in self.resolve(draft, input, report) {
                if !taken.contains(&output) {
                    taken.push(output);
                }
            }
        }
        taken
    }

    fn resolve(&self, draft: &Draft, input: &Input, report: &mut Report) -> Vec<OutputRef> {
        if let Some(output) = self.exact(&input.name) {
            return vec![output];
        }
        let pattern = Pattern::new(&input.name).ok().filter(|_| is_pattern(&input.name));
        let matches: Vec<_> = pattern.map(|pattern| self.matching(draft, &pattern)).unwrap_or_default();
        if matches.is_empty() && !self.could_exist(input) {
            report.push(self.unknown(draft, input));
        }
        matches
    }

    /// Reports components with the name of one whose output is taken from elsewhere.
    fn shadows(&self, report: &mut Report) {
        for draft in self.drafts {
            if self.imports.iter().any(|import| import.component == draft.id) {
                let fault = Diagnostic::new(Code::IdTwice, format!("`{}` is exported by the platform", draft.id));
                report.push(fault.at(&draft.place, format!("this {} needs another name", draft.kind.noun())));
            }
        }
    }

    fn exported(&self, export: &Input, soundness: Soundness, report: &mut Report) -> Option<OutputRef> {
        let output = self.exact(&export.name);
        if output.is_none() && soundness == Soundness::Whole {
            let fault = Diagnostic::new(Code::UnknownInput, format!("unknown output `{}` is exported", export.name));
            let all: Vec<_> = self.drafts.iter().flat_map(outputs).map(|output| output.to_string()).collect();
            let fault = fault.at(&export.place, "no component and no output has this name");
            report.push(fault.suggest(&export.name, all.iter().map(String::as_str)));
        }
        output
    }

    fn exact(&self, name: &str) -> Option<OutputRef> {
        let all = self.drafts.iter().filter(|draft| name.starts_with(&draft.id)).flat_map(outputs);
        let known = all.chain(self.imports.iter().cloned()).find(|output| output.to_string() == name);
        // A faulty component may have any output: its own fault is told, not what follows from it.
        known.or_else(|| {
            let (id, port) = name.split_once('.').map_or((name, None), |(id, port)| (id, Some(port)));
            let draft = self.drafts.get(*self.by_id.get(id)?)?;
            draft.checked.is_none().then(|| OutputRef { component: id.to_owned(), port: port.map(str::to_owned) })
        })
    }

    fn could_exist(&self, input: &Input) -> bool {
        // A pattern may be meant for the outputs of a component that is faulty itself.
        is_pattern(&input.name) && self.drafts.iter().any(|draft| draft.checked.is_none())
    }

    /// What a pattern means: all outputs of sources and transforms but the component's own and dead letters.
    fn matching(&self, draft: &Draft, pattern: &Pattern) -> Vec<OutputRef> {
        let others = self.drafts.iter().filter(|other| other.id != draft.id && other.kind != Kind::Sink);
        others
            .flat_map(outputs)
            .filter(|output| output.port.as_deref() != Some(DEAD_LETTER) && pattern.matches(&output.to_string()))
            .collect()
    }

    fn unknown(&self, draft: &Draft, input: &Input) -> Diagnostic {
        let fault =
            Diagnostic::new(Code::UnknownInput, format!("unknown input `{}` of {}", input.name, draft.subject()));
        let id = input.name.split('.').next().unwrap_or_default();
        if let Some(known) = self.by_id.get(id).map(|index| &self.drafts[*index]) {
            let names: Vec<_> = outputs(known).iter().map(|output| format!("`{output}`")).collect();
            let help = if names.is_empty() {
                "it has no outputs".to_owned()
            } else {
                format!("its outputs are {}", names.join(", "))
            };
            return fault.at(&input.place, format!("{} has no such output", known.subject())).help(help);
        }
        let fault = fault.at(&input.place, "no component and no output has this name");
        let candidates: Vec<_> = self
            .drafts
            .iter()
            .filter(|other| other.id != draft.id)
            .flat_map(|other| {
                // One with a fault has some outputs, too.
                let is_faulty = other.checked.is_none() && other.kind != Kind::Sink;
                let faulty = is_faulty.then(|| OutputRef { component: other.id.clone(), port: None });
                outputs(other).into_iter().chain(faulty)
            })
            .chain(self.imports.iter().cloned())
            .map(|output| output.to_string())
            .collect();
        let hinted = fault.suggest(&input.name, candidates.iter().map(String::as_str));
        if hinted.help.is_empty() && candidates.len() <= 12 && !candidates.is_empty() {
            let list: Vec<_> = candidates.iter().map(|name| format!("`{name}`")).collect();
            return hinted.help(format!("the outputs are {}", list.join(", ")));
        }
        hinted
    }

    /// Names of inputs and exports that are no output's.
    fn unresolved<'n>(&self, links: &'n Links) -> Vec<&'n str>
    where
        Self: 'n,
    {
        let all = self.drafts.iter().flat_map(|draft| &draft.inputs).chain(&links.exports);
        all.map(|input| input.name.as_str()).filter(|name| !is_pattern(name) && self.exact(name).is_none()).collect()
    }

    fn unused(&self, used: &HashSet<&OutputRef>, unresolved: &[&str], report: &mut Report) {
        for draft in self.drafts.iter().filter(|draft| draft.kind != Kind::Sink && draft.checked.is_some()) {
            let mut offered = outputs(draft);
            offered.retain(|output| output.port.as_deref() != Some(DEAD_LETTER));
            if offered.iter().any(|output| output.port.is_none()) {
                offered.retain(|output| output.port.is_none());
            }
            let names: Vec<_> = offered.iter().map(OutputRef::to_string).collect();
            // A misspelt input may be its use.
            let is_meant = |name: &&str| {
                name.split('.').next() == Some(&draft.id) || closest(name, names.iter().map(String::as_str)).is_some()
            };
            if offered.iter().any(|output| used.contains(output)) || unresolved.iter().any(is_meant) {
                continue;
            }
            let names: Vec<_> = names.iter().map(|output| format!("`{output}`")).collect();
            let fault = Diagnostic::new(Code::UnusedOutput, format!("nobody takes what {} sends out", draft.subject()));
            report.push(
                fault
                    .at(&draft.place, "its records go nowhere")
                    .help(format!("add {} to the `inputs` of a sink", names.join(" or "))),
            );
        }
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn outputs(draft: &Draft) -> Vec<OutputRef> {
    let ports = draft.checked.as_ref().map(|checked| checked.outputs.as_slice()).unwrap_or_default();
    ports.iter().map(|port| OutputRef { component: draft.id.clone(), port: port.clone() }).collect()
}
