mod messages;

use proptest::prelude::*;

use super::*;
use crate::event::otlp::Writer;
use crate::event::{Outcome, Path, Receipt, Resolution, Resolve, Seen, View, hash32};

struct Nobody;
impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

fn origin() -> Origin {
    let keys: Vec<Box<str>> = vec!["timestamp".into(), "b".into()];
    let metadata = vec![Shared::string("kind", "test")];
    let origin = Origin::new(StreamKey(7)).with_metadata(metadata).with_timestamp_keys(keys.into());
    origin.with(&[Shared::string("host", "h1"), Shared::string("a", "shared")])
}

/// A batch of these lines, JSON where they are JSON; each third line that is text was cut.
fn batch(lines: &[Vec<u8>]) -> Batch {
    let mut batch = Batch::new(lines.concat().into(), Arc::new(origin()), Receipt::new(Arc::new(Nobody), 0));
    let mut start = 0;
    for (number, line) in lines.iter().enumerate() {
        let seen = Seen { position: start as u64, time: 1_700_000_000_000_000_000 + number as i64 };
        let mut filler = batch.fill();
        if filler.json(start, line.len(), seen).is_err() {
            filler.text(start, line.len(), seen);
            if number % 3 == 0 {
                filler.mark_truncated();
            }
        }
        start += line.len();
    }
    batch
}

fn change(batch: &mut Batch, (at, what, key): (usize, u8, String)) {
    let path = Path::parse(&format!(".{key}")).unwrap();
    let index = at % batch.len();
    let mut records = batch.edit();
    match what {
        0 => _ = records.remove(index, &path),
        1 => _ = records.replace(index, format!(r#"{{"{key}":[1],"b":"2024-05-06T07:08:09Z"}}"#).as_bytes()),
        2 => _ = records.rename(index, &path, &Path::parse(".new").unwrap()),
        3 => records.set(index, &Path::parse(".message").unwrap(), b"\"masked\""),
        4 => records.set(index, &Path::parse(".timestamp").unwrap(), b"1700000001"),
        _ => records.set(index, &path, b"\"set\""),
    }
}

/// All that a sink can learn of a record.
fn seen(view: View<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
    let (mut json, mut text) = (Vec::new(), Vec::new());
    view.write_json(&mut json);
    crate::codecs::TextCodec::Text.write(view, &mut text);
    let members = ["a", "b", "message", "timestamp", "host", "new", "truncated"];
    let members = members.map(|key| view.member(key.as_bytes()).map(|value| String::from_utf8(value.into()).unwrap()));
    let kind = view.origin().metadata(b"kind").map(<[u8]>::to_vec);
    let texts = (String::from_utf8(json).unwrap(), text);
    (texts, view.identity(), view.time(), view.is_truncated(), members, kind)
}

fn round_trip(batch: &Batch) -> Batch {
    let mut bytes = vec![b'!'];
    encode(batch, &mut bytes);
    decode(Layout::of(batch), &Bytes::from(bytes).slice(1..)).unwrap()
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let members = prop::collection::vec((r"[a-d]|message|host|\\u0061", 0..100_u32), 0..5);
    let json = members.prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
        format!(" {{{}}} ", members.join(" , ")).into_bytes()
    });
    prop_oneof![json, "[ -~]{0,40}".prop_map(String::into_bytes), "\\PC{0,9}".prop_map(String::into_bytes)]
}

proptest! {
    #[test]
    fn what_is_read_back_is_what_a_sink_would_have_seen(
        lines in prop::collection::vec(line(), 1..12),
        changes in prop::collection::vec((any::<usize>(), 0..7_u8, "[a-d]"), 0..12),
        kept in any::<u16>(),
    ) {
        let mut batch = batch(&lines);
        for wanted in changes {
            change(&mut batch, wanted);
        }
        batch.took(hash32(b"way"));
        let batch = batch.select(|at| kept >> (at % 16) & 1 == 1);
        let once = round_trip(&batch);
        prop_assert_eq!(once.len(), batch.len());
        for (one, other) in once.iter().zip(batch.iter()) {
            prop_assert_eq!(seen(one), seen(other));
        }
        let (mut one, mut two) = (Vec::new(), Vec::new());
        encode(&once, &mut one);
        encode(&round_trip(&once), &mut two);
        prop_assert_eq!(one, two);
        batch.settle(Outcome::Delivered);
    }

    /// What its origin brings is of the resource, also where a step changed the record.
    #[test]
    fn a_line_that_is_read_back_is_the_log_record_that_it_would_have_been(
        lines in prop::collection::vec(line(), 1..6),
        changes in prop::collection::vec((any::<usize>(), 0..7_u8, "[b-d]"), 0..6),
    ) {
        let mut batch = batch(&lines);
        for wanted in changes.into_iter().filter(|(_, what, _)| *what != 1) {
            change(&mut batch, wanted);
        }
        for (one, other) in round_trip(&batch).iter().zip(batch.iter()) {
            let mut writers = [Writer::default(), Writer::default()];
            let [first, second] = &mut writers;
            prop_assert_eq!(first.read(one), second.read(other));
        }
        batch.settle(Outcome::Delivered);
    }

    #[test]
    fn any_bytes_are_records_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        for layout in [Layout::Texts, Layout::Messages] {
            if let Ok(batch) = decode(layout, &bytes) {
                batch.iter().for_each(|view| drop(seen(view)));
            }
        }
    }

    #[test]
    fn damage_is_no_reason_to_panic(flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let lines = [b"{\"a\":1}".to_vec(), b"text".to_vec(), b"{}".to_vec()];
        let mut bytes = Vec::new();
        encode(&batch(&lines), &mut bytes);
        let len = bytes.len();
        for (at, flip) in flips {
            bytes[at % len] ^= flip;
        }
        if let Ok(batch) = decode(Layout::Texts, &Bytes::from(bytes)) {
            batch.iter().for_each(|view| drop(seen(view)));
        }
    }
}

#[test]
fn what_was_masked_or_hidden_is_not_stored() {
    let lines = [&br#"{"m":"secret-1","n":1}"#[..], br#"{"a":"secret-2"}"#, br#"{"b":"secret-3","b":2}"#, b"secret-4"];
    let mut batch = batch(&lines.map(<[u8]>::to_vec));
    batch.edit().set(0, &Path::parse(".m").unwrap(), b"\"***\"");
    batch.edit().set(3, &Path::parse(".message").unwrap(), b"\"***\"");
    let mut bytes = Vec::new();
    encode(&batch, &mut bytes);
    assert!(!bytes.windows(7).any(|part| part == b"secret-"), "{}", bytes.escape_ascii());
}

#[test]
fn a_raw_line_keeps_bytes_that_are_no_text() {
    let whole = batch(&[b"cut \xff\xc3".to_vec(), b"{}".to_vec(), b"\x80".to_vec()]);
    let back = round_trip(&whole);
    assert!(back.get(0).is_truncated() && back.get(0).untouched_line() == Some(b"cut \xff\xc3"));
    assert!(back.iter().zip(whole.iter()).all(|(one, other)| seen(one) == seen(other)));
}

#[test]
fn unused_origins_are_left_out() {
    let mut whole = batch(&[b"{}".to_vec(), b"x".to_vec()]);
    whole.map_origins(Arc::clone);
    let none = whole.select(|_| false);
    let mut bytes = Vec::new();
    encode(&none, &mut bytes);
    assert_eq!(bytes, [0; 8]);
    assert!(round_trip(&none).is_empty());
}
