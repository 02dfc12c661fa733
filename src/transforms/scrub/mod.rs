//! `scrub`: personal data and secrets leave no record.
//!
//! Detectors see decoded text: a string with a backslash is decoded with a map of its offsets, others are scanned
//! in place; a match never begins or ends inside an escape. Looked at is every string, every key and every long
//! number at any depth, and JSON inside of strings. Named members lose their whole value. What cannot be looked at
//! does not exist: every value is JSON that was checked when it came in, or a raw line.
//!
//! Records pass through or are changed in place; none is dropped. Nothing is held: a stop, a reload or a crash finds
//! no record here. What a detector fails on is masked whole and counted. `docs/scrub.md` tells of each detector.
//!
//! In reading order: [`Kind`] and [`Profile`] (what is looked for), a file for each detector, [`Scanner`] (all of them
//! over one text), `cover` (a value), [`Scrubber`] (batches and lines).

mod action;
mod assign;
mod basic;
pub mod bearer;
pub mod card;
mod cloud;
mod cover;
pub mod detector;
pub mod email;
pub mod escape;
mod explain;
mod fold;
mod gate;
mod hmac;
mod iban;
mod ids;
mod jwt;
pub mod keys;
mod keyword;
pub mod mask;
mod network;
mod numbers;
pub mod pattern;
mod pem;
mod phone;
mod places;
#[cfg(any(test, fuzzing))]
pub mod probe;
pub mod profile;
pub mod scanner;
mod scrubber;
mod settings;
mod span;
mod tally;
#[cfg(test)]
mod tests;
mod url;
mod values;
mod word;

pub use detector::{Detector, Kind};
pub use explain::Finding;
pub use hmac::KeySettings;
pub use keys::{KeyNames, NameFault, Telling};
pub use keyword::Near;
pub use mask::{Replacement, Shape};
pub use pattern::{Pattern, PatternFault};
pub use profile::Profile;
pub use scanner::{Found, Match, Scanner};
pub use scrubber::Scrubber;
pub use settings::ScrubSettings;
