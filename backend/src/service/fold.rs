//! Folds the trail of yesterday: batches as they came over the wire, a few fixes each, become runs of up
//! to 512 entries. No fix, gap or sequence changes; it takes a fifth of the room.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error};
use tripline_protocol::unit::Timestamp;

use super::Platform;
use crate::store::retry::retry;
use crate::store::trail::Folded;
use crate::store::{Store, StoreError};
use crate::time;

/// How long the trail stays as it came, in ms: a day, over which it is mostly read.
pub const AS_IT_CAME_MS: i64 = 86_400_000;

/// How often it is looked whether there is something to fold, in s.
const TICK_S: u64 = 60;

/// The pause between two steps, in ms: others write in between.
const STEP_MS: u64 = 100;

/// Folds until the task is dropped.
pub async fn run(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_secs(TICK_S));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match fold(&platform.store, time::now()).await {
            Ok(0) => {}
            Ok(batches) => debug!(batches, "trail folded"),
            Err(error) => error!(%error, "the trail cannot be folded"),
        }
    }
}

/// Folds every lane whose oldest batch is older than [`AS_IT_CAME_MS`], whole; says how many batches.
pub async fn fold(store: &Store, now: Timestamp) -> Result<usize, StoreError> {
    let mut batches = 0;
    loop {
        let step = retry(|| step(store, now)).await?;
        batches += step;
        if step == 0 {
            return Ok(batches);
        }
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
}

async fn step(store: &Store, now: Timestamp) -> Result<usize, StoreError> {
    let mut tx = store.write().await?;
    let Some(lane) = tx.lane_to_fold(now.plus_ms(-AS_IT_CAME_MS)).await? else { return Ok(0) };
    let Folded { batches, unreadable } = tx.fold_lane(&lane, now).await?;
    tx.commit().await?;
    for reason in unreadable {
        error!(device = %lane.device, epoch = %lane.epoch, reason, "a trail batch is set aside");
    }
    Ok(batches)
}
