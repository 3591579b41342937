//! Forgets callbacks that were delivered long ago. Those that were given up are kept.

use std::time::Duration;

use tracing::{debug, error};

use crate::store::callback::PRUNED_AT_ONCE_MAX;
use crate::store::retry::retry;
use crate::store::{Store, StoreError};
use crate::time;

/// How long a delivered callback is kept, in ms: 30 days, longer than a dispute over a ride is open.
const DELIVERED_KEPT_MS: i64 = 30 * 86_400_000;

/// How often it is looked whether there are older ones, in s.
const TICK_S: u64 = 600;

/// The pause between two steps, in ms: others write in between.
const STEP_MS: u64 = 100;

/// Forgets until the task is dropped.
pub(super) async fn run(store: &Store) {
    let mut tick = tokio::time::interval(Duration::from_secs(TICK_S));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match prune(store).await {
            Ok(0) => {}
            Ok(pruned) => debug!(pruned, "delivered callbacks forgotten"),
            Err(error) => error!(%error, "delivered callbacks cannot be forgotten"),
        }
    }
}

async fn prune(store: &Store) -> Result<u64, StoreError> {
    let before = time::now().plus_ms(-DELIVERED_KEPT_MS);
    let mut pruned = 0;
    loop {
        let step = retry(|| async {
            let mut tx = store.write().await?;
            let step = tx.prune_callbacks(before).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(step)
        });
        let step = step.await?;
        pruned += step;
        if step < u64::from(PRUNED_AT_ONCE_MAX) {
            return Ok(pruned);
        }
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
}
