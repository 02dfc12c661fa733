//! Templates: what they give, what they refuse.

use super::document::Document;
use crate::lang::Template;

/// 2026-03-07 04:05:06.123456789 UTC.
const TIME: i64 = 1_772_856_306_123_456_789;

fn record() -> Document {
    let mut record = Document::json(
        r#"{"service":"caf\u00e9 \"x\"","env":"prod","a":{"b":[1,2.50,true]},"none":null,"big":12345678901234567890}"#,
    );
    record.metadata = super::document::members(r#"{"topic":"t1"}"#);
    record
}

#[test]
fn holes_and_dates_are_filled() {
    let cases = [
        ("plain", "plain"),
        ("", ""),
        ("{{ service }}-{{env}}", "café \"x\"-prod"),
        ("{{ .a.b[1] }}/{{ .a.b[-1] }}", "2.50/true"),
        ("{{ %topic }}.{{ big }}", "t1.12345678901234567890"),
        ("logs-%Y.%m.%d", "logs-2026.03.07"),
        ("%F {{env}} %H:%M:%S %j %% %b", "2026-03-07 prod 04:05:06 066 % Mar"),
        ("100%%", "100%"),
        ("é {{ env }} ü", "é prod ü"),
    ];
    for (source, expected) in cases {
        let mut out = String::new();
        Template::parse(source).unwrap().render(&record(), TIME, &mut out).unwrap();
        assert_eq!(out, expected, "{source}");
    }
}

#[test]
fn a_hole_without_a_value_is_named() {
    for hole in ["nope", ".none", ".a", ".a.b", ".a.b[9]", "%env", ".env.x"] {
        let template = Template::parse(&format!("x-{{{{ {hole} }}}}")).unwrap();
        let missing = template.render(&record(), TIME, &mut String::new()).unwrap_err();
        assert_eq!(missing.field, hole);
    }
    let mut out = String::new();
    assert!(Template::parse("{{ .message.x }}").unwrap().render(&Document::text("line"), TIME, &mut out).is_err());
    Template::parse("{{ message }}").unwrap().render(&Document::text("li\"ne"), TIME, &mut out).unwrap();
    assert_eq!(out, "li\"ne");
}

#[test]
fn what_is_refused_is_pointed_at() {
    let cases = [
        ("a-{{ b", 2..6),
        ("a-{{ }}-b", 2..7),
        ("{{ a b }}", 0..9),
        ("{{ . }}", 0..7),
        ("x{{a}}-%Q", 6..9),
        ("{{ [0] }}", 0..9),
    ];
    for (source, span) in cases {
        assert_eq!(Template::parse(source).unwrap_err().span, span, "{source}");
    }
}

#[test]
fn a_template_tells_what_there_is_to_confine() {
    let template = Template::parse("logs-{{ service }}-{{ %t.a }}-%Y").unwrap();
    assert_eq!(template.literal_prefix(), "logs-");
    assert_eq!(template.fields().collect::<Vec<_>>(), ["service", "%t.a"]);
    assert!(template.has_time() && !template.is_constant());
    let texts = Template::parse("a-{{ b }}-%Y.%m x").unwrap();
    assert_eq!(texts.texts().collect::<String>(), "a--. x");
    let constant = Template::parse("logs 100%%").unwrap();
    assert!(constant.is_constant() && !constant.has_time());
    assert_eq!(constant.literal_prefix(), "logs 100%");
    assert_eq!(Template::parse("%Y-x").unwrap().literal_prefix(), "");
    assert_eq!(Template::parse("a-%Y").unwrap().literal_prefix(), "a-");
}
