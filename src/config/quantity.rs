//! Durations as people write them: `5s`, `1m30s`.

use std::time::Duration;

use crate::component::size::split;

/// Reads a duration: one or more whole numbers, each with a unit, the larger unit first: `5s`, `100ms`, `1m30s`.
/// None if it is not a duration or does not fit 64 bits of nanoseconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut last = u64::MAX;
    while !rest.is_empty() || last == u64::MAX {
        let (number, tail) = split(rest)?;
        let end = tail.find(|next: char| next.is_ascii_digit()).unwrap_or(tail.len());
        let nanoseconds = match tail[..end].trim() {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        if nanoseconds >= last {
            return None;
        }
        total = total.checked_add(number.checked_mul(nanoseconds)?)?;
        last = nanoseconds;
        rest = &tail[end..];
    }
    Some(Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use super::parse_duration;
    use std::time::Duration;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("5s", Some(5_000)),
            ("100ms", Some(100)),
            ("1m30s", Some(90_000)),
            ("1h 5m", Some(3_900_000)),
            ("0s", Some(0)),
            ("5", None),
            ("", None),
            ("s", None),
            ("5 parsecs", None),
            ("30s1m", None),
            ("1s1s", None),
            ("-5s", None),
            ("9999999999d", None),
        ] {
            assert_eq!(parse_duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }
}
