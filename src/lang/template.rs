//! Text with holes: `"{{ service }}-{{ env }}"`, `"logs-%Y.%m.%d"`.
//!
//! A hole is a path in the record (`service`, `.a.b[0]`) or in its metadata (`%topic`); what stands between holes is text, in which `%` begins a date specifier (UTC, the
//! record's time) and `%%` is a percent sign. Confinement of what holes can bring in is the sink's work; [`Template::literal_prefix`], [`fields`](Template::fields),
//! [`has_time`](Template::has_time) and [`is_constant`](Template::is_constant) tell it what there is to confine.

use std::fmt::Write;
use std::ops::Range;

use chrono::format::{Item, Numeric, Pad, StrftimeItems};
use chrono::{DateTime, Datelike, Timelike, Utc};
use vrl::path::{OwnedSegment, OwnedTargetPath, parse_target_path};

use super::fields::{Fields, Member};
use super::json;
use crate::event::json::{Segment, seek};

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field { path: OwnedTargetPath, name: String },
    Time(Vec<Item<'static>>),
}

/// Why a template is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// The bytes of the template that it is about.
    pub span: Range<usize>,
}

/// A record has no usable value for a hole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record has no value for `{field}`")]
pub struct Missing {
    /// The hole as it was written.
    pub field: String,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    ///
    /// A hole that is not closed or not a path, or an unknown date specifier.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Self::parse_with(source, push_text)
    }

    /// Parses a template in which `%` is only a percent sign.
    ///
    /// # Errors
    ///
    /// A hole that is not closed or not a path.
    pub fn parse_without_dates(source: &str) -> Result<Self, TemplateError> {
        Self::parse_with(source, |pieces, source, span| {
            if !span.is_empty() {
                pieces.push(Piece::Text(source[span].to_owned()));
            }
            Ok(())
        })
    }

    fn parse_with(
        source: &str,
        push_text: impl Fn(&mut Vec<Piece>, &str, Range<usize>) -> Result<(), TemplateError>,
    ) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(found) = source[at..].find("{{") {
            let open = at + found;
            push_text(&mut pieces, source, at..open)?;
            let Some(length) = source[open..].find("}}") else {
                return Err(error("`{{` is not closed: expected `}}`", open..source.len()));
            };
            pieces.push(parse_field(source, open..open + length + 2)?);
            at = open + length + 2;
        }
        push_text(&mut pieces, source, at..source.len())?;
        Ok(Self { pieces })
    }

    /// Appends the text that the template gives for a record. `time` is in nanoseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// The first hole without a value: absent, `null`, an object or a list. `out` then holds what came before it.
    pub fn render<F: Fields + ?Sized>(&self, fields: &F, time: i64, out: &mut String) -> Result<(), Missing> {
        self.render_each((fields, time), out, |_, _| {})
    }

    /// Like [`render`](Self::render), and shows `visit` each hole (as it was written) with the text that filled it.
    ///
    /// # Errors
    ///
    /// See [`render`](Self::render).
    pub fn render_each<F: Fields + ?Sized>(
        &self,
        (fields, time): (&F, i64),
        out: &mut String,
        mut visit: impl FnMut(&str, &str),
    ) -> Result<(), Missing> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Time(items) => write_time(items, time, out),
                Piece::Field { path, name } => {
                    let start = out.len();
                    write_field(fields, path, out).ok_or_else(|| Missing { field: name.clone() })?;
                    visit(name, &out[start..]);
                }
            }
        }
        Ok(())
    }

    /// The literal texts, in order, those between date specifiers too.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Text(text) => vec![text.as_str()],
            Piece::Time(items) => items.iter().filter_map(literal).collect(),
            Piece::Field { .. } => Vec::new(),
        })
    }

    /// The text that every result begins with; empty if a hole or a date comes first.
    pub fn literal_prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// A text that it gives for some record: with a word in each hole, and some day for dates.
    pub fn example(&self) -> String {
        const SOME_DAY: i64 = 1_700_000_000_000_000_000;
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Time(items) => write_time(items, SOME_DAY, &mut out),
                Piece::Field { .. } => out.push_str("service"),
            }
        }
        out
    }

    /// The holes, as they were written.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the result depends on the record's time.
    pub fn has_time(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Time(_)))
    }

    /// Whether the result is the same for every record: [`literal_prefix`](Self::literal_prefix) is all of it.
    pub fn is_constant(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }
}

fn error(message: impl Into<String>, span: Range<usize>) -> TemplateError {
    TemplateError { message: message.into(), span }
}

