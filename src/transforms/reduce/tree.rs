//! The members of a group: a tree of names, with what is becoming of the values at its leaves.

use super::merger::{Merger, Strategy, Use};
use crate::event::{Path, View, json};

/// What a member takes beside its name and value.
const MEMBER: usize = size_of::<(Box<[u8]>, Node)>();

/// Which strategies stand where: a tree of names too.
#[derive(Debug, Default)]
pub(super) struct Rules {
    strategy: Option<Strategy>,
    inner: Vec<(Box<[u8]>, Self)>,
}

impl Rules {
    /// Merges values at `path` so. False for a path that leads to no member of a record.
    pub(super) fn add(&mut self, path: &Path, strategy: Strategy) -> bool {
        let Some(first) = path.first_key().filter(|_| !path.is_metadata()) else { return false };
        let mut rules = self.child(first);
        for segment in path.segments_below_first() {
            match segment {
                json::Segment::Field(key) => rules = rules.child(key),
                json::Segment::Index(_) => return false,
            }
        }
        rules.strategy = Some(strategy);
        true
    }

    fn child(&mut self, key: &[u8]) -> &mut Self {
        let at = self.inner.iter().position(|(own, _)| **own == *key).unwrap_or_else(|| {
            self.inner.push((key.into(), Self::default()));
            self.inner.len() - 1
        });
        &mut self.inner[at].1
    }

    fn of(&self, raw: &[u8]) -> Option<&Self> {
        self.inner.iter().find(|(key, _)| json::key_eq(raw, key)).map(|(_, rules)| rules)
    }
}

/// A member's value.
enum Node {
    Object(Members),
    Leaf(Merger),
}

/// Members of an object, by decoded name, in the order they came.
#[derive(Default)]
struct Members(Vec<(Box<[u8]>, Node)>);

/// What records of a group have so far.
#[derive(Default)]
pub(super) struct Tree {
    members: Members,
    bytes: usize,
}

impl Tree {
    /// Merges `text`, the JSON object of `record`; gives how many values could not be.
    pub(super) fn merge(&mut self, text: &[u8], record: View<'_>, rules: &Rules) -> usize {
        let mut merge = Merge { text, bytes: 0, failed: 0 };
        let is_time = |key: &[u8]| {
            let told = record.origin().timestamp_keys().iter().any(|name| json::key_eq(key, name.as_bytes()));
            told || (record.is_text() && key == b"timestamp")
        };
        self.members.merge(&mut merge, 0, Some(rules), &is_time);
        self.bytes = self.bytes.saturating_add_signed(merge.bytes);
        merge.failed
    }

    /// Bytes it holds, about.
    pub(super) fn weight(&self) -> usize {
        self.bytes
    }

    /// Appends it as a JSON object.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.members.write(out);
    }
}

/// One record on its way into the tree.
struct Merge<'a> {
    text: &'a [u8],
    /// Bytes that came on top, or went.
    bytes: isize,
    failed: usize,
}

impl Members {
    /// Merges the members of the object that opens at `open`.
    fn merge(&mut self, merge: &mut Merge<'_>, open: usize, rules: Option<&Rules>, is_time: &dyn Fn(&[u8]) -> bool) {
        let text = merge.text;
        for (nth, entry) in json::members(text, open).enumerate() {
            let raw = &text[entry.key.clone()];
            let rules = rules.and_then(|rules| rules.of(raw));
            match self.find(nth, raw) {
                Some(at) => self.0[at].1.merge(merge, entry.value, rules),
                None => {
                    if let Some(node) = Node::new(merge, entry.value, rules, is_time(raw)) {
                        let mut key = Vec::new();
                        json::unescape(raw, &mut key);
                        merge.bytes += (MEMBER + key.len()).cast_signed();
                        self.0.push((key.into(), node));
                    }
                }
            }
        }
    }

    /// Records of a group mostly look alike: the place of the last one is tried first.
    fn find(&self, nth: usize, raw: &[u8]) -> Option<usize> {
        let is_it = |at: &usize| self.0.get(*at).is_some_and(|(key, _)| json::key_eq(raw, key));
        Some(nth).filter(is_it).or_else(|| (0..self.0.len()).find(is_it))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut separator: &[u8] = b"";
        for (key, node) in &self.0 {
            out.extend_from_slice(separator);
            separator = b",";
            json::quote(key, out);
            out.push(b':');
            match node {
                Node::Object(members) => members.write(out),
                Node::Leaf(merger) => {
                    merger.write(out);
                    self.write_end(key, merger, out);
                }
            }
        }
        out.push(b'}');
    }

    /// The last time of several goes beside the first, unless a member has that name.
    fn write_end(&self, key: &[u8], merger: &Merger, out: &mut Vec<u8>) {
        let Some(last) = merger.end() else { return };
        let name = [key, b"_end"].concat();
        if self.0.iter().all(|(other, _)| **other != *name) {
            out.push(b',');
            json::quote(&name, out);
            out.push(b':');
            out.extend_from_slice(last);
        }
    }
}

impl Node {
    fn new(merge: &mut Merge<'_>, value: std::ops::Range<usize>, rules: Option<&Rules>, is_time: bool) -> Option<Self> {
        let text = &merge.text[value.clone()];
        let strategy = rules.and_then(|rules| rules.strategy);
        if strategy.is_none() && is_object(text) {
            let mut members = Members::default();
            members.merge(merge, value.start, rules, &|_| false);
            return Some(Self::Object(members));
        }
        let merger = Merger::new(strategy.map_or(Use::Default { is_time }, Use::Strategy), text);
        match &merger {
            Some(merger) => merge.bytes += merger.weight().cast_signed(),
            None => merge.failed += 1,
        }
        merger.map(Self::Leaf)
    }

    fn merge(&mut self, merge: &mut Merge<'_>, value: std::ops::Range<usize>, rules: Option<&Rules>) {
        let text = &merge.text[value.clone()];
        match self {
            Self::Object(members) if is_object(text) => members.merge(merge, value.start, rules, &|_| false),
            Self::Object(_) => merge.failed += 1,
            Self::Leaf(merger) => {
                let before = merger.weight();
                merge.failed += usize::from(!merger.add(text));
                merge.bytes += merger.weight().cast_signed() - before.cast_signed();
            }
        }
    }
}

fn is_object(value: &[u8]) -> bool {
    value.first() == Some(&b'{')
}
