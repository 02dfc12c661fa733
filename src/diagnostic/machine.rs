//! Faults for programs: a line of JSON each, or the workflow commands of GitHub.

use serde_json::{Value as Json, json};

use super::{Diagnostic, Label, Place, Position, Severity, Sources};

/// One fault as a JSON object. Lines and columns begin at 1, columns count characters; `end_*` is where the text at
/// fault ends.
pub fn to_json(diagnostic: &Diagnostic, sources: &Sources) -> Json {
    let places: Vec<_> = diagnostic.secondary.iter().map(|label| labelled(label, sources)).collect();
    let mut object = diagnostic.primary.as_ref().map_or_else(|| json!({}), |label| labelled(label, sources));
    object["severity"] = word(diagnostic.severity()).into();
    object["code"] = diagnostic.code.as_str().into();
    object["message"] = diagnostic.message.as_str().into();
    object["help"] = diagnostic.help.clone().into();
    object["related"] = places.into();
    object
}

fn labelled(label: &Label, sources: &Sources) -> Json {
    let [start, end] = ends(label, sources);
    json!({
        "file": sources.file(label.place.file).name,
        "line": start.line, "column": start.column,
        "end_line": end.line, "end_column": end.column,
        "label": label.text,
    })
}

/// One fault as a workflow command of GitHub, which shows it beside the line of a change
/// (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
pub fn to_github(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut properties = String::new();
    if let Some(label) = &diagnostic.primary {
        let [start, end] = ends(label, sources);
        let file = escape(&sources.file(label.place.file).name, true);
        let lines = format!("line={},endLine={},col={},endColumn={}", start.line, end.line, start.column, end.column);
        properties = format!("file={file},{lines},");
    }
    let label = diagnostic.primary.as_ref().map(|label| label.text.clone()).filter(|text| !text.is_empty());
    let help = diagnostic.help.iter().map(|text| format!("help: {text}"));
    let lines: Vec<_> = [diagnostic.message.clone()].into_iter().chain(label).chain(help).collect();
    let (word, code) = (word(diagnostic.severity()), diagnostic.code);
    format!("::{word} {properties}title={code}::{}", escape(&lines.join("\n"), false))
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The first byte of what is labelled, and the byte after the last.
fn ends(label: &Label, sources: &Sources) -> [Position; 2] {
    let Place { file, ref span } = label.place;
    [span.start, span.end.max(span.start)].map(|at| sources.position(&Place { file, span: at..at }))
}

/// The characters that would end a command or a property of it.
fn escape(text: &str, is_property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if is_property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{to_github, to_json};
    use crate::diagnostic::{Code, Diagnostic, Place, Sources};

    fn fault() -> (Diagnostic, Sources) {
        let mut sources = Sources::default();
        let file = sources.add("a,b.toml", "one = 1\nжук = 2\n");
        let fault = Diagnostic::new(Code::UnknownSetting, "unknown setting `жук`")
            .at(&Place { file, span: 8..14 }, "there is no\nsuch setting")
            .also(&Place { file, span: 0..3 }, "100% known")
            .help("remove it");
        (fault, sources)
    }

    #[test]
    fn a_fault_as_json() {
        let (fault, sources) = fault();
        let related = serde_json::json!([{
            "file": "a,b.toml", "line": 1, "column": 1, "end_line": 1, "end_column": 4, "label": "100% known",
        }]);
        let wanted = serde_json::json!({
            "severity": "error", "code": "E008", "message": "unknown setting `жук`", "help": ["remove it"],
            "file": "a,b.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 4,
            "label": "there is no\nsuch setting", "related": related,
        });
        assert_eq!(to_json(&fault, &sources), wanted);
    }

    #[test]
    fn a_fault_as_a_workflow_command() {
        let (fault, sources) = fault();
        assert_eq!(
            to_github(&fault, &sources),
            "::error file=a%2Cb.toml,line=2,endLine=2,col=1,endColumn=4,title=E008::unknown setting `жук`%0A\
             there is no%0Asuch setting%0Ahelp: remove it"
        );
        let nowhere = Diagnostic::new(Code::NoFile, "100% gone");
        assert_eq!(to_github(&nowhere, &Sources::default()), "::error title=E002::100%25 gone");
    }
}
