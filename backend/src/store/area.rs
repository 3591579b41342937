//! Table `area`: service areas and tariff zones.

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{Area, AreaId, Shape};

const TABLE: &str = "area";

/// An area as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct AreaRow {
    /// The area.
    pub area: Area,
    /// Its shape as it was given.
    pub geojson: String,
    /// Whether it counts.
    pub active: bool,
}

type Row = (String, String, String, Option<String>, Option<String>, i64, String, bool);

fn area(row: Row) -> Result<AreaRow, StoreError> {
    let (id, name, kind, item, tariff_code, priority, geojson, active) = row;
    let bad = |column: &str, reason: String| StoreError::BadRow {
        table: TABLE,
        row: id.clone(),
        reason: format!("column {column}: {reason}"),
    };
    let area = Area {
        id: parse(TABLE, &id, "area_id", &id)?,
        name,
        kind: parse(TABLE, &id, "kind", &kind)?,
        item: item.map(|item| parse(TABLE, &id, "item_id", &item)).transpose()?,
        tariff_code,
        priority: u32::try_from(priority).map_err(|error| bad("priority", error.to_string()))?,
        shape: Shape::parse(&geojson).map_err(|error| bad("geojson", error.to_string()))?,
    };
    Ok(AreaRow { area, geojson, active })
}

impl Tx {
    /// Writes an area, whether it is there or not.
    pub async fn put_area(&mut self, row: &AreaRow, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO area (area_id, name, kind, item_id, tariff_code, priority, \
             geojson, active, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) \
             ON CONFLICT (area_id) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
             item_id = excluded.item_id, tariff_code = excluded.tariff_code, \
             priority = excluded.priority, geojson = excluded.geojson, active = excluded.active, \
             updated_at = excluded.updated_at";
        let AreaRow { area, geojson, active } = row;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(area.id.as_str().to_owned())
            .bind(area.name.clone())
            .bind(area.kind.code())
            .bind(area.item.as_ref().map(|id| id.as_str().to_owned()))
            .bind(area.tariff_code.clone())
            .bind(i64::from(area.priority))
            .bind(geojson.clone())
            .bind(*active)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_catalog_changed().await
    }

    /// Removes an area; `false` if there is none.
    pub async fn remove_area(&mut self, id: &AreaId) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM area WHERE area_id = $1";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(id.as_str().to_owned()).execute(conn).await?.rows_affected());
        self.note_catalog_changed().await?;
        Ok(rows == 1)
    }

    /// An area.
    pub async fn area(&mut self, id: &AreaId) -> Result<Option<AreaRow>, StoreError> {
        const SQL: &str = "SELECT area_id, name, kind, item_id, tariff_code, priority, geojson, active \
             FROM area WHERE area_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(area).transpose()
    }

    /// At most `limit` areas behind this id, by id.
    pub async fn areas(&mut self, after: &str, limit: i64) -> Result<Vec<AreaRow>, StoreError> {
        const SQL: &str = "SELECT area_id, name, kind, item_id, tariff_code, priority, geojson, active \
             FROM area WHERE area_id > $1 ORDER BY area_id LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().map(area).collect()
    }
}
