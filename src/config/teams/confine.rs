//! What a team's files may not hold: what is the platform's alone, and ways around that.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;

use crate::component::files::Files;
use crate::component::row::Reach;
use crate::config::catalogue::Kind;
use crate::config::draft::Draft;
use crate::config::literal;
use crate::config::plan::Section;
use crate::config::secret::OPENING;
use crate::config::tree::{Node, Value};
use crate::diagnostic::{Code, Diagnostic, Place, Report, Sources};

/// Functions of programs that read files, and the arguments of others that name one. Without a name these take files by
/// their place, too: whatever is compiled asks `Files`, which admits none of a team's.
const READERS: [&str; 5] = ["parse_proto", "encode_proto", "validate_json_schema", "alias_sources", "psl"];
/// The function of programs that reads the environment.
const VARIABLE: &str = "get_env_var";

/// Reports tables of the root that are not a team's, and references to secrets.
pub(in crate::config) fn confine(root: &mut Node, report: &mut Report) {
    let Value::Table(table) = &mut root.value else { return };
    table.entries.retain_mut(|entry| {
        let is_own = entry.key == "tests" || Kind::ALL.iter().any(|kind| kind.section() == entry.key);
        if is_own {
            without_secrets(&mut entry.node, report);
        } else {
            let fault = refused(format!("`{}` is not a team's to set", entry.key));
            let fault = fault.at(&entry.key_place, "this is the platform's");
            report.push(fault.help("a team's file holds `sources`, `transforms`, `sinks` and `tests`"));
        }
        is_own
    });
}

fn without_secrets(node: &mut Node, report: &mut Report) {
    match &mut node.value {
        Value::Text(text) if text.content.contains(OPENING) => {
            let fault = refused("a team has no secrets of the platform").at(&node.place, "a reference to a secret");
            report.push(fault.help("use a variable that `[teams.NAME] environment` lists: `${NAME}`"));
            node.value = Value::Faulty;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_secrets(item, report)),
        Value::Table(table) => {
            table.entries.iter_mut().for_each(|entry| without_secrets(&mut entry.node, report));
        }
        _ => {}
    }
}

/// Reports component types and programs that reach beyond the team. `environment` are the variables that it sees. Asked
/// before anything is compiled: gives the components of which nothing is to be.
pub(in crate::config) fn judge(
    drafts: &[Draft],
    environment: &[String],
    (sources, report): (&Sources, &mut Report),
) -> HashSet<String> {
    let mut refused_ones = HashSet::new();
    for draft in drafts {
        let Some(checked) = &draft.checked else { continue };
        if let Reach::Machine(why) = checked.reach {
            let noun = draft.kind.noun();
            let fault = refused(format!("a team has no {noun} of type `{}`", checked.type_name));
            let fault = fault.at(checked.section.place(), why);
            report.push(match draft.kind {
                Kind::Sink => fault.help("the platform declares it, where a file is wanted"),
                _ => fault.help("the platform declares it, and exports it: `[teams.NAME] exports`"),
            });
            refused_ones.insert(draft.id.clone());
        }
        keys(&checked.section, report);
        member_files(draft, &checked.section, report);
        if programs(&checked.section.node, environment, sources, report) {
            refused_ones.insert(draft.id.clone());
        }
    }
    refused_ones
}

/// The same of a test, whose programs run while it is judged: may it?
pub(in crate::config) fn judge_test(
    test: &Section,
    environment: &[String],
    (sources, report): (&Sources, &mut Report),
) -> bool {
    !programs(&test.node, environment, sources, report)
}

/// The same of the files that hold programs, once they are read.
pub(in crate::config) fn judge_files(
    files: &Files,
    environment: &[String],
    (sources, report): (&mut Sources, &mut Report),
) {
    for (path, contents) in files.kept() {
        let is_document = path.extension().is_some_and(|extension| extension == "toml");
        if let (false, Ok(text)) = (is_document, std::str::from_utf8(&contents)) {
            program_file((path, text), environment, (sources, report));
        }
    }
}

/// Keys of `scrub` that are named, not given: whoever can hash with the platform's key can find out what was hashed.
fn keys(section: &Section, report: &mut Report) {
    let keys = section.settings.get("keys").and_then(toml::Value::as_array);
    for at in 0..keys.map_or(0, Vec::len) {
        for name in ["file", "env"] {
            if let Some(place) = section.written(&format!("keys[{at}].{name}")) {
                let fault = refused("a team names no file and no variable with a key");
                let fault = fault.at(place, "it may be the platform's key");
                report.push(fault.help("use a variable that `[teams.NAME] environment` lists: `value = \"${NAME}\"`"));
            }
        }
    }
}

