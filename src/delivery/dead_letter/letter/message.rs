//! What a letter keeps of an OTLP record besides what it reads as: its messages, each in base64, so that it is sent again as
//! what it was. What a step had hidden of it is not among them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::event::otlp::{Keeper, Places, Range};
use crate::event::{Batch, Form, Origin, Shared, Stock, Stored, StoredMessage, StreamKey, View, fact};

/// An OTLP record as messages. Those that are not there are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Otlp {
    /// What it is: `span`, `log_record`, `point`.
    form: String,
    /// Its own message.
    message: String,
    /// What it shares, in the order of [`Places`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    resource: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    resource_schema_url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    scope_schema_url: String,
    /// Of a point: its metric without points.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    metric: String,
    /// What steps added, as it is stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    edits: String,
    /// What its origin brings: keys, and values as JSON text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origin: Vec<(String, String)>,
    /// Does it hide what its origin brings?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hides_origin: bool,
}

/// A message that was read: it stands alone in `text`, what it shares behind it.
pub(super) struct Read {
    pub(super) text: Vec<u8>,
    pub(super) row: Stored,
    /// Where what it shares stands in what is behind it.
    pub(super) places: Places,
    /// What its origin brings.
    pub(super) shared: Vec<Shared>,
}

impl Otlp {
    pub(super) fn of(view: View<'_>) -> Self {
        let (mut text, mut keeper) = (Vec::new(), Keeper::default());
        let row = view.store(&mut keeper, &mut text);
        let (len, size) = (row.len as usize, row.size() as usize);
        let places = keeper.append(0, &mut text).into_iter().next().unwrap_or_default();
        let [resource, resource_schema_url, scope, scope_schema_url, metric] =
            places.map(|place| STANDARD.encode(place.of(&text)));
        let value = |member: &Shared| (member.key.to_string(), String::from_utf8_lossy(&member.value).into_owned());
        Self {
            form: view.form().name().to_owned(),
            message: STANDARD.encode(&text[..len]),
            resource,
            resource_schema_url,
            scope,
            scope_schema_url,
            metric,
            edits: STANDARD.encode(&text[len..size]),
            origin: view.shown_shared().map(value).collect(),
            hides_origin: row.facts & fact::ORIGIN_HIDDEN != 0,
        }
    }

    /// The message, if it is one.
    pub(super) fn read(&self, facts: &Facts) -> Option<Read> {
        let form = Form::otlp_named(&self.form)?;
        let mut text = STANDARD.decode(&self.message).ok()?;
        let len = text.len();
        STANDARD.decode_vec(&self.edits, &mut text).ok()?;
        let size = text.len();
        let parts = [&self.resource, &self.resource_schema_url, &self.scope, &self.scope_schema_url, &self.metric];
        let mut places = Places::default();
        for (part, place) in parts.into_iter().zip(&mut places) {
            let start = text.len();
            STANDARD.decode_vec(part, &mut text).ok()?;
            *place = Range::from(start - size..text.len() - size);
        }
        let message = Some(StoredMessage { form, head: 0, edits: (size - len) as u32 });
        let row = facts.row(len as u32, false);
        let hidden = if self.hides_origin { fact::ORIGIN_HIDDEN } else { 0 };
        let row = Stored { message, facts: row.facts | hidden, ..row };
        let member =
            |(key, value): &(String, String)| Shared { key: key.as_str().into(), value: value.as_bytes().into() };
        let shared: Vec<Shared> = self.origin.iter().map(member).collect();
        let stock = Stock {
            text: text.clone().into(),
            origins: vec![Arc::new(Origin::new(StreamKey(0)))],
            heads: vec![places.map(|place| place.moved(size as u32))],
        };
        let is_json = shared.iter().all(|member| crate::event::json::check(&member.value).is_ok());
        let is_it = is_json && Batch::restore(stock, [row].into_iter()).is_some();
        is_it.then_some(Read { text, row, places, shared })
    }
}
