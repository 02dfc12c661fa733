//! Levada carries telemetry as bytes.

pub mod buffer;
pub mod codecs;
pub mod component;
pub mod delivery;
pub mod event;
pub mod sources;
