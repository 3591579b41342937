//! A rider's rating of a ride that ended.

use tripline_protocol::unit::Timestamp;

use super::ServiceError;
use crate::chance;
use crate::domain::rating::{Answers, NotRateable, RatingCategory, RatingValue};
use crate::store::Tx;
use crate::store::order::StoredOrder;
use crate::store::rating::RatingRow;

/// What became of a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rated {
    /// It is on record.
    Taken,
    /// This of the order was rated before; that rating stands.
    AlreadyRated,
    /// The order is none whose ride ended.
    NotEnded,
    /// It is not known who drove.
    NoDriver,
}

impl From<NotRateable> for Rated {
    fn from(error: NotRateable) -> Self {
        match error {
            NotRateable::NotEnded => Self::NotEnded,
            NotRateable::NoDriver => Self::NoDriver,
        }
    }
}

/// Takes in what a rider thinks of this of an order. What is not taken changes nothing.
pub async fn rate(
    tx: &mut Tx,
    stored: &StoredOrder,
    category: RatingCategory,
    value: RatingValue,
    answers: Answers,
    at: Timestamp,
) -> Result<Rated, ServiceError> {
    let order = &stored.order;
    if let Err(error) = order.rateable(category) {
        return Ok(error.into());
    }
    let driver = order.trip.as_ref().and_then(|trip| trip.vehicle.driver.clone());
    let driver = match driver {
        // A ride of before the fleet's drivers were known by ids of theirs.
        Some(id) if tx.driver(&id).await?.is_none() => None,
        driver => driver,
    };
    if driver.is_none() && category == RatingCategory::Driver {
        return Ok(Rated::NoDriver);
    }
    let rating = RatingRow {
        id: chance::uuid()?,
        order: Some(order.id),
        category,
        driver,
        value,
        note: String::new(),
        answers,
        at,
    };
    let is_new = tx.add_rating(&rating).await?;
    Ok(if is_new { Rated::Taken } else { Rated::AlreadyRated })
}
