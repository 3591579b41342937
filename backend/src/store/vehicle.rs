//! Table `vehicle`, and `device_hold`: which device is taken by which order.

use tripline_protocol::id::{CommandNumber, DeviceId, OrderId};
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, parse};
use crate::domain::fleet::{Energy, ProviderId, VehicleRecord};
use crate::domain::order::Vehicle;

const TABLE: &str = "vehicle";

pub(super) type Row = (
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

pub(super) fn vehicle(row: Row) -> Result<Vehicle, StoreError> {
    let (device, registration, category, make, model, color, driver, name, phone, rating) = row;
    let driver = driver.map(|id| parse("driver", &id, "driver_id", &id)).transpose()?;
    Ok(Vehicle {
        device: parse(TABLE, &device, "device_id", &device)?,
        registration,
        category,
        make,
        model,
        color,
        driver,
        driver_name: name.unwrap_or_default(),
        driver_phone: phone.unwrap_or_default(),
        driver_rating_centistars: rating.and_then(|mean| u16::try_from(mean).ok()),
    })
}

/// Vehicles with whoever drives them: signed in on the device, else the standing driver unless they are signed
/// in on another.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT v.device_id, v.registration, v.category, v.make, v.model, v.color, \
             d.driver_id, d.name, d.phone, d.rating_sum / NULLIF(d.rating_count, 0) FROM vehicle v \
             LEFT JOIN duty u ON u.device_id = v.device_id \
             LEFT JOIN driver d ON d.driver_id = COALESCE(u.driver_id, CASE WHEN NOT EXISTS \
             (SELECT 1 FROM duty e WHERE e.driver_id = v.driver_id) THEN v.driver_id END) ",
            $condition
        )
    };
}

type RecordRow = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    bool,
);

fn record(row: RecordRow) -> Result<VehicleRecord, StoreError> {
    let (device, registration, category, make, model, color, variant, energy, capacity, ..) = &row;
    let id = device.clone();
    let energy = energy.as_deref().map(|energy| parse(TABLE, &id, "energy", energy)).transpose()?;
    let capacity = capacity.map(u16::try_from).transpose().map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: id.clone(),
        reason: format!("column capacity: {error}"),
    })?;
    Ok(VehicleRecord {
        device: parse(TABLE, &id, "device_id", device)?,
        registration: registration.clone(),
        category: category.clone(),
        make: make.clone(),
        model: model.clone(),
        color: color.clone(),
        variant: variant.clone(),
        energy,
        capacity,
        provider: row.9.map(|text| parse(TABLE, &id, "provider_id", &text)).transpose()?,
        driver: row.10.map(|text| parse(TABLE, &id, "driver_id", &text)).transpose()?,
        active: row.11,
    })
}

const RECORD: &str = "SELECT device_id, registration, category, make, model, color, variant, energy, \
     capacity, provider_id, driver_id, active FROM vehicle WHERE device_id = $1";

const RECORDS: &str = "SELECT device_id, registration, category, make, model, color, variant, energy, \
     capacity, provider_id, driver_id, active FROM vehicle \
     WHERE registration > $1 AND ($2 = '' OR provider_id = $2) ORDER BY registration LIMIT $3";

impl Tx {
    /// Adds a vehicle with its driver, who is found by name and phone or made; `false` if its device id or
    /// registration is taken.
    pub async fn add_vehicle(
        &mut self,
        vehicle: Vehicle,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut record = VehicleRecord::new(vehicle.device, vehicle.registration, vehicle.category);
        (record.make, record.model, record.color) = (vehicle.make, vehicle.model, vehicle.color);
        if !self.add_vehicle_record(&record, at).await? {
            return Ok(false);
        }
        let id = record.device.as_str();
        let driver =
            self.driver_of_contact(vehicle.driver_name, vehicle.driver_phone, id, at).await?;
        record.driver = Some(driver);
        self.save_vehicle_record(&record).await?;
        Ok(true)
    }

