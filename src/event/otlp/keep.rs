//! Records as they are written down: the message that each now is, and what records share, once.
//!
//! What an edit or an origin hides must not reach a disk: a member of the message's own that was changed is written into the
//! message, as a sink would write it. What steps *added* stays an edit, and what the origin brings stays with the origin.
//! Where a member reads otherwise than it was set (`duration`, a number set where a text belongs), the edit stays too, marked
//! as written: so a sink of JSON reads what it would have read, and one of OTLP sends what it would have sent.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::encode::Change;
use super::members::{self, From, Otlp};
use super::schema::{METRIC, RESOURCE, SCOPE};
use super::write::{Changes, change_of, edit_of};
use super::{Head, Range, Shown, Writer};
use crate::event::record::{Form, NONE, flag};
use crate::event::store::put_edit;
use crate::event::tables::{Edit, Span, Target};
use crate::event::view::View;

/// Where what a record shares stands in the bytes of a [`Keeper`]: resource, the address of its schema, scope, the
/// address of its schema, metric. Empty ranges are messages that are not there.
pub(crate) type Places = [Range; 5];

/// Writes the records of one batch down.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    writer: Writer,
    shelf: Shelf,
    scratch: Vec<u8>,
    /// What was made of the last head that was changed.
    last: Option<Changed>,
}

/// What was written down of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// The number of what it shares.
    pub(crate) head: u32,
    /// Bytes of its message, and of its edits behind it.
    pub(crate) len: u32,
    pub(crate) edits: u32,
    /// Is the message another than it came as?
    pub(crate) is_changed: bool,
}

/// A head that was changed: what of, and what came of it.
#[derive(Clone, Copy, Debug)]
struct Changed {
    of: Source,
    head: u32,
    /// Do the resource and the scope read as they were set?
    is_read: [bool; 2],
}

/// What makes a changed head: the same makes the same, within a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    head: u32,
    origin: u16,
    /// Of the resource and the scope: is there an edit, and its value.
    edits: [(bool, Option<Span>); 2],
}

/// What records share, each thing once.
#[derive(Debug, Default)]
struct Shelf {
    text: Vec<u8>,
    /// What stands in `text`, by its hash.
    known: HashMap<u64, Vec<Range>>,
    hasher: RandomState,
    /// Where what stood in a block stands now.
    moved: HashMap<(u16, Range), Range>,
    heads: Vec<Places>,
    numbers: HashMap<Places, u32>,
    /// The numbers of heads that nobody changed, by their old ones.
    unchanged: HashMap<u32, u32>,
}

impl Keeper {
    /// Appends the message of an OTLP record, and its edits.
    pub(crate) fn keep(&mut self, view: View<'_>, out: &mut Vec<u8>) -> Kept {
        let (otlp, start) = (view.tables.otlp(view.record), out.len());
        let has_shared = !view.record.has(flag::ORIGIN_HIDDEN) && !view.origin().members().is_empty();
        let changes = if view.record.edits == NONE && !has_shared { Ok(Changes::default()) } else { own(view, otlp) };
        if changes.as_ref().is_ok_and(Changes::is_none) {
            out.extend_from_slice(otlp.bytes);
            let len = out.len() - start;
            put_all(view, out);
            let head = self.shelf.unchanged(view);
            return Kept::of(head, (start, len, out.len()), false);
        }
        if let Ok(changes) = changes
            && let Some(kept) = self.changed(view, (otlp, changes), out)
        {
            return kept;
        }
        out.truncate(start);
        self.without(view, otlp, out)
    }

    /// Appends what records share; gives where it stands behind `first`, by the numbers of heads.
    pub(crate) fn append(&self, first: usize, out: &mut Vec<u8>) -> Vec<Places> {
        let base = (out.len() - first) as u32;
        out.extend_from_slice(&self.shelf.text);
        self.shelf.heads.iter().map(|places| places.map(|place| place.moved(base))).collect()
    }

