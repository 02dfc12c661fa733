//! One dead letter, as it stands in a file: what a person reads, and what makes it the same record again.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::component::clock;
use crate::event::{Batch, Origin, Stored, StreamKey, View, fact};

/// The kind of records that are logs.
const LOG: &str = "log";

/// One line of a file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter<'a> {
    /// When it was written (RFC 3339).
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// What refused the record.
    #[serde(borrow)]
    pub component: Cow<'a, str>,
    /// A word for why.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// Why, for people.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    /// The record's identity as destinations see it, without what they add.
    #[serde(borrow)]
    pub identity: Cow<'a, str>,
    /// What kind of record it is.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    encoding: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    record: Facts,
}

/// What makes a record the same one again, beside its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    /// Its stream, in hexadecimal digits.
    stream: String,
    position: u64,
    sub: u32,
    path: u32,
    /// Nanoseconds since the Unix epoch.
    time: i64,
    /// Is that only the time of reading?
    is_observed: bool,
    /// Was it a raw line?
    is_text: bool,
}

impl<'a> Letter<'a> {
    /// The letter of a record that `component` refuses.
    pub(super) fn of(view: View<'_>, (code, reason): (&'a str, &'a str), component: &'a str) -> Self {
        let mut json = Vec::new();
        view.write_json(&mut json);
        let (encoding, payload) = match String::from_utf8(json) {
            Ok(text) => ("json", text),
            Err(raw) => ("base64", STANDARD.encode(raw.as_bytes())),
        };
        let time = chrono::DateTime::from_timestamp_nanos(clock::now()).to_rfc3339();
        Self {
            time: time.into(),
            component: component.into(),
            code: code.into(),
            reason: reason.into(),
            identity: view.identity().id().into(),
            kind: LOG.into(),
            encoding: encoding.into(),
            payload: payload.into(),
            record: Facts::of(view),
        }
    }

    /// Reads a line; none where it is no letter, or of a kind that is not known here.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok().filter(|letter: &Self| letter.kind == LOG)
    }

    /// The records of these letters as they were, with their identities; they answer to nobody yet. A letter that cannot
    /// be a record is left out: the numbers of those that are records come with them.
    pub fn records(letters: &[Self]) -> (Batch, Vec<usize>) {
        let (mut text, mut origins, mut rows, mut numbers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, letter) in letters.iter().enumerate() {
            let Ok(stream) = u128::from_str_radix(&letter.record.stream, 16) else { continue };
            let Some(len) = letter.payload(&mut text) else { continue };
            let is_known = origins.last().is_some_and(|last: &Arc<Origin>| last.stream() == StreamKey(stream));
            if !is_known {
                origins.push(Arc::new(Origin::new(StreamKey(stream))));
            }
            rows.push(letter.record.row(len, origins.len() - 1));
            numbers.push(number);
        }
        (Batch::restore(text.into(), origins, rows.into_iter()), numbers)
    }

    /// Appends the record's bytes; tells how many they are.
    fn payload(&self, text: &mut Vec<u8>) -> Option<u32> {
        let before = text.len();
        match &*self.encoding {
            "json" => text.extend_from_slice(self.payload.as_bytes()),
            _ => STANDARD.decode_vec(&*self.payload, text).ok()?,
        }
        u32::try_from(text.len() - before).ok()
    }
}

impl Facts {
    fn of(view: View<'_>) -> Self {
        let (identity, (time, is_observed)) = (view.identity(), view.time());
        Self {
            stream: format!("{:032x}", identity.stream.0),
            position: identity.position,
            sub: identity.sub,
            path: identity.path,
            time,
            is_observed,
            is_text: view.is_text(),
        }
    }

    fn row(&self, len: u32, origin: usize) -> Stored {
        let Self { position, sub, path, time, is_observed, is_text, .. } = *self;
        let facts = [(true, fact::JSON), (is_observed, fact::OBSERVED), (is_text, fact::WAS_TEXT)];
        let facts = facts.iter().filter(|(is_so, _)| *is_so).fold(0, |all, (_, fact)| all | fact);
        Stored { time, position, sub, path, len, origin: origin as u16, facts }
    }
}
