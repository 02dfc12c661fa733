//! Functions that come with features of the crate: they are there, and do what their names say.

use std::sync::Arc;

use vrl::compiler::TimeZone;

use super::document::Document;
use crate::lang::{
    Admits, Outcome, Runner, Said, Tables, Voice, compile, compile_with, function_names, panic_is_a_fault,
};

#[test]
fn functions_for_hashes_ciphers_and_the_system_are_there() {
    for (program, expected) in [
        (r#"md5("a")"#, r#""0cc175b9c0f1b6a831c399e269772661""#),
        (
            r#"encode_base16(hmac("a", "key", algorithm: "SHA-256"))"#,
            r#""780c3db4ce3de5b9e55816fba98f590631d96c075271b26976238d5f4444219b""#,
        ),
        (r#"slice!(sha2("a", variant: "SHA-256"), 0, 8)"#, r#""ca978112""#),
        (
            r#"decrypt!(encrypt!("a secret", "AES-256-CFB", key: "0123456789abcdef0123456789abcdef", iv: "0123456789abcdef"), "AES-256-CFB", key: "0123456789abcdef0123456789abcdef", iv: "0123456789abcdef")"#,
            r#""a secret""#,
        ),
        (r#"is_integer(seahash("a"))"#, "true"),
        (r#"is_string(xxhash("a")) || is_integer(xxhash("a"))"#, "true"),
        (r#"parse_etld!("www.example.co.uk").etld"#, r#""co.uk""#),
        ("length!(get_hostname!()) > 0", "true"),
        (r#"get_env_var("LEVADA_NOBODY_SETS_THIS") ?? "none""#, r#""none""#),
        (
            r#"parse_user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0").browser.family"#,
            r#""Firefox""#,
        ),
        (r#"parse_groks!("127.0.0.1 GET", ["%{IPV4:ip} %{WORD:verb}"]).verb"#, r#""GET""#),
    ] {
        let source = format!(".r = {program}");
        let compiled = compile(&source, TimeZone::default()).unwrap_or_else(|faults| {
            panic!("{}", faults.iter().map(|fault| fault.rendered.as_str()).collect::<String>())
        });
        let mut record = Document::json("{}");
        let outcome = Runner::new().run(&compiled, &mut record);
        assert_eq!(outcome, Outcome::Changed, "{program}");
        let found = record.event.iter().find(|(key, _)| key == "r").map(|(_, value)| value.as_str());
        assert_eq!(found, Some(expected), "{program}");
    }
}

#[test]
fn functions_that_need_the_network_are_not() {
    let names = function_names();
    for absent in ["dns_lookup", "reverse_dns", "http_request"] {
        assert!(!names.contains(&absent), "{absent}");
    }
    assert!(names.contains(&"find_enrichment_table_records"));
}

/// Admits files as a plan of the platform does, and notes which.
#[derive(Debug, Default)]
struct Asked(std::sync::Mutex<Vec<String>>);

impl Admits for Asked {
    fn admit(&self, path: &std::path::Path) -> Result<(), String> {
        self.0.lock().unwrap().push(path.display().to_string());
        Ok(())
    }
}

#[test]
fn a_panic_of_the_compiler_is_a_fault_at_its_place() {
    let source = r#".r = parse_proto!(.message, "/no/such/file.desc", "a.B")"#;
    let tables = Tables::default().reading(Arc::new(Asked::default()));
    let faults = compile_with(source, TimeZone::default(), &tables).err().expect("it does not compile");
    assert!(faults[0].message.contains("cannot use the file that it names: Failed to open"), "{}", faults[0].message);
    assert_eq!(faults[0].span, 5..16);
    assert!(!panic_is_a_fault(), "on this thread it would be one of ours");
}

#[test]
fn a_function_that_reads_a_file_asks_first() {
    for call in [
        r#"parse_proto!("", "FILE", "a.B")"#,
        r#"encode_proto!({}, desc_file: "FILE", message_type: "a.B")"#,
        r#"validate_json_schema!("{}", "FILE")"#,
        r#"parse_groks!("", ["%{A}"], {}, ["FILE"])"#,
        r#"parse_groks!("", ["%{A}"], alias_sources: ["FILE"])"#,
        r#"parse_etld!("a.b", 1, "FILE")"#,
    ] {
        let source = format!("x = \"/no/such\"\n.r = {}", call.replace("\"FILE\"", "x"));
        for source in [call.replace("FILE", "/no/such"), source] {
            let faults = compile(&source, TimeZone::default()).err().unwrap();
            let told = &faults[0].rendered;
            let is_static = told.contains("a program reads no files here");
            assert!(is_static || told.contains("literal") || told.contains("static"), "{source}: {told}");
            let asked = Arc::new(Asked::default());
            let _compiled = compile_with(&source, TimeZone::default(), &Tables::default().reading(asked.clone()));
            let asked = asked.0.lock().unwrap();
            assert!(
                asked.iter().all(|path| path == "/no/such") && asked.is_empty() != is_static,
                "{source}: {asked:?}"
            );
        }
    }
}

/// Functions whose sources reach beyond the program. A new version of the crate may have more: read it again then.
#[test]
fn the_functions_that_read_files_are_those_of_this_version() {
    let lock = include_str!("../../../Cargo.lock");
    let (_, rest) = lock.split_once("name = \"vrl\"\nversion = \"").unwrap();
    assert!(rest.starts_with("0.35.0\""), "look for files, network, environment and output in its functions");
    for reader in crate::lang::READERS {
        assert!(function_names().contains(&reader), "{reader}");
    }
}

/// What a program said.
#[derive(Debug, Default)]
struct Heard(std::sync::Mutex<Vec<String>>);

impl Voice for Heard {
    fn say(&self, said: &Said<'_>) {
        let said = format!("{} {} {} {}", said.level, said.position, said.rate_limit_secs, said.text);
        self.0.lock().unwrap().push(said);
    }
}

#[test]
fn what_a_program_logs_goes_to_its_voice_alone() {
    let heard = Arc::new(Heard::default());
    let source = "log({\"a\": 1}, level: \"warn\", rate_limit_secs: 60)\nlog(\"x\")";
    let program = compile_with(source, TimeZone::default(), &Tables::default().heard_by(heard.clone())).ok().unwrap();
    assert_eq!(Runner::new().run(&program, &mut Document::json("{}")), Outcome::Unchanged);
    assert_eq!(*heard.0.lock().unwrap(), [r#"warn 0 60 {"a":1}"#, "info 50 1 x"]);
    let silent = compile(source, TimeZone::default()).ok().unwrap();
    assert_eq!(Runner::new().run(&silent, &mut Document::json("{}")), Outcome::Unchanged);
    assert!(compile("log(1, level: \"loud\")", TimeZone::default()).is_err());
}
