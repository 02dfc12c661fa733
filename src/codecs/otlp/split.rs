//! The walk over a request.

use std::ops::Range;

use super::Signal;
use crate::event::otlp::schema::{LOG_RECORD, METRIC, Message, RESOURCE, SCOPE, SPAN, points};
use crate::event::otlp::wire::{Fault, Field, Fields, Value, put_bytes};
use crate::event::{Batch, Form, Seen, Shares};

/// The numbers of fields that all three requests have in common.
mod number {
    /// The resources of a request.
    pub(super) const RESOURCES: u32 = 1;
    /// The resource, or the scope.
    pub(super) const HEAD: u32 = 1;
    /// The scopes of a resource, the records of a scope.
    pub(super) const ITEMS: u32 = 2;
    pub(super) const SCHEMA_URL: u32 = 3;
    /// The points of whatever holds them in a metric.
    pub(super) const POINTS: u32 = 1;
}

/// Records, scopes and metrics that any request may have.
const FEW: usize = 4_096;
/// Bytes of the request for each one beyond these: a point of a time and a value has 20.
const LEAST: usize = 16;

/// Records that were left out of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub records: usize,
    /// What was wrong with the first.
    pub why: Option<Fault>,
}

impl Refused {
    fn note(&mut self, why: Fault) {
        self.records += 1;
        self.why.get_or_insert(why);
    }
}

/// Adds the records of the request that is the block of `batch`. They get positions from that of `seen` on; `time` is
/// for those that tell none.
///
/// # Errors
/// If the bytes are no such request, or have more records and heads than [`FEW`] and one for each [`LEAST`] bytes: what is
/// kept for each is many times as large as an empty one. The batch then has some of its records, and is to be thrown away.
pub fn split(signal: Signal, block: &[u8], batch: &mut Batch, seen: Seen) -> Result<Refused, Fault> {
    let most = FEW + block.len() / LEAST;
    let mut walk =
        Walk { signal, block, batch, seen, refused: Refused::default(), metric: Vec::new(), most, left: most };
    for field in parts(block, 0..block.len()) {
        if let (number::RESOURCES, at) = field? {
            walk.resource(at)?;
        }
    }
    Ok(walk.refused)
}

struct Walk<'a> {
    signal: Signal,
    block: &'a [u8],
    batch: &'a mut Batch,
    /// Where the next record stands.
    seen: Seen,
    refused: Refused,
    /// A metric without its points.
    metric: Vec<u8>,
    /// Records and heads that the request may have.
    most: usize,
    /// How many of them are left.
    left: usize,
}

/// The fields of a message at `within` of `block` that are messages or strings, with where they stand in it. Those of
/// other types are none that hold records.
fn parts(block: &[u8], within: Range<usize>) -> impl Iterator<Item = Result<(u32, Range<usize>), Fault>> {
    let base = within.start;
    Fields::of(&block[within]).filter_map(move |field| match field {
        Ok(field @ Field { value: Value::Bytes(_), .. }) => {
            let at = field.bytes_at();
            Some(Ok((field.number, base + at.start..base + at.end)))
        }
        Ok(Field { number: number @ (number::HEAD | number::ITEMS | number::SCHEMA_URL), .. }) => {
            Some(Err(Fault::WrongType("a request", number)))
        }
        Ok(_) => None,
        Err(fault) => Some(Err(fault)),
    })
}

