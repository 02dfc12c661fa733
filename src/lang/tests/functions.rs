//! Functions that come with features of the crate: they are there, and do what their names say.

use vrl::compiler::TimeZone;

use super::document::Document;
use crate::lang::{Outcome, Runner, compile, function_names};

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

#[test]
fn a_program_that_names_a_file_that_is_not_there_is_a_fault_and_no_panic() {
    let source = r#".r = parse_proto!(.message, "/no/such/file.desc", "a.B")"#;
    let faults = compile(source, TimeZone::default()).err().expect("it does not compile");
    assert!(faults[0].message.contains("cannot read the file"), "{}", faults[0].message);
}
