//! Identity: what makes a re-read record the same record, so that a destination stores it once.

use super::origin::StreamKey;

/// (stream, position, sub, path): reproduced by a re-read, never reused for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The stream the position counts in.
    pub stream: StreamKey,
    /// Where the record stands in it.
    pub position: u64,
    /// Which of the records that one record fanned out into.
    pub sub: u32,
    /// Which outputs it took on its way, fixed by the plan: one record by two routes is two documents.
    pub path: u32,
}

/// Characters of a stream's prefix in an id: 128 bits in base32.
const PREFIX_LEN: usize = 26;
/// Characters of a position in an id: 64 bits in base32.
const POSITION_LEN: usize = 13;

/// base32hex (RFC 4648, clause 7) in lower case: sorts as the numbers do.
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

impl Identity {
    /// The part of the id that all records of one stream and path share. The path is folded into the random 128
    /// bits: for one stream that is a bijection, and two streams meet with a chance of 2^-96.
    pub fn prefix(&self) -> [u8; PREFIX_LEN] {
        base32(self.stream.0 ^ (u128::from(self.path) << 96))
    }

    /// Appends what follows the prefix: the position, zero-padded so that ids of a stream sort as it does
    /// (Lucene's terms dictionary packs sorted ids with a shared prefix well), and `sub` where there is one.
    pub fn write_rest(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&base32::<POSITION_LEN>(u128::from(self.position)));
        if self.sub != 0 {
            out.push(b'-');
            out.extend_from_slice(&base32::<7>(u128::from(self.sub)));
        }
    }

    /// A hash of all its parts, the same in every build: FNV-1a of 128 bits (with its published offset
    /// and prime), then a finish that spreads it, so that sums of such hashes are as good.
    pub fn hash(&self) -> u128 {
        let (stream, position) = (self.stream.0.to_le_bytes(), self.position.to_le_bytes());
        let (sub, path) = (self.sub.to_le_bytes(), self.path.to_le_bytes());
        let bytes = stream.into_iter().chain(position).chain(sub).chain(path);
        let hash = bytes.fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
        });
        let mixed = (hash ^ (hash >> 67)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        mixed ^ (mixed >> 61)
    }

    /// The whole id as text.
    pub fn id(&self) -> String {
        let mut id = self.prefix().to_vec();
        self.write_rest(&mut id);
        id.into_iter().map(char::from).collect()
    }
}

fn base32<const LEN: usize>(mut number: u128) -> [u8; LEN] {
    let mut text = [b'0'; LEN];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(number & 31) as usize];
        number >>= 5;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_positions_and_differ_by_every_part() {
        let at = |position, sub, path| Identity { stream: StreamKey(u128::MAX / 3), position, sub, path }.id();
        assert!(
            at(9, 0, 0) < at(10, 0, 0) && at(31, 0, 0) < at(32, 0, 0) && at(u64::MAX - 1, 0, 0) < at(u64::MAX, 0, 0)
        );
        let all = [at(1, 0, 0), at(1, 1, 0), at(1, 0, 1), at(2, 0, 0), at(1, 0, u32::MAX)];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(at(1, 0, 0).len(), PREFIX_LEN + POSITION_LEN);
    }
}
