//! Files as lists of bytes, read in pieces of any size and begun again anywhere.

mod any;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::codecs::multiline::{Multiline, MultilineSettings};
use crate::codecs::{Codec, Decoder};
use crate::event::{Batch, Origin, Outcome, Receipt, Resolution, Resolve, StreamKey};

struct Nobody;
impl Resolve for Nobody {
    fn resolved(&self, _: u64, _: Resolution) {}
}

/// A record as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Record {
    stream: u128,
    position: u64,
    sub: u32,
    text: String,
    json: String,
}

/// A file that is read.
struct Reader<'a> {
    layout: &'a Layout,
    file: &'a [u8],
    units: Assembler,
    offset: u64,
    tick: Duration,
    tally: Tally,
    found: Vec<Record>,
}

impl<'a> Reader<'a> {
    fn new(layout: &'a Layout, file: &'a [u8]) -> Self {
        let mut reader = Self {
            layout,
            file,
            units: Assembler::new(&Arc::new(Origin::new(StreamKey(7)))),
            offset: 0,
            tick: Duration::ZERO,
            tally: Tally::default(),
            found: Vec::new(),
        };
        reader.begin(Resume::default());
        reader
    }

    fn begin(&mut self, resume: Resume) {
        self.offset = resume.offset;
        let before = &self.file[..resume.offset as usize];
        self.units.clear();
        self.units.begin(self.layout, &resume, (&self.file[..self.file.len().min(3)], before));
    }

    fn resume(&self) -> Resume {
        self.units.resume(self.offset)
    }

    /// Reads up to `quantum` bytes of what is there up to `end`.
    fn read(&mut self, quantum: usize, end: usize) {
        let start = self.offset as usize;
        let size = quantum.min(end - start);
        self.piece(size, if size == quantum { Rest::InParts } else { Rest::Waits });
    }

    fn piece(&mut self, size: usize, rest: Rest) {
        let start = self.offset as usize;
        // As in life, a block begins with bytes before those that are read.
        let from = start.saturating_sub(5);
        let block = Bytes::copy_from_slice(&self.file[from..start + size]);
        let mut batch = self.batch(block.clone());
        let bytes = start - from..start - from + size;
        let input = Input { block: &block, bytes, position: self.offset, now: self.now(), rest };
        let taken = self.units.take(self.layout, &mut batch, &input);
        self.keep(batch, taken);
    }

    fn now(&self) -> Now {
        Now { time: 5, tick: self.tick }
    }

    fn batch(&self, block: Bytes) -> Batch {
        Batch::new(block, self.units_origin(), Receipt::new(Arc::new(Nobody), 0))
    }

    fn units_origin(&self) -> Arc<Origin> {
        Arc::new(Origin::new(StreamKey(7)))
    }

    fn wait(&mut self, time: Duration) {
        self.tick += time;
        let mut batch = self.batch(Bytes::new());
        let taken = self.units.flush(self.layout, &mut batch, self.now());
        self.keep(batch, taken);
    }

    fn keep(&mut self, mut batch: Batch, taken: Taken) {
        self.offset += taken.bytes as u64;
        self.tally = add(self.tally, taken.tally);
        if !taken.joined.is_empty() {
            batch.add_block(taken.joined.into());
        }
        for view in batch.iter() {
            let mut json = Vec::new();
            view.write_json(&mut json);
            let identity = view.identity();
            self.found.push(Record {
                stream: identity.stream.0,
                position: identity.position,
                sub: identity.sub,
                text: String::from_utf8_lossy(view.text()).into_owned(),
                json: String::from_utf8(json).unwrap(),
            });
        }
        batch.settle(Outcome::Delivered);
    }

