//! The order object.

use serde_json::{Value, json};
use tripline_protocol::fare::{Fare, FareLine, FareLineKind};
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::codes::{
    AUTHORIZATION_TYPE, CLAIMED, CURRENCY, ITEM_CODE, NOT_PAID, PAID, PAYMENT_AFTER,
    PAYMENT_CANCELLED, RECEIPT, RECEIPT_TEXT, State, UNCLAIMED, collected_by, fare_line,
    order_state, payment_id, payment_type,
};
use super::fields::{location, price, ranged, time};
use super::tags::{Tags, localization};
use super::tariff::spell_out;
use super::{duration, phrases};
use crate::beckn::Identity;
use crate::domain::effect::Phase;
use crate::domain::explain::facts::has_receipt;
use crate::domain::language::Language;
use crate::domain::order::{Order, Vehicle};

/// What of an order is told, which grows with its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// `on_select`: a price, and no id yet.
    Quote,
    /// `on_init`: the id and the terms.
    Terms,
    /// `on_confirm` and after: driver, vehicle, OTP, phase.
    Ride(Option<Phase>),
    /// The same, as it would be after a change that was asked for.
    Proposal,
}

pub(super) fn order(identity: &Identity, order: &Order, extent: Extent, at: Timestamp) -> Value {
    let listing = &order.listing;
    let mut tags = Tags::default();
    spell_out(&mut tags, &order.terms.tariff);
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
            "tags": tags.into_json(),
        }],
        "quote": quote(order, extent, at),
        "fulfillment": fulfillment(identity, order, extent),
    });
    let discounts = &order.terms.discounts;
    if !discounts.is_empty() {
        let offers: Vec<_> = discounts.iter().map(|taken| json!({ "id": taken.code })).collect();
        value["offers"] = json!(offers);
    }
    if extent != Extent::Quote {
        value["id"] = json!(order.id.to_string());
        value["state"] = json!(order_state(order.state));
        value["payment"] = payment(order);
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

/// The price stands in `price`, as the schema has it, and beside it, as published examples have it.
fn quote(order: &Order, extent: Extent, at: Timestamp) -> Value {
    if let Some(proposal) = order.proposal.as_ref().filter(|_| extent == Extent::Proposal) {
        let mut quote = priced(&proposal.quote);
        let (total, most) = (proposal.quote.total(), proposal.terms.estimated_max());
        quote["price"] = ranged(price(total), total, most);
        quote["ttl"] = json!(duration::seconds(proposal.expires_at.since_ms(at) / 1000));
        return quote;
    }
    let fare = order.fare();
    let mut quote = priced(fare);
    if order.charged().is_none() {
        let most = order.terms.estimated_max();
        quote["price"] = ranged(price(fare.total()), fare.total(), most);
        quote["ttl"] = json!(duration::seconds(order.quote_expires_at.since_ms(at) / 1000));
    }
    quote
}

fn priced(fare: &Fare) -> Value {
    let lines: Vec<_> = fare
        .lines
        .iter()
        .map(|line| json!({ "title": title(line), "price": price(line.amount) }))
        .collect();
    json!({
        "price": price(fare.total()),
        "value": fare.total().to_string(),
        "currency": CURRENCY,
        "breakup": lines,
    })
}

fn payment(order: &Order) -> Value {
    let (terms, total) = (order.payment.terms, order.fare().total());
    let is_off = order.state == OrderState::Cancelled;
    let paid = order.payment.is_paid() && !is_off;
    let transaction_status = match (is_off, paid) {
        (true, _) if total == Paise::ZERO => PAYMENT_CANCELLED,
        (false, true) => PAID,
        (true | false, _) => NOT_PAID,
    };
    json!({
        "id": payment_id(terms.method),
        "type": if is_off { PAYMENT_AFTER } else { payment_type(terms.method) },
        "collected_by": collected_by(terms.collected_by),
        "status": if paid { PAID } else { NOT_PAID },
        "params": {
            "amount": total.to_string(),
            "currency": CURRENCY,
            "transaction_status": transaction_status,
        },
    })
}

fn fulfillment(identity: &Identity, order: &Order, extent: Extent) -> Value {
    let language = order.language.unwrap_or(Language::English);
    let proposal = order.proposal.as_ref().filter(|_| extent == Extent::Proposal);
    let pickup = proposal.map_or(&order.route.pickup, |it| &it.pickup);
    let drop = proposal.map(|it| &it.drop).or(order.route.drop.as_ref());
    let mut fulfillment = json!({
        "id": order.fulfillment_id,
        "tracking": true,
        "start": { "location": location(pickup) },
        "vehicle": { "category": order.listing.vehicle_category },
    });
    if let Some(pickup_at) = order.pickup_at {
        fulfillment["start"]["time"] = json!({ "timestamp": time(pickup_at) });
    }
    if let Some(drop) = drop {
        fulfillment["end"] = json!({ "location": location(drop) });
    }
    if let Some(customer) = customer(order) {
        fulfillment["customer"] = customer;
    }
    if let Some((state, at)) = state(order, extent, identity.tell_pauses) {
        fulfillment["state"] = json!({
            "descriptor": { "code": state.code(), "name": phrases::state(state, language) },
            "updated_at": time(at),
        });
    }
    match (extent, &order.trip, &order.named) {
        (Extent::Ride(_) | Extent::Proposal, Some(trip), _) => {
            fulfillment["agent"] = agent(&trip.vehicle, true);
            fulfillment["vehicle"] = vehicle(&trip.vehicle);
            if let Some(authorization) = authorization(order, trip.state) {
                fulfillment["start"]["authorization"] = authorization;
            }
        }
        // The quote names who would come. How to call them is told once they do.
        (Extent::Quote | Extent::Terms, _, Some(named)) => {
            fulfillment["agent"] = agent(named, false);
            fulfillment["vehicle"] = vehicle(named);
        }
        (Extent::Quote | Extent::Terms, _, None)
        | (Extent::Ride(_) | Extent::Proposal, None, _) => {}
    }
    fulfillment
}

/// Where the fulfillment stands, and since when; `None` while nobody drives.
fn state(order: &Order, extent: Extent, tell_pauses: bool) -> Option<(State, Timestamp)> {
    let told = match extent {
        Extent::Quote | Extent::Terms => return Some((State::AgentsFound, order.updated_at)),
        Extent::Ride(told) => told,
        Extent::Proposal => None,
    };
    let Some(trip) = &order.trip else {
        let stands = match order.state {
            OrderState::Cancelled => State::Cancelled,
            // Its driver called it off; another is looked for.
            OrderState::Confirmed if !order.past_trips.is_empty() => State::AgentsFound,
            OrderState::Quoted
            | OrderState::Initialized
            | OrderState::Confirmed
            | OrderState::Active
            | OrderState::Completed
            | OrderState::Unserved
            | OrderState::Expired => return None,
        };
        return Some((stands, order.updated_at));
    };
    let state = match told {
        _ if order.payment.is_collected() && trip.phase == Phase::Ended => State::PaymentCollected,
        Some(told) => State::of(told),
        None => State::of(trip.phase),
    };
    let state = if tell_pauses { state } else { state.without_pauses() };
    // When it happened in the vehicle, not when we heard of it.
    Some((state, trip.phase_at))
}

fn customer(order: &Order) -> Option<Value> {
    let mut customer = json!({});
    if let Some(rider) = &order.rider {
        if !rider.name.is_empty() {
            customer["person"]["name"] = json!(rider.name);
        }
        // In both places that peers have for it.
        if !rider.phone.is_empty() {
            customer["contact"]["phone"] = json!(rider.phone);
            customer["person"]["phone"] = json!(rider.phone);
        }
    }
    if let Some(language) = order.language {
        customer["person"]["tags"] = localization(language.code());
    }
    customer.as_object().is_some_and(|said| !said.is_empty()).then_some(customer)
}

fn agent(vehicle: &Vehicle, with_phone: bool) -> Value {
    let mut agent = json!({ "name": vehicle.driver_name, "rateable": true });
    if let Some(rating) = vehicle.driver_rating_centistars {
        agent["rating"] = json!(stars(rating));
    }
    if with_phone {
        agent["phone"] = json!(vehicle.driver_phone);
    }
    agent
}

/// `4.75`, `4.5`, `5`.
fn stars(centistars: u16) -> String {
    let text = format!("{}.{:02}", centistars / 100, centistars % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn vehicle(vehicle: &Vehicle) -> Value {
    let mut value = json!({ "category": vehicle.category, "registration": vehicle.registration });
    let look = [("make", &vehicle.make), ("model", &vehicle.model), ("color", &vehicle.color)];
    for (field, text) in look {
        if let Some(text) = text {
            value[field] = json!(text);
        }
    }
    value
}

fn authorization(order: &Order, trip: TripState) -> Option<Value> {
    let otp = order.otp.as_ref()?;
    let claimed = matches!(trip, TripState::Started | TripState::Paused | TripState::Ended);
    Some(json!({
        "type": AUTHORIZATION_TYPE,
        "token": otp,
        "status": if claimed { CLAIMED } else { UNCLAIMED },
    }))
}
