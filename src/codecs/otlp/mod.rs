//! OTLP requests to records: one walk over the bytes, which checks them in full and notes where each record stands.
//!
//! A record that is at fault (wrong wire types, an id of the wrong length, values nested too deep) is left out alone;
//! only where what holds the records cannot be read is the request refused.

mod answer;
mod json;
mod number;
pub mod probe;
mod said;
mod split;
#[cfg(test)]
mod tests;

pub use answer::{Code, Form, partial_success, status};
pub use json::{Unread, base64 as unbase64, read_json};
pub use said::{Partial, Said, read_partial_success, read_status};
pub use split::{Refused, split};

/// What an OTLP request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metrics: a record is one data point.
    Metrics,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// Its name, as in the paths of OTLP/HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}
