//! Writes down what peers cause: about once a second, in one transaction. The same again within a minute
//! counts up, and beyond its budget a kind has one more row that counts the rest.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};
use tripline_protocol::unit::Timestamp;

use super::Entry;
use crate::chance::NoChance;
use crate::service::ServiceError;
use crate::store::Store;
use crate::store::audit::{AuditRow, PRUNED_AT_ONCE_MAX, Which};
use crate::time;

/// How often rows are written, in ms. What a crash takes with it is younger.
const WRITE_MS: u64 = 1_000;

/// How long the same is counted in one row, in ms.
const MINUTE_MS: i64 = 60_000;

/// What shares a number of different rows a minute. Somebody who comes from ever new addresses fills no
/// store, and leaves nobody else without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Budget {
    /// [`AuditKind::is_alarm`](super::AuditKind::is_alarm).
    Alarms,
    /// Of devices that are known.
    Devices,
    /// Of whoever comes.
    Strangers,
}

impl Budget {
    fn of(entry: &Entry) -> Self {
        match &entry.device {
            _ if entry.kind.is_alarm() => Self::Alarms,
            Some(_) => Self::Devices,
            None => Self::Strangers,
        }
    }

    /// Different rows a minute.
    const fn rows_max(self) -> usize {
        match self {
            Self::Devices => 500,
            Self::Alarms | Self::Strangers => 100,
        }
    }
}

/// Bits of an IPv6 address that are its network: whoever has one has all addresses in it.
const NETWORK_BITS: u32 = 64;

/// What is said of the rest of a kind.
const AND_MORE: &str = "and more, not listed";

/// How often old rows are deleted, in ms.
const PRUNE_MS: i64 = 3_600_000;

/// A day, in ms: `[retention] audit_days` says how many the oldest row that is kept is old.
const DAY_MS: i64 = 86_400_000;

/// Rows kept of what strangers cause without end, and as many of what devices do. Together they take less
/// than a gigabyte.
const ROWS_KEPT_MAX: u32 = 1_000_000;

/// How long a code is kept that nobody used, after its time, in ms: 30 days.
const CODES_KEPT_MS_MAX: i64 = 30 * 86_400_000;

/// How long a certificate is kept after its end, in ms: 400 days, so that a year can be looked back on.
const CERTIFICATES_KEPT_MS_MAX: i64 = 400 * 86_400_000;

/// The rows of the minute.
#[derive(Debug, Default)]
struct Minute {
    began: Option<Timestamp>,
    /// And whether each has changed since it was written.
    rows: HashMap<Entry, (AuditRow, bool)>,
}

