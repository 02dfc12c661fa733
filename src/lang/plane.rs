//! One side of a record (the event or its metadata) while a program runs on it: values come into being when they are first asked for.
//!
//! A plane begins as *slots*, one per top-level member that the program names. A slot is read from the record at its first use. If something asks for the root
//! (`.`, `unnest`, an index on the root), the whole side is read once, what was changed so far is laid over it, and from then on the tree alone counts. The record itself
//! is not changed before [`commit`](Plane::commit).

use std::cell::{OnceCell, RefCell};
use std::ops::Range;

use bytes::BytesMut;
use vrl::path::{BorrowedSegment, OwnedSegment, OwnedValuePath, ValuePath};
use vrl::value::{KeyString, ObjectMap, Value};

use super::fields::{Fields, FieldsMut, Member, Side};
use super::{allowance, json, splice};

/// Bytes of string space that a plane begins with.
const ARENA: usize = 16 * 1024;

/// Where a plane reads from: one side of a record, and the members that the program names, sorted.
pub(super) struct View<'a, F: ?Sized> {
    pub fields: &'a F,
    pub side: Side,
    pub names: &'a [KeyString],
}

#[derive(Default)]
struct Slot {
    value: OnceCell<Option<Value>>,
    touched: bool,
    /// Assigned as a whole before anything read it.
    blind: bool,
}

/// The values of one side during one run; kept between runs for its memory.
#[derive(Default)]
pub(super) struct Plane {
    slots: Vec<Slot>,
    /// Set once the whole side is a tree; the slots' values are stale then.
    root: OnceCell<Value>,
    /// The root itself was assigned or removed.
    assigned: bool,
    /// Slots in the order of their first change, so that new members are appended in the order in which the program made them.
    order: Vec<usize>,
    fault: OnceCell<String>,
    /// Where the strings of this run stand.
    arena: Arena,
}

/// Strings of a run share a buffer. Its first size is what it grows by while values of the run still hold on to it; once they are gone it is used again.
struct Arena(RefCell<BytesMut>);

impl Default for Arena {
    fn default() -> Self {
        Self(RefCell::new(BytesMut::with_capacity(ARENA)))
    }
}

/// What a commit did to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    Same,
    Changed,
    /// The root became a list: it makes several records, rendered into the scratch space.
    Many,
}

/// Buffers of a commit.
#[derive(Default)]
pub(super) struct Scratch {
    raw: Vec<u8>,
    pub out: Vec<u8>,
    pub parts: Vec<Range<usize>>,
}

impl Plane {
    /// Forgets the last run.
    pub(super) fn reset(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize_with(slots, Slot::default);
        self.root.take();
        self.assigned = false;
        self.order.clear();
        self.fault.take();
    }

