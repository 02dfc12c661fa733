//! Input that nobody wishes for.

use std::fs;

use super::{Bench, errors};
use crate::component::test_kit::Catcher;
use crate::event::Form;

#[test]
fn binary_nul_and_endless_lines_pass() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    let mut long = "é".repeat(5 << 20).into_bytes();
    long.push(b'\n');
    bench.append("a.log", [&b"\0\0\0\n\xFF\xFE\x80\n"[..], b"x", &long, b"after\n"].concat());
    let running = bench.start(&outlet);
    outlet.wait_for(4);
    running.stop();
    let caught = outlet.caught();
    assert_eq!(caught[0].text, b"\0\0\0");
    assert_eq!(caught[1].text, b"\xFF\xFE\x80");
    assert_eq!(caught[2].text.len(), (1 << 20) - 1, "cut before the character that crosses the limit");
    assert!(caught[2].is_truncated && std::str::from_utf8(&caught[2].text).is_ok());
    assert_eq!((&caught[3].text[..], caught[3].is_truncated), (&b"after"[..], false));
}

#[test]
fn a_line_of_exactly_the_limit_is_whole() {
    let bench = Bench::with("max_line_bytes = 8\nmax_read_bytes = 3");
    let outlet = Catcher::default();
    bench.append("a.log", "12345678\n123456789\n1\n");
    let running = bench.start(&outlet);
    outlet.wait_for(3);
    running.stop();
    let seen: Vec<_> = outlet.caught().into_iter().map(|caught| (caught.text, caught.is_truncated)).collect();
    assert_eq!(seen, [(b"12345678".to_vec(), false), (b"12345678".to_vec(), true), (b"1".to_vec(), false)]);
}

#[test]
fn what_is_not_json_is_kept_and_counted() {
    let bench = Bench::with("decoding.codec = \"json\"");
    let outlet = Catcher::default();
    let deep = "[".repeat(100_000);
    bench.append("a.log", format!("{{\"a\":\"\\ud800\"}}\n{{\"a\":{deep}\nplain\n[1]\n{{\"a\":1}}\n"));
    let running = bench.start(&outlet);
    outlet.wait_for(5);
    let forms: Vec<Form> = outlet.caught().iter().map(|caught| caught.form).collect();
    assert_eq!(forms, [Form::Text, Form::Text, Form::Text, Form::Text, Form::Json]);
    assert!(errors(&running.families, "not_json") >= 1.0);
}

#[test]
fn a_path_that_cannot_be_read_does_not_hold_the_others() {
    let bench = Bench::new();
    let outlet = Catcher::default();
    std::os::unix::fs::symlink(bench.path("loop.log"), bench.path("loop.log")).unwrap();
    fs::create_dir(bench.path("folder.log")).unwrap();
    bench.append("empty.log", "");
    bench.append("z.log", "one\n");
    let running = bench.start(&outlet);
    outlet.wait_for_line("one");
    assert!(errors(&running.families, "unreadable") >= 1.0);
    fs::remove_file(bench.path("loop.log")).unwrap();
    bench.append("loop.log", "now it can be read\n");
    outlet.wait_for_line("now it can be read");
    fs::remove_file(bench.path("empty.log")).unwrap();
    bench.append("empty.log", "not empty\n");
    outlet.wait_for_line("not empty");
    running.stop();
    assert_eq!(outlet.lines().len(), 3);
}
