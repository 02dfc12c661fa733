//! In which charset lines are written, told by a byte order mark or by the settings.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::split::Delimiter;

/// A charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Self {
        Self(UTF_8)
    }
}

/// The charset of a label of the Encoding Standard (<https://encoding.spec.whatwg.org/#names-and-labels>).
pub fn charset(label: &str) -> Option<Charset> {
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    // Its escapes reach across lines.
    (encoding != encoding_rs::ISO_2022_JP).then_some(Charset(encoding))
}

impl Charset {
    /// In how many ways a delimiter is written.
    pub(super) const KINDS: usize = 3;

    /// What a file is written in that begins with `first`, and the length of its byte order mark.
    pub(super) fn told_by(self, first: &[u8]) -> (Self, usize) {
        Encoding::for_bom(first).map_or((self, 0), |(encoding, len)| (Self(encoding), len))
    }

    pub(super) fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// Which of [`splits`](Self::splits) is for it.
    pub(super) fn kind(self) -> usize {
        match self.0 {
            encoding if encoding == UTF_16LE => 1,
            encoding if encoding == UTF_16BE => 2,
            _ => 0,
        }
    }

    /// How many bytes a byte of UTF-8 may take in any of them.
    pub(super) const WIDEST: usize = 2;

    /// `delimiter` as it is written in this charset, and in the two that only a byte order mark may tell.
    pub(super) fn splits(self, delimiter: &str) -> [Delimiter; Self::KINDS] {
        let (own, _, _) = self.0.encode(delimiter);
        let units = || delimiter.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        [Delimiter::new(&own, 1), Delimiter::new(&little, 2), Delimiter::new(&big, 2)]
    }

    /// The text in UTF-8, and whether some of it had to be replaced.
    pub(super) fn decode(self, line: &[u8]) -> (Cow<'_, str>, bool) {
        self.0.decode_without_bom_handling(line)
    }
}
