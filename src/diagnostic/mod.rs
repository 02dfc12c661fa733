//! What is wrong, where in the file, and what to do next.
//!
//! A fault of the user is a value, never an early return: phases push [`Diagnostic`]s into one [`Report`] and go on, so that a person
//! sees every fault of every file at once. Files stay in [`Sources`]; a [`Place`] points into them; [`render()`] draws the result.

mod code;
mod explain;
mod machine;
mod place;
mod render;
mod report;

pub use code::{Code, Severity};
pub use machine::{to_github, to_json};
pub use place::{FileId, Place, Position, SourceFile, Sources};
pub use render::{Color, render, render_report};
pub use report::{Diagnostic, Label, Report, closest};