fn parse_field(source: &str, hole: Range<usize>) -> Result<Piece, TemplateError> {
    let name = source[hole.start + 2..hole.end - 2].trim();
    if name.is_empty() {
        return Err(error("`{{ }}` is empty: expected a path such as `.service`", hole));
    }
    let path = parse_target_path(name).map_err(|_| error(format!("`{name}` is not a path"), hole.clone()))?;
    if !matches!(path.path.segments.first(), Some(OwnedSegment::Field(_))) {
        return Err(error(format!("`{name}` names no member: expected a path such as `.service`"), hole));
    }
    Ok(Piece::Field { path, name: name.to_owned() })
}

fn push_text(pieces: &mut Vec<Piece>, source: &str, span: Range<usize>) -> Result<(), TemplateError> {
    let mut text = String::new();
    let mut items = Vec::new();
    for item in StrftimeItems::new(&source[span.clone()]) {
        match item {
            Item::Literal(part) | Item::Space(part) if items.is_empty() => text.push_str(part),
            Item::Error => {
                return Err(error(format!("`{}` has an unknown date specifier", &source[span.clone()]), span));
            }
            item => items.push(item.to_owned()),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    if !items.is_empty() {
        pieces.push(Piece::Time(items));
    }
    Ok(())
}

fn write_field<F: Fields + ?Sized>(fields: &F, path: &OwnedTargetPath, out: &mut String) -> Option<()> {
    let (OwnedSegment::Field(name), tail) = path.path.segments.split_first()? else {
        return None;
    };
    match fields.member(path.prefix, name.as_str())? {
        Member::Text(text) => tail.is_empty().then(|| out.push_str(&String::from_utf8_lossy(text))),
        Member::Json(raw) => write_scalar(lookup(&raw, tail)?, out),
    }
}

fn lookup<'a>(raw: &'a [u8], tail: &[OwnedSegment]) -> Option<&'a [u8]> {
    if tail.is_empty() {
        return Some(raw);
    }
    let path: Vec<Segment<'_>> = tail.iter().map(segment).collect();
    seek(raw, &path).map(|range| &raw[range])
}

fn segment(segment: &OwnedSegment) -> Segment<'_> {
    match segment {
        OwnedSegment::Field(name) => Segment::Field(name.as_bytes()),
        OwnedSegment::Index(index) => Segment::Index(*index),
    }
}

fn write_scalar(raw: &[u8], out: &mut String) -> Option<()> {
    match raw.first()? {
        b'"' => out.push_str(&String::from_utf8_lossy(&json::decode(json::unquote(raw)))),
        b'n' | b'{' | b'[' => return None,
        _ => out.push_str(std::str::from_utf8(raw).ok()?),
    }
    Some(())
}

fn write_time(items: &[Item<'_>], time: i64, out: &mut String) {
    let time = DateTime::from_timestamp_nanos(time);
    for item in items {
        // The few that index names are made of do not go through the general formatter.
        match item {
            item if let Some(text) = literal(item) => out.push_str(text),
            Item::Numeric(numeric, Pad::Zero) if let Some((number, width)) = plain_number(numeric, &time) => {
                write_padded(number, width, out);
            }
            item => write_general(item, time, out),
        }
    }
}

fn literal<'a>(item: &'a Item<'_>) -> Option<&'a str> {
    match item {
        Item::Literal(text) | Item::Space(text) => Some(text),
        Item::OwnedLiteral(text) | Item::OwnedSpace(text) => Some(text),
        _ => None,
    }
}

fn write_general(item: &Item<'_>, time: DateTime<Utc>, out: &mut String) {
    let formatted = time.format_with_items(std::iter::once(item));
    write!(out, "{formatted}").expect("every item was checked when the template was parsed");
}

fn plain_number(numeric: &Numeric, time: &DateTime<Utc>) -> Option<(u32, usize)> {
    Some(match numeric {
        Numeric::Year => (u32::try_from(time.year()).ok()?, 4),
        Numeric::Month => (time.month(), 2),
        Numeric::Day => (time.day(), 2),
        Numeric::Hour => (time.hour(), 2),
        Numeric::Minute => (time.minute(), 2),
        Numeric::Second => (time.second(), 2),
        _ => return None,
    })
}

fn write_padded(number: u32, width: usize, out: &mut String) {
    let mut digits = [b'0'; 10];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend(digits[digits.len() - width..].iter().map(|digit| char::from(*digit)));
}
