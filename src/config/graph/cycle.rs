//! Finds components that feed each other in a circle.

use super::{Graph, OutputRef};
use crate::diagnostic::{Code, Diagnostic, Report};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Reports each circle once, at the input that closes it. No recursion: the length of a chain is the user's to choose.
pub(super) fn find(graph: &Graph<'_>, inputs: &[Vec<OutputRef>], report: &mut Report) {
    let edges: Vec<Vec<usize>> = inputs
        .iter()
        .map(|inputs| inputs.iter().filter_map(|input| graph.by_id.get(input.component.as_str()).copied()).collect())
        .collect();
    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        if marks[start] == Mark::New {
            visit(start, &edges, &mut marks, &mut |path| {
                report.push(circle(graph, path));
            });
        }
    }
}

/// Walks upstream from `start`; the stack holds each component with the number of its inputs that were looked at.
fn visit(start: usize, edges: &[Vec<usize>], marks: &mut [Mark], found: &mut dyn FnMut(&[usize])) {
    let mut stack = vec![(start, 0)];
    marks[start] = Mark::Open;
    while let Some((node, next)) = stack.last_mut() {
        let Some(upstream) = edges[*node].get(*next).copied() else {
            marks[*node] = Mark::Done;
            stack.pop();
            continue;
        };
        *next += 1;
        match marks[upstream] {
            Mark::Done => {}
            Mark::New => {
                marks[upstream] = Mark::Open;
                stack.push((upstream, 0));
            }
            Mark::Open => {
                let path: Vec<_> = stack.iter().map(|(node, _)| *node).skip_while(|node| *node != upstream).collect();
                found(&path);
            }
        }
    }
}

/// `path` leads upstream: each component takes what the next one sends.
fn circle(graph: &Graph<'_>, path: &[usize]) -> Diagnostic {
    let downstream = path.iter().take(1).chain(path.iter().rev());
    let ids = downstream.map(|index| graph.drafts[*index].id.as_str());
    let drawn = ids.map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" -> ");
    let fault = Diagnostic::new(Code::Cycle, format!("components feed each other in a circle: {drawn}"));
    let members = path.iter().map(|index| &graph.drafts[*index]);
    let fault = members.skip(1).fold(fault, |fault, draft| fault.also(&draft.place, "which is part of the circle"));
    let first = &graph.drafts[path[0]];
    fault.at(&first.place, "takes in what it has sent out").help("take one of these inputs away")
}
