//! Table `device_signal`: when something about a device was last changed by another process than the one
//! that serves it.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};

const TABLE: &str = "device_signal";

impl Tx {
    /// Tells whoever serves the device that its certificates or its commands changed.
    ///
    /// The time kept of it goes up by 1 ms at least, also if our clock is behind the one of whoever
    /// signalled before: a signal that is no later than that one would not be heard.
    pub async fn signal_device(
        &mut self,
        device: &DeviceId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO device_signal (device_id, at) VALUES ($1, $2) \
             ON CONFLICT (device_id) DO UPDATE SET at = CASE WHEN excluded.at > device_signal.at \
             THEN excluded.at ELSE device_signal.at + 1 END";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Every signal given after `at`, oldest first, each device's last one.
    pub async fn signals_since(
        &mut self,
        at: Timestamp,
    ) -> Result<Vec<(DeviceId, Timestamp)>, StoreError> {
        const SQL: &str =
            "SELECT device_id, at FROM device_signal WHERE at > $1 ORDER BY at, device_id";
        let rows: Vec<(String, i64)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(at.unix_ms).fetch_all(conn).await?);
        let signal = |(device, at): (String, i64)| {
            Ok((parse(TABLE, &device, "device_id", &device)?, Timestamp::from_unix_ms(at)))
        };
        rows.into_iter().map(signal).collect()
    }
}
