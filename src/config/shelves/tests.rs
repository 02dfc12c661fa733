//! Every row of every shelf: its name, its example, the words on its settings.

use super::{KNOWN, Kind, Known, Memory, Shelves};
use crate::config::{Budget, Rules, load_texts};
use crate::diagnostic::{Color, render_report};
use serde_json::Value as Json;
use std::collections::HashSet;

/// The example with what it needs around it: a source for each of its inputs, a sink for what it sends out.
fn pipeline(known: &Known) -> String {
    let written: toml::Table = known.example.parse().unwrap_or_else(|error| panic!("{}: {error}", known.name));
    let declared = written[known.kind.section()].as_table().expect("a table of components");
    let mut text = known.example.to_owned();
    let mut sources = HashSet::new();
    for input in declared.values().filter_map(|component| component.get("inputs")?.as_array()).flatten() {
        let id = input.as_str().expect("a name").split('.').next().expect("a part");
        if sources.insert(id) && !declared.contains_key(id) {
            text.extend(["[sources.", id, "]\ntype = \"file\"\ninclude = [\"/var/log/*.log\"]\n"]);
        }
    }
    if known.kind != Kind::Sink {
        text.push_str("[sinks.end]\ntype = \"blackhole\"\ninputs = [\"*\"]\n");
    }
    text
}

#[test]
fn each_example_is_a_valid_pipeline() {
    for known in KNOWN.iter() {
        let text = pipeline(known);
        let memory = Memory { default_limit: 512 << 20 };
        let rules = Rules { catalogue: &Shelves, environment: &|_| Some("value".to_owned()), budget: &memory };
        let loaded = load_texts([(known.name, text.as_str())], rules);
        let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
        let plan = loaded.plan.unwrap_or_else(|| panic!("{shown}"));
        assert!(plan.components().any(|component| component.type_name == known.name), "{text}");
        assert_eq!(shown, "", "{text}");
        assert_eq!(plan.tests.is_empty(), known.kind != Kind::Transform, "`{}` shows what it does", known.name);
    }
}

#[test]
fn no_two_rows_of_a_shelf_have_one_name() {
    let names: HashSet<_> = KNOWN.iter().map(|known| (known.kind, known.name)).collect();
    assert_eq!(names.len(), KNOWN.len());
}

#[test]
fn each_setting_has_a_description() {
    for known in KNOWN.iter() {
        let mut silent = Vec::new();
        undescribed(&known.schema, "", &mut silent);
        assert!(silent.is_empty(), "{} `{}` does not describe {silent:?}", known.kind.noun(), known.name);
    }
    let mut silent = Vec::new();
    undescribed(&super::GLOBALS, "", &mut silent);
    assert!(silent.is_empty(), "{silent:?}");
}

