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
    fn what_is_no_gzip_is_text_when_it_is_left_alone() {
        let text = b"a line of text\n";
        assert_eq!(ready("a.log.gz", text, NOW), Ok(false));
        assert_eq!(ready("a.log.gz", text, OLD), Ok(true));
        assert_eq!(ready("a.log.gz", text, NOW + 60_000_000_000), Ok(true), "its clock is ahead");
        assert_eq!(ready("a.log.gz", b"", OLD), Ok(false));
        assert_eq!(ready("a.log.gz", &packed()[..2], OLD), Ok(false));
    }
}
