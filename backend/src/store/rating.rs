//! Table `rating`: what riders think of rides, drivers and vehicles. The drivers' sums are in `driver`.

use tripline_protocol::id::{DriverId, OrderId};
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, on_db, parse};
use crate::domain::rating::{Answers, RatingCategory, RatingValue};

const TABLE: &str = "rating";

/// A rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatingRow {
    /// Fresh.
    pub id: Uuid,
    /// Of which ride; `None` where an operator rated a driver for none in particular.
    pub order: Option<OrderId>,
    /// What of it.
    pub category: RatingCategory,
    /// Who drove, as far as it is known.
    pub driver: Option<DriverId>,
    /// How good it was.
    pub value: RatingValue,
    /// In an operator's words.
    pub note: String,
    /// What the rider answered.
    pub answers: Answers,
    /// When.
    pub at: Timestamp,
}

/// Which ratings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RatingFilter {
    /// Of rides with this driver.
    pub driver: Option<DriverId>,
    /// Of this order.
    pub order: Option<OrderId>,
}

type Row = (String, Option<String>, String, Option<String>, i64, String, String, i64);

fn rating(row: Row) -> Result<RatingRow, StoreError> {
    let (id, order, category, driver, value, note, answers, at) = row;
    let bad = |column: &str, reason: String| StoreError::BadRow {
        table: TABLE,
        row: id.clone(),
        reason: format!("column {column}: {reason}"),
    };
    let value = u16::try_from(value).map_err(|error| bad("value", error.to_string()))?;
    Ok(RatingRow {
        order: order.map(|order| parse(TABLE, &id, "order_id", &order)).transpose()?,
        category: parse(TABLE, &id, "category", &category)?,
        driver: driver.map(|driver| parse(TABLE, &id, "driver_id", &driver)).transpose()?,
        value: RatingValue::from_centistars(value)
            .map_err(|error| bad("value", error.to_string()))?,
        note,
        answers: serde_json::from_str(&answers)
            .map_err(|error| bad("answers", error.to_string()))?,
        at: Timestamp::from_unix_ms(at),
        id: parse(TABLE, &id, "rating_id", &id)?,
    })
}

/// Every statement has the same parameters: of each filter another index is used.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT rating_id, order_id, category, driver_id, value, note, answers, at FROM rating ",
            $condition,
            " AND (at, rating_id) < ($3, $4) ORDER BY at DESC, rating_id DESC LIMIT $5"
        )
    };
}

impl Tx {
    /// Writes a rating, and adds one of a driver to theirs; `false` if this of the order was rated before.
    pub async fn add_rating(&mut self, rating: &RatingRow) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO rating (rating_id, order_id, category, driver_id, value, note, \
             answers, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
        const ADD: &str = "UPDATE driver SET rating_sum = rating_sum + $2, \
             rating_count = rating_count + 1 WHERE driver_id = $1";
        let answers =
            serde_json::to_string(&rating.answers).map_err(|error| StoreError::BadRow {
                table: TABLE,
                row: rating.id.to_string(),
                reason: error.to_string(),
            })?;
        let value = i64::from(rating.value.centistars());
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(rating.id.to_string())
            .bind(rating.order.map(|order| order.to_string()))
            .bind(rating.category.code())
            .bind(rating.driver.as_ref().map(|driver| driver.as_str().to_owned()))
            .bind(value)
            .bind(rating.note.clone())
            .bind(answers)
            .bind(rating.at.unix_ms)
            .execute(conn).await?.rows_affected());
        if rows == 0 {
            return Ok(false);
        }
        if let Some(driver) = rating.driver.as_ref()
            && rating.category == RatingCategory::Driver
        {
            on_db!(self, conn => sqlx::query(ADD)
                .bind(driver.as_str().to_owned()).bind(value)
                .execute(conn).await?.rows_affected());
            self.note_driver_changed(driver).await?;
        }
        Ok(true)
    }

    /// At most `rows` ratings that pass a filter, newest first, behind the one made at that time with that id.
    pub async fn ratings_before(
        &mut self,
        filter: &RatingFilter,
        before: Option<(Timestamp, Uuid)>,
        rows: i64,
    ) -> Result<Vec<RatingRow>, StoreError> {
        const ALL: &str = select!("WHERE $1 = '' AND $2 = ''");
        const OF_DRIVER: &str = select!("WHERE driver_id = $1 AND $2 = ''");
        const OF_ORDER: &str = select!("WHERE order_id = $2 AND ($1 = '' OR driver_id = $1)");
        let sql = match filter {
            RatingFilter { order: Some(_), .. } => OF_ORDER,
            RatingFilter { driver: Some(_), order: None } => OF_DRIVER,
            RatingFilter { driver: None, order: None } => ALL,
        };
        let (at, id) =
            before.map_or((i64::MAX, String::new()), |(at, id)| (at.unix_ms, id.to_string()));
        let found: Vec<Row> = on_db!(self, conn => sqlx::query_as(sql)
            .bind(filter.driver.as_ref().map(ToString::to_string).unwrap_or_default())
            .bind(filter.order.map(|order| order.to_string()).unwrap_or_default())
            .bind(at)
            .bind(id)
            .bind(rows)
            .fetch_all(conn).await?);
        found.into_iter().map(rating).collect()
    }
}
