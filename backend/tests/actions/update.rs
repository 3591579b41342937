//! A booked ride is changed: proposed with a price, taken by saying it back, refused by name.

use serde_json::{Value, json};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::CommandOutcome;

use crate::bap::{Bap, Told};
use crate::stage::{Ride, Stage};

/// Out of town, so that the price is another.
const FAR: &str = "12.9800000,77.7000000";

async fn update(bap: &Bap, ride: &Ride, target: &str, more: Value) -> Told {
    let mut order = json!({ "id": ride.id() });
    order.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
    bap.ask("update", &json!({ "update_target": target, "order": order })).await
}

fn drop_at(gps: &str) -> Value {
    json!({ "fulfillment": { "end": { "location": { "gps": gps } } } })
}

#[tokio::test]
async fn another_destination_is_priced_first_and_taken_by_saying_the_price_back() {
    let bap = Bap::fresh().await;
    let mut ride = bap.ride_at(Stage::Started).await;
    let before = ride.order["quote"]["price"]["value"].clone();
    let proposed = update(&bap, &ride, "order.fulfillment.end", drop_at(FAR)).await;
    let order = proposed.order().clone();
    let price = order["quote"]["price"]["value"].clone();
    assert_ne!(price, before);
    assert!(order["quote"]["ttl"].is_string());
    assert_eq!(order["fulfillment"]["end"]["location"]["gps"], FAR);
    assert_eq!(order["fulfillment"]["state"]["descriptor"]["code"], "RIDE_STARTED");
    assert_eq!(proposed.callback()["message"]["update_target"], "order.quote");
    // Nothing is so yet.
    let asked = bap.ask("status", &json!({ "order_id": ride.id() })).await;
    assert_ne!(asked.order()["fulfillment"]["end"]["location"]["gps"], FAR);
    let other =
        update(&bap, &ride, "quote", json!({ "quote": { "price": { "value": "1.00" } } })).await;
    assert_eq!(other.error_code(), "40003");
    let taken = update(&bap, &ride, "order.quote", json!({ "quote": order["quote"] })).await;
    assert_eq!(taken.order()["quote"]["price"]["value"], price);
    assert_eq!(taken.order()["fulfillment"]["end"]["location"]["gps"], FAR);
    // The driver is told, and the ride ends at the new terms.
    let is_it = |body: &CommandBody| matches!(body, CommandBody::Change(_));
    bap.report(&mut ride.unit, is_it, CommandOutcome::Applied).await;
    let again = update(&bap, &ride, "order.quote", json!({ "quote": order["quote"] })).await;
    assert_eq!(again.error_code(), "40003", "it was taken");
    let (id, trip) = (ride.id().to_owned(), ride.trip());
    ride.unit.drive(9_000, 1_200);
    bap.stop(&mut ride.unit, trip, &id, 9_000).await;
    let states = bap.states(&id).await;
    assert_eq!(states[states.len() - 2..], ["on_status RIDE_ENDED", "on_update RIDE_ENDED"]);
    let stored = bap.order(&id).await;
    assert!(stored.cases.open() == 0, "{:?}", stored.cases);
}

#[tokio::test]
async fn what_is_changed_without_being_named_is_refused_by_name() {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Accepted).await;
    let refused = async |target: &str, more: Value| {
        let told = update(&bap, &ride, target, more).await;
        let error = &told.callback()["error"];
        let text = |field: &str| error[field].as_str().expect("a text").to_owned();
        (text("code"), text("message"))
    };
    for (target, more, code, named) in [
        ("billing", json!({}), "30012", "billing"),
        ("payment, seats", json!({}), "30012", "seats"),
        (" , ", json!({}), "30012", "nothing"),
        ("payment", drop_at(FAR), "30013", "the drop"),
        ("fulfillment.end", json!({ "payment": { "type": "ON-ORDER" } }), "30013", "the payment"),
        (
            "payment",
            json!({ "customer": { "person": { "name": "Ravi" } } }),
            "30013",
            "the rider's name",
        ),
        ("payment", json!({ "items": [{ "id": "boat" }] }), "30013", "the item"),
        ("payment", json!({ "provider": { "id": "boats" } }), "30013", "the provider"),
        ("payment", json!({ "quote": { "value": "1" } }), "30013", "the price"),
        (
            "fulfillment",
            json!({ "fulfillment": { "start": { "time": { "timestamp": crate::world::at(9_000) } } } }),
            "30013",
            "the time of the pickup",
        ),
        ("fulfillment", json!({ "fulfillment": { "id": "other" } }), "30013", "the fulfillment"),
        (
            "fulfillment",
            json!({ "fulfillment": { "vehicle": { "category": "METRO" } } }),
            "30013",
            "the vehicle's category",
        ),
        ("payment", json!({ "offers": [{ "id": "X" }] }), "30013", "the offers"),
        ("quote", json!({}), "40003", "said back"),
        ("quote", json!({ "quote": { "value": "30" } }), "40003", "proposed"),
    ] {
        let (got, message) = refused(target, more).await;
        assert_eq!(got, code, "{target}: {message}");
        assert!(message.contains(named), "{target}: {message}");
    }
    // The order as it was told, said back with one thing named, is no contradiction.
    let asked = bap.ask("status", &json!({ "order_id": ride.id() })).await;
    let mut whole = asked.order().clone();
    whole["payment"] = json!({ "type": "PRE-FULFILLMENT", "collected_by": "BAP" });
    let told = bap.ask("update", &json!({ "update_target": "payment", "order": whole })).await;
    assert_eq!(told.order()["payment"]["type"], "PRE-FULFILLMENT");
    assert_eq!(told.order()["payment"]["collected_by"], "BAP");
}

#[tokio::test]
async fn the_pickup_moves_until_the_driver_is_there() {
    for (stage, possible) in
        [(Stage::Accepted, true), (Stage::EnRoute, true), (Stage::AtPickup, false)]
    {
        let bap = Bap::fresh().await;
        let ride = bap.ride_at(stage).await;
        let start = json!({ "fulfillment": { "start": { "location": { "gps": "12.9350000,77.6130000" } } } });
        let told = update(&bap, &ride, "fulfillment.start", start).await;
        if possible {
            let quote = told.order()["quote"].clone();
            let taken = update(&bap, &ride, "quote", json!({ "quote": quote })).await;
            assert_eq!(
                taken.order()["fulfillment"]["start"]["location"]["gps"],
                "12.9350000,77.6130000"
            );
        } else {
            assert_eq!(told.error_code(), "50002");
        }
    }
}

#[tokio::test]
async fn a_ride_that_waits_for_a_driver_is_offered_anew_once_it_is_changed() {
    let bap = Bap::fresh().await;
    let mut ride = bap.ride_at(Stage::Offered).await;
    let (first, _) = bap.offer_to(&ride.unit).await.expect("asked");
    let proposed = update(&bap, &ride, "fulfillment.end", drop_at(FAR)).await;
    let quote = proposed.order()["quote"].clone();
    update(&bap, &ride, "quote", json!({ "quote": quote })).await.order();
    let (second, _) = bap.offer_to(&ride.unit).await.expect("asked again");
    assert_ne!(first, second, "the same driver, another ride");
    bap.accept(&mut ride).await;
    let states = bap.states(ride.id()).await;
    assert_eq!(states.last().map(String::as_str), Some("on_confirm DRIVER_EN_ROUTE"));
}
