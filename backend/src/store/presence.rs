//! Table `device_presence`: whether a device is connected, and since when it is or is not.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};

const TABLE: &str = "device_presence";

/// A device's presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceRow {
    /// Whose.
    pub device: DeviceId,
    /// Whether it is connected.
    pub connected: bool,
    /// Since when it is, or is not.
    pub since: Timestamp,
    /// Address it came from last.
    pub peer: String,
    /// The program it runs, as it last said; empty if it never did.
    pub agent_version: String,
}

type Row = (String, bool, i64, String, String);

fn presence(row: Row) -> Result<PresenceRow, StoreError> {
    let (device, connected, since, peer, agent_version) = row;
    Ok(PresenceRow {
        device: parse(TABLE, &device, "device_id", &device)?,
        connected,
        since: Timestamp::from_unix_ms(since),
        peer,
        agent_version,
    })
}

impl Tx {
    /// Sets a device's presence. An empty version leaves the one that is known.
    pub async fn set_presence(&mut self, row: PresenceRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_presence \
             (device_id, connected, since, peer, agent_version) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (device_id) DO UPDATE SET connected = excluded.connected, \
             since = excluded.since, peer = excluded.peer, agent_version = CASE \
             WHEN excluded.agent_version = '' THEN device_presence.agent_version \
             ELSE excluded.agent_version END";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(row.device.as_str().to_owned())
            .bind(row.connected)
            .bind(row.since.unix_ms)
            .bind(row.peer)
            .bind(row.agent_version)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Says of every device that is noted as connected that it is not.
    pub async fn end_all_presence(&mut self, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE device_presence SET connected = $1, since = $2 WHERE connected";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(false).bind(at.unix_ms).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// A device's presence; `None` if it never came.
    pub async fn presence(&mut self, device: &DeviceId) -> Result<Option<PresenceRow>, StoreError> {
        const SQL: &str = "SELECT device_id, connected, since, peer, agent_version \
             FROM device_presence WHERE device_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(presence).transpose()
    }
}
