//! Orders, as operators see them: no OTP, no capability, and no rider's name or phone.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::trip::{CaseView, check_reason, orders};
use super::{Actor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::order::Order;
use crate::domain::trip::By;
use crate::service::Platform;
use crate::store::Tx;
use crate::store::listing::OrderFilter;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderView {
    /// Its id.
    pub id: String,
    /// Where it stands.
    #[schema(example = "confirmed")]
    pub state: String,
    /// Who booked: the rider's platform.
    pub subscriber: String,
    /// The item.
    pub item: String,
    /// When it was made, in Unix milliseconds.
    pub created_at_unix_ms: i64,
    /// When it last changed.
    pub updated_at_unix_ms: i64,
    /// When the rider is to be picked up, of a ride that was booked ahead.
    pub pickup_at_unix_ms: Option<i64>,
    /// When it was over.
    pub ended_at_unix_ms: Option<i64>,
    /// The trip that counts.
    pub trip: Option<String>,
    /// Trips that are past for it, and trips driven in its name.
    pub past_trips: Vec<String>,
    /// The registration of its vehicle.
    pub registration: Option<String>,
    /// What was quoted, in paise.
    pub quoted_paise: i64,
    /// What the rider is charged, once that is known.
    pub charged_paise: Option<i64>,
    /// `cash` or `prepaid`.
    pub payment: String,
    /// `bpp` or `bap`.
    pub collected_by: String,
    /// What the driver took.
    pub collected_paise: Option<i64>,
    /// Who called it off.
    pub cancelled_by: Option<String>,
    /// Why.
    pub cancel_reason: Option<String>,
    /// What the rider answered to the item's form: the submission's id.
    pub submission: Option<String>,
    /// Offers made.
    pub offers: u64,
    /// Its cases.
    pub cases: Vec<CaseView>,
}

impl From<&Order> for OrderView {
    fn from(order: &Order) -> Self {
        let cancelled = order.cancelled.as_ref();
        Self {
            id: order.id.to_string(),
            state: order.state.code().to_owned(),
            subscriber: order.subscriber_id.clone(),
            item: order.item_id.clone(),
            created_at_unix_ms: order.created_at.unix_ms,
            updated_at_unix_ms: order.updated_at.unix_ms,
            pickup_at_unix_ms: order.pickup_at.map(|at| at.unix_ms),
            ended_at_unix_ms: order.ended_at().map(|at| at.unix_ms),
            trip: order.trip.as_ref().map(|trip| trip.id.to_string()),
            past_trips: order.past_trips.iter().map(|trip| trip.id.to_string()).collect(),
            registration: order.trip.as_ref().map(|trip| trip.vehicle.registration.clone()),
            quoted_paise: order.quote.total().0,
            charged_paise: order.charged().map(|fare| fare.total().0),
            payment: order.payment.terms.method.code().to_owned(),
            collected_by: order.payment.terms.collected_by.code().to_owned(),
            collected_paise: order.payment.amount().map(|amount| amount.0),
            cancelled_by: cancelled.map(|it| it.by.code().to_owned()),
            cancel_reason: cancelled.map(|it| it.reason.clone()),
            submission: order.submission.map(|id| id.to_string()),
            offers: order.offers.len() as u64,
            cases: order.cases.iter().map(|case| CaseView::of(order, case)).collect(),
        }
    }
}

/// A page of the orders that pass a filter, newest first.
pub async fn list(
    tx: &mut Tx,
    filter: &OrderFilter,
    page: &Page,
) -> Result<Listed<OrderView>, OperateError> {
    let Listed { items, next } = orders(tx, filter, page).await?;
    Ok(Listed { items: items.iter().map(OrderView::from).collect(), next })
}

/// One order.
pub async fn show(tx: &mut Tx, id: &str) -> Result<OrderView, OperateError> {
    Ok(OrderView::from(&find(tx, id).await?.order))
}

/// Calls an order off before its ride began, at no cost for the rider.
pub async fn cancel(
    platform: &Platform,
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> Result<OrderView, OperateError> {
    check_reason(reason)?;
    let mut stored = find(tx, id).await?;
    let cancelled = stored.order.cancel(&By::operator(&actor.name), reason, now);
    let effects = cancelled.map_err(|error| {
        OperateError::conflict("order", id, format!("cannot be cancelled: {error}"))
    })?;
    actor.note(tx, AuditKind::TripCommanded, format!("{id} order cancel: {reason}"), now).await?;
    let wake = platform.carry_out(tx, &mut stored, effects, now).await?;
    platform.wake(wake);
    Ok(OrderView::from(&stored.order))
}

async fn find(tx: &mut Tx, id: &str) -> Result<crate::store::order::StoredOrder, OperateError> {
    let not_found = || OperateError::not_found("order", id);
    let order: OrderId = id.parse().map_err(|_| not_found())?;
    tx.order(order).await?.ok_or_else(not_found)
}
