//! `docs/moving-from-vector.md` holds what the program and the sheets hold. `LEVADA_WRITE_DOCS=1 cargo test
//! --test integration vector_compat` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use levada::config::{Moved, Of, Verdict, moved};

use super::{leaves, pages};

const BEGIN: &str = "<!-- written by tests/vector_compat -->\n";
const END: &str = "<!-- end -->\n";

/// The lists of settings.
fn lists() -> String {
    let mut text = String::new();
    let _written = writeln!(text, "\n### Settings of the same name and meaning\n\n| component | settings |\n|---|---|");
    let mut rows: Vec<(String, BTreeSet<String>)> = Vec::new();
    for page in pages() {
        let name =
            page.kind.map_or_else(|| page.type_name.clone(), |kind| format!("{} `{}`", kind.noun(), page.type_name));
        let settings = page.sheet.works.iter().chain([&page.sheet.base]).flat_map(|setting| leaves(setting));
        let settings = settings.map(|(path, _)| format!("`{}`", wild(&path)));
        match rows.last_mut().filter(|(last, _)| *last == name) {
            Some((_, list)) => list.extend(settings),
            None => rows.push((name, settings.collect())),
        }
    }
    for (name, settings) in rows {
        let _written = writeln!(text, "| {name} | {} |", settings.into_iter().collect::<Vec<_>>().join(", "));
    }
    let mut of = None;
    for row in moved() {
        if of.replace(row.of) != Some(row.of) {
            let _written = writeln!(text, "\n### {}\n\n| in Vector | here |\n|---|---|", heading(row.of));
        }
        let _written = writeln!(text, "| {} | {} |", written(row), answer(row));
    }
    text.push('\n');
    text
}

/// Names that a user chooses as `*`.
fn wild(path: &str) -> String {
    for free in ["request.headers", "query", "route", "merge_strategies"] {
        if path.strip_prefix(free).is_some_and(|rest| rest.starts_with('.')) {
            return format!("{free}.*");
        }
    }
    path.to_owned()
}

fn heading(of: Of) -> String {
    match of {
        Of::Globals => "Global options".to_owned(),
        Of::Tests => "`[[tests]]`".to_owned(),
        Of::Components => "Every component".to_owned(),
        Of::Kind(kind) => format!("Every {}", kind.noun()),
        Of::Types(kind, names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("{}: {}", capital(kind.section()), names.join(", "))
        }
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn written(row: &Moved) -> String {
    let values: Vec<_> = row.values.iter().map(|value| format!("`{}`", value.escape_debug())).collect();
    match values.as_slice() {
        [] => format!("`{}`", row.setting),
        values => format!("`{}`: {}", row.setting, values.join(", ")),
    }
}

fn answer(row: &Moved) -> String {
    let text = row.instead.replace('|', "\\|");
    match row.verdict {
        Verdict::Kept => format!("accepted: {text}"),
        Verdict::Needless => format!("not needed: {text}"),
        Verdict::Otherwise => format!("instead: {text}"),
    }
}

#[test]
fn the_page_holds_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/moving-from-vector.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{}{END}{after}", lists());
    if std::env::var_os("LEVADA_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == expected, "run the test with LEVADA_WRITE_DOCS=1");
}
