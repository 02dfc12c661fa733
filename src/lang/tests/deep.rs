//! Programs that nest as deeply as they may, on the smallest stack; and one level more.

use std::thread;

use super::document::Document;
use crate::lang::depth::{self, DEEPEST, MOST_DOUBLING};
use crate::lang::{Fault, Outcome, Program, Runner, TimeZone, compile, compile_condition};

/// What threads have by default, lanes and workers among them.
const SMALLEST_STACK: usize = 2 << 20;

/// Each way to nest: a program with so many levels of it.
type Kind = (&'static str, fn(usize) -> String);

const KINDS: [Kind; 17] = [
    ("groups", |n| format!(".a = {}1{}", "(".repeat(n), ")".repeat(n))),
    ("lists", |n| format!(".a = {}{}", "[".repeat(n), "]".repeat(n))),
    ("objects", |n| format!(".a = {}1{}", "{\"a\":".repeat(n), "}".repeat(n))),
    ("calls", |n| format!(".a = {}\"a\"{}", "upcase(".repeat(n), ")".repeat(n))),
    ("calls that may fail", |n| format!(".a = {}.b{}", "string!(".repeat(n), ")".repeat(n))),
    ("blocks", |n| format!(".a = {}1{}", "{\n".repeat(n), "\n}".repeat(n))),
    ("conditions", |n| format!("{}.a = 1{}", "if .b == \"b\" {\n".repeat(n), "\n}".repeat(n))),
    ("closures", |n| format!("{}.a = 1{}", "for_each([1]) -> |_i, v| {\n".repeat(n), "\n}".repeat(n))),
    ("or", |n| format!(".a = {}.b == 1", ".b == 2 ||\n".repeat(n))),
    ("and, to the right", |n| format!(".a = {}true{}", "true && (".repeat(n), ")".repeat(n))),
    ("sums", |n| format!(".a = {}1", "1 + ".repeat(n))),
    ("coalescing", |n| format!(".a = {}1", "int(.b) ?? ".repeat(n))),
    ("not", |n| format!(".a = {}true", "!".repeat(n))),
    ("else", |n| format!("if .b == 0 {{ .a = 1 }}{}", "\nelse if .b == 1 { .a = 2 }".repeat(n))),
    ("assignments", |n| format!("{}1", "a = ".repeat(n))),
    ("templates", |n| format!("v = \"x\"\n.a = \"{}\"", "{{ v }}-".repeat(n))),
    ("paths", |n| format!(".a{} = 1", ".b".repeat(n))),
];

fn deepest(program: fn(usize) -> String) -> usize {
    (1..=DEEPEST + 1).rfind(|levels| depth::check(&program(*levels)).is_ok()).unwrap()
}

fn run(program: &Program) {
    let mut document = Document::json(r#"{"b":"b"}"#);
    let outcome = Runner::new().run(program, &mut document);
    assert!(matches!(outcome, Outcome::Changed | Outcome::Unchanged), "{outcome:?}");
}

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(SMALLEST_STACK).spawn(work).unwrap().join().unwrap();
}

fn shown(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.rendered.as_str()).collect()
}

#[test]
fn the_deepest_program_of_each_kind_is_compiled_run_and_let_go() {
    for (kind, program) in KINDS {
        on_a_small_stack(move || {
            let levels = deepest(program);
            assert!(levels * 4 > DEEPEST || levels == MOST_DOUBLING, "{kind}: only {levels} levels");
            let compiled = compile(&program(levels), TimeZone::default());
            let compiled = compiled.unwrap_or_else(|faults| panic!("{kind}: {}", shown(&faults)));
            run(&compiled);
        });
    }
}

#[test]
fn a_deeper_program_is_a_fault_at_its_place() {
    for (kind, program) in KINDS {
        for levels in [deepest(program) + 1, 2_000, 100_000] {
            let source = program(levels);
            let faults = compile(&source, TimeZone::default()).err().unwrap();
            assert!(faults[0].message.contains("nests too deeply"), "{kind}: {}", shown(&faults));
            assert!(faults[0].span.start > 0 && faults[0].span.end <= source.len(), "{kind}: {:?}", faults[0].span);
        }
    }
    let condition = format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000));
    assert!(compile_condition(&condition, TimeZone::default()).err().unwrap()[0].message.contains("too deeply"));
}

#[test]
fn kinds_that_nest_in_each_other_count_together() {
    let chain = |inner: &str, n: usize| format!("({inner}){}", " || .b == 1".repeat(n));
    let tower = |height: usize, n: usize| (0..height).fold("true".to_owned(), |inner, _| chain(&inner, n));
    assert!(depth::check(&tower(10, 15)).is_ok());
    assert!(depth::check(&tower(10, 20)).is_err(), "ten chains of twenty");
}

#[test]
fn what_stands_beside_each_other_does_not_add_up() {
    let long = |line: &str| line.repeat(2_000);
    for source in [
        long(".a = (.b == 1) || .c.d[0] > (3 + 4) * 2\n"),
        long("if .a == 1 { .b = upcase!(.c) } else { .b = 2 }\n"),
        format!("[{}]", long("(1), ")),
        format!("# {}\n.a = 1", long("((((")),
        format!(".a = \"{}\"", long("((( || \\\" ")),
        format!(".a = s'{}'; .b = r'{}'; .c = 'ж'", long("((( || \\' "), long("[[[ \\'")),
        format!(".a = \"ж\" # {}", long("ж(")),
    ] {
        assert!(depth::check(&source).is_ok(), "{}", &source[..60]);
    }
}
