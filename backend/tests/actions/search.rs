//! What a search finds: by place, by route, by every field that narrows it, and what a catalog holds together.

use serde_json::{Value, json};
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::time;

use crate::bap::{Bap, Told};
use crate::world::{DROP, PICKUP, at, route};

/// A second provider, a rental and a ride out of town beside the sample's item.
const MORE: &str = r#"
[[provider]]
id = "agency"
name = "Hill Agency"

[[tariff]]
code = "rental-4h"
version = 1
base_paise = 60000
package = { included_s = 14400, included_m = 40000, per_km_over_paise = 1400, per_minute_over_paise = 200 }

[[tariff]]
code = "by-day"
version = 1
base_paise = 0
bands = [{ from_m = 0, per_km_paise = 1200 }]
outstation = { minimum_m_per_day = 250000, allowance_per_day_paise = 30000 }

[[item]]
id = "auto-rental"
provider = "agency"
name = "Auto for four hours"
vehicle_category = "AUTO_RICKSHAW"
tariff = "rental-4h"
kind = "rental"

[[item]]
id = "auto-hills"
provider = "agency"
name = "Auto to the hills"
vehicle_category = "AUTO_RICKSHAW"
tariff = "by-day"
kind = "outstation"

[[vehicle]]
registration = "KA 1"
category = "AUTO_RICKSHAW"
make = "Bajaj"
color = "Green"
energy = "electric"
capacity = 3
"#;

async fn world() -> Bap {
    let bap = Bap::fresh().await;
    let mut tx = bap.world.platform.store.write().await.expect("begins");
    let source = Source { name: "more.toml".into(), rows: None, text: MORE.into() };
    let read = |name: &str| Err(format!("{name} is not there"));
    import(&mut tx, &Actor::cli(), &[source], &read, time::now()).await.expect("taken in");
    tx.commit().await.expect("commits");
    bap
}

async fn search(bap: &Bap, intent: Value) -> Told {
    bap.ask("search", &json!({ "intent": intent })).await
}

