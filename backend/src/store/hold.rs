//! Table `device_hold`: which devices are taken, asked of those that matter.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use tripline_protocol::id::DeviceId;

use super::rows::ManyRows;
use super::{StoreError, Tx, from_db, on_db, parse};

const TABLE: &str = "device_hold";

static AMONG: LazyLock<ManyRows> = LazyLock::new(|| {
    ManyRows::new("SELECT device_id FROM device_hold WHERE device_id IN (VALUES", 1, ")")
});

impl Tx {
    /// How many devices are held for quotes to this subscriber that nothing was booked with yet.
    pub async fn named_quotes_of(&mut self, subscriber_id: &str) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM device_hold h \
             JOIN ride_order o ON o.order_id = h.order_id \
             WHERE o.subscriber_id = $1 AND o.state IN ('quoted', 'initialized')";
        let count: i64 = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(subscriber_id.to_owned()).fetch_one(conn).await?);
        Ok(from_db(count))
    }

    /// Which of these devices are taken. Nothing is locked: who wants one tries to take it.
    pub async fn held_among(
        &mut self,
        devices: &[DeviceId],
    ) -> Result<BTreeSet<DeviceId>, StoreError> {
        let mut held = BTreeSet::new();
        for (sql, piece) in AMONG.pieces(devices) {
            let rows: Vec<String> = on_db!(self, conn => {
                let mut query = sqlx::query_scalar(sql);
                for device in piece {
                    query = query.bind(device.as_str().to_owned());
                }
                query.fetch_all(conn).await?
            });
            for device in rows {
                held.insert(parse(TABLE, &device, "device_id", &device)?);
            }
        }
        Ok(held)
    }
}