    /// A record whose message is written anew; none where it would not be read back as such.
    fn changed(
        &mut self,
        view: View<'_>,
        (otlp, mut changes): (Otlp<'_>, Changes<'_>),
        out: &mut Vec<u8>,
    ) -> Option<Kept> {
        let Self { writer, shelf, scratch, last } = self;
        let start = out.len();
        let of = Source::of(view, &changes);
        let known = last.filter(|last| Some(last.of) == of);
        if known.is_some() {
            (changes.resource, changes.scope) = (Change::None, Change::None);
        }
        let shown = writer.changed(&changes, (otlp, otlp.shown(view.form()))).ok()?;
        otlp.message.check(shown.record).ok()?;
        out.extend_from_slice(shown.record);
        let len = out.len() - start;
        let head = if let Some(known) = known {
            known.head
        } else {
            RESOURCE.check(shown.resource).ok()?;
            SCOPE.check(shown.scope).ok()?;
            METRIC.check(shown.metric).ok()?;
            shelf.shown(&shown)
        };
        let after = After::of(otlp, &shown, known.is_none());
        let mut is_read = known.map_or([true; 2], |known| known.is_read);
        for number in 0..members::count(view.form()) {
            let (from, edit) = (members::source(view.form(), number), edit_of(view, number));
            if edit.is_none() && !changes.touch(from) {
                continue;
            }
            let is_same = match (from, known) {
                (From::Resource, Some(_)) => is_read[0],
                (From::Scope, Some(_)) => is_read[1],
                _ => after.reads_same(view, number, scratch),
            };
            match from {
                From::Resource => is_read[0] = is_same,
                From::Scope => is_read[1] = is_same,
                _ => {}
            }
            if !is_same {
                put_reading(view, number, out);
            }
        }
        for edit in view.tables.edits(view.record) {
            if let Target::New(key) = edit.target
                && members::number(view.form(), view.tables.span(key)).is_none()
            {
                put(view, edit, out);
            }
        }
        *last = of.map(|of| Changed { of, head, is_read });
        Some(Kept::of(head, (start, len, out.len()), true))
    }

    /// A record whose changes cannot be written into its message, as a sink finds as well: the message without what they
    /// hide, and all of them.
    fn without(&mut self, view: View<'_>, otlp: Otlp<'_>, out: &mut Vec<u8>) -> Kept {
        let (mut changes, start) = (Changes::default(), out.len());
        for number in 0..members::count(view.form()) {
            if !matches!(change_of(view, number), Change::None) {
                let from = members::source(view.form(), number);
                changes.note(from, None, otlp).expect("what is removed has no wrong value");
            }
        }
        let shown = self.writer.changed(&changes, (otlp, otlp.shown(view.form())));
        let shown = shown.expect("what is removed has no wrong value");
        out.extend_from_slice(shown.record);
        let (len, head) = (out.len() - start, self.shelf.shown(&shown));
        let after = After::of(otlp, &shown, false);
        // What is told by several members is gone from all of them.
        for number in (0..members::count(view.form())).filter(|number| edit_of(view, *number).is_none()) {
            let is_touched = changes.touch(members::source(view.form(), number));
            if is_touched && !after.reads_same(view, number, &mut self.scratch) {
                put_reading(view, number, out);
            }
        }
        put_all(view, out);
        Kept::of(head, (start, len, out.len()), true)
    }
}

impl Kept {
    fn of(head: u32, (start, len, end): (usize, usize, usize), is_changed: bool) -> Self {
        Self { head, len: len as u32, edits: (end - start - len) as u32, is_changed }
    }
}

impl Source {
    /// None where the metric is changed too: no two records have the same of these.
    fn of(view: View<'_>, changes: &Changes<'_>) -> Option<Self> {
        let edits = [b"resource".as_slice(), b"scope"].map(|key| {
            let edit = members::number(view.form(), key).and_then(|number| edit_of(view, number));
            (edit.is_some(), edit.and_then(|edit| edit.value))
        });
        let is_it = changes.metric.is_empty() && changes.data.is_empty();
        is_it.then_some(Self { head: view.record.members, origin: view.record.origin, edits })
    }
}

/// What steps and the origin make of the members of the message's own.
fn own<'a>(view: View<'a>, otlp: Otlp<'a>) -> Result<Changes<'a>, super::Wrong> {
    let mut changes = Changes::of(view, otlp)?;
    changes.attributes.clear();
    changes.of_resource.clear();
    Ok(changes)
}

impl Changes<'_> {
    fn is_none(&self) -> bool {
        let heads = [self.resource, self.scope];
        let has_head = heads.iter().any(|change| !matches!(change, Change::None));
        self.own.is_empty() && self.metric.is_empty() && self.data.is_empty() && !has_head
    }

    /// May a member that comes from there read otherwise than before?
    fn touch(&self, from: From) -> bool {
        let own = |names: &[&str]| self.own.iter().any(|(name, _)| names.contains(name));
        match from {
            From::Own(name) => own(&[name]),
            From::Time(names) => own(names),
            From::Duration => own(&["start_time_unix_nano", "end_time_unix_nano"]),
            From::Number => own(&["as_int", "as_double"]),
            From::Metric(name) => self.metric.iter().any(|(changed, _)| *changed == name),
            From::Data(name) => self.data.iter().any(|(changed, _)| *changed == name),
            From::Type => false,
            From::Resource => !matches!(self.resource, Change::None),
            From::Scope => !matches!(self.scope, Change::None),
        }
    }
}

