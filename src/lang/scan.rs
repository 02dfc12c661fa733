//! Walks over JSON text that was validated before, without building anything.
//!
//! Every function stays inside the slice even when the text is not valid, but only valid text gives meaningful answers.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;
use vrl::path::OwnedSegment;

/// One member of an object: where its key (with quotes) and its value stand in the text.
pub(super) struct Entry {
    /// The key with its quotes.
    pub key: Range<usize>,
    /// The value, without space around it.
    pub value: Range<usize>,
}

/// The members of the object that begins at the first byte of `raw`.
pub(super) fn members(raw: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = skip_separators(raw, at);
        if raw.get(start) != Some(&b'"') {
            return None;
        }
        let key = start..string_end(raw, start);
        let value_start = skip_separators(raw, key.end);
        let value = value_start..value_end(raw, value_start);
        at = value.end;
        Some(Entry { key, value })
    })
}

/// The elements of the array that begins at the first byte of `raw`.
pub(super) fn elements(raw: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = skip_separators(raw, at);
        if matches!(raw.get(start), None | Some(b']')) {
            return None;
        }
        let value = start..value_end(raw, start);
        at = value.end;
        // Text that is not valid must not hold the walk in place.
        (!value.is_empty()).then_some(value)
    })
}

/// The bytes of a key or another string, given with its quotes.
pub(super) fn decode(quoted: &[u8]) -> Cow<'_, [u8]> {
    let inner = unquote(quoted);
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_slice::<String>(quoted).map_or(Cow::Borrowed(inner), |text| Cow::Owned(text.into_bytes()))
}

/// What stands between the quotes of a JSON string, still escaped.
pub(super) fn unquote(quoted: &[u8]) -> &[u8] {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

/// The JSON text at a path inside `raw`. A negative index counts from the end, as in Vector.
pub(super) fn lookup<'a>(raw: &'a [u8], path: &[OwnedSegment]) -> Option<&'a [u8]> {
    let mut current = raw;
    for segment in path {
        let range = match (segment, current.first()?) {
            (OwnedSegment::Field(name), b'{') => {
                members(current).filter(|entry| *decode(&current[entry.key.clone()]) == *name.as_bytes()).last()?.value
            }
            (OwnedSegment::Index(index), b'[') => element(current, *index)?,
            _ => return None,
        };
        current = &current[range];
    }
    Some(current)
}

fn element(raw: &[u8], index: isize) -> Option<Range<usize>> {
    let place = match usize::try_from(index) {
        Ok(place) => place,
        Err(_) => elements(raw).count().checked_sub(index.unsigned_abs())?,
    };
    elements(raw).nth(place)
}

/// The first place from `from` on that is neither space nor a separator.
pub(super) fn skip_separators(raw: &[u8], from: usize) -> usize {
    let rest = raw.get(from..).unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'));
    from + skipped.count()
}

/// Where the value that begins at `start` ends.
pub(super) fn value_end(raw: &[u8], start: usize) -> usize {
    match raw.get(start) {
        Some(b'"') => string_end(raw, start),
        Some(b'{' | b'[') => container_end(raw, start),
        _ => {
            let rest = raw.get(start..).unwrap_or_default();
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            start + length.unwrap_or(rest.len())
        }
    }
}

/// Where the string that begins at `start` ends, closing quote included.
pub(super) fn string_end(raw: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = raw.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if raw[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    raw.len()
}

fn container_end(raw: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = raw.get(at) {
        match byte {
            b'"' => {
                at = string_end(raw, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    raw.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrl::path::parse_value_path;

    #[test]
    fn paths_reach_into_objects_and_arrays() {
        let raw = br#"{"a" : {"b":[1, {"c":"x\"]}"},2.5 ]}, "\u0061":{"b":[7]}, "k": null}"#;
        let cases: [(&str, Option<&str>); 7] = [
            ("k", Some("null")),
            ("a.b[0]", Some("7")),
            ("a.b[-1]", Some("7")),
            ("a.b[-2]", None),
            ("a.b[1]", None),
            ("a.c", None),
            ("k.a", None),
        ];
        for (path, expected) in cases {
            let segments = parse_value_path(path).unwrap().segments;
            assert_eq!(lookup(raw, &segments), expected.map(str::as_bytes), "{path}");
        }
        let nested = &raw[7..37];
        let segments = parse_value_path("b[1].c").unwrap().segments;
        assert_eq!(lookup(nested, &segments), Some(&br#""x\"]}""#[..]));
    }

    #[test]
    fn broken_text_never_leaves_the_slice() {
        assert_eq!(elements(b"[}").count(), 0);
        let raw = br#"{"a":[{"b":"c\\"},{"d":1}],"e":{"f":[]}}"#;
        for end in 1..raw.len() {
            assert!(members(&raw[..end]).all(|entry| entry.value.start <= end + 1));
            assert!(elements(&raw[..end]).count() <= end);
        }
    }
}
