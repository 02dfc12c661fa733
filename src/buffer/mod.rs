//! What stands before a sink: a queue bounded in bytes, and before that a log on disk where the sink asks for one.

mod disk;
mod line;
mod memory;
mod min_free;

#[cfg(fuzzing)]
pub use disk::probe;
pub use disk::{DiskBuffer, DiskOptions, Entrance, Frames, Ingredients, Mark, Window};
pub use disk::{inspect, repair};
pub use memory::{Passage, Queue, WhenFull};
pub use min_free::{MinFree, Shortage, Space, percent};
