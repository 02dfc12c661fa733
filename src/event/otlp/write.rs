//! A record with its overlay as OTLP messages: its own, and those it shares.
//!
//! What nobody touched is where it was. What was changed goes where it came from: a member of the message's own is a field
//! again, a member that steps added to the record is one of its attributes, and what its origin brings (`enrich`) is an
//! attribute of the resource.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::encode::{Attribute, Change, Encoder, Wrong};
use super::members::{self, From, Otlp};
use super::memo::Memo;
use super::schema::{Field, Kind, METRIC, RESOURCE, SCOPE};
use super::wire::{Fields, Value, close, open};
use super::{Head, Range};
use crate::event::origin::Origin;
use crate::event::record::{Form, NONE, flag};
use crate::event::tables::{Edit, Target};
use crate::event::time::parse_json;
use crate::event::view::View;

/// A record and what it shares, as messages. Empty bytes are a message that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// What the record is.
    pub form: Form,
    /// Its `Resource`.
    pub resource: &'a [u8],
    /// The address of the resource's schema.
    pub resource_schema_url: &'a [u8],
    /// Its `InstrumentationScope`.
    pub scope: &'a [u8],
    /// The address of the scope's schema.
    pub scope_schema_url: &'a [u8],
    /// Of a point: its `Metric` without points.
    pub metric: &'a [u8],
    /// The record's own message.
    pub record: &'a [u8],
    /// A number for what it shares: records that one writer read with the same number share the same, byte for byte.
    pub shares: u64,
}

/// Reads records as messages. It keeps its memory, and what it made of the last resource and the last scope.
#[derive(Debug, Default)]
pub struct Writer {
    pub(super) encoder: Encoder,
    pub(super) resource: Memo,
    pub(super) scope: Memo,
    metric: Vec<u8>,
    pub(super) record: Vec<u8>,
    pub(super) scratch: Vec<u8>,
    /// What the last record shared, if that is known again.
    last: Option<Sharing>,
    /// How often what records share has changed.
    pub(super) shares: u64,
}

/// What a record shares, as no step has changed it. The block is kept: else another might come to stand in its place.
#[derive(Debug)]
struct Sharing {
    block: Bytes,
    ranges: [Range; 4],
    metric: Vec<u8>,
    /// What brings attributes of the resource.
    origin: Option<Arc<Origin>>,
}

/// What the overlay and the origin change, by where it goes.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// Fields of the record's message; without a value they are removed.
    pub(super) own: Vec<(&'static str, Option<Cow<'a, [u8]>>)>,
    /// Fields of the metric.
    pub(super) metric: Vec<(&'static str, Option<&'a [u8]>)>,
    /// Fields of what holds the metric's points.
    pub(super) data: Vec<(&'static str, Option<&'a [u8]>)>,
    pub(super) resource: Change<'a>,
    pub(super) scope: Change<'a>,
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) of_resource: Vec<Attribute<'a>>,
    /// Has the resource become what it became for the last record?
    is_known: bool,
}

impl Writer {
    /// The record as it now is. A line or a JSON object is a log record.
    ///
    /// # Errors
    /// If a member was given a value that its field cannot have.
    pub fn read<'a>(&'a mut self, view: View<'a>) -> Result<Shown<'a>, Wrong> {
        if !view.form().is_otlp() {
            self.share_other();
            return self.log(view);
        }
        let otlp = view.tables.otlp(view.record);
        let is_own = view.record.has(flag::ORIGIN_HIDDEN) || view.origin().members().is_empty();
        if view.record.edits == NONE && is_own {
            self.share((view, otlp), None);
            return Ok(Shown { shares: self.shares, ..otlp.shown(view.form()) });
        }
        let mut changes = Changes::of(view, otlp)?;
        if changes.is_of_shared() || !(is_own || view.shows_all_shared()) {
            self.share_other();
        } else {
            let origin = (!changes.of_resource.is_empty()).then(|| view.tables.origin(view.record));
            changes.is_known = self.share((view, otlp), origin) && origin.is_some() && self.resource.is_set;
        }
        let shares = self.shares;
        let shown = self.changed(&changes, (otlp, otlp.shown(view.form())))?;
        Ok(Shown { shares, ..shown })
    }

