//! The fleet as a platform has it in memory: everything that is offered, and who may be offered a ride.

use std::collections::HashMap;

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, from_db, on_db, parse, to_db};
use crate::domain::fleet::roster::{AtTheWheel, Papers};
use crate::domain::fleet::{Catalog, DutyState, Rating, Rostered};

/// Vehicles with whoever drives them: signed in on the device, else the standing driver unless they are signed
/// in on another.
const VEHICLES: &str = "SELECT v.device_id, v.category, v.provider_id, v.capacity, v.active, \
     d.driver_id, d.active, d.rating_sum, d.rating_count, u.state, u.since, \
     v.make, v.model, v.variant, v.color, v.energy FROM vehicle v \
     LEFT JOIN duty u ON u.device_id = v.device_id \
     LEFT JOIN driver d ON d.driver_id = COALESCE(u.driver_id, CASE WHEN NOT EXISTS \
     (SELECT 1 FROM duty e WHERE e.driver_id = v.driver_id) THEN v.driver_id END) \
     WHERE v.changed > $1 AND ($2 = '' OR v.device_id = $2)";

/// Until when each kind of paper counts, of vehicles and of drivers that such vehicles have.
const VEHICLE_PAPERS: &str = "SELECT p.owner_id, p.kind, \
     MAX(COALESCE(p.expires_at, 9223372036854775807)) FROM document p \
     JOIN vehicle v ON v.device_id = p.owner_id \
     WHERE p.owner_kind = 'vehicle' AND v.changed > $1 AND ($2 = '' OR v.device_id = $2) GROUP BY p.owner_id, p.kind";

const DRIVER_PAPERS: &str = "SELECT p.owner_id, p.kind, \
     MAX(COALESCE(p.expires_at, 9223372036854775807)) FROM document p \
     WHERE p.owner_kind = 'driver' AND p.owner_id IN (\
     SELECT COALESCE(u.driver_id, v.driver_id) FROM vehicle v \
     LEFT JOIN duty u ON u.device_id = v.device_id \
     WHERE v.changed > $1 AND ($2 = '' OR v.device_id = $2)) \
     GROUP BY p.owner_id, p.kind";

type Row = (
    String,
    String,
    Option<String>,
    Option<i64>,
    bool,
    Option<String>,
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

type AllPapers = HashMap<String, Papers>;

impl Tx {
    /// Everything that is offered.
    pub async fn catalog(&mut self) -> Result<Catalog, StoreError> {
        let areas = self.areas("", i64::MAX).await?;
        let catalog = Catalog::new(
            self.providers("", i64::MAX).await?,
            self.items("", i64::MAX).await?,
            self.newest_tariffs().await?,
            areas.into_iter().filter(|row| row.active).map(|row| row.area).collect(),
        );
        Ok(catalog.with_promotions(self.promotions("", i64::MAX).await?))
    }

    /// What is known of the vehicles that changed after this version of the roster; `None`: of all.
    pub async fn rostered(
        &mut self,
        after: Option<u64>,
    ) -> Result<Vec<(DeviceId, Rostered)>, StoreError> {
        self.rostered_where(after.map_or(-1, to_db), "").await
    }

    /// What is known of a vehicle.
    pub async fn rostered_one(
        &mut self,
        device: &DeviceId,
    ) -> Result<Option<Rostered>, StoreError> {
        let mut rows = self.rostered_where(-1, device.as_str()).await?;
        Ok(rows.pop().map(|(_, vehicle)| vehicle))
    }

    async fn rostered_where(
        &mut self,
        after: i64,
        device: &str,
    ) -> Result<Vec<(DeviceId, Rostered)>, StoreError> {
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(VEHICLES)
            .bind(after).bind(device.to_owned()).fetch_all(conn).await?);
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let of_vehicles = self.papers(VEHICLE_PAPERS, after, device).await?;
        let of_drivers = self.papers(DRIVER_PAPERS, after, device).await?;
        rows.into_iter().map(|row| rostered(row, &of_vehicles, &of_drivers)).collect()
    }

    async fn papers(
        &mut self,
        sql: &'static str,
        after: i64,
        device: &str,
    ) -> Result<AllPapers, StoreError> {
        let rows: Vec<(String, String, i64)> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(after).bind(device.to_owned()).fetch_all(conn).await?);
        let mut papers = AllPapers::new();
        for (owner, kind, until) in rows {
            let until = (until != i64::MAX).then(|| Timestamp::from_unix_ms(until));
            papers.entry(owner).or_default().insert(kind, until);
        }
        Ok(papers)
    }
}

fn rostered(
    row: Row,
    of_vehicles: &AllPapers,
    of_drivers: &AllPapers,
) -> Result<(DeviceId, Rostered), StoreError> {
    const TABLE: &str = "vehicle";
    let (
        id,
        category,
        provider,
        capacity,
        active,
        driver,
        may_drive,
        sum,
        count,
        state,
        since,
        make,
        model,
        variant,
        color,
        energy,
    ) = row;
    let papers = |of: &AllPapers, owner: &str| of.get(owner).cloned().unwrap_or_default();
    let wheel = |driver: String| -> Result<AtTheWheel, StoreError> {
        let state: Option<DutyState> =
            state.map(|state| parse("duty", &driver, "state", &state)).transpose()?;
        Ok(AtTheWheel {
            papers: papers(of_drivers, &driver),
            driver: parse(TABLE, &id, "driver_id", &driver)?,
            active: may_drive.unwrap_or_default(),
            rating: Rating {
                sum: from_db(sum.unwrap_or_default()),
                count: from_db(count.unwrap_or_default()),
            },
            duty: state.zip(since.map(Timestamp::from_unix_ms)),
        })
    };
    let vehicle = Rostered {
        category,
        provider: provider.map(|text| parse(TABLE, &id, "provider_id", &text)).transpose()?,
        capacity: capacity.and_then(|capacity| u16::try_from(capacity).ok()),
        traits: [make, model, variant, color, energy].into_iter().flatten().collect(),
        active,
        driver: driver.map(wheel).transpose()?,
        papers: papers(of_vehicles, &id),
    };
    Ok((parse(TABLE, &id, "device_id", &id)?, vehicle))
}
