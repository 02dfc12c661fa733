//! One dead letter, as it stands in a file: what a person reads, and what makes it the same record again.

mod message;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::component::clock;
use crate::event::otlp::Places;
use crate::event::{Batch, Form, Origin, Shared, Stock, Stored, StreamKey, View, fact};

use message::Otlp;

/// Kinds of records.
const KINDS: [&str; 3] = ["log", "span", "metric"];

/// Encodings of a payload: the record as it is, where that is UTF-8, or in base64.
const JSON: &str = "json";
const BASE64: &str = "base64";

/// What kind of record it is.
const fn kind(form: Form) -> &'static str {
    match form {
        Form::Text | Form::Json | Form::LogRecord => KINDS[0],
        Form::Span => KINDS[1],
        Form::Point => KINDS[2],
    }
}

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
    /// Of an OTLP record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    otlp: Option<Otlp>,
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
            Ok(text) => (JSON, text),
            Err(raw) => (BASE64, STANDARD.encode(raw.as_bytes())),
        };
        let time = chrono::DateTime::from_timestamp_nanos(clock::now()).to_rfc3339();
        Self {
            time: time.into(),
            component: component.into(),
            code: code.into(),
            reason: reason.into(),
            identity: view.identity().id().into(),
            kind: kind(view.form()).into(),
            encoding: encoding.into(),
            payload: payload.into(),
            record: Facts::of(view),
            otlp: view.form().is_otlp().then(|| Otlp::of(view)),
        }
    }

    /// Reads a line; none where it is no letter, or of a kind that is not known here.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok().filter(|letter: &Self| KINDS.contains(&&*letter.kind))
    }

    /// The records of these letters as they were, with their identities; they answer to nobody yet. A letter that cannot
    /// be a record is left out: the numbers of those that are records come with them.
    pub fn records(letters: &[Self]) -> (Batch, Vec<usize>) {
        let mut records = Records::default();
        let numbers = letters.iter().enumerate().filter_map(|(number, letter)| records.add(letter).map(|()| number));
        let numbers = numbers.collect();
        records.batch().map(|batch| (batch, numbers)).unwrap_or_default()
    }

    /// The record's bytes, if they are in an encoding that is known here.
    fn payload(&self) -> Option<Cow<'_, [u8]>> {
        match &*self.encoding {
            JSON => Some(self.payload.as_bytes().into()),
            BASE64 => STANDARD.decode(&*self.payload).ok().map(Cow::from),
            _ => None,
        }
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

    fn row(&self, len: u32, is_json: bool) -> Stored {
        let Self { position, sub, path, time, is_observed, is_text, .. } = *self;
        let facts = [(is_json, fact::JSON), (is_observed, fact::OBSERVED), (is_text, fact::WAS_TEXT)];
        let facts = facts.iter().filter(|(is_so, _)| *is_so).fold(0, |all, (_, fact)| all | fact);
        Stored { time, position, sub, path, len, origin: 0, facts, message: None }
    }
}

/// Letters becoming records.
#[derive(Default)]
struct Records {
    text: Vec<u8>,
    rows: Vec<Stored>,
    origins: Vec<Arc<Origin>>,
    /// What messages share, and where it stands in there.
    shared: Vec<u8>,
    heads: Vec<Places>,
}

impl Records {
    /// Adds a letter, as the message that it was if it was one.
    fn add(&mut self, letter: &Letter<'_>) -> Option<()> {
        let stream = StreamKey(u128::from_str_radix(&letter.record.stream, 16).ok()?);
        if let Some(read) = letter.otlp.as_ref().and_then(|message| message.read(&letter.record)) {
            let message::Read { text, mut row, places, shared } = read;
            let origin = self.origin(stream, &shared).filter(|_| self.has_room(text.len()))?;
            let head = self.heads.len() as u32;
            row.message = row.message.map(|message| crate::event::StoredMessage { head, ..message });
            let base = self.shared.len() as u32;
            self.shared.extend_from_slice(&text[row.size() as usize..]);
            self.text.extend_from_slice(&text[..row.size() as usize]);
            self.heads.push(places.map(|place| place.moved(base)));
            self.rows.push(Stored { origin, ..row });
            return Some(());
        }
        let payload = letter.payload().filter(|payload| self.has_room(payload.len()))?;
        let origin = self.origin(stream, &[])?;
        self.text.extend_from_slice(&payload);
        self.rows.push(Stored { origin, ..letter.record.row(payload.len() as u32, true) });
        Some(())
    }

    /// Offsets in a batch are of 32 bits.
    fn has_room(&self, bytes: usize) -> bool {
        u32::try_from(self.text.len() + self.shared.len() + bytes).is_ok()
    }

    /// The number of an origin: letters of one follow each other. None if there are more than a batch has numbers for.
    fn origin(&mut self, stream: StreamKey, shared: &[Shared]) -> Option<u16> {
        let is_it = |last: &Arc<Origin>| last.stream() == stream && last.members() == shared;
        if !self.origins.last().is_some_and(is_it) {
            u16::try_from(self.origins.len()).ok()?;
            self.origins.push(Arc::new(Origin::new(stream).with(shared)));
        }
        u16::try_from(self.origins.len() - 1).ok()
    }

    fn batch(mut self) -> Option<Batch> {
        let base = self.text.len() as u32;
        self.text.append(&mut self.shared);
        let heads = self.heads.into_iter().map(|places| places.map(|place| place.moved(base))).collect();
        let stock = Stock { text: self.text.into(), origins: self.origins, heads };
        Batch::restore(stock, self.rows.into_iter())
    }
}
