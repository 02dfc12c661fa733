//! What the files of a source are made of, as its settings tell.

use super::charset::Charset;
use super::split::Delimiter;
use crate::codecs::decoder::{Codec, Decoder};
use crate::codecs::multiline::Multiline;

/// How a line is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// It is not.
    Lines,
    /// By a container runtime: CRI, or docker's json-file.
    Container,
}

/// What files are made of.
#[derive(Debug)]
pub struct Layout {
    pub(super) decoder: Decoder,
    pub(super) framing: Framing,
    pub(super) multiline: Option<Multiline>,
    pub(super) charset: Charset,
    /// For each charset; the default strips a carriage return too.
    delimiter: Box<str>,
    pub(super) splits: [Delimiter; Charset::KINDS],
    /// The member that gets the position of a record.
    pub(super) position_key: Option<Box<str>>,
}

/// The delimiter if none is told.
const LINE_FEED: &str = "\n";

/// What a runtime writes before a payload, at most: a time, a stream, tags.
const FRAME_BYTES: usize = 256;

/// No line of docker's is longer: 16 KiB, of which each byte may be an escape of six.
const DOCKER_BYTES: usize = 128 << 10;

impl Layout {
    /// Lines that end with a line feed.
    pub fn new(decoder: Decoder, framing: Framing) -> Self {
        let charset = Charset::default();
        Self {
            decoder,
            framing,
            multiline: None,
            charset,
            delimiter: LINE_FEED.into(),
            splits: charset.splits(LINE_FEED),
            position_key: None,
        }
    }

    /// With a member that tells where in the file a record begins.
    #[must_use]
    pub fn with_position_key(self, key: Option<&str>) -> Self {
        Self { position_key: key.map(Box::from), ..self }
    }

    /// With rules for records of several lines.
    #[must_use]
    pub fn with_multiline(self, multiline: Option<Multiline>) -> Self {
        Self { multiline, ..self }
    }

    /// With lines that end with `delimiter` and are written in `charset`, where no byte order mark tells another.
    #[must_use]
    pub fn with_text(self, delimiter: Option<&str>, charset: Charset) -> Self {
        let delimiter = delimiter.unwrap_or(LINE_FEED);
        Self { charset, delimiter: delimiter.into(), splits: charset.splits(delimiter), ..self }
    }

    /// Where the line begins that goes on where `bytes` end: behind the last delimiter, if there is one. At the end of `bytes`
    /// where a line ends there.
    pub fn last_begin(&self, bytes: &[u8]) -> Option<usize> {
        let delimiter = self.split(self.charset);
        let mut begin = None;
        while let Some(at) = delimiter.find(&bytes[begin.unwrap_or(0)..]) {
            begin = Some(begin.unwrap_or(0) + at + delimiter.len());
        }
        begin
    }

    /// Does a file that is rotated end within a line, which the next one goes on with?
    pub fn is_continued(&self) -> bool {
        self.framing == Framing::Container
    }

    pub(super) fn split(&self, charset: Charset) -> &Delimiter {
        &self.splits[charset.kind()]
    }

    /// The line without a carriage return at its end, where lines end as they do on Windows.
    #[inline]
    pub(super) fn strip<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match line {
            [head @ .., b'\r'] if &*self.delimiter == LINE_FEED => head,
            line => line,
        }
    }

    /// So much of a raw line is kept while its end is not read.
    pub(super) fn raw_cap(&self) -> usize {
        let line = self.decoder.max_line_bytes.saturating_mul(Charset::WIDEST).saturating_add(4);
        match self.framing {
            Framing::Lines => line,
            Framing::Container => line.max(DOCKER_BYTES) + FRAME_BYTES,
        }
    }

    pub(super) fn is_text(&self) -> bool {
        self.decoder.codec == Codec::Bytes
    }
}
