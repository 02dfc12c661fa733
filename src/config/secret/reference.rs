//! `SECRET[backend.key]`: how it is written, and where it may stand.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::catalogue::Kind;
use crate::config::tree::{Node, Value};
use crate::diagnostic::{Code, Diagnostic, Report};

/// What a reference begins with.
pub(in crate::config) const OPENING: &str = "SECRET[";

/// A key of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Reference<'t> {
    pub(in crate::config) backend: &'t str,
    pub(in crate::config) key: &'t str,
}

/// The reference that `text` begins with, and its length; `text` begins with [`OPENING`]. None: it cannot be read.
pub(in crate::config) fn reference(text: &str) -> Option<(Reference<'_>, usize)> {
    let inner = &text[OPENING.len()..];
    let (inner, _) = inner.split_once(']')?;
    let (backend, key) = inner.split_once('.')?;
    let is_word = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let is_one = is_word(backend, b"_-") && is_word(key, b"_-./");
    is_one.then_some((Reference { backend, key }, OPENING.len() + inner.len() + 1))
}

/// The references of a text.
fn references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    text.match_indices(OPENING).filter_map(|(at, _)| reference(&text[at..])).map(|(reference, _)| reference)
}

/// Adds every reference of a tree to the keys of its backend.
pub(in crate::config) fn collect(node: &Node, keys: &mut BTreeMap<String, BTreeSet<String>>) {
    node.for_each_text(&mut |text| {
        for Reference { backend, key } in references(&text.content) {
            keys.entry(backend.to_owned()).or_default().insert(key.to_owned());
        }
    });
}

/// Reports references outside the settings of components, and in `type` and `inputs`: there names are shown, and a
/// backend that needs another one has no order to be asked in.
pub(in crate::config) fn confine(root: &mut Node, report: &mut Report) {
    let Value::Table(table) = &mut root.value else { return };
    for entry in &mut table.entries {
        // The keys of the global scrub are secrets, too.
        if entry.key != "scrub" && !Kind::ALL.iter().any(|kind| kind.section() == entry.key) {
            refuse(&mut entry.node, report);
            continue;
        }
        let Value::Table(components) = &mut entry.node.value else { continue };
        for component in &mut components.entries {
            let Value::Table(settings) = &mut component.node.value else { continue };
            let seen = settings.entries.iter_mut().filter(|setting| ["type", "inputs"].contains(&setting.key.as_str()));
            seen.for_each(|setting| refuse(&mut setting.node, report));
        }
    }
}

fn refuse(node: &mut Node, report: &mut Report) {
    match &mut node.value {
        Value::Text(text) if references(&text.content).next().is_some() => {
            let fault = Diagnostic::new(Code::SecretSeen, "a secret stands where its value would be seen");
            let fault = fault.at(&node.place, "this is shown in logs, metrics or drawings");
            report.push(fault.help("only settings of sources, transforms and sinks hold secrets"));
            node.value = Value::Faulty;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refuse(item, report)),
        Value::Table(table) => table.entries.iter_mut().for_each(|entry| refuse(&mut entry.node, report)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Reference, reference};

    #[test]
    fn a_reference_has_a_backend_and_a_key() {
        let read = |text| reference(text).map(|(Reference { backend, key }, length)| (backend, key, length));
        assert_eq!(read("SECRET[a.b] x"), Some(("a", "b", 11)));
        assert_eq!(read("SECRET[v-1.app/db.password]"), Some(("v-1", "app/db.password", 27)));
        for bad in ["SECRET[", "SECRET[]", "SECRET[a]", "SECRET[.b]", "SECRET[a.]", "SECRET[a.b c]", "SECRET[a.b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
