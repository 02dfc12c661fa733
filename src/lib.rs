//! Levada carries telemetry as bytes.

pub mod buffer;
pub mod cli;
pub mod codecs;
pub mod component;
pub mod config;
pub mod delivery;
pub mod diagnostic;
pub mod event;
pub mod sources;
