//! Table `audit`: who came, who was turned away, and why.

use std::net::IpAddr;

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, from_db, on_db, parse, to_db};
use crate::audit::{AuditKind, DETAIL_LEN_MAX, Entry};
use crate::chance::{self, NoChance};

const TABLE: &str = "audit";

/// Rows deleted in one transaction: others wait for it.
pub const PRUNED_AT_ONCE_MAX: u32 = 10_000;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its id.
    pub id: Uuid,
    /// When it happened, the first time where it is counted.
    pub at: Timestamp,
    /// What happened.
    pub entry: Entry,
    /// How often, within a minute.
    pub count: u64,
}

impl AuditRow {
    /// A row for what happened once.
    pub fn new(entry: Entry, at: Timestamp) -> Result<Self, NoChance> {
        Ok(Self { id: chance::uuid()?, at, entry, count: 1 })
    }
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this device only.
    pub device: Option<DeviceId>,
    /// Of this kind only.
    pub kind: Option<AuditKind>,
    /// By this operator only.
    pub actor: Option<String>,
    /// From then on.
    pub since: Option<Timestamp>,
}

/// Rows of which only so many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Every row.
    All,
    /// What peers cause without end ([`AuditKind::is_common`]) of which no device is known.
    Strangers,
    /// The same of devices.
    Devices,
}

/// [`AuditKind::is_common`], for the database.
macro_rules! common {
    () => {
        "kind IN ('enrolment-refused', 'connect-refused', 'taken-over', 'publish-refused', \
         'subscription-refused', 'set-aside', 'admin-refused')"
    };
}

macro_rules! strangers {
    () => {
        concat!(common!(), " AND device_id IS NULL")
    };
}

macro_rules! devices {
    () => {
        concat!(common!(), " AND device_id IS NOT NULL")
    };
}

macro_rules! time_after {
    ($which:expr) => {
        concat!("SELECT at FROM audit WHERE ", $which, " ORDER BY at DESC LIMIT 1 OFFSET $1")
    };
}

macro_rules! oldest {
    ($which:expr) => {
        concat!(
            "DELETE FROM audit WHERE audit_id IN (SELECT audit_id FROM audit WHERE at <= $1 AND ",
            $which,
            " ORDER BY at LIMIT $2)"
        )
    };
}

type Row = (String, i64, String, Option<String>, Option<String>, Option<String>, String, i64);

fn audit_row(row: Row) -> Result<AuditRow, StoreError> {
    let (id, at, kind, device, peer, actor, detail, count) = row;
    let peer: Option<IpAddr> = peer.map(|peer| parse(TABLE, &id, "peer", &peer)).transpose()?;
    let device: Option<DeviceId> =
        device.map(|device| parse(TABLE, &id, "device_id", &device)).transpose()?;
    Ok(AuditRow {
        id: parse(TABLE, &id, "audit_id", &id)?,
        at: Timestamp::from_unix_ms(at),
        entry: Entry { kind: parse(TABLE, &id, "kind", &kind)?, device, peer, actor, detail },
        count: from_db(count),
    })
}

/// A detail as it may be kept: not too long, cut between characters.
fn cut(mut detail: String) -> String {
    detail.truncate(detail.floor_char_boundary(DETAIL_LEN_MAX));
    detail
}

impl Tx {
    /// Writes a row; one that is there already gets its count.
    pub async fn put_audit(&mut self, row: AuditRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO audit \
             (audit_id, at, kind, device_id, peer, actor, detail, count) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (audit_id) DO UPDATE SET count = excluded.count";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(row.id.to_string())
            .bind(row.at.unix_ms)
            .bind(row.entry.kind.code())
            .bind(row.entry.device.map(|device| device.as_str().to_owned()))
            .bind(row.entry.peer.map(|peer| peer.to_string()))
            .bind(row.entry.actor)
            .bind(cut(row.entry.detail))
            .bind(to_db(row.count))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The last `limit` rows that pass the filter, oldest first.
    pub async fn audit(
        &mut self,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let mut rows = self.audit_before(filter, None, i64::from(limit)).await?;
        rows.reverse();
        Ok(rows)
    }

    /// The last `limit` rows before one that pass the filter, newest first.
    pub async fn audit_before(
        &mut self,
        filter: &AuditFilter,
        before: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        const SQL: &str = "SELECT audit_id, at, kind, device_id, peer, actor, detail, count \
             FROM audit \
             WHERE ($1 = '' OR device_id = $1) AND ($2 = '' OR kind = $2) \
             AND ($3 = '' OR actor = $3) AND at >= $4 \
             AND at <= $5 AND (at < $5 OR audit_id < $6) \
             ORDER BY at DESC, audit_id DESC LIMIT $7";
        let device = filter.device.as_ref().map(|device| device.as_str().to_owned());
        let (at, id) =
            before.map_or((i64::MAX, String::new()), |(at, id)| (at.unix_ms, id.to_string()));
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.unwrap_or_default())
            .bind(filter.kind.map_or("", AuditKind::code))
            .bind(filter.actor.clone().unwrap_or_default())
            .bind(filter.since.map_or(0, |since| since.unix_ms))
            .bind(at)
            .bind(id)
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(audit_row).collect()
    }

    /// When the row of `which` was written that has `newer` newer ones; `None` if there are not so many.
    pub async fn audit_time_after(
        &mut self,
        which: Which,
        newer: u32,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = match which {
            Which::All => time_after!("TRUE"),
            Which::Strangers => time_after!(strangers!()),
            Which::Devices => time_after!(devices!()),
        };
        let at: Option<i64> = on_db!(self, conn => sqlx::query_scalar(sql)
            .bind(i64::from(newer)).fetch_optional(conn).await?);
        Ok(at.map(Timestamp::from_unix_ms))
    }

    /// Deletes the oldest rows of `which` up to `through`, at most [`PRUNED_AT_ONCE_MAX`]; says how many.
    pub async fn prune_audit(
        &mut self,
        which: Which,
        through: Timestamp,
    ) -> Result<u64, StoreError> {
        let sql = match which {
            Which::All => oldest!("TRUE"),
            Which::Strangers => oldest!(strangers!()),
            Which::Devices => oldest!(devices!()),
        };
        Ok(on_db!(self, conn => sqlx::query(sql)
            .bind(through.unix_ms).bind(i64::from(PRUNED_AT_ONCE_MAX))
            .execute(conn).await?.rows_affected()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_told_of_every_common_kind_and_of_no_other() {
        for kind in AuditKind::ALL {
            assert_eq!(common!().contains(&format!("'{kind}'")), kind.is_common(), "{kind}");
        }
    }
}
