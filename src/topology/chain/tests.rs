//! Conservation: whatever the topology and the faults, each record arrives, becomes a dead letter or is dropped for a
//! reason, each receipt resolves once, and no stream overtakes itself on the way to a sink that keeps order.

mod model;
mod store;
mod world;

use proptest::prelude::*;

use model::{Case, Fate, Layout, Trouble};
use world::{ONCE, World};

fn case() -> impl Strategy<Value = Case> {
    let layout = (0..4_u8, 1..4_usize, any::<bool>()).prop_map(|(steps, sinks, is_ordered)| Layout {
        steps: steps as usize,
        sinks,
        is_ordered,
    });
    let trouble = prop_oneof![
        4 => Just(Trouble::None),
        2 => Just(Trouble::Retry),
        1 => Just(Trouble::Lost),
        2 => Just(Trouble::Split),
        2 => Just(Trouble::Partial),
        1 => Just(Trouble::Hold),
        1 => Just(Trouble::HoldSome),
        1 => Just(Trouble::Stall),
    ];
    let marks = prop::collection::vec(prop::sample::select(b"........fprxe".to_vec()), 1..8);
    let batches = prop::collection::vec((0..3_u8, marks), 1..12);
    (layout, batches, prop::collection::vec(trouble, 0..20), 1..5_usize, 200..4_000_usize).prop_map(
        |(layout, batches, troubles, max_events, max_size)| Case { layout, batches, troubles, max_events, max_size },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_repeated_or_uncounted(case in case()) {
        let world = World::run(&case);
        for row in case.records() {
            for (sink, fate) in case.layout.fates(row).into_iter().enumerate() {
                let stored = usize::from(fate == Fate::Stored);
                prop_assert_eq!(world.stored(sink, row), stored, "{:?} at sink {}: {:?}", row, sink, fate);
            }
            prop_assert_eq!(world.letters(row), case.layout.letters(row), "dead letters of {:?}", row);
        }
        prop_assert_eq!(world.unresolved(), 0, "receipts that never resolved");
        prop_assert_eq!(world.settled(), case.settled(), "what the receipts tell");
        if world.failures() == 0 {
            prop_assert_eq!(world.filtered(), case.dropped(), "what the meters tell");
        }
        if case.layout.is_ordered {
            prop_assert_eq!(world.overtaken(), None);
        }
    }
}

#[test]
fn a_record_that_panics_leaves_a_batch_that_comes_once_at_once() {
    let layout = Layout { steps: 1, sinks: 1, is_ordered: true };
    for (stream, failures) in [(ONCE, 0), (0, 1)] {
        let batches = vec![(stream, b".p.".to_vec())];
        let case = Case { layout, batches, troubles: Vec::new(), max_events: 4, max_size: 4_000 };
        let world = World::run(&case);
        let found: Vec<_> = case.records().into_iter().map(|row| (world.stored(0, row), world.letters(row))).collect();
        assert_eq!(found, [(1, 0), (0, 1), (1, 0)]);
        assert_eq!((world.failures(), world.unresolved()), (failures, 0));
    }
}
