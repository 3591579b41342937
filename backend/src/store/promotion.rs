//! Table `promotion`: what comes off the fare of riders who take one up.

use tripline_protocol::unit::{Paise, Timestamp};

use super::{StoreError, Tx, on_db, parse};
use crate::domain::fleet::{ItemId, Off, Promotion, PromotionId};

const TABLE: &str = "promotion";

type Row = (
    String,
    String,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    Option<i64>,
    Option<i64>,
    String,
    bool,
);

fn promotion(row: Row) -> Result<Promotion, StoreError> {
    let (id, title, description, amount, percent_bp, most, least, from, until, items, active) = row;
    let bad = |reason: String| StoreError::BadRow { table: TABLE, row: id.clone(), reason };
    let percent_bp = percent_bp.map(u32::try_from).transpose();
    let percent_bp = percent_bp.map_err(|error| bad(format!("column percent_bp: {error}")))?;
    let off = match (amount, percent_bp) {
        (Some(amount), None) => Off::Amount(Paise(amount)),
        (None, Some(percent_bp)) => Off::Part { percent_bp, most: most.map(Paise) },
        (None, None) | (Some(_), Some(_)) => {
            return Err(bad("it has not one of amount and percent_bp".into()));
        }
    };
    let items =
        serde_json::from_str(&items).map_err(|error| bad(format!("column items: {error}")))?;
    Ok(Promotion {
        id: parse(TABLE, &id, "promotion_id", &id)?,
        title,
        description,
        off,
        least_fare: Paise(least),
        from: from.map(Timestamp::from_unix_ms),
        until: until.map(Timestamp::from_unix_ms),
        items,
        active,
    })
}

impl Tx {
    /// Writes a promotion, whether it is there or not.
    pub async fn put_promotion(
        &mut self,
        promotion: &Promotion,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO promotion (promotion_id, title, description, amount, percent_bp, \
             most, least_fare, from_at, until_at, items, active, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) \
             ON CONFLICT (promotion_id) DO UPDATE SET title = excluded.title, \
             description = excluded.description, amount = excluded.amount, \
             percent_bp = excluded.percent_bp, most = excluded.most, \
             least_fare = excluded.least_fare, from_at = excluded.from_at, \
             until_at = excluded.until_at, items = excluded.items, active = excluded.active, \
             updated_at = excluded.updated_at";
        let (amount, percent_bp, most) = match promotion.off {
            Off::Amount(amount) => (Some(amount.0), None, None),
            Off::Part { percent_bp, most } => (None, Some(i64::from(percent_bp)), most),
        };
        let items: Vec<&str> = promotion.items.iter().map(ItemId::as_str).collect();
        let items = serde_json::Value::from(items).to_string();
        on_db!(self, conn => sqlx::query(SQL)
            .bind(promotion.id.as_str().to_owned())
            .bind(promotion.title.clone())
            .bind(promotion.description.clone())
            .bind(amount)
            .bind(percent_bp)
            .bind(most.map(|most| most.0))
            .bind(promotion.least_fare.0)
            .bind(promotion.from.map(|at| at.unix_ms))
            .bind(promotion.until.map(|at| at.unix_ms))
            .bind(items.clone())
            .bind(promotion.active)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        self.note_catalog_changed().await
    }

    /// A promotion.
    pub async fn promotion(&mut self, id: &PromotionId) -> Result<Option<Promotion>, StoreError> {
        const SQL: &str = "SELECT promotion_id, title, description, amount, percent_bp, most, \
             least_fare, from_at, until_at, items, active FROM promotion WHERE promotion_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.as_str().to_owned()).fetch_optional(conn).await?);
        row.map(promotion).transpose()
    }

    /// At most `limit` promotions behind this id, by id.
    pub async fn promotions(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Promotion>, StoreError> {
        const SQL: &str = "SELECT promotion_id, title, description, amount, percent_bp, most, \
             least_fare, from_at, until_at, items, active FROM promotion \
             WHERE promotion_id > $1 ORDER BY promotion_id LIMIT $2";
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(after.to_owned()).bind(limit).fetch_all(conn).await?);
        rows.into_iter().map(promotion).collect()
    }
}
