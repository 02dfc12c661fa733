//! `levada list`: the component types, and the settings of one.

use std::fmt::Write;
use std::process::ExitCode;

use super::USAGE;
use super::screen::say;
use crate::config::{Catalogue, Kind, Setting, Shelves, describe, describe_globals};
use crate::diagnostic::closest;
use crate::transforms::scrub::Profile;

/// List the component types; with a name, an example of that type and all its settings with their defaults.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// A type such as `elasticsearch`, or `globals`; a type of several kinds shows them all, `sinks.file` only one.
    name: Option<String>,
}

/// How wide a line of text may become.
const WIDTH: usize = 100;

pub(super) fn list(arguments: &List) -> ExitCode {
    let Some(name) = &arguments.name else {
        say(&overview());
        return ExitCode::SUCCESS;
    };
    let mut text = if name == "globals" { globals() } else { String::new() };
    for kind in Kind::ALL {
        let plain = name.strip_prefix(kind.section()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
        let is_meant = plain != name || !name.contains('.');
        text.push_str(&is_meant.then(|| page(kind, plain)).flatten().unwrap_or_default());
    }
    if name == "scrub" {
        text.push_str(&profiles());
    }
    if text.is_empty() {
        let hint = meant(name)
            .map_or_else(|| "`levada list` names them all".to_owned(), |meant| format!("did you mean `{meant}`?"));
        eprintln!("error: there is no component type `{name}`; {hint}");
        return ExitCode::from(USAGE);
    }
    say(&text);
    ExitCode::SUCCESS
}

/// What is called almost so; of `sources.elasticsearch` it is the sink.
fn meant(name: &str) -> Option<String> {
    let plain = name.split_once('.').map_or(name, |(_, plain)| plain);
    let all = || Kind::ALL.into_iter().flat_map(|kind| Shelves.names(kind).into_iter().map(move |name| (kind, name)));
    let close = closest(plain, all().map(|(_, name)| name))?;
    let (kind, _) = all().find(|(_, name)| *name == close)?;
    Some(if plain == name { close.to_owned() } else { format!("{}.{close}", kind.section()) })
}

fn overview() -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let _ = writeln!(text, "{}:", kind.section());
        for name in Shelves.names(kind) {
            let about = describe(&Shelves, kind, name).map_or_else(String::new, |description| description.about);
            let _ = writeln!(text, "  {name:<16} {about}");
        }
    }
    text.push_str("\n`levada list NAME` shows the settings of a type, `levada list globals` those of the process.\n");
    text
}

fn globals() -> String {
    let mut text = "globals: settings of the process, at the root of the file\n".to_owned();
    for setting in describe_globals(&Shelves) {
        show(&setting, &mut text);
    }
    text
}

/// The profiles of `scrub`, with what each looks for.
fn profiles() -> String {
    let mut text = "profiles:\n".to_owned();
    for profile in Profile::ALL {
        let _ = writeln!(text, "\n  {}", profile.name());
        fold(profile.about(), "      ", &mut text);
        for detector in profile.detectors() {
            let _ = writeln!(text, "        {:<16} {}", detector.name(), detector.about());
        }
        fold(&format!("key names: {}", profile.key_names().join(", ")), "        ", &mut text);
    }
    text
}

fn page(kind: Kind, name: &str) -> Option<String> {
    let description = describe(&Shelves, kind, name)?;
    let mut text = format!("{} `{name}`: {}\n\nexample:\n\n", kind.noun(), description.about);
    for line in description.example.lines() {
        let _ = writeln!(text, "{}{line}", if line.is_empty() { "" } else { "  " });
    }
    text.push_str("\nsettings:\n");
    if kind != Kind::Source {
        text.push_str("\n  inputs  a list of component names, required\n      Whose records it takes.\n");
    }
    description.settings.iter().for_each(|setting| show(setting, &mut text));
    text.push('\n');
    Some(text)
}

fn show(setting: &Setting, text: &mut String) {
    let words: Vec<_> = setting.choices.iter().map(|(word, _)| word.as_str()).collect();
    let choices = if words.is_empty() { String::new() } else { format!(" {}", words.join(", ")) };
    let default = match (&setting.default, setting.is_required) {
        (_, true) => ", required".to_owned(),
        (Some(default), false) => format!(", default {default}"),
        (None, false) => String::new(),
    };
    let _ = writeln!(text, "\n  {}  {}{choices}{default}", setting.path, setting.expected);
    fold(&setting.about, "      ", text);
    for (word, about) in setting.choices.iter().filter(|(_, about)| !about.is_empty()) {
        fold(&format!("{word}: {about}"), "        ", text);
    }
}

/// Writes a paragraph in lines that are not too long.
fn fold(paragraph: &str, indent: &str, text: &mut String) {
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + word.len() >= WIDTH {
            let _ = writeln!(text, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{indent}{line}");
    }
}