impl Minute {
    fn take(&mut self, entry: Entry, now: Timestamp) -> Result<(), NoChance> {
        let entry = Entry { peer: entry.peer.map(network), ..entry };
        let entry = if self.rows.contains_key(&entry) || self.has_room(Budget::of(&entry)) {
            entry
        } else {
            Entry {
                kind: entry.kind,
                device: None,
                peer: None,
                actor: None,
                detail: AND_MORE.into(),
            }
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

    fn has_room(&self, budget: Budget) -> bool {
        let rows = self.rows.keys().filter(|entry| Budget::of(entry) == budget);
        rows.count() < budget.rows_max()
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

/// A peer as it is counted: an IPv6 address stands for its network.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(peer) => peer.into(),
        IpAddr::V6(peer) => Ipv6Addr::from(peer.to_bits() & !(u128::MAX >> NETWORK_BITS)).into(),
    }
}

/// Writes until it is told to stop, and then what it still has.
pub async fn run(
    store: Store,
    mut entries: mpsc::Receiver<Entry>,
    mut stop: oneshot::Receiver<()>,
    kept_days: u32,
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
                prune_if_due(&store, &mut pruned_at, kept_days).await;
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

async fn prune_if_due(store: &Store, pruned_at: &mut Option<Timestamp>, kept_days: u32) {
    let now = time::now();
    if pruned_at.is_some_and(|at| (0..PRUNE_MS).contains(&now.since_ms(at))) {
        return;
    }
    *pruned_at = Some(now);
    match prune(store, now, kept_days, ROWS_KEPT_MAX).await {
        Ok(0) => {}
        Ok(rows) => info!(rows, "old audit entries deleted"),
        Err(error) => error!(%error, "old audit entries could not be deleted"),
    }
    match prune_ended(store, now).await {
        Ok(0) => {}
        Ok(rows) => info!(rows, "codes and certificates that ended long ago deleted"),
        Err(error) => error!(%error, "old codes and certificates could not be deleted"),
    }
}

/// Deletes what is older than so many days, if there is such a limit, and of what peers cause without end the oldest beyond `kept_max` rows each of
/// strangers and of devices; says how many went.
async fn prune(
    store: &Store,
    now: Timestamp,
    kept_days: u32,
    kept_max: u32,
) -> Result<u64, ServiceError> {
    let mut total = 0;
    if kept_days > 0 {
        let through = now.plus_ms(-i64::from(kept_days) * DAY_MS);
        total += prune_through(store, Which::All, through).await?;
    }
    for which in [Which::Strangers, Which::Devices] {
        let too_many = store.read().await?.audit_time_after(which, kept_max).await?;
        if let Some(through) = too_many {
            total += prune_through(store, which, through).await?;
        }
    }
    Ok(total)
}

async fn prune_through(
    store: &Store,
    which: Which,
    through: Timestamp,
) -> Result<u64, ServiceError> {
    let mut total = 0;
    loop {
        let mut tx = store.write().await?;
        let rows = tx.prune_audit(which, through).await?;
        tx.commit().await?;
        total += rows;
        if rows < u64::from(PRUNED_AT_ONCE_MAX) {
            return Ok(total);
        }
    }
}

/// Deletes codes and certificates that ended long ago; says how many went. What is more than one
/// transaction of each goes the next time.
async fn prune_ended(store: &Store, now: Timestamp) -> Result<u64, ServiceError> {
    let mut tx = store.write().await?;
    let codes = tx.prune_codes(now.plus_ms(-CODES_KEPT_MS_MAX)).await?;
    let certificates = tx.prune_certificates(now.plus_ms(-CERTIFICATES_KEPT_MS_MAX)).await?;
    tx.commit().await?;
    Ok(codes + certificates)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::audit::AuditKind;
    use crate::store::audit::AuditFilter;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn of_device(n: u32, kind: AuditKind) -> Entry {
        Entry::of_device(kind, &format!("d{n}").parse().expect("valid"), "why")
    }

    fn from(n: u32) -> Entry {
        let peer = Some(IpAddr::V4(Ipv4Addr::from(n)));
        Entry {
            kind: AuditKind::ConnectRefused,
            device: None,
            peer,
            actor: None,
            detail: "why".into(),
        }
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
        let limit = Budget::Strangers.rows_max();
        for n in 0..u32::try_from(limit).expect("small") + more {
            minute.take(from(n), NOW).expect("taken");
        }
        assert_eq!(minute.rows.len(), limit + 1);
        let rest: Vec<&AuditRow> =
            minute.changed().filter(|row| row.entry.detail == AND_MORE).collect();
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].count, rest[0].entry.kind), (more.into(), AuditKind::ConnectRefused));
    }

    #[test]
    fn strangers_hide_no_device_and_devices_hide_no_alarm() {
        let mut minute = Minute::default();
        for n in 0..5_000 {
            minute.take(from(n), NOW).expect("taken");
            minute.take(of_device(n, AuditKind::PublishRefused), NOW).expect("taken");
        }
        let alarm = of_device(9_999, AuditKind::CodeReused);
        minute.take(alarm.clone(), NOW).expect("taken");
        assert!(minute.rows.contains_key(&alarm));
        let devices = minute.rows.keys().filter(|entry| entry.device.is_some()).count();
        assert_eq!(devices, Budget::Devices.rows_max() + 1, "and the alarm");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer_and_mapped_ones_are_ipv4() {
        let peer = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(peer("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(peer("2001:db8:1:3:3:4:5:6"), "2001:db8:1:3::");
        assert_eq!(peer("192.0.2.7"), "192.0.2.7");
        assert_eq!(peer("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[tokio::test]
    async fn what_is_too_old_and_the_oldest_beyond_the_limit_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("opens");
        let mut tx = store.write().await.expect("begins");
        let ages_ms = [0, 1, 2, 3, 4, 90 * DAY_MS + 1];
        for (n, age_ms) in (0..).zip(ages_ms) {
            let row = AuditRow::new(from(n), NOW.plus_ms(-age_ms)).expect("random");
            tx.put_audit(row).await.expect("written");
        }
        tx.commit().await.expect("commits");
        assert_eq!(prune(&store, NOW, 0, 100).await.expect("pruned"), 0, "for ever");
        assert_eq!(prune(&store, NOW, 90, 100).await.expect("pruned"), 1);
        let mut tx = store.write().await.expect("begins");
        let old = NOW.plus_ms(-5);
        for entry in [of_device(1, AuditKind::Revoked), of_device(1, AuditKind::PublishRefused)] {
            tx.put_audit(AuditRow::new(entry, old).expect("random")).await.expect("written");
        }
        tx.commit().await.expect("commits");
        assert_eq!(prune(&store, NOW, 90, 3).await.expect("pruned"), 2);
        let mut tx = store.read().await.expect("begins");
        let kept = tx.audit(&AuditFilter::default(), 100).await.expect("answers");
        let of_devices = kept.iter().filter(|row| row.entry.device.is_some()).count();
        assert_eq!((kept.len(), of_devices), (5, 2), "strangers displace none of devices");
    }
}
