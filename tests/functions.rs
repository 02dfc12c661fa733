//! `docs/vrl.md` names every function that programs may call, and no other.

use std::fs;
use std::path::Path;

#[test]
fn the_page_lists_every_function() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vrl.md")).unwrap();
    let list = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a list");
    let listed: Vec<&str> = list.split_whitespace().collect();
    let known = levada::lang::function_names();
    let missing: Vec<_> = known.iter().filter(|name| !listed.contains(name)).collect();
    let gone: Vec<_> = listed.iter().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "missing: {missing:?}; not there: {gone:?}");
    assert_eq!(listed, known, "in order, each once");
    assert!(page.contains(&format!("{} functions", known.len())), "their number is {}", known.len());
}
