//! The `file` source: reads lines from files and follows them.
//!
//! ```toml
//! [sources.app]
//! type = "file"
//! include = ["/var/log/app/*.log"]
//! decoding.codec = "json"
//! ```
//!
//! **Delivery.** At least once: a file's position moves only over records that all required sinks have resolved, and
//! a record that is read again has the identity it had. **Order.** Kept within a file. **Limits.** A line longer than
//! `max_line_bytes` is cut and marked; what a writer writes between a copy and its truncation (`copytruncate`) is lost
//! by design of that method.
//!
//! **How the pieces fit.** [`FileSettings`] become a `Search` (what to look for: `named` by `globs`; other sources bring their
//! own) and `Tailing` (how to follow what is found); both are in the `job` that all threads share. One thread runs `discovery`:
//! it lists what the search finds, told by the `watch`, finds the entry of each file in the `positions` (kept on the
//! `shelf`), and hands it to a lane. A `lane` is a thread that gives its files turns. A turn of a `tail` is a `look` (how does the
//! file stand, is it still the same) and a `read` (bytes to records to the outlet). Receipts come back to the lane as letters, and
//! move the committed position.

mod board;
mod claim;
mod discovery;
mod enlist;
mod fingerprint;
mod globs;
mod gz;
mod input;
pub(super) mod job;
mod lane;
mod legacy;
mod limits;
mod links;
mod look;
mod mailbox;
mod named;
mod positions;
mod read;
mod rotated;
mod schedule;
pub(super) mod search;
mod settings;
mod shelf;
pub(super) mod source;
mod stream;
mod tail;
#[cfg(test)]
pub(super) mod tests;
mod watch;

pub use limits::{RateLimit, WhenExceeded};
pub use settings::{Drain, FileSettings, ReadFrom};
