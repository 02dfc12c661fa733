//! Times as documents have them: RFC 3339 in UTC, three digits of a second where they are enough, else nine.

use std::io::Write;

use chrono::DateTime;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Writes times; records come in order, so that the second is mostly the one before.
#[derive(Default)]
pub(super) struct Timestamps {
    second: Option<i64>,
    text: String,
}

impl Timestamps {
    /// Appends `time`, in nanoseconds since the Unix epoch.
    pub(super) fn write(&mut self, time: i64, out: &mut Vec<u8>) {
        let (second, rest) = (time.div_euclid(SECOND), time.rem_euclid(SECOND));
        if self.second != Some(second) {
            let whole = DateTime::from_timestamp(second, 0).unwrap_or_default();
            self.text = whole.format("%Y-%m-%dT%H:%M:%S").to_string();
            self.second = Some(second);
        }
        out.extend_from_slice(self.text.as_bytes());
        let written = match rest % 1_000_000 {
            0 => write!(out, ".{:03}Z", rest / 1_000_000),
            _ => write!(out, ".{rest:09}Z"),
        };
        written.expect("writing to memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_chrono_reads_back() {
        let mut timestamps = Timestamps::default();
        for time in [0, 1_795_168_800_123_000_000, 1_795_168_800_123_000_001, 1_795_168_801_000_000_000, -1, i64::MAX] {
            let mut out = Vec::new();
            timestamps.write(time, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(DateTime::parse_from_rfc3339(&text).unwrap().timestamp_nanos_opt(), Some(time), "{text}");
        }
    }
}
