//! From a declared table to a component: its type, its settings, its inputs as written. What is faulty stays as a name in the graph, so
//! that one fault does not make every input that refers to it a second one.

use super::catalogue::{Catalogue, Check, Claims, ComponentType, Kind};
use super::check::{self, Subject, split_list};
use super::document::Soundness;
use super::merge::Declared;
use super::plan::Section;
use super::schema::Schema;
use super::tree::{Entry, Node, Table, Value};
use crate::component::row::Reach;
use crate::diagnostic::{Code, Diagnostic, Place, Report};
use serde_json::{Value as Json, json};

/// What a transform or a sink refuses for good leaves by this output; with nobody to take it, it goes to the
/// dead-letter folder.
pub(super) const DEAD_LETTER: &str = "dead_letter";

/// A component on its way into the plan.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) place: Place,
    /// The type and the settings; None if something is wrong with them.
    pub(super) checked: Option<Checked>,
    pub(super) inputs: Vec<Input>,
    /// Broken if there may be more inputs than could be read.
    pub(super) inputs_soundness: Soundness,
    /// Broken if the file is: faults of the draft then say nothing new.
    pub(super) soundness: Soundness,
}

/// What is known of a component without a fault.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) type_name: String,
    pub(super) section: Section,
    pub(super) outputs: Vec<Option<String>>,
    pub(super) check: Check,
    pub(super) reach: Reach,
    pub(super) claims: Claims,
}

/// An input as written.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) place: Place,
}

impl Draft {
    /// The kind and the name, for messages.
    pub(super) fn subject(&self) -> String {
        format!("{} `{}`", self.kind.noun(), self.id)
    }
}

/// Makes a draft, with the faults of the table it comes from.
pub(super) fn draft(declared: Declared, catalogue: &dyn Catalogue, report: &mut Report) -> Draft {
    let mut silent = Report::default();
    let report = if declared.soundness == Soundness::Whole { report } else { &mut silent };
    let Declared { kind, id, id_place, node, soundness } = declared;
    let mut draft = Draft {
        kind,
        id,
        place: id_place,
        checked: None,
        inputs: Vec::new(),
        inputs_soundness: Soundness::Broken,
        soundness,
    };
    let subject = draft.subject();
    let Value::Table(mut table) = node.value else {
        if !matches!(node.value, Value::Faulty) {
            let label = format!("expected a table with a `type`, found {}", node.describe());
            report.push(Diagnostic::new(Code::WrongType, format!("{subject} is not a table")).at(&node.place, label));
        }
        return draft;
    };
    let inputs = table.remove("inputs");
    let type_entry = table.remove("type");
    (draft.inputs, draft.inputs_soundness) = read_inputs(&draft, &node.place, inputs, report);
    let settings = Node { place: node.place, value: Value::Table(table) };
    let Some(type_name) = type_name(&subject, &settings.place, type_entry.as_ref(), report) else {
        return draft;
    };
    draft.checked = settle(&draft, (settings, type_name), catalogue, report);
    draft
}

/// The name of the type and where it is written.
struct TypeName {
    name: String,
    place: Place,
}

fn type_name(subject: &str, table: &Place, entry: Option<&Entry>, report: &mut Report) -> Option<TypeName> {
    let Some(entry) = entry else {
        let fault = Diagnostic::new(Code::MissingSetting, format!("missing setting `type` in {subject}"));
        report.push(fault.at(table, "expected `type` here"));
        return None;
    };
    let only_type = json!({ "type": "object", "properties": { "type": { "type": "string" } } });
    let alone = Table { entries: vec![entry.clone()] };
    let node = Node { place: table.clone(), value: Value::Table(alone) };
    let checked = check::check(&node, &Schema::of(&only_type), subject, report)?;
    let name = checked.get("type")?.as_str()?.to_owned();
    Some(TypeName { name, place: entry.node.place.clone() })
}

