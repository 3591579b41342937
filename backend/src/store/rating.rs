//! Table `rating`: what riders think of drivers. The sums are in `driver`.

use tripline_protocol::id::{DriverId, OrderId};
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{StoreError, Tx, on_db};

/// A rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRating {
    /// Fresh.
    pub id: Uuid,
    /// Of whom.
    pub driver: DriverId,
    /// For which ride.
    pub order: Option<OrderId>,
    /// How many.
    pub stars: u8,
    /// In words.
    pub note: String,
}

impl Tx {
    /// Writes a rating, and adds it to its driver's; `false` if the order was rated before.
    pub async fn add_rating(
        &mut self,
        rating: &NewRating,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO rating (rating_id, driver_id, order_id, stars, note, at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        const ADD: &str = "UPDATE driver SET rating_sum = rating_sum + $2, \
             rating_count = rating_count + 1 WHERE driver_id = $1";
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(rating.id.to_string())
            .bind(rating.driver.as_str().to_owned())
            .bind(rating.order.map(|order| order.to_string()))
            .bind(i64::from(rating.stars))
            .bind(rating.note.clone())
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        if rows == 0 {
            return Ok(false);
        }
        on_db!(self, conn => sqlx::query(ADD)
            .bind(rating.driver.as_str().to_owned())
            .bind(i64::from(rating.stars))
            .execute(conn).await?.rows_affected());
        self.note_driver_changed(&rating.driver).await?;
        Ok(true)
    }
}
