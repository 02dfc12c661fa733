//! The configurations of `deploy/`: each is without fault with the variables that its manifest sets, and uses all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use levada::config::{Memory, Rules, Shelves, load_texts};
use levada::diagnostic::{Color, render_report};

/// The files of this name below a folder.
fn find(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, name, found);
        } else if path.file_name().is_some_and(|file| file == name) {
            found.push(path);
        }
    }
}

/// The variables that the manifests beside a configuration set; one whose value only the cluster knows has a stand-in.
fn variables(folder: &Path) -> BTreeMap<String, String> {
    let manifests = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let manifests = manifests.filter(|path| path.extension().is_some_and(|is| is == "yaml"));
    let mut variables = BTreeMap::new();
    for text in manifests.map(|path| fs::read_to_string(path).unwrap()) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            let Some(name) = pair[0].strip_prefix("- name: ").filter(is_name) else { continue };
            let value = pair[1].strip_prefix("value: ").map(|value| value.trim_matches('"'));
            variables.insert(name.to_owned(), value.unwrap_or("told-by-the-cluster").to_owned());
        }
    }
    variables
}

#[test]
fn each_variable_of_a_configuration_is_set_by_its_manifest() {
    let mut files = Vec::new();
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"), "levada.toml", &mut files);
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let set = variables(file.parent().expect("it is in a folder"));
        let environment = |name: &str| set.get(name).cloned();
        let memory = Memory { default_limit: 64 << 20 };
        let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &memory };
        let loaded = load_texts([("levada.toml", text.as_str())], rules);
        let faults = render_report(&loaded.report, &loaded.sources, Color::Never);
        // That the kubelet reaches the door is meant.
        let is_meant = |fault: &levada::diagnostic::Diagnostic| fault.code.as_str() == "W003";
        assert!(loaded.plan.is_some() && loaded.report.diagnostics().iter().all(is_meant), "{file:?}\n{faults}");
        let unused: Vec<_> =
            set.keys().filter(|name| name.starts_with("LEVADA_") && !text.contains(&format!("${{{name}"))).collect();
        assert!(unused.is_empty(), "{file:?} does not use {unused:?}");
    }
}