    /// Lets go of the memory of the last record.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Notes what a record shares; tells whether the last one shared the same.
    fn share(&mut self, (view, otlp): (View<'_>, Otlp<'_>), origin: Option<&Arc<Origin>>) -> bool {
        let block = &view.tables.blocks[usize::from(view.record.block)];
        let Head { resource, resource_schema_url, scope, scope_schema_url, .. } = *otlp.head;
        let ranges = [resource, resource_schema_url, scope, scope_schema_url];
        let is_same = self.last.as_ref().is_some_and(|last| {
            let is_block = last.block.as_ptr() == block.as_ptr() && last.block.len() == block.len();
            let is_origin = last.origin.as_ref().map(Arc::as_ptr) == origin.map(Arc::as_ptr);
            is_block && is_origin && last.ranges == ranges && last.metric == otlp.metric
        });
        if !is_same {
            self.share_other();
            let (block, metric) = (block.clone(), otlp.metric.to_vec());
            self.last = Some(Sharing { block, ranges, metric, origin: origin.cloned() });
        }
        is_same
    }

    /// What the next record shares is not known to be what another does.
    fn share_other(&mut self) {
        self.shares += 1;
        self.last = None;
    }

    /// The record with these changes.
    pub(super) fn changed<'a>(
        &'a mut self,
        changes: &Changes<'a>,
        (otlp, mut shown): (Otlp<'a>, Shown<'a>),
    ) -> Result<Shown<'a>, Wrong> {
        let Self { encoder, resource, scope, metric, record, scratch, .. } = self;
        if changes.is_known {
            (shown.resource, shown.resource_schema_url) = (&resource.new, &resource.schema_url);
        } else if !matches!(changes.resource, Change::None) || !changes.of_resource.is_empty() {
            let was = (&RESOURCE, shown.resource, shown.resource_schema_url);
            resource.change(was, (changes.resource, &changes.of_resource), (&mut *encoder, &mut *scratch))?;
            (shown.resource, shown.resource_schema_url) = (&resource.new, &resource.schema_url);
        }
        if !matches!(changes.scope, Change::None) {
            let was = (&SCOPE, shown.scope, shown.scope_schema_url);
            scope.change(was, (changes.scope, &[]), (&mut *encoder, &mut *scratch))?;
            (shown.scope, shown.scope_schema_url) = (&scope.new, &scope.schema_url);
        }
        if !changes.metric.is_empty() || !changes.data.is_empty() {
            metric.clear();
            change_metric(encoder, shown.metric, changes, metric)?;
            shown.metric = metric;
        }
        if !changes.own.is_empty() || !changes.attributes.is_empty() {
            scratch.clear();
            encoder.to(scratch).fields(otlp.message, shown.record, |field| {
                named(field, changes.own.iter().map(|(name, value)| (*name, value.as_deref())))
            })?;
            record.clear();
            let number = otlp.message.named("attributes").map_or(0, |field| field.number);
            add_attributes(encoder, (scratch, number), &changes.attributes, record)?;
            shown.record = record;
        }
        Ok(shown)
    }
}

impl<'a> Otlp<'a> {
    pub(super) fn shown(self, form: Form) -> Shown<'a> {
        let Head { resource, resource_schema_url, scope, scope_schema_url, .. } = *self.head;
        let of = |range: Range| range.of(self.block);
        Shown {
            form,
            resource: of(resource),
            resource_schema_url: of(resource_schema_url),
            scope: of(scope),
            scope_schema_url: of(scope_schema_url),
            metric: self.metric,
            record: self.bytes,
            shares: 0,
        }
    }
}

impl<'a> Changes<'a> {
    pub(super) fn of(view: View<'a>, otlp: Otlp<'a>) -> Result<Self, Wrong> {
        let mut changes = Self::default();
        for number in 0..members::count(view.form()) {
            let value = match change_of(view, number) {
                Change::None => continue,
                Change::Remove => None,
                Change::Set(value) => Some(value),
            };
            changes.note(members::source(view.form(), number), value, otlp)?;
        }
        let is_new = |key: &[u8]| members::number(view.form(), key).is_none();
        for edit in view.tables.edits(view.record) {
            if let (Target::New(key), Some(value), false) = (edit.target, edit.value, edit.is_written) {
                let attribute = (view.tables.span(key), view.tables.span(value));
                changes.attributes.extend(is_new(attribute.0).then_some(attribute));
            }
        }
        let shared = view.shown_shared().map(|member| (member.key.as_bytes(), &*member.value));
        changes.of_resource.extend(shared.filter(|(key, _)| is_new(key)));
        Ok(changes)
    }

    /// Does a step change what the record shares?
    fn is_of_shared(&self) -> bool {
        let is_changed = |change: &Change<'_>| !matches!(change, Change::None);
        !self.metric.is_empty() || !self.data.is_empty() || is_changed(&self.resource) || is_changed(&self.scope)
    }

