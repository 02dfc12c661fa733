use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::*;

fn reply(status: u16, body: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap();
    Reply { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn class(status: u16, text: &str) -> Class {
    Exception::of(&reply(status, text)).unwrap().class(status)
}

#[test]
fn the_code_is_read_from_header_and_text() {
    let text = "Code: 27. DB::Exception: Cannot parse input: 'ann@example.com': (at row 1)\n: While executing \
                JSONEachRowRowInputFormat. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 26.9.2.1 (official build))\n";
    let exception = Exception::of(&reply(500, text)).unwrap();
    assert_eq!(exception.named(), "ClickHouse answers code 27 (CANNOT_PARSE_INPUT_ASSERTION_FAILED)");
    let quoted = exception.quote();
    assert!(quoted.ends_with("(CANNOT_PARSE_INPUT_ASSERTION_FAILED)") && !quoted.contains('\n'), "{quoted}");
    let mut with_header = reply(200, "");
    with_header.headers.insert(CODE_HEADER, HeaderValue::from_static("241"));
    assert_eq!(Exception::of(&with_header).unwrap().named(), "ClickHouse answers code 241");
    let late = "progress\nCode: 241. DB::Exception: Memory limit. (MEMORY_LIMIT_EXCEEDED)";
    assert_eq!(Exception::of(&reply(200, late)).unwrap().code, 241, "a success that failed on the way");
    for none in ["", "<h1>502 Bad Gateway</h1>", "Code: red", "Ok.\n"] {
        assert_eq!(Exception::of(&reply(502, none)), None, "{none}");
    }
    assert_eq!(
        Exception::of(&reply(500, &format!("Code: 6. {}", "é".repeat(2000)))).unwrap().quote().chars().count(),
        QUOTED
    );
}

#[test]
fn codes_decide_and_the_status_does_not() {
    for busy in [202, 203, 209, 210, 241, 242, 252, 285, 319, 425, 999, 1002] {
        for status in [400, 404, 500] {
            assert_eq!(class(status, &format!("Code: {busy}. DB::Exception: x")), Class::Busy, "{busy}");
        }
    }
    for data in [6, 16, 26, 27, 33, 38, 41, 53, 69, 72, 117, 131, 349, 441, 467, 469, 676, 691] {
        for status in [400, 500] {
            assert_eq!(class(status, &format!("Code: {data}. DB::Exception: x")), Class::Data, "{data}");
        }
    }
    for door in [115, 164, 192, 193, 194, 201, 452, 516] {
        assert!(matches!(class(500, &format!("Code: {door}. x")), Class::Door(_)), "{door}");
    }
    for table in [60, 81, 291, 497, 48] {
        assert!(matches!(class(500, &format!("Code: {table}. x")), Class::Table(_)), "{table}");
    }
    assert_eq!(class(500, "Code: 389. x"), Class::There);
}

#[test]
fn too_many_parts_of_one_insert_is_not_too_many_parts_of_a_table() {
    let one = "Code: 252. DB::Exception: Too many partitions for single INSERT block (more than 100). (TOO_MANY_PARTS)";
    assert_eq!(class(500, one), Class::TooLarge);
    let table =
        "Code: 252. DB::Exception: Too many parts (3000 with average size of 1.00 KiB) in table. (TOO_MANY_PARTS)";
    assert_eq!(class(500, table), Class::Busy);
}

#[test]
fn a_code_that_nobody_knows_costs_no_record() {
    assert_eq!(class(500, "Code: 4711. DB::Exception: new"), Class::Busy);
    assert!(matches!(class(400, "Code: 36. DB::Exception: bad argument"), Class::Door(_)));
    assert_eq!(class(500, "Code: 4711. DB::Exception: new kind of column: (at row 3)"), Class::Data);
}

#[test]
fn replies_without_an_exception_have_the_class_of_their_status() {
    assert_eq!(plain(&reply(200, "\n")), Answer::Delivered);
    assert!(matches!(plain(&reply(200, "<html>log in</html>")), Answer::Retry { .. }), "a 200 is not yet a success");
    assert_eq!(plain(&reply(413, "<h1>")), Answer::Split);
    for status in [401, 403, 404, 400, 302] {
        assert!(matches!(plain(&reply(status, "x")), Answer::Hold { .. }), "{status}");
    }
    let mut busy = reply(429, "limits for user are exceeded");
    busy.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let Answer::Retry { why, after } = plain(&busy) else { panic!() };
    assert!(after == Some(Duration::from_secs(7)) && !why.contains("limits"), "{why}");
    assert!(matches!(plain(&reply(503, "")), Answer::Retry { .. }));
}