    /// A member that could not be read, if there was one: the program saw `null` instead, so its result must not be used.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// Why what changed must not be written, if it is too much.
    pub(super) fn excess(&self) -> Option<&'static str> {
        if self.assigned {
            return self.root.get().and_then(|root| allowance::fits_with(root, 0).err());
        }
        let changed = self.order.iter().filter_map(|slot| match self.root.get() {
            // The tree has what changed since.
            Some(_) => None,
            None => self.slots[*slot].value.get()?.as_ref(),
        });
        let mut changed = changed.chain(self.root.get().filter(|_| !self.order.is_empty()));
        changed.try_fold(0, |sum, value| allowance::fits_with(value, sum)).err()
    }

    pub(super) fn get<F: Fields + ?Sized>(&self, view: &View<'_, F>, path: &OwnedValuePath) -> Option<&Value> {
        if self.root.get().is_none()
            && let Some((slot, tail)) = view.slot(path)
        {
            let value = self.load(view, slot)?;
            return if tail.0.is_empty() { Some(value) } else { value.get(tail) };
        }
        self.tree(view).get(path)
    }

    pub(super) fn get_mut<F: Fields + ?Sized>(
        &mut self,
        view: &View<'_, F>,
        path: &OwnedValuePath,
    ) -> Option<&mut Value> {
        self.get(view, path)?;
        let Some((slot, tail)) = self.claim(view, path) else {
            return self.root.get_mut()?.get_mut(path);
        };
        if self.root.get().is_some() {
            return self.root.get_mut()?.get_mut(path);
        }
        self.slots[slot].value.get_mut()?.as_mut()?.get_mut(tail)
    }

    pub(super) fn insert<F: Fields + ?Sized>(&mut self, view: &View<'_, F>, path: &OwnedValuePath, value: Value) {
        if path.is_root() {
            self.root = OnceCell::from(value);
            self.assigned = true;
            return;
        }
        let claimed = self.claim(view, path);
        let Some((slot, tail)) = claimed.filter(|_| self.root.get().is_none()) else {
            self.tree(view);
            self.root.get_mut().expect("the tree was just read").insert(path, value);
            return;
        };
        if tail.0.is_empty() {
            let target = &mut self.slots[slot];
            target.blind |= target.value.get().is_none();
            target.value = OnceCell::from(Some(value));
            return;
        }
        self.load(view, slot);
        let cell = self.slots[slot].value.get_mut().expect("the slot was just read");
        cell.get_or_insert(Value::Null).insert(tail, value);
    }

    pub(super) fn remove<F: Fields + ?Sized>(
        &mut self,
        view: &View<'_, F>,
        path: &OwnedValuePath,
        compact: bool,
    ) -> Option<Value> {
        self.get(view, path)?;
        let claimed = self.claim(view, path);
        let Some((slot, tail)) = claimed.filter(|_| self.root.get().is_none()) else {
            self.tree(view);
            return self.root.get_mut()?.remove(path, compact);
        };
        let cell = self.slots[slot].value.get_mut()?;
        if tail.0.is_empty() {
            return cell.take();
        }
        let removed = cell.as_mut()?.remove(tail, compact)?;
        if compact && cell.as_ref().is_some_and(is_empty) {
            *cell = None;
        }
        Some(removed)
    }

    /// Writes what changed back to the record.
    pub(super) fn commit<F: FieldsMut + ?Sized>(
        &self,
        fields: &mut F,
        names: (Side, &[KeyString]),
        scratch: &mut Scratch,
    ) -> Commit {
        let (side, names) = names;
        if self.assigned {
            return self.commit_root(fields, side, scratch);
        }
        let mut commit = Commit::Same;
        for &slot in &self.order {
            let name = names[slot].as_str();
            let value = match self.root.get() {
                Some(root) => root.as_object().and_then(|map| map.get(name)),
                None => self.slots[slot].value.get().and_then(Option::as_ref),
            };
            let blind = self.slots[slot].blind;
            if let Some(value) = value.filter(|value| blind && is_scalar(value)) {
                // The old text could only say the same in other words.
                scratch.out.clear();
                json::write(value, &mut scratch.out);
                fields.set(side, name, &scratch.out);
                commit = Commit::Changed;
            } else if write_member(fields, (side, name), value, &mut scratch.out) {
                commit = Commit::Changed;
            }
        }
        commit
    }

    fn commit_root<F: FieldsMut + ?Sized>(&self, fields: &mut F, side: Side, scratch: &mut Scratch) -> Commit {
        let Some(root) = self.root.get() else {
            return Commit::Same;
        };
        scratch.out.clear();
        match root {
            Value::Object(_) => {
                scratch.raw.clear();
                fields.whole(side, &mut scratch.raw);
                if splice::write_over(root, &scratch.raw, &mut scratch.out) {
                    return Commit::Same;
                }
            }
            Value::Array(items) => {
                scratch.parts.clear();
                for item in items {
                    let start = scratch.out.len();
                    write_record(item, &mut scratch.out);
                    scratch.parts.push(start..scratch.out.len());
                }
                return Commit::Many;
            }
            scalar => write_record(scalar, &mut scratch.out),
        }
        fields.replace(side, &scratch.out);
        Commit::Changed
    }

    fn load<F: Fields + ?Sized>(&self, view: &View<'_, F>, slot: usize) -> Option<&Value> {
        let value = self.slots[slot].value.get_or_init(|| {
            let name = view.names[slot].as_str();
            match view.fields.member(view.side, name)? {
                Member::Text(text) => {
                    let mut arena = self.arena.0.borrow_mut();
                    arena.extend_from_slice(text);
                    Some(Value::Bytes(arena.split().freeze()))
                }
                Member::Json(raw) => {
                    json::read(&raw, &mut self.arena.0.borrow_mut()).map_err(|error| self.report(name, &error)).ok()
                }
            }
        });
        value.as_ref()
    }

    fn tree<F: Fields + ?Sized>(&self, view: &View<'_, F>) -> &Value {
        self.root.get_or_init(|| {
            let mut raw = Vec::new();
            view.fields.whole(view.side, &mut raw);
            let mut map = match json::read(&raw, &mut self.arena.0.borrow_mut()) {
                Ok(Value::Object(map)) => map,
                Ok(_) => ObjectMap::new(),
                Err(error) => {
                    self.report(".", &error);
                    ObjectMap::new()
                }
            };
            for &slot in &self.order {
                let name = &view.names[slot];
                match self.slots[slot].value.get().and_then(Option::as_ref) {
                    Some(value) => map.insert(name.clone(), value.clone()),
                    None => map.remove(name),
                };
            }
            Value::Object(map)
        })
    }

    /// Notes that the member under `path` changes. A path without a slot changes the root itself.
    fn claim<'p, F: Fields + ?Sized>(
        &mut self,
        view: &View<'_, F>,
        path: &'p OwnedValuePath,
    ) -> Option<(usize, Tail<'p>)> {
        let Some((slot, tail)) = view.slot(path) else {
            self.assigned = true;
            return None;
        };
        if !self.slots[slot].touched {
            // A tree that was built earlier holds the old value and is changed next; one built later takes it from the slot.
            self.slots[slot].touched = true;
            self.order.push(slot);
        }
        Some((slot, tail))
    }

    fn report(&self, name: &str, error: &serde_json::Error) {
        // Only the first fault counts.
        let _ = self.fault.set(format!("`{name}` cannot be read: {error}"));
    }
}