/// The properties without a description, anywhere in a schema. A constant, such as the tag of a choice, needs none.
fn undescribed(schema: &Json, path: &str, found: &mut Vec<String>) {
    match schema {
        Json::Object(members) => {
            for (key, value) in members {
                let inner = format!("{path}/{key}");
                if path.ends_with("/properties") && value.get("description").is_none() && value.get("const").is_none() {
                    found.push(inner.clone());
                }
                undescribed(value, &inner, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| undescribed(item, path, found)),
        _ => {}
    }
}

/// The settings that need not be given, cannot be absent either, and whose default nobody can read. A table that is not
/// given has the defaults of its settings.
fn without_default((schema, root): (&Json, &Json), path: &str, found: &mut Vec<String>) {
    let Json::Object(members) = schema else { return };
    let is_table = |property: &Json| {
        let target = property.get("$ref").and_then(Json::as_str).and_then(|path| root.pointer(&path[1..]));
        let has_settings = |schema: &Json| schema.get("properties").is_some();
        let is_table = |target: &Json| has_settings(target) || target.pointer("/oneOf/0").is_some_and(has_settings);
        target.is_some_and(is_table) || property["type"] == "object"
    };
    let required = members.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
    for (name, property) in members.get("properties").and_then(Json::as_object).into_iter().flatten() {
        let is_given = required.contains(&Json::from(name.as_str())) || property.get("const").is_some();
        if !is_given
            && !is_table(property)
            && property.get("default").is_none()
            && !property.to_string().contains("\"null\"")
        {
            found.push(format!("{path}.{name}"));
        }
    }
    members.iter().for_each(|(key, value)| match value {
        Json::Array(items) => items.iter().for_each(|item| without_default((item, root), path, found)),
        _ => without_default((value, root), &format!("{path}/{key}"), found),
    });
}

#[test]
fn each_default_can_be_read() {
    let mut found = Vec::new();
    for known in KNOWN.iter() {
        without_default((&known.schema, &known.schema), known.name, &mut found);
    }
    without_default((&super::GLOBALS, &super::GLOBALS), "globals", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

/// The paths of numbers with a fraction that have no largest value, anywhere in a schema.
fn unbounded(schema: &Json, path: &str, found: &mut Vec<String>) {
    match schema {
        Json::Object(members) => {
            let is_number = schema.get("type").is_some_and(|types| types.to_string().contains("\"number\""));
            if is_number && members.get("maximum").is_none_or(|most| !most.is_number()) {
                found.push(path.to_owned());
            }
            members.iter().for_each(|(key, value)| unbounded(value, &format!("{path}/{key}"), found));
        }
        Json::Array(items) => items.iter().for_each(|item| unbounded(item, path, found)),
        _ => {}
    }
}

#[test]
fn each_number_with_a_fraction_has_a_largest_value() {
    let mut found = Vec::new();
    for known in KNOWN.iter() {
        unbounded(&known.schema, known.name, &mut found);
    }
    unbounded(&super::GLOBALS, "globals", &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn seconds_that_no_clock_can_count_are_told_of() {
    let pipeline = |seconds: &str| {
        format!(
            "graceful_shutdown_limit_secs = {seconds}\n\
             [sources.in]\ntype = 'demo_logs'\nformat = 'json'\ninterval = {seconds}\n\
             [sinks.archive]\ntype = 'file'\ninputs = ['in']\npath = '/var/log/x.log'\nidle_timeout_secs = {seconds}\n\
             [sinks.web]\ntype = 'http'\ninputs = ['in']\nuri = 'http://127.0.0.1:9'\n\
             batch.timeout_secs = {seconds}\nrequest.timeout_secs = {seconds}\n\
             request.retry_initial_backoff_secs = {seconds}\nrequest.retry_max_duration_secs = {seconds}\n"
        )
    };
    let memory = Memory { default_limit: 512 << 20 };
    let rules = || Rules { catalogue: &Shelves, environment: &|_| Some("inf".to_owned()), budget: &memory };
    for (seconds, faults) in
        [("86400", 0), ("86401", 7), ("1e300", 7), ("inf", 7), ("-inf", 7), ("nan", 7), ("-nan", 7), ("'${X}'", 7)]
    {
        let loaded = load_texts([("levada.toml", pipeline(seconds).as_str())], rules());
        let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
        assert_eq!(shown.matches("is out of range").count(), faults, "{seconds}: {shown}");
        assert_eq!(loaded.plan.is_none(), faults > 0, "{seconds}: {shown}");
    }
}

#[test]
fn the_size_of_a_buffer_may_have_a_unit() {
    let memory = Memory { default_limit: 64 << 20 };
    let load = |size: &str| {
        let text = format!(
            "[sources.in]\ntype = 'stdin'\n[sinks.out]\ntype = 'blackhole'\ninputs = ['in']\nbuffer.max_size = {size}\n"
        );
        let rules = Rules { catalogue: &Shelves, environment: &|_| Some("2MiB".to_owned()), budget: &memory };
        let loaded = load_texts([("levada.toml", text.as_str())], rules);
        let shown = render_report(&loaded.report, &loaded.sources, Color::Never);
        loaded.plan.map(|plan| memory.buffer_bytes(&plan.sinks[0])).ok_or(shown)
    };
    for (size, bytes) in [("4096", 4096), ("'64MiB'", 64 << 20), ("'10kB'", 10_000), ("'${SIZE}'", 2 << 20)] {
        assert_eq!(load(size), Ok(bytes), "{size}");
    }
    for (size, code) in [("'65MiB'", "E022"), ("'some'", "E014"), ("'0'", "E011"), ("0", "E011"), ("true", "E009")] {
        let shown = load(size).unwrap_err();
        assert!(shown.contains(code), "{size}: {shown}");
    }
}
