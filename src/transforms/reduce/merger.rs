//! What becomes of the values of one member. They stay the JSON text they came as.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::Write;

use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::json;

/// How values are merged. Names and meanings are Vector's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Strategy {
    /// A list of all values.
    Array,
    /// Strings joined by a space; lists one behind the other, a value that is none as an element.
    Concat,
    /// Strings joined by a line feed.
    ConcatNewline,
    /// Strings joined by nothing.
    ConcatRaw,
    /// The first value.
    Discard,
    /// A list of all different values; of lists and objects, of what is directly inside.
    FlatUnique,
    /// The list with the most elements.
    LongestArray,
    /// The largest number.
    Max,
    /// The smallest number.
    Min,
    /// The last value that is not `null`.
    Retain,
    /// The list with the fewest elements.
    ShortestArray,
    /// The sum of numbers.
    Sum,
}

/// What decides how a member is merged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    Strategy(Strategy),
    /// By the form of the first value; a time may be told by it.
    Default {
        is_time: bool,
    },
}

type Raw = Vec<u8>;

/// Values on their way to be one.
#[derive(Debug)]
pub(super) enum Merger {
    First(Raw),
    Last(Raw),
    Times {
        first: Raw,
        last: Raw,
    },
    Sum(Number),
    Most {
        value: Raw,
        number: Number,
        keeps: Ordering,
    },
    /// Contents of strings, without quotes.
    Text {
        content: Raw,
        separator: &'static [u8],
    },
    /// Elements of a list with commas between; a list that comes adds its elements where it `joins`.
    List {
        elements: Raw,
        joins: bool,
    },
    OneList {
        value: Raw,
        length: usize,
        keeps: Ordering,
    },
    Unique {
        seen: HashSet<Raw>,
        elements: Raw,
    },
}

impl Merger {
    /// Begins with a value; None if the strategy has no use for its form.
    pub(super) fn new(how: Use, value: &[u8]) -> Option<Self> {
        let strategy = match how {
            Use::Strategy(strategy) => strategy,
            Use::Default { is_time: true } if is_time(value) => {
                return Some(Self::Times { first: value.to_vec(), last: value.to_vec() });
            }
            Use::Default { .. } => Number::read(value).map_or(Strategy::Discard, |_| Strategy::Sum),
        };
        let most = |keeps| Some(Self::Most { value: value.to_vec(), number: Number::read(value)?, keeps });
        let text = |separator| Some(Self::Text { content: string(value)?.to_vec(), separator });
        let list = |keeps| Some(Self::OneList { value: value.to_vec(), length: length(value)?, keeps });
        let fresh = match strategy {
            Strategy::Discard => Some(Self::First(value.to_vec())),
            Strategy::Retain => Some(Self::Last(value.to_vec())),
            Strategy::Sum => Number::read(value).map(Self::Sum),
            Strategy::Max => most(Ordering::Greater),
            Strategy::Min => most(Ordering::Less),
            Strategy::Concat if length(value).is_some() => Some(Self::List { elements: Vec::new(), joins: true }),
            Strategy::Concat => text(b" "),
            Strategy::ConcatNewline => text(b"\\n"),
            Strategy::ConcatRaw => text(b""),
            Strategy::Array => Some(Self::List { elements: Vec::new(), joins: false }),
            Strategy::LongestArray => list(Ordering::Greater),
            Strategy::ShortestArray => list(Ordering::Less),
            Strategy::FlatUnique => Some(Self::Unique { seen: HashSet::new(), elements: Vec::new() }),
        };
        let mut merger = fresh?;
        if matches!(merger, Self::List { .. } | Self::Unique { .. }) {
            merger.add(value);
        }
        Some(merger)
    }

