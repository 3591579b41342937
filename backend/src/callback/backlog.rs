//! Finds out for whom so much is pending that it is not to be more: whoever asks and takes no answers.

use std::collections::HashSet;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::service::Platform;
use crate::store::StoreError;

/// Callbacks that may be pending for a subscriber before it is refused questions: what it may ask by default
/// in 50 s. What tells of bookings goes beyond it, and is never so much.
const PENDING_PER_SUBSCRIBER_MAX: u32 = 10_000;

/// How often they are counted, in ms. A subscriber is beyond the bound by what it may ask in that time.
const LOOK_MS: u64 = 1_000;

/// Looks until the task is dropped.
pub(super) async fn run(platform: &Platform) {
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = HashSet::new();
    loop {
        tick.tick().await;
        match full(platform).await {
            Ok(full) => {
                tell(&before, &full);
                platform.set_outboxes_full(full.clone());
                before = full;
            }
            Err(error) => error!(%error, "what waits for subscribers cannot be counted"),
        }
    }
}

async fn full(platform: &Platform) -> Result<HashSet<String>, StoreError> {
    let mut tx = platform.store.read().await?;
    let full = tx.subscribers_with_more_pending(PENDING_PER_SUBSCRIBER_MAX).await?;
    Ok(full.into_iter().collect())
}

fn tell(before: &HashSet<String>, full: &HashSet<String>) {
    for subscriber_id in full.difference(before) {
        warn!(
            subscriber_id,
            "too many callbacks wait for this subscriber; it is refused questions"
        );
    }
    for subscriber_id in before.difference(full) {
        info!(subscriber_id, "subscriber may ask again");
    }
}
