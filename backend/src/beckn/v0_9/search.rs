//! `search`: what is offered on this route?

use serde_json::Value;

use super::booking::{language, pickup_at, route, vehicle};
use super::codes::{TAG_LOCALIZATION, collector, kinds_of, payment_method};
use super::fields::{dotted, fault, place, text};
use super::tags::entries;
use crate::beckn::{Fault, FaultKind, Request, Search};
use crate::domain::catalog::{Filter, Named};
use crate::domain::order::Route;

const INTENT: &str = "/message/intent";

pub(super) fn parse(body: &Value) -> Result<Request, Fault> {
    Ok(Request::Search(Search {
        route: wanted_route(body)?,
        filter: filter(body)?,
        language: language(body),
    }))
}

/// The route; a search around a place has the place of a provider's stand in place of a start.
fn wanted_route(body: &Value) -> Result<Route, Fault> {
    let start = format!("{INTENT}/fulfillment/start/location/gps");
    if body.pointer(&start).is_none()
        && let Some(pickup) = place_of_provider(body)?
    {
        let drop = place(body, &format!("{INTENT}/fulfillment/end"))?;
        let pickup_at = pickup_at(body, &format!("{INTENT}/fulfillment/start"))?;
        return Ok(Route { pickup, drop, pickup_at });
    }
    route(body, &format!("{INTENT}/fulfillment"))
}

fn place_of_provider(body: &Value) -> Result<Option<tripline_protocol::assignment::Place>, Fault> {
    let gps = body.pointer(&format!("{INTENT}/provider/locations/0/gps"));
    let Some(gps) = gps else { return Ok(None) };
    let as_place = serde_json::json!({ "at": { "location": { "gps": gps } } });
    place(&as_place, "/at").map_err(|_| {
        let path = dotted(&format!("{INTENT}/provider/locations/0/gps"));
        fault(&path, "must be \"latitude,longitude\" in degrees, 12.9,77.6 for instance")
    })
}

/// Every field of the intent that narrows the search.
fn filter(body: &Value) -> Result<Filter, Fault> {
    let at = |path: &str| text(body, &format!("{INTENT}/{path}"));
    let owned = |path: &str| Ok::<_, Fault>(at(path)?.map(str::to_owned));
    Ok(Filter {
        categories: [named(body, "category")?, id_only(owned("item/category_id")?)]
            .into_iter()
            .flatten()
            .collect(),
        item: named(body, "item")?,
        provider: named(body, "provider")?,
        promotion: named(body, "offer")?,
        payment: paid(at("payment/type")?, payment_method, "payment.type")?,
        collected_by: paid(at("payment/collected_by")?, collector, "payment.collected_by")?,
        kinds: at("fulfillment/type")?.map(kinds_of),
        vehicle: vehicle(body, &format!("{INTENT}/fulfillment/vehicle"))?,
        words: [
            owned("descriptor/name")?,
            owned("descriptor/code")?,
            owned("descriptor/short_desc")?,
        ]
        .into_iter()
        .flatten()
        .collect(),
        properties: properties(body),
    })
}

/// What the intent says of something by its id and its descriptor.
fn named(body: &Value, what: &str) -> Result<Option<Named>, Fault> {
    let at = |path: &str| {
        Ok::<_, Fault>(text(body, &format!("{INTENT}/{what}/{path}"))?.map(str::to_owned))
    };
    let names = [at("descriptor/name")?, at("descriptor/code")?, at("descriptor/short_desc")?];
    let (id, names): (_, Vec<_>) = (at("id")?, names.into_iter().flatten().collect());
    Ok((id.is_some() || !names.is_empty()).then_some(Named { id, names }))
}

fn id_only(id: Option<String>) -> Option<Named> {
    id.map(|id| Named { id: Some(id), names: Vec::new() })
}

fn paid<T>(
    said: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
    field: &str,
) -> Result<Option<T>, Fault> {
    let Some(said) = said else { return Ok(None) };
    let known = read(said).ok_or_else(|| {
        let path = format!("message.intent.{field}");
        let message = format!("{path} is no way to pay that core 0.9 has");
        Fault::at(FaultKind::Payment, path, message)
    })?;
    Ok(Some(known))
}

/// Tags of the intent and of its item, without the one that says the rider's language.
fn properties(body: &Value) -> Vec<(String, String)> {
    let places = ["tags", "item/tags"].map(|tags| format!("{INTENT}/{tags}"));
    let found = places.iter().flat_map(|tags| entries(body.pointer(tags)));
    found
        .filter(|entry| !entry.group.eq_ignore_ascii_case(TAG_LOCALIZATION))
        .map(|entry| (entry.name, entry.value))
        .collect()
}
