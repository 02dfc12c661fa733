//! What the README shows is what the program takes and prints.

use levada::config::{self, Loaded, Memory, Rules, Shelves};
use levada::diagnostic::{Color, render_report};

const README: &str = include_str!("../README.md");

/// The first block of the README in this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).expect("the README has such a block");
    rest.split_once("```").expect("the block ends").0
}

fn load(text: &str) -> Loaded {
    let environment = |name: &str| (name == "ELASTICSEARCH_PASSWORD").then(|| "secret".to_owned());
    let rules = Rules { catalogue: &Shelves, environment: &environment, budget: &Memory { default_limit: 256 << 20 } };
    config::load_texts([("levada.toml", text)], rules)
}

fn shown(loaded: &Loaded) -> String {
    render_report(&loaded.report, &loaded.sources, Color::Never)
}

#[test]
fn its_configuration_is_valid() {
    assert_eq!(shown(&load(block("toml"))), "");
}

#[test]
fn its_fault_is_what_is_printed() {
    let misspelt = block("toml").replacen("include = ", "includes = ", 1);
    assert_eq!(shown(&load(&misspelt)), format!("{}\n1 error\n", block("text")));
}

#[test]
fn its_links_lead_to_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let links = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<&str> = links.filter(|link| !link.starts_with("https://")).collect();
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        assert!(root.join(file).exists(), "{file}");
    }
}
