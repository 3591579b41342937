//! When a device was heard last, over the tables that say so.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db};

impl Tx {
    /// When a device was heard last: now if it is connected, else when it went or when its last batch was
    /// committed. `None` if it never came.
    pub async fn heard(
        &mut self,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT MAX(at) FROM ( \
             SELECT CASE WHEN connected THEN $2 ELSE since END AS at \
             FROM device_presence WHERE device_id = $1 \
             UNION ALL SELECT MAX(moved_at) AS at FROM lane_cursor WHERE device_id = $1) AS heard";
        let at: Option<i64> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned()).bind(now.unix_ms).fetch_one(conn).await?);
        Ok(at.filter(|at| *at > 0).map(Timestamp::from_unix_ms))
    }
}
