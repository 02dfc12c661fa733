//! The door for probes and metrics: `[api] address`.
//!
//! It serves `/livez`, `/readyz`, `/health` and `/metrics`; it changes nothing and shows neither records nor paths.
//! [`Door`] listens, `page` answers, [`Figures`] are those of the process as a whole.

mod door;
mod figures;
mod page;

pub use door::{Door, Shown};
pub use figures::Figures;
