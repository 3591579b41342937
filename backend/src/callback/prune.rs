//! Forgets callbacks that are over: what was delivered, and what was given up, after a while each.

use std::time::Duration;

use tracing::{debug, error};
use tripline_protocol::unit::Timestamp;

use crate::beckn::{callbacks, is_of_booking};
use crate::store::callback::PRUNED_AT_ONCE_MAX;
use crate::store::retry::retry;
use crate::store::{Store, StoreError};
use crate::time;

/// How long a delivered callback is kept, in ms: 30 days, longer than a dispute over a ride is open.
const DELIVERED_KEPT_MS: i64 = 30 * 86_400_000;

/// How long one that tells of a booking is kept that was given up, in ms: 90 days, for whoever finds out
/// late that it was wanted.
const DEAD_BOOKING_KEPT_MS: i64 = 90 * 86_400_000;

/// How long any other is kept that was given up, in ms: 1 h, to see why. Nobody waits for it any more, and
/// whoever asks and takes no answers leaves many.
const DEAD_ANSWER_KEPT_MS: i64 = 3_600_000;

/// How often it is looked whether there are older ones, in s.
const TICK_S: u64 = 600;

/// The pause between two steps, in ms: others write in between.
const STEP_MS: u64 = 100;

/// What is forgotten in one go.
#[derive(Debug, Clone, Copy)]
enum Over {
    Delivered,
    /// Given up, of this action.
    Dead(&'static str),
}

impl Over {
    fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Delivered).chain(callbacks().map(Self::Dead))
    }

    /// How long it is kept, in ms.
    fn kept_ms(self) -> i64 {
        match self {
            Self::Delivered => DELIVERED_KEPT_MS,
            Self::Dead(action) if is_of_booking(action) => DEAD_BOOKING_KEPT_MS,
            Self::Dead(_) => DEAD_ANSWER_KEPT_MS,
        }
    }
}

/// Forgets until the task is dropped.
pub(super) async fn run(store: &Store) {
    let mut tick = tokio::time::interval(Duration::from_secs(TICK_S));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match prune(store, time::now()).await {
            Ok(0) => {}
            Ok(pruned) => debug!(pruned, "old callbacks forgotten"),
            Err(error) => error!(%error, "old callbacks cannot be forgotten"),
        }
    }
}

/// Forgets what is too old by now; says how many.
async fn prune(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut pruned = 0;
    for over in Over::all() {
        loop {
            let step = retry(|| step(store, over, now)).await?;
            pruned += step;
            if step < u64::from(PRUNED_AT_ONCE_MAX) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
        }
    }
    Ok(pruned)
}

async fn step(store: &Store, over: Over, now: Timestamp) -> Result<u64, StoreError> {
    let before = now.plus_ms(-over.kept_ms());
    let mut tx = store.write().await?;
    let step = match over {
        Over::Delivered => tx.prune_delivered(before).await?,
        Over::Dead(action) => tx.prune_dead(action, before).await?,
    };
    tx.commit().await?;
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::callback::{Delivery, NewCallback, Note, Noted};

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    /// Writes callbacks of this action that are over from `NOW` on.
    async fn add(store: &Store, action: &str, delivery: Delivery, count: u64) {
        let mut tx = store.write().await.expect("begins");
        for sequence in 1..=count {
            let new = NewCallback {
                order_key: format!("{action} {}", delivery.code()),
                sequence,
                subscriber_id: "bap".into(),
                action: action.into(),
                url: "https://bap.example/".into(),
                body: Vec::new(),
                expires_at: NOW.plus_ms(1),
            };
            tx.add_callback(new, NOW).await.expect("added");
            let turns = tx.callback_turns("bap", NOW, 1).await.expect("answers");
            for due in tx.claim_callbacks(turns, NOW, NOW.plus_ms(1)).await.expect("answers") {
                let note = Note { due, noted: Noted::Finished(delivery, NOW), error: None };
                tx.note_callbacks(&[note]).await.expect("noted");
            }
        }
        tx.commit().await.expect("commits");
    }

    #[tokio::test]
    async fn what_is_over_is_kept_as_long_as_somebody_may_ask_for_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("it opens");
        add(&store, "on_search", Delivery::Dead, u64::from(PRUNED_AT_ONCE_MAX) + 5).await;
        add(&store, "on_track", Delivery::Dead, 1).await;
        add(&store, "on_status", Delivery::Dead, 2).await;
        add(&store, "on_status", Delivery::Delivered, 3).await;
        let after = |ms: i64| prune(&store, NOW.plus_ms(ms));
        let many = u64::from(PRUNED_AT_ONCE_MAX) + 6;
        for (ms, count) in [
            (DEAD_ANSWER_KEPT_MS, 0),
            (DEAD_ANSWER_KEPT_MS + 1, many),
            (DELIVERED_KEPT_MS, 0),
            (DELIVERED_KEPT_MS + 1, 3),
            (DEAD_BOOKING_KEPT_MS, 0),
            (DEAD_BOOKING_KEPT_MS + 1, 2),
        ] {
            assert_eq!(after(ms).await.expect("pruned"), count, "after {ms} ms");
        }
    }
}
