//! `docs/faults.md`: each faulty example has the error it stands for and no other, each mended one has none.

use std::fmt::Write;

use levada::config::{self, Loaded, Memory, Rules, Shelves};
use levada::diagnostic::{Code, Color, Severity, render_report};

fn load(text: &str) -> Loaded {
    let rules = Rules { catalogue: &Shelves, environment: &|_| None, budget: &Memory { default_limit: 256 << 20 } };
    config::load_texts([("levada.toml", text)], rules)
}

#[test]
fn examples_have_the_fault_they_show() {
    let (mut shown, mut strange) = (0, String::new());
    for code in Code::ALL {
        let blocks: Vec<_> = code.explanation().split("```toml\n").skip(1).collect();
        // A single block is only shown: what it is about cannot be told from a text alone.
        let [faulty, mended] = blocks.as_slice() else {
            assert!(blocks.len() < 2, "{code} has {} examples", blocks.len());
            continue;
        };
        for (block, wanted) in [(faulty, vec![*code]), (mended, Vec::new())] {
            let text = block.split("```").next().expect("a block has an end");
            let loaded = load(text);
            let counts = |found: &&Code| wanted.contains(found) || found.severity() == Severity::Error;
            let found: Vec<_> = loaded.report.diagnostics().iter().map(|fault| fault.code).collect();
            let found: Vec<_> = found.iter().filter(counts).copied().collect();
            if found != wanted {
                let faults = render_report(&loaded.report, &loaded.sources, Color::Never);
                writeln!(strange, "{code}: expected {wanted:?}, found {found:?}\n{faults}").unwrap();
            }
        }
        shown += 1;
    }
    assert_eq!(strange, "");
    assert!(shown > Code::ALL.len() / 2, "{shown} codes have examples");
}
