//! Table `vehicle`, and `device_hold`: which device is taken by which order.

use std::collections::BTreeSet;

use tripline_protocol::id::{CommandNumber, DeviceId, OrderId};
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, parse};
use crate::domain::order::Vehicle;

type Row = (String, String, String, String, String);

fn vehicle(row: Row) -> Result<Vehicle, StoreError> {
    let (device, registration, category, driver_name, driver_phone) = row;
    Ok(Vehicle {
        device: parse("vehicle", &device, "device_id", &device)?,
        registration,
        category,
        driver_name,
        driver_phone,
    })
}

impl Tx {
    /// Adds a vehicle; `false` if its device id or registration is taken.
    ///
    /// Its commands are numbered from the time it is added: a device that kept its journal while its
    /// backend was set up anew would take lower numbers for old ones.
    pub async fn add_vehicle(
        &mut self,
        vehicle: Vehicle,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO vehicle (device_id, registration, category, driver_name, \
             driver_phone, command_number, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(vehicle.device.as_str().to_owned())
            .bind(vehicle.registration)
            .bind(vehicle.category)
            .bind(vehicle.driver_name)
            .bind(vehicle.driver_phone)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// The vehicle of a device.
    pub async fn vehicle(&mut self, device: &DeviceId) -> Result<Option<Vehicle>, StoreError> {
        const SQL: &str = "SELECT device_id, registration, category, driver_name, driver_phone \
             FROM vehicle WHERE device_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(vehicle).transpose()
    }

    /// Locks a vehicle until the transaction ends; `false` if there is none of this device.
    ///
    /// Whoever adds or ends certificates and codes of a device holds this lock, so that a revocation
    /// misses none that is issued beside it.
    pub async fn lock_vehicle(&mut self, device: &DeviceId) -> Result<bool, StoreError> {
        // An update that changes nothing locks the row on PostgreSQL; SQLite has one writer anyway.
        const SQL: &str = "UPDATE vehicle SET command_number = command_number WHERE device_id = $1";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// The vehicle with this device id or, if there is none, with this registration.
    pub async fn find_vehicle(&mut self, name: &str) -> Result<Option<Vehicle>, StoreError> {
        const SQL: &str = "SELECT device_id, registration, category, driver_name, driver_phone \
             FROM vehicle WHERE device_id = $1 OR registration = $1 \
             ORDER BY CASE WHEN device_id = $1 THEN 0 ELSE 1 END";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(name.to_owned()).fetch_optional(conn).await?);
        row.map(vehicle).transpose()
    }

    /// Every vehicle, by registration.
    pub async fn vehicles(&mut self) -> Result<Vec<Vehicle>, StoreError> {
        const SQL: &str = "SELECT device_id, registration, category, driver_name, driver_phone \
             FROM vehicle ORDER BY registration";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL).fetch_all(conn).await?);
        rows.into_iter().map(vehicle).collect()
    }

    /// The next command number of a device.
    pub async fn next_command_number(
        &mut self,
        device: &DeviceId,
    ) -> Result<CommandNumber, StoreError> {
        const SQL: &str = "UPDATE vehicle SET command_number = command_number + 1 \
             WHERE device_id = $1 RETURNING command_number";
        let number: i64 = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(device.as_str().to_owned()).fetch_one(conn).await?);
        Ok(CommandNumber(from_db(number)))
    }

    /// Takes a device for an order; `false` if it is taken already.
    pub async fn hold(&mut self, device: &DeviceId, order: OrderId) -> Result<bool, StoreError> {
        const SQL: &str =
            "INSERT INTO device_hold (device_id, order_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(order.to_string())
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Frees a device that an order had taken.
    pub async fn release(&mut self, device: &DeviceId, order: OrderId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM device_hold WHERE device_id = $1 AND order_id = $2";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(device.as_str().to_owned()).bind(order.to_string()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Every device that is taken.
    pub async fn held(&mut self) -> Result<BTreeSet<DeviceId>, StoreError> {
        const SQL: &str = "SELECT device_id FROM device_hold";
        let rows: Vec<String> =
            on_db!(self, conn => sqlx::query_scalar(SQL).fetch_all(conn).await?);
        rows.iter().map(|device| parse("device_hold", device, "device_id", device)).collect()
    }
}
