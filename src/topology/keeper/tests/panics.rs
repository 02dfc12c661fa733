//! What a panic costs: in the step, and in a step behind it.

use std::collections::BTreeMap;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_record_that_makes_it_panic_becomes_a_dead_letter_and_what_was_held_comes_again() {
    let mut stage = Stage::fake(1 << 20);
    stage.lines(0, &["h"]).await;
    stage.lines(1, &["a", "p", "b", "x", "c"]).await;
    assert_eq!(stage.next().await, ["bc"]);
    stage.queue.close();
    (&mut stage.task).await.unwrap();
    assert_eq!(stage.end.bytes(), 0);
    // The panic of the whole batch took `h` along, that of the culprit took `a`.
    let worst: BTreeMap<u64, Outcome> = stage.ledger.worst().into_iter().collect();
    assert_eq!(worst[&0], Outcome::Failed);
    assert_eq!(worst[&1], Outcome::Failed, "`a` was held when the culprit came");
    assert_eq!(stage.letters(), 2, "`p` and `x`");
    assert_eq!(stage.meters.error_count("panic"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_behind_it_costs_one_record_and_nothing_comes_again() {
    let mut stage = Stage::fake(1 << 20);
    stage.lines(0, &["a", "b", "c", "!", "d", "e"]).await;
    let mut seen = stage.next().await;
    seen.extend(stage.next().await);
    assert_eq!(seen, ["ab", "de"]);
    stage.queue.close();
    (&mut stage.task).await.unwrap();
    assert_eq!((stage.letters(), stage.end.bytes()), (1, 0));
    assert_eq!(stage.ledger.worst(), [(0, Outcome::DeadLettered)]);
}
