//! `update`: change it.

use serde_json::Value;

use super::booking::{count, is_said_paid, payment, pickup_at, price, promotions, rider};
use super::codes;
use super::fields::{place, required, text};
use super::status::order_id;
use crate::beckn::{Change, Fault, Request, Update};

/// Most parts of an order that one request names.
const TARGETS_MAX: usize = 8;

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    let named = required(body, "/message/update_target")?;
    let targets = named.split(',').filter(|part| !part.trim().is_empty());
    let owned = |pointer| Ok::<_, Fault>(text(body, pointer)?.map(str::to_owned));
    Ok(Request::Update(Update {
        order_id: order_id(body, "/message/order/id")?,
        targets: targets.take(TARGETS_MAX).map(codes::target).collect(),
        pickup: place(body, "/message/order/fulfillment/start")?,
        drop: place(body, "/message/order/fulfillment/end")?,
        payment: payment(body)?,
        is_paid: is_said_paid(body),
        price: price(body)?,
        pickup_at: pickup_at(body, "/message/order/fulfillment/start")?,
        fulfillment_id: owned("/message/order/fulfillment/id")?,
        vehicle_category: owned("/message/order/fulfillment/vehicle/category")?,
        promotions: promotions(body)?,
        count: count(body),
        rider: rider(body)?,
        item_id: owned("/message/order/items/0/id")?,
        provider_id: owned("/message/order/provider/id")?,
    }))
}

/// What an answer says has changed. Core 0.9.4 has no place for it in an answer; published examples say it
/// beside the order.
pub(super) const fn targets(change: Change) -> &'static str {
    match change {
        Change::Proposed => "order.quote",
        Change::Accepted => "order.fulfillment,order.payment,order.quote",
        Change::Driver => "order.fulfillment",
        Change::Fare => "order.quote,order.payment",
        Change::Payment => "order.payment",
    }
}
