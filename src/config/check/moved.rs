//! Settings that the schema does not know: Vector's, which have an answer, and others.

use super::Walk;
use crate::config::catalogue::Kind;
use crate::config::moved::{LIST, Moved, Owner, Verdict, find, is_known_below};
use crate::config::tree::{Entry, Node, Table, Value};
use crate::diagnostic::{Code, Diagnostic, Place};
use std::fmt;

/// Whose settings are checked: what messages call it, and what it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Subject<'a> {
    words: &'a str,
    owner: Option<Owner<'a>>,
}

impl<'a> Subject<'a> {
    /// The root table.
    pub(in crate::config) const fn globals(words: &'a str) -> Self {
        Self { words, owner: Some(Owner::Globals) }
    }

    /// An entry of `[[tests]]`.
    pub(in crate::config) const fn test(words: &'a str) -> Self {
        Self { words, owner: Some(Owner::Tests) }
    }

    /// A component of this kind and type.
    pub(in crate::config) const fn component(words: &'a str, kind: Kind, type_name: &'a str) -> Self {
        Self { words, owner: Some(Owner::Component(kind, type_name)) }
    }
}

impl<'a> From<&'a str> for Subject<'a> {
    fn from(words: &'a str) -> Self {
        Self { words, owner: None }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }
}

impl Walk<'_> {
    /// Reports an entry that the schema does not know. True if it is left out and the rest can be used.
    pub(super) fn is_left_out<'s>(&mut self, entry: &Entry, names: impl Iterator<Item = &'s str> + Clone) -> bool {
        let name = self.name();
        let Some(owner) = self.subject.owner else {
            self.unknown(entry, names);
            return false;
        };
        if let Value::Table(table) = &entry.node.value
            && is_known_below(owner, &name)
        {
            return self.are_left_out(owner, (entry, table));
        }
        if let Some(moved) = find(owner, &name, word(&entry.node).as_deref()) {
            self.tell(moved, None, &entry.key_place);
            return moved.verdict != Verdict::Otherwise;
        }
        self.unknown(entry, names);
        false
    }

    /// The same of a table of which parts are known. What is said of the whole is said once.
    fn are_left_out(&mut self, owner: Owner<'_>, (entry, table): (&Entry, &Table)) -> bool {
        let whole = find(owner, &self.name(), None);
        let (mut all, mut others) = (true, Vec::new());
        for inner in &table.entries {
            self.path.push(inner.key.clone());
            let name = self.name();
            self.path.pop();
            let is_parted = matches!(inner.node.value, Value::Table(_)) && is_known_below(owner, &name);
            let found = find(owner, &name, word(&inner.node).as_deref()).filter(|_| !is_parted);
            match (found, whole) {
                (Some(found), Some(whole)) if std::ptr::eq(found, whole) => all = false,
                _ => others.push(inner),
            }
        }
        if let Some(whole) = whole.filter(|_| !all) {
            self.tell(whole, None, &entry.key_place);
            all = whole.verdict != Verdict::Otherwise;
        }
        for inner in others {
            self.path.push(inner.key.clone());
            all &= self.is_left_out(inner, std::iter::empty());
            self.path.pop();
        }
        all
    }

    /// The answer to a value that only Vector knows, if there is one.
    pub(super) fn tell_value(&mut self, node: &Node, written: &str) -> bool {
        let name = self.name();
        let found = self.subject.owner.and_then(|owner| find(owner, &name, Some(written)));
        let Some(moved) = found.filter(|moved| moved.verdict == Verdict::Otherwise) else { return false };
        self.tell(moved, Some(written), &node.place);
        true
    }

    /// The answers to the parts of a table that only Vector has in this place, if it is one.
    pub(super) fn tell_table(&mut self, node: &Node) -> bool {
        let (Some(owner), Value::Table(table)) = (self.subject.owner, &node.value) else { return false };
        let is_its = !table.entries.is_empty() && is_known_below(owner, &self.name());
        for entry in table.entries.iter().filter(|_| is_its) {
            self.path.push(entry.key.clone());
            self.is_left_out(entry, std::iter::empty());
            self.path.pop();
        }
        is_its
    }

    fn tell(&mut self, moved: &Moved, value: Option<&str>, place: &Place) {
        let (code, verdict, label) = match moved.verdict {
            Verdict::Kept => return,
            Verdict::Needless => (Code::NeedlessSetting, "that is not needed here", "left out"),
            Verdict::Otherwise => (Code::MovedSetting, "that is written otherwise here", "not known under this name"),
        };
        let message = match value {
            None => format!("`{}` in {} is a setting of Vector {verdict}", self.name(), self.subject),
            Some(value) => {
                format!("`{value}` for `{}` in {} is a value of Vector {verdict}", self.name(), self.subject)
            }
        };
        let help = match moved.verdict {
            Verdict::Otherwise => format!("instead: {}", moved.instead),
            _ => moved.instead.to_owned(),
        };
        self.report.push(Diagnostic::new(code, message).at(place, label).help(help));
    }
}

/// A value as a word to compare with.
fn word(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.content.clone()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Array(_) => Some(LIST.to_owned()),
        _ => None,
    }
}
