//! Compressed files that are still being written: `gzip` writes `app.log.1.gz` while `app.log.1` is there, and removes that
//! when it is done. Half of one is no file yet: neither text, nor another file than the one it is made of.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::gz::Gz;
use super::look::TICK_NANOS;
use super::tail::Seen;

/// No gzip file is shorter than its header.
const HEADER_BYTES: u64 = 10;
/// Compressed bytes that are unpacked at most to see whether a file is whole; of a larger one its age tells.
const MOST_TRIED: u64 = 8 << 20;

/// Is what is named `.gz` and stands so written to its end? What does not begin as gzip does is taken for text, but not
/// while it may be about to become gzip. One that nobody has written to for a while, and that stays half while what it is
/// made of is there, is an error to tell of.
pub(super) fn is_ready(path: &Path, stands: Seen, now: i64) -> io::Result<bool> {
    // Clocks of network file systems are ahead, too.
    let is_young = (now - stands.modified).abs() <= TICK_NANOS;
    if stands.size < HEADER_BYTES {
        return Ok(false);
    }
    let file = File::open(path)?;
    if !Gz::begins(&file)? {
        return Ok(!is_young);
    }
    let has_plain = fs::metadata(path.with_extension("")).is_ok_and(|about| about.is_file());
    if !is_young && !has_plain {
        return Ok(true);
    }
    if stands.size > MOST_TRIED {
        return Ok(!is_young);
    }
    if Gz::new(file)?.is_whole()? {
        return Ok(true);
    }
    if is_young { Ok(false) } else { Err(half()) }
}

/// A way to compress that is not unpacked here.
struct Other {
    /// The end of a file's name.
    end: &'static str,
    /// Its first bytes, of its specification.
    begin: &'static [u8],
    program: &'static str,
    /// Does no text begin so? Then the name does not count.
    is_sure: bool,
}

impl Other {
    const fn new(end: &'static str, begin: &'static [u8], program: &'static str) -> Self {
        Self { end, begin, program, is_sure: false }
    }

    const fn sure(self) -> Self {
        Self { is_sure: true, ..self }
    }

    fn is_named(&self, path: &Path) -> bool {
        path.extension().is_some_and(|end| end == self.end)
    }
}

/// Those that rotation is told to use, and gzip under another name than its own.
const OTHERS: [Other; 8] = [
    Other::new("", b"\x1F\x8B\x08", "gzip, and not named `.gz`").sure(),
    Other::new("xz", b"\xFD7zXZ\0", "xz").sure(),
    Other::new("zst", b"\x28\xB5\x2F\xFD", "zstd").sure(),
    Other::new("lz4", b"\x04\x22\x4D\x18", "lz4").sure(),
    Other::new("bz2", b"BZh", "bzip2"),
    Other::new("lzma", b"\x5D\0\0", "lzma"),
    Other::new("Z", b"\x1F\x9D", "compress"),
    Other::new("zip", b"PK\x03\x04", "zip"),
];

/// How a file is compressed that is not unpacked here, if it is, as its name and its first bytes tell.
pub(super) fn other(path: &Path, first: &[u8]) -> Option<&'static str> {
    let is_it = |other: &&Other| first.starts_with(other.begin) && (other.is_sure || other.is_named(path));
    OTHERS.iter().find(is_it).map(|other| other.program)
}

/// Is a file of this name, which does not begin as what is compressed, about to become that, as far as anyone can tell?
pub(super) fn may_become_other(path: &Path, stands: Seen, now: i64) -> bool {
    let is_young = (now - stands.modified).abs() <= TICK_NANOS;
    (is_young || stands.size == 0) && OTHERS.iter().any(|other| other.is_named(path))
}

fn half() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is compressed and not whole; what it is made of is read instead")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const NOW: i64 = 1_000_000_000_000;
    const OLD: i64 = NOW - 3_000_000_000;

    fn ready(name: &str, bytes: &[u8], modified: i64) -> Result<bool, String> {
        let folder = tempfile::tempdir().unwrap();
        if name.starts_with("with-plain") {
            fs::write(folder.path().join("with-plain.log"), "plain").unwrap();
        }
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        is_ready(&path, Seen { size: bytes.len() as u64, modified }, NOW).map_err(|error| error.to_string())
    }

    fn packed() -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"one\ntwo\n").unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_not_whole_waits_while_it_may_become_so() {
        let whole = packed();
        let half = &whole[..whole.len() - 3];
        assert_eq!(ready("a.log.gz", &whole, NOW), Ok(true));
        assert_eq!(ready("with-plain.log.gz", &whole, OLD), Ok(true));
        assert_eq!(ready("a.log.gz", half, NOW), Ok(false));
        assert_eq!(ready("with-plain.log.gz", half, NOW), Ok(false));
        assert_eq!(ready("a.log.gz", half, OLD), Ok(true), "it is all there is");
        assert!(ready("with-plain.log.gz", half, OLD).is_err_and(|why| why.contains("not whole")));
    }

    #[test]
    fn other_compression_is_known_by_its_first_bytes_and_where_these_may_be_text_by_the_name_too() {
        let table = [
            ("a.log.1.xz", &b"\xFD7zXZ\0\0\x04"[..], Some("xz")),
            ("a.log.1", b"\x28\xB5\x2F\xFD\x04", Some("zstd")),
            ("a.log.2", b"\x04\x22\x4D\x18\x64", Some("lz4")),
            ("a.log.3", b"\x1F\x8B\x08\0", Some("gzip, and not named `.gz`")),
            ("a.log.bz2", b"BZh91AY&SY", Some("bzip2")),
            ("a.log", b"BZh is text", None),
            ("a.log.Z", b"\x1F\x9D\x90", Some("compress")),
            ("a.log.lzma", b"\x5D\0\0\x80", Some("lzma")),
            ("a.log.zip", b"PK\x03\x04", Some("zip")),
            ("a.log.xz", b"text all the same\n", None),
            ("a.log.xz", b"", None),
        ];
        for (name, first, expected) in table {
            assert_eq!(other(Path::new(name), first), expected, "{name}");
        }
        let waits = |name: &str, size, modified| may_become_other(Path::new(name), Seen { size, modified }, NOW);
        assert!(waits("a.log.zst", 0, OLD) && waits("a.log.zst", 5, NOW) && !waits("a.log.zst", 5, OLD));
        assert!(!waits("a.log", 0, NOW) && !waits("a", 0, NOW));
    }

    #[test]
    fn what_is_no_gzip_is_text_when_it_is_left_alone() {
        let text = b"a line of text\n";
        assert_eq!(ready("a.log.gz", text, NOW), Ok(false));
        assert_eq!(ready("a.log.gz", text, OLD), Ok(true));
        assert_eq!(ready("a.log.gz", text, NOW + 60_000_000_000), Ok(true), "its clock is ahead");
        assert_eq!(ready("a.log.gz", b"", OLD), Ok(false));
        assert_eq!(ready("a.log.gz", &packed()[..2], OLD), Ok(false));
    }
}
