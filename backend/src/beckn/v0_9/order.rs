//! The order object.

use serde_json::{Value, json};
use tripline_protocol::fare::{FareLine, FareLineKind};
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::Timestamp;

use super::codes::{
    AGENTS_FOUND, AUTHORIZATION_TYPE, CURRENCY, ITEM_CODE, PAYMENT_COLLECTED, RECEIPT,
    RECEIPT_TEXT, collected_by, fare_line, order_state, payment_id, payment_type, phase,
};
use super::duration;
use super::fields::{location, price, ranged, time};
use crate::beckn::Identity;
use crate::domain::effect::Phase;
use crate::domain::explain::facts::has_receipt;
use crate::domain::order::Order;

/// What of an order is told, which grows with its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// `on_select`: a price, and no id yet.
    Quote,
    /// `on_init`: the id and the terms.
    Terms,
    /// `on_confirm` and after: driver, vehicle, OTP, phase.
    Ride(Option<Phase>),
}

pub(super) fn order(identity: &Identity, order: &Order, extent: Extent, at: Timestamp) -> Value {
    let listing = &order.listing;
    let mut value = json!({
        "provider": {
            "id": listing.provider_id.as_str(),
            "descriptor": { "name": listing.provider_name },
        },
        "items": [{
            "id": order.item_id,
            "descriptor": { "name": listing.item_name, "code": ITEM_CODE },
            "fulfillment_id": order.fulfillment_id,
            "payment_id": payment_id(order.payment.terms.method),
        }],
        "quote": quote(order, at),
        "fulfillment": fulfillment(order, extent),
        "payment": payment(order),
    });
    if extent != Extent::Quote {
        value["id"] = json!(order.id.to_string());
        value["state"] = json!(order_state(order.state));
        value["created_at"] = json!(time(order.created_at));
        value["updated_at"] = json!(time(order.updated_at));
        if let Some(documents) = documents(identity, order) {
            value["documents"] = documents;
        }
    }
    value
}

/// The receipt in both forms, once there is one.
fn documents(identity: &Identity, order: &Order) -> Option<Value> {
    let token = order.receipt_token.as_ref().filter(|_| has_receipt(order))?;
    let document = |ending, label| json!({ "url": format!("{}/{token}.{ending}", identity.receipts), "label": label });
    Some(json!([document("pdf", RECEIPT), document("txt", RECEIPT_TEXT)]))
}

/// What a line is called: by its kind, and by its name where there may be several of a kind.
fn title(line: &FareLine) -> String {
    match line.kind {
        FareLineKind::Tax | FareLineKind::Extra => line.name.clone(),
        FareLineKind::Discount => format!("{} {}", fare_line(line.kind), line.name),
        FareLineKind::Base
        | FareLineKind::Pickup
        | FareLineKind::Distance
        | FareLineKind::Time
        | FareLineKind::Allowance
        | FareLineKind::Waiting
        | FareLineKind::Night
        | FareLineKind::Minimum
        | FareLineKind::Rounding
        | FareLineKind::Cancellation
        | FareLineKind::NoShow => fare_line(line.kind).into(),
    }
}

fn quote(order: &Order, at: Timestamp) -> Value {
    let fare = order.fare();
    let lines: Vec<_> = fare
        .lines
        .iter()
        .map(|line| json!({ "title": title(line), "price": price(line.amount) }))
        .collect();
    let mut quote = json!({ "price": price(fare.total()), "breakup": lines });
    if order.charged().is_none() {
        let most = order.terms.estimated_max();
        quote["price"] = ranged(price(fare.total()), fare.total(), most);
        quote["ttl"] = json!(duration::seconds(order.quote_expires_at.since_ms(at) / 1000));
    }
    quote
}

fn payment(order: &Order) -> Value {
    let terms = order.payment.terms;
    let status = if order.payment.is_paid() { "PAID" } else { "NOT-PAID" };
    json!({
        "id": payment_id(terms.method),
        "type": payment_type(terms.method),
        "collected_by": collected_by(terms.collected_by),
        "status": status,
        "params": {
            "amount": order.fare().total().to_string(),
            "currency": CURRENCY,
            "transaction_status": status,
        },
    })
}

fn fulfillment(order: &Order, extent: Extent) -> Value {
    let mut fulfillment = json!({
        "id": order.fulfillment_id,
        "tracking": true,
        "start": { "location": location(&order.route.pickup) },
        "vehicle": { "category": order.listing.vehicle_category },
    });
    if let Some(drop) = &order.route.drop {
        fulfillment["end"] = json!({ "location": location(drop) });
    }
    if let Some(rider) = &order.rider {
        fulfillment["customer"] = json!({
            "person": { "name": rider.name },
            "contact": { "phone": rider.phone },
        });
    }
    let Extent::Ride(told) = extent else {
        fulfillment["state"] = state(AGENTS_FOUND, order.updated_at);
        return fulfillment;
    };
    let Some(trip) = &order.trip else {
        let stands = match order.state {
            OrderState::Cancelled => Some(phase(Phase::Cancelled)),
            // Its driver called it off; another is looked for.
            OrderState::Confirmed if !order.past_trips.is_empty() => Some(AGENTS_FOUND),
            OrderState::Quoted
            | OrderState::Initialized
            | OrderState::Confirmed
            | OrderState::Active
            | OrderState::Completed
            | OrderState::Unserved
            | OrderState::Expired => None,
        };
        if let Some(stands) = stands {
            fulfillment["state"] = state(stands, order.updated_at);
        }
        return fulfillment;
    };
    let code = match told {
        _ if order.payment.is_collected() && trip.phase == Phase::Ended => PAYMENT_COLLECTED,
        Some(told) => phase(told),
        None => phase(trip.phase),
    };
    // When it happened in the vehicle, not when we heard of it.
    fulfillment["state"] = state(code, trip.phase_at);
    fulfillment["agent"] = json!({
        "name": trip.vehicle.driver_name,
        "phone": trip.vehicle.driver_phone,
    });
    fulfillment["vehicle"] = json!({
        "category": trip.vehicle.category,
        "registration": trip.vehicle.registration,
    });
    let look = [
        ("make", &trip.vehicle.make),
        ("model", &trip.vehicle.model),
        ("color", &trip.vehicle.color),
    ];
    for (field, text) in look {
        if let Some(text) = text {
            fulfillment["vehicle"][field] = json!(text);
        }
    }
    if let Some(otp) = &order.otp {
        let claimed =
            matches!(trip.state, TripState::Started | TripState::Paused | TripState::Ended);
        fulfillment["start"]["authorization"] = json!({
            "type": AUTHORIZATION_TYPE,
            "token": otp,
            "status": if claimed { "CLAIMED" } else { "UNCLAIMED" },
        });
    }
    fulfillment
}

fn state((code, name): (&str, &str), at: Timestamp) -> Value {
    json!({ "descriptor": { "code": code, "name": name }, "updated_at": time(at) })
}
