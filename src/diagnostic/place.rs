//! The texts of the files and places in them.
//!
//! A place holds byte offsets; lines and columns are counted only when something is shown.

use std::ops::Range;

/// A file of a [`Sources`] store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A stretch of one file, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// First byte and the byte after the last.
    pub span: Range<usize>,
}

/// Where a byte stands for a person: both count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line of the file.
    pub line: usize,
    /// Character of the line.
    pub column: usize,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Every file that was read, so that faults can show their text. It only grows: a [`FileId`] stays good.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Keeps a file and gives it a number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(SourceFile { name: name.into(), text: text.into() });
        id
    }

    /// The number of a file of this name and text; keeps it if it is new.
    pub fn add_once(&mut self, name: String, text: String) -> FileId {
        let known = self.files.iter().position(|file| file.name == name && file.text == text);
        known.map_or_else(|| self.add(name, text), |at| FileId(at as u32))
    }

    /// The file with this number.
    ///
    /// # Panics
    /// If the number comes from another store.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The text at a place; empty if the place does not fit the file.
    pub fn text(&self, place: &Place) -> &str {
        self.file(place.file).text.get(place.span.clone()).unwrap_or_default()
    }

    /// Line and column of the first byte of a place.
    pub fn position(&self, place: &Place) -> Position {
        let text = &self.file(place.file).text;
        let before = &text[..text.floor_char_boundary(place.span.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Position, Sources};

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "x = 1\nключ = 2\n");
        let at = |start: usize| sources.position(&Place { file, span: start..start });
        assert_eq!(at(0), Position { line: 1, column: 1 });
        assert_eq!(at(6), Position { line: 2, column: 1 });
        assert_eq!(at(10), Position { line: 2, column: 3 });
        assert_eq!(at(9_999), Position { line: 3, column: 1 });
    }
}
