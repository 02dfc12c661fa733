//! Tables that programs look things up in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use crate::lang::{Format, Outcome, Runner, Sheet, Table, Tables, TimeZone, compile_with};

const OWNERS: &str = "service,team,tier,since\nbilling,red,1,2026-01-01\nsearch,blue,2,2026-02-01\n\"a, b\",red,3,2026-03-01\n*,ops,9,2026-04-01\n";

fn format() -> Format {
    let types = [("tier", "integer"), ("since", "date")].map(|(name, of)| (name.to_owned(), of.to_owned()));
    Format { has_headers: true, delimiter: b',', types: BTreeMap::from(types) }
}

fn owners() -> Tables {
    let sheet = Sheet::read(OWNERS.as_bytes(), &format()).unwrap();
    Tables::new([("owners".to_owned(), Arc::new(Table::of(sheet)))])
}

/// What the program makes of `.r`, or its fault.
fn result(tables: &Tables, program: &str) -> Result<String, String> {
    let source = format!(".r = {program}");
    let program = compile_with(&source, TimeZone::default(), tables)
        .map_err(|faults| faults.into_iter().map(|fault| fault.rendered).collect::<Vec<_>>().join("\n"))?;
    let mut record = Document::json(r#"{"service":"search","n":2}"#);
    match Runner::new().run(&program, &mut record) {
        Outcome::Failed(message) => Err(message),
        _ => Ok(record.event.iter().find(|(key, _)| key == "r").map(|(_, value)| value.clone()).unwrap_or_default()),
    }
}

#[test]
fn one_row_is_found_by_what_its_columns_hold() {
    let tables = owners();
    let found = |program: &str| result(&tables, program);
    assert_eq!(
        found(r#"get_enrichment_table_record!("owners", {"service": .service})"#).unwrap(),
        r#"{"service":"search","since":"2026-02-01T00:00:00Z","team":"blue","tier":2}"#
    );
    assert_eq!(
        found(r#"get_enrichment_table_record!("owners", {"tier": .n}, select: ["team"])"#).unwrap(),
        r#"{"team":"blue"}"#
    );
    assert!(found(r#"get_enrichment_table_record!("owners", {"service": "none"})"#).unwrap_err().contains("no rows"));
    assert!(found(r#"get_enrichment_table_record!("owners", {"team": "red"})"#).unwrap_err().contains("more than one"));
}

#[test]
fn rows_are_found_by_several_conditions_by_times_and_whatever_the_case() {
    let tables = owners();
    let services = |condition: &str| {
        let program = format!(r#"find_enrichment_table_records!("owners", {condition}, select: ["service"])"#);
        result(&tables, &program).unwrap().replace("{\"service\":", "").replace('}', "")
    };
    assert_eq!(services(r#"{"team": "red"}"#), r#"["billing","a, b"]"#);
    assert_eq!(services(r#"{"team": "RED"}"#), "[]");
    let program = r#"find_enrichment_table_records!("owners", {"team": "RED"}, ["tier"], case_sensitive: false)"#;
    assert_eq!(result(&tables, program).unwrap(), r#"[{"tier":1},{"tier":3}]"#);
    let span = r#"{"since": {"from": t'2026-02-01T00:00:00Z', "to": t'2026-03-01T00:00:00Z'}}"#;
    assert_eq!(services(span), r#"["search","a, b"]"#);
    assert_eq!(services(r#"{"team": "red", "since": {"from": t'2026-02-01T00:00:00Z'}}"#), r#"["a, b"]"#);
    let wild = r#"find_enrichment_table_records!("owners", {"service": "new"}, ["team"], wildcard: "*")"#;
    assert_eq!(result(&tables, wild).unwrap(), r#"[{"team":"ops"}]"#);
}

#[test]
fn what_is_not_there_is_told_when_the_program_is_compiled() {
    let fault = |program: &str| result(&owners(), program).unwrap_err();
    assert!(fault(r#"get_enrichment_table_record!("nobody", {"a": 1})"#).contains("owners"), "it names the tables");
    assert!(fault(r#"get_enrichment_table_record!("owners", {"colour": 1})"#).contains("`service`, `team`"));
    assert!(fault(r#"get_enrichment_table_record!("owners", .x)"#).contains("object"));
    // Names are enough to tell whether a program compiles.
    let named = Tables::named(["owners".to_owned()]);
    let unloaded = result(&named, r#"get_enrichment_table_record!("owners", {"colour": 1})"#).unwrap_err();
    assert!(unloaded.contains("not loaded"), "{unloaded}");
}

#[test]
fn a_new_sheet_is_seen_by_programs_that_were_compiled_before() {
    let tables = owners();
    let program = r#"get_enrichment_table_record!("owners", {"service": .service}, ["team"])"#;
    assert_eq!(result(&tables, program).unwrap(), r#"{"team":"blue"}"#);
    let table = tables.get("owners").unwrap();
    let sheet = |text: &str| Sheet::read(text.as_bytes(), &Format { types: BTreeMap::new(), ..format() }).unwrap();
    table.replace(sheet("team,service\ngreen,search\n")).unwrap();
    assert_eq!(result(&tables, program).unwrap(), r#"{"team":"green"}"#);
    let error = table.replace(sheet("team,name\nblack,search\n")).unwrap_err();
    assert!(error.contains("no column `service`"), "{error}");
    assert_eq!(result(&tables, program).unwrap(), r#"{"team":"green"}"#, "it is as it was");
}

#[test]
fn faults_of_a_file_name_the_line() {
    let fault = |text: &str, format: Format| Sheet::read(text.as_bytes(), &format).unwrap_err();
    assert_eq!(
        fault("service,team,tier,since\nx,y,many,2026-01-01\n", format()),
        "line 2, column `tier`: Invalid integer \"many\": invalid digit found in string"
    );
    assert!(fault("service,team,tier,since\nx,y,1,1.1.2026\n", format()).contains("`1.1.2026` is no date"));
    assert!(fault("a,b\n1\n", Format { types: BTreeMap::new(), ..format() }).contains("line: 2"));
    assert!(fault("a,b\n", format()).contains("names a column `since`"));
    assert!(Sheet::read(b"a\n\xff\n", &Format { types: BTreeMap::new(), ..format() }).is_err());
    let types = BTreeMap::from([("a".to_owned(), "colour".to_owned())]);
    assert_eq!(Format { types, ..format() }.faults().len(), 1);
    let plain = Format { has_headers: false, delimiter: b';', types: BTreeMap::new() };
    let sheet = Sheet::read("\u{feff}x;1\ny;2\n".as_bytes(), &plain).unwrap();
    assert_eq!((sheet.len(), Table::of(sheet).columns()), (2, Some(vec!["0".to_owned(), "1".to_owned()])));
    assert!(Sheet::read(b"", &plain).unwrap().is_empty());
}