    /// Adds a value; false if it is of no use.
    pub(super) fn add(&mut self, value: &[u8]) -> bool {
        match self {
            Self::First(_) => true,
            Self::Last(last) => {
                if value != b"null" {
                    value.clone_into(last);
                }
                true
            }
            Self::Times { last, .. } => {
                is_time(value) && {
                    value.clone_into(last);
                    true
                }
            }
            Self::Sum(sum) => Number::read(value).is_some_and(|number| {
                *sum = sum.plus(number);
                true
            }),
            Self::Most { value: kept, number, keeps } => Number::read(value).is_some_and(|new| {
                if new.compare(*number) == *keeps {
                    (*number, *kept) = (new, value.to_vec());
                }
                true
            }),
            Self::Text { content, separator } => string(value).is_some_and(|more| {
                content.extend_from_slice(separator);
                content.extend_from_slice(more);
                true
            }),
            Self::List { elements, joins } => {
                match value {
                    [b'[', ..] if *joins => json::elements(value, 0).for_each(|at| push(elements, &value[at])),
                    _ => push(elements, value),
                }
                true
            }
            Self::OneList { value: kept, length, keeps } => self::length(value).is_some_and(|new| {
                if new.cmp(length) == *keeps {
                    (*length, *kept) = (new, value.to_vec());
                }
                true
            }),
            Self::Unique { seen, elements } => {
                flat(value, |element| {
                    if !seen.contains(element) {
                        seen.insert(element.to_vec());
                        push(elements, element);
                    }
                });
                true
            }
        }
    }

    /// Bytes it holds, about.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::First(raw) | Self::Last(raw) => raw.len(),
            Self::Times { first, last } => first.len() + last.len(),
            Self::Sum(_) => 0,
            Self::Most { value, .. } | Self::OneList { value, .. } => value.len(),
            Self::Text { content, .. } => content.len(),
            Self::List { elements, .. } => elements.len(),
            Self::Unique { seen, elements } => 2 * elements.len() + seen.len() * 2 * size_of::<Raw>(),
        }
    }

    /// Appends the value as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::First(raw) | Self::Last(raw) | Self::Times { first: raw, .. } => out.extend_from_slice(raw),
            Self::Most { value, .. } | Self::OneList { value, .. } => out.extend_from_slice(value),
            Self::Sum(number) => number.write(out),
            Self::Text { content, .. } => between(b'"', content, b'"', out),
            Self::List { elements, .. } | Self::Unique { elements, .. } => between(b'[', elements, b']', out),
        }
    }

    /// The last time, where times are merged.
    pub(super) fn end(&self) -> Option<&[u8]> {
        match self {
            Self::Times { last, .. } => Some(last),
            _ => None,
        }
    }
}

fn between(open: u8, content: &[u8], close: u8, out: &mut Vec<u8>) {
    out.push(open);
    out.extend_from_slice(content);
    out.push(close);
}

fn push(elements: &mut Raw, element: &[u8]) {
    if !elements.is_empty() {
        elements.push(b',');
    }
    elements.extend_from_slice(element);
}

/// What stands between the quotes of a string.
fn string(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// How many elements a list has.
fn length(value: &[u8]) -> Option<usize> {
    (value.first() == Some(&b'[')).then(|| json::elements(value, 0).count())
}

fn flat(value: &[u8], mut visit: impl FnMut(&[u8])) {
    match value {
        [b'[', ..] => json::elements(value, 0).for_each(|at| visit(&value[at])),
        [b'{', ..] => json::members(value, 0).for_each(|entry| visit(&value[entry.value])),
        _ => visit(value),
    }
}

fn is_time(value: &[u8]) -> bool {
    let text = string(value).and_then(|text| std::str::from_utf8(text).ok());
    text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok())
}

/// A number: whole as long as it can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    fn read(value: &[u8]) -> Option<Self> {
        if !matches!(value.first(), Some(b'-' | b'0'..=b'9')) {
            return None;
        }
        let text = std::str::from_utf8(value).ok()?;
        text.parse().map(Self::Whole).or_else(|_| text.parse().map(Self::Float)).ok()
    }

    fn float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }

    fn plus(self, other: Self) -> Self {
        if let (Self::Whole(one), Self::Whole(two)) = (self, other)
            && let Some(sum) = one.checked_add(two)
        {
            return Self::Whole(sum);
        }
        Self::Float(self.float() + other.float())
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one.cmp(&two),
            _ => self.float().total_cmp(&other.float()),
        }
    }

    /// A sum beyond all floats is `null`: JSON has no word for it.
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(whole) => write!(out, "{whole}").expect("a vector takes every write"),
            Self::Float(float) => serde_json::to_writer(out, &float).expect("a number has a JSON form"),
        }
    }
}
