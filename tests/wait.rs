//! Waiting for what must happen: by events where there are any, with one deadline for all.

use std::future::Future;
use std::time::Duration;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often state that tells of no change is looked at.
const LOOK: Duration = Duration::from_millis(3);

/// Waits for `event`; `what` names it where it does not come.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, event).await;
    waited.unwrap_or_else(|_| panic!("waited for {what} in vain"))
}

/// Waits until `is_met`.
pub async fn until(what: &str, mut is_met: impl FnMut() -> bool) {
    let looking = async {
        while !is_met() {
            tokio::time::sleep(LOOK).await;
        }
    };
    within(what, looking).await;
}
