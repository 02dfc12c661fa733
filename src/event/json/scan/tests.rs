use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn both_ways_find_what_a_plain_loop_finds(text in proptest::collection::vec(prop_oneof![4 => Just(b'a'), 1 => any::<u8>(), 1 => b'0'..=b'9', 1 => proptest::sample::select(b"{}[]\"\\".to_vec())], 0..80), from in 0_usize..80) {
        let from = from.min(text.len());
        let expected = text[from..].iter().position(|&b| is_special(b)).map_or(text.len(), |o| from + o);
        let (mut seen, mut word_seen) = (Seen::default(), portable::Seen::default());
        prop_assert_eq!(special(&text, from, &mut seen), expected);
        prop_assert_eq!(portable::special(&text, from, &mut word_seen), expected);
        let high = text[from..expected].iter().any(|b| !b.is_ascii());
        prop_assert!(!high || (seen.any_high() && word_seen.any_high()));
        prop_assert!(text.iter().any(|b| !b.is_ascii()) || !(seen.any_high() || word_seen.any_high()));

        prop_assert_eq!(marks(&text, from), Marks::slowly(&text, from));
        prop_assert_eq!(portable::marks(&text, from), Marks::slowly(&text, from));
        let expected = (0..STEP).filter(|o| !text.get(from + o).is_some_and(u8::is_ascii_digit)).fold(!0xffff_u32, |m, o| m | (1 << o));
        prop_assert_eq!(nondigits(&text, from), expected);
        prop_assert_eq!(portable::nondigits(&text, from), expected);
    }

    #[test]
    fn lanes_of_any_width_do_what_a_plain_loop_does(bytes in proptest::collection::vec(any::<u8>(), 64), other in proptest::collection::vec(any::<u8>(), 64), byte in any::<u8>(), limit in 0_u8..0x80) {
        let blocks = bytes.chunks(STEP).zip(other.chunks(STEP));
        let plain = blocks.map(|(bytes, other)| Compare(bytes, other, byte, limit).run::<portable::Block>().1).enumerate();
        let plain = plain.fold([0; 7], |all: [u64; 7], (at, masks)| std::array::from_fn(|one| all[one] | masks[one] << (at * STEP)));
        for (width, masks) in run::all(|| Compare(&bytes, &other, byte, limit)) {
            prop_assert_eq!(masks, plain.map(|mask| mask & (u64::MAX >> (64 - width))), "{} bytes", width);
        }
    }
}

/// All that lanes can do.
struct Compare<'a>(&'a [u8], &'a [u8], u8, u8);

impl Work for Compare<'_> {
    /// The bytes of a register, and what of them is so.
    type Done = (usize, [u64; 7]);

    fn run<L: Lanes>(self) -> Self::Done {
        let (own, other) = (L::of(self.0), L::of(self.1));
        let found = [
            own.equal(self.2),
            own.at_most(self.2),
            own.above(self.3),
            own.minus(self.2),
            own.equal(self.2).or(own.above(self.3)),
            own.or(other),
            L::all(self.2),
        ];
        (L::BYTES, found.map(L::mask))
    }
}
