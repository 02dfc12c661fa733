//! TOML files -> a checked [`Plan`], or every fault of every file at once.
//!
//! ```text
//! read -> parse -> interpolate -> merge -> check against schemas -> judge -> connect -> plan
//! ```
//!
//! No phase stops at a fault: it reports, leaves a gap, and the later ones pass over the gap. Only `document` touches the disk; the
//! environment, the component types and the memory budget are passed in.

mod assemble;
mod catalogue;
mod check;
mod document;
mod draft;
mod enrichment;
mod globals;
mod graph;
mod interpolate;
mod judge;
mod literal;
mod merge;
mod plan;
mod quantity;
mod schema;
mod shelves;
mod tree;

pub use catalogue::{Budget, Catalogue, Check, ComponentType, Kind, Outputs};
pub use enrichment::{EnrichmentTable, TableEncoding, TableFile};
pub use globals::{ApiSettings, ByteSize, Globals};
pub use interpolate::Environment;
pub use plan::{Component, OutputRef, Plan, Section};
pub use quantity::{parse_duration, parse_size, show_size};
pub use shelves::{Memory, Shelves};

use crate::diagnostic::{Code, Diagnostic, FileId, Report, Sources};
use std::path::PathBuf;

/// What the files are judged by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The component types.
    pub catalogue: &'a dyn Catalogue,
    /// The variables.
    pub environment: Environment<'a>,
    /// The memory.
    pub budget: &'a dyn Budget,
}

/// Files, their faults, and what they say if there is no error.
#[derive(Debug)]
pub struct Loaded {
    /// The texts, for showing faults; later phases may add faults of their own.
    pub sources: Sources,
    /// Every fault, in reading order.
    pub report: Report,
    /// None exactly if the report has errors.
    pub plan: Option<Plan>,
}

/// Reads files, folders and patterns, and makes a plan of them.
pub fn load(paths: &[PathBuf], rules: Rules<'_>) -> Loaded {
    let mut sources = Sources::default();
    let mut report = Report::default();
    let files = document::read(paths, &mut sources, &mut report);
    plan_files(&files, sources, report, rules)
}

/// Makes a plan of texts, each with the name to show for it.
pub fn load_texts<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>, rules: Rules<'_>) -> Loaded {
    let mut sources = Sources::default();
    let files: Vec<_> = texts.into_iter().map(|(name, text)| sources.add(name, text)).collect();
    plan_files(&files, sources, Report::default(), rules)
}

fn plan_files(files: &[FileId], sources: Sources, mut report: Report, rules: Rules<'_>) -> Loaded {
    if files.is_empty() && !report.has_errors() {
        report.push(
            Diagnostic::new(Code::NoFile, "no configuration file is given").help("name a file, a folder or a pattern"),
        );
    }
    let plan = assemble::assemble(files, &sources, &mut report, rules).filter(|_| !report.has_errors());
    report.sort();
    Loaded { sources, report, plan }
}

#[cfg(test)]
mod tests;
