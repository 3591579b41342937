//! The catalog: the answer to a search.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tripline_protocol::unit::Position;

use super::codes::{
    CURRENCY, ITEM_CODE, LABEL_ETA, PAYMENTS, collected_by, fulfillment_type, payment_id,
    payment_type,
};
use super::duration;
use super::fields::{location, price, ranged, time};
use super::tags::{Tags, entries};
use super::tariff::spell_out;
use crate::beckn::Identity;
use crate::domain::catalog::{Category, Look, Nearest, Offered, Promoted, Serviceable};
use crate::domain::fleet::ItemKind;
use crate::domain::order::Route;
use crate::domain::payment::PaymentMethod;

/// Id of the first fulfillment of a catalog; a real one is made at `select`. Further ones have it with a number.
const FULFILLMENT_ID: &str = "ride";

/// Where free vehicles are is told no finer than this, in units of 1e-7 degree: about 100 m.
const NEAREST_GRID_E7: i32 = 10_000;

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
    let mut ways: Vec<(ItemKind, &str)> = Vec::new();
    let mut categories: BTreeMap<String, (&Category, &Offered)> = BTreeMap::new();
    for one in items {
        let way = way(one);
        if !ways.contains(&way) {
            ways.push(way);
        }
        categories.entry(one.category.id()).or_insert((&one.category, one));
    }
    let fulfillments: Vec<Value> =
        ways.iter().enumerate().map(|(place, way)| fulfillment(place, *way, route)).collect();
    let categories: Vec<Value> =
        categories.into_iter().map(|(id, (category, one))| listed(&id, category, one)).collect();
    let items_json: Vec<Value> = items
        .iter()
        .map(|one| item(one, ways.iter().position(|it| *it == way(one)).unwrap_or(0)))
        .collect();
    let descriptor = items.first().map_or(Value::Null, |one| {
        let Look { provider_short_desc, provider_logo_url, .. } = &one.look;
        let logo: Vec<_> = provider_logo_url.iter().collect();
        descriptor(&one.listing.provider_name, provider_short_desc.as_deref(), &logo)
    });
    let mut provider = json!({
        "id": id,
        "descriptor": descriptor,
        "categories": categories,
        "fulfillments": fulfillments,
        "payments": payments(),
        "items": items_json,
    });
    let locations: Vec<Value> = items.iter().filter_map(|one| nearest_location(one)).collect();
    if !locations.is_empty() {
        provider["locations"] = json!(locations);
    }
    let offers = offers(items);
    if !offers.is_empty() {
        provider["offers"] = json!(offers);
    }
    provider
}

/// How a ride is sold, and which vehicle comes.
fn way(offered: &Offered) -> (ItemKind, &str) {
    (offered.category.kind, &offered.listing.vehicle_category)
}

fn fulfillment_id(place: usize) -> String {
    if place == 0 { FULFILLMENT_ID.into() } else { format!("{FULFILLMENT_ID}-{}", place + 1) }
}

fn fulfillment(place: usize, (kind, vehicle): (ItemKind, &str), route: &Route) -> Value {
    let mut fulfillment = json!({
        "id": fulfillment_id(place),
        "type": fulfillment_type(kind),
        "start": { "location": location(&route.pickup) },
        "vehicle": { "category": vehicle },
        "tracking": true,
    });
    if let Some(pickup_at) = route.pickup_at {
        fulfillment["start"]["time"] = json!({ "timestamp": time(pickup_at) });
    }
    if let Some(drop) = &route.drop {
        fulfillment["end"] = json!({ "location": location(drop) });
    }
    fulfillment
}

fn descriptor(name: &str, short_desc: Option<&str>, images: &[&String]) -> Value {
    let mut descriptor = json!({ "name": name });
    if let Some(short_desc) = short_desc {
        descriptor["short_desc"] = json!(short_desc);
    }
    if !images.is_empty() {
        descriptor["images"] = json!(images);
    }
    descriptor
}

fn payments() -> Vec<Value> {
    let payment = |(method, by)| {
        json!({
            "id": payment_id(method), "type": payment_type(method), "collected_by": collected_by(by),
        })
    };
    PAYMENTS.into_iter().map(payment).collect()
}

fn listed(id: &str, category: &Category, offered: &Offered) -> Value {
    let mut tags = Tags::default();
    spell_out(&mut tags, &offered.tariff);
    let name = category.name(&offered.tariff);
    json!({
        "id": id,
        "descriptor": { "name": name, "code": category.kind.code() },
        "tags": tags.into_json(),
    })
}