fn settle(
    draft: &Draft,
    (node, name): (Node, TypeName),
    catalogue: &dyn Catalogue,
    report: &mut Report,
) -> Option<Checked> {
    let Some(found) = catalogue.find(draft.kind, &name.name) else {
        report.push(unknown_type(draft, &name, catalogue));
        return None;
    };
    let words = draft.subject();
    let section = section(node, found.schema, Subject::component(&words, draft.kind, &name.name), report)?;
    let mut outputs = (found.outputs)(&section.settings);
    outputs.extend((draft.kind != Kind::Source).then(|| Some(DEAD_LETTER.to_owned())));
    let ComponentType { check, reach, claims, .. } = found;
    Some(Checked { type_name: name.name, section, outputs, check, reach, claims })
}

fn unknown_type(draft: &Draft, name: &TypeName, catalogue: &dyn Catalogue) -> Diagnostic {
    let noun = draft.kind.noun();
    let fault = Diagnostic::new(Code::UnknownType, format!("unknown type `{}` of {}", name.name, draft.subject()));
    let fault = fault.at(&name.place, format!("there is no {noun} of this type"));
    let elsewhere = Kind::ALL.into_iter().find(|kind| catalogue.find(*kind, &name.name).is_some());
    if let Some(kind) = elsewhere {
        let (noun, section) = (kind.noun(), kind.section());
        return fault.help(format!("`{}` is a {noun}: declare it under `[{section}.{}]`", name.name, draft.id));
    }
    let hinted = fault.suggest(&name.name, catalogue.names(draft.kind));
    if !hinted.help.is_empty() {
        return hinted;
    }
    let list: Vec<_> = catalogue.names(draft.kind).iter().map(|name| format!("`{name}`")).collect();
    hinted.help(format!("the types of a {noun} are {}", list.join(", ")))
}

/// Checks a table and keeps it with its places.
pub(super) fn section<'a>(
    node: Node,
    schema: &Json,
    subject: impl Into<Subject<'a>>,
    report: &mut Report,
) -> Option<Section> {
    match check::check(&node, &Schema::of(schema), subject, report)? {
        toml::Value::Table(settings) => Some(Section { settings, node }),
        _ => None,
    }
}

fn read_inputs(draft: &Draft, table: &Place, entry: Option<Entry>, report: &mut Report) -> (Vec<Input>, Soundness) {
    let (none, subject) = ((Vec::new(), Soundness::Whole), draft.subject());
    let lacking = || Diagnostic::new(Code::NoInputs, format!("{subject} has no inputs"));
    let Some(entry) = entry else {
        if draft.kind != Kind::Source {
            report.push(lacking().at(table, "expected `inputs` here: a list of component names"));
        }
        return none;
    };
    if draft.kind == Kind::Source {
        let fault = Diagnostic::new(Code::UnexpectedInputs, format!("{subject} has `inputs`"));
        report.push(fault.at(&entry.key_place, "a source takes its records from outside").help("remove `inputs`"));
        return none;
    }
    let inputs = names(&entry.node);
    let shape = json!({
        "type": "object",
        "properties": { "inputs": { "type": "array", "items": { "type": "string", "minLength": 1 } } }
    });
    let place = entry.node.place.clone();
    let alone = Node { place: table.clone(), value: Value::Table(Table { entries: vec![entry] }) };
    if check::check(&alone, &Schema::of(&shape), subject.as_str(), report).is_none() {
        return (inputs, Soundness::Broken);
    }
    if inputs.is_empty() {
        report.push(lacking().at(&place, "expected at least one component name"));
    }
    (inputs, Soundness::Whole)
}

/// The names in a list; a variable in it, or in its place, may hold several.
fn names(node: &Node) -> Vec<Input> {
    let input = |name: &str| Input { name: name.to_owned(), place: node.place.clone() };
    match &node.value {
        Value::Text(text) if text.whole.is_some() => split_list(&text.content).map(input).collect(),
        // An empty one is a fault already.
        Value::Text(text) => {
            Some(&text.content).filter(|name| !name.is_empty()).map(|name| input(name)).into_iter().collect()
        }
        Value::Array(items) => items.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}
