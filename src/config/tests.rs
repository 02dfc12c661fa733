//! The whole way from texts to a plan.

mod claim_faults;
mod file_faults;
mod graph_faults;
mod idle_faults;
mod judge_faults;
pub(in crate::config) mod kit;
mod named_files;
mod plain_faults;
mod setting_faults;

use super::{Kind, OutputRef, Plan, Rules, load, probe};
use crate::diagnostic::Report;
use insta::assert_snapshot;
use proptest::prelude::*;
use serde::Deserialize;
use std::fs;

fn plan(text: &str) -> Plan {
    let loaded = kit::load(text);
    loaded.plan.as_ref().unwrap_or_else(|| panic!("{}", kit::shown(&loaded))).clone()
}

fn inputs(plan: &Plan, id: &str) -> Vec<String> {
    let component = plan.components().find(|component| component.id == id).expect("is in the plan");
    component.inputs.iter().map(OutputRef::to_string).collect()
}

const NODE_JOB: &str = r#"
data_dir = "/var/lib/levada"

[sources.in]
type = "file"
include = ["${INPUT}"]
read_from = "beginning"
decoding.codec = "json"

[transforms.where]
type = "enrich"
inputs = ["in"]
fields.env = "prod"
fields.region = "eu-west-1"

[transforms.work]
type = "remap"
inputs = ["where"]
source = '''
. = object!(parse_json!(string!(.message)))
.message = replace(string!(.message), r'[A-Z]{2,}$', "$$x") # ${SIZE}
.env = oops
'''

[sinks.out]
type = "elasticsearch"
inputs = ["work"]
endpoints = ["http://127.0.0.1:9200"]
compression = "none"
bulk.index = "logs"

[[tests]]
name = "one"
input = { insert_at = "work", value = "{}" }
no_outputs_from = ["work.dead_letter"]
[[tests]]
name = "two"
input = { insert_at = "where", value = "x" }
outputs = [{ extract_from = "where", conditions = ['.env == "prod"'] }]
"#;

#[test]
fn a_pipeline_becomes_a_plan() {
    let plan = plan(NODE_JOB);
    let ids: Vec<_> = plan
        .components()
        .map(|component| (component.kind, component.id.as_str(), component.type_name.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            (Kind::Source, "in", "file"),
            (Kind::Transform, "where", "enrich"),
            (Kind::Transform, "work", "remap"),
            (Kind::Sink, "out", "elasticsearch"),
        ]
    );
    assert_eq!(inputs(&plan, "out"), ["work"]);
    let settings = &plan.sources[0].section.settings;
    assert_eq!(settings["include"][0].as_str(), Some("/tmp/in.log"));
    assert!(!settings.contains_key("type"));
    assert_eq!(plan.sinks[0].section.settings["bulk"]["index"].as_str(), Some("logs"));
    assert_eq!(plan.globals.settings["data_dir"].as_str(), Some("/var/lib/levada"));
    assert_eq!(
        plan.tests.iter().map(|test| test.settings["name"].as_str()).collect::<Vec<_>>(),
        [Some("one"), Some("two")]
    );
}

#[test]
fn later_phases_can_point_into_values_and_programs() {
    let loaded = kit::load(NODE_JOB);
    let plan = loaded.plan.expect("a plan");
    let sink = &plan.sinks[0].section;
    let text = |place| loaded.sources.text(place);
    assert_eq!(text(sink.place_of("bulk.index")), "\"logs\"");
    assert_eq!(text(sink.place_of("endpoints[0]")), "\"http://127.0.0.1:9200\"");
    assert_eq!(text(sink.place_of("buffer.max_size")), "[sinks.out]");

    let remap = &plan.transforms[1].section;
    let program = remap.settings["source"].as_str().expect("a program");
    assert!(program.contains("$\", \"$x\")") || program.contains("\"$x\") # 10MiB"), "{program}");
    let oops = program.find("oops").expect("is there");
    let place = remap.place_in("source", oops..oops + 4, &loaded.sources);
    assert_eq!(text(&place), "oops");
    assert_eq!(loaded.sources.position(&place).line, 22);
    let size = program.find("10MiB").expect("is there");
    assert_eq!(text(&remap.place_in("source", size + 1..size + 2, &loaded.sources)), "${SIZE}");
}

#[test]
fn inputs_name_components_ports_patterns_and_variables() {
    let plan = plan(
        "[sources.app-a]\ntype = 'file'\ninclude = ['a']\n\
         [sources.app-b]\ntype = 'file'\ninclude = ['b']\n\
         [sources.otlp]\ntype = 'opentelemetry'\nhttp = {}\ngrpc = {}\n\
         [transforms.app-work]\ntype = 'remap'\ninputs = ['app-*']\nsource = ''\n\
         [transforms.split]\ntype = 'route'\ninputs = ['app-work', 'otlp.logs']\nroute.errors = 'x'\n\
         [sinks.one]\ntype = 'blackhole'\ninputs = ['split.errors', 'split._unmatched', 'app-work.dropped']\n\
         [sinks.two]\ntype = 'blackhole'\ninputs = ['one.dead_letter', '*.dropped', '${IDS:-otlp.traces,otlp.metrics}']\n",
    );
    assert_eq!(inputs(&plan, "app-work"), ["app-a", "app-b"]);
    assert_eq!(inputs(&plan, "split"), ["app-work", "otlp.logs"]);
    assert_eq!(inputs(&plan, "one"), ["split.errors", "split._unmatched", "app-work.dropped"]);
    assert_eq!(inputs(&plan, "two"), ["one.dead_letter", "app-work.dropped", "otlp.traces", "otlp.metrics"]);
}

