//! The disk log in front of a sink: what was stored survives the process and the machine.
//!
//! - A source is told "delivered" when its records are fsynced here (and the folder, when a file appeared), or when the
//!   sink has them; not before.
//! - What the sink takes at once is not written (see `ahead`).
//! - Frames go to the sink in order. What was just stored goes from memory; what has no room there is read back when its
//!   turn comes. So memory does not depend on the backlog, and in the steady state nothing is read or parsed again.
//! - The sink's receipts settle frames; segments whose frames are all settled are removed.
//! - A record at or below the last stored position of its stream and way is a re-read, and left out.
//! - A sync that failed is never asked again: what was not durable is written anew, into a new file.
//!
//! In reading order: `storage` (the file system), `bytes`, `payload` and `frame` (the format), `segment`, `positions` and
//! `ledger` (what stands around frames), `scan`, `acks` and `windows`, then `parcel`, `passing` and `ahead`, and `log` with
//! `recover`, `write`, `unwritten` and `read`; last `mail` (what waits), `growth`, `worker` (the thread), `buffer` (its face), and
//! `inspect` and `repair` (for verbs).

mod acks;
mod ahead;
mod buffer;
mod bytes;
mod frame;
mod growth;
pub mod inspect;
mod ledger;
mod log;
mod mail;
mod parcel;
mod passing;
mod payload;
mod positions;
#[cfg(any(test, fuzzing))]
mod probe;
mod read;
mod recover;
pub mod repair;
mod scan;
mod segment;
mod storage;
#[cfg(test)]
mod tests;
mod unwritten;
mod windows;
mod worker;
mod write;

pub use buffer::{DiskBuffer, Entrance, Frames, Ingredients};
pub use log::Options as DiskOptions;
#[cfg(fuzzing)]
pub use probe::probe;
pub use windows::{Mark, Window};
