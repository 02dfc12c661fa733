//! The contract of sinks: how to encode records into a request, how to send one, and what the answer means.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::event::View;

/// A destination. It encodes and sends; batching, retries, splitting, holding and dead letters are `delivery`'s.
pub trait Sink: Send + Sync + 'static {
    /// A new encoder. Encoding is a pure function of the records: a retry must be the same request.
    fn encoder(&self) -> Box<dyn Encoder>;

    /// Sends one request, once.
    fn send(&self, request: Payload) -> Sending<'_>;

    /// By what the destination knows again what it has.
    fn identity(&self) -> KnownBy {
        KnownBy::Nothing
    }

    /// Must the requests of a partition arrive in order?
    fn is_ordered(&self) -> bool {
        false
    }

    /// Asks the destination whether it is there and takes our credentials; sends no record. None where there is
    /// nothing to ask.
    fn probe(&self) -> Option<Probing<'_>> {
        None
    }
}

/// By what a destination knows again what it has. It decides what delivery may do with requests whose outcome it does
/// not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KnownBy {
    /// Each record: requests may be cut anew at will.
    Record,
    /// The request: the same records must come in the same request, so one that was sent is never cut anew. It is
    /// split only on [`Answer::Split`], which then must prove that nothing of it was stored.
    Request {
        /// A hash of the settings that make rows of records, and of the sink's name: it parts the requests of this sink,
        /// with these settings, from those of others that send the same records.
        fingerprint: u32,
    },
    /// Nothing: what is sent again is stored again.
    #[default]
    Nothing,
}

/// A question to a destination on its way: what it said, or why it cannot be used.
pub type Probing<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// A request on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Turns records into the body of a request.
pub trait Encoder: Send {
    /// Where the next record goes, for destinations that take one place in a request: records of two places are
    /// never in one body. Asked before each [`encode`](Self::encode). An encoder that names places has several bodies
    /// open at once, and keeps nothing of one of them.
    fn place(&mut self, _record: View<'_>) -> Result<Option<Place>, Refusal> {
        Ok(None)
    }

    /// Begins a body.
    fn begin(&mut self, _body: &mut Vec<u8>) {}

    /// Appends one record. Records of one partition are held together when the destination refuses that
    /// partition alone (an index, a table, a path).
    fn encode(&mut self, record: View<'_>, body: &mut Vec<u8>) -> Result<Partition, Refusal>;

    /// What is known of places may be looked at again. Until it is called, one place stays one place.
    fn look_again(&mut self) {}

    /// Ends a body.
    fn end(&mut self, _body: &mut Vec<u8>) {}
}

/// The number an encoder gave a partition; the same for the same name as long as the encoder lives.
pub type Partition = u32;

/// Where the records of one request go: a table, with what the encoder knew of it. Two are the same if one is a clone
/// of the other.
#[derive(Clone, Debug)]
pub struct Place(Arc<dyn Any + Send + Sync>);

impl Place {
    /// A place that only its sink can read.
    pub fn new(of: impl Any + Send + Sync) -> Self {
        Self(Arc::new(of))
    }

    /// What it was made of.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }

    /// Is it this one?
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Why a record cannot be encoded for this destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// A fixed word for the dead letter's `code`.
    pub code: &'static str,
    /// What a person reads.
    pub why: String,
}

/// What `send` gets.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The body, compressed as configured.
    pub body: Bytes,
    /// How many records it carries.
    pub records: usize,
    /// Where they go, if the encoder says so.
    pub place: Option<Place>,
    /// The request's identity, a pure function of those of its records whatever their order; zero unless the
    /// destination [knows requests](KnownBy::Request).
    pub identity: u128,
    /// The [fingerprint](KnownBy::Request) of the first attempt that was made to send these records.
    pub fingerprint: u32,
}

/// What a destination said of a request: a class, not a status code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it is stored.
    Delivered,
    /// An earlier attempt of ours won.
    AlreadyThere,
    /// Stored but for some records, which are refused for good; which ones is not told.
    DeliveredInPart {
        /// How many are refused.
        refused: usize,
        /// The destination's reason.
        why: String,
    },
    /// Not now, or the outcome is unknown: send the same again.
    Retry {
        /// What went wrong, without any record content.
        why: String,
        /// When the destination wants to be asked again.
        after: Option<Duration>,
    },
    /// Nothing will pass until a person acts (credentials, quota): keep the data, probe from time to time.
    Hold {
        /// What to do about it.
        why: String,
    },
    /// Too large, or spoilt by some record, and nothing of it stored: send it in halves.
    Split,
    /// Nothing was sent: what the encoder knew has changed. Encode the same records anew.
    Anew,
    /// An answer per record: those not named here are stored.
    Partial(Vec<(usize, Verdict)>),
    /// Refused for good.
    Rejected {
        /// A fixed word or the status code.
        code: String,
        /// The destination's reason.
        why: String,
    },
}

/// What a destination said of one record of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An earlier attempt of ours won: it is stored.
    AlreadyThere,
    /// Send it again.
    Retry {
        /// What went wrong.
        why: String,
    },
    /// Its partition is refused until a person acts.
    Hold {
        /// What to do about it.
        why: String,
    },
    /// Refused for good.
    Rejected {
        /// The destination's error type.
        code: String,
        /// The destination's reason.
        why: String,
    },
}
