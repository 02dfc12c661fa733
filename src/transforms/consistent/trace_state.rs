//! The member `ot` of a W3C `tracestate`: read, and put in another's place; the members of others stay as they are.

use super::{Randomness, Threshold};

/// A `tracestate` may have so many members.
const MEMBERS: usize = 32;
/// Bytes that everybody passes on.
const BYTES: usize = 512;
/// Members longer than this go first, where not all can stay.
const LONG: usize = 128;
/// Bytes of a member's value.
const VALUE: usize = 256;

/// What `ot` says of sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::transforms) struct Said {
    /// `th`: what the span was sampled by.
    pub(in crate::transforms) threshold: Option<Threshold>,
    /// `rv`: the randomness, where it is not that of the trace id.
    pub(in crate::transforms) randomness: Option<Randomness>,
}

/// What the `ot` of a `tracestate` says; one that is against its grammar says nothing.
pub(in crate::transforms) fn read(text: &[u8]) -> Said {
    let mut said = Said::default();
    for (key, value) in entries(text) {
        match key {
            b"th" => said.threshold = Threshold::parse(value),
            b"rv" => said.randomness = Randomness::parse(value),
            _ => {}
        }
    }
    said
}

/// Appends `text` with this threshold in its `ot`, or with none. As W3C has it what was changed stands first, and what
/// does not fit any more goes from the end, long members before others.
pub(in crate::transforms) fn write(text: &[u8], threshold: Option<Threshold>, out: &mut Vec<u8>) {
    let start = out.len();
    write_own(text, threshold, out);
    let others = || members(text).filter(|member| key_of(member) != b"ot");
    let (mut left, mut room) = (MEMBERS - usize::from(out.len() > start), BYTES - (out.len() - start));
    let fits = others().count() <= left && others().map(|member| member.len() + 1).sum::<usize>() <= room;
    for member in others().filter(|member| fits || member.len() <= LONG) {
        if left == 0 || member.len() + 1 > room {
            return;
        }
        (left, room) = (left - 1, room - member.len() - 1);
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(member);
    }
}

/// Appends `ot=...`, or nothing if it would have no entry: first `rv` and `th`, then what else there was.
fn write_own(text: &[u8], threshold: Option<Threshold>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"ot=");
    let first = out.len();
    for (_, value) in entries(text).filter(|(key, value)| *key == b"rv" && Randomness::parse(value).is_some()) {
        entry(first, (b"rv", value), out);
    }
    if let Some(threshold) = threshold {
        entry(first, (b"th", b""), out);
        threshold.write(out);
    }
    for (key, value) in entries(text).filter(|(key, _)| !matches!(*key, b"rv" | b"th")) {
        if out.len() - first + key.len() + value.len() + 2 <= VALUE {
            entry(first, (key, value), out);
        }
    }
    if out.len() == first {
        out.truncate(start);
    }
}

fn entry(first: usize, (key, value): (&[u8], &[u8]), out: &mut Vec<u8>) {
    if out.len() > first {
        out.push(b';');
    }
    out.extend_from_slice(key);
    out.push(b':');
    out.extend_from_slice(value);
}

