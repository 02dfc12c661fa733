//! Sizes and durations as people write them: `10MiB`, `1m30s`.

use std::time::Duration;

/// Reads a size in bytes: digits, then nothing, `B`, or a decimal (`kB`, `MB`, ...) or binary (`KiB`, `MiB`, ...) unit in any case.
/// None if it is not a size or does not fit 64 bits.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text.trim())?;
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

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

/// Writes a size as the largest binary unit that holds it exactly: `17 MiB`, `1500 bytes`.
pub fn show_size(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let exact = units.into_iter().find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size));
    exact.map_or_else(|| format!("{bytes} bytes"), |(size, unit)| format!("{} {unit}", bytes / size))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, parse_size};
    use std::time::Duration;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("10MiB", Some(10 << 20)),
            ("10 MiB", Some(10 << 20)),
            ("10MB", Some(10_000_000)),
            ("1gb", Some(1_000_000_000)),
            ("64KiB", Some(65_536)),
            ("MiB", None),
            ("", None),
            ("-1", None),
            ("1.5MiB", None),
            ("10 apples", None),
            ("99999999TiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

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
