//! How long things are kept, and how somebody is forgotten before that.
//!
//! `blank` takes names, phones, addresses and places out of what was stored, and knows no database. `erase` does
//! it to a ride, wherever something of it stands. The task here does the same to rides that are old, and deletes
//! what nobody may need any more.

mod blank;

pub mod erase;

use std::time::Duration;

use tracing::{error, info};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;

use self::erase::{Erasing, erase_order};
use crate::config::Retention;
use crate::service::ServiceError;
use crate::store::retention::{Aged, DELETED_AT_ONCE_MAX};
use crate::store::retry::retry;
use crate::store::{Store, StoreError};
use crate::time;

/// How often it is looked whether something is too old, in s.
const TICK_S: u64 = 3_600;

/// The pause between two steps, in ms: others write in between.
const STEP_MS: u64 = 100;

/// Orders looked at in one step.
const ORDERS_AT_ONCE: u32 = 100;

const DAY_MS: i64 = 86_400_000;

/// How long a page of a form is known after its time, in days: whoever comes late is told so.
pub const FORM_PAGES_DAYS: u32 = 7;

/// How long a rider's answers to a form are kept with which nothing was booked, in days.
pub const SUBMISSIONS_UNUSED_DAYS: u32 = 7;

/// Before when something is too old that is kept so many days; 0 is for ever.
fn before(days: u32, now: Timestamp) -> Option<Timestamp> {
    (days > 0).then(|| now.plus_ms(-i64::from(days) * DAY_MS))
}

/// Forgets until the task is dropped.
pub async fn run(store: Store, rules: Retention) {
    let mut tick = tokio::time::interval(Duration::from_secs(TICK_S));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match forget(&store, &rules, time::now()).await {
            Ok(0) => {}
            Ok(count) => info!(count, "what was kept long enough is forgotten"),
            Err(error) => error!(%error, "what was kept long enough cannot be forgotten"),
        }
    }
}

/// Forgets what is too old by now; says how many rows and orders it was.
pub async fn forget(store: &Store, rules: &Retention, now: Timestamp) -> Result<u64, ServiceError> {
    let mut count = 0;
    for what in Aged::ALL {
        if let Some(before) = before(days_of(rules, what), now) {
            count += delete_aged(store, what, before).await?;
        }
    }
    if let Some(before) = before(SUBMISSIONS_UNUSED_DAYS, now) {
        count += delete_unused_submissions(store, before).await?;
    }
    for state in OrderState::ALL.iter().copied().filter(|state| state.is_terminal()) {
        let is_quote = state == OrderState::Expired;
        let days = if is_quote { rules.quotes_days } else { rules.orders_days };
        if let Some(before) = before(days, now) {
            count += delete_orders(store, state, before).await?;
        }
        if let Some(before) = before(rules.personal_days, now) {
            count += erase_orders(store, state, before, now).await?;
        }
    }
    Ok(count)
}

const fn days_of(rules: &Retention, what: Aged) -> u32 {
    match what {
        Aged::Trail | Aged::TrailRuns => rules.trail_days,
        Aged::Events => rules.events_days,
        Aged::Commands => rules.commands_days,
        Aged::SetAside => rules.set_aside_days,
        Aged::FormPages => FORM_PAGES_DAYS,
    }
}

async fn delete_aged(store: &Store, what: Aged, before: Timestamp) -> Result<u64, StoreError> {
    let mut count = 0;
    loop {
        let step = retry(|| async {
            let mut tx = store.write().await?;
            let step = tx.delete_aged(what, before).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(step)
        })
        .await?;
        count += step;
        if step < u64::from(DELETED_AT_ONCE_MAX) {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
}

/// They are looked for beside those who write: of most an order is kept.
async fn delete_unused_submissions(store: &Store, before: Timestamp) -> Result<u64, StoreError> {
    let mut count = 0;
    loop {
        let ids = store.read().await?.unused_submissions(before, DELETED_AT_ONCE_MAX).await?;
        retry(|| async {
            let mut tx = store.write().await?;
            for id in &ids {
                tx.delete_unused_submission(id).await?;
            }
            tx.commit().await
        })
        .await?;
        count += ids.len() as u64;
        if ids.len() < DELETED_AT_ONCE_MAX as usize {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
}

async fn delete_orders(
    store: &Store,
    state: OrderState,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let mut count = 0;
    loop {
        let step = retry(|| async {
            let mut tx = store.write().await?;
            let ids = tx.orders_over(state, false, before, ORDERS_AT_ONCE).await?;
            for id in &ids {
                tx.delete_order(id).await?;
            }
            tx.commit().await?;
            Ok::<_, StoreError>(ids.len())
        })
        .await?;
        count += step as u64;
        if step < ORDERS_AT_ONCE as usize {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
}

/// One that cannot be read is told of, and looked at again the next time.
async fn erase_orders(
    store: &Store,
    state: OrderState,
    before: Timestamp,
    now: Timestamp,
) -> Result<u64, ServiceError> {
    let mut count = 0;
    loop {
        let ids = store.read().await?.orders_over(state, true, before, ORDERS_AT_ONCE).await?;
        let mut step = 0;
        for id in &ids {
            let erased = retry(|| erase_order(store, id, Erasing::ByAge, now)).await;
            match erased {
                Ok(counts) => step += counts.orders,
                Err(error) if error.is_of_the_store() => return Err(error),
                Err(error) => error!(order = %id, %error, "an order cannot be erased"),
            }
        }
        count += step;
        // Those that cannot be erased stay in front: the next time is soon enough for the others.
        if step < u64::from(ORDERS_AT_ONCE) {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
    }
}
