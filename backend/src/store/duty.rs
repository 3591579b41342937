//! Table `duty`: who is signed in on which device.

use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{Duty, DutyState};

const TABLE: &str = "duty";

type Row = (String, String, String, i64);

fn duty((driver, device, state, since): Row) -> Result<Duty, StoreError> {
    Ok(Duty {
        device: parse(TABLE, &driver, "device_id", &device)?,
        state: parse(TABLE, &driver, "state", &state)?,
        since: Timestamp::from_unix_ms(since),
        driver: parse(TABLE, &driver, "driver_id", &driver)?,
    })
}

impl Tx {
    /// Writes a driver's duty, in place of what it was; one that is off is removed. Whoever else is on
    /// duty on the device must be taken off before.
    pub async fn put_duty(&mut self, duty: &Duty) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO duty (driver_id, device_id, state, since) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (driver_id) DO UPDATE SET \
             device_id = excluded.device_id, state = excluded.state, since = excluded.since";
        if duty.state == DutyState::Off {
            return self.end_duty(&duty.driver).await;
        }
        // Also about a vehicle that they leave.
        self.note_driver_changed(&duty.driver).await?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(duty.driver.as_str().to_owned())
            .bind(duty.device.as_str().to_owned())
            .bind(duty.state.code())
            .bind(duty.since.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_vehicle_changed(&duty.device).await
    }

    async fn end_duty(&mut self, driver: &DriverId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM duty WHERE driver_id = $1";
        self.note_driver_changed(driver).await?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(driver.as_str().to_owned()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// A driver's duty; `None` if they are off.
    pub async fn duty_of_driver(&mut self, driver: &DriverId) -> Result<Option<Duty>, StoreError> {
        const SQL: &str =
            "SELECT driver_id, device_id, state, since FROM duty WHERE driver_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(driver.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(duty).transpose()
    }

    /// Who is signed in on a device.
    pub async fn duty_of_device(&mut self, device: &DeviceId) -> Result<Option<Duty>, StoreError> {
        const SQL: &str =
            "SELECT driver_id, device_id, state, since FROM duty WHERE device_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(duty).transpose()
    }

    /// At most `limit` who are signed in behind this driver, by driver.
    pub async fn duties(&mut self, after: &str, limit: i64) -> Result<Vec<Duty>, StoreError> {
        const SQL: &str = "SELECT driver_id, device_id, state, since FROM duty \
             WHERE driver_id > $1 ORDER BY driver_id LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().map(duty).collect()
    }
}
