//! Puts the phases together: from files to a plan, past every fault.

use super::catalogue::{Budget, Kind};
use super::check::Subject;
use super::claims::{self, Held};
use super::document::{self, Document, Soundness};
use super::draft::{self, Draft, Input};
use super::graph::Links;
use super::interpolate::Outside;
use super::plan::{Component, OutputRef, Plan, Section};
use super::schema::{Others, Schema};
use super::secret::{self, Backend, Secrets};
use super::tree::{Node, Value};
use super::{Purpose, Rules, cases, check, enrichment, graph, idle, interpolate, judge, merge, plain, privacy, teams};
use crate::component::files::Files;
use crate::component::size::show_size;
use crate::diagnostic::{Code, Diagnostic, FileId, Report, Sources};
use crate::lang::Tables;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The plan of some files; None if something is missing from it, which is then in the report.
pub(super) fn assemble(
    (documents, files): (&[FileId], &Files),
    (sources, report): (&mut Sources, &mut Report),
    (rules, purpose): (Rules<'_>, Purpose),
    scope: &Scope<'_>,
) -> Option<Plan> {
    let files_lost = report.has_errors();
    let documents = understood((documents, files), (sources, report), (rules, purpose), scope);
    let merged = merge::merge(documents, report)?;
    let soundness = if files_lost { Soundness::Broken } else { merged.soundness };
    let tables = match scope {
        Scope::Platform => tables(&merged.globals),
        Scope::Team { .. } => {
            Tables::withheld("a team has no enrichment tables: the platform adds what they hold, and exports the step")
        }
    };
    let tables = tables.reading(Arc::new(files.clone()));
    let root = Subject::globals(judge::GLOBALS);
    let globals = draft::section(merged.globals, rules.catalogue.globals(), root, report);
    if let Some(globals) = &globals {
        judge_globals(globals, (rules, purpose, scope), files, (sources, report));
    }
    let tests: Vec<_> = merged
        .tests
        .into_iter()
        .map(|test| draft::section(test, rules.catalogue.tests(), Subject::test("a test"), report))
        .collect();
    let drafts: Vec<_> =
        merged.components.into_iter().map(|declared| draft::draft(declared, rules.catalogue, report)).collect();
    // Before anything is compiled, and before the programs of tests run.
    let (mut refused, mut tests) = (HashSet::new(), tests);
    if let Scope::Team { environment, .. } = scope {
        refused = teams::judge(&drafts, environment, (sources, report));
        let may_run = |test: &Section, report: &mut Report| teams::judge_test(test, environment, (sources, report));
        tests = tests.into_iter().map(|test| test.filter(|test| may_run(test, report))).collect();
    }
    let whole = drafts.iter().filter(|draft| draft.soundness == Soundness::Whole && !refused.contains(&draft.id));
    let held = scope.held(globals.as_ref());
    judge_each((&whole.collect::<Vec<_>>(), &held), (files, &tables), (sources, report));
    if let Scope::Team { environment, .. } = scope {
        teams::judge_files(files, environment, (sources, report));
    }
    if let (Scope::Platform, Some(globals), Soundness::Whole) = (scope, &globals, soundness) {
        idle::tables(globals, (&drafts, &tests), files, report);
    }
    let links = scope.links(globals.as_ref());
    let inputs = graph::connect(&drafts, &links, soundness, report);
    let components: Vec<_> = drafts.into_iter().zip(inputs).map(|(draft, inputs)| component(draft, inputs)).collect();
    let gaps = components.iter().any(Option::is_none) || tests.iter().any(Option::is_none);
    let mut of_kind: Vec<_> = components.into_iter().flatten().collect();
    let sinks = of_kind.split_off(of_kind.partition_point(|component| component.kind < Kind::Sink));
    let transforms = of_kind.split_off(of_kind.partition_point(|component| component.kind < Kind::Transform));
    let tests = tests.into_iter().flatten().collect();
    let plan = Plan { globals: globals?, sources: of_kind, transforms, sinks, tests, files: files.clone() };
    if !gaps {
        cases::judge(&plan, &tables, (sources, report));
        privacy::check_exempt(&plan, report);
    }
    (!gaps).then_some(plan)
}

/// Reports the faults of the global settings, and of the files of tables.
fn judge_globals(
    globals: &Section,
    (rules, purpose, scope): (Rules<'_>, Purpose, &Scope<'_>),
    files: &Files,
    (sources, report): (&mut Sources, &mut Report),
) {
    let found = Ok(rules.catalogue.check_globals(&globals.settings));
    judge::judge((globals, judge::GLOBALS), found, files, (sources, report));
    // What runs says it itself, and has what the file held last.
    if purpose != Purpose::Run && matches!(scope, Scope::Platform) {
        let found = Ok(enrichment::check_files(&globals.settings));
        judge::judge((globals, judge::GLOBALS), found, files, (sources, report));
    }
}

/// Reports the faults that components have in themselves, and those between them and what others hold.
fn judge_each(
    (drafts, held): (&[&Draft], &[Held]),
    (files, tables): (&Files, &Tables),
    (sources, report): (&mut Sources, &mut Report),
) {
    for (draft, checked) in drafts.iter().filter_map(|draft| Some((draft, draft.checked.as_ref()?))) {
        let (subject, section) = (draft.subject(), &checked.section);
        let found = (checked.check)(&section.settings, files, tables);
        judge::judge((section, &subject), found, files, (sources, report));
        plain::check((section, &subject), report);
    }
    let own: Vec<_> = drafts.iter().flat_map(|draft| claims::of_draft(draft)).collect();
    claims::check(&own, held, report);
}

/// Whose files they are.
pub(super) enum Scope<'a> {
    /// Of those who run the agent.
    Platform,
    /// Of a team.
    Team {
        /// The platform's outputs that it may take.
        imports: &'a [OutputRef],
        /// The variables that it sees.
        environment: &'a [String],
        /// What the platform and the teams before it claim.
        held: &'a [Held],
    },
}

