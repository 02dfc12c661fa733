//! What must hold for any line at all, as one function: the fuzz target and a test over its corpus both call it.

use super::{Framed, Stream, parse};
use crate::event::json;

/// Reads `line` as a runtime's, and asserts that what is found lies inside, and is found again when it is written anew.
pub fn probe(line: &[u8]) {
    let Some(found) = parse(line, &mut Vec::new()) else { return };
    let payload = line.get(found.payload.clone()).expect("the payload lies inside the line");
    assert_ne!(found.stream, Stream::Plain, "a runtime's line has a stream");
    let mut text = Vec::new();
    if found.is_escaped {
        json::unescape(payload, &mut text);
        assert!(text.len() <= payload.len(), "undoing escapes only shortens");
    } else {
        text.extend_from_slice(payload);
    }
    probe_cri(&found, &text);
    probe_docker(&found, &text);
}

fn probe_cri(found: &Framed, text: &[u8]) {
    let tag = if found.is_partial { 'P' } else { 'F' };
    let mut written = format!("{} {} {tag} ", time(found.time), stream(found.stream)).into_bytes();
    let start = written.len();
    written.extend_from_slice(text);
    let again = parse(&written, &mut Vec::new()).expect("what is written anew is read");
    assert_eq!(again, Framed { payload: start..written.len(), is_escaped: false, ..found.clone() });
}

fn probe_docker(found: &Framed, text: &[u8]) {
    let is_odd = std::str::from_utf8(text).is_err();
    if is_odd || (found.is_partial && text.ends_with(b"\n")) {
        return;
    }
    let mut log = text.to_vec();
    if !found.is_partial {
        log.push(b'\n');
    }
    let mut written = b"{\"log\":".to_vec();
    json::quote(&log, &mut written);
    written.extend_from_slice(
        format!(",\"stream\":\"{}\",\"time\":\"{}\"}}", stream(found.stream), time(found.time)).as_bytes(),
    );
    let again = parse(&written, &mut Vec::new()).expect("what is written anew is read");
    let mut payload = Vec::new();
    json::unescape(&written[again.payload.clone()], &mut payload);
    assert_eq!(payload, text, "the same text comes back");
    assert_eq!((again.time, again.stream, again.is_partial), (found.time, found.stream, found.is_partial));
}

fn time(nanos: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

fn stream(stream: Stream) -> &'static str {
    stream.name().expect("a runtime's line has a stream")
}
