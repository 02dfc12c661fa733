use super::*;
use crate::transforms::remap::RemapSettings;
use crate::transforms::test_kit::{Step, batch, batch_of, lines, origin, otlp, pairs, problems, receipt, step, text};

fn enrich(settings: &str) -> Step {
    step::<EnrichSettings>(settings)
}

const ENV: &str = "fields.env = 'prod'";
const TEMPLATE: &str = "fields.env = '{{ real }}'";

/// Records that try to bring an `env` of their own.
const FORGED: [&str; 6] = [
    r#"{"real":"prod","env":"forged"}"#,
    r#"{"env":"forged","real":"prod","env":"again"}"#,
    r#"{"real":"prod","en\u0076":"forged"}"#,
    r#"{"\u0065nv":"forged","real":"prod","env":{"a":1},"env":null}"#,
    r#"{"env":"forged","en\u0076":"again","real":"prod"}"#,
    r#"{"real":"prod"}"#,
];

fn assert_none_forged(lines: &[String]) {
    for line in lines {
        assert_not_forged(line);
    }
}

fn assert_not_forged(line: &str) {
    let env: Vec<_> = pairs(line).into_iter().filter(|(key, _)| key == "env").collect();
    assert_eq!(env, [("env".to_owned(), "\"prod\"".to_owned())], "{line}");
    assert!(!line.contains("forged") && !line.contains("again"), "{line}");
}

