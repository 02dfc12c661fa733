//! The room against examples, and against its corpus; `model` compares it with `serde_json` at random.

mod model;

use super::*;
use FaultKind::{
    ControlCharacter, ExpectedColon, ExpectedCommaOrBrace, ExpectedCommaOrBracket, ExpectedDigit, ExpectedHex,
    ExpectedKey, ExpectedValue, InvalidUtf8, LeadingZero, LoneSurrogate, NotAnObject, TooDeep, TrailingBytes,
    UnexpectedEnd, UnknownEscape,
};
use Segment::{Field, Index};
use std::ops::Range;

fn nested(open: &str, middle: &str, close: &str, depth: usize) -> Vec<u8> {
    [open.repeat(depth), middle.into(), close.repeat(depth)].concat().into_bytes()
}

fn set(value: &str, path: &[Segment<'_>], new: &str) -> String {
    let mut out = b"before".to_vec();
    splice_set(value.as_bytes(), path, new.as_bytes(), &mut out);
    String::from_utf8(out.split_off(6)).unwrap()
}

fn removed(value: &str, path: &[Segment<'_>]) -> Option<String> {
    let mut out = b"before".to_vec();
    let found = splice_remove(value.as_bytes(), path, &mut out);
    let written = String::from_utf8(out.split_off(6)).unwrap();
    assert!(found || written.is_empty());
    found.then_some(written)
}

#[test]
fn faults_say_what_and_where() {
    let cases: &[(&[u8], usize, FaultKind)] = &[
        (b"", 0, NotAnObject),
        (b"  [1]", 2, NotAnObject),
        (b"\xef\xbb\xbf{}", 0, NotAnObject),
        (b"{", 1, UnexpectedEnd),
        (b"{\"a\":tru", 8, UnexpectedEnd),
        (b"{\"a\":trux}", 5, ExpectedValue),
        (b"{\"a\":}", 5, ExpectedValue),
        (b"{\"a\":1,}", 7, ExpectedKey),
        (b"{a:1}", 1, ExpectedKey),
        (b"{\"a\" 1}", 5, ExpectedColon),
        (b"{\"a\":1 \"b\":2}", 7, ExpectedCommaOrBrace),
        (b"{\"a\":{\"b\":1]}", 11, ExpectedCommaOrBrace),
        (b"{\"a\":[1}}", 7, ExpectedCommaOrBracket),
        (b"{\"a\":[1,]}", 8, ExpectedValue),
        (b"{\"a\":-}", 6, ExpectedDigit),
        (b"{\"a\":1.}", 7, ExpectedDigit),
        (b"{\"a\":1e+}", 8, ExpectedDigit),
        (b"{\"a\":123456789012345.}", 21, ExpectedDigit),
        (b"{\"a\":+1}", 5, ExpectedValue),
        (b"{\"a\":-012}", 6, LeadingZero),
        (b"{\"a\":01234567890123456789}", 5, LeadingZero),
        (b"{\"a\":\"b\nc\"}", 7, ControlCharacter),
        (b"{\"a\":\"\\\x00\"}", 7, UnknownEscape),
        (b"{\"a\":\"\\x41\"}", 7, UnknownEscape),
        (b"{\"a\":\"\\u00g0\"}", 10, ExpectedHex),
        (b"{\"a\":\"\\ud800\"}", 6, LoneSurrogate),
        (b"{\"a\":\"\\ud800\\u0041\"}", 6, LoneSurrogate),
        (b"{\"a\":\"\\ude00\"}", 6, LoneSurrogate),
        (b"{\"a\":\"\\ud83d\\ude0", 17, UnexpectedEnd),
        (b"{\"a\":1}\0", 7, TrailingBytes),
        (b"{\"a\":1}{}", 7, TrailingBytes),
        (b"{\"a\":\"x\xffy\"}", 7, InvalidUtf8),
        (b"{\"a\":\"\xed\xa0\x80\"}", 6, InvalidUtf8),
    ];
    for &(text, at, kind) in cases {
        let mut members = vec![Member::default()];
        assert_eq!(index(text, &mut members), Err(Fault { at, kind }), "{}", String::from_utf8_lossy(text));
        assert_eq!(members.len(), 1, "members are as they were");
    }
}

#[test]
fn depth_counts_the_outermost_container_as_one() {
    assert_eq!(check(&nested("[", "", "]", 128)), Ok(()));
    assert_eq!(check(&nested("[", "", "]", 129)), Err(Fault { at: 128, kind: TooDeep }));
    assert_eq!(check(&b"[".repeat(100_000)), Err(Fault { at: 128, kind: TooDeep }));
    let mut members = Vec::new();
    assert!(index(&nested("{\"a\":", "1", "}", 128), &mut members).is_ok());
    assert_eq!(index(&nested("{\"a\":", "1", "}", 129), &mut members), Err(Fault { at: 640, kind: TooDeep }));
    assert!(serde_json::from_slice::<serde_json::Value>(&nested("[", "", "]", 127)).is_ok());
    assert!(serde_json::from_slice::<serde_json::Value>(&nested("[", "", "]", 128)).is_err());
}

#[test]
fn numbers_of_any_size_are_text() {
    let long = "7".repeat(5000);
    for number in ["1e999", "-1E+999", "0.1e-999", "1234567890.1234567890", "0e0", "-0", &long] {
        assert_eq!(check(number.as_bytes()), Ok(()), "{number}");
    }
    assert!(serde_json::from_str::<serde_json::Value>("1e999").is_err());
}

#[test]
fn the_index_holds_ranges_and_the_shape() {
    let text = b" { \"a\" : \"x\" , \"bc\":[1, {}] ,\"d\":-1.5e3}\r\n";
    let mut members = Vec::new();
    let shape = index(text, &mut members).unwrap();
    let found: Vec<_> = members
        .iter()
        .map(|m| (&text[m.key as usize..m.key_end as usize], &text[m.value as usize..m.value_end as usize]))
        .collect();
    assert_eq!(found, [(&b"a"[..], &b"\"x\""[..]), (b"bc", b"[1, {}]"), (b"d", b"-1.5e3")]);
    assert_eq!(shape, Shape { keys: key_bit(b"a") | key_bit(b"bc") | key_bit(b"d"), odd: false });
    assert_eq!(index(b"{}", &mut members), Ok(Shape::default()));
}

#[test]
fn odd_keys_are_found_among_few_and_many() {
    let odd = |text: &str| index(text.as_bytes(), &mut Vec::new()).unwrap().odd;
    assert!(odd(r#"{"a":1,"b":2,"a":3}"#));
    assert!(odd(r#"{"\u0061":1}"#));
    assert!(!odd(r#"{"a":{"b":1,"b":2,"\n":3},"b":"\n"}"#));
    for count in [31, 32, 33, 34, 500] {
        let keys: Vec<String> = (0..count).map(|n| format!("\"{n:05}\":0")).collect();
        assert!(!odd(&format!("{{{}}}", keys.join(","))), "{count}");
        assert!(odd(&format!("{{{},\"00000\":1}}", keys.join(","))), "{count}");
        assert!(odd(&format!("{{{},\"00004\":1,\"x\":2}}", keys.join(","))), "{count}");
    }
}

#[test]
fn an_object_of_too_many_members_is_refused_whatever_their_names() {
    let object = |count: usize, name: fn(usize) -> String| {
        let members: Vec<_> = (0..count).map(|at| format!("\"{}\":{at}", name(at))).collect();
        format!("{{{}}}", members.join(","))
    };
    for name in [|at: usize| format!("k{at}"), |_| "k".to_owned(), |_| "\\u006b".to_owned()] {
        let mut members = Vec::new();
        assert!(index(object(MAX_MEMBERS, name).as_bytes(), &mut members).is_ok());
        assert_eq!(members.len(), MAX_MEMBERS);
        let fault = index(object(MAX_MEMBERS + 1, name).as_bytes(), &mut members).unwrap_err();
        assert_eq!((fault.kind, members.len()), (FaultKind::TooManyMembers, MAX_MEMBERS));
    }
}

#[test]
fn writes_leave_everything_else_as_it_was() {
    let text = r#" { "a" : 1.50 , "b":[ 1 ,2 ], "\u0063":{ } } "#;
    assert_eq!(set(text, &[Field(b"a")], "2"), r#" { "a" : 2 , "b":[ 1 ,2 ], "\u0063":{ } } "#);
    assert_eq!(set(text, &[Field(b"b"), Index(-1)], "9"), r#" { "a" : 1.50 , "b":[ 1 ,9 ], "\u0063":{ } } "#);
    assert_eq!(set(text, &[Field(b"b"), Index(3)], "9"), r#" { "a" : 1.50 , "b":[ 1 ,2,null,9 ], "\u0063":{ } } "#);
    assert_eq!(set(text, &[Field(b"b"), Index(-4)], "9"), r#" { "a" : 1.50 , "b":[9,null, 1 ,2 ], "\u0063":{ } } "#);
    assert_eq!(
        set(text, &[Field(b"c"), Field(b"\"\n")], "9"),
        r#" { "a" : 1.50 , "b":[ 1 ,2 ], "\u0063":{"\"\n":9 } } "#
    );
    assert_eq!(
        set(text, &[Field(b"d"), Index(1), Field(b"e"), Index(-2)], "9"),
        r#" { "a" : 1.50 , "b":[ 1 ,2 ], "\u0063":{ },"d":[null,{"e":[9,null]}] } "#
    );
    assert_eq!(set(text, &[Field(b"a"), Field(b"x")], "9"), r#" { "a" : {"x":9} , "b":[ 1 ,2 ], "\u0063":{ } } "#);
    assert_eq!(set(text, &[], "9"), " 9 ");
    assert_eq!(removed(text, &[Field(b"a")]).unwrap(), r#" { "b":[ 1 ,2 ], "\u0063":{ } } "#);
    assert_eq!(removed(text, &[Field(b"c")]).unwrap(), r#" { "a" : 1.50 , "b":[ 1 ,2 ] } "#);
    assert_eq!(removed(text, &[Field(b"b"), Index(0)]).unwrap(), r#" { "a" : 1.50 , "b":[ 2 ], "\u0063":{ } } "#);
    assert_eq!(removed(text, &[Field(b"b"), Index(2)]), None);
    assert_eq!(removed(text, &[]).unwrap(), " {} ");
}

#[test]
fn writes_act_on_every_occurrence_of_a_key() {
    let text = r#"{"a":{"b":1},"x":0,"\u0061":{"b":2,"c":3},"a":{"b":4,"b":5}}"#;
    assert_eq!(seek(text.as_bytes(), &[Field(b"a"), Field(b"b")]).map(|range| &text[range]), Some("5"));
    assert_eq!(set(text, &[Field(b"a"), Field(b"b")], "9"), r#"{"x":0,"a":{"b":9}}"#);
    assert_eq!(set(text, &[Field(b"a")], "9"), r#"{"x":0,"a":9}"#);
    assert_eq!(removed(text, &[Field(b"a")]).unwrap(), r#"{"x":0}"#);
    assert_eq!(removed(text, &[Field(b"a"), Field(b"b")]).unwrap(), r#"{"a":{},"x":0,"\u0061":{"c":3},"a":{}}"#);
    assert_eq!(
        removed(text, &[Field(b"a"), Field(b"c")]).unwrap(),
        r#"{"a":{"b":1},"x":0,"\u0061":{"b":2},"a":{"b":4,"b":5}}"#
    );
}

#[test]
fn broken_text_is_escaped_with_replacements() {
    let mut out = Vec::new();
    assert_eq!(escape(b"a\xff\"\xe2\x82(\xf0\x9f\x98\x80\x01\x7f\t", &mut out), 2);
    assert_eq!(String::from_utf8(out).unwrap(), "a\u{fffd}\\\"\u{fffd}(\u{1f600}\\u0001\u{7f}\\t");
}

#[test]
fn keys_are_compared_decoded() {
    assert!(key_eq(br"me\u0073sage", b"message"));
    assert!(key_eq(br"\ud83d\ude00", "\u{1f600}".as_bytes()));
    assert!(key_eq(b"", b""));
    assert!(!key_eq(br"a\n", br"a\n"), "a raw escape is not the two characters it is written with");
    assert!(!key_eq(br"\u0061b", b"a"));
    assert!(!key_eq(br"\u0061", b"ab"));
}

#[test]
fn a_visitor_sees_keys_and_strings_in_order_and_can_skip() {
    struct Log(Vec<String>);
    impl Visitor for Log {
        fn member(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) -> Walk {
            let (key, value) = (String::from_utf8_lossy(&text[key]), String::from_utf8_lossy(&text[value]));
            self.0.push(format!("{key}={value}"));
            if key == "skip" { Walk::Skip } else { Walk::Into }
        }
        fn string(&mut self, text: &[u8], content: Range<usize>) {
            self.0.push(String::from_utf8_lossy(&text[content]).into_owned());
        }
    }
    let seen = |text: &str| {
        let mut log = Log(Vec::new());
        walk(text.as_bytes(), &mut log);
        log.0
    };
    assert_eq!(seen(" \"a\\\"b\" "), ["a\\\"b"]);
    assert_eq!(
        seen(r#"{"a":["x",{"b": "y"} ,[],"z"],"skip":{"c":"no"},"d":1}"#),
        [r#"a=["x",{"b": "y"} ,[],"z"]"#, "x", r#"b="y""#, "y", "z", r#"skip={"c":"no"}"#, "d=1"]
    );
    let deep = String::from_utf8(nested("[{\"a\":", "\"x\"", "},\"y\"]", 300)).unwrap();
    let seen = seen(&deep);
    assert_eq!(
        seen.iter().filter(|entry| *entry == "y").count(),
        300,
        "objects are told from arrays beyond 128 levels too"
    );
    assert_eq!(seen.len(), 601);
}

#[test]
fn the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/json_index");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is part of the repository") {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        probe::probe(&data);
        assert_eq!(check(&data).is_ok(), name.starts_with("valid_"), "{name}: {:?}", check(&data));
        files += 1;
    }
    assert!(files > 30, "{files} files in the corpus");
}
