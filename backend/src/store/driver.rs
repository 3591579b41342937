//! Table `driver`: who drives, and what their PIN is known by.

use tripline_protocol::id::DriverId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, parse};
use crate::chance;
use crate::domain::fleet::{Driver, ProviderId, Rating};

const TABLE: &str = "driver";

/// What a driver's PIN is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinRow {
    /// Its keyed digest; `None` if no PIN is set.
    pub mac: Option<Vec<u8>>,
    /// Tries since it was last right.
    pub tries: u32,
}

type Row = (String, Option<String>, String, String, bool, i64, i64);

fn driver(row: Row) -> Result<Driver, StoreError> {
    let (id, provider, name, phone, active, sum, count) = row;
    Ok(Driver {
        provider: provider.map(|text| parse(TABLE, &id, "provider_id", &text)).transpose()?,
        id: parse(TABLE, &id, "driver_id", &id)?,
        name,
        phone,
        active,
        rating: Rating { sum: from_db(sum), count: from_db(count) },
    })
}

impl Tx {
    /// Adds a driver; `false` if there is one of this id. The rating of a new driver is empty.
    pub async fn add_driver(&mut self, driver: &Driver, at: Timestamp) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO driver (driver_id, provider_id, name, phone, active, pin_tries, \
             rating_sum, rating_count, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6, $6) ON CONFLICT DO NOTHING";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(driver.id.as_str().to_owned())
            .bind(driver.provider.as_ref().map(|id| id.as_str().to_owned()))
            .bind(driver.name.clone())
            .bind(driver.phone.clone())
            .bind(driver.active)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Writes provider, name, phone and whether they may drive.
    pub async fn save_driver(&mut self, driver: &Driver, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE driver SET provider_id = $2, name = $3, phone = $4, active = $5, \
             updated_at = $6 WHERE driver_id = $1";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(driver.id.as_str().to_owned())
            .bind(driver.provider.as_ref().map(|id| id.as_str().to_owned()))
            .bind(driver.name.clone())
            .bind(driver.phone.clone())
            .bind(driver.active)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_driver_changed(&driver.id).await
    }

    /// A driver.
    pub async fn driver(&mut self, id: &DriverId) -> Result<Option<Driver>, StoreError> {
        const SQL: &str = "SELECT driver_id, provider_id, name, phone, active, rating_sum, \
             rating_count FROM driver WHERE driver_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(driver).transpose()
    }

    /// At most `limit` drivers behind this id, by id; of one provider, if it is named.
    pub async fn drivers(
        &mut self,
        after: &str,
        provider: Option<&ProviderId>,
        limit: i64,
    ) -> Result<Vec<Driver>, StoreError> {
        const SQL: &str = "SELECT driver_id, provider_id, name, phone, active, rating_sum, \
             rating_count FROM driver \
             WHERE driver_id > $1 AND ($2 = '' OR provider_id = $2) ORDER BY driver_id LIMIT $3";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned())
            .bind(provider.map_or("", ProviderId::as_str).to_owned())
            .bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(driver).collect()
    }

    /// The driver with this name and phone; if there is none, a new one with the id `wanted` or, if that is
    /// taken, a fresh one.
    pub async fn driver_of_contact(
        &mut self,
        name: String,
        phone: String,
        wanted: &str,
        at: Timestamp,
    ) -> Result<DriverId, StoreError> {
        const SQL: &str = "SELECT driver_id FROM driver WHERE phone = $1 AND name = $2 \
             ORDER BY driver_id LIMIT 1";
        let found: Option<String> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(phone.clone()).bind(name.clone()).fetch_optional(conn).await?);
        if let Some(id) = found {
            return parse(TABLE, &id, "driver_id", &id);
        }
        let mut driver = Driver {
            id: parse(TABLE, wanted, "driver_id", wanted)?,
            provider: None,
            name,
            phone,
            active: true,
            rating: Rating::default(),
        };
        if !self.add_driver(&driver, at).await? {
            let fresh = format!("drv-{}", chance::uuid().map_err(no_chance)?.simple());
            driver.id = parse(TABLE, &fresh, "driver_id", &fresh)?;
            self.add_driver(&driver, at).await?;
        }
        Ok(driver.id)
    }

    /// What a driver's PIN is known by, locked until the transaction ends.
    pub async fn pin(&mut self, id: &DriverId) -> Result<PinRow, StoreError> {
        const PLAIN: &str = "SELECT pin_mac, pin_tries FROM driver WHERE driver_id = $1";
        const LOCKING: &str =
            "SELECT pin_mac, pin_tries FROM driver WHERE driver_id = $1 FOR UPDATE";
        let sql = match self {
            Self::Sqlite(_) | Self::Postgres(_) => PLAIN,
            Self::PostgresWriting(_) => LOCKING,
        };
        let row: Option<(Option<Vec<u8>>, i64)> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(id.as_str().to_owned()).fetch_optional(conn).await?);
        let Some((mac, tries)) = row else { return Ok(PinRow::default()) };
        Ok(PinRow { mac, tries: u32::try_from(tries).unwrap_or(u32::MAX) })
    }

    /// Sets what a driver's PIN is known by.
    pub async fn set_pin(&mut self, id: &DriverId, pin: PinRow) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE driver SET pin_mac = $2, pin_tries = $3 WHERE driver_id = $1";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(id.as_str().to_owned())
            .bind(pin.mac)
            .bind(i64::from(pin.tries))
            .execute(conn).await?.rows_affected());
        Ok(())
    }
}

fn no_chance(error: chance::NoChance) -> StoreError {
    StoreError::BadRow { table: TABLE, row: "a new one".into(), reason: error.to_string() }
}