impl Scope<'_> {
    /// What others claim already.
    fn held(&self, globals: Option<&Section>) -> Vec<Held> {
        match self {
            Self::Platform => globals.map(claims::of_globals).unwrap_or_default(),
            Self::Team { held, .. } => held.to_vec(),
        }
    }

    fn links(&self, globals: Option<&Section>) -> Links {
        match self {
            Self::Team { imports, .. } => Links { imports: imports.to_vec(), exports: Vec::new() },
            Self::Platform => {
                let exports = globals.map(|globals| {
                    let all = teams::exports(&globals.settings).into_iter();
                    all.map(|(name, setting)| Input { name, place: globals.place_of(&setting).clone() }).collect()
                });
                Links { imports: Vec::new(), exports: exports.unwrap_or_default() }
            }
        }
    }
}

/// The files with their variables and secrets filled in. What a file with syntax errors seems to hold is not judged any
/// further.
fn understood(
    (documents, files): (&[FileId], &Files),
    (sources, report): (&Sources, &mut Report),
    (rules, purpose): (Rules<'_>, Purpose),
    scope: &Scope<'_>,
) -> Vec<Document> {
    let mut documents: Vec<_> = documents.iter().map(|file| document::parse(*file, sources, report)).collect();
    for document in documents.iter_mut().filter(|document| document.soundness == Soundness::Whole) {
        match scope {
            Scope::Platform => secret::confine(&mut document.root, report),
            Scope::Team { .. } => teams::confine(&mut document.root, report),
        }
    }
    if let Scope::Platform = scope {
        idle::backends(&documents, report);
    }
    let secrets = match purpose {
        // What cannot run need not know.
        Purpose::Run | Purpose::Probe if !report.has_errors() => {
            let mut backends = backends(&documents, (rules, sources));
            backends.retain(|_, backend| purpose == Purpose::Run || !matches!(backend, Backend::Exec { .. }));
            Secrets::ask(&documents, &backends, files)
        }
        _ => Secrets::stand_ins(&documents),
    };
    let outside = Outside { environment: rules.environment, secrets: &secrets };
    for document in &mut documents {
        let mut silent = Report::default();
        let faults = if document.soundness == Soundness::Whole { &mut *report } else { &mut silent };
        interpolate::interpolate(&mut document.root, outside, sources, faults);
    }
    documents
}

/// The secret backends that are without fault; the faults of others are told with those of all globals.
fn backends(documents: &[Document], (rules, sources): (Rules<'_>, &Sources)) -> BTreeMap<String, Backend> {
    let (schema, none) = (Schema::of(rules.catalogue.globals()), Secrets::default());
    let Some(schema) = schema.properties().remove("secret") else { return BTreeMap::new() };
    let outside = Outside { environment: rules.environment, secrets: &none };
    let read = |node: &Node| {
        let (mut node, mut silent) = (node.clone(), Report::default());
        interpolate::interpolate(&mut node, outside, sources, &mut silent);
        let Others::Like(schema) = schema.others() else { return None };
        check::check(&node, &schema, judge::GLOBALS, &mut silent)?.try_into::<Backend>().ok()
    };
    secret::declared(documents).filter_map(|(name, node)| Some((name.to_owned(), read(node)?))).collect()
}

/// The tables that programs may name, whatever is wrong with their settings.
fn tables(globals: &Node) -> Tables {
    let inner = |node: &Node, key: &str| match &node.value {
        Value::Table(table) => table.entries.iter().find(|entry| entry.key == key).map(|entry| entry.node.clone()),
        _ => None,
    };
    let Some(Node { value: Value::Table(tables), .. }) = inner(globals, "enrichment_tables") else {
        return Tables::default();
    };
    Tables::named(tables.entries.into_iter().map(|entry| entry.key))
}

fn component(draft: Draft, inputs: Vec<OutputRef>) -> Option<Component> {
    let checked = draft.checked?;
    Some(Component {
        id: draft.id,
        kind: draft.kind,
        type_name: checked.type_name,
        section: checked.section,
        inputs,
        outputs: checked.outputs,
    })
}

/// Whether all queues, and what stateful steps hold, fit into the memory of the process.
pub(super) fn within_budget<'c>(
    components: impl Iterator<Item = &'c Component>,
    globals: &Section,
    budget: &dyn Budget,
    report: &mut Report,
) {
    let limit = budget.memory_limit(globals);
    let sizes: Vec<_> = components.map(|component| (component, budget.buffer_bytes(component))).collect();
    let sum = sizes.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let Some((largest, bytes)) = sizes.iter().max_by_key(|(_, bytes)| bytes).filter(|_| sum > limit) else {
        return;
    };
    let place = |sink: &Component| sink.section.place_of("buffer.max_size").clone();
    let share = |sink: &Component, bytes: u64| format!("`{}` may hold {}", sink.id, show_size(bytes));
    let (sum, limit) = (show_size(sum), show_size(limit));
    let message = format!("all buffers together hold up to {sum}, and `memory_limit` is {limit}");
    let fault = Diagnostic::new(Code::BuffersTooLarge, message).at(&place(largest), share(largest, *bytes));
    let others = sizes.iter().filter(|(sink, bytes)| sink.id != largest.id && *bytes > 0);
    let fault = others.fold(fault, |fault, (sink, bytes)| fault.also(&place(sink), share(sink, *bytes)));
    let lower = if largest.kind == Kind::Sink { "`buffer.max_size`" } else { "what it may hold" };
    report.push(fault.help(format!("lower {lower} or raise `memory_limit`")));
}
