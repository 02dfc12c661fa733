use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use super::super::{Encoding, Inflater};
use super::*;

const LIMIT: usize = 1 << 20;

fn lz4(bytes: &[u8], info: FrameInfo) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.into_inner().unwrap()
}

/// Each way to write `bytes`.
fn written(bytes: &[u8]) -> Vec<(Encoding, Vec<u8>)> {
    let info = FrameInfo::new;
    vec![
        (Encoding::Lz4, lz4(bytes, info())),
        (Encoding::Lz4, lz4(bytes, info().block_mode(BlockMode::Linked).block_size(BlockSize::Max64KB))),
        (Encoding::Lz4, lz4(bytes, info().block_checksums(true).content_checksum(true).block_size(BlockSize::Max4MB))),
        (Encoding::Lz4, lz4(bytes, info().content_size(Some(bytes.len() as u64)))),
        (Encoding::Snappy, frames(bytes)),
        (Encoding::Snappy, snap::raw::Encoder::new().compress_vec(bytes).unwrap()),
    ]
}

/// What pieces of `sizes`, again and again, become within a budget.
fn inflated(budget: &Budget, encoding: Encoding, body: &[u8], sizes: &[usize]) -> Result<Vec<u8>, Fault> {
    let mut inflater = Inflater::new(encoding, Plain::new(budget, body.len(), LIMIT)?, budget)?;
    let (mut rest, mut sizes) = (body, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap_or(&TURN)).max(1));
        inflater.put(piece)?;
        rest = behind;
    }
    inflater.finish().map(Vec::from)
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = (prop::collection::vec(any::<u8>(), 0..40), 1..4_000_usize);
    prop::collection::vec(part, 0..6)
        .prop_map(|parts| parts.into_iter().flat_map(|(bytes, times)| bytes.repeat(times)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_body_is_what_was_compressed_however_it_comes(
        bytes in text(),
        sizes in prop::collection::vec(1..20_000_usize, 1..5),
    ) {
        let budget = Budget::new(64 << 20);
        for (number, (encoding, body)) in written(&bytes).into_iter().enumerate() {
            let found = inflated(&budget, encoding, &body, &sizes);
            prop_assert_eq!(found.as_ref(), Ok(&bytes), "{}", number);
        }
        prop_assert_eq!(budget.used(), 0, "all of it is given back");
    }

    #[test]
    fn any_bytes_are_a_body_or_a_fault(
        bytes in text(),
        which in 0..6_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
        sizes in prop::collection::vec(1..5_000_usize, 1..3),
    ) {
        let (encoding, mut body) = written(&bytes).swap_remove(which);
        for (at, flip) in flips.into_iter().filter(|_| !bytes.is_empty()) {
            let at = at.index(body.len());
            body[at] ^= flip;
        }
        if let Some(cut) = cut.filter(|_| !bytes.is_empty()) {
            body.truncate(cut.index(body.len()));
        }
        let _any = inflated(&Budget::new(64 << 20), encoding, &body, &sizes);
    }
}

#[test]
fn what_is_cut_short_is_no_body() {
    let budget = Budget::new(64 << 20);
    for (encoding, body) in written(&b"some text, some text, and an end".repeat(3_000)) {
        // Where snappy's chunks end a shorter body ends too.
        let cuts = (1..body.len()).step_by(97).filter(|cut| encoding == Encoding::Lz4 || *cut > 10);
        for cut in cuts {
            let found = inflated(&budget, encoding, &body[..cut], &[TURN]);
            assert!(matches!(found, Err(Fault::Malformed(_))), "{encoding:?} {cut} of {}", body.len());
        }
    }
}

#[test]
fn several_frames_are_one_body() {
    let budget = Budget::new(64 << 20);
    let info = FrameInfo::new;
    let body = [lz4(b"one, ", info()), lz4(b"", info()), lz4(b"two", info().content_checksum(true))].concat();
    assert_eq!(inflated(&budget, Encoding::Lz4, &body, &[3]).unwrap(), b"one, two");
    let body = [frames(b"one, "), frames(b"two")].concat();
    assert_eq!(inflated(&budget, Encoding::Snappy, &body, &[3]).unwrap(), b"one, two");
}

#[test]
fn bombs_end_at_the_limit_and_within_the_budget() {
    for (encoding, body) in written(&vec![0; 32 * LIMIT]) {
        let budget = Budget::new(64 << 20);
        assert_eq!(inflated(&budget, encoding, &body, &[TURN]), Err(Fault::TooLarge), "{encoding:?}");
        assert_eq!(budget.used(), 0);
        let small = Budget::new(100 << 10);
        assert!(inflated(&small, encoding, &body, &[TURN]).is_err());
    }
    // A budget that another body has used up is no fault of this one.
    for (encoding, body) in written(&b"0123456789abcdefghijklmnopqrstuvwxyz".repeat(20_000)) {
        assert_eq!(inflated(&Budget::new(100 << 10), encoding, &body, &[TURN]), Err(Fault::NoRoom), "{encoding:?}");
    }
}

#[test]
fn a_length_that_cannot_be_costs_nothing() {
    let budget = Budget::new(64 << 20);
    // A block of a byte that says it is of 900,000, or of 4 GiB.
    for (body, expected) in
        [(&[0xa0, 0xf7, 0x36, 0][..], "longer than it can be"), (&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], "TooLarge")]
    {
        let fault = format!("{:?}", inflated(&budget, Encoding::Snappy, body, &[TURN]).unwrap_err());
        assert!(fault.contains(expected), "{fault}");
    }
    for (encoding, body, expected) in [
        (Encoding::Lz4, &b"no frame of any kind"[..], "no lz4 frame"),
        (Encoding::Lz4, &[&LZ4_MAGIC[..], &[0x60, 0x70, 0x73, 0xff, 0xff, 0xff, 0x7f]].concat(), "decompressed"),
        (Encoding::Snappy, &[&SNAPPY_MAGIC[..], &[0, 0xff, 0xff, 0xff]].concat(), "chunk is larger"),
    ] {
        let fault = format!("{:?}", inflated(&budget, encoding, body, &[TURN]).unwrap_err());
        assert!(fault.contains(expected), "{fault}");
    }
}