fn location_id(offered: &Offered) -> String {
    format!("nearest-{}", offered.item_id)
}

/// About where the nearest vehicle is.
fn nearest_location(offered: &Offered) -> Option<Value> {
    let position = offered.nearest.and_then(|nearest| nearest.position)?;
    let coarse = |e7: i32| e7.div_euclid(NEAREST_GRID_E7) * NEAREST_GRID_E7 + NEAREST_GRID_E7 / 2;
    let position = Position::new(coarse(position.lat_e7()), coarse(position.lon_e7())).ok()?;
    Some(json!({ "id": location_id(offered), "gps": position.to_string() }))
}

/// Promotions, each with the items that it is for.
fn offers(items: &[&Offered]) -> Vec<Value> {
    let mut all: BTreeMap<&str, (&Promoted, Vec<&str>)> = BTreeMap::new();
    for one in items {
        for promoted in &one.promotions {
            all.entry(&promoted.id).or_insert((promoted, Vec::new())).1.push(&one.item_id);
        }
    }
    let offer = |(id, (promoted, items)): (&str, (&Promoted, Vec<&str>))| {
        let mut offer = json!({
            "id": id, "descriptor": { "name": promoted.title }, "item_ids": items,
        });
        if let Some(description) = &promoted.description {
            offer["descriptor"]["short_desc"] = json!(description);
        }
        if let Some(until) = promoted.until {
            offer["time"] = json!({ "range": { "end": time(until) } });
        }
        offer
    };
    all.into_iter().map(offer).collect()
}

fn item(offered: &Offered, place: usize) -> Value {
    let Offered { item_id, listing, category, tariff, estimate, estimate_max, .. } = offered;
    let price = match estimate {
        Some(fare) => {
            let mut price = ranged(price(fare.total()), fare.total(), *estimate_max);
            price["estimated_value"] = json!(fare.total().to_string());
            price
        }
        None => json!({ "currency": CURRENCY,
            "minimum_value": tariff.minimum_paise.max(tariff.base_paise).to_string() }),
    };
    let Look { item_short_desc, item_images, .. } = &offered.look;
    let images: Vec<_> = item_images.iter().collect();
    let mut shown = descriptor(&listing.item_name, item_short_desc.as_deref(), &images);
    shown["code"] = json!(ITEM_CODE);
    let mut item = json!({
        "id": item_id,
        "descriptor": shown,
        "price": price,
        "category_id": category.id(),
        "fulfillment_id": fulfillment_id(place),
        "payment_id": payment_id(PaymentMethod::Cash),
        "matched": true,
        "tags": tags(offered).into_json(),
    });
    if let Some(Nearest { pickup_s, position, .. }) = offered.nearest {
        let minutes = i64::try_from(pickup_s.div_ceil(60)).unwrap_or(i64::MAX).max(1);
        item["time"] = json!({ "label": LABEL_ETA, "duration": duration::minutes(minutes) });
        if position.is_some() {
            item["location_id"] = json!(location_id(offered));
        }
    }
    if let Some(form) = &offered.form {
        item["xinput"] = json!({
            "form": { "url": form.url, "mime_type": "text/html" },
            "required": form.required,
        });
    }
    item
}

/// The tariff, and what is known of the nearest vehicle.
fn tags(offered: &Offered) -> Tags {
    let mut tags = Tags::default();
    spell_out(&mut tags, &offered.tariff);
    tags.group("General Information");
    tags.entry("Vehicle", offered.listing.vehicle_category.as_str());
    if let Some(nearest) = offered.nearest {
        tags.entry("Distance to nearest driver", format!("{} m", nearest.distance_m));
        tags.entry("Wait time upto", format!("{} min", nearest.pickup_s.div_ceil(60).max(1)));
    }
    tags
}

/// Whether an item is listed with all of these properties.
pub fn is_listed_with(offered: &Offered, properties: &[(String, String)]) -> bool {
    if properties.is_empty() {
        return true;
    }
    let listed = entries(Some(&tags(offered).into_json()));
    properties.iter().all(|(name, value)| {
        listed.iter().any(|entry| {
            entry.name.eq_ignore_ascii_case(name) && entry.value.eq_ignore_ascii_case(value)
        })
    })
}
