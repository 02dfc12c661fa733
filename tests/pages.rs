//! What the README and the pages of `docs/` show: each configuration is without fault, each call of `levada` has words and
//! options that there are. `docs/faults.md` has tests of its own.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use levada::config::{Memory, Rules, Shelves, load_texts};
use levada::diagnostic::{Code, Color, Report, render_report};

/// What a block leaves out, by a text in it that needs it.
const AROUND: [(&str, &str); 3] = [
    ("[sinks.search.buffer]", "[sinks.search]\ntype = 'blackhole'\ninputs = ['*']\n"),
    ("metrics_of_machines", "[sources.metrics_of_machines]\ntype = 'demo_logs'\nformat = 'json'\n"),
    (
        "insert_at = \"parsed\"",
        "[transforms.parsed]\ntype = 'remap'\ninputs = ['app']\nsource = '. = parse_json!(.message)'\n",
    ),
];

/// The README and the pages, with what they say.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.file_name().is_some_and(|name| name != "faults.md"));
    let all = pages.chain([root.join("README.md"), root.join("CONTRIBUTING.md")]);
    all.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The blocks of a page in this language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let begin = format!("```{language}\n");
    page.split(begin.as_str()).skip(1).map(|rest| rest.split("```").next().expect("a block has an end")).collect()
}

/// A block with what it needs around it: a source for each name that it takes records from, and a sink.
fn pipeline(block: &str) -> String {
    let written: toml::Table = block.parse().unwrap_or_else(|error| panic!("{block}\n{error}"));
    let of = |kind: &str| written.get(kind).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let (sources, transforms) = (of("sources"), of("transforms"));
    let mut text = format!("{block}\n");
    text.extend(AROUND.iter().filter(|(mark, _)| block.contains(mark)).map(|(_, more)| *more));
    let components = transforms.values().chain(of("sinks").values()).cloned().collect::<Vec<_>>();
    let inputs = components.iter().filter_map(|component| component.get("inputs")?.as_array()).flatten();
    let taken: HashSet<&str> = inputs.filter_map(|input| input.as_str()?.split('.').next()).chain(["app"]).collect();
    for id in taken.into_iter().filter(|id| !sources.contains_key(*id) && !transforms.contains_key(*id)) {
        text.extend(["[sources.", id, "]\ntype = 'demo_logs'\nformat = 'json'\n"]);
    }
    text + "[sinks.end]\ntype = 'blackhole'\ninputs = ['*']\n"
}

#[test]
fn every_configuration_on_a_page_is_valid() {
    let mut count = 0;
    for (page, text) in pages() {
        for block in blocks(&text, "toml") {
            let text = pipeline(block);
            let memory = Memory { default_limit: 256 << 20 };
            let environment = |name: &str| name.ends_with("_PASSWORD").then(|| "secret".to_owned());
            let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &memory };
            let loaded = load_texts([("page.toml", text.as_str())], rules);
            // What uses a backend or a table may stand on another page, and the files of tables are not here.
            let mut told = Report::default();
            let others = loaded.report.diagnostics().iter().filter(|fault| fault.code != Code::IdleSetting);
            others.for_each(|fault| told.push(fault.clone()));
            let faults = render_report(&told, &loaded.sources, Color::Never);
            let lost = faults.matches(".csv`: No such file").count();
            let has_errors = told.errors().next().is_some();
            assert!(
                !has_errors && faults.matches("warning[").count() == lost,
                "{}
{text}
{faults}",
                page.display()
            );
            if block.contains("[[tests]]") {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("levada.toml");
                fs::write(&file, text).unwrap();
                crate::cases::run(&file, &[]);
            }
            count += 1;
        }
    }
    assert!(count >= 13, "{count} blocks");
}

/// The calls of `levada` in the blocks for a shell, and those in running text.
fn calls(page: &str) -> Vec<String> {
    let shell = blocks(page, "sh").into_iter().flat_map(str::lines);
    let shell = shell.filter_map(|line| {
        let after = |call: &str| Some(line.split_once(call)?.1);
        line.strip_prefix("levada ").or_else(|| after("/bin/levada ")).or_else(|| after("cargo run --release -- "))
    });
    let spans = page.split('`').skip(1).step_by(2).filter_map(|span| span.strip_prefix("levada "));
    let words = |call: &str| {
        let call = call.split(['#', '|', '\n']).next().unwrap_or_default().trim();
        call.replace("SHELL", "bash")
    };
    // `help` takes no options, not even that for help.
    let is_whole = |call: &String| !call.contains(['[', '<', '>', '.', '…']) && !call.starts_with("help");
    shell.chain(spans).map(words).filter(is_whole).collect()
}

#[test]
fn every_call_on_a_page_has_words_and_options_that_there_are() {
    let mut seen = HashSet::new();
    for (page, text) in pages() {
        for call in calls(&text).into_iter().filter(|call| !call.is_empty()) {
            if !seen.insert(call.clone()) {
                continue;
            }
            // What stands before `--help` is read before it counts.
            let words = call.split(' ').filter(|word| !word.is_empty()).map(|word| word.trim_matches('\''));
            let output = Command::new(env!("CARGO_BIN_EXE_levada")).args(words).arg("--help").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: `levada {call}`\n{said}", page.display());
        }
    }
    assert!(seen.len() > 30, "{} calls: {seen:?}", seen.len());
}
