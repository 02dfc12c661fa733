//! Records as they stand in requests.

use std::sync::Arc;

use crate::codecs::otlp::Signal;
use crate::component::sink::{Encoder, Partition, Place, Refusal};
use crate::event::otlp::Writer;
use crate::event::{Form, View};

use super::members::Members;
use super::request;

/// Writes requests of one signal and for one server each.
pub(super) struct RequestEncoder {
    members: Arc<Members>,
    /// Which servers may be chosen.
    up: Vec<bool>,
    writer: Writer,
    head: Vec<u8>,
    scratch: Vec<u8>,
}

impl RequestEncoder {
    pub(super) fn new(members: Arc<Members>) -> Self {
        let up = members.up();
        Self { members, up, writer: Writer::default(), head: Vec::new(), scratch: Vec::new() }
    }
}

/// What a record is sent as.
fn signal(record: View<'_>) -> Signal {
    match record.form() {
        Form::Span => Signal::Traces,
        Form::Point => Signal::Metrics,
        Form::LogRecord | Form::Json | Form::Text => Signal::Logs,
    }
}

impl Encoder for RequestEncoder {
    fn place(&mut self, record: View<'_>) -> Result<Option<Place>, Refusal> {
        let signal = signal(record);
        let Some(place) = self.members.place(record, signal, &self.up) else {
            let why = format!("the sink has no endpoint for {}", signal.name());
            return Err(Refusal { code: "no_endpoint", why });
        };
        Ok(Some(place.clone()))
    }

    fn begin(&mut self, body: &mut Vec<u8>) {
        request::begin(body);
    }

    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal> {
        let shown = self.writer.read(record);
        let shown = shown.map_err(|wrong| Refusal { code: "invalid_value", why: wrong.to_string() })?;
        request::push(&shown, &mut self.head, body);
        Ok(0)
    }

    fn look_again(&mut self) {
        self.up = self.members.up();
    }

    fn end(&mut self, body: &mut Vec<u8>) {
        self.writer.forget();
        request::end(body, &mut self.scratch);
    }
}
