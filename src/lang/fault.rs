//! What the compiler says about a program: where in its source, and what to do next.

use std::ops::Range;

use vrl::diagnostic::{Diagnostic, DiagnosticList, Formatter};

/// A fault or a warning of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// VRL's number, as in `E103`; 0 where it has none.
    pub code: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// The bytes of the source that it is about.
    pub span: Range<usize>,
    /// VRL's remarks on parts of the source, the main one first.
    pub labels: Vec<Label>,
    /// What VRL advises: lines such as `try: ...`.
    pub notes: Vec<String>,
    /// VRL's own picture of the fault with the source, without colour.
    pub rendered: String,
}

/// A remark on a part of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The bytes of the source.
    pub span: Range<usize>,
    /// The remark.
    pub text: String,
}

impl Fault {
    /// A fault of our own about a whole program.
    pub(super) fn whole(source: &str, message: &str) -> Self {
        Self {
            code: 0,
            message: message.to_owned(),
            span: 0..source.len(),
            labels: Vec::new(),
            notes: Vec::new(),
            rendered: message.to_owned(),
        }
    }
}

/// The faults in a list of VRL's diagnostics.
pub(super) fn from_list(source: &str, list: DiagnosticList) -> Vec<Fault> {
    list.into_iter().map(|diagnostic| from_diagnostic(source, diagnostic)).collect()
}

fn from_diagnostic(source: &str, diagnostic: Diagnostic) -> Fault {
    let mut labels: Vec<_> = diagnostic.labels.clone();
    labels.sort_by_key(|label| !label.primary);
    let clip = |at: usize| at.min(source.len());
    let labels: Vec<Label> = labels
        .into_iter()
        .map(|label| Label { span: clip(label.span.start())..clip(label.span.end()), text: label.message })
        .collect();
    Fault {
        code: diagnostic.code,
        message: diagnostic.message.clone(),
        span: labels.first().map_or(0..source.len(), |label| label.span.clone()),
        labels,
        notes: diagnostic.notes.iter().map(ToString::to_string).collect(),
        rendered: Formatter::new(source, vec![diagnostic]).to_string(),
    }
}
