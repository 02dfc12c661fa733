//! Writes that end anywhere, and what the next start makes of them.

use std::fs;
use std::time::Duration;

use super::*;
use crate::event::StreamKey;
use crate::sinks::file::Fsync;
use crate::sinks::file::open::OpenFiles;

fn id(position: u64) -> Identity {
    Identity { stream: StreamKey(7), position, sub: 0, path: 3 }
}

fn line(number: u64) -> String {
    format!("line {number}\n")
}

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(site.base()).unwrap();
        site
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn open(&self) -> (Journal, Found) {
        Journal::open(&self.state(), &self.base()).unwrap()
    }

    fn known(&self) -> Vec<u64> {
        let found = self.open().1;
        (0..100).filter(|number| found.knows(&id(*number))).collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.base().join("x.log")).unwrap()
    }

    /// Notes these lines, and writes of them what `cut` leaves.
    fn write(&self, journal: &mut Journal, numbers: std::ops::Range<u64>, cut: impl Fn(&mut Vec<u8>)) {
        let (mut lines, mut marks) = (Vec::new(), Marks::default());
        for number in numbers {
            let start = lines.len();
            lines.extend_from_slice(line(number).as_bytes());
            marks.add(&id(number), &lines, start);
        }
        let mut open = OpenFiles::new(Duration::from_secs(9), Fsync::Each);
        let (file, offset) = open.stand(&self.base(), "x.log").unwrap();
        let note = Note { path: "x.log".to_owned(), file, offset, is_compressed: false, marks: marks.of(None) };
        journal.note(&[note], true).unwrap();
        cut(&mut lines);
        open.append(&self.base(), "x.log", &lines).unwrap();
    }
}

fn whole(_: &mut Vec<u8>) {}

#[test]
fn what_is_there_is_known_wherever_a_write_ends() {
    let all: String = (3..6).map(line).collect();
    for len in 0..=all.len() {
        let site = Site::new();
        let (mut journal, found) = site.open();
        assert_eq!((found.len(), found.torn, found.changed), (0, 0, 0));
        site.write(&mut journal, 0..3, whole);
        site.write(&mut journal, 3..6, |lines| lines.truncate(len));
        let (_, found) = site.open();
        let lines = 3 + all[..len].matches('\n').count() as u64;
        assert_eq!((found.torn, found.changed), (len as u64 % 7, 0), "{len}");
        assert_eq!(site.text(), (0..lines).map(line).collect::<String>());
        // Once more, and after a write in between: what was known stays so.
        assert_eq!(site.known(), (0..lines).collect::<Vec<_>>());
        let (mut journal, _) = site.open();
        site.write(&mut journal, 50..52, whole);
        assert_eq!(site.known(), (0..lines).chain(50..52).collect::<Vec<_>>(), "{len}");
    }
}

#[test]
fn what_somebody_else_did_stays_as_it_is_and_nothing_of_it_is_known() {
    type Change = fn(&Path);
    let append = |path: &Path, bytes: &[u8]| {
        let text = [fs::read(path).unwrap(), bytes.to_vec()].concat();
        fs::write(path, text).unwrap();
    };
    let cases: [(Change, usize, u64); 5] = [
        // Behind half a line of ours a line of another.
        (|path| fs::write(path, "line 0\nliother\n").unwrap(), 1, 1),
        (|path| fs::write(path, "line 0\nother 1\n").unwrap(), 1, 1),
        (|path| fs::write(path, "short\n").unwrap(), 1, 0),
        (|path| fs::write(path, "").unwrap(), 0, 0),
        // Nothing of ours, and another's line.
        (|path| fs::write(path, "and another one\n").unwrap(), 1, 0),
    ];
    for (at, (change, changed, known)) in cases.into_iter().enumerate() {
        let site = Site::new();
        let (mut journal, _) = site.open();
        site.write(&mut journal, 0..2, whole);
        change(&site.base().join("x.log"));
        let before = site.text();
        let (mut journal, found) = site.open();
        assert_eq!((found.torn, found.changed), (0, changed), "{at}");
        assert_eq!(site.text(), before, "{at}");
        assert_eq!(site.open().1.changed, 0, "it is told once");
        site.write(&mut journal, 10..11, whole);
        assert_eq!(site.known(), (0..known).chain([10]).collect::<Vec<_>>(), "{at}");
    }
    let site = Site::new();
    let (mut journal, _) = site.open();
    site.write(&mut journal, 0..2, whole);
    append(&site.base().join("x.log"), b"another's\n");
    assert_eq!((site.open().1.changed, site.known()), (0, vec![0, 1]), "behind what is ours");
}

