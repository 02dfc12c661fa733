//! The plain way to change a record: a list of members, and `serde_json` for what is inside them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::event::Path;

/// One change of a record.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Set(Spot, String),
    Remove(Spot),
    Rename(Spot, Spot),
    Unhide(&'static str),
    Replace(String),
}

/// A path as the model sees it: a top-level key, and what follows.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) key: &'static str,
    pub(super) below: Vec<Below>,
}

#[derive(Clone, Debug)]
pub(super) enum Below {
    Field(&'static str),
    Index(isize),
}

impl Spot {
    pub(super) fn path(&self) -> Path {
        let mut text = format!(".\"{}\"", self.key.replace('"', "\\\""));
        for step in &self.below {
            match step {
                Below::Field(name) => text.extend([".\"", name, "\""]),
                Below::Index(index) => text.extend(["[", &index.to_string(), "]"]),
            }
        }
        Path::parse(&text).unwrap()
    }
}

/// A member: its key, its raw text as long as nobody changed it, and its value.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) raw: Option<String>,
    pub(super) value: Value,
}

/// The record as it should be.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) own: Vec<Field>,
    pub(super) origin: Vec<Field>,
    /// Keys of the origin that an edit hides, and whether the record says something else there.
    pub(super) edited: Vec<String>,
    pub(super) hidden: bool,
}

impl Model {
    pub(super) fn new(own: &[(String, String)], origin: &[(String, String)]) -> Self {
        Self { own: fields(own), origin: fields(origin), ..Self::default() }
    }

    pub(super) fn shows_origin(&self, key: &str) -> bool {
        let is_there = self.origin.iter().any(|field| field.key == key);
        is_there && !self.hidden && !self.edited.iter().any(|edited| edited == key)
    }

    pub(super) fn member(&self, key: &str) -> Option<&Field> {
        let fields = if self.shows_origin(key) { &self.origin } else { &self.own };
        fields.iter().rfind(|field| field.key == key)
    }

    /// All members that are to be read, sorted.
    pub(super) fn members(&self) -> Vec<(String, Value)> {
        let keys = self.own.iter().chain(&self.origin).map(|field| field.key.clone());
        let keys: BTreeSet<String> = keys.collect();
        let shown = keys.into_iter().filter_map(|key| Some((key.clone(), self.member(&key)?.value.clone())));
        shown.collect()
    }

    /// Every occurrence of the key becomes `value`, at the place of the last.
    pub(super) fn put(&mut self, key: &str, value: Option<Value>) {
        if !self.edited.iter().any(|edited| edited == key) {
            self.edited.push(key.to_owned());
        }
        let last = self.own.iter().rposition(|field| field.key == key);
        match (last, value) {
            (Some(at), Some(value)) => self.own[at] = Field { raw: None, value, key: key.to_owned() },
            (None, Some(value)) => self.own.push(Field { raw: None, value, key: key.to_owned() }),
            (_, None) => self.own.retain(|field| field.key != key),
        }
        let kept = self.own.iter().rposition(|field| field.key == key);
        let mut at = 0;
        self.own.retain(|field| {
            at += 1;
            field.key != key || Some(at - 1) == kept
        });
    }

    pub(super) fn set(&mut self, spot: &Spot, value: Value) {
        let mut whole = self.member(spot.key).map_or(Value::Null, |field| field.value.clone());
        insert(&mut whole, &spot.below, value);
        self.put(spot.key, Some(whole));
    }

    pub(super) fn get(&self, spot: &Spot) -> Option<Value> {
        let mut value = &self.member(spot.key)?.value;
        for step in &spot.below {
            value = match (step, value) {
                (Below::Field(name), Value::Object(map)) => map.get(*name)?,
                (Below::Index(index), Value::Array(items)) => items.get(place(*index, items.len())?)?,
                _ => return None,
            };
        }
        Some(value.clone())
    }

    pub(super) fn remove(&mut self, spot: &Spot) -> bool {
        if self.get(spot).is_none() {
            return false;
        }
        let Some((last, before)) = spot.below.split_last() else {
            self.put(spot.key, None);
            return true;
        };
        let mut whole = self.member(spot.key).expect("it was just found").value.clone();
        let mut value = &mut whole;
        for step in before {
            value = match (step, value) {
                (Below::Field(name), Value::Object(map)) => map.get_mut(*name).unwrap(),
                (Below::Index(index), Value::Array(items)) => {
                    let at = place(*index, items.len()).unwrap();
                    &mut items[at]
                }
                _ => unreachable!("it was just found"),
            };
        }
        match (last, value) {
            (Below::Field(name), Value::Object(map)) => _ = map.remove(*name),
            (Below::Index(index), Value::Array(items)) => _ = items.remove(place(*index, items.len()).unwrap()),
            _ => unreachable!("it was just found"),
        }
        self.put(spot.key, Some(whole));
        true
    }

    pub(super) fn rename(&mut self, from: &Spot, to: &Spot) -> bool {
        let Some(value) = self.get(from) else { return false };
        self.remove(from);
        self.set(to, value);
        true
    }

    pub(super) fn replace(&mut self, object: &[(String, String)]) {
        *self = Self { own: fields(object), hidden: true, origin: self.origin.clone(), edited: vec![] };
    }
}

pub(super) fn fields(members: &[(String, String)]) -> Vec<Field> {
    let field = |(key, raw): &(String, String)| Field {
        key: serde_json::from_str(&format!("\"{key}\"")).unwrap(),
        raw: Some(raw.clone()),
        value: serde_json::from_str(raw).unwrap(),
    };
    members.iter().map(field).collect()
}

pub(super) fn place(index: isize, len: usize) -> Option<usize> {
    let at = if index < 0 { len.checked_sub(index.unsigned_abs())? } else { index as usize };
    (at < len).then_some(at)
}

/// Vector's meaning: what is in the way becomes what the path needs; a gap is filled with `null`.
pub(super) fn insert(target: &mut Value, below: &[Below], new: Value) {
    let Some((step, rest)) = below.split_first() else {
        *target = new;
        return;
    };
    match step {
        Below::Field(name) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            insert(target.as_object_mut().unwrap().entry(*name).or_insert(Value::Null), rest, new);
        }
        Below::Index(index) => {
            if !target.is_array() {
                *target = Value::Array(vec![]);
            }
            let items = target.as_array_mut().unwrap();
            let at = if *index < 0 {
                let missing = index.unsigned_abs().saturating_sub(items.len());
                items.splice(0..0, std::iter::repeat_n(Value::Null, missing));
                items.len() - index.unsigned_abs()
            } else {
                *index as usize
            };
            while items.len() <= at {
                items.push(Value::Null);
            }
            insert(&mut items[at], rest, new);
        }
    }
}
