//! The lines of docker's json-file driver: `{"log":"TEXT\n","stream":"stdout","time":"TIME"}`, with `attrs` where labels
//! are logged. A text without a line feed at its end is a piece of a line: docker parts lines at 16 KiB.

use std::ops::Range;

use super::{Framed, Stream};
use crate::codecs::rfc3339;
use crate::event::json::{self, Member};

pub(super) fn parse(line: &[u8], members: &mut Vec<Member>) -> Option<Framed> {
    members.clear();
    json::index(line, members).ok()?;
    let (mut log, mut stream, mut time) = (None, None, None);
    for member in members.iter() {
        let value = string(line, member);
        match &line[member.key as usize..member.key_end as usize] {
            b"log" => log = Some(value?),
            b"stream" => stream = Some(Stream::of(&line[value?])?),
            b"time" => time = Some(rfc3339::parse(&line[value?])?),
            b"attrs" => {}
            // An object of an application's own that happens to have these members.
            _ => return None,
        }
    }
    let (log, stream, time) = (log?, stream?, time?);
    let payload = without_line_feed(line, &log);
    let is_escaped = memchr::memchr(b'\\', &line[payload.clone()]).is_some();
    Some(Framed { time, stream, is_partial: payload == log, payload, is_escaped })
}

/// The insides of a string.
fn string(line: &[u8], member: &Member) -> Option<Range<usize>> {
    let value = member.value as usize..member.value_end as usize;
    (line[value.start] == b'"').then(|| value.start + 1..value.end - 1)
}

/// The text without the escape of a line feed at its end: a backslash that no other one escapes, and an `n`.
fn without_line_feed(line: &[u8], log: &Range<usize>) -> Range<usize> {
    let Some(head) = line[log.clone()].strip_suffix(b"n") else { return log.clone() };
    let backslashes = head.iter().rev().take_while(|byte| **byte == b'\\').count();
    if backslashes % 2 == 1 { log.start..log.end - 2 } else { log.clone() }
}
