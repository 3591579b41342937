//! Writes down what peers cause: about once a second, in one transaction. The same again within a minute
//! counts up, and beyond [`ROWS_PER_MINUTE_MAX`] a kind has one more row that counts the rest.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};
use tripline_protocol::unit::Timestamp;

use super::Entry;
use crate::chance::NoChance;
use crate::service::ServiceError;
use crate::store::Store;
use crate::store::audit::{AuditRow, PRUNED_AT_ONCE_MAX};
use crate::time;

/// How often rows are written, in ms. What a crash takes with it is younger.
const WRITE_MS: u64 = 1_000;

/// How long the same is counted in one row, in ms.
const MINUTE_MS: i64 = 60_000;

/// Different rows a minute. Somebody who comes from ever new addresses fills no store.
pub const ROWS_PER_MINUTE_MAX: usize = 600;

/// What is said of the rest of a kind.
const AND_MORE: &str = "and more, not listed";

/// How often old rows are deleted, in ms.
const PRUNE_MS: i64 = 3_600_000;

/// Age of the oldest rows that are kept, in ms: 90 days.
const KEPT_MS_MAX: i64 = 90 * 86_400_000;

/// Rows kept. Together they take a few hundred megabytes.
const ROWS_KEPT_MAX: u32 = 1_000_000;

/// The rows of the minute.
#[derive(Debug, Default)]
struct Minute {
    began: Option<Timestamp>,
    /// And whether each has changed since it was written.
    rows: HashMap<Entry, (AuditRow, bool)>,
}

impl Minute {
    fn take(&mut self, entry: Entry, now: Timestamp) -> Result<(), NoChance> {
        let entry = if self.rows.len() < ROWS_PER_MINUTE_MAX || self.rows.contains_key(&entry) {
            entry
        } else {
            Entry { kind: entry.kind, device: None, peer: None, detail: AND_MORE.into() }
        };
        self.began.get_or_insert(now);
        if let Some((row, changed)) = self.rows.get_mut(&entry) {
            row.count = row.count.saturating_add(1);
            *changed = true;
        } else {
            let row = AuditRow::new(entry.clone(), now)?;
            self.rows.insert(entry, (row, true));
        }
        Ok(())
    }

    fn changed(&self) -> impl Iterator<Item = &AuditRow> {
        self.rows.values().filter(|(_, changed)| *changed).map(|(row, _)| row)
    }

    /// Everything is written. A minute that is over is forgotten.
    fn handle_written(&mut self, now: Timestamp) {
        // A clock that was set back ends it as well.
        let lasts = |began: Timestamp| (0..MINUTE_MS).contains(&now.since_ms(began));
        if !self.began.is_some_and(lasts) {
            *self = Self::default();
        }
        for (_, changed) in self.rows.values_mut() {
            *changed = false;
        }
    }
}

/// Writes until it is told to stop, and then what it still has.
pub async fn run(
    store: Store,
    mut entries: mpsc::Receiver<Entry>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut minute = Minute::default();
    let mut pruned_at = None;
    let mut tick = tokio::time::interval(Duration::from_millis(WRITE_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            _ = tick.tick() => {
                write(&store, &mut minute).await;
                prune_if_due(&store, &mut pruned_at).await;
            }
            Some(entry) = entries.recv() => take(&mut minute, entry),
        }
    }
    while let Ok(entry) = entries.try_recv() {
        take(&mut minute, entry);
    }
    write(&store, &mut minute).await;
}

fn take(minute: &mut Minute, entry: Entry) {
    if let Err(error) = minute.take(entry, time::now()) {
        error!(%error, "an audit entry could not be taken down");
    }
}

/// What cannot be written stays, and comes with the next.
async fn write(store: &Store, minute: &mut Minute) {
    match try_write(store, minute).await {
        Ok(()) => minute.handle_written(time::now()),
        Err(error) => error!(%error, "audit entries could not be written; they are kept in memory"),
    }
}

