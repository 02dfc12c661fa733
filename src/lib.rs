//! Levada: a telemetry agent that carries bytes, not trees.
//!
//! Reading order: [`event`] (what moves), [`component`] (the contracts), [`topology`] (how it runs), then any shelf:
//! [`sources`], [`transforms`], [`sinks`]. ARCHITECTURE.md has the map.

pub mod admin;
pub mod buffer;
pub mod cli;
pub mod codecs;
pub mod component;
pub mod config;
pub mod delivery;
pub mod diagnostic;
pub mod event;
pub mod lang;
pub mod sinks;
pub mod sources;
pub mod topology;
pub mod transforms;
