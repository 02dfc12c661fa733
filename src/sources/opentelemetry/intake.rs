//! Requests of either door, from who sends them to their records.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode};

use super::super::door::{Answer, Answers, Desk, Draft, Encoding, Fault, HttpAuth, Keeper, Manner};
use super::answer::Refusal;
use super::http;
use crate::codecs::otlp::{Form, Refused, Signal, Unread, read_json, split};
use crate::component::outlet::Outlet;
use crate::component::row::Context;
use crate::event::{Batch, Origin, StreamKey};

/// Takes OTLP requests.
pub(super) struct Intake {
    desk: Desk,
    keeper: Option<Keeper>,
}

impl Answers for Intake {
    const PROTOCOL: &'static str = "OTLP";

    fn desk(&self) -> &Desk {
        &self.desk
    }

    async fn answer(&self, request: Request<Incoming>, _: SocketAddr) -> Response<Answer> {
        http::answer(request, self).await
    }
}

/// How the message stands in a body.
#[derive(Clone, Copy)]
pub(super) enum Frame {
    /// It is the body.
    None,
    /// As gRPC has it.
    Grpc,
}

impl Intake {
    pub(super) fn new((context, outlet): (Context, Arc<dyn Outlet>), manner: Manner, auth: Option<&HttpAuth>) -> Self {
        let origin = || Origin::new(StreamKey::random());
        let desk = Desk::new((context, outlet), manner, (Signal::ALL.len(), origin));
        Self { desk, keeper: auth.map(Keeper::new) }
    }

    /// Refuses a sender that does not show the right credentials.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.keeper {
            Some(keeper) if !keeper.admits(headers) => {
                self.desk.error("unauthorized");
                Err(Refusal::unknown_sender(keeper.scheme()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a request for what its headers say; `kind` is what is counted.
    pub(super) fn refuse<T>(&self, kind: &'static str, refusal: Refusal) -> Result<T, Refusal> {
        self.desk.error(kind);
        Err(refusal)
    }

    /// Reads a body and takes the records in it; returns when its sender may forget them, with those that were not taken.
    pub(super) async fn take<B: Body<Data = Bytes> + Unpin>(
        &self,
        (signal, form): (Signal, Form),
        (encoding, frame, body): (Encoding, Frame, B),
    ) -> Result<Refused, Refusal> {
        let (reader, limit) = (self.desk.reader(encoding)?, self.desk.max_bytes());
        let read = match frame {
            Frame::None => reader.read(body).await,
            Frame::Grpc => reader.read_message(body).await,
        };
        let block = read.map_err(|fault| self.unread(&fault))?;
        let make = move |draft| batch((signal, form), draft, limit);
        let taken = self.desk.take((signal as usize, block), make).await;
        let refused = taken.inspect_err(|refusal| match refusal.http {
            StatusCode::PAYLOAD_TOO_LARGE => self.desk.error("too_large"),
            StatusCode::BAD_REQUEST => self.desk.error("malformed"),
            _ => {}
        })?;
        self.desk.errors("invalid_record", refused.records);
        Ok(refused)
    }

    fn unread(&self, fault: &Fault) -> Refusal {
        self.desk.count(fault);
        Refusal::of(fault, self.desk.max_bytes())
    }
}

/// The records of a request, and those that were left out.
fn batch((signal, form): (Signal, Form), draft: Draft, limit: usize) -> Result<(Batch, Refused), Refusal> {
    let (block, told) = match form {
        Form::Protobuf => (draft.body, None),
        Form::Json => {
            // What JSON becomes is smaller than the text but for lists of short numbers; both are there for a moment.
            let read = read_json(signal, &draft.body, limit).map_err(|why| match why {
                Unread::TooLarge => Refusal::too_large(limit),
                Unread::Malformed(error) => Refusal::malformed(&error.to_string()),
            })?;
            (draft.budget.charge(read.message.len()).keep(read.message), read.bad)
        }
    };
    let mut batch = Batch::new(block.clone(), draft.origin, draft.receipt);
    match split(signal, &block, &mut batch, draft.seen) {
        Ok(refused) => Ok((batch, Refused { told, ..refused })),
        Err(why) => {
            batch.close();
            Err(Refusal::malformed(&why.to_string()))
        }
    }
}