async fn try_write(store: &Store, minute: &Minute) -> Result<(), ServiceError> {
    if minute.changed().next().is_none() {
        return Ok(());
    }
    let mut tx = store.write().await?;
    for row in minute.changed() {
        tx.put_audit(row.clone()).await?;
    }
    Ok(tx.commit().await?)
}

async fn prune_if_due(store: &Store, pruned_at: &mut Option<Timestamp>) {
    let now = time::now();
    if pruned_at.is_some_and(|at| (0..PRUNE_MS).contains(&now.since_ms(at))) {
        return;
    }
    *pruned_at = Some(now);
    match prune(store, now, ROWS_KEPT_MAX).await {
        Ok(0) => {}
        Ok(rows) => info!(rows, "old audit entries deleted"),
        Err(error) => error!(%error, "old audit entries could not be deleted"),
    }
}

/// Deletes what is too old, and the oldest beyond `kept_max` rows; says how many went.
async fn prune(store: &Store, now: Timestamp, kept_max: u32) -> Result<u64, ServiceError> {
    let too_many = store.read().await?.audit_time_after(kept_max).await?;
    let too_old = now.plus_ms(-KEPT_MS_MAX);
    let through = too_many.map_or(too_old, |at| at.max(too_old));
    let mut total = 0;
    loop {
        let mut tx = store.write().await?;
        let rows = tx.prune_audit(through).await?;
        tx.commit().await?;
        total += rows;
        if rows < u64::from(PRUNED_AT_ONCE_MAX) {
            return Ok(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::audit::AuditKind;
    use crate::store::audit::AuditFilter;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn from(n: u32) -> Entry {
        let peer = Some(IpAddr::V4(Ipv4Addr::from(n)));
        Entry { kind: AuditKind::ConnectRefused, device: None, peer, detail: "why".into() }
    }

    #[test]
    fn the_same_counts_up_until_its_minute_is_over() {
        let mut minute = Minute::default();
        for _ in 0..3 {
            minute.take(from(1), NOW).expect("taken");
        }
        let counts: Vec<u64> = minute.changed().map(|row| row.count).collect();
        assert_eq!(counts, [3]);
        minute.handle_written(NOW.plus_ms(1_000));
        assert_eq!(minute.changed().count(), 0, "written");
        minute.take(from(1), NOW.plus_ms(2_000)).expect("taken");
        assert_eq!(minute.changed().map(|row| row.count).collect::<Vec<_>>(), [4]);
        minute.handle_written(NOW.plus_ms(MINUTE_MS));
        assert!(minute.rows.is_empty(), "a new minute, a new row");
    }

    #[test]
    fn ever_new_entries_end_in_one_row_that_counts_them() {
        let mut minute = Minute::default();
        let more = 5_000;
        let limit = u32::try_from(ROWS_PER_MINUTE_MAX).expect("small");
        for n in 0..limit + more {
            minute.take(from(n), NOW).expect("taken");
        }
        assert_eq!(minute.rows.len(), ROWS_PER_MINUTE_MAX + 1);
        let rest: Vec<&AuditRow> =
            minute.changed().filter(|row| row.entry.detail == AND_MORE).collect();
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].count, rest[0].entry.kind), (more.into(), AuditKind::ConnectRefused));
    }

    #[tokio::test]
    async fn what_is_too_old_and_the_oldest_beyond_the_limit_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("opens");
        let mut tx = store.write().await.expect("begins");
        let ages_ms = [0, 1, 2, 3, 4, KEPT_MS_MAX + 1];
        for (n, age_ms) in (0..).zip(ages_ms) {
            let row = AuditRow::new(from(n), NOW.plus_ms(-age_ms)).expect("random");
            tx.put_audit(row).await.expect("written");
        }
        tx.commit().await.expect("commits");
        assert_eq!(prune(&store, NOW, 100).await.expect("pruned"), 1);
        assert_eq!(prune(&store, NOW, 3).await.expect("pruned"), 2);
        let mut tx = store.read().await.expect("begins");
        assert_eq!(tx.audit(&AuditFilter::default(), 100).await.expect("answers").len(), 3);
    }
}