/// A record as it will be read back.
struct After<'a> {
    otlp: Otlp<'a>,
    /// What it shares, if that is to be read.
    block: Vec<u8>,
    head: Head,
}

impl<'a> After<'a> {
    fn of(otlp: Otlp<'a>, shown: &Shown<'a>, has_head: bool) -> Self {
        let (mut block, mut head) = (Vec::new(), Head::default());
        if has_head {
            let mut add = |bytes: &[u8]| {
                let start = block.len();
                block.extend_from_slice(bytes);
                Range::from(start..block.len())
            };
            head.resource = add(shown.resource);
            head.resource_schema_url = add(shown.resource_schema_url);
            head.scope = add(shown.scope);
            head.scope_schema_url = add(shown.scope_schema_url);
        }
        Self { otlp: Otlp { bytes: shown.record, metric: shown.metric, ..otlp }, block, head }
    }

    /// Will member `number` read as it does?
    fn reads_same(&self, view: View<'_>, number: u32, scratch: &mut Vec<u8>) -> bool {
        let key = members::name(view.form(), number);
        let before = view.member(key);
        if let Some(shared) = view.shared(key) {
            return before.as_deref() == Some(shared);
        }
        scratch.clear();
        let is_there = Otlp { block: &self.block, head: &self.head, ..self.otlp }.write(number, scratch);
        before.as_deref() == is_there.then_some(&scratch[..])
    }
}

/// Appends what member `number` reads as, whatever its message says.
fn put_reading(view: View<'_>, number: u32, out: &mut Vec<u8>) {
    let key = members::name(view.form(), number);
    put_edit((key, view.member(key).as_deref(), true), out);
}

/// Appends all edits of a record as they stand.
fn put_all(view: View<'_>, out: &mut Vec<u8>) {
    view.tables.edits(view.record).for_each(|edit| put(view, edit, out));
}

fn put(view: View<'_>, edit: &Edit, out: &mut Vec<u8>) {
    let key = match edit.target {
        Target::Own(number) => members::name(view.form(), number),
        Target::New(key) => view.tables.span(key),
    };
    put_edit((key, edit.value.map(|value| view.tables.span(value)), edit.is_written), out);
}

impl Shelf {
    /// The number of a head that nobody changed.
    fn unchanged(&mut self, view: View<'_>) -> u32 {
        let (old, block) = (view.record.members, view.record.block);
        if let Some(known) = self.unchanged.get(&old) {
            return *known;
        }
        let (head, otlp) = (view.tables.heads[old as usize], view.tables.otlp(view.record));
        let ranges = [head.resource, head.resource_schema_url, head.scope, head.scope_schema_url];
        let [resource, resource_schema_url, scope, scope_schema_url] = ranges.map(|range| {
            if let Some(known) = self.moved.get(&(block, range)) {
                return *known;
            }
            let place = self.place(range.of(otlp.block));
            self.moved.insert((block, range), place);
            place
        });
        let places = [resource, resource_schema_url, scope, scope_schema_url, self.place(otlp.metric)];
        let number = self.head(places);
        self.unchanged.insert(old, number);
        number
    }

    fn shown(&mut self, shown: &Shown<'_>) -> u32 {
        let Shown { resource, resource_schema_url, scope, scope_schema_url, metric, .. } = *shown;
        let places = [resource, resource_schema_url, scope, scope_schema_url, metric].map(|bytes| self.place(bytes));
        self.head(places)
    }

    fn head(&mut self, places: Places) -> u32 {
        *self.numbers.entry(places).or_insert_with(|| {
            self.heads.push(places);
            self.heads.len() as u32 - 1
        })
    }

    /// Where these bytes stand, from now on.
    fn place(&mut self, bytes: &[u8]) -> Range {
        if bytes.is_empty() {
            return Range::default();
        }
        let known = self.known.entry(self.hasher.hash_one(bytes)).or_default();
        if let Some(same) = known.iter().find(|range| range.of(&self.text) == bytes) {
            return *same;
        }
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        let range = Range::from(start..self.text.len());
        known.push(range);
        range
    }
}

impl Form {
    /// What a record of this form is called where it is written down.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Span => "span",
            Self::LogRecord => "log_record",
            Self::Point => "point",
        }
    }

    /// The form of OTLP with this name.
    pub(crate) fn otlp_named(name: &str) -> Option<Self> {
        [Self::Span, Self::LogRecord, Self::Point].into_iter().find(|form| form.name() == name)
    }
}
