//! Table `set_aside`: what devices still had on the way when their certificate ended. It is kept for
//! whoever sorts the matter out, and has no effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use tripline_protocol::id::DeviceId;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use super::rows::ManyRows;
use super::{StoreError, Tx, on_db, parse};
use crate::identity::authority::Fingerprint;

/// Batches kept of a device: more than it can have on the way by an order of magnitude. What comes
/// beyond it is from somebody who fills the disk.
pub const SET_ASIDE_MAX: i64 = 1_000;

const TABLE: &str = "set_aside";

/// A batch that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideRow {
    /// Who sent it.
    pub device: DeviceId,
    /// On which lane.
    pub lane: Stream,
    /// Why it has no effect.
    pub reason: String,
    /// It, as it came over the wire but for PINs and OTPs; empty once a ride was taken out of it.
    pub payload: Vec<u8>,
}

static ENDED: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new(
        "SELECT fingerprint, ended_why FROM device_certificate WHERE ended_at IS NOT NULL AND fingerprint IN (",
        1,
        ")",
    )
});

impl Tx {
    /// Those of the certificates that have ended, each with why.
    pub async fn ended_certificates(
        &mut self,
        asked: BTreeSet<Fingerprint>,
    ) -> Result<BTreeMap<Fingerprint, String>, StoreError> {
        let asked: Vec<_> = asked.into_iter().collect();
        let mut ended = BTreeMap::new();
        for (sql, asked) in ENDED.pieces(&asked) {
            let rows: Vec<(Vec<u8>, Option<String>)> = on_db!(&mut *self, conn => {
                let mut query = sqlx::query_as(sql);
                for fingerprint in asked {
                    query = query.bind(fingerprint.to_vec());
                }
                query.fetch_all(conn).await?
            });
            ended.extend(rows.into_iter().filter_map(|(fingerprint, why)| {
                Some((fingerprint.try_into().ok()?, why.unwrap_or_default()))
            }));
        }
        Ok(ended)
    }

    /// Sets a batch aside under a fresh id; `false` if so many of its device are kept already that it is
    /// not.
    pub async fn add_set_aside(
        &mut self,
        id: String,
        row: SetAsideRow,
        received_at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO set_aside (set_aside_id, device_id, lane, reason, received_at, \
             payload) SELECT $1, $2, $3, $4, $5, $6 \
             WHERE (SELECT COUNT(*) FROM set_aside WHERE device_id = $2) < $7";
        let added = on_db!(self, conn => sqlx::query(SQL)
            .bind(id)
            .bind(row.device.as_str().to_owned())
            .bind(row.lane.code())
            .bind(row.reason)
            .bind(received_at.unix_ms)
            .bind(row.payload)
            .bind(SET_ASIDE_MAX)
            .execute(conn).await?.rows_affected());
        Ok(added == 1)
    }

    /// What of a device is set aside, oldest first.
    pub async fn set_aside(&mut self, device: &DeviceId) -> Result<Vec<SetAsideRow>, StoreError> {
        const SQL: &str = "SELECT lane, reason, payload FROM set_aside WHERE device_id = $1 \
             ORDER BY received_at, set_aside_id";
        let rows: Vec<(String, String, Vec<u8>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_all(conn).await?);
        let row = |(lane, reason, payload): (String, _, _)| {
            let lane = parse(TABLE, device.as_str(), "lane", &lane)?;
            Ok(SetAsideRow { device: device.clone(), lane, reason, payload })
        };
        rows.into_iter().map(row).collect()
    }

    /// What of a device was set aside between two times, each with its id.
    pub async fn set_aside_between(
        &mut self,
        device: &DeviceId,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<(String, SetAsideRow)>, StoreError> {
        const SQL: &str = "SELECT set_aside_id, lane, reason, payload FROM set_aside \
             WHERE device_id = $1 AND received_at >= $2 AND received_at <= $3 \
             ORDER BY received_at, set_aside_id";
        let rows: Vec<(String, String, String, Vec<u8>)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).bind(from.unix_ms).bind(until.unix_ms)
            .fetch_all(conn).await?);
        let row = |(id, lane, reason, payload): (String, String, _, _)| {
            let lane = parse(TABLE, &id, "lane", &lane)?;
            Ok((id, SetAsideRow { device: device.clone(), lane, reason, payload }))
        };
        rows.into_iter().map(row).collect()
    }

    /// Empties a batch that was set aside: that it came, and why it had no effect, stays.
    pub async fn empty_set_aside(&mut self, id: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE set_aside SET payload = $2 WHERE set_aside_id = $1";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_owned()).bind(Vec::<u8>::new()).execute(conn).await?.rows_affected());
        Ok(())
    }
}
