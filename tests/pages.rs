//! The configurations that the documentation shows: each is without fault.

use std::fs;
use std::path::Path;

use levada::config::{Memory, Rules, Shelves, load_texts};
use levada::diagnostic::{Color, render_report};

/// What stands in the TOML blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page)).unwrap();
    text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_block_of_the_page_on_transforms_is_a_valid_pipeline() {
    let blocks = blocks("transforms.md");
    assert!(blocks.len() >= 5);
    check(&blocks);
}

#[test]
fn every_block_of_the_page_on_container_logs_is_a_valid_pipeline() {
    let blocks = blocks("container-logs.md");
    assert!(blocks.len() >= 3);
    check(&blocks);
}

#[test]
fn every_block_of_the_page_on_opentelemetry_is_a_valid_pipeline() {
    let blocks = blocks("opentelemetry.md");
    assert_eq!(blocks.len(), 1);
    check(&blocks);
}

fn check(blocks: &[String]) {
    for block in blocks {
        let text = format!("{block}\n[sources.app]\ntype = 'stdin'\n[sinks.end]\ntype = 'blackhole'\ninputs = ['*']\n");
        let memory = Memory { default_limit: 256 << 20 };
        let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &memory };
        let loaded = load_texts([("page.toml", text.as_str())], rules);
        assert_eq!(render_report(&loaded.report, &loaded.sources, Color::Never), "", "{text}");
    }
}
