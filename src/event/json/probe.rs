//! What must hold for any bytes at all, as one function: the fuzz target and a test over its corpus both call it.

/// Nothing yet.
pub fn probe(_data: &[u8]) {}
