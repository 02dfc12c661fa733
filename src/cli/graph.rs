//! `levada graph`: a drawing of the pipelines.

use std::fmt::Write;
use std::process::ExitCode;

use super::FAULTY;
use super::files::Given;
use super::screen::{print_faults, say};
use crate::config::{Kind, Plan};

/// Draw the pipelines of a configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Graph {
    #[command(flatten)]
    given: Given,
    /// The language of the drawing.
    #[arg(long, value_enum, default_value_t)]
    format: Language,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// Of Graphviz: `levada graph | dot -Tsvg`.
    #[default]
    Dot,
    /// Of Mermaid, which Markdown viewers draw.
    Mermaid,
}

pub(super) fn graph(arguments: &Graph) -> ExitCode {
    let loaded = arguments.given.files().load();
    print_faults(&loaded);
    let Some(plan) = &loaded.plan else { return ExitCode::from(FAULTY) };
    say(&match arguments.format {
        Language::Dot => dot(plan),
        Language::Mermaid => mermaid(plan),
    });
    ExitCode::SUCCESS
}

/// From whom, by which output, to whom.
fn edges(plan: &Plan) -> impl Iterator<Item = (&str, Option<&str>, &str)> {
    plan.components().flat_map(|component| {
        let to = component.id.as_str();
        component.inputs.iter().map(move |input| (input.component.as_str(), input.port.as_deref(), to))
    })
}

fn dot(plan: &Plan) -> String {
    let mut text = "digraph {\n  rankdir = LR;\n".to_owned();
    for component in plan.components() {
        let shape = match component.kind {
            Kind::Source => "trapezium",
            Kind::Transform => "box",
            Kind::Sink => "invtrapezium",
        };
        let (id, kind) = (&component.id, &component.type_name);
        let _ = writeln!(text, "  \"{id}\" [shape = {shape}, label = \"{id}\\n{kind}\"];");
    }
    for (from, port, to) in edges(plan) {
        let label = port.map_or_else(String::new, |port| format!(" [label = \"{port}\"]"));
        let _ = writeln!(text, "  \"{from}\" -> \"{to}\"{label};");
    }
    text + "}\n"
}

/// Nodes have numbers: names may be words of the language (`end`).
fn mermaid(plan: &Plan) -> String {
    let ids: Vec<&str> = plan.components().map(|component| component.id.as_str()).collect();
    let number = |id: &str| ids.iter().position(|known| *known == id).unwrap_or_default();
    let mut text = "flowchart LR\n".to_owned();
    for (at, component) in plan.components().enumerate() {
        let (open, close) = match component.kind {
            Kind::Source => ("[/", "\\]"),
            Kind::Transform => ("[", "]"),
            Kind::Sink => ("[\\", "/]"),
        };
        let (id, kind) = (&component.id, &component.type_name);
        let _ = writeln!(text, "  c{at}{open}\"{id}<br/>{kind}\"{close}");
    }
    for (from, port, to) in edges(plan) {
        let label = port.map_or_else(String::new, |port| format!("|\"{port}\"|"));
        let _ = writeln!(text, "  c{} -->{label} c{}", number(from), number(to));
    }
    text
}
