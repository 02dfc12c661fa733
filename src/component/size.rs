//! Sizes as people write them: a number of bytes, or text such as `10MiB`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// A number of bytes: a whole number, or text such as `"64MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ByteSize(pub u64);

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let size = match &value {
            toml::Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            toml::Value::String(text) => parse_size(text),
            _ => None,
        };
        size.map(Self).ok_or_else(|| serde::de::Error::custom("expected a number of bytes or a size such as `64MiB`"))
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "format": "byte-size", "minimum": 1 })
    }
}

/// A share of a whole, 0 to 1: text such as `"15%"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_share(&text).map(Self).ok_or_else(|| serde::de::Error::custom("expected a share such as `15%`"))
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "share" })
    }
}

/// Reads a share: a number from 0 to 100 and `%`.
pub fn parse_share(text: &str) -> Option<f64> {
    let percent: f64 = text.trim().strip_suffix('%')?.trim_end().parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// For settings that hold memory: a [`ByteSize`] that fits the machine.
pub fn in_memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let ByteSize(bytes) = ByteSize::deserialize(deserializer)?;
    usize::try_from(bytes).map_err(|_| serde::de::Error::custom("expected a size that fits the memory of this machine"))
}

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

/// Writes a size as the largest binary unit that holds it exactly: `17 MiB`, `1500 bytes`.
pub fn show_size(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let exact = units.into_iter().find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size));
    exact.map_or_else(|| format!("{bytes} bytes"), |(size, unit)| format!("{} {unit}", bytes / size))
}

/// The digits that a text begins with as a number, and the rest.
pub fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::{parse_share, parse_size};

    #[test]
    fn shares() {
        for (text, share) in
            [("15%", Some(0.15)), ("0 %", Some(0.0)), ("2.5%", Some(0.025)), ("101%", None), ("15", None)]
        {
            assert_eq!(parse_share(text), share, "{text}");
        }
    }

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
}
