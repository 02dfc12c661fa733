//! Times inside records: read from JSON values, written as RFC 3339.

use chrono::{DateTime, SecondsFormat};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Nanoseconds since the Unix epoch that a JSON value tells: an RFC 3339 string, or a number of seconds,
/// milliseconds, microseconds or nanoseconds (told apart by size: each unit covers the years 1973 to 5138).
pub(crate) fn parse_json(value: &[u8]) -> Option<i64> {
    if let Some(text) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        let text = std::str::from_utf8(text).ok()?;
        return DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt();
    }
    let number = std::str::from_utf8(value).ok()?;
    match number.parse::<i64>() {
        Ok(whole) => scale(whole),
        Err(_) => seconds(number.parse::<f64>().ok()?),
    }
}

fn scale(number: i64) -> Option<i64> {
    match number {
        100_000_000..100_000_000_000 => number.checked_mul(SECOND),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.checked_mul(1_000),
        100_000_000_000_000_000.. => Some(number),
        _ => None,
    }
}

fn seconds(number: f64) -> Option<i64> {
    let in_range = (1e8..9.2e9).contains(&number);
    in_range.then_some((number * 1e9) as i64)
}

/// Appends `time` as `2026-11-20T10:00:00.123456789Z`, with as many digits as it needs.
pub(crate) fn write_rfc3339(time: i64, out: &mut Vec<u8>) {
    let text = DateTime::from_timestamp_nanos(time).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_strings_and_every_unit() {
        let at = 1_795_168_800_123_000_000;
        for text in [
            "\"2026-11-20T10:00:00.123Z\"",
            "\"2026-11-20T12:00:00.123+02:00\"",
            "1795168800123",
            "1795168800123000",
            "1795168800123000000",
        ] {
            assert_eq!(parse_json(text.as_bytes()), Some(at), "{text}");
        }
        assert_eq!(parse_json(b"1795168800"), Some(1_795_168_800 * SECOND));
        assert_eq!(parse_json(b"1795168800.5"), Some(1_795_168_800 * SECOND + SECOND / 2));
    }

    #[test]
    fn anything_else_tells_no_time() {
        for text in ["\"yesterday\"", "null", "true", "12", "-5", "{}", "\"9999999-01-01T00:00:00Z\"", "1e300"] {
            assert_eq!(parse_json(text.as_bytes()), None, "{text}");
        }
    }
}
