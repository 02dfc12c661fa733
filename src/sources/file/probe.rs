//! What must hold for any bytes at all as a compressed file, as one function: the fuzz target and a test both call it.

use std::fs::File;
use std::io::{Read, Seek, Write};

use flate2::read::MultiGzDecoder;
use rustix::fs::{MemfdFlags, memfd_create};

use super::gz::Gz;

/// What is unpacked at most: a few bytes can stand for as much as one likes.
const MOST: usize = 1 << 20;
/// Where it is read: on, over what is kept, back, far ahead, and behind the end of most.
const OFFSETS: [usize; 9] = [0, 1_000, 2_000, 500, 1_930, 70_000, 69_990, 3, MOST - READ];
/// What is read at once.
const READ: usize = 1_000;

/// Reads `data` here and there as a compressed file. Each read gives what stands there of all that can be unpacked.
pub fn probe(data: &[u8]) {
    let (plain, is_sound) = unpacked(data);
    let mut gz = Gz::new(file(data)).expect("a file can be opened twice");
    let mut buffer = [0; READ];
    for offset in OFFSETS {
        let got = gz.read(&mut buffer, offset as u64).expect("the file itself is sound");
        let there = plain.get(offset..plain.len().min(offset + READ)).unwrap_or_default();
        // How much is good of a piece that is damaged depends on how much is asked for.
        let both = got.min(there.len());
        assert_eq!(buffer[..both], there[..both], "at {offset}");
        assert!(!is_sound || got == there.len(), "{got} of {} bytes at {offset}", there.len());
    }
}

/// All that can be unpacked, up to [`MOST`]; and whether it is neither damaged nor cut short.
fn unpacked(data: &[u8]) -> (Vec<u8>, bool) {
    let (mut plain, mut piece) = (Vec::new(), [0; 512]);
    let mut decoder = MultiGzDecoder::new(data).take(MOST as u64);
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return (plain, true),
            Ok(got) => plain.extend_from_slice(&piece[..got]),
            Err(_) => return (plain, false),
        }
    }
}

/// A file in memory.
fn file(data: &[u8]) -> File {
    let mut file = File::from(memfd_create("levada-probe", MemfdFlags::CLOEXEC).expect("files can be opened"));
    file.write_all(data).and_then(|()| file.rewind()).expect("there is room");
    file
}
