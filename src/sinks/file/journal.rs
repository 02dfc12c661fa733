//! What each write is to put into which file, noted before it begins: so that after a kill a line that is there is not
//! written again, and half a line is taken back.
//!
//! Before a group of lines is appended, its file (device and inode), the file's length and, of each record, its identity,
//! where its line ends and the checksum up to there are noted, and synced where lines are. At a start the last note of each
//! path is compared with the file. Records whose lines are there as noted are *known*: when they come again they count as
//! delivered. Half a line behind them is cut off. What differs was done by somebody else: it stays as it is, nothing of it
//! is known, and it is told of. (A file that somebody rewrote in place, and that ends exactly there without the end of a
//! line, cannot be told from one with half a line.)
//!
//! It goes by identities, not by positions: records may come in any order, and dead letters that are sent again were
//! never written. Two generations of some 350,000 records are kept; what comes again later than that is written again.
//!
//! ```text
//! journal-1.0, journal-1.1: generation u64, then notes:
//! length of the rest u32 | crc32c of the rest u32 | device u64 | inode u64 | offset u64 | is compressed u8
//! | length of the path u16 | path | then each record: identity u128, end u32, crc32c of the bytes up to there u32
//! ```

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::folder;
use crate::component::fail;
use crate::event::Identity;

/// Bytes of a generation.
const LARGEST: u64 = 8 << 20;
/// Bytes of a record in a note.
const MARK: usize = 24;
/// Bytes of a note without its path and records.
const HEAD: usize = 27;

/// A record that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    identity: u128,
    /// Where its line ends, counted from where the write begins.
    end: u32,
    /// Of all bytes up to there.
    crc: u32,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) path: String,
    /// Device and inode.
    pub(super) file: (u64, u64),
    /// How long the file is before.
    pub(super) offset: u64,
    pub(super) is_compressed: bool,
    pub(super) marks: Vec<Mark>,
}

/// The notes of a sink, open for more.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    file: File,
    len: u64,
    generation: u64,
}

/// What a start found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Records that are written, in order.
    known: Vec<u128>,
    /// Bytes of half lines that were cut off.
    pub(super) torn: u64,
    /// Files that somebody else has changed where the sink wrote last.
    pub(super) changed: usize,
}

impl Found {
    /// Is this record in its file?
    pub(super) fn knows(&self, identity: &Identity) -> bool {
        !self.known.is_empty() && self.known.binary_search(&digest(identity)).is_ok()
    }

    /// Are there none that could come again?
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// An identity in 128 bits. For one stream that is a bijection, and streams are as good as random: two meet with a chance
/// of 2^-128.
fn digest(identity: &Identity) -> u128 {
    let own = u128::from(identity.path) << 96 | u128::from(identity.position) << 32 | u128::from(identity.sub);
    identity.stream.0 ^ own
}

/// The marks of lines, as they are written one behind the other.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marks: Vec<Mark>,
    crc: u32,
}

impl Marks {
    /// The line of this record stands in `lines` from `start` on.
    pub(super) fn add(&mut self, identity: &Identity, lines: &[u8], start: usize) {
        self.crc = crc32c::crc32c_append(self.crc, &lines[start..]);
        self.marks.push(Mark { identity: digest(identity), end: lines.len() as u32, crc: self.crc });
    }

    /// For lines that are written as they are, or as `compressed`, which is there as a whole or not at all.
    pub(super) fn of(&self, compressed: Option<&[u8]>) -> Vec<Mark> {
        let Some(bytes) = compressed else { return self.marks.clone() };
        let (end, crc) = (bytes.len() as u32, crc32c::crc32c(bytes));
        self.marks.iter().map(|mark| Mark { end, crc, ..*mark }).collect()
    }
}