#[test]
fn values_of_every_type() {
    let step = enrich(
        r#"
        fields.text = 'a"{b}'
        fields.share = "50% off %Y"
        fields.whole = -3
        fields.part = 0.5
        fields.flag = true
        fields.list = [1, "{{ x }}"]
        fields.table = { a = { b = [] } }
        fields."dotted.name" = 1979-05-27T07:32:00Z
        fields.filled = "{{ a }}% of %Y"
        "#,
    );
    let mut found = pairs(&step.main(batch(&[r#"{"a":7}"#]))[0]);
    found.sort();
    let expected = [
        ("a", "7"),
        ("dotted.name", r#""1979-05-27T07:32:00Z""#),
        ("filled", r#""7% of %Y""#),
        ("flag", "true"),
        ("list", r#"[1,"{{ x }}"]"#),
        ("part", "0.5"),
        ("share", r#""50% off %Y""#),
        ("table", r#"{"a":{"b":[]}}"#),
        ("text", r#""a\"{b}""#),
        ("whole", "-3"),
    ];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn a_service_cannot_forge_what_is_set() {
    for settings in [ENV, TEMPLATE] {
        let step = enrich(settings);
        assert_none_forged(&step.main(batch(&FORGED)));
        let origin = origin(&[("env", "\"of the source\""), ("host", "\"h\"")]);
        let out = step.main(batch_of(&FORGED, origin));
        assert_none_forged(&out);
        assert!(out.iter().all(|line| line.contains(r#""host":"h""#)));
    }
}

#[test]
fn not_by_a_program_before_either() {
    let programs = [
        ".env = \"forged\"",
        ". = {\"env\": \"forged\", \"real\": \"prod\"}",
        ". = object!(parse_json!(encode_json(.)))\n.env = \"forged\"",
        "del(.env)",
        ".other = 1",
    ];
    for program in programs {
        let remap = step::<RemapSettings>(&format!("source = '''\n{program}\n'''"));
        for settings in [ENV, TEMPLATE] {
            let batch = batch_of(&FORGED, origin(&[("env", "\"of the source\"")]));
            let (changed, _) = remap.apply(batch);
            assert_none_forged(&enrich(settings).main(changed));
        }
    }
}

#[test]
fn a_message_that_is_parsed_hides_the_origin_and_is_overwritten_all_the_same() {
    let remap = step::<RemapSettings>("source = '. = object!(parse_json!(.message))'");
    for settings in [ENV, TEMPLATE] {
        let (parsed, _) = remap.apply(text(&FORGED));
        assert_none_forged(&enrich(settings).main(parsed));
    }
}

#[test]
fn raw_lines_take_members_and_even_another_message() {
    let step =
        enrich("fields.env = 'prod'\nfields.message = 'none'\nfields.was = '{{ message }}'\nfields.timestamp = 0");
    let found = pairs(&step.main(text(&["a \"line\""]))[0]);
    let value = |name: &str| -> Vec<&str> {
        found.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!((value("env"), value("message")), (vec!["\"prod\""], vec!["\"none\""]));
    // Templates see the constants.
    assert_eq!((value("was"), value("timestamp")), (vec!["\"none\""], vec!["0"]));
    assert_eq!(found.len(), 4);
}

#[test]
fn templates_see_constants_and_not_each_other() {
    let step = enrich("fields.a = '{{ b }}-{{ env }}'\nfields.b = '{{ a }}'\nfields.env = 'prod'");
    let found = pairs(&step.main(batch(&[r#"{"a":"A","b":"\u0042\n","env":"forged"}"#]))[0]);
    let value = |name: &str| found.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!((value("a"), value("b"), value("env")), (r#""B\n-prod""#, "\"A\"", "\"prod\""));
}

#[test]
fn without_a_value_the_member_is_not_set_and_not_left_to_the_record() {
    let step = enrich(TEMPLATE);
    let lines = [r#"{"env":"forged"}"#, r#"{"env":"forged","x":1,"en\u0076":"again","real":null}"#, "{}"];
    assert_eq!(step.main(batch(&lines)), ["{}", r#"{"x":1,"real":null}"#, "{}"]);
    let of_source = batch_of(&lines[..1], origin(&[("env", "\"of the source\"")]));
    assert_eq!(step.main(of_source), ["{}"]);
    assert_eq!(step.meters.error_count("missing_field"), 4);
}

#[test]
fn keep_existing_adds_only_what_is_not_there() {
    let step = enrich("fields.env = 'prod'\nfields.unit = '{{ a }}'\nkeep_existing = true");
    let lines = [
        r#"{"en\u0076":"own","a":1}"#,
        r#"{"env":null,"unit":"mine","a":1}"#,
        r#"{"a":"x"}"#,
        r#"{"unit":"mine"}"#,
        "{}",
    ];
    let expected = [
        r#"{"en\u0076":"own","a":1,"unit":"1"}"#,
        r#"{"env":null,"unit":"mine","a":1}"#,
        r#"{"a":"x","env":"prod","unit":"x"}"#,
        r#"{"unit":"mine","env":"prod"}"#,
        r#"{"env":"prod"}"#,
    ];
    assert_eq!(step.main(batch(&lines)), expected);
    assert_eq!(step.meters.error_count("missing_field"), 1, "what is kept needs no template");
    let of_source = batch_of(&["{}"], origin(&[("env", "\"of the source\"")]));
    assert_eq!(step.main(of_source), [r#"{"env":"of the source"}"#]);
}

#[test]
fn untouched_bytes_stay_and_identities_too() {
    let step = enrich("fields.env = 'prod'");
    let batch = batch(&[r#"{ "n" : 1.0e+05, "id":12345678901234567890,"t":"a\/\u00e9" }"#]);
    let before: Vec<_> = batch.iter().map(crate::event::View::identity).collect();
    let (out, _) = step.apply(batch);
    assert_eq!(lines(&out), [r#"{"n" : 1.0e+05, "id":12345678901234567890,"t":"a\/\u00e9","env":"prod"}"#]);
    assert_eq!(out.iter().map(crate::event::View::identity).collect::<Vec<_>>(), before);
}

#[test]
fn faults_name_the_field() {
    let found = problems::<EnrichSettings>("fields.a = 'x{{ }}'\nfields.b = 1\nfields.c = '{{ a'");
    let told: Vec<_> = found.iter().map(|problem| (problem.setting.as_str(), problem.within.clone())).collect();
    assert_eq!(told, [("fields.a", Some(1..6)), ("fields.c", Some(0..4))]);
    assert_eq!(problems::<EnrichSettings>("fields = {}")[0].setting, "");
    assert!(toml::from_str::<EnrichSettings>("fields.a = nan").is_err());
}

#[test]
fn what_a_record_claims_is_kept_where_it_is_overwritten() {
    let settings = "fields.env = 'prod'\nfields.unit = '{{ a }}'\nfields.zone = 7\nkeep_claimed = true";
    let step = enrich(settings);
    let lines = [
        r#"{"env":"test","a":"x"}"#,
        r#"{"env":"prod","unit":"x","zone":7,"a":"x"}"#,
        r#"{"e\u006ev":{"b":1},"unit":"mine","zone":"7","claimed":{"of":1},"a":"x"}"#,
        r#"{"unit":"mine","claimed":"text"}"#,
    ];
    let expected = [
        r#"{"a":"x","claimed":{"env":"test"},"unit":"x","env":"prod","zone":7}"#,
        r#"{"unit":"x","a":"x","env":"prod","zone":7}"#,
        r#"{"unit":"x","claimed":{"of":1,"env":{"b":1},"zone":"7","unit":"mine"},"a":"x","env":"prod","zone":7}"#,
        r#"{"claimed":{"unit":"mine"},"env":"prod","zone":7}"#,
    ];
    assert_eq!(step.main(batch(&lines)), expected);
    // What the source brings is no claim.
    let of_source = step.main(batch_of(&[r#"{"a":"x"}"#], origin(&[("env", "\"of the source\"")])));
    assert_eq!(of_source, [r#"{"a":"x","unit":"x","env":"prod","zone":7}"#]);
    let both = problems::<EnrichSettings>("fields.env = 'prod'\nkeep_claimed = true\nkeep_existing = true");
    assert_eq!(both[0].setting, "keep_claimed");
}

#[test]
fn what_a_peer_claims_of_its_resource_is_kept_as_an_attribute() {
    let mut spans = otlp::spans("shop", &[otlp::Span::of(otlp::trace("00000000000001"))], receipt());
    let step = enrich("fields.\"service.name\" = 'known'\nfields.name = 'GET'\nkeep_claimed = true");
    let (out, _) = step.apply(spans.clone());
    for (view, before) in out.iter().zip(spans.iter()) {
        let read =
            |view: crate::event::View<'_>, key: &str| view.member(key.as_bytes()).map(std::borrow::Cow::into_owned);
        assert_eq!(read(view, "claimed.service.name"), before.resource_attribute(b"service.name"));
        assert_eq!(read(view, "claimed.name"), read(before, "name"));
        assert_eq!(read(view, "service.name").as_deref(), Some(&b"\"known\""[..]));
    }
    let path = crate::event::Path::parse(".resource.attributes.\"service.name\"").unwrap();
    spans.edit().set(0, &path, b"5");
    let (out, _) = step.apply(spans);
    assert_eq!(out.get(0).member(b"claimed.service.name").as_deref(), Some(&b"5"[..]), "as steps have left it");
}