/// Members that `enrich` takes from files of the machine.
fn member_files(draft: &Draft, section: &Section, report: &mut Report) {
    let is_enrich = draft.kind == Kind::Transform && section.written("files").is_some();
    if let Some(place) = section.written("files").filter(|_| is_enrich && section.settings["files"].is_table()) {
        let fault = refused("a team's `enrich` names no files");
        let fault = fault.at(place, "they are files of this machine");
        report.push(fault.help("the platform adds these members, and exports the step: `[teams.NAME] exports`"));
    }
}

/// Reports programs that reach beyond the team; are there any?
fn programs(node: &Node, environment: &[String], sources: &Sources, report: &mut Report) -> bool {
    // All are told of, not only the first.
    let mut any = |nodes: &mut dyn Iterator<Item = &Node>| {
        nodes.filter(|node| programs(node, environment, sources, report)).count() > 0
    };
    match &node.value {
        Value::Text(text) => {
            let found = beyond(&text.content, environment);
            if let Some(found) = found.clone() {
                report
                    .push(reaches(&text.content[found.clone()], &literal::place_in(sources, &node.place, text, found)));
            }
            found.is_some()
        }
        Value::Array(items) => any(&mut items.iter()),
        Value::Table(table) => any(&mut table.entries.iter().map(|entry| &entry.node)),
        _ => false,
    }
}

fn program_file((path, text): (PathBuf, &str), environment: &[String], (sources, report): (&mut Sources, &mut Report)) {
    if let Some(span) = beyond(text, environment) {
        let file = sources.add_once(path.display().to_string(), text.to_owned());
        report.push(reaches(&text[span.clone()], &Place { file, span }));
    }
}

fn refused(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::NotTheTeams, message)
}

fn reaches(name: &str, place: &Place) -> Diagnostic {
    let fault = refused(format!("a team's program may not use `{name}` so"));
    let fault = fault.at(place, "it reads what the team is not given");
    if name == VARIABLE {
        return fault
            .help("`get_env_var(\"NAME\")` takes the name of a variable that `[teams.NAME] environment` lists");
    }
    fault
}

/// Where a program first reads a file, or a variable that is not allowed. A word in a comment counts: better so.
fn beyond(text: &str, environment: &[String]) -> Option<Range<usize>> {
    let mut found: Option<Range<usize>> = None;
    for name in READERS.into_iter().chain([VARIABLE]) {
        for (at, _) in text.match_indices(name) {
            let rest = &text[at + name.len()..];
            let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            if is_part(text.as_bytes()[..at].last()) || is_part(rest.as_bytes().first()) {
                continue;
            }
            let is_allowed =
                name == VARIABLE && variable(rest).is_some_and(|name| environment.contains(&name.to_owned()));
            if !is_allowed && found.as_ref().is_none_or(|first| at < first.start) {
                found = Some(at..at + name.len());
            }
        }
    }
    found
}

/// The variable's name in what follows the function's: `!("NAME")`.
fn variable(call: &str) -> Option<&str> {
    let call = call.strip_prefix('!').unwrap_or(call).trim_start().strip_prefix('(')?.trim_start();
    let call = call.strip_prefix("name:").unwrap_or(call).trim_start();
    let (name, rest) = call.strip_prefix('"')?.split_once('"')?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_plain && rest.trim_start().starts_with(')')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::beyond;

    #[test]
    fn only_listed_variables_and_no_files() {
        let allowed = ["REGION".to_owned()];
        let first = |text: &str| beyond(text, &allowed).map(|found| text[found].to_owned());
        for fine in ["", ".a = get_env_var!(\"REGION\")", "get_env_var( name: \"REGION\" ) ?? \"\""] {
            assert_eq!(first(fine), None, "{fine}");
        }
        for bad in ["(\"TOKEN\")", "!(.name)", "!(\"REG\" + \"ION\")", "!(\"{{ x }}\")", "", "!(s'REGION')"] {
            assert_eq!(first(&format!(".a = get_env_var{bad}")).as_deref(), Some("get_env_var"), "{bad}");
        }
        assert_eq!(first("get_env_var(\"REGION\"); parse_proto!(.)").as_deref(), Some("parse_proto"));
        assert_eq!(first("parse_groks!(.a, [], alias_sources: [])").as_deref(), Some("alias_sources"));
        assert_eq!(first("parse_etld!(.a, psl: \"x\")").as_deref(), Some("psl"));
        assert_eq!(first("parse_groks!(.a, []); .upslope = parse_etld!(.psl_)"), None);
    }
}
