//! What `select`, `init` and `confirm` say alike: which item, from where to where, who rides, how it is paid.

use serde_json::Value;
use tripline_protocol::unit::{Paise, Timestamp};

use super::codes::{PAID, collector, payment_method};
use super::fields::{amount, dotted, fault, parse_time, place, required, text};
use super::tags::language_tag;
use crate::beckn::{Choice, Details, Fault, FaultKind, Selection};
use crate::domain::catalog::VehicleWish;
use crate::domain::language::Language;
use crate::domain::order::{RiderDetails, Route};
use crate::domain::payment::{CollectedBy, PaymentMethod, PaymentTerms};

/// Most promotions that are read of a request.
const PROMOTIONS_MAX: usize = 8;

/// A route. Its start must be there.
pub(super) fn route(body: &Value, pointer: &str) -> Result<Route, Fault> {
    let start = format!("{pointer}/start");
    let pickup = place(body, &start)?
        .ok_or_else(|| fault(&dotted(&format!("{start}/location/gps")), "is missing"))?;
    let drop = place(body, &format!("{pointer}/end"))?;
    Ok(Route { pickup, drop, pickup_at: pickup_at(body, &start)? })
}

/// When the rider wants to be picked up, where that is said.
pub(super) fn pickup_at(body: &Value, start: &str) -> Result<Option<Timestamp>, Fault> {
    let must = "must be a time with its zone, 2026-01-31T08:30:00.000Z for instance";
    for pointer in ["time/timestamp", "time/range/start"].map(|time| format!("{start}/{time}")) {
        if let Some(said) = text(body, &pointer)? {
            let at = parse_time(said).ok_or_else(|| fault(&dotted(&pointer), must))?;
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// An item on a route.
pub(super) fn choice(body: &Value) -> Result<Choice, Fault> {
    let items = body.pointer("/message/order/items").and_then(Value::as_array);
    if items.is_some_and(|items| items.len() > 1) {
        return Err(fault("message.order.items", "must have one item: a ride is one order"));
    }
    Ok(Choice {
        item_id: required(body, "/message/order/items/0/id")?.into(),
        provider_id: text(body, "/message/order/provider/id")?.map(str::to_owned),
        count: count(body),
        route: route(body, "/message/order/fulfillment")?,
        vehicle: vehicle(body, "/message/order/fulfillment/vehicle")?,
        promotions: promotions(body)?,
        submission: submission(body),
        language: language(body),
    })
}

/// How many of the item, where that can be read.
pub(super) fn count(body: &Value) -> Option<u64> {
    let quantity = body.pointer("/message/order/items/0/quantity")?;
    let count = quantity.get("count").or(quantity.pointer("/selected/count"))?;
    count.as_u64().or_else(|| count.as_str()?.trim().parse().ok())
}

/// What vehicle is wanted.
pub(super) fn vehicle(body: &Value, pointer: &str) -> Result<VehicleWish, Fault> {
    const TRAITS: [&str; 6] = ["make", "model", "size", "variant", "color", "energy_type"];
    let at = |field: &str| format!("{pointer}/{field}");
    let capacity = body.pointer(&at("capacity")).and_then(Value::as_u64);
    let mut traits = Vec::new();
    for field in TRAITS {
        if let Some(wanted) = text(body, &at(field))? {
            traits.push(wanted.to_owned());
        }
    }
    Ok(VehicleWish {
        category: text(body, &at("category"))?.map(str::to_owned),
        capacity: capacity.map(|riders| u16::try_from(riders).unwrap_or(u16::MAX)),
        traits,
    })
}

pub(super) fn promotions(body: &Value) -> Result<Vec<String>, Fault> {
    let offers = body.pointer("/message/order/offers").and_then(Value::as_array);
    let offers = offers.map(Vec::as_slice).unwrap_or_default();
    if offers.len() > PROMOTIONS_MAX {
        let must = format!("must have {PROMOTIONS_MAX} offers at most");
        return Err(fault("message.order.offers", &must));
    }
    let id = |place| Ok(required(body, &format!("/message/order/offers/{place}/id"))?.to_owned());
    (0..offers.len()).map(id).collect()
}

/// The filled-in form that is named, in either place that BECKN-007 has for it.
pub(super) fn submission(body: &Value) -> Option<String> {
    const PLACES: [&str; 2] = [
        "/message/order/items/0/xinput/form/submission_id",
        "/message/order/xinput/form/submission_id",
    ];
    let named = PLACES.into_iter().find_map(|pointer| body.pointer(pointer));
    let named = named.filter(|named| !named.is_null() && named.as_str() != Some(""))?;
    // What is no text is no id of any submission, and found out to be none.
    Some(named.as_str().map_or_else(|| named.to_string(), str::to_owned))
}

/// The language that the rider reads, as a tag of the customer says. One that we do not write is as good as
/// none.
pub(super) fn language(body: &Value) -> Option<Language> {
    const PLACES: [&str; 5] = [
        "/message/order/fulfillment/customer/person/tags",
        "/message/order/customer/person/tags",
        "/message/intent/fulfillment/customer/person/tags",
        "/message/intent/customer/person/tags",
        "/message/intent/tags",
    ];
    let tags = PLACES.into_iter().find_map(|pointer| language_tag(body.pointer(pointer)));
    tags.as_deref().and_then(Language::of_tag)
}

/// What a request goes on with: by order, by fulfillment, or said anew. The transaction id is not
/// looked at: published conversations change it midway.
pub(super) fn selection(body: &Value) -> Result<Selection, Fault> {
    match named(body)? {
        Some(named) => Ok(named),
        None => Ok(Selection::Anew(Box::new(choice(body)?))),
    }
}

/// The order that a request goes on with, if it names one.
pub(super) fn named(body: &Value) -> Result<Option<Selection>, Fault> {
    if let Some(id) = text(body, "/message/order/id")? {
        let id = id.parse().map_err(|_| no_order("message.order.id"))?;
        return Ok(Some(Selection::Order(id)));
    }
    let fulfillment = match text(body, "/message/order/fulfillment/id")? {
        Some(id) => Some(id),
        None => text(body, "/message/order/items/0/fulfillment_id")?,
    };
    Ok(fulfillment.map(|id| Selection::Fulfillment(id.into())))
}

/// What cannot be an id of ours names no order.
pub(super) fn no_order(path: &str) -> Fault {
    Fault::at(FaultKind::UnknownOrder, path, format!("{path} names no order of yours here"))
}

/// What is said beside what is booked.
pub(super) fn details(body: &Value) -> Result<Details, Fault> {
    Ok(Details {
        rider: rider(body)?,
        payment: payment(body)?,
        is_paid: is_said_paid(body),
        pickup: place(body, "/message/order/fulfillment/start")?,
        drop: place(body, "/message/order/fulfillment/end")?,
        submission: submission(body),
        language: language(body),
    })
}

/// The rider, from wherever a BAP may have put the name and the phone.
pub(super) fn rider(body: &Value) -> Result<RiderDetails, Fault> {
    const NAMES: [&str; 3] = [
        "/message/order/fulfillment/customer/person/name",
        "/message/order/customer/person/name",
        "/message/order/billing/name",
    ];
    const PHONES: [&str; 5] = [
        "/message/order/fulfillment/customer/contact/phone",
        "/message/order/fulfillment/customer/person/phone",
        "/message/order/customer/contact/phone",
        "/message/order/customer/person/phone",
        "/message/order/billing/phone",
    ];
    let owned = |found: Option<&str>| found.map(str::to_owned);
    Ok(RiderDetails { name: owned(first(body, &NAMES)?), phone: owned(first(body, &PHONES)?) })
}

/// How the ride is to be paid, if that is said. What we do not know could mean that it is paid already.
pub(super) fn payment(body: &Value) -> Result<Option<PaymentTerms>, Fault> {
    const TYPE: &str = "/message/order/payment/type";
    const COLLECTED_BY: &str = "/message/order/payment/collected_by";
    let (kind, by) = (text(body, TYPE)?, text(body, COLLECTED_BY)?);
    if kind.is_none() && by.is_none() {
        return Ok(None);
    }
    let not_taken = |pointer: &str, must: &str| {
        let path = dotted(pointer);
        let message = format!("{path} {must}");
        Fault::at(FaultKind::Payment, path, message)
    };
    let method = kind.map(|kind| payment_method(kind).ok_or(kind)).transpose().map_err(|_| {
        not_taken(TYPE, "must be ON-FULFILLMENT, POST-FULFILLMENT, PRE-FULFILLMENT or ON-ORDER")
    })?;
    let collected_by = by
        .map(|by| collector(by).ok_or(by))
        .transpose()
        .map_err(|_| not_taken(COLLECTED_BY, "must be BPP or BAP"))?;
    let method = method.unwrap_or(PaymentTerms::default().method);
    let collected_by = match (method, collected_by) {
        (PaymentMethod::Prepaid, Some(CollectedBy::Bpp)) => {
            let must = "must be BAP for a ride that is paid before: we take cash in the vehicle";
            return Err(not_taken(COLLECTED_BY, must));
        }
        (PaymentMethod::Prepaid, Some(CollectedBy::Bap) | None) => CollectedBy::Bap,
        (PaymentMethod::Cash, said) => said.unwrap_or(PaymentTerms::default().collected_by),
    };
    Ok(Some(PaymentTerms { method, collected_by }))
}

/// Whether the rider's platform says that the ride is paid.
pub(super) fn is_said_paid(body: &Value) -> bool {
    const PLACES: [&str; 2] =
        ["/message/order/payment/status", "/message/order/payment/params/transaction_status"];
    PLACES.iter().any(|pointer| body.pointer(pointer).and_then(Value::as_str) == Some(PAID))
}

/// The price that a quote says, in either place that peers have for it.
pub(super) fn price(body: &Value) -> Result<Option<Paise>, Fault> {
    match amount(body, "/message/order/quote/price/value")? {
        Some(price) => Ok(Some(price)),
        None => amount(body, "/message/order/quote/value"),
    }
}

fn first<'v>(body: &'v Value, pointers: &[&str]) -> Result<Option<&'v str>, Fault> {
    for pointer in pointers {
        if let Some(found) = text(body, pointer)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
