//! Who was asked for an order, and why nobody else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tripline_protocol::id::{DeviceId, OrderId};
use utoipa::ToSchema;

use super::OperateError;
use crate::domain::dispatch::{Decision, Part, Ranked};
use crate::store::Tx;

/// A part of a score: its value, from 0 to 1000, counts as often as its weight says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// From 0, the worst, to 1000, the best.
    pub value: u32,
    /// How much it counts.
    pub weight: u32,
}

impl From<Part> for PartView {
    fn from(part: Part) -> Self {
        Self { value: part.value, weight: part.weight }
    }
}

/// A vehicle that could be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RankedView {
    /// Its device.
    pub device: String,
    /// Whether it was asked.
    pub asked: bool,
    /// The sum of value times weight over its parts.
    pub score: u32,
    /// Straight-line distance to the pickup, in metres.
    pub distance_m: u32,
    /// Estimated seconds until it is there.
    pub pickup_s: u64,
    /// How soon it is at the pickup.
    pub pickup: PartView,
    /// How long its driver has been without a ride.
    pub idle: PartView,
    /// How many of the offers made to it were accepted.
    pub acceptance: PartView,
    /// What riders say of its driver.
    pub rating: PartView,
}

impl RankedView {
    fn of(ranked: &Ranked, offered: &[DeviceId]) -> Self {
        Self {
            asked: offered.contains(&ranked.device),
            device: ranked.device.to_string(),
            score: ranked.score,
            distance_m: ranked.distance_m,
            pickup_s: ranked.pickup_s,
            pickup: ranked.parts.pickup.into(),
            idle: ranked.parts.idle.into(),
            acceptance: ranked.parts.acceptance.into(),
            rating: ranked.parts.rating.into(),
        }
    }
}

/// Who was asked for an order at a time, and why nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// When, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// When it was last decided so, in Unix milliseconds.
    pub last_at_unix_ms: i64,
    /// How often it was decided alike one after another.
    pub times: u32,
    /// Why a driver was looked for: `booked`, `scheduled`, `not-taken`, `given-up`, `changed` or `looked-again`.
    #[schema(example = "booked")]
    pub cause: String,
    /// How far from the pickup, in metres of straight line.
    pub radius_m: u32,
    /// How pickup times were estimated.
    #[schema(example = "straight line x 1.3 at 20 km/h, no map")]
    pub estimate: String,
    /// How many vehicles were looked at.
    pub considered: u32,
    /// How many of them were passed over, by reason.
    pub excluded: BTreeMap<String, u32>,
    /// How many of them could be asked.
    pub eligible: u32,
    /// Whether there may have been more who could be asked, all of them farther.
    pub more: bool,
    /// The best of those who could be asked, the best first, and whoever was.
    pub ranked: Vec<RankedView>,
    /// Who was asked, by device.
    pub asked: Vec<String>,
    /// The same for people.
    pub text: String,
}

impl From<Decision> for DecisionView {
    fn from(decision: Decision) -> Self {
        let text = decision.to_string();
        let Decision { offered, ranked, excluded, .. } = decision;
        Self {
            at_unix_ms: decision.at.unix_ms,
            last_at_unix_ms: decision.last_at.unix_ms,
            times: decision.times,
            cause: decision.cause.code().to_owned(),
            radius_m: decision.radius_m,
            estimate: decision.road.to_string(),
            considered: decision.considered,
            excluded: excluded.into_iter().map(|(why, n)| (why.code().to_owned(), n)).collect(),
            eligible: decision.eligible,
            more: decision.is_cut,
            ranked: ranked.iter().map(|it| RankedView::of(it, &offered)).collect(),
            asked: offered.iter().map(ToString::to_string).collect(),
            text,
        }
    }
}

/// Every decision of dispatch about an order, in the order they were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionsView {
    /// The order.
    pub order: String,
    /// The decisions; there are none before the order is booked.
    pub decisions: Vec<DecisionView>,
}

/// How it was decided whom an order was offered to.
pub async fn show(tx: &mut Tx, id: &str) -> Result<DecisionsView, OperateError> {
    let not_found = || OperateError::not_found("order", id);
    let order: OrderId = id.parse().map_err(|_| not_found())?;
    if tx.order(order).await?.is_none() {
        return Err(not_found());
    }
    let decisions = tx.decisions(order).await?.into_iter().map(DecisionView::from).collect();
    Ok(DecisionsView { order: order.to_string(), decisions })
}
