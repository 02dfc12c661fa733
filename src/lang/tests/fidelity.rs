//! What a program did not change keeps its bytes, and a program that does not end well changes nothing.

use super::document::Document;
use crate::lang::{Dropped, Outcome, Runner, TimeZone, compile, compile_condition, mark_dropped};

fn run(source: &str, record: &mut Document) -> Outcome {
    let program = compile(source, TimeZone::default()).unwrap();
    Runner::new().run(&program, record)
}

fn after(source: &str, json: &str) -> String {
    let mut record = Document::json(json);
    run(source, &mut record);
    record.render()
}

#[test]
fn untouched_text_survives() {
    let id = r#"{"id":12345678901234567890,"f":1.10,"s":"\u0041\/"}"#;
    let cases = [
        (r#". = merge(., {"a":1})"#, r#"{"id":12345678901234567890,"f":1.10,"s":"\u0041\/","a":1}"#),
        (r#". |= {"f":2}"#, r#"{"id":12345678901234567890,"f":2,"s":"\u0041\/"}"#),
        (".b = 1; .a = 2", r#"{"id":12345678901234567890,"f":1.10,"s":"\u0041\/","b":1,"a":2}"#),
        (r#". = {"id": .id, "n": 1}"#, r#"{"id":12345678901234567890,"n":1}"#),
        ("del(.f); . = map_values(.) -> |v| { v }", r#"{"id":12345678901234567890,"s":"\u0041\/"}"#),
        (
            ".all = encode_json(keys(.))",
            r#"{"id":12345678901234567890,"f":1.10,"s":"\u0041\/","all":"[\"f\",\"id\",\"s\"]"}"#,
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(after(source, id), expected, "{source}");
    }
    assert_eq!(
        after(".o.a = 1", r#"{"o":{"n":12345678901234567890, "a" : 0}}"#),
        r#"{"o":{"n":12345678901234567890,"a" : 1}}"#
    );
}

#[test]
fn equal_values_are_no_change() {
    for source in
        [".a = int!(.a)", ".b = upcase!(.b)", ". = merge(., {\"a\": 1})", "del(.zzz)", "x = .a", ".o.p = [1.0]"]
    {
        let mut record = Document::json(r#"{"a":1,"b":"X","o":{"p":[1.0]}}"#);
        assert_eq!(run(source, &mut record), Outcome::Unchanged, "{source}");
    }
    let mut line = Document::text("as \"it\" is");
    assert_eq!(run(".message = string!(.message)", &mut line), Outcome::Unchanged);
    assert_eq!(line.line.as_deref(), Some("as \"it\" is"));
}

#[test]
fn only_what_is_read_is_asked_for() {
    let mut record = Document::json(r#"{"a":1,"b":2,"c":{"d":3},"e":5}"#);
    run("if .a == 2 { .b = .e }\n.new = .c.d", &mut record);
    let mut asked = record.asked.borrow().clone();
    asked.sort();
    assert_eq!(asked, ["a", "c"]);
}

#[test]
fn a_program_that_stops_changes_nothing() {
    for source in [".a = 2\nabort", "del(.a); . = {}; abort \"why\"", ".a.b = 1\n.c = parse_int!(.s)", "%m = 1\nabort"]
    {
        let mut record = Document::json(r#"{"a":1,"s":"x"}"#);
        let outcome = run(source, &mut record);
        assert!(matches!(outcome, Outcome::Aborted(_) | Outcome::Failed(_)), "{source}");
        assert_eq!((record.render().as_str(), record.metadata.len()), (r#"{"a":1,"s":"x"}"#, 0), "{source}");
    }
    let mut line = Document::text(r#"{"a":1}"#);
    assert_eq!(run(". = parse_json!(.message)\n.b = 1\nabort \"no\"", &mut line), Outcome::Aborted("no".to_owned()));
    assert_eq!(line.line.as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn a_number_beyond_every_type_fails_in_the_words_of_vrl() {
    let mut record = Document::json(r#"{"n":1e999,"a":1}"#);
    assert_eq!(run(".a = 2", &mut record), Outcome::Changed);
    assert!(matches!(run(".a = .n", &mut record), Outcome::Failed(text) if text.starts_with("`n` cannot be read")));
}

#[test]
fn a_list_makes_several_records() {
    let program = compile(". = unnest!(.l)", TimeZone::default()).unwrap();
    let mut runner = Runner::new();
    assert_eq!(runner.run(&program, &mut Document::json(r#"{"l":[1,2],"k":"v"}"#)), Outcome::Many);
    assert_eq!(runner.parts().collect::<Vec<_>>(), [&br#"{"k":"v","l":1}"#[..], br#"{"k":"v","l":2}"#]);
    let scalars = compile(". = [1, {\"a\": 2}]", TimeZone::default()).unwrap();
    runner.run(&scalars, &mut Document::json("{}"));
    assert_eq!(runner.parts().collect::<Vec<_>>(), [&br#"{"message":1}"#[..], br#"{"a":2}"#]);
}

#[test]
fn constants_that_open_a_program_are_appended_in_order() {
    let source = ".env = \"p\\\"q\"\n.a = null\n.f = 1.50\n.z = .b\n.y = true";
    assert_eq!(after(source, r#"{"b":1,"a":2}"#), r#"{"b":1,"a":null,"env":"p\"q","f":1.5,"z":1,"y":true}"#);
    assert_eq!(after(".a = 1\n.all = keys(.)", "{}"), r#"{"a":1,"all":["a"]}"#);
}

#[test]
fn one_runner_serves_any_program() {
    let mut runner = Runner::new();
    for (source, expected) in [
        ("x = .a\n.b = x", r#"{"a":1,"b":1}"#),
        (". = {\"n\": .a}", r#"{"n":1}"#),
        (".c.d = .zz", r#"{"a":1,"c":{"d":null}}"#),
    ] {
        let mut record = Document::json(r#"{"a":1}"#);
        runner.run(&compile(source, TimeZone::default()).unwrap(), &mut record);
        assert_eq!(record.render(), expected, "{source}");
    }
}

#[test]
fn programs_are_shared_between_lanes() {
    fn shared<T: Send + Sync>(_: &T) {}
    fn moved<T: Send>(_: T) {}
    shared(&compile("", TimeZone::default()).unwrap());
    shared(&compile_condition("true", TimeZone::default()).unwrap());
    moved(Runner::new());
}

#[test]
fn metadata_is_read_and_written() {
    let mut record = Document::json("{}");
    record.metadata = super::document::members(r#"{"t":"x"}"#);
    run(".topic = %t\n%seen = true\ndel(%t)", &mut record);
    assert_eq!(record.render(), r#"{"topic":"x"}"#);
    assert_eq!(record.metadata, [("seen".to_owned(), "true".to_owned())]);
}

#[test]
fn conditions_are_boolean_and_change_nothing() {
    let mut runner = Runner::new();
    let debug = compile_condition(".level == \"debug\" || exists(.drop)", TimeZone::default()).unwrap();
    assert_eq!(runner.check(&debug, &Document::json(r#"{"level":"debug"}"#)), Ok(true));
    assert_eq!(runner.check(&debug, &Document::json(r#"{"level":"info"}"#)), Ok(false));
    let fails = compile_condition("parse_int!(.n) > 1", TimeZone::default()).unwrap();
    assert!(runner.check(&fails, &Document::json(r#"{"n":"x"}"#)).unwrap_err().contains("parse_int"));
    for source in [".level", ".a = true", "del(.a) == 1", "\"text\""] {
        assert!(compile_condition(source, TimeZone::default()).is_err(), "{source}");
    }
}

#[test]
fn faults_point_into_the_source() {
    let source = ".a = 1\n.b = parse_int(.c)\n.d = nope()";
    let faults = compile(source, TimeZone::default()).err().unwrap();
    let told: Vec<_> = faults.iter().map(|fault| (fault.code, &source[fault.span.clone()])).collect();
    assert_eq!(told, [(103, "parse_int(.c)"), (105, "nope")]);
    assert!(faults.iter().all(|fault| fault.rendered.contains("error[E")));
    assert!(faults[0].rendered.contains("try: ") || !faults[0].notes.is_empty());
    let warned = compile(".a = 1\n\"unused\"\n.b = 2", TimeZone::default()).unwrap();
    assert_eq!(&".a = 1\n\"unused\"\n.b = 2"[warned.warnings()[0].span.clone()], "\"unused\"");
}

#[test]
fn dropped_records_say_why() {
    let mut record = Document::json(r#"{"a":1,"metadata":{"n":1.10}}"#);
    mark_dropped(&mut record, &Dropped { reason: "abort", message: "no", component_id: "work" });
    let told = r#"{"component_id":"work","component_kind":"transform","component_type":"remap","message":"no","reason":"abort"}"#;
    assert_eq!(record.render(), format!(r#"{{"a":1,"metadata":{{"n":1.10,"dropped":{told}}}}}"#));
}