    /// A member is to have this value, or none. What is told by other members cannot be removed by itself.
    pub(super) fn note(&mut self, from: From, value: Option<&'a [u8]>, otlp: Otlp<'a>) -> Result<(), Wrong> {
        match from {
            From::Own(name) => self.own.push((name, value.map(Cow::Borrowed))),
            From::Time(names) => self.own.push((names[0], value.map(|value| nanos(value, names[0])).transpose()?)),
            From::Duration => {
                let Some(value) = value else { return Ok(()) };
                let length: Option<u64> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                let end = length.and_then(|length| self.start(otlp)?.checked_add(length));
                self.own.push(("end_time_unix_nano", Some(decimal(end.ok_or(Wrong("duration"))?))));
            }
            From::Number => {
                let is_whole = value.is_some_and(|value| !value.iter().any(|byte| b".eE\"".contains(byte)));
                let (set, gone) = if is_whole { ("as_int", "as_double") } else { ("as_double", "as_int") };
                self.own.extend([(set, value.map(Cow::Borrowed)), (gone, None)]);
            }
            From::Metric(name) => self.metric.push((name, value)),
            From::Data(name) => self.data.push((name, value)),
            From::Resource => self.resource = value.map_or(Change::Remove, Change::Set),
            From::Scope => self.scope = value.map_or(Change::Remove, Change::Set),
            From::Type => {}
        }
        Ok(())
    }

    /// When a span begins, as far as it has been changed.
    fn start(&self, otlp: Otlp<'_>) -> Option<u64> {
        let changed = self.own.iter().rfind(|(name, _)| *name == "start_time_unix_nano");
        match changed {
            Some((_, value)) => std::str::from_utf8(value.as_deref()?).ok()?.parse().ok(),
            None => otlp.told_time()?.try_into().ok(),
        }
    }
}

/// What is to become of member `number`. An edit of a member that the record does not have stands by its key.
pub(super) fn change_of(view: View<'_>, number: u32) -> Change<'_> {
    let key = members::name(view.form(), number);
    match edit_of(view, number) {
        Some(edit) if edit.is_written => Change::None,
        Some(edit) => edit.value.map_or(Change::Remove, |value| Change::Set(view.tables.span(value))),
        None => view.shared(key).map_or(Change::None, Change::Set),
    }
}

/// The edit of member `number`, whether or not the record has it.
pub(super) fn edit_of(view: View<'_>, number: u32) -> Option<&Edit> {
    let key = members::name(view.form(), number);
    view.tables.edit_of(view.record, number).or_else(|| view.tables.edit_named(view.record, key))
}

fn named<'t>(field: &Field, changes: impl Iterator<Item = (&'static str, Option<&'t [u8]>)>) -> Change<'t> {
    let found = changes.filter(|(name, _)| *name == field.name).last();
    found.map_or(Change::None, |(_, value)| value.map_or(Change::Remove, Change::Set))
}

fn nanos(value: &[u8], name: &'static str) -> Result<Cow<'static, [u8]>, Wrong> {
    let time = parse_json(value).and_then(|time| u64::try_from(time).ok());
    time.map(decimal).ok_or(Wrong(name))
}

fn decimal(number: u64) -> Cow<'static, [u8]> {
    let mut text = Vec::with_capacity(20);
    write!(text, "{number}").expect("memory is written");
    text.into()
}

/// Appends the metric `old` with its changes.
fn change_metric(encoder: &mut Encoder, old: &[u8], changes: &Changes<'_>, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let mut own = Vec::new();
    encoder.to(&mut own).fields(&METRIC, old, |field| named(field, changes.metric.iter().copied()))?;
    for found in Fields::checked(&own) {
        match (METRIC.numbered(found.number).map(|field| field.kind), found.value) {
            (Some(Kind::Message(holder)), Value::Bytes(bytes)) => {
                let start = open(found.number, out);
                encoder.to(out).fields(holder, bytes, |field| named(field, changes.data.iter().copied()))?;
                close(start, out);
            }
            _ => out.extend_from_slice(&own[found.start..found.end]),
        }
    }
    Ok(())
}

/// Appends a message whose field `number` are attributes, with more of them; those of the same keys go.
pub(super) fn add_attributes(
    encoder: &mut Encoder,
    (message, number): (&[u8], u32),
    more: &[Attribute<'_>],
    out: &mut Vec<u8>,
) -> Result<(), Wrong> {
    let is_replaced = |value: Value<'_>| match value {
        Value::Bytes(bytes) => more.iter().any(|(key, _)| *key == super::project::pair(bytes).0),
        _ => false,
    };
    for found in Fields::checked(message) {
        if found.number != number || !is_replaced(found.value) {
            out.extend_from_slice(&message[found.start..found.end]);
        }
    }
    for (key, value) in more {
        encoder.to(out).attribute(number, (key, value), None)?;
    }
    Ok(())
}
