//! The outbox worker: finds callbacks whose turn it is, delivers each in a task of its own, retries.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;

use super::post::{Attempt, Poster};
use crate::chance;
use crate::service::Platform;
use crate::store::StoreError;
use crate::store::callback::{Delivery, DueCallback};
use crate::time;

/// Deliveries at once.
const DELIVERIES_MAX: usize = 64;

/// Callbacks read from the store at once.
const DUE_MAX: u32 = 64;

/// The outbox is looked at at least this often, in ms, whatever rings or does not.
const LOOK_MS_MAX: i64 = 1_000;

/// First bound of the wait between attempts, in ms. It doubles.
const RETRY_MS_MIN: u64 = 500;

/// What a lease has beyond twice an attempt's time, in ms.
const LEASE_GRACE_MS: u64 = 10_000;

/// How callbacks are retried.
#[derive(Debug, Clone, Copy)]
pub struct RetryRules {
    /// Longest wait between attempts, in ms.
    pub retry_ms_max: u64,
    /// Longest an attempt takes, in ms.
    pub timeout_ms: u64,
}

/// Delivers until the task is dropped.
pub async fn run(platform: Arc<Platform>, poster: Poster, rules: RetryRules) {
    if let Err(error) = platform.store.forget_claims(time::now()).await {
        error!(%error, "callbacks that were under way wait for their leases to run out");
    }
    let deliveries = Arc::new(Semaphore::new(DELIVERIES_MAX));
    let mut running = JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        match start_due(&platform, &poster, rules, &deliveries, &mut running).await {
            Ok(0) => wait(&platform).await,
            Ok(_) => {}
            Err(error) => {
                error!(%error, "outbox cannot be read");
                tokio::time::sleep(Duration::from_millis(RETRY_MS_MIN)).await;
            }
        }
    }
}

/// Waits until something may be due: rung after a commit, or when the next retry's time comes.
async fn wait(platform: &Platform) {
    let now = time::now();
    let next = match platform.store.read().await {
        Ok(mut tx) => tx.next_callback_at().await.ok().flatten(),
        Err(_) => None,
    };
    let until_ms = next.map_or(LOOK_MS_MAX, |next| next.since_ms(now).clamp(10, LOOK_MS_MAX));
    let sleep = Duration::from_millis(until_ms.unsigned_abs());
    let _ = tokio::time::timeout(sleep, platform.outbox.notified()).await;
}

/// Starts a delivery for every callback whose turn it is; gives how many.
async fn start_due(
    platform: &Arc<Platform>,
    poster: &Poster,
    rules: RetryRules,
    deliveries: &Arc<Semaphore>,
    running: &mut JoinSet<()>,
) -> Result<usize, StoreError> {
    let now = time::now();
    let mut tx = platform.store.read().await?;
    let due = tx.due_callbacks(now, DUE_MAX).await?;
    drop(tx);
    let mut started = 0;
    for due in due {
        let Ok(permit) = Arc::clone(deliveries).acquire_owned().await else { break };
        // Well beyond the time an attempt and its note may take: another backend takes over only what
        // nobody finishes.
        let lease_ms = rules.timeout_ms.saturating_mul(2).saturating_add(LEASE_GRACE_MS);
        let lease_ms = i64::try_from(lease_ms).unwrap_or(i64::MAX);
        let mut tx = platform.store.write().await?;
        let claimed = tx.claim_callback(&due, time::now().plus_ms(lease_ms)).await?;
        tx.commit().await?;
        if !claimed {
            continue;
        }
        started += 1;
        let (platform, poster) = (Arc::clone(platform), poster.clone());
        running.spawn(async move {
            let attempt = poster.post(&due).await;
            if let Err(error) = note(&platform, &due, attempt, rules).await {
                // Its lease runs out and it is tried again: at least once, not exactly once.
                error!(%error, action = due.action, "delivery not noted");
            }
            platform.outbox.notify_one();
            drop(permit);
        });
    }
    Ok(started)
}

/// Notes what an attempt came to.
async fn note(
    platform: &Platform,
    due: &DueCallback,
    attempt: Attempt,
    rules: RetryRules,
) -> Result<(), StoreError> {
    let DueCallback { action, order_key, subscriber_id, sequence, .. } = due;
    let mut tx = platform.store.write().await?;
    match attempt {
        Attempt::Taken => {
            info!(action, order_key, subscriber_id, sequence, "callback delivered");
            tx.finish_callback(due, Delivery::Delivered, None).await?;
        }
        Attempt::Refused(reason) => {
            error_dead(due, &reason);
            tx.finish_callback(due, Delivery::Dead, Some(&reason)).await?;
        }
        Attempt::Later(reason) => {
            let next = next_attempt_at(due, rules.retry_ms_max);
            if next >= due.expires_at {
                error_dead(due, &reason);
                tx.finish_callback(due, Delivery::Dead, Some(&reason)).await?;
            } else {
                let attempts = due.attempts + 1;
                warn!(action, order_key, subscriber_id, attempts, reason, "callback put off");
                tx.retry_callback(due, next, &reason).await?;
            }
        }
    }
    tx.commit().await
}

fn error_dead(due: &DueCallback, reason: &str) {
    let DueCallback { action, order_key, subscriber_id, .. } = due;
    error!(action, order_key, subscriber_id, reason, "callback given up");
}

/// A random wait below a bound that doubles with every attempt.
fn next_attempt_at(due: &DueCallback, retry_ms_max: u64) -> Timestamp {
    let doubled = RETRY_MS_MIN.saturating_mul(1 << due.attempts.min(20));
    let wait_ms = chance::below(doubled.min(retry_ms_max));
    time::now().plus_ms(i64::try_from(wait_ms).unwrap_or(i64::MAX))
}