#[test]
fn files_folders_and_patterns_are_read_once_each() {
    let folder = std::env::temp_dir().join(format!("levada-config-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    fs::write(folder.join("a.toml"), kit::SOURCE).expect("written");
    fs::write(folder.join("b.toml"), kit::SINK).expect("written");
    fs::write(folder.join("c.txt"), "not a configuration").expect("written");
    fs::write(folder.join("d.toml.bad"), b"\xff").expect("written");
    let toys = kit::Toys::default();
    let rules = Rules { catalogue: &toys, environment: &kit::environment, budget: &toys };
    let whole = load(&[folder.clone(), folder.join("a.toml"), folder.join("*.toml")], rules);
    let faulty = load(
        &[folder.join("d.toml.bad"), folder.join("none.toml"), folder.join("*.yaml"), folder.join("b.toml")],
        rules,
    );
    fs::remove_dir_all(&folder).expect("removed");
    assert!(whole.plan.is_some(), "{}", kit::shown(&whole));
    let shown = kit::shown(&faulty).replace(&folder.display().to_string(), "conf");
    assert_snapshot!(shown, @r#"
    error[E001]: cannot read `conf/d.toml.bad`: stream did not contain valid UTF-8
     |
     = help: a configuration file is UTF-8 text

    error[E002]: there is no file `conf/none.toml`
     |
     = help: give a file, a folder or a pattern such as `conf/*.toml`

    error[E002]: no file matches `conf/*.yaml`
     |
     = help: give a file, a folder or a pattern such as `conf/*.toml`

    error[E018]: unknown input `in` of sink `out`
     --> conf/b.toml:3:11
      |
    3 | inputs = ['in']
      |           ^^^^ no component and no output has this name

    4 errors
    "#);
    assert!(load(&[], rules).report.has_errors());
}

#[test]
fn what_serde_refuses_is_shown_at_the_component_without_values_of_variables() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Other {
        endpoints: u8,
        index: u8,
    }
    let text = format!("{}{}index = '$WORD'\n", kit::SOURCE, kit::SINK.replace("endpoints", "tags = []\nendpoints"));
    let mut loaded = kit::load(&text);
    let mut section = loaded.plan.take().expect("a plan").sinks.remove(0).section;
    section.settings.insert("endpoints".to_owned(), toml::Value::Integer(1));
    let mut report = Report::default();
    report.push(*section.read::<Other>().expect_err("another type"));
    loaded.report = report;
    assert_snapshot!(kit::shown(&loaded), @r#"
    error[E016]: the settings contradict each other
     --> levada.toml:5:1
      |
    5 | [sinks.out]
      | ^^^^^^^^^^^ invalid type: string "***", expected u8

    1 error
    "#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_it_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..9, "[ -~\n\\PC]{0,6}|\\$\\{|\\[\\[|'''|\\.|= "), 1..8),
    ) {
        let mut text: Vec<char> = NODE_JOB.chars().collect();
        for (index, removed, added) in edits {
            let start = index.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, added.chars());
        }
        let text: String = text.into_iter().collect();
        let loaded = kit::load_many(&[("a.toml", &text), ("b.toml", kit::SOURCE)]);
        prop_assert_eq!(loaded.plan.is_none(), loaded.report.has_errors());
        prop_assert_eq!(kit::shown(&loaded).is_empty(), loaded.report.diagnostics().is_empty());
    }
}

/// The texts that the fuzzer begins with, by their names.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/config");
    let entries = fs::read_dir(folder).expect("the corpus is part of the repository");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    let mut texts: Vec<_> = entries.map(read).collect();
    texts.sort();
    assert!(texts.len() > 20, "{} files in the corpus", texts.len());
    texts
}

/// What a byte is changed to.
const ODD: &[u8] = b"\"'[]{}=.#$\0\n";

/// Each as it is, cut at the ends of its lines, and with bytes changed.
#[test]
fn the_corpus_holds() {
    for (first, (name, data)) in corpus().into_iter().enumerate() {
        probe::probe(&data);
        assert_eq!(probe::is_valid(&String::from_utf8_lossy(&data)), name.starts_with("valid_"), "{name}");
        data.iter().enumerate().filter(|(_, byte)| **byte == b'\n').for_each(|(end, _)| probe::probe(&data[..end]));
        for at in (first % 7..data.len()).step_by(7) {
            let mut other = data.clone();
            other[at] = ODD[at % ODD.len()];
            probe::probe(&other);
        }
    }
}

/// A text of lines of the corpus, in any order.
fn any_lines() -> impl Strategy<Value = String> {
    let texts: Vec<String> = corpus().iter().map(|(_, data)| String::from_utf8_lossy(data).into_owned()).collect();
    let mut lines: Vec<String> = texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    lines.extend(texts);
    prop::collection::vec(prop::sample::select(lines), 0..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_lines_hold(text in any_lines()) {
        probe::probe(text.as_bytes());
    }
}