impl<F: ?Sized> View<'_, F> {
    fn slot<'p>(&self, path: &'p OwnedValuePath) -> Option<(usize, Tail<'p>)> {
        let (OwnedSegment::Field(name), tail) = path.segments.split_first()? else {
            return None;
        };
        let slot = self.names.binary_search(name).ok()?;
        Some((slot, Tail(tail)))
    }
}

/// Sets or removes one member; returns whether the record changed.
fn write_member<F: FieldsMut + ?Sized>(
    fields: &mut F,
    place: (Side, &str),
    value: Option<&Value>,
    out: &mut Vec<u8>,
) -> bool {
    let (side, name) = place;
    let old = fields.member(side, name);
    let Some(value) = value else {
        let existed = old.is_some();
        drop(old);
        if existed {
            fields.remove(side, name);
        }
        return existed;
    };
    out.clear();
    let same = match &old {
        Some(Member::Json(raw)) => splice::write_over(value, raw, out),
        Some(Member::Text(text)) if value.as_bytes().is_some_and(|bytes| bytes == text) => true,
        _ => {
            json::write(value, out);
            false
        }
    };
    drop(old);
    if !same {
        fields.set(side, name, out);
    }
    !same
}

/// A value as a record: what is not an object becomes its message, as in Vector.
fn write_record(value: &Value, out: &mut Vec<u8>) {
    if value.is_object() {
        return json::write(value, out);
    }
    out.extend_from_slice(br#"{"message":"#);
    json::write(value, out);
    out.push(b'}');
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The rest of a path behind its first segment, borrowed.
#[derive(Clone, Copy)]
struct Tail<'p>(&'p [OwnedSegment]);

impl<'p> ValuePath<'p> for Tail<'p> {
    type Iter = std::iter::Map<std::slice::Iter<'p, OwnedSegment>, fn(&'p OwnedSegment) -> BorrowedSegment<'p>>;

    fn segment_iter(&self) -> Self::Iter {
        self.0.iter().map(BorrowedSegment::from)
    }
}
