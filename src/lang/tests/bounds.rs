//! Programs that would take all memory or time, and those that only look so.

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, ExpressionError, TargetValue, TimeZone};
use vrl::value::{ObjectMap, Secrets, Value};

use super::document::Document;
use crate::lang::functions::FUNCTIONS;
use crate::lang::{Condition, Outcome, Program, Runner, compile, compile_condition};

fn compiled(source: &str) -> Program {
    compile(source, TimeZone::default()).unwrap_or_else(|faults| {
        let shown: String = faults.iter().map(|fault| fault.rendered.as_str()).collect();
        panic!("{source}\n{shown}")
    })
}

fn run(source: &str, record: &str) -> (Outcome, String) {
    let mut document = Document::json(record);
    let outcome = Runner::new().run(&compiled(source), &mut document);
    (outcome, document.render())
}

/// 17 MiB of zeros, compressed.
fn bomb() -> String {
    use base64::Engine;
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut out, &vec![0; 17 << 20]).unwrap();
    base64::engine::general_purpose::STANDARD.encode(out.finish().unwrap())
}

fn lines(line: &str, count: usize) -> String {
    format!("{line}\n").repeat(count)
}

#[test]
fn an_index_that_is_too_large_is_a_fault_at_its_place() {
    for source in [
        ".a = 1\n.b[99999999999] = 1",
        ".a = 1\nx = []\nx[10001] = 1",
        ".a = 1\nx[-99999999999] = 1",
        ".a = 1\n%b[0].c[10001] = 1",
        ".a = 1\n.b[10001], err = 1 / .c",
        ".a = [{ \"b\": (.b[99999999999] = 1) }]",
    ] {
        let faults = compile(source, TimeZone::default()).err().unwrap();
        let at = source.find("99999999999").or(source.find("10001")).unwrap();
        assert!(faults[0].message.contains("too large: at most 10000"), "{source}: {}", faults[0].message);
        assert!(faults[0].span.contains(&(at - 2)), "{source}: {:?}", faults[0].span);
    }
    assert!(compile_condition("x[10001] = 1; true", TimeZone::default()).is_err());
    let (outcome, after) = run(".b[3] = 1\nx = []\nx[-2] = 1\n.x = x", "{}");
    assert_eq!((outcome, after.as_str()), (Outcome::Changed, r#"{"b":[null,null,null,1],"x":[1,null]}"#));
}

#[test]
fn types_that_the_compiler_could_not_hold_are_a_fault() {
    for line in ["x = [x, x]", "x = {\"a\": x, \"b\": x}", ". = {\"a\": ., \"b\": .}", ".a = [.a, .a]", "x = [x]"] {
        for source in [lines(line, 1000), format!("if true {{\n{}}}", lines(line, 1000))] {
            let source = format!("x = .x\n{source}");
            let faults = compile(&source, TimeZone::default()).err().unwrap();
            assert!(faults[0].message.contains("too many known members"), "{line}: {}", faults[0].message);
        }
    }
    for line in [
        ".a = push(array!(.a), .b)",
        ".k.l = object!(.k.l)",
        ". = merge(., {\"a\": 1})",
        ".b = {\"a\": .a, \"b\": .c}",
        "x = x + x",
    ] {
        let source = format!("x = 1\n.a = []\n{}", lines(line, 60));
        let parsed = vrl::parser::parse(&source).unwrap();
        assert!(crate::lang::shape::check(&source, &parsed).is_ok(), "{line}");
    }
}

#[test]
fn a_program_that_makes_too_much_fails_and_leaves_the_record() {
    let eight = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
    let nested = (0..12).fold("1".to_owned(), |inner, _| format!("for_each({eight}) -> |_i, v| {{ {inner} }}"));
    for (why, source) in [
        ("16 MiB", lines(".x = string!(.x) + string!(.x)", 40)),
        ("16 MiB", format!("x = string!(.x)\n{}.y = x", lines("x = x + x", 40))),
        ("16 MiB", format!("x = string!(.x)\nif true {{\n{}}}\n.y = x", lines("x = x + x", 40))),
        ("16 MiB", format!("x = string!(.x)\n{}.y = x", lines("x = \"{{ x }}{{ x }}\"", 40))),
        ("16 MiB", ".y = \"a\" * 1000000000000".to_owned()),
        ("16 MiB", ".y = \"a\" * int!(.n)".to_owned()),
        ("16 MiB", ".y = int!(.n) * \"a\"".to_owned()),
        ("16 MiB", ".y = \"a\" * (int!(.n) + 1)".to_owned()),
        ("not written", ".y, e = .x * .n\nif e != null { abort to_string(e) }".to_owned()),
        ("not written", "x = string!(.x)\nn = int!(.n)\n.y = x * n".to_owned()),
        ("16 MiB", "x = string!(.x)\n.y = x * 1000000000".to_owned()),
        ("16 MiB", "x = .x\nfor_each(array!(.l)) -> |_i, _v| { x = [x, x] }\n.y = x".to_owned()),
        ("16 MiB", "for_each(array!(.l)) -> |_i, _v| { . = {\"a\": ., \"b\": .} }".to_owned()),
        ("too much", format!(".y = 0\n{nested}")),
        (
            "too much",
            format!(
                "a = {eight}\nfor_each(a) -> |_i, _v| {{ a = append(a, a); for_each(a) -> |_j, _w| {{ for_each(a) -> |_k, _u| {{ a }} }} }}"
            ),
        ),
        ("16 MiB", format!("x = string!(.x)\n{}.y = replace(x, \"x\", x)", lines("x = x + x", 14))),
        ("16 MiB", format!("x = string!(.x)\n{}.y = replace(x, r'x', \"$0 \" + x)", lines("x = x + x", 14))),
        ("16 MiB", format!("x = string!(.x)\n{}.y = join!(split(x, \"\"), x)", lines("x = x + x", 14))),
        ("too large", ".y = set!({}, [\"a\", .n], 1)".to_owned()),
        ("16 MiB", format!(".y = decode_zlib!(decode_base64!(\"{}\"))", bomb())),
        ("16 MiB", ".y = decode_snappy!(decode_base16!(\"ffffffff0f00\"))".to_owned()),
        ("16 MiB", ".y = decode_lz4!(decode_base16!(\"ffffffff00\"), prepended_size: true)".to_owned()),
        ("16 MiB", ".y = decode_lz4!(\"abc\", buf_size: int!(.n))".to_owned()),
        ("256 levels", ".y = unflatten(object_from_array!([[\"a.\" * 100000, 1]]))".to_owned()),
        ("256 levels", ".y = unflatten(object_from_array!([[\"a-\" * 100000, 1]]), separator: \"-\")".to_owned()),
        ("256 levels", ".y = parse_ruby_hash!(\"{\\\"a\\\"=>\" * 100000)".to_owned()),
        ("256 levels", ".y = parse_xml!(\"<a>\" * 100000 + \"</a>\" * 100000)".to_owned()),
        ("256 levels", "x = []\nfor_each(array!(.l)) -> |_i, _v| { x = [x] }\n.y = x".to_owned()),
        ("256 levels", "for_each(array!(.l)) -> |_i, _v| { .x = [.x] }".to_owned()),
    ] {
        let list = vec!["0"; 400].join(",");
        let record = format!(r#"{{"x":"xxxxxxxx","n":1000000000000,"l":[{list}]}}"#);
        let (outcome, after) = run(&source, &record);
        let (Outcome::Failed(told) | Outcome::Aborted(told)) = outcome else { panic!("{source}: {outcome:?}") };
        assert!(told.contains(why), "{source}: {told}");
        assert_eq!(after, record, "{source}");
    }
}

#[test]
fn no_coalescing_hides_that_it_was_too_much() {
    let double = "x = string!(parse_json(x + x) ?? (x + x))";
    let source = format!("x = \"xxxxxxxx\"\n{}.y = parse_json(x) ?? 1", lines(double, 40));
    let (outcome, after) = run(&source, "{}");
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert_eq!(after, "{}");
}

#[test]
fn a_condition_that_makes_too_much_is_not_met() {
    let source = format!("x = \"xxxxxxxx\"\n{}length(x) > 0", lines("x = x + x", 40));
    let condition: Condition = compile_condition(&source, TimeZone::default()).ok().unwrap();
    let told = Runner::new().check(&condition, &Document::json("{}")).unwrap_err();
    assert!(told.contains("16 MiB"), "{told}");
    let fine = compile_condition(".a == 1", TimeZone::default()).ok().unwrap();
    assert_eq!(Runner::new().check(&fine, &Document::json(r#"{"a":1}"#)), Ok(true), "the next run has its own");
}

#[test]
fn numbers_and_short_texts_multiply_as_ever() {
    for (source, expected) in [
        (".r = (int!(.a) + 1) * 1000000000", "4000000000"),
        ("d = int!(.a)\n.r = {\"ms\": [d * 1000]}", r#"{"ms":[3000]}"#),
        (".r = (.a * 1000000000000) ?? 0", "3000000000000"),
        (".r = (to_int(.a) ?? 0) * 2", "6"),
        (".r = to_float(.a) * 1.5 ?? 0", "4.5"),
        (".r = \"-\" * 5", r#""-----""#),
        (".r = \"ab\" * int!(.a)", r#""ababab""#),
        (".r = (int!(.a) - 1) * \"ab\"", r#""abab""#),
        ("t = upcase(string!(.t))\n.r = t * 2", r#""XX""#),
        (".r = .a * .a * 2 ?? 0", "18"),
        (".r = replace(\"a.b.c\", \".\", \"\", count: 1)", r#""ab.c""#),
        (".r = replace(\"John Doe\", r'(\\w+) (\\w+)', \"$2 $1\")", r#""Doe John""#),
        (".r = replace(\"abc\", \"\", \"-\")", r#""-a-b-c-""#),
        (".r = join!([\"a\", \"b\"], \", \")", r#""a, b""#),
        (".r = decode_zlib!(encode_zlib!(\"aaa\"))", r#""aaa""#),
    ] {
        let (outcome, after) = run(source, r#"{"a":3,"t":"x"}"#);
        assert_eq!(outcome, Outcome::Changed, "{source}");
        assert_eq!(after, format!(r#"{{"a":3,"t":"x","r":{expected}}}"#), "{source}");
    }
}

/// What VRL itself makes of a program.
fn unbounded(source: &str, input: &str) -> Result<Value, String> {
    let program = vrl::compiler::compile(source, &vrl::stdlib::all()).map_err(|faults| format!("{faults:?}"))?.program;
    let value: Value = serde_json::from_str::<serde_json::Value>(input).unwrap().into();
    let mut target = TargetValue { value, metadata: Value::Object(ObjectMap::new()), secrets: Secrets::new() };
    program
        .resolve(&mut Context::new(&mut target, &mut RuntimeState::default(), &TimeZone::default()))
        .or_else(returned)
        .map_err(|error| crate::lang::runner::message(&error))
}

fn returned(error: ExpressionError) -> Result<Value, ExpressionError> {
    if let ExpressionError::Return { value, .. } = error { Ok(value) } else { Err(error) }
}

#[test]
fn every_example_of_every_function_gives_what_it_gives_without_bounds() {
    let mut compared = 0;
    for example in FUNCTIONS.iter().flat_map(|function| function.examples()) {
        if example.skip || !example.deterministic || example.source.contains("get_hostname") {
            continue;
        }
        let input = example.input.unwrap_or("{}");
        let Ok(program) = compile(example.source, TimeZone::default()) else {
            // It names a file.
            let reads = crate::lang::READERS.iter().any(|name| example.source.contains(name));
            let compiles = || vrl::compiler::compile(example.source, &vrl::stdlib::all()).is_ok();
            assert!(reads || !compiles(), "{}", example.source);
            continue;
        };
        let record = Document::json(input);
        let ours = Runner::new().value_of(&program, &record);
        assert_eq!(ours, unbounded(example.source, input), "{}", example.source);
        compared += 1;
    }
    assert!(compared > 400, "only {compared} examples");
}
