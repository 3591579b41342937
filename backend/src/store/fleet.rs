//! Every vehicle with what is known of its device, in one look across the tables.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::vehicle::vehicle;
use super::{StoreError, Tx, from_db, on_db};
use crate::domain::order::Vehicle;

/// A vehicle and its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRow {
    /// The vehicle.
    pub vehicle: Vehicle,
    /// Whether its device is connected, and since when it is or is not; `None` if it never came.
    pub presence: Option<(bool, Timestamp)>,
    /// When the last of its certificates that were not ended expires or expired.
    pub certificate_expires_at: Option<Timestamp>,
    /// When and why a certificate of it was ended last.
    pub ended: Option<(Timestamp, String)>,
    /// When the last of its unused codes expires or expired.
    pub code_expires_at: Option<Timestamp>,
}

/// A connection of a device, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRow {
    /// From where.
    pub peer: String,
    /// The program it runs; empty if it never said.
    pub agent_version: String,
}

/// Batches of a lane that were set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideRow {
    /// The lane.
    pub lane: String,
    /// How many.
    pub count: u64,
    /// When the last one came.
    pub last_at: Timestamp,
}

type Row = (
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
);

const SELECT: &str = "SELECT p.connected, p.since, \
     (SELECT MAX(c.expires_at) FROM device_certificate c \
      WHERE c.device_id = v.device_id AND c.ended_at IS NULL), \
     (SELECT MAX(c.ended_at) FROM device_certificate c WHERE c.device_id = v.device_id), \
     (SELECT c.ended_why FROM device_certificate c \
      WHERE c.device_id = v.device_id AND c.ended_at IS NOT NULL ORDER BY c.ended_at DESC LIMIT 1), \
     (SELECT MAX(e.expires_at) FROM enrolment_code e \
      WHERE e.device_id = v.device_id AND e.used_at IS NULL) \
     , v.device_id, v.registration, v.category, v.make, v.model, v.color, d.driver_id, d.name, d.phone, \
     d.rating_sum / NULLIF(d.rating_count, 0) \
     FROM vehicle v LEFT JOIN device_presence p ON p.device_id = v.device_id \
     LEFT JOIN duty u ON u.device_id = v.device_id \
     LEFT JOIN driver d ON d.driver_id = COALESCE(u.driver_id, CASE WHEN NOT EXISTS \
     (SELECT 1 FROM duty e WHERE e.driver_id = v.driver_id) THEN v.driver_id END) \
     WHERE $1 = '' OR v.device_id = $1 ORDER BY v.registration";

fn fleet_row(row: Row) -> Result<FleetRow, StoreError> {
    let (
        on,
        since,
        until,
        ended,
        why,
        code,
        device,
        plate,
        category,
        make,
        model,
        color,
        id,
        name,
        phone,
        rating,
    ) = row;
    Ok(FleetRow {
        vehicle: vehicle((device, plate, category, make, model, color, id, name, phone, rating))?,
        presence: on.zip(since.map(Timestamp::from_unix_ms)),
        certificate_expires_at: until.map(Timestamp::from_unix_ms),
        ended: ended.map(Timestamp::from_unix_ms).zip(why),
        code_expires_at: code.map(Timestamp::from_unix_ms),
    })
}

impl Tx {
    /// Every vehicle, by registration, or the one of `device`.
    pub async fn fleet(&mut self, device: Option<&DeviceId>) -> Result<Vec<FleetRow>, StoreError> {
        let device = device.map(|device| device.as_str().to_owned()).unwrap_or_default();
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SELECT)
            .bind(device).fetch_all(conn).await?);
        rows.into_iter().map(fleet_row).collect()
    }

    /// Where a device came from last, and with which program.
    pub async fn last_seen(&mut self, device: &DeviceId) -> Result<Option<SeenRow>, StoreError> {
        const SQL: &str = "SELECT peer, agent_version FROM device_presence WHERE device_id = $1";
        let row: Option<(String, String)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        Ok(row.map(|(peer, agent_version)| SeenRow { peer, agent_version }))
    }

    /// What of a device was set aside, by lane.
    pub async fn set_aside_counts(
        &mut self,
        device: &DeviceId,
    ) -> Result<Vec<SetAsideRow>, StoreError> {
        const SQL: &str = "SELECT lane, COUNT(*), MAX(received_at) FROM set_aside \
             WHERE device_id = $1 GROUP BY lane ORDER BY lane";
        let rows: Vec<(String, i64, i64)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_all(conn).await?);
        let row = |(lane, count, last_at)| SetAsideRow {
            lane,
            count: from_db(count),
            last_at: Timestamp::from_unix_ms(last_at),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