#[test]
fn a_file_that_is_gone_or_another_tells_nothing() {
    for is_back in [true, false] {
        let site = Site::new();
        let (mut journal, _) = site.open();
        site.write(&mut journal, 0..2, whole);
        fs::rename(site.base().join("x.log"), site.base().join("x.log.1")).unwrap();
        if is_back {
            fs::write(site.base().join("x.log"), "line 0\nline 1\n").unwrap();
        }
        let (mut journal, found) = site.open();
        assert_eq!((found.len(), found.torn, found.changed), (0, 0, 0));
        // Also when the next file has lines.
        site.write(&mut journal, 5..6, whole);
        assert_eq!(site.known(), [5]);
    }
}

#[test]
fn a_write_that_was_taken_back_is_not_known() {
    let site = Site::new();
    let (mut journal, _) = site.open();
    site.write(&mut journal, 0..2, Vec::clear);
    site.write(&mut journal, 5..6, whole);
    assert_eq!(site.known(), [5]);
}

#[test]
fn nul_bytes_that_a_power_cut_leaves_are_cut_off() {
    let site = Site::new();
    let (mut journal, _) = site.open();
    site.write(&mut journal, 0..4, |lines| lines[14..].fill(0));
    assert_eq!((site.open().1.torn, site.text()), (14, "line 0\nline 1\n".to_owned()));
    assert_eq!(site.known(), [0, 1]);
}

#[test]
fn what_is_compressed_is_there_as_a_whole_or_not_at_all() {
    let packed = [&[0x1f, 0x8b][..], &[9; 30]].concat();
    for len in 0..=packed.len() {
        let site = Site::new();
        let (mut journal, _) = site.open();
        let mut marks = Marks::default();
        marks.add(&id(1), b"a\n", 0);
        marks.add(&id(2), b"a\nb\n", 2);
        let mut open = OpenFiles::new(Duration::from_secs(9), Fsync::Each);
        let (file, offset) = open.stand(&site.base(), "x.log").unwrap();
        let marks = marks.of(Some(&packed));
        journal.note(&[Note { path: "x.log".into(), file, offset, is_compressed: true, marks }], true).unwrap();
        open.append(&site.base(), "x.log", &packed[..len]).unwrap();
        let (is_whole, found) = (len == packed.len(), site.open().1);
        assert_eq!((found.len(), found.torn), (if is_whole { 2 } else { 0 }, if is_whole { 0 } else { len as u64 }));
        assert_eq!(fs::metadata(site.base().join("x.log")).unwrap().len() as usize, if is_whole { len } else { 0 });
    }
}

#[test]
fn a_flipped_bit_in_the_journal_or_a_torn_end_of_it_costs_what_it_knew() {
    let site = Site::new();
    let (mut journal, _) = site.open();
    for number in 0..5 {
        site.write(&mut journal, number..number + 1, whole);
    }
    drop(journal);
    let (path, text) = (site.state().join("journal-1.1"), site.text());
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        fs::write(&path, &bad).unwrap();
        assert!(site.known().len() <= 5 && site.text() == text, "byte {at}");
        fs::write(&path, &bytes[..at]).unwrap();
        let known = site.known();
        assert!(known.len() <= 5 && known.is_sorted() && site.text() == text, "{at} bytes");
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(site.known(), [0, 1, 2, 3, 4]);
}

#[test]
fn two_generations_are_kept_and_no_more() {
    let site = Site::new();
    let (mut journal, _) = site.open();
    let marks: Vec<Mark> =
        (0..60_000).map(|number| Mark { identity: number, end: 1, crc: crc32c::crc32c(b"x") }).collect();
    for round in 0..30 {
        let note =
            Note { path: round.to_string(), file: (1, 1), offset: 0, is_compressed: false, marks: marks.clone() };
        journal.note(&[note], false).unwrap();
    }
    let sizes = fs::read_dir(site.state()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let sizes: Vec<u64> = sizes.collect();
    assert!(sizes.len() == 2 && sizes.iter().all(|size| *size <= LARGEST), "{sizes:?}");
}
