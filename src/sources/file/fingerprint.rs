//! What a file is known by: a hash of how it begins, and of the bytes just before an offset.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

/// How many first bytes a fingerprint covers at most.
pub(super) const FINGERPRINT_BYTES: usize = 1024;
/// How many bytes before an offset are remembered.
pub(super) const GUARD_BYTES: usize = 64;

/// FNV-1a, 64 bits: stable between versions, since it is stored.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Hash of a file's first bytes. It grows with the file, so that a file of one byte has one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) len: usize,
    pub(super) hash: u64,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self { len: 0, hash: hash(&[]) }
    }
}

impl Fingerprint {
    /// Does it cover as much as it can?
    pub(super) fn is_full(self) -> bool {
        self.len == FINGERPRINT_BYTES
    }

    /// The fingerprint of a file that begins with `first`: all of it, or at least [`FINGERPRINT_BYTES`].
    pub(super) fn of(first: &[u8]) -> Self {
        let first = &first[..first.len().min(FINGERPRINT_BYTES)];
        Self { len: first.len(), hash: hash(first) }
    }

    /// Does a file begin as this one tells, given its first bytes?
    pub(super) fn fits(self, first: &[u8]) -> bool {
        self.len <= first.len() && hash(&first[..self.len]) == self.hash
    }
}

/// Hash of the bytes of a file before an offset, as many as [`guard_len`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Guard(u64);

impl Default for Guard {
    fn default() -> Self {
        Self(hash(&[]))
    }
}

/// How many bytes the guard of `offset` covers.
pub(super) fn guard_len(offset: u64) -> usize {
    offset.min(GUARD_BYTES as u64) as usize
}

impl Guard {
    /// The guard of an offset, given the bytes before it: all of them, or at least [`GUARD_BYTES`].
    pub(super) fn of(before: &[u8]) -> Self {
        Self(hash(&before[before.len().saturating_sub(GUARD_BYTES)..]))
    }
}

/// How far a file is known, and the guard there: what is the same has these bytes too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reach {
    pub(super) offset: u64,
    pub(super) guard: Guard,
}

impl Reach {
    pub(super) fn is_none(&self) -> bool {
        self.offset == 0
    }
}

/// Fills `buffer` from `offset` on; returns less than its length only at the end of the file.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    fill(buffer, |rest, got| file.read_at(rest, offset + got))
}

/// The same by way of the descriptor's own position: `/proc/PID/fdinfo` then shows how far a file is read.
pub(super) fn read_on(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    fill(buffer, |rest, _| file.read(rest))
}

fn fill(buffer: &mut [u8], mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match read(&mut buffer[got..], got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