    /// Reads to the end, and ends.
    fn finish(mut self, quantum: usize) -> (Vec<Record>, Tally) {
        loop {
            let before = self.offset;
            self.read(quantum, self.file.len());
            if self.offset == before {
                break;
            }
        }
        self.piece(self.file.len() - self.offset as usize, Rest::Last);
        assert_eq!(self.offset as usize, self.file.len(), "all bytes are taken");
        assert!(!self.units.is_holding() && self.units.held() == 0);
        (self.found, self.tally)
    }
}

fn add(one: Tally, other: Tally) -> Tally {
    Tally {
        not_json: one.not_json + other.not_json,
        truncated: one.truncated + other.truncated,
        unframed: one.unframed + other.unframed,
        dangling: one.dangling + other.dangling,
        split: one.split + other.split,
        invalid: one.invalid + other.invalid,
    }
}

fn layout(framing: Framing) -> Layout {
    Layout::new(Decoder { codec: Codec::Bytes, max_line_bytes: 40 }, framing)
}

fn multiline(settings: &str) -> Option<Multiline> {
    let settings: MultilineSettings = toml::from_str(settings).unwrap();
    assert!(settings.faults().is_empty(), "{:?}", settings.faults());
    Some(settings.rules().unwrap())
}

fn texts(found: &[Record]) -> Vec<&str> {
    found.iter().map(|record| record.text.as_str()).collect()
}

fn read(layout: &Layout, file: &[u8]) -> (Vec<Record>, Tally) {
    Reader::new(layout, file).finish(1 << 20)
}

const T: &str = "2026-11-21T01:30:00.000000001Z";

