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
//! Reading order: [`FileSettings`]; `source` (its threads); `discovery`, `globs`, `watch` (which files there are); `lane` (who reads
//! when); `tail` (one file) and `read` (its turn); `positions`, `shelf` (what survives a restart).

mod discovery;
mod fingerprint;
mod globs;
mod job;
mod lane;
mod mailbox;
mod positions;
mod read;
mod settings;
mod shelf;
mod source;
mod tail;
#[cfg(test)]
mod tests;
mod watch;

pub use settings::{FileSettings, ReadFrom};
