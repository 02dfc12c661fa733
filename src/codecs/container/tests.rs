//! The room against lines that runtimes write, and against its corpus.

use super::*;

/// 2026-11-21T01:30:00.123456789Z.
const TIME: i64 = 1_795_224_600_123_456_789;

fn read(line: &str) -> Option<(i64, Stream, bool, String)> {
    let found = parse(line.as_bytes(), &mut Vec::new())?;
    let raw = &line.as_bytes()[found.payload];
    let mut text = Vec::new();
    if found.is_escaped {
        crate::event::json::unescape(raw, &mut text)
    } else {
        text.extend_from_slice(raw)
    }
    Some((found.time, found.stream, found.is_partial, String::from_utf8(text).unwrap()))
}

#[test]
fn lines_of_containerd_and_conmon() {
    let told = |stream, is_partial, text: &str| Some((TIME, stream, is_partial, text.to_owned()));
    let cases = [
        ("2026-11-21T01:30:00.123456789Z stdout F hello world", told(Stream::Stdout, false, "hello world")),
        ("2026-11-21T02:30:00.123456789+01:00 stderr P part", told(Stream::Stderr, true, "part")),
        ("2026-11-20T20:00:00.123456789-05:30 stdout F  two spaces ", told(Stream::Stdout, false, " two spaces ")),
        ("2026-11-21T01:30:00.123456789+00:00 stdout F ", told(Stream::Stdout, false, "")),
        ("2026-11-21T01:30:00.123456789Z stdout F", told(Stream::Stdout, false, "")),
        ("2026-11-21T01:30:00.123456789Z stdout P:more:tags x", told(Stream::Stdout, true, "x")),
        ("2026-11-21T01:30:00.123456789Z stderr F:tag", told(Stream::Stderr, false, "")),
    ];
    for (line, expected) in cases {
        assert_eq!(read(line), expected, "{line}");
    }
    assert_eq!(read("2026-11-21T01:30:00Z stdout F x").unwrap().0, TIME - 123_456_789);
}

#[test]
fn lines_of_docker() {
    let told = |is_partial, text: &str| Some((TIME, Stream::Stderr, is_partial, text.to_owned()));
    let line = |log: &str| format!(r#"{{"log":"{log}","stream":"stderr","time":"2026-11-21T01:30:00.123456789Z"}}"#);
    assert_eq!(read(&line(r"hello\n")), told(false, "hello"));
    assert_eq!(read(&line("part")), told(true, "part"));
    assert_eq!(read(&line(r"\n")), told(false, ""));
    assert_eq!(read(&line(r"a \u003c \ud83d\ude00 \\ \t \n")), told(false, "a < 😀 \\ \t "));
    assert_eq!(read(&line(r"ends with \\n")), told(true, r"ends with \n"), "a backslash and an n");
    assert_eq!(read(&line(r"ends with \\\n")), told(false, r"ends with \"));
    let attrs = r#"{"time":"2026-11-21T01:30:00.123456789Z","attrs":{"a":"b"},"stream":"stderr","log":"x\n"}"#;
    assert_eq!(read(attrs), told(false, "x"), "in any order, with labels");
}

#[test]
fn whatever_else_is_no_line_of_a_runtime() {
    for line in [
        "",
        "plain text",
        "2026-11-21T01:30:00.123456789Z",
        "2026-11-21T01:30:00.123456789Z stdout",
        "2026-11-21T01:30:00.123456789Z stdout ",
        "2026-11-21T01:30:00.123456789Z stdout X text",
        "2026-11-21T01:30:00.123456789Z stdout Full text",
        "2026-11-21T01:30:00.123456789Z stdoutF text",
        "2026-11-21T01:30:00.123456789Z info F text",
        "2026-11-21 01:30:00 stdout F text",
        "1 2 3",
        r#"{"message":"an application's own"}"#,
        r#"{"log":"x\n","stream":"stdout","time":"2026-11-21T01:30:00Z","level":"info"}"#,
        r#"{"log":"x\n","stream":"stdin","time":"2026-11-21T01:30:00Z"}"#,
        r#"{"log":7,"stream":"stdout","time":"2026-11-21T01:30:00Z"}"#,
        r#"{"log":"x\n","stream":"stdout"}"#,
        r#"{"log":"x\n","stream":"stdout","time":"yesterday"}"#,
        r#"{"log":"cut"#,
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/container");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is part of the repository") {
        probe::probe(&std::fs::read(entry.expect("it can be listed").path()).expect("it can be read"));
        files += 1;
    }
    assert!(files > 20, "{files} files in the corpus");
}
