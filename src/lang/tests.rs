//! The lazy run against VRL's own: for every program and record, the same document and the same outcome.

mod bounds;
mod deep;
mod document;
mod equivalence;
mod fidelity;
mod functions;
mod tables;
mod template;
