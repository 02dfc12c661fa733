//! Secret backends that nothing refers to, and tables that nothing looks into.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::document::{Document, Soundness};
use super::draft::Draft;
use super::plan::Section;
use super::secret;
use super::tree::Node;
use crate::component::files::Files;
use crate::diagnostic::{Code, Diagnostic, Place, Report};

/// Reports `[secret.NAME]` without a reference. What cannot be read in full may refer to any.
pub(super) fn backends(documents: &[Document], report: &mut Report) {
    if documents.iter().any(|document| document.soundness == Soundness::Broken) {
        return;
    }
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for document in documents {
        secret::collect(&document.root, &mut keys);
    }
    let declared: BTreeMap<&str, &Node> = secret::declared(documents).collect();
    // A misspelt reference may be meant for any.
    if keys.keys().any(|name| !declared.contains_key(name.as_str())) {
        return;
    }
    for (name, node) in declared.into_iter().filter(|(name, _)| !keys.contains_key(*name)) {
        let help = format!("take it out, or refer to it: `SECRET[{name}.key]`");
        report.push(idle(&format!("secret.{name}"), &node.place, "nothing refers to it").help(help));
    }
}

/// Reports `[enrichment_tables.NAME]` of which no program, no step and no file has the name in it. `drafts` and `tests` are
/// all there are; a faulty one may have any.
pub(super) fn tables(
    globals: &Section,
    (drafts, tests): (&[Draft], &[Option<Section>]),
    files: &Files,
    report: &mut Report,
) {
    let Some(tables) = globals.settings.get("enrichment_tables").and_then(toml::Value::as_table) else { return };
    let sections = drafts.iter().map(|draft| draft.checked.as_ref().map(|checked| &checked.section));
    let Some(sections) = sections.chain(tests.iter().map(Option::as_ref)).collect::<Option<Vec<_>>>() else { return };
    // A document has the name in it where it declares the table.
    let is_program = |path: &Path| path.extension().is_none_or(|extension| extension != "toml");
    let programs = files.kept().into_iter().filter(|(path, _)| is_program(path));
    let mut texts: Vec<Vec<u8>> = programs.map(|(_, contents)| contents.to_vec()).collect();
    for section in sections {
        section.node.for_each_text(&mut |text| texts.push(text.content.clone().into_bytes()));
    }
    let is_named = |name: &str| texts.iter().any(|text| memchr::memmem::find(text, name.as_bytes()).is_some());
    for name in tables.keys().filter(|name| !is_named(name)) {
        let setting = format!("enrichment_tables.{name}");
        let help = format!("take it out, or look into it: `get_enrichment_table_record(\"{name}\", ...)`");
        report.push(idle(&setting, globals.place_of(&setting), "nothing looks into it").help(help));
    }
}

fn idle(setting: &str, place: &Place, why: &str) -> Diagnostic {
    let message = format!("`{setting}` in {} has no effect", super::judge::GLOBALS);
    Diagnostic::new(Code::IdleSetting, message).at(place, why)
}