/// The members that are not empty, without the space around them.
fn members(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

fn key_of(member: &[u8]) -> &[u8] {
    member.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// The entries of `ot`; none if any of them is against the grammar.
fn entries(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let own = members(text).find(|member| key_of(member) == b"ot").and_then(|member| member.get(3..));
    let split = |value: &'_ [u8]| value.len() <= VALUE && value.split(|byte| *byte == b';').all(is_entry);
    let sound = own.filter(|value| split(value));
    sound.into_iter().flat_map(|value| value.split(|byte| *byte == b';').filter_map(pair))
}

fn pair(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = entry.iter().position(|byte| *byte == b':')?;
    Some((&entry[..colon], &entry[colon + 1..]))
}

/// `key ":" value`, where the key begins with a lower case letter and goes on with these and digits.
fn is_entry(entry: &[u8]) -> bool {
    let Some((key, value)) = pair(entry) else { return false };
    let is_key = key.first().is_some_and(u8::is_ascii_lowercase)
        && key.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    is_key && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str, threshold: Option<&str>) -> String {
        let mut out = Vec::new();
        write(text.as_bytes(), threshold.map(|digits| Threshold::parse(digits.as_bytes()).unwrap()), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn said(text: &str) -> (Option<String>, Option<String>) {
        let Said { threshold, randomness } = read(text.as_bytes());
        let digits = |threshold: Threshold| {
            let mut out = Vec::new();
            threshold.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        (threshold.map(digits), randomness.map(|randomness| format!("{randomness:?}")))
    }

    /// The vectors of the Collector's `pkg/sampling`: `oteltracestate_test.go` and `w3ctracestate_test.go`.
    #[test]
    fn reads_what_the_collector_reads() {
        for (text, threshold) in [
            ("ot=th:2", Some("2")),
            ("ot=th:ab", Some("ab")),
            ("ot=th:abcdefabcdefab", Some("abcdefabcdefab")),
            ("ot=th:1000", Some("1")),
            ("ot=th:2;extra:stuff", Some("2")),
            ("ot=extra:stuff;th:2", Some("2")),
            ("ot=e100:100;th:1;e101:101", Some("1")),
            ("ot=x1y2z3:1-2-3;y1:y_1;xy:-;th:50", Some("5")),
            (" ot=th:1 ", Some("1")),
            (" , ot=th:1, , other=value ", Some("1")),
            ("ot=th:100;rv:abcdabcdabcdff ", Some("1")),
            ("ot=th:0", Some("0")),
            (",,,", None),
            ("", None),
            ("ot", None),
            ("ot=", None),
            ("ot=th:1;", None),
            ("ot=th:1=p:2", None),
            ("ot=th:1;p:2=s:3", None),
            ("ot=:1;p:2", None),
            ("ot=th:;p=1", None),
            ("ot=th:$", None),
            ("ot=th:14.5", None),
            ("ot=th:-1", None),
            ("ot=th:ffffffffffffffff", None),
            ("ot=th:100000000000000", None),
            ("ot=1:1;u:V", None),
            ("ot=X:1;u:V", None),
            ("other=th:1", None),
        ] {
            assert_eq!(said(text).0.as_deref(), threshold, "{text}");
        }
        let randomness = Randomness::parse(b"22222222222222");
        assert_eq!(read(b"ot=extra:stuff;rv:22222222222222").randomness, randomness);
        for bad in ["ot=rv:3;p:2", "ot=rv:100000000000000", "ot=rv:fffffffffffffffff"] {
            assert_eq!(read(bad.as_bytes()).randomness, None, "{bad}");
        }
        let long = format!("ot=th:1;x:{}", "_".repeat(250));
        assert_eq!(said(&long), (None, None));
    }

    #[test]
    fn writes_what_the_collector_writes() {
        for (text, threshold, expected) in [
            ("", Some("c"), "ot=th:c"),
            ("ot=rv:abcdefabcdefab", Some("3"), "ot=rv:abcdefabcdefab;th:3"),
            ("ot=a:b", Some("3"), "ot=th:3;a:b"),
            ("ot=rv:10000000000000;th:8;a:b;c:d", Some("e"), "ot=rv:10000000000000;th:e;a:b;c:d"),
            ("ot=a:b;th:1234", None, "ot=a:b"),
            ("ot=th:8", None, ""),
            ("zz=vendorcontent,ot=th:8,tenant@sys=a = b", Some("e666"), "ot=th:e666,zz=vendorcontent,tenant@sys=a = b"),
            ("zz=1 , ot=broken,, y=2", Some("8"), "ot=th:8,zz=1,y=2"),
            ("ot=rv:3;p:2", Some("8"), "ot=th:8;p:2"),
            ("zz=1,ot=th:8", None, "zz=1"),
        ] {
            assert_eq!(set(text, threshold), expected, "{text}");
        }
    }

    #[test]
    fn limits_hold_and_long_members_go_first() {
        let many: Vec<String> = (0..32).map(|at| format!("k{at}=v")).collect();
        let out = set(&many.join(","), Some("8"));
        assert_eq!(out.split(',').count(), 32);
        assert!(out.starts_with("ot=th:8,k0=v") && out.ends_with("k30=v"));
        let long = format!("a={},b={},c=1", "x".repeat(300), "y".repeat(200));
        assert_eq!(set(&long, Some("8")), "ot=th:8,c=1");
        let extras = format!("ot=a:{}", "x".repeat(254));
        assert_eq!(set(&extras, Some("8")), "ot=th:8");
    }

    proptest! {
        #[test]
        fn whatever_stands_there_the_result_is_read_back(text in "[ot=:;,a-f0-9 zhrv]{0,80}", bits in 0..1_u64 << 56) {
            let (mut digits, mut out) = (Vec::new(), Vec::new());
            let threshold = Threshold::parse(format!("{bits:014x}").as_bytes()).unwrap();
            threshold.write(&mut digits);
            write(text.as_bytes(), Some(threshold), &mut out);
            prop_assert_eq!(read(&out).threshold, Some(threshold));
            prop_assert_eq!(read(&out).randomness, read(text.as_bytes()).randomness);
            let mut again = Vec::new();
            write(&out, Some(threshold), &mut again);
            prop_assert_eq!(again, out);
        }
    }
}
