//! The `file` source: reads lines from files and follows them.
//!
//! **Delivery.** At least once: a file's position moves only over records that all required sinks have resolved, and
//! a record that is read again has the identity it had. **Order.** Kept within a file, and between a file and what was
//! rotated away from its path before it. **Limits.** What a writer writes between a copy and its truncation (`copytruncate`)
//! is lost by design of that method; what is given up is counted by bytes and reason.
//!
//! **How the pieces fit.** [`FileSettings`] become a `Search` (what to look for: `named` by `globs`; other sources bring their
//! own) and `Tailing` (how to follow what is found); both are in the `job` that all threads share. One thread runs `discovery`:
//! it lists what the search finds, and what stands beside it as `rotated` and, if it is compressed, is ready to be read
//! (`packed`), told by the `watch`, and keeps which are `live`; `enlist` finds the entry of each
//! file in the `positions` (kept on the `shelf`) by a `claim` on what is in it, and hands it to a lane. A `lane` is a thread
//! that gives its files turns by its `schedule`. A turn of a `tail` is a `look` (how does the file stand, is it still the same)
//! and a `read` of its `input` (bytes, or what a `gz` unpacks to, to records to the outlet). Receipts come back to the lane as
//! letters, and move the committed position. The `board` shows how each file stands, and what is beyond the bounds; `limits`
//! hold rates. A person who asks how files stand (`inspect`) does so by a letter, too: each thread answers the `survey` between
//! two turns.
//!
//! **A file's life.** Found, with an entry that is durable before its first record is offered; followed; left (no path shows it,
//! or one that it was rotated to), read to its end and closed; known while a path shows it, also compressed; forgotten an hour
//! after. A truncation makes two of one: what is there now under a new key, and what is left of the old, which waits for its
//! receipts and for a copy of what was not read.

mod board;
mod claim;
mod discovery;
mod endings;
mod enlist;
mod entry;
mod fingerprint;
mod globs;
mod gz;
mod input;
mod inspect;
pub(super) mod job;
mod keep;
mod lane;
mod left_out;
mod legacy;
mod limits;
mod links;
mod live;
mod look;
mod mailbox;
mod named;
mod packed;
mod positions;
pub mod probe;
mod read;
mod room;
mod rotated;
mod saver;
mod schedule;
pub(super) mod search;
mod set;
mod settings;
mod shelf;
pub(super) mod source;
mod standing;
mod stream;
mod survey;
mod tail;
#[cfg(test)]
pub(super) mod tests;
mod watch;

pub use limits::{RateLimit, WhenExceeded};
pub use settings::{Drain, FileSettings, ReadFrom};
pub(super) use settings::{glob_minimum_cooldown_ms, max_deleted_open_bytes, max_deleted_open_files, max_read_bytes};
