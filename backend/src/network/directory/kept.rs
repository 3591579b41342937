//! What the registry said, in the store: for the next start, for other replicas and from them, and from
//! `tripline-bpp subscriber refresh`.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::error;
use tripline_protocol::unit::Timestamp;

use super::Key;
use super::cache::{Fetched, KNOWN_MAX};
use super::entry::{as_json, parse_file};
use crate::network::subscriber::Subscriber;
use crate::seldom::Seldom;
use crate::store::subscriber::{PRUNED_AT_ONCE_MAX, SubscriberRow};
use crate::store::{Store, StoreError};

/// How long a row is kept that nobody fetched again, in ms: 90 days, longer than any outage may last.
const ROW_AGE_MS_MAX: i64 = 90 * 86_400_000;

/// How far back rows are read again, in ms: a row bears the time at which the registry was asked, which may
/// take a minute to answer, and clocks of replicas differ.
const OVERLAP_MS: i64 = 120_000;

/// Time between two words about rows that cannot be read, in ms.
const ROW_WORD_MS: i64 = 3_600_000;

/// What a row's text holds.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    /// Which registry said it, asked for what.
    from: String,
    entries: Value,
}

/// The table, as far as it is of one registry.
#[derive(Debug)]
pub(super) struct Kept {
    store: Store,
    from: String,
    age_ms_max: i64,
    /// Up to when rows were read.
    read_through: Mutex<Option<Timestamp>>,
    told: Seldom,
}

impl Kept {
    /// Rows of the registry `from`, not older than `age_ms_max` at the start.
    pub(super) fn new(store: Store, from: String, age_ms_max: i64) -> Self {
        Self { store, from, age_ms_max, read_through: Mutex::new(None), told: Seldom::default() }
    }

    /// Rows that may have come since the last call and are news, newest first.
    pub(super) async fn load(
        &self,
        now: Timestamp,
        is_news: impl Fn(&Key, Timestamp) -> bool,
    ) -> Result<Vec<Fetched>, StoreError> {
        let through = *self.read_through.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match through {
            Some(through) => through.min(now).plus_ms(-OVERLAP_MS),
            None => now.plus_ms(-self.age_ms_max),
        };
        let limit = u32::try_from(KNOWN_MAX).unwrap_or(u32::MAX);
        let rows = self.store.read().await?.subscribers_since(since, limit).await?;
        *self.read_through.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let news = rows.iter().filter(|row| is_news(&key(row), row.fetched_at));
        Ok(news.filter_map(|row| self.fetched(row, now)).collect())
    }

    /// Every row, by id and role.
    pub(super) async fn all(&self, now: Timestamp) -> Result<Vec<Fetched>, StoreError> {
        let rows = self.store.read().await?.subscribers().await?;
        Ok(rows.iter().filter_map(|row| self.fetched(row, now)).collect())
    }

    fn fetched(&self, row: &SubscriberRow, now: Timestamp) -> Option<Fetched> {
        match read(row, &self.from) {
            Ok(entries) => Some((key(row), entries?.into(), row.fetched_at)),
            Err(error) => {
                if self.told.is_due(now, ROW_WORD_MS) {
                    error!(%error, "a row cannot be read; the registry is asked in its place");
                }
                None
            }
        }
    }

    /// Writes these down. Who is gone is written down only over a row.
    pub(super) async fn write(&self, fetched: &[Fetched]) -> Result<(), StoreError> {
        let mut tx = self.store.write().await?;
        for (key, entries, fetched_at) in fetched {
            let written = Written { from: self.from.clone(), entries: as_json(entries) };
            let row = SubscriberRow {
                subscriber_id: key.id.clone(),
                role: key.role,
                entries: serde_json::to_string(&written).expect("texts and lists are JSON"),
                fetched_at: *fetched_at,
            };
            tx.put_subscriber(row).await?;
        }
        tx.commit().await
    }

    /// Deletes rows that nobody fetched for long.
    pub(super) async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.plus_ms(-ROW_AGE_MS_MAX);
        loop {
            let mut tx = self.store.write().await?;
            let pruned = tx.prune_subscribers(before).await?;
            tx.commit().await?;
            if pruned < u64::from(PRUNED_AT_ONCE_MAX) {
                return Ok(());
            }
        }
    }
}

fn key(row: &SubscriberRow) -> Key {
    Key { id: row.subscriber_id.clone(), role: row.role }
}

/// A row's entries; `None` if it is of another registry than `from`.
fn read(row: &SubscriberRow, from: &str) -> Result<Option<Vec<Subscriber>>, StoreError> {
    let bad = |reason: String| StoreError::BadRow {
        table: "subscriber",
        row: format!("{} {}", row.subscriber_id, row.role.code()),
        reason: format!("column entries: {reason}"),
    };
    let written: Written =
        serde_json::from_str(&row.entries).map_err(|error| bad(error.to_string()))?;
    if written.from != from {
        return Ok(None);
    }
    parse_file(&written.entries.to_string()).map(Some).map_err(bad)
}
