//! A compressed file that is read as what is in it: rotated files are compressed while someone is still behind in them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use flate2::bufread::MultiGzDecoder;

use super::fingerprint::GUARD_BYTES;

/// The first bytes of a gzip file.
const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// What is unpacked at once when bytes are passed over.
const STRIDE: usize = 64 << 10;

/// A gzip file. Offsets count what it unpacks to. Nothing is unpacked ahead of what is asked for; what was read last is
/// kept, so that the rest of a line is not unpacked twice.
#[derive(Debug)]
pub(super) struct Gz {
    file: File,
    decoder: MultiGzDecoder<BufReader<File>>,
    /// How far it is unpacked.
    at: u64,
    /// The bytes before `at` that were read last.
    window: Vec<u8>,
    /// Did the file end within a member?
    is_torn: bool,
    /// What is wrong behind what is good.
    damage: Option<io::Error>,
}

impl Gz {
    /// Does the file begin as a gzip file does?
    pub(super) fn begins(file: &File) -> io::Result<bool> {
        let mut first = MAGIC.map(|_| 0);
        let got = super::fingerprint::read_at(file, &mut first, 0)?;
        Ok(first[..got] == MAGIC)
    }

    pub(super) fn new(file: File) -> io::Result<Self> {
        let decoder = MultiGzDecoder::new(BufReader::with_capacity(STRIDE, file.try_clone()?));
        Ok(Self { file, decoder, at: 0, window: Vec::new(), is_torn: false, damage: None })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Did the last read find the end of the file where there must be more?
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// What is wrong with what follows the last bytes that were read.
    pub(super) fn take_damage(&mut self) -> Option<io::Error> {
        self.damage.take()
    }

    /// Does it end where a member ends? If it is damaged before, it will not get better. All of it is unpacked for this.
    pub(super) fn is_whole(&mut self) -> io::Result<bool> {
        self.end()?;
        Ok(!self.is_torn)
    }

    /// How long it is unpacked, as its last four bytes tell, modulo 2^32; right for a file of one member that is whole.
    pub(super) fn told_len(&self) -> io::Result<u32> {
        let mut last = [0; 4];
        let len = self.file.metadata()?.len();
        super::fingerprint::read_at(&self.file, &mut last, len.saturating_sub(4))?;
        Ok(u32::from_le_bytes(last))
    }

    /// Fills `buffer` from `offset` on; returns less than its length at the end of what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset < self.at - self.window.len() as u64 || self.is_torn {
            self.rewind()?;
        }
        if !self.pass_to(offset)? {
            return Ok(0);
        }
        let kept = self.window.len() - (self.at - offset) as usize;
        let mut got = (self.window.len() - kept).min(buffer.len());
        buffer[..got].copy_from_slice(&self.window[kept..kept + got]);
        if got == buffer.len() {
            return Ok(got);
        }
        got += self.unpack(&mut buffer[got..])?;
        self.window.clear();
        self.window.extend_from_slice(&buffer[..got]);
        Ok(got)
    }

    /// How long it is unpacked, as far as it is good: all of it is unpacked for this.
    pub(super) fn end(&mut self) -> io::Result<u64> {
        self.pass_to(u64::MAX)?;
        Ok(self.at)
    }

    fn rewind(&mut self) -> io::Result<()> {
        // The clone in the decoder shares the position.
        self.file.rewind()?;
        self.decoder = MultiGzDecoder::new(BufReader::with_capacity(STRIDE, self.file.try_clone()?));
        (self.at, self.is_torn, self.damage) = (0, false, None);
        self.window.clear();
        Ok(())
    }

    /// Unpacks until `offset` is in the window or at its end; false if there is less.
    fn pass_to(&mut self, offset: u64) -> io::Result<bool> {
        let mut stride = Vec::new();
        while self.at < offset {
            stride.resize(STRIDE.min((offset - self.at) as usize), 0);
            let got = self.unpack(&mut stride)?;
            if got == 0 {
                return Ok(false);
            }
            self.window.clear();
            self.window.extend_from_slice(&stride[got.saturating_sub(GUARD_BYTES)..got]);
        }
        Ok(true)
    }

    /// The next bytes, and moves on. A file that ends too early is as one that is still written.
    fn unpack(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        while got < buffer.len() {
            match self.decoder.read(&mut buffer[got..]) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.is_torn = true;
                    break;
                }
                Err(error) if is_of_system(&error) => return Err(error),
                // What came before is good.
                Err(error) => {
                    self.damage = Some(io::Error::new(io::ErrorKind::InvalidData, error));
                    break;
                }
            }
        }
        self.at += got as u64;
        Ok(got)
    }
}

/// Did the file fail, and not what is in it?
fn is_of_system(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::probe::probe;
    use super::*;
    use proptest::prelude::*;

    fn packed(members: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for member in members {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::fast());
            encoder.write_all(member).unwrap();
            encoder.finish().unwrap();
        }
        out
    }

    fn of(bytes: &[u8]) -> Gz {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Gz::new(file).unwrap()
    }

    proptest! {
        /// Model: the plain bytes.
        #[test]
        fn reads_as_what_is_in_it(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..4),
            reads in proptest::collection::vec((0usize..9000, 0usize..2000), 1..20),
        ) {
            let members: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let plain = parts.concat();
            let mut gz = of(&packed(&members));
            for (offset, len) in reads {
                let mut buffer = vec![0; len];
                let got = gz.read(&mut buffer, offset as u64).unwrap();
                let from = offset.min(plain.len());
                prop_assert_eq!(&buffer[..got], &plain[from..(from + len).min(plain.len())]);
            }
        }

        /// Whatever becomes of a byte, and wherever it is cut.
        #[test]
        fn nothing_that_comes_is_a_panic(
            parts in proptest::collection::vec(proptest::collection::vec(0..4u8, 0..3000), 1..4),
            (at, byte, cut) in (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>()),
        ) {
            let members: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let mut bytes = packed(&members);
            probe(&bytes);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            probe(&bytes);
            probe(&bytes[..cut.index(bytes.len())]);
        }
    }

    #[test]
    fn one_that_is_still_written_is_read_on() {
        let plain: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let whole = packed(&[&plain]);
        let half = whole.len() / 2;
        let mut gz = of(&whole[..half]);
        let mut buffer = vec![0; plain.len()];
        let got = gz.read(&mut buffer, 0).unwrap();
        assert!(got > 0 && gz.is_torn() && buffer[..got] == plain[..got]);
        let mut writer = gz.file().try_clone().unwrap();
        writer.seek(io::SeekFrom::End(0)).unwrap();
        writer.write_all(&whole[half..]).unwrap();
        let rest = gz.read(&mut buffer, got as u64).unwrap();
        assert!(!gz.is_torn() && buffer[..rest] == plain[got..]);
        assert_eq!(gz.told_len().unwrap() as usize, plain.len());
    }

    #[test]
    fn damage_is_told_behind_what_is_good() {
        let mut bytes = packed(&[b"good\n"]);
        bytes.extend_from_slice(b"no gzip member");
        let mut gz = of(&bytes);
        let mut buffer = [0; 16];
        assert_eq!(gz.read(&mut buffer[..5], 0).unwrap(), 5);
        assert!(gz.take_damage().is_none());
        assert_eq!(gz.read(&mut buffer, 5).unwrap(), 0);
        assert_eq!(gz.take_damage().map(|error| error.kind()), Some(io::ErrorKind::InvalidData));
    }
}