#[test]
fn pieces_of_two_outputs_are_joined_apart() {
    let file = format!(
        "{T} stdout P one \n{T} stderr P two \n{T} stdout P and \n{T} stderr F end\n{T} stdout F end\n{T} stdout F \n{T} stderr F whole\n"
    );
    let (found, tally) = read(&layout(Framing::Container), file.as_bytes());
    assert_eq!(texts(&found), ["two end", "one and end", "whole"]);
    assert_eq!(found[1].position, 0, "where its first piece begins");
    assert_ne!(found[0].stream, found[1].stream, "positions of each stream only grow");
    assert_eq!(found[1].json, format!(r#"{{"message":"one and end","timestamp":"{T}","stream":"stdout"}}"#));
    assert_eq!(tally, Tally::default());
}

#[test]
fn docker_and_cri_may_follow_each_other_and_plain_lines_pass() {
    let docker = |log: &str| format!("{{\"log\":\"{log}\",\"stream\":\"stdout\",\"time\":\"{T}\"}}\n");
    let file = format!(
        "{}{}{}plain\n\n{T} stdout F cri\n{{\"a\":1}}\n",
        docker("part, "),
        docker(r"\u003cend\u003e\n"),
        docker(r"whole\n")
    );
    let (found, tally) = read(&layout(Framing::Container), file.as_bytes());
    assert_eq!(texts(&found), ["part, <end>", "whole", "plain", "cri", "{\"a\":1}"]);
    assert_eq!(tally, Tally { unframed: 2, ..Tally::default() });
    assert!(found[2].json.contains("1970-01-01"), "its time is the time of reading");
}

#[test]
fn lines_are_cut_on_a_character_whatever_they_come_in() {
    let long = "é".repeat(30);
    let (half, rest) = long.split_at(20);
    let file = format!("{T} stdout F {long}\n{T} stdout P {half}\n{T} stdout F {rest}\n{T} stdout F short\n");
    let layout = Layout::new(Decoder { codec: Codec::Bytes, max_line_bytes: 41 }, Framing::Container);
    for quantum in [1, 7, 30, 1000] {
        let (found, tally) = Reader::new(&layout, file.as_bytes()).finish(quantum);
        assert_eq!(texts(&found), [&long[..40], &long[..40], "short"]);
        assert_eq!(tally.truncated, 2);
        for cut in &found[..2] {
            assert!(cut.json.contains(r#""truncated":true,"original_bytes":60"#), "{}", cut.json);
        }
    }
}

#[test]
fn a_line_of_a_gigabyte_takes_the_memory_of_its_beginning() {
    let layout = layout(Framing::Lines);
    let block = vec![b'x'; 1 << 16];
    let mut reader = Reader::new(&layout, &block);
    for _ in 0..64 {
        reader.offset = 0;
        reader.read(1 << 16, 1 << 16);
        assert!(reader.units.held() < 100, "{}", reader.units.held());
    }
    assert_eq!(reader.found, []);
}

#[test]
fn what_has_no_end_is_marked_and_may_come_again_as_more() {
    let plain = b"whole\nthe last".as_slice();
    let (found, tally) = read(&layout(Framing::Lines), plain);
    assert_eq!(texts(&found), ["whole", "the last"]);
    assert!(found[1].json.contains(r#""partial":true"#) && !found[0].json.contains("partial"));
    assert_eq!(tally.dangling, 1);
    let grown = read(&layout(Framing::Lines), b"whole\nthe last one\n").0;
    assert_eq!(grown[1].position, found[1].position);
    assert_ne!(grown[1].sub, found[1].sub, "it is not the record that was cut short");

    let chain = format!("{T} stdout P no \n{T} stdout P end");
    let (found, tally) = read(&layout(Framing::Container), chain.as_bytes());
    assert_eq!((texts(&found), tally.dangling), (vec!["no end"], 1));
}

#[test]
fn a_chain_that_nobody_goes_on_with_is_passed_on_in_time() {
    let layout = layout(Framing::Container);
    let file = format!("{T} stdout P waits\n{T} stderr F other\n");
    let mut reader = Reader::new(&layout, file.as_bytes());
    reader.read(1000, file.len());
    assert_eq!(reader.resume(), Resume { offset: 0, ahead: [file.len() as u64, 0, file.len() as u64] });
    let due = reader.units.deadline(&layout).unwrap();
    reader.wait(due / 2);
    assert_eq!(texts(&reader.found), ["other"]);
    reader.wait(due / 2);
    assert_eq!(texts(&reader.found), ["other", "waits"]);
    assert_eq!(reader.resume().offset, file.len() as u64);
    assert_eq!(reader.units.deadline(&layout), None);
}

#[test]
fn what_one_file_begins_the_next_one_ends() {
    let layout = layout(Framing::Container).with_multiline(multiline("preset = 'java'"));
    let old = format!("{T} stdout F boom\n{T} stdout P \tat \n{T} stderr P one \n");
    let new = format!("{T} stderr F two\n{T} stdout F a.B.c(B.java:1)\n{T} stdout F next\n{T} stderr F next\n");
    let mut first = Reader::new(&layout, old.as_bytes());
    first.read(1000, old.len());
    let estate = first.units.bequeath();
    assert_eq!((first.resume().offset, first.units.is_holding()), (old.len() as u64, false));

    let mut second = Reader::new(&layout, new.as_bytes());
    second.units = Assembler::new(&Arc::new(Origin::new(StreamKey(8))));
    let resume = second.resume();
    second.units.inherit(estate, &resume, second.now());
    assert!(second.units.is_heir());
    let half = new.find("stdout F a.B").unwrap() - T.len() - 1;
    second.read(half, new.len());
    assert_eq!(second.resume().offset, 0, "it is read again with what it inherited");
    let (found, _) = second.finish(1000);
    assert_eq!(texts(&found), ["boom\n\tat a.B.c(B.java:1)", "one two", "next", "next"]);
    let old_stream = [7, 7 ^ 1 << 64, 7 ^ 2 << 64];
    assert_eq!((found[0].stream, found[0].position), (old_stream[1], 0), "a record of where it began");
    assert_eq!(found[1].stream, old_stream[2]);
    assert!(!old_stream.contains(&found[2].stream));
}

#[test]
fn charsets_and_marks() {
    let wide = |text: &str, mark: u16| -> Vec<u8> {
        std::iter::once(mark).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let lines = layout(Framing::Lines);
    let text = "één\r\nਊ two\n";
    for quantum in [8, 9, 1000] {
        let (found, _) = Reader::new(&lines, &wide(text, 0xFEFF)).finish(quantum);
        assert_eq!(texts(&found), ["één", "ਊ two"], "told by its mark");
    }
    let (found, _) = read(&lines, "\u{feff}one\r\ntwo\n".as_bytes());
    assert_eq!(texts(&found), ["one", "two"], "the mark is no text");
    assert_eq!(found[0].position, 0);

    let told = |label| layout(Framing::Lines).with_text(None, charset(label).unwrap());
    let (found, _) = read(&told("windows-1251"), b"\xcf\xf0\xe8\xe2\xe5\xf2\n");
    assert_eq!(texts(&found), ["Привет"]);
    let big: Vec<u8> = "no mark\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(texts(&read(&told("utf-16be"), &big).0), ["no mark"]);
    assert_eq!((charset("klingon"), charset("iso-2022-jp")), (None, None));
}

#[test]
fn what_is_not_valid_is_counted_and_nul_stays() {
    let (found, tally) = read(&layout(Framing::Lines), b"fine\nnot \xff fine\nnul \0 nul\n");
    assert_eq!(tally.invalid, 1);
    assert!(found[1].json.contains("not \u{fffd} fine") && found[2].json.contains(r"nul \u0000 nul"));
}

#[test]
fn a_delimiter_of_ones_own() {
    let own = layout(Framing::Lines).with_text(Some("--"), Charset::default());
    for quantum in [8, 9, 1000] {
        let (found, _) = Reader::new(&own, b"one\r\n--two---three--").finish(quantum);
        assert_eq!(texts(&found), ["one\r\n", "two", "-three"]);
    }
}

#[test]
fn groups_end_with_their_time_their_lines_and_their_bytes() {
    let rules = "mode = 'continue_through'\nstart_pattern = '^[^ ]'\ncondition_pattern = '^ '\ntimeout_ms = 1000\nmax_lines = 3\nmax_bytes = 30";
    let layout = layout(Framing::Lines).with_multiline(multiline(rules));
    let file = b"head\n a\n b\n c\n d\nother\n 0123456789012345678901234\nlast\n";
    let mut reader = Reader::new(&layout, file);
    reader.read(1000, file.len());
    assert_eq!(texts(&reader.found), ["head\n a\n b", " c\n d", "other", " 0123456789012345678901234"]);
    assert_eq!(reader.tally.split, 2);
    assert_eq!(reader.resume().offset, 50, "what is held is read again");
    reader.wait(Duration::from_millis(999));
    assert_eq!(reader.found.len(), 4);
    reader.wait(Duration::from_millis(1));
    assert_eq!(texts(&reader.found)[4..], ["last"]);
    assert_ne!(reader.found[4].sub, 0, "with more lines it would have been another record");
}

#[test]
fn groups_end_by_the_time_that_lines_tell_and_before_json() {
    let rules = "mode = 'halt_before'\nstart_pattern = ''\ncondition_pattern = '^#'\ntimeout_ms = 1000";
    let layout = layout(Framing::Container).with_multiline(multiline(rules));
    let at = |second: &str, text: &str| format!("2026-11-21T01:30:{second}Z stdout F {text}\n");
    let file = [
        at("00.0", "# one"),
        at("00.9", "a"),
        at("01.8", "b"),
        at("02.9", "late"),
        at("02.9", "{\"json\": 1}"),
        at("02.9", "{not json}"),
        at("02.9", "# two"),
    ];
    let (found, _) = read(&layout, file.concat().as_bytes());
    assert_eq!(texts(&found), ["# one\na\nb", "late", "{\"json\": 1}", "{not json}", "# two"]);
}
