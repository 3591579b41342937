//! Ratings: what riders think of rides, drivers and vehicles.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::{DriverId, OrderId};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use super::check::parsed_if_any;
use super::{Cursor, Listed, OperateError, Page};
use crate::domain::rating::Answer;
use crate::store::Tx;
use crate::store::rating::{RatingFilter, RatingRow};

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerView {
    /// The question, by its id.
    #[schema(example = "driver-wrong")]
    pub question: String,
    /// What the rider answered.
    pub text: String,
}

/// A rating with what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RatingView {
    /// Its id.
    pub id: String,
    /// Of which order; absent where an operator rated a driver for none in particular.
    pub order: Option<String>,
    /// `ride`, `driver` or `vehicle`.
    pub category: String,
    /// Who drove.
    pub driver: Option<String>,
    /// From 100 to 500, in hundredths of a star.
    pub value_centistars: u16,
    /// What an operator wrote beside it.
    pub note: String,
    /// What the rider answered.
    pub answers: Vec<AnswerView>,
    /// When, in Unix milliseconds.
    pub at_unix_ms: i64,
}

impl From<RatingRow> for RatingView {
    fn from(row: RatingRow) -> Self {
        let answer = |answer: &Answer| AnswerView {
            question: answer.question.clone(),
            text: answer.text.clone(),
        };
        Self {
            id: row.id.to_string(),
            order: row.order.map(|order| order.to_string()),
            category: row.category.code().into(),
            driver: row.driver.map(Into::into),
            value_centistars: row.value.centistars(),
            note: row.note,
            answers: row.answers.iter().map(answer).collect(),
            at_unix_ms: row.at.unix_ms,
        }
    }
}

/// A rating of an order without what was said: riders' words are not for everybody who may see the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RatingMark {
    /// `ride`, `driver` or `vehicle`.
    pub category: String,
    /// From 100 to 500, in hundredths of a star.
    pub value_centistars: u16,
    /// When, in Unix milliseconds.
    pub at_unix_ms: i64,
}

/// How an order was rated, by category.
pub(super) async fn of_order(tx: &mut Tx, order: OrderId) -> Result<Vec<RatingMark>, OperateError> {
    let filter = RatingFilter { order: Some(order), driver: None };
    let mut rows = tx.ratings_before(&filter, None, i64::MAX).await?;
    rows.sort_by_key(|row| row.category);
    let mark = |row: RatingRow| RatingMark {
        category: row.category.code().into(),
        value_centistars: row.value.centistars(),
        at_unix_ms: row.at.unix_ms,
    };
    Ok(rows.into_iter().map(mark).collect())
}

/// Ratings, newest first; of rides with one driver, and of one order, if they are named.
pub async fn list(
    tx: &mut Tx,
    (driver, order): (Option<&str>, Option<&str>),
    page: &Page,
) -> Result<Listed<RatingView>, OperateError> {
    let driver: Option<DriverId> = parsed_if_any("driver", driver)?;
    let order: Option<OrderId> = parsed_if_any("order", order)?;
    let before = match page.after() {
        Some(cursor) => Some((Timestamp::from_unix_ms(cursor.key()?), cursor.id::<Uuid>()?)),
        None => None,
    };
    let rows = tx.ratings_before(&RatingFilter { driver, order }, before, page.rows()).await?;
    let cursor = |row: &RatingRow| Cursor::new(row.at.unix_ms, row.id);
    Ok(Listed::of(page, rows, cursor, Into::into))
}
