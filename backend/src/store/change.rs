//! Table `fleet_change`: what of the fleet changed, for those who have it in memory.

use tripline_protocol::id::{DeviceId, DriverId};

use super::{StoreError, Tx, from_db, on_db};

/// How far the fleet has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FleetVersion {
    /// What is offered.
    pub catalog: u64,
    /// Who may be offered a ride.
    pub roster: u64,
}

impl Tx {
    /// How far the fleet has come.
    pub async fn fleet_version(&mut self) -> Result<FleetVersion, StoreError> {
        const SQL: &str = "SELECT \
             (SELECT version FROM fleet_change WHERE what = 'catalog'), \
             (SELECT version FROM fleet_change WHERE what = 'roster')";
        let (catalog, roster): (i64, i64) =
            on_db!(self, conn => sqlx::query_as(SQL).fetch_one(conn).await?);
        Ok(FleetVersion { catalog: from_db(catalog), roster: from_db(roster) })
    }

    /// Notes that what is offered changed.
    pub async fn note_catalog_changed(&mut self) -> Result<(), StoreError> {
        self.next_version("catalog").await.map(|_| ())
    }

    /// Notes that something changed that decides whether a vehicle may be offered a ride.
    ///
    /// Whoever notes such a change has the row of the version until the end of the transaction, so that
    /// versions become visible in their order.
    pub async fn note_vehicle_changed(&mut self, device: &DeviceId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE vehicle SET changed = $1 WHERE device_id = $2";
        let version = self.next_version("roster").await?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(version).bind(device.as_str().to_owned()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The same of a driver: it is about the vehicles that they drive, or drove.
    pub async fn note_driver_changed(&mut self, driver: &DriverId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE vehicle SET changed = $1 WHERE driver_id = $2 \
             OR device_id IN (SELECT device_id FROM duty WHERE driver_id = $2)";
        let version = self.next_version("roster").await?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(version).bind(driver.as_str().to_owned()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Has whoever changes the fleet wait until this transaction ends, and waits for those who did before.
    pub async fn lock_fleet(&mut self) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE fleet_change SET version = version";
        on_db!(self, conn => sqlx::query(SQL).execute(conn).await?.rows_affected());
        Ok(())
    }

    async fn next_version(&mut self, what: &'static str) -> Result<i64, StoreError> {
        const SQL: &str =
            "UPDATE fleet_change SET version = version + 1 WHERE what = $1 RETURNING version";
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL).bind(what).fetch_one(conn).await?))
    }
}
