//! What moves through Levada: batches of records that stay the bytes they came as.
//!
//! Reading order: [`Record`] (a row), [`Batch`] (rows and the tables behind them), [`View`] (reading), [`Editor`]
//! (the overlay), `write` (splicing it all out), [`Origin`] (what records share), [`Receipt`] (what the source
//! learns), [`Budget`] (what it all may weigh). Nothing here does I/O, reads a clock or is async.

mod alone;
mod batch;
mod block;
mod compact;
mod edit;
mod identity;
pub mod json;
mod origin;
pub mod otlp;
mod parts;
mod path;
mod receipt;
mod record;
mod store;
mod tables;
#[cfg(test)]
pub(crate) mod test_kit;
#[cfg(test)]
mod tests;
mod time;
mod tracker;
mod union;
mod view;
mod watch;
mod write;

pub use batch::{Batch, Filler, Row, Seen, Shares, hash32, mix};
pub use block::{Budget, Permit};
pub use edit::{Editor, SharedParts};
pub use identity::Identity;
pub use origin::{Origin, Shared, StreamKey};
pub use parts::Parts;
pub use path::{BadPath, Path};
pub use receipt::{Outcome, Receipt, Resolution, Resolve};
pub use record::{Form, Record};
pub(crate) use store::{Stock, Stored, StoredMessage, fact};
pub(crate) use time::parse_json as parse_time;
pub use tracker::Tracker;
pub use union::{Owed, Union};
pub use view::View;
