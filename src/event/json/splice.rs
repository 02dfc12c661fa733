//! Writes a copy of a value with one thing changed, everything else byte for byte.

use super::cursor::{Entry, byte, elements, members, root};
use super::seek::{Segment, place};
use super::text::{escape, key_eq};
use std::ops::Range;

/// Appends a copy of `value`, valid JSON, to `out`, with the value at `path` set to `new`, also valid JSON.
///
/// What is missing on the way is created, and a value of another type in the way is replaced. An index past the end pads with `null`; a negative one before the start inserts
/// at the front, padded with `null`. Where a key on the path occurs more than once, the last occurrence is written and the others, which nobody could read, are dropped.
/// With an empty path the whole value is replaced, whitespace around it kept. The result may be nested deeper than the check allows.
pub fn splice_set(value: &[u8], path: &[Segment<'_>], new: &[u8], out: &mut Vec<u8>) {
    out.reserve(value.len() + new.len());
    let mut copy = Copy { text: value, done: 0, out };
    let mut here = root(value);
    for (depth, segment) in path.iter().enumerate() {
        let inner = match *segment {
            Segment::Field(key) => copy.only_member(here.start, key),
            Segment::Index(index) => {
                place(value, here.start, index).and_then(|place| elements(value, here.start).nth(place))
            }
        };
        match inner {
            Some(inner) => here = inner,
            None => return copy.create(here, &path[depth..], new),
        }
    }
    copy.change(here, |out| out.extend_from_slice(new));
    copy.finish();
}

/// The same with the value at `path` removed, together with its key: in every occurrence of every key on the path, those that a later one shadows included.
///
/// Returns whether there was any; if not, nothing is appended. With an empty path an object or array is emptied, and any other value becomes `null`.
pub fn splice_remove(value: &[u8], path: &[Segment<'_>], out: &mut Vec<u8>) -> bool {
    let before = out.len();
    let mut copy = Copy { text: value, done: 0, out };
    let here = root(value);
    let found = if path.is_empty() {
        let empty: &[u8] = match byte(value, here.start) {
            b'{' => b"{}",
            b'[' => b"[]",
            _ => b"null",
        };
        copy.change(here, |out| out.extend_from_slice(empty));
        true
    } else {
        copy.remove(here.start, path)
    };
    if found {
        copy.finish();
    } else {
        copy.out.truncate(before);
    }
    found
}

/// A copy under way: the text before `done` has been written or dropped. Changes come in the order of the text.
struct Copy<'a> {
    text: &'a [u8],
    done: usize,
    out: &'a mut Vec<u8>,
}

/// Something in a container: all of it, its value, and whether the path leads there.
struct Item {
    whole: Range<usize>,
    value: usize,
    hit: bool,
}

impl<'a> Copy<'a> {
    /// Puts what `write` writes in the place of `range`.
    fn change(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(&self.text[self.done..range.start]);
        self.done = range.end;
        write(self.out);
    }

    fn drop(&mut self, range: Range<usize>) {
        self.change(range, |_| {});
    }

    fn finish(self) {
        self.out.extend_from_slice(&self.text[self.done..]);
    }

    fn members_at(&self, open: usize, key: &'a [u8]) -> impl Iterator<Item = (Entry, bool)> + use<'a> {
        let text = self.text;
        members(text, open).map(move |entry| {
            let hit = key_eq(&text[entry.key.clone()], key);
            (entry, hit)
        })
    }

    /// The value of the last member with this key; the others with it are dropped.
    fn only_member(&mut self, open: usize, key: &'a [u8]) -> Option<Range<usize>> {
        let hits = self.members_at(open, key).filter(|(_, hit)| *hit);
        let (times, last) = hits.fold((0, None), |(times, _), (entry, _)| (times + 1, Some(entry)));
        let last = last?;
        if times > 1 {
            let mut entries = self.members_at(open, key).peekable();
            while let (Some((entry, hit)), Some((next, _))) = (entries.next(), entries.peek()) {
                if hit && entry.key != last.key {
                    self.drop(entry.whole().start..next.whole().start);
                }
            }
        }
        Some(last.value)
    }

    /// Writes `new` at `path`, whose first segment leads nowhere from the value at `here`.
    fn create(mut self, here: Range<usize>, path: &[Segment<'_>], new: &[u8]) {
        let rest = &path[1..];
        match (path[0], byte(self.text, here.start)) {
            (Segment::Field(key), b'{') => {
                let last = members(self.text, here.start).last().map(|entry| entry.value.end);
                let end = last.unwrap_or(here.start + 1);
                self.change(end..end, |out| {
                    out.extend_from_slice(if last.is_some() { b",\"" } else { b"\"" });
                    write_key(key, out);
                    build(rest, new, out);
                });
            }
            (Segment::Index(index), b'[') => {
                self.extend_array(here.start, index, |out| build(rest, new, out));
            }
            _ => self.change(here, |out| build(path, new, out)),
        }
        self.finish();
    }

    /// Writes an element at an index outside the array at `open`.
    fn extend_array(&mut self, open: usize, index: isize, write: impl FnOnce(&mut Vec<u8>)) {
        let (count, last) = elements(self.text, open).fold((0, None), |(count, _), range| (count + 1, Some(range.end)));
        if index < 0 {
            return self.change(open + 1..open + 1, |out| {
                write(out);
                pad(index.unsigned_abs() - count - 1, b",null", out);
                out.extend_from_slice(if count > 0 { b"," } else { b"" });
            });
        }
        let end = last.unwrap_or(open + 1);
        self.change(end..end, |out| {
            out.extend_from_slice(if count > 0 { b"," } else { b"" });
            pad(index.unsigned_abs() - count, b"null,", out);
            write(out);
        });
    }

    /// Removes what `path`, which is not empty, leads to from the container at `open`; says whether there was anything. Calls itself once per segment.
    fn remove(&mut self, open: usize, path: &[Segment<'a>]) -> bool {
        let text = self.text;
        match path[0] {
            Segment::Field(key) => {
                let items = self.members_at(open, key).map(|(entry, hit)| Item {
                    whole: entry.whole(),
                    value: entry.value.start,
                    hit,
                });
                self.remove_items(items, &path[1..])
            }
            Segment::Index(index) => {
                let Some(wanted) = place(text, open, index) else {
                    return false;
                };
                let items = elements(text, open).enumerate().map(|(at, range)| Item {
                    value: range.start,
                    whole: range,
                    hit: at == wanted,
                });
                self.remove_items(items, &path[1..])
            }
        }
    }

    fn remove_items(&mut self, items: impl Iterator<Item = Item>, rest: &[Segment<'a>]) -> bool {
        let (mut found, mut any_kept, mut previous_end) = (false, false, 0);
        let mut items = items.peekable();
        while let Some(item) = items.next() {
            let end = item.whole.end;
            if item.hit && rest.is_empty() {
                // Of the two commas around it one must go: the one before, if something stays before it.
                self.drop(match items.peek() {
                    _ if any_kept => previous_end..end,
                    Some(next) => item.whole.start..next.whole.start,
                    None => item.whole,
                });
                found = true;
            } else {
                found |= item.hit && self.remove(item.value, rest);
                any_kept = true;
            }
            previous_end = end;
        }
        found
    }
}

/// Writes the containers that `path` needs, and `new` inside them.
fn build(path: &[Segment<'_>], new: &[u8], out: &mut Vec<u8>) {
    for segment in path {
        match *segment {
            Segment::Field(key) => {
                out.extend_from_slice(b"{\"");
                write_key(key, out);
            }
            Segment::Index(index) => {
                out.push(b'[');
                pad(usize::try_from(index).unwrap_or(0), b"null,", out);
            }
        }
    }
    out.extend_from_slice(new);
    for segment in path.iter().rev() {
        match *segment {
            Segment::Field(_) => out.push(b'}'),
            Segment::Index(index) => {
                pad(if index < 0 { index.unsigned_abs() - 1 } else { 0 }, b",null", out);
                out.push(b']');
            }
        }
    }
}

/// Writes a key, its closing quote and the colon.
fn write_key(key: &[u8], out: &mut Vec<u8>) {
    escape(key, out);
    out.extend_from_slice(b"\":");
}

fn pad(times: usize, with: &[u8], out: &mut Vec<u8>) {
    (0..times).for_each(|_| out.extend_from_slice(with));
}