impl Journal {
    /// Opens the journal in `folder`, which is made, and compares it with the files below `base`.
    pub(super) fn open(folder: &Path, base: &Path) -> io::Result<(Self, Found)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut kept = Vec::new();
        for number in 0..2 {
            kept.extend(read(&folder.join(name(number)))?);
        }
        kept.sort_by_key(|kept| kept.generation);
        let mut journal = match kept.last() {
            None => Self::begin(folder, 1)?,
            Some(Kept { generation, len, .. }) => {
                let file = OpenOptions::new().write(true).open(folder.join(name(*generation)))?;
                // Behind a note that is torn nothing could be read.
                file.set_len(*len)?;
                Self { folder: folder.to_owned(), file, len: *len, generation: *generation }
            }
        };
        let (found, ends) = compare(kept.into_iter().flat_map(|kept| kept.notes), base);
        journal.note(&ends, true)?;
        Ok((journal, found))
    }

    /// Begins a generation, in the place of the one before the last.
    fn begin(folder: &Path, generation: u64) -> io::Result<Self> {
        let (path, next) = (folder.join(name(generation)), folder.join("journal.next"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(&generation.to_le_bytes())?;
        file.sync_data()?;
        std::fs::rename(&next, path)?;
        File::open(folder)?.sync_all()?;
        Ok(Self { folder: folder.to_owned(), file, len: 8, generation })
    }

    /// Notes writes that follow; durably if asked.
    pub(super) fn note(&mut self, notes: &[Note], is_durable: bool) -> io::Result<()> {
        if notes.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for note in notes {
            note.write(&mut bytes);
        }
        if self.len > 8 && self.len + bytes.len() as u64 > LARGEST {
            *self = Self::begin(&self.folder, self.generation + 1)?;
        }
        fail::reach("file_note");
        // What an earlier one left behind that failed is written over.
        self.file.write_all_at(&bytes, self.len)?;
        if is_durable {
            self.file.sync_data()?;
        }
        self.len += bytes.len() as u64;
        fail::reach("file_noted");
        Ok(())
    }
}

fn name(generation: u64) -> String {
    format!("journal-1.{}", generation % 2)
}

impl Note {
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + 8, 0);
        for number in [self.file.0, self.file.1, self.offset] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(u8::from(self.is_compressed));
        out.extend_from_slice(&(self.path.len() as u16).to_le_bytes());
        out.extend_from_slice(self.path.as_bytes());
        for mark in &self.marks {
            out.extend_from_slice(&mark.identity.to_le_bytes());
            out.extend_from_slice(&mark.end.to_le_bytes());
            out.extend_from_slice(&mark.crc.to_le_bytes());
        }
        let (len, crc) = ((out.len() - start - 8) as u32, crc32c::crc32c(&out[start + 8..]));
        out[start..start + 4].copy_from_slice(&len.to_le_bytes());
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let (file, offset) = ((number(0)?, number(8)?), number(16)?);
        let is_compressed = *bytes.get(24)? != 0;
        let path_len = usize::from(u16::from_le_bytes(bytes.get(25..HEAD)?.try_into().ok()?));
        let path = std::str::from_utf8(bytes.get(HEAD..HEAD + path_len)?).ok()?.to_owned();
        let mark = |bytes: &[u8]| {
            Some(Mark {
                identity: u128::from_le_bytes(bytes.get(..16)?.try_into().ok()?),
                end: u32::from_le_bytes(bytes.get(16..20)?.try_into().ok()?),
                crc: u32::from_le_bytes(bytes.get(20..24)?.try_into().ok()?),
            })
        };
        let marks = bytes[HEAD + path_len..].chunks(MARK).map(mark).collect::<Option<_>>()?;
        Some(Self { path, file, offset, is_compressed, marks })
    }

    /// Where its last line ends in the file.
    fn end(&self) -> u64 {
        self.offset + self.marks.last().map_or(0, |mark| u64::from(mark.end))
    }
}

/// A generation as it was read: its notes up to one that is torn, and where that begins.
struct Kept {
    generation: u64,
    notes: Vec<Note>,
    len: u64,
}

