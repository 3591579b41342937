//! The catalog: the answer to a search.

use serde_json::{Value, json};

use super::codes::{CURRENCY, ITEM_CODE, PAYMENT_ID, PAYMENT_TYPE};
use super::duration;
use super::fields::{location, price, ranged};
use crate::beckn::Identity;
use crate::domain::catalog::{Offered, Serviceable};
use crate::domain::order::Route;

/// Id of the fulfillment in a catalog with one category of vehicles; a real one is made at `select`. Further
/// categories have it with a number.
const FULFILLMENT_ID: &str = "ride";

pub(super) fn catalog(identity: &Identity, serviceable: &Serviceable) -> Value {
    let Serviceable { route, offered } = serviceable;
    let mut providers: Vec<(&str, Vec<&Offered>)> = Vec::new();
    for one in offered {
        let id = one.listing.provider_id.as_str();
        match providers.iter_mut().find(|(known, _)| *known == id) {
            Some((_, items)) => items.push(one),
            None => providers.push((id, vec![one])),
        }
    }
    let name = match providers.as_slice() {
        [(_, items)] => items.first().map(|one| one.listing.provider_name.as_str()),
        _ => None,
    };
    let providers: Vec<Value> =
        providers.iter().map(|(id, items)| provider(id, items, route)).collect();
    json!({
        "bpp/descriptor": { "name": name.unwrap_or(&identity.subscriber_id) },
        "bpp/providers": providers,
    })
}

fn provider(id: &str, items: &[&Offered], route: &Route) -> Value {
    let mut categories: Vec<&str> = Vec::new();
    for one in items {
        let category = one.listing.vehicle_category.as_str();
        if !categories.contains(&category) {
            categories.push(category);
        }
    }
    let place = |category: &str| categories.iter().position(|known| *known == category);
    let fulfillments: Vec<Value> = categories
        .iter()
        .enumerate()
        .map(|(place, category)| fulfillment(&fulfillment_id(place), category, route))
        .collect();
    let items_json: Vec<Value> = items
        .iter()
        .map(|one| {
            let place = place(&one.listing.vehicle_category).unwrap_or(0);
            item(one, &fulfillment_id(place))
        })
        .collect();
    let name = items.first().map(|one| one.listing.provider_name.as_str());
    json!({
        "id": id,
        "descriptor": { "name": name },
        "fulfillments": fulfillments,
        "payments": [{ "id": PAYMENT_ID, "type": PAYMENT_TYPE }],
        "items": items_json,
    })
}

fn fulfillment_id(place: usize) -> String {
    if place == 0 { FULFILLMENT_ID.into() } else { format!("{FULFILLMENT_ID}-{}", place + 1) }
}

fn fulfillment(id: &str, category: &str, route: &Route) -> Value {
    let mut fulfillment = json!({
        "id": id,
        "start": { "location": location(&route.pickup) },
        "vehicle": { "category": category },
        "tracking": true,
    });
    if let Some(drop) = &route.drop {
        fulfillment["end"] = json!({ "location": location(drop) });
    }
    fulfillment
}

fn item(offered: &Offered, fulfillment_id: &str) -> Value {
    let Offered { item_id, listing, tariff, estimate, estimate_max, nearest_m, pickup_s } = offered;
    let price = match estimate {
        Some(fare) => {
            let mut price = ranged(price(fare.total()), fare.total(), *estimate_max);
            price["estimated_value"] = json!(fare.total().to_string());
            price
        }
        None => json!({ "currency": CURRENCY,
            "minimum_value": tariff.minimum_paise.max(tariff.base_paise).to_string() }),
    };
    let pickup_s = i64::try_from(*pickup_s).unwrap_or(i64::MAX);
    json!({
        "id": item_id,
        "descriptor": { "name": listing.item_name, "code": ITEM_CODE },
        "price": price,
        "fulfillment_id": fulfillment_id,
        "payment_id": PAYMENT_ID,
        "matched": true,
        "time": { "label": "ETA", "duration": duration::seconds(pickup_s) },
        "tags": {
            "groups/1/descriptor/name": "General Information",
            "groups/1/display": "true",
            "groups/1/list/1/descriptor/name": "Distance to nearest driver",
            "groups/1/list/1/value": format!("{nearest_m} m"),
        },
    })
}