    /// Adds a vehicle; `false` if its device id or registration is taken.
    ///
    /// Its commands are numbered from the time it is added: a device that kept its journal while its
    /// backend was set up anew would take lower numbers for old ones.
    pub async fn add_vehicle_record(
        &mut self,
        record: &VehicleRecord,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO vehicle (device_id, registration, category, make, model, color, \
             variant, energy, capacity, provider_id, driver_id, active, command_number, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) \
             ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(record.device.as_str().to_owned())
            .bind(record.registration.clone())
            .bind(record.category.clone())
            .bind(record.make.clone())
            .bind(record.model.clone())
            .bind(record.color.clone())
            .bind(record.variant.clone())
            .bind(record.energy.map(Energy::code))
            .bind(record.capacity.map(i64::from))
            .bind(record.provider.as_ref().map(|id| id.as_str().to_owned()))
            .bind(record.driver.as_ref().map(|id| id.as_str().to_owned()))
            .bind(record.active)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        if rows == 1 {
            self.note_vehicle_changed(&record.device).await?;
        }
        Ok(rows == 1)
    }

    /// Writes what is known of a vehicle that is there; `false` if its registration is another's.
    pub async fn save_vehicle_record(
        &mut self,
        record: &VehicleRecord,
    ) -> Result<bool, StoreError> {
        const TAKEN: &str =
            "SELECT COUNT(*) FROM vehicle WHERE registration = $1 AND device_id <> $2";
        const SQL: &str = "UPDATE vehicle SET registration = $2, category = $3, make = $4, model = $5, \
             color = $6, variant = $7, energy = $8, capacity = $9, provider_id = $10, driver_id = $11, \
             active = $12 WHERE device_id = $1";
        let taken: i64 = on_db!(self, conn => sqlx::query_scalar(TAKEN)
            .bind(record.registration.clone()).bind(record.device.as_str().to_owned())
            .fetch_one(conn).await?);
        if taken > 0 {
            return Ok(false);
        }
        on_db!(self, conn => sqlx::query(SQL)
            .bind(record.device.as_str().to_owned())
            .bind(record.registration.clone())
            .bind(record.category.clone())
            .bind(record.make.clone())
            .bind(record.model.clone())
            .bind(record.color.clone())
            .bind(record.variant.clone())
            .bind(record.energy.map(Energy::code))
            .bind(record.capacity.map(i64::from))
            .bind(record.provider.as_ref().map(|id| id.as_str().to_owned()))
            .bind(record.driver.as_ref().map(|id| id.as_str().to_owned()))
            .bind(record.active)
            .execute(conn).await?.rows_affected());
        self.note_vehicle_changed(&record.device).await?;
        Ok(true)
    }

    /// What is known of a vehicle.
    pub async fn vehicle_record(
        &mut self,
        device: &DeviceId,
    ) -> Result<Option<VehicleRecord>, StoreError> {
        let row: Option<RecordRow> = on_db!(self, conn => sqlx::query_as(RECORD)
            .bind(device.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(record).transpose()
    }

    /// At most `limit` vehicles behind this registration, by registration; of one provider, if it is named.
    pub async fn vehicle_records(
        &mut self,
        after: &str,
        provider: Option<&ProviderId>,
        limit: i64,
    ) -> Result<Vec<VehicleRecord>, StoreError> {
        let rows: Vec<RecordRow> = on_db!(self, conn => sqlx::query_as(RECORDS)
            .bind(after.to_owned())
            .bind(provider.map_or("", ProviderId::as_str).to_owned())
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(record).collect()
    }

    /// The vehicle with this device.
    pub async fn vehicle(&mut self, device: &DeviceId) -> Result<Option<Vehicle>, StoreError> {
        const SQL: &str = select!("WHERE v.device_id = $1");
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
        const SQL: &str = select!(
            "WHERE v.device_id = $1 OR v.registration = $1 \
             ORDER BY CASE WHEN v.device_id = $1 THEN 0 ELSE 1 END"
        );
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(name.to_owned()).fetch_optional(conn).await?);
        row.map(vehicle).transpose()
    }

    /// Every vehicle, by registration.
    pub async fn vehicles(&mut self) -> Result<Vec<Vehicle>, StoreError> {
        const SQL: &str = select!("ORDER BY v.registration");
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
}
