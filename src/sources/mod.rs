//! Sources: the doors where records come in.

pub mod file;