/// Reads a generation; none if there is no such file.
fn read(path: &Path) -> io::Result<Option<Kept>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => _ = file?.take(4 * LARGEST).read_to_end(&mut bytes)?,
    }
    let Some((generation, mut rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let mut notes = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let [len, crc] = [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let Some(body) = after.get(..len as usize).filter(|body| crc32c::crc32c(body) == crc) else { break };
        let Some(note) = Note::read(body) else { break };
        notes.push(note);
        rest = &after[len as usize..];
    }
    let len = (bytes.len() - rest.len()) as u64;
    Ok(Some(Kept { generation: u64::from_le_bytes(*generation), notes, len }))
}

/// What of all that was noted is in its files, and notes of where those end that did not become what was noted. Only the
/// last note of a path can be one of a write that did not end.
fn compare(notes: impl Iterator<Item = Note>, base: &Path) -> (Found, Vec<Note>) {
    let (mut found, mut last) = (Found::default(), HashMap::<String, Note>::new());
    for note in notes {
        let (file, offset) = (note.file, note.offset);
        let Some(before) = last.insert(note.path.clone(), note) else { continue };
        // What is behind the next one's beginning was taken back.
        let is_there = |mark: &&Mark| before.file != file || before.offset + u64::from(mark.end) <= offset;
        found.known.extend(before.marks.iter().filter(is_there).map(|mark| mark.identity));
    }
    let mut ends = Vec::new();
    for note in last.into_values().filter(|note| !note.marks.is_empty()) {
        let offset = note.offset + found.look_at(&note, base);
        if offset < note.end() {
            ends.push(Note { offset, marks: Vec::new(), ..note });
        }
    }
    found.known.sort_unstable();
    found.known.dedup();
    (found, ends)
}

impl Found {
    /// Compares a note with its file; gives how many bytes are there as noted.
    fn look_at(&mut self, note: &Note, base: &Path) -> u64 {
        // A file that is gone, or cannot be read, tells nothing: what comes again is written again.
        let Ok(file) = folder::existing(base, &note.path) else { return 0 };
        let Ok(about) = file.metadata() else { return 0 };
        if (about.dev(), about.ino()) != note.file {
            return 0;
        }
        let there = about.len().min(note.end()).saturating_sub(note.offset);
        let mut bytes = vec![0; there as usize];
        if about.len() < note.offset || file.read_exact_at(&mut bytes, note.offset).is_err() {
            self.changed += 1;
            return 0;
        }
        let good = self.learn(note, &bytes);
        let rest = &bytes[good..];
        if rest.is_empty() {
            return good as u64;
        }
        if note.has_torn(good, rest) && about.len() <= note.end() {
            let cut = file.set_len(note.offset + good as u64).and_then(|()| file.sync_data());
            self.torn += if cut.is_ok() { rest.len() as u64 } else { 0 };
            self.changed += usize::from(cut.is_err());
        } else {
            self.changed += 1;
        }
        good as u64
    }

    /// Takes in the records whose lines are in `bytes` as noted; gives where the last of them ends.
    fn learn(&mut self, note: &Note, bytes: &[u8]) -> usize {
        let (mut good, mut crc) = (0, 0);
        for mark in &note.marks {
            let Some(line) = bytes.get(good..mark.end as usize) else { break };
            let with = crc32c::crc32c_append(crc, line);
            if with != mark.crc {
                break;
            }
            (good, crc) = (mark.end as usize, with);
            self.known.push(mark.identity);
        }
        good
    }
}

impl Note {
    /// Is what stands behind `good` bytes of it the beginning of its next line, or what a power cut leaves of it?
    fn has_torn(&self, good: usize, rest: &[u8]) -> bool {
        let Some(next) = self.marks.iter().find(|mark| mark.end as usize > good) else { return false };
        let is_begun = if self.is_compressed {
            let magics: [&[u8]; 2] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]];
            magics.iter().any(|magic| rest.starts_with(magic) || magic.starts_with(rest))
        } else {
            !rest.contains(&b'\n')
        };
        rest.iter().all(|byte| *byte == 0) || (is_begun && good + rest.len() < next.end as usize)
    }
}

#[cfg(test)]
mod tests;