impl Walk<'_> {
    /// A resource with its scopes. What they share can stand behind them, so it is looked up first.
    fn resource(&mut self, within: Range<usize>) -> Result<(), Fault> {
        let (resource, resource_schema_url) = self.head(within.clone(), &RESOURCE)?;
        let shares = Shares { resource, resource_schema_url, ..Shares::default() };
        for part in parts(self.block, within) {
            if let (number::ITEMS, at) = part? {
                self.scope(at, &shares)?;
            }
        }
        Ok(())
    }

    fn scope(&mut self, within: Range<usize>, of_resource: &Shares<'_>) -> Result<(), Fault> {
        let (scope, scope_schema_url) = self.head(within.clone(), &SCOPE)?;
        let shares = Shares { scope, scope_schema_url, ..of_resource.clone() };
        let number = match self.signal {
            Signal::Metrics => None,
            Signal::Traces | Signal::Logs => Some(self.shares(&shares)?),
        };
        for part in parts(self.block, within) {
            let (number::ITEMS, at) = part? else { continue };
            match number {
                Some(number) => self.record(number, at)?,
                None => self.metric(at, &shares)?,
            }
        }
        Ok(())
    }

    /// What the items of a message share, checked, and the address of its schema.
    fn head(&self, within: Range<usize>, message: &'static Message) -> Result<(Range<usize>, Range<usize>), Fault> {
        let (mut head, mut schema_url) = (0..0, 0..0);
        for part in parts(self.block, within) {
            match part? {
                (number::HEAD, at) if head == (0..0) => head = at,
                (number::HEAD, _) => return Err(Fault::Twice(message.name)),
                (number::SCHEMA_URL, at) => schema_url = at,
                _ => {}
            }
        }
        message.check(&self.block[head.clone()])?;
        Ok((head, schema_url))
    }

    fn shares(&mut self, shares: &Shares<'_>) -> Result<u32, Fault> {
        self.room()?;
        Ok(self.batch.fill().shares(shares))
    }

    /// Takes the room of one more record or head.
    fn room(&mut self) -> Result<(), Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault::Many(self.most))?;
        Ok(())
    }

    fn record(&mut self, shares: u32, at: Range<usize>) -> Result<(), Fault> {
        let bytes = &self.block[at.clone()];
        let (form, checked) = match self.signal {
            Signal::Traces => (Form::Span, check_span(bytes)),
            _ => (Form::LogRecord, LOG_RECORD.check(bytes)),
        };
        match checked {
            Ok(()) => self.add(form, shares, at)?,
            Err(why) => self.refused.note(why),
        }
        Ok(())
    }

    fn add(&mut self, form: Form, shares: u32, at: Range<usize>) -> Result<(), Fault> {
        self.room()?;
        self.batch.fill().otlp((form, shares), at, self.seen);
        self.seen.position += 1;
        Ok(())
    }

    /// The points of a metric. A metric that cannot be read as such is refused as one record.
    fn metric(&mut self, at: Range<usize>, of_scope: &Shares<'_>) -> Result<(), Fault> {
        let found = match self.points(at) {
            Ok(found) => found,
            Err(why) => {
                self.refused.note(why);
                None
            }
        };
        let Some((message, data)) = found else { return Ok(()) };
        let metric = std::mem::take(&mut self.metric);
        let shares = self.shares(&Shares { metric: Some(&metric), ..of_scope.clone() })?;
        self.metric = metric;
        for part in parts(self.block, data).flatten() {
            let (number::POINTS, at) = part else { continue };
            match message.check(&self.block[at.clone()]) {
                Ok(()) => self.add(Form::Point, shares, at)?,
                Err(why) => self.refused.note(why),
            }
        }
        Ok(())
    }

    /// Writes the metric at `within` without its points to `self.metric`, and finds the message that holds these. One
    /// whose only data is of a kind that came later has points that cannot be read.
    fn points(&mut self, within: Range<usize>) -> Result<Option<(&'static Message, Range<usize>)>, Fault> {
        self.metric.clear();
        let (bytes, mut found, mut unknown) = (&self.block[within.clone()], None, None);
        for field in Fields::of(bytes) {
            let field = field?;
            let Some(message) = points(field.number) else {
                self.metric.extend_from_slice(&bytes[field.start..field.end]);
                let is_known = METRIC.numbered(field.number).is_some() || !matches!(field.value, Value::Bytes(_));
                unknown = unknown.or((!is_known).then_some(field.number));
                continue;
            };
            let Value::Bytes(data) = field.value else { return Err(Fault::WrongType(METRIC.name, field.number)) };
            if found.is_some() {
                return Err(Fault::Twice("the data of a metric"));
            }
            let rest = without_points(data)?;
            put_bytes(field.number, &rest, &mut self.metric);
            let at = field.bytes_at();
            found = Some((message, within.start + at.start..within.start + at.end));
        }
        METRIC.check(&self.metric)?;
        match unknown {
            Some(number) if found.is_none() => Err(Fault::Data(number)),
            _ => Ok(found),
        }
    }
}

/// What of a gauge, a sum, a histogram or a summary is not a point.
fn without_points(data: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut rest = Vec::new();
    for field in Fields::of(data) {
        let field = field?;
        match field.value {
            Value::Bytes(_) if field.number == number::POINTS => {}
            _ if field.number == number::POINTS => return Err(Fault::WrongType(METRIC.name, field.number)),
            _ => rest.extend_from_slice(&data[field.start..field.end]),
        }
    }
    Ok(rest)
}

/// A span is found by its ids: one without them belongs to no trace.
fn check_span(bytes: &[u8]) -> Result<(), Fault> {
    SPAN.check(bytes)?;
    let (mut trace_id, mut span_id) = (&[][..], &[][..]);
    for field in Fields::checked(bytes).take_while(|field| field.number <= 2) {
        match field {
            Field { number: 1, value: Value::Bytes(id), .. } => trace_id = id,
            Field { number: 2, value: Value::Bytes(id), .. } => span_id = id,
            _ => {}
        }
    }
    if is_nothing(trace_id) || is_nothing(span_id) {
        return named_ids(bytes);
    }
    Ok(())
}

/// The same for a span whose fields are in an order of their own.
fn named_ids(bytes: &[u8]) -> Result<(), Fault> {
    for (number, name) in [(1, "trace_id"), (2, "span_id")] {
        let ids = Fields::checked(bytes).filter(|field| field.number == number);
        let is_there = ids.last().is_some_and(|field| matches!(field.value, Value::Bytes(id) if !is_nothing(id)));
        if !is_there {
            return Err(Fault::NoId(name));
        }
    }
    Ok(())
}

fn is_nothing(id: &[u8]) -> bool {
    id.iter().all(|byte| *byte == 0)
}
