//! What stands before a sink: a queue bounded in bytes.

mod line;
mod memory;

pub use memory::{Passage, Queue, WhenFull};
