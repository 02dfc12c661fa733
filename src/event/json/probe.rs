//! What must hold for any bytes at all, as one function: the fuzz target and a test over its corpus both call it.

use super::{
    Decoded, Member, Segment, Visitor, check, escape, index, key_bit, key_eq, seek, splice_remove, splice_set,
    unescape, walk,
};
use std::ops::Range;

/// Runs everything in this room over `data` and asserts that its parts agree. Most inputs are not JSON; those must be refused without a panic, by `check` and by all that trusts it.
pub fn probe(data: &[u8]) {
    let kept = Member::default();
    let mut members = vec![kept];
    let whole = check(data);
    match index(data, &mut members) {
        Err(fault) => {
            assert!(fault.at <= data.len(), "a fault lies inside the text");
            assert_eq!(members, [kept], "a fault leaves the members as they were");
            assert!(whole.is_err() || data.trim_ascii_start().first() != Some(&b'{'), "check and index agree");
        }
        Ok(shape) => {
            assert_eq!(whole, Ok(()), "check and index agree");
            for member in &members[1..] {
                let key = &data[member.key as usize..member.key_end as usize];
                assert_ne!(shape.keys & key_bit(key), 0);
                probe_member(data, key, &members[1..]);
            }
        }
    }
    let mut strings = Strings::default();
    walk(data, &mut strings);
    if whole.is_ok() {
        strings.found.iter().for_each(|range| probe_string(&data[range.clone()]));
    } else {
        probe_untrusted(data);
    }
}

/// Reading, writing and removing by a key of the record give what the index says.
fn probe_member(data: &[u8], raw_key: &[u8], members: &[Member]) {
    let mut key = Vec::new();
    unescape(raw_key, &mut key);
    let last = members
        .iter()
        .rfind(|other| key_eq(&data[other.key as usize..other.key_end as usize], &key))
        .expect("the key itself is there");
    let path = [Segment::Field(&key)];
    assert_eq!(seek(data, &path), Some(last.value as usize..last.value_end as usize));

    let mut out = Vec::new();
    splice_set(data, &path, b"1", &mut out);
    assert_eq!(check(&out), Ok(()));
    assert_eq!(seek(&out, &path).map(|range| &out[range]), Some(&b"1"[..]));

    out.clear();
    assert!(splice_remove(data, &path, &mut out));
    assert_eq!(check(&out), Ok(()));
    assert_eq!(seek(&out, &path), None);
}

/// A string's content survives decoding and escaping, and its map reaches from one end to the other.
fn probe_string(raw: &[u8]) {
    let mut decoded = Decoded::default();
    decoded.decode(raw);
    let mut again = Vec::new();
    unescape(raw, &mut again);
    assert_eq!(decoded.text, again);
    assert!(key_eq(raw, &again));
    assert_eq!(decoded.raw_range(0..again.len()), 0..raw.len());

    let mut escaped = vec![b'"'];
    assert_eq!(escape(&again, &mut escaped), 0);
    escaped.push(b'"');
    assert_eq!(check(&escaped), Ok(()));
    assert!(key_eq(&escaped[1..escaped.len() - 1], &again));
}

/// What trusts the check must still end, without a panic, on text that did not pass.
fn probe_untrusted(data: &[u8]) {
    let mut out = Vec::new();
    for path in [&[Segment::Field(b"a"), Segment::Index(-1)][..], &[Segment::Index(1), Segment::Field(b"")]] {
        let _ = seek(data, path);
        splice_set(data, path, b"1", &mut out);
        splice_remove(data, path, &mut out);
    }
    unescape(data, &mut out);
    escape(data, &mut out);
    Decoded::default().decode(data);
}

#[derive(Default)]
struct Strings {
    found: Vec<Range<usize>>,
}

impl Visitor for Strings {
    fn string(&mut self, text: &[u8], content: Range<usize>) {
        assert!(content.end <= text.len(), "what is visited lies inside the text");
        self.found.push(content);
    }
}
