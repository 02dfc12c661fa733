//! The end of a source that reads on, and of what lives only for a moment.

use std::collections::HashSet;
use std::fs;

use super::Bench;
use super::engine::Engine;
use crate::component::test_kit::Catcher;

#[test]
fn a_job_that_writes_its_lines_and_exits_is_read_to_its_end() {
    let bench = Bench::with("include = [\"LOGS**/*.log\"]\ndrain = \"read_to_end\"\nmax_read_bytes = 512");
    let outlet = Catcher::default();
    bench.append("first.log", "first\n");
    let running = bench.start(&outlet);
    outlet.wait_for(1);
    fs::create_dir(bench.path("job")).unwrap();
    let lines: Vec<String> = (0..1000).map(|line| format!("line {line}")).collect();
    bench.append("job/0.log", lines[..400].join("\n") + "\n");
    fs::rename(bench.path("job/0.log"), bench.path("job/0.log.1")).unwrap();
    // The last line has no end: nobody will write it.
    bench.append("job/0.log", lines[400..].join("\n"));
    running.stop();
    let arrived: HashSet<String> = outlet.lines().into_iter().collect();
    let missing: Vec<&String> = lines.iter().filter(|line| !arrived.contains(*line)).collect();
    assert_eq!((missing, outlet.lines().len()), (vec![], 1001));
    bench.start(&outlet).stop();
    assert_eq!(outlet.lines().len(), 1001, "nothing again at the next start");
}

#[test]
fn without_it_an_end_leaves_what_is_not_read() {
    let bench = Bench::with("max_read_bytes = 8");
    let outlet = Catcher::default();
    outlet.refuse(|record| record.identity().position > 0);
    bench.append("a.log", "first 1\nsecond\nthird\n");
    let running = bench.start(&outlet);
    outlet.wait_for_refusals(1);
    running.kill();
    outlet.accept_all();
    bench.start(&outlet).stop_after(&outlet, 3);
    assert_eq!(outlet.lines(), ["first 1", "second", "third"]);
}

#[test]
fn what_is_deleted_as_soon_as_it_is_written_is_read_whole() {
    let bench = Bench::with("include = [\"LOGS*/*/*.log\"]");
    let outlet = Catcher::default();
    let running = bench.start(&outlet);
    for pod in 0..20 {
        let folder = bench.path(&format!("pod-{pod}"));
        fs::create_dir_all(folder.join("app")).unwrap();
        let name = format!("pod-{pod}/app/0.log");
        bench.append(&name, format!("{pod} first\n"));
        // From here on its descriptor is held.
        outlet.wait_for_line(&format!("{pod} first"));
        bench.append(&name, format!("{pod} more\n{pod} last"));
        fs::remove_dir_all(folder).unwrap();
    }
    (0..20).for_each(|pod| outlet.wait_for_line(&format!("{pod} last")));
    running.stop();
    assert_eq!(outlet.lines().len(), 60);
}

#[test]
fn what_is_left_at_an_end_is_told_of_in_bytes_for_each_file() {
    let (bench, outlet) = (Bench::with("drain = \"read_to_end\"\nmax_read_bytes = 4"), Catcher::default());
    outlet.refuse(|record| record.text() != b"1");
    bench.append("a.log", "1\n2\n3\n");
    bench.append("b.log", "4\n");
    bench.append("c.log", "1\n");
    let mut engine = Engine::start(&bench, &outlet);
    engine.settle();
    assert_eq!(engine.left(), [("a.log".to_owned(), 2), ("b.log".to_owned(), 2)]);
    outlet.accept_all();
    engine.settle();
    assert!(engine.left().is_empty());
}
