//! Programs and templates over records.
//!
//! VRL runs on records that are bytes: [`compile`] makes a [`Program`], a [`Runner`] (one per lane) runs it on anything that implements [`Fields`]. Only what the program
//! reads is parsed, only what it changed is written back, and only when it ended well; everything else keeps its bytes. [`Template`] fills names and dates into text.

mod allowance;
mod bounded;
mod compile;
mod constant;
mod depth;
mod dropped;
mod fault;
mod fields;
mod functions;
mod json;
mod plane;
mod row;
mod runner;
mod shape;
mod shortcut;
mod splice;
mod tables;
mod target;
mod template;
#[cfg(test)]
mod tests;

pub use compile::{
    Condition, Program, compile, compile_condition, compile_condition_with, compile_with, panic_is_a_fault,
};
pub use dropped::{Dropped, mark_dropped};
pub use fault::{Fault, Label};
pub use fields::{Fields, FieldsMut, Member, Side};
pub use functions::{Admits, READERS, Said, Voice, function_names};
pub(crate) use json::{read_value, write as write_value};
pub use row::Row;
pub use runner::{Outcome, Runner};
pub(crate) use tables::Search;
pub use tables::{Case, Condition as RowCondition, Format, Sheet, Table, Tables};
pub use template::{Missing, Template, TemplateError};
pub use vrl::compiler::TimeZone;