/// The items of a catalog, by id.
fn items(told: &Told) -> Vec<String> {
    if told.answer.is_nack() {
        assert_eq!(told.answer.body["error"]["code"], "40006");
        return Vec::new();
    }
    let providers = &told.callback()["message"]["catalog"]["bpp/providers"];
    let items = providers
        .as_array()
        .expect("providers")
        .iter()
        .flat_map(|provider| provider["items"].as_array().expect("items").iter());
    items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn every_field_of_the_intent_narrows_the_search() {
    let bap = world().await;
    let all = ["auto", "auto-hills", "auto-rental"];
    let found = async |more: Value| {
        let mut intent = json!({ "fulfillment": route() });
        merge(&mut intent, &more);
        items(&search(&bap, intent).await)
    };
    let cases = [
        (json!({}), &all[..]),
        (json!({ "category": { "id": "rental" } }), &all[2..]),
        (json!({ "category": { "id": "spot-auto" } }), &all[..1]),
        (json!({ "category": { "descriptor": { "name": "outstation" } } }), &all[1..2]),
        (json!({ "category": { "descriptor": { "name": "Rental: 4 h" } } }), &all[2..]),
        (json!({ "category": { "id": "rental" }, "item": { "category_id": "spot" } }), &[]),
        (json!({ "category": { "id": "boats" } }), &[]),
        (json!({ "item": { "id": "auto" } }), &all[..1]),
        (json!({ "item": { "descriptor": { "name": "to the HILLS" } } }), &all[1..2]),
        (json!({ "item": { "category_id": "rental" } }), &all[2..]),
        (json!({ "provider": { "id": "agency" } }), &all[1..]),
        (json!({ "provider": { "descriptor": { "name": "example" } } }), &all[..1]),
        (json!({ "provider": { "id": "agency" }, "item": { "id": "auto" } }), &[]),
        (json!({ "payment": { "type": "PRE-FULFILLMENT" } }), &all[..]),
        (json!({ "fulfillment": { "type": "RENTAL" } }), &all[2..]),
        (json!({ "fulfillment": { "type": "DELIVERY" } }), &all[..]),
        (json!({ "fulfillment": { "type": "CARGO" } }), &[]),
        (json!({ "fulfillment": { "vehicle": { "category": "auto_rickshaw" } } }), &all[..]),
        (json!({ "fulfillment": { "vehicle": { "category": "METRO" } } }), &[]),
        (json!({ "fulfillment": { "vehicle": { "energy_type": "ELECTRIC" } } }), &all[..]),
        (json!({ "fulfillment": { "vehicle": { "energy_type": "diesel" } } }), &[]),
        (json!({ "fulfillment": { "vehicle": { "color": "green", "make": "Bajaj" } } }), &all[..]),
        (json!({ "fulfillment": { "vehicle": { "capacity": 3 } } }), &all[..]),
        (json!({ "fulfillment": { "vehicle": { "capacity": 6 } } }), &[]),
        (json!({ "descriptor": { "name": "four hours" } }), &all[2..]),
        (json!({ "offer": { "id": "NONE" } }), &[]),
        (json!({ "tags": tag("Hours", "4 h") }), &all[2..]),
        (json!({ "tags": tag("Hours", "9 h") }), &[]),
        (json!({ "item": { "tags": tag("Vehicle", "AUTO_RICKSHAW") } }), &all[..]),
    ];
    for (more, expected) in cases {
        assert_eq!(found(more.clone()).await, expected, "{more}");
    }
    let unknown = json!({ "fulfillment": route(), "payment": { "type": "BARTER" } });
    assert_eq!(search(&bap, unknown).await.answer.named(), "message.intent.payment.type");
}

fn tag(name: &str, value: &str) -> Value {
    json!({
        "groups/1/descriptor/name": "Any", "groups/1/display": true,
        "groups/1/list/1/descriptor/name": name, "groups/1/list/1/value": value,
    })
}

/// Puts objects into objects, all the way down.
fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

#[tokio::test]
async fn what_a_catalog_refers_to_is_in_it() {
    let bap = world().await;
    let told = search(&bap, json!({ "fulfillment": route() })).await;
    let catalog = &told.callback()["message"]["catalog"];
    assert!(catalog["bpp/descriptor"]["name"].is_string());
    let mut ids = Vec::new();
    for provider in catalog["bpp/providers"].as_array().expect("providers") {
        let has = |list: &str, id: &Value| {
            let listed = provider[list].as_array().expect("a list");
            listed.iter().any(|one| one["id"] == *id)
        };
        for item in provider["items"].as_array().expect("items") {
            ids.push(item["id"].clone());
            for (field, list) in [
                ("category_id", "categories"),
                ("location_id", "locations"),
                ("fulfillment_id", "fulfillments"),
                ("payment_id", "payments"),
            ] {
                assert!(has(list, &item[field]), "{field} {} of {}", item[field], item["id"]);
            }
            assert_eq!(item["matched"], true);
            assert_eq!(item["time"]["label"], "ETA");
            let duration = item["time"]["duration"].as_str().expect("a duration");
            assert!(duration.starts_with("PT") && duration.ends_with('M'), "{duration}");
            assert!(item["price"]["value"].is_string());
        }
        for category in provider["categories"].as_array().expect("categories") {
            let tags = category["tags"].as_object().expect("tags");
            assert!(tags.values().any(|value| value == "Tariff"), "its tariff: {tags:?}");
        }
    }
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 3, "an item's id is nobody else's");
    let rental = &catalog["bpp/providers"][1]["categories"];
    let names: Vec<_> = rental
        .as_array()
        .expect("categories")
        .iter()
        .map(|category| category["descriptor"]["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["Out of town", "Rental: 4 h, 40 km"]);
}

#[tokio::test]
async fn a_search_around_a_place_tells_the_least_price_and_a_later_one_needs_no_vehicle() {
    let bap = Bap::fresh().await;
    let start = json!({ "start": { "location": { "gps": PICKUP } } });
    let around = search(&bap, json!({ "fulfillment": start })).await;
    let item = &around.callback()["message"]["catalog"]["bpp/providers"][0]["items"][0];
    assert_eq!(item["price"], json!({ "currency": "INR", "minimum_value": "30.00" }));
    let stand = json!({ "provider": { "locations": [{ "gps": PICKUP }] } });
    assert_eq!(items(&search(&bap, stand).await), ["auto"]);
    let nowhere = search(&bap, json!({ "item": { "id": "auto" } })).await;
    assert_eq!(nowhere.answer.named(), "message.intent.fulfillment.start.location.gps");

    // Nobody is near there now, and nobody needs to be.
    let far = json!({ "gps": "13.5,78.5" });
    let mut later = json!({ "start": { "location": far }, "end": { "location": { "gps": DROP } } });
    assert_eq!(items(&search(&bap, json!({ "fulfillment": later })).await), Vec::<String>::new());
    later["start"]["time"] = json!({ "timestamp": at(86_400) });
    let told = search(&bap, json!({ "fulfillment": later })).await;
    let item = &told.callback()["message"]["catalog"]["bpp/providers"][0]["items"][0];
    assert_eq!(item["id"], "auto");
    assert!(item.get("time").is_none() && item.get("location_id").is_none(), "{item}");
}

#[tokio::test]
async fn a_search_that_is_not_served_is_refused_or_by_configuration_not_answered() {
    let far = json!({ "start": { "location": { "gps": "1.0,1.0" } } });
    let refused = search(&Bap::fresh().await, json!({ "fulfillment": far })).await;
    assert_eq!(refused.answer.body["error"]["code"], "40006");
    let bap = Bap::with(|settings| settings.network.silent_when_not_served = true).await;
    let silent = search(&bap, json!({ "fulfillment": far })).await;
    assert!(silent.answer.is_ack() && silent.callbacks.is_empty(), "{silent:?}");
}

#[tokio::test]
async fn a_rented_vehicle_comes_back_to_where_it_was_taken() {
    let bap = world().await;
    let start = json!({ "start": { "location": { "gps": PICKUP } } });
    let select =
        |item: &str| json!({ "order": { "items": [{ "id": item }], "fulfillment": start } });
    let rental = bap.ask("select", &select("auto-rental")).await;
    assert_eq!(rental.order()["quote"]["price"]["value"], "600.00");
    assert_eq!(rental.order()["fulfillment"]["end"], rental.order()["fulfillment"]["start"]);
    let spot = bap.ask("select", &select("auto")).await;
    assert_eq!(spot.answer.named(), "message.order.fulfillment.end.location.gps");
}
