//! Times as container runtimes write them: RFC 3339 with up to nine digits of a second, read without a copy.

/// Seconds in a day.
const DAY: i64 = 86_400;

/// Nanoseconds since the Unix epoch that `text` tells: `2026-11-20T10:00:00.123456789Z`, or with an offset such as
/// `+05:30`. Digits beyond the ninth are left out; a leap second counts as the second before it.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (moment, rest) = text.split_at_checked(19)?;
    let marks = [moment[4], moment[7], moment[10], moment[13], moment[16]];
    if marks != *b"--T::" {
        return None;
    }
    let year = digits(&moment[..2])? * 100 + digits(&moment[2..4])?;
    let [month, day, hour, minute, second] = [5, 8, 11, 14, 17].map(|at| digits(&moment[at..at + 2]));
    let (month, day, hour, minute, second) = (month?, day?, hour?, minute?, second?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let days = days(year, month, day)?;
    let seconds = days * DAY + hour * 3_600 + minute * 60 + second.min(59) - offset(zone)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Two digits.
#[inline]
fn digits(pair: &[u8]) -> Option<i64> {
    let (tens, ones) = (pair[0].wrapping_sub(b'0'), pair[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

/// The nanoseconds behind a point, if there is one, and what follows.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let len = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(len);
    let known = &digits[..len.min(9)];
    let number = known.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    (len > 0).then(|| (number * 10_i64.pow(9 - known.len() as u32), rest))
}

/// Seconds by which a zone is ahead.
#[inline]
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let ahead = hours * 3_600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `None` if there is no such day. After H. Hinnant,
/// "chrono-compatible low-level date algorithms": years begin in March, so that a leap day ends one.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=in_month).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn model(text: &str) -> Option<i64> {
        DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt()
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T10:00:00",
            "2026-11-20T10:00:00.Z",
            "2026-11-20T24:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-11-31T10:00:00Z",
            "2026-11-20 10:00:00Z",
            "2026-11-20T10:00:00z",
            "2026-11-20T10:00:00+1:00",
            "2026-11-20T10:00:00+24:00",
            "2026-11-2xT10:00:00Z",
            "9999-01-01T00:00:00Z",
            "2026-11-20T10:60:00Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"1970-01-01T00:00:00.0000000019Z"), Some(1), "the tenth digit is left out");
        assert_eq!(parse(b"2024-02-29T23:59:60Z"), model("2024-02-29T23:59:59Z"));
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(
            (year, month, day) in (1700..2250_i32, 1..13_u32, 1..32_u32),
            (hour, minute, second) in (0..24_u32, 0..60_u32, 0..60_u32),
            fraction in "(\\.[0-9]{1,9})?",
            zone in "Z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            prop_assert_eq!(parse(text.as_bytes()), model(&text), "{}", text);
        }
    }
}
