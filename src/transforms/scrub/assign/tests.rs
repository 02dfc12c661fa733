use super::*;

fn all(text: &str) -> Vec<(&str, Form)> {
    let mut found = Vec::new();
    Assigned::new(&KeyNames::default()).for_each(text.as_bytes(), 0, |span, form| found.push((&text[span], form)));
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
        ("password2=hunter2", "hunter2"),
        ("пароль12=тайна", "тайна"),
        ("run --token1 k2 now", "k2"),
        ("cvv2=123", "123"),
        (r#"Parameters: {"user"=>"x", "password"=>"S1"}"#, "S1"),
        (r#"{"password" => "S1"}"#, "S1"),
        ("password => S1,", "S1"),
        (r#"x {"password":["S1","S 2"]} y"#, r#"["S1","S 2"]"#),
        (r#"x {\"password\":{\"value\":\"S]1\"}} y"#, r#"{\"value\":\"S]1\"}"#),
        (r#"headers {"Cookie":["sid=s3cretX9"],"n":1}"#, "sid=s3cretX9"),
        ("PGPASSWORD=hunter2 psql", "hunter2"),
        ("GITHUBTOKEN=abc123", "abc123"),
        ("dbPassword=hunter2", "hunter2"),
        ("MYSQL_PWD=hunter2", "hunter2"),
        ("pass=x1", "x1"),
        ("run --password hunter2 now", "hunter2"),
        ("run --password=hunter2 now", "hunter2"),
        ("run --db-password 'hunter 2' now", "hunter 2"),
        (r#"["--api-key", "k1", "-v"]"#, "k1"),
        ("password=ab;cd ef", "ab;cd"),
        ("Server=x;Password=ab;cd;Database=y", "ab;cd"),
        ("password='ab;cd ef' ok", "ab;cd ef"),
        (r#"{"password":"ab\"cd","x":"y"}"#, r#"ab\"cd"#),
        (r"password='C:\\dir' user='bob'", r"C:\\dir"),
        ("Authorization: Token abc123def", "abc123def"),
        ("Authorization: Token abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
        ("authorization=Whatever abc123def", "abc123def"),
        ("Proxy-Authorization: NTLM TlRMTVNTUAAB=", "TlRMTVNTUAAB="),
        (
            r#"Authorization: Digest username="a b", realm="c", response=6629f, x"#,
            r#"username="a b", realm="c", response=6629f"#,
        ),
        ("Authorization: AWS4-HMAC-SHA256 Credential=AK/x, Signature=fe5f80 HTTP", "Credential=AK/x, Signature=fe5f80"),
        ("Authorization: 8f3a2c1b77 x", "8f3a2c1b77"),
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
        "use the --password flag",
        "--password --verbose",
        "--token",
        "-- password x",
        "Authorization: denied for the user",
        "Authorization: Token expired",
        "BYPASS=abcdef",
        "bypass=1",
    ] {
        assert!(all(text).is_empty(), "{text}: {:?}", all(text));
    }
}

#[test]
fn a_name_with_a_number_is_itself() {
    let names = KeyNames::new(["field7", "key256", "s3"]).unwrap();
    let all = |text: &str| {
        let mut found = Vec::new();
        Assigned::new(&names).for_each(text.as_bytes(), 0, |span, _| found.push(text[span].to_owned()));
        assert_eq!(
            !found.is_empty(),
            text.match_indices(['=']).any(|(at, _)| Assigned::new(&names).tells(text.as_bytes(), at))
        );
        found
    };
    assert_eq!(all("field7=hunter2 db.s3=x key256=y"), ["hunter2", "x", "y"]);
    assert!(all("field8=hunter2 field=x key25=y key2567=z").is_empty());
}
