//! Numbers as OTLP/JSON writes them, as the bits that protobuf writes.

use crate::event::otlp::schema::Kind;

/// A whole number that is not negative.
pub(super) fn unsigned(kind: Kind, value: u64) -> Option<u64> {
    match kind {
        Kind::Uint | Kind::Fixed64 => Some(value),
        Kind::Fixed32 => u32::try_from(value).ok().map(u64::from),
        Kind::Int | Kind::Sint | Kind::Sfixed64 | Kind::Enum(_) => i64::try_from(value).ok().map(|value| value as u64),
        _ => None,
    }
}

/// A whole number.
pub(super) fn signed(kind: Kind, value: i64) -> Option<u64> {
    match (u64::try_from(value), kind) {
        (Ok(value), _) => unsigned(kind, value),
        (Err(_), Kind::Int | Kind::Sint | Kind::Sfixed64 | Kind::Enum(_)) => Some(value as u64),
        (Err(_), _) => None,
    }
}

/// A number in quotes, or the name of a value of an enumeration.
pub(super) fn named(kind: Kind, text: &str) -> Option<u64> {
    if let Ok(value) = text.parse::<i64>() {
        return signed(kind, value);
    }
    if let Ok(value) = text.parse::<u64>() {
        return unsigned(kind, value);
    }
    match kind {
        Kind::Enum(names) => enumerated(names, text),
        _ => None,
    }
}

/// The ends of the names of severities; each stands for four numbers.
const SEVERITIES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// Names end as the values are called here: `SPAN_KIND_SERVER` is `server`.
fn enumerated(names: &[&str], text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    if text.ends_with("_unspecified") || text.ends_with("_unset") {
        return Some(0);
    }
    if let Some(severity) = text.strip_prefix("severity_number_") {
        let (word, step) = match severity.as_bytes().last()? {
            digit @ b'2'..=b'4' => (&severity[..severity.len() - 1], u64::from(digit - b'1')),
            _ => (severity, 0),
        };
        let at = SEVERITIES.iter().position(|known| *known == word)? as u64;
        return Some(at * 4 + 1 + step);
    }
    let is_it = |name: &&str| !name.is_empty() && text.strip_suffix(*name).is_some_and(|rest| rest.ends_with('_'));
    names.iter().position(is_it).map(|at| at as u64)
}

/// A floating number, or what JSON has no number for.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // What Rust reads beyond JSON's numbers are words.
        _ if text.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E')) => None,
        _ => text.parse().ok(),
    }
}
