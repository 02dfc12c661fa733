use super::*;

fn all(text: &str) -> Vec<(&str, Form)> {
    let mut found = Vec::new();
    Assigned::new(KeyNames::default()).for_each(text.as_bytes(), |span, form| found.push((&text[span], form)));
    found
}

#[test]
fn values_of_telling_names_are_found() {
    for (text, value) in [
        ("login password=hunter2 ok", "hunter2"),
        ("password = hunter2", "hunter2"),
        (r#"body {"password":"hunter 2"}"#, "hunter 2"),
        (r#"body {\"password\":\"hunter2\"}"#, "hunter2"),
        ("{'api-key': 'k'}", "k"),
        ("spring.datasource.password=x1", "x1"),
        ("POSTGRES_PASSWORD=hunter2", "hunter2"),
        ("map[password:[hunter2]]", "hunter2"),
        ("пароль=тайна;", "тайна"),
        ("Пароль: тайна1", "тайна1"),
        ("password: hunter2", "hunter2"),
        ("Cookie: sid=abc; theme=dark", "sid=abc; theme=dark"),
        ("pin=1234,", "1234"),
    ] {
        assert_eq!(all(text), [(value, Form::Text)], "{text}");
    }
    for (text, value) in
        [("GET /x?token=abc&y=1", "abc"), ("/x?a=1&sig=ab%2Fc HTTP", "ab%2Fc"), ("?api_key=k#top", "k")]
    {
        assert_eq!(all(text), [(value, Form::Query)], "{text}");
    }
}

#[test]
fn prose_and_other_names_are_left() {
    for text in [
        "invalid token: unexpected end",
        "password == x",
        "password=",
        "tokens=5",
        "max_token=5",
        "key=value",
        "code=7",
        "Authorization: Bearer abc",
        "token://x",
        r#""password":null"#,
        "a=b",
        "=x",
        "secret: none",
        "12:30:45",
    ] {
        assert!(all(text).is_empty(), "{text}: {:?}", all(text));
    }
}
