use std::sync::LazyLock;

use super::*;

static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::new(Signals::MAX, &KeyNames::default()));

fn signals(text: &str) -> Signals {
    GATE.signs(text.as_bytes()).seen
}

#[test]
fn each_signal_is_seen_at_every_place() {
    for (text, signal) in [
        ("@", AT),
        (" password=", ASSIGNED),
        ("\"token\":", ASSIGNED),
        (" Пароль:", ASSIGNED),
        (" --api-key ", ASSIGNED),
        (" bearer", BEARER),
        (" BaSiC", BASIC),
        ("eyJ", TOKEN),
        (" -----BEGIN ", PEM),
        ("~123-45-6789", DIGITS),
        ("(916) 123456", DIGITS),
        (" AKIAIOSFODNN7EXAMPLE ", KEY),
        (" hooks.slack.com/services/T00000000/B00000000/abcd ", KEY),
    ] {
        for before in 0..110 {
            for after in [0, 1, 2, 3, 31, 40] {
                let text = format!("{}{text}{}", "~".repeat(before), "~".repeat(after));
                assert!(signals(&text) & signal != 0, "{text}");
            }
        }
    }
}

#[test]
fn what_only_looks_like_a_candidate_has_no_signal() {
    for text in [
        "",
        "a",
        "no entry in the cache, reading it from the second one now",
        "took 17 ms of 250, a beast based on a basis -- and so on -----",
        "2026-11-21T13:08:46.123Z 2026-11-21 13:08:46.123",
        "550e8400-e29b-41d4-a716-446655440000",
        "c71ae733de95d47d50296d61b9501d14 d123456789012345",
        "GET /api/v1/orders/4711/items?page=2&limit=50 kube-probe/1.31",
        "java.net.SocketTimeoutException: at com.example.orders.Client.call(Client.java:117)",
        "пересчёт остатков завершён: 1250 позиций",
        "                                                         ",
    ] {
        assert_eq!(signals(text), 0, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_hash_or_a_time_has_its_signal() {
    for text in [
        "+79161234567a",
        "%2b79161234567",
        "card4111111111111111",
        "DE89370400440532013000",
        "+550e8400-e29b-41d4-a716-446655440000",
        "2026-11-21 130",
        "+2026-11-21 13:08",
    ] {
        assert_eq!(signals(text) & !ODD, DIGITS, "{text}");
    }
}

#[test]
fn raw_json_is_clean_where_no_key_tells_and_nothing_is_escaped() {
    for raw in [
        r#"{"timestamp":"2026-11-20T10:00:00.000Z","level":"info","user":{"id":870286,"plan":"pro"}}"#,
        r#"{"trace_id" : "c71ae733de95d47d50296d61b9501d14","next_token_count":7,"token":null}"#,
        r#"["token",":x"]"#,
    ] {
        assert_eq!(GATE.next_sign(raw.as_bytes(), 0), None, "{raw}");
    }
    for raw in [
        r#"{"a":{"token":1}}"#,
        "{\"a\":{\"token\"\t: 1}}",
        r#"{"a":"\u0040"}"#,
        r#"{"a":"line\n"}"#,
        r#"{"Ключ":1,"пароль":1}"#,
        "[4111111111111111]",
        r#"{"4111111111111111":1}"#,
    ] {
        assert!(GATE.next_sign(raw.as_bytes(), 0).is_some(), "{raw}");
    }
}
