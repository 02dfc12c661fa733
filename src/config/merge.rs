//! Lays several files over each other: components by name, tests one after another, globals each given once.

use super::catalogue::Kind;
use super::document::{Document, Soundness};
use super::tree::{Entry, Node, Table, Value};
use crate::diagnostic::{Code, Diagnostic, Place, Report, closest};
use std::collections::HashMap;

/// A component as it was written.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) id_place: Place,
    pub(super) node: Node,
    pub(super) soundness: Soundness,
}

/// All files as one.
#[derive(Debug)]
pub(super) struct Merged {
    /// Each name once: of two, the first.
    pub(super) components: Vec<Declared>,
    pub(super) globals: Node,
    pub(super) tests: Vec<Node>,
    /// Broken if any file is, or if a component is left out.
    pub(super) soundness: Soundness,
}

/// Merges documents in the order given. None if there is no document.
pub(super) fn merge(documents: Vec<Document>, report: &mut Report) -> Option<Merged> {
    let root = documents.first()?.root.place.clone();
    let mut merged = Merged {
        components: Vec::new(),
        globals: Node { place: root, value: Value::Faulty },
        tests: Vec::new(),
        soundness: Soundness::Whole,
    };
    let mut globals = Table::default();
    for document in documents {
        if document.soundness == Soundness::Broken {
            merged.soundness = Soundness::Broken;
        }
        let Value::Table(table) = document.root.value else {
            continue;
        };
        for entry in table.entries {
            let kind = Kind::ALL.into_iter().find(|kind| kind.section() == entry.key);
            match (kind, document.soundness) {
                (Some(kind), soundness) => merged.declare((kind, soundness), entry, report),
                // What a broken file says of the rest may be the half of it.
                (None, Soundness::Broken) => {}
                (None, Soundness::Whole) if entry.key == "tests" => {
                    merged.tests.extend(tests(entry, report));
                }
                (None, Soundness::Whole) if let Some(meant) = misspelt_section(&entry, report) => {
                    merged.declare((meant, Soundness::Whole), entry, report);
                }
                (None, Soundness::Whole) => lay_over(&mut globals, "", entry, report),
            }
        }
    }
    merged.globals.value = Value::Table(globals);
    let declared = merged.components.len();
    merged.components = unique(merged.components, report);
    if merged.components.len() < declared {
        merged.soundness = Soundness::Broken;
    }
    merged.components.sort_by_key(|declared| declared.kind);
    Some(merged)
}

impl Merged {
    fn declare(&mut self, (kind, soundness): (Kind, Soundness), section: Entry, report: &mut Report) {
        let Value::Table(table) = section.node.value else {
            if soundness == Soundness::Whole {
                let example = format!("expected tables such as `[{}.NAME]`", kind.section());
                report.push(not_a_table(&section.key, &section.node, &example));
            }
            return;
        };
        for entry in table.entries {
            if soundness == Soundness::Whole {
                check_id(&entry, report);
            }
            self.components.push(Declared {
                kind,
                id: entry.key,
                id_place: entry.key_place,
                node: entry.node,
                soundness,
            });
        }
    }
}

/// Reports a table whose name is nearly that of a section. What it holds is judged as if the name were right.
fn misspelt_section(entry: &Entry, report: &mut Report) -> Option<Kind> {
    let meant = closest(&entry.key, Kind::ALL.map(Kind::section))?;
    let fault = Diagnostic::new(Code::UnknownSetting, format!("unknown section `{}`", entry.key));
    let fault = fault.at(&entry.key_place, "there is no such section");
    report.push(fault.help(format!("did you mean `{meant}`?")));
    Kind::ALL.into_iter().find(|kind| kind.section() == meant)
}

fn tests(entry: Entry, report: &mut Report) -> Vec<Node> {
    if let Value::Array(items) = entry.node.value {
        return items;
    }
    report.push(not_a_table(&entry.key, &entry.node, "expected tables `[[tests]]`"));
    Vec::new()
}

fn not_a_table(name: &str, node: &Node, expected: &str) -> Diagnostic {
    let label = format!("{expected}, found {}", node.describe());
    Diagnostic::new(Code::WrongType, format!("wrong type of `{name}`")).at(&node.place, label)
}

fn check_id(entry: &Entry, report: &mut Report) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !entry.key.is_empty() && entry.key.bytes().all(allowed) {
        return;
    }
    let fault = Diagnostic::new(Code::BadId, format!("the name `{}` has reserved characters", entry.key));
    report.push(
        fault
            .at(&entry.key_place, "expected letters, digits, `_` and `-`")
            .help("`.` separates a name from an output, `*` is a pattern"),
    );
}

fn unique(components: Vec<Declared>, report: &mut Report) -> Vec<Declared> {
    let mut first: HashMap<String, (Kind, Place)> = HashMap::new();
    let mut kept = Vec::new();
    for declared in components {
        if let Some((kind, place)) = first.get(&declared.id) {
            let fault = Diagnostic::new(Code::IdTwice, format!("the name `{}` is used twice", declared.id))
                .at(&declared.id_place, format!("this {} needs another name", declared.kind.noun()))
                .also(place, format!("first used for this {}", kind.noun()));
            report.push(fault);
            continue;
        }
        first.insert(declared.id.clone(), (declared.kind, declared.id_place.clone()));
        kept.push(declared);
    }
    kept
}

/// Adds an entry: tables join, arrays of tables follow each other, anything else is given once.
/// `around` is the path of the table with a dot, or nothing for the root.
fn lay_over(base: &mut Table, around: &str, entry: Entry, report: &mut Report) {
    let Some(present) = base.entries.iter_mut().find(|present| present.key == entry.key) else {
        base.entries.push(entry);
        return;
    };
    let name = format!("{around}{}", entry.key);
    match (&mut present.node.value, entry.node.value) {
        (Value::Table(below), Value::Table(above)) => {
            above.entries.into_iter().for_each(|entry| lay_over(below, &format!("{name}."), entry, report));
        }
        (Value::Array(below), Value::Array(above)) if below.iter().chain(&above).all(is_table) => {
            below.extend(above);
        }
        _ => {
            let fault = Diagnostic::new(Code::GlobalTwice, format!("`{name}` is set twice"))
                .at(&entry.key_place, "set again here")
                .also(&present.key_place, "first set here")
                .help("keep one of them");
            report.push(fault);
        }
    }
}

const fn is_table(node: &Node) -> bool {
    matches!(node.value, Value::Table(_))
}
