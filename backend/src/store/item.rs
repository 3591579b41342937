//! Table `item`: what can be booked.

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{Item, ItemId};

const TABLE: &str = "item";

type Row =
    (String, String, String, Option<String>, String, String, String, String, bool, Option<String>);

/// A list of texts as a column has it.
fn list(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

fn item(
    (id, provider, name, short_desc, images, vehicle_category, tariff_code, kind, active, form): Row,
) -> Result<Item, StoreError> {
    let images = serde_json::from_str(&images).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: id.clone(),
        reason: format!("column images: {error}"),
    })?;
    Ok(Item {
        provider: parse(TABLE, &id, "provider_id", &provider)?,
        kind: parse(TABLE, &id, "kind", &kind)?,
        form: form.map(|form| parse(TABLE, &id, "form_id", &form)).transpose()?,
        id: parse(TABLE, &id, "item_id", &id)?,
        name,
        short_desc,
        images,
        vehicle_category,
        tariff_code,
        active,
    })
}

impl Tx {
    /// Writes an item, whether it is there or not.
    pub async fn put_item(&mut self, item: &Item, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO item (item_id, provider_id, name, short_desc, images, \
             vehicle_category, tariff_code, kind, active, created_at, updated_at, form_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11) \
             ON CONFLICT (item_id) DO UPDATE SET provider_id = excluded.provider_id, \
             name = excluded.name, short_desc = excluded.short_desc, images = excluded.images, \
             vehicle_category = excluded.vehicle_category, \
             tariff_code = excluded.tariff_code, kind = excluded.kind, active = excluded.active, \
             updated_at = excluded.updated_at, form_id = excluded.form_id";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(item.id.as_str().to_owned())
            .bind(item.provider.as_str().to_owned())
            .bind(item.name.clone())
            .bind(item.short_desc.clone())
            .bind(list(&item.images))
            .bind(item.vehicle_category.clone())
            .bind(item.tariff_code.clone())
            .bind(item.kind.code())
            .bind(item.active)
            .bind(at.unix_ms)
            .bind(item.form.as_ref().map(|form| form.as_str().to_owned()))
            .execute(conn).await?.rows_affected());
        self.note_catalog_changed().await
    }

    /// An item.
    pub async fn item(&mut self, id: &ItemId) -> Result<Option<Item>, StoreError> {
        const SQL: &str = "SELECT item_id, provider_id, name, short_desc, images, vehicle_category, \
             tariff_code, kind, active, form_id FROM item WHERE item_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(item).transpose()
    }

    /// At most `limit` items behind this id, by id.
    pub async fn items(&mut self, after: &str, limit: i64) -> Result<Vec<Item>, StoreError> {
        const SQL: &str = "SELECT item_id, provider_id, name, short_desc, images, vehicle_category, \
             tariff_code, kind, active, form_id FROM item WHERE item_id > $1 ORDER BY item_id LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().map(item).collect()
    }
}
