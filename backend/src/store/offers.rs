//! Table `device_offers`: what became of the offers made to devices, and since when they are idle.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, parse, to_db};
use crate::domain::dispatch::{History, OfferRecord, Outcome};

type Row = (String, i64, i64, i64, i64, Option<i64>);

fn history(row: Row) -> Result<(DeviceId, History), StoreError> {
    let (device, accepted, rejected, expired, as_of, idle_since) = row;
    let offers = OfferRecord {
        accepted: from_db(accepted),
        rejected: from_db(rejected),
        expired: from_db(expired),
        as_of: Timestamp::from_unix_ms(as_of),
    };
    let idle_since = idle_since.map(Timestamp::from_unix_ms);
    Ok((parse("device_offers", &device, "device_id", &device)?, History { offers, idle_since }))
}

impl Tx {
    /// Counts what became of an offer. An order holds the device meanwhile, so that nobody else counts.
    pub async fn count_offer(
        &mut self,
        device: &DeviceId,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const OF: &str = "SELECT device_id, accepted, rejected, expired, as_of, idle_since \
             FROM device_offers WHERE device_id = $1";
        const PUT: &str = "INSERT INTO device_offers \
             (device_id, accepted, rejected, expired, as_of, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device_id) DO UPDATE SET \
             accepted = excluded.accepted, rejected = excluded.rejected, \
             expired = excluded.expired, as_of = excluded.as_of, changed_at = excluded.changed_at";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(OF)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        let before = row.map(history).transpose()?.map(|(_, history)| history.offers);
        let after = before.unwrap_or_else(|| OfferRecord::new(at)).after(outcome, at);
        on_db!(self, conn => sqlx::query(PUT)
            .bind(device.as_str().to_owned())
            .bind(to_db(after.accepted))
            .bind(to_db(after.rejected))
            .bind(to_db(after.expired))
            .bind(after.as_of.unix_ms)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Notes that a device's ride is over.
    pub async fn set_idle(&mut self, device: &DeviceId, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_offers \
             (device_id, accepted, rejected, expired, as_of, idle_since, changed_at) \
             VALUES ($1, 0, 0, 0, $2, $2, $2) ON CONFLICT (device_id) DO UPDATE SET \
             idle_since = excluded.idle_since, changed_at = excluded.changed_at";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(at.unix_ms).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// What became of offers, of devices of which that changed at `since` or later.
    pub async fn histories(
        &mut self,
        since: Timestamp,
    ) -> Result<Vec<(DeviceId, History)>, StoreError> {
        const SQL: &str = "SELECT device_id, accepted, rejected, expired, as_of, idle_since \
             FROM device_offers WHERE changed_at >= $1";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(since.unix_ms).fetch_all(conn).await?);
        rows.into_iter().map(history).collect()
    }
}
