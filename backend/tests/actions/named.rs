//! Quotes that name a driver: one for each, held for it, and booked with that one or not at all.

use serde_json::{Value, json};
use tempfile::TempDir;
use tripline_backend::time;
use tripline_protocol::link::up::{Answer, EventBody};

use crate::bap::{Bap, Told};
use crate::stage::Ride;
use crate::unit::Unit;
use crate::world::{World, route, stores};

/// A platform whose quotes name drivers, with three of them, over a store of each kind.
async fn worlds() -> (TempDir, Vec<Bap>) {
    let (dir, urls) = stores().await;
    let mut worlds = Vec::new();
    for url in urls {
        let bap = Bap::over(&url, |settings| settings.named_ms = Some(60_000)).await;
        bap.add_vehicle(2).await;
        bap.add_vehicle(3).await;
        worlds.push(bap);
    }
    (dir, worlds)
}

async fn select(bap: &Bap, max_callbacks: i64) -> Told {
    let order = json!({ "items": [{ "id": World::item_id() }], "fulfillment": route() });
    let max = |context: &mut Value| context["max_callbacks"] = json!(max_callbacks);
    bap.ask_as("select", &json!({ "order": order }), max).await
}

fn registrations(told: &Told) -> Vec<String> {
    let of = |(_, body): &(String, Value)| {
        let vehicle = &body["message"]["order"]["fulfillment"]["vehicle"];
        vehicle["registration"].as_str().expect("named").to_owned()
    };
    let mut all: Vec<_> = told.callbacks.iter().map(of).collect();
    all.sort();
    all
}

#[tokio::test]
async fn as_many_quotes_come_as_are_wanted_each_with_a_driver_of_its_own() {
    let (_dir, worlds) = worlds().await;
    for bap in worlds {
        quotes_name_drivers(&bap).await;
    }
}

async fn quotes_name_drivers(bap: &Bap) {
    let unheard = select(bap, 0).await;
    assert!(unheard.answer.is_ack() && unheard.callbacks.is_empty(), "and nobody is held for it");
    let two = select(bap, 2).await;
    assert_eq!(registrations(&two).len(), 2);
    for (_, body) in &two.callbacks {
        let agent = &body["message"]["order"]["fulfillment"]["agent"];
        assert!(agent["name"].is_string() && agent["rateable"] == true);
        assert!(agent.get("phone").is_none(), "not before they come");
    }
    // Those two are held: whoever asks now is told of the third.
    let rest = select(bap, -1).await;
    assert_eq!(rest.callbacks.len(), 1);
    let mut all = registrations(&two);
    all.extend(registrations(&rest));
    all.sort();
    assert_eq!(all, ["KA 1", "KA 2", "KA 3"]);
    assert_eq!(select(bap, 1).await.error_code(), "40006", "nobody is left");
    // Quotes run out, and then they are free.
    bap.handle_due(time::now().plus_ms(61_000)).await;
    assert_eq!(select(bap, 5).await.callbacks.len(), 3);
}

#[tokio::test]
async fn the_named_driver_is_asked_and_nobody_else() {
    let (_dir, worlds) = worlds().await;
    for bap in worlds {
        named_driver_is_asked(&bap).await;
    }
}

async fn named_driver_is_asked(bap: &Bap) {
    let quoted = select(bap, 1).await.order().clone();
    let plate = quoted["fulfillment"]["vehicle"]["registration"].as_str().expect("one").to_owned();
    let n: u8 = plate.trim_start_matches("KA ").parse().expect("a number");
    let initialized = bap.init(&quoted).await.order().clone();
    assert!(bap.confirm(&initialized).await.callbacks.is_empty());
    let mut ride = Ride { unit: Unit::new(n), trip: None, order: initialized };
    for other in (1..=3).filter(|other| *other != n) {
        assert!(bap.offer_to(&Unit::new(other)).await.is_none(), "KA {other} is not asked");
    }
    let (first, _) = bap.offer_to(&ride.unit).await.expect("asked");
    // To be paid otherwise it is offered anew, to the same one.
    let payment = json!({ "type": "ON-ORDER", "collected_by": "BAP" });
    let message = json!({
        "update_target": "payment", "order": { "id": ride.id(), "payment": payment },
    });
    assert_eq!(bap.ask("update", &message).await.order()["payment"]["collected_by"], "BAP");
    let (assignment, _) = bap.offer_to(&ride.unit).await.expect("asked again");
    assert_ne!(first, assignment);
    let body = EventBody::Answered { assignment, answer: Answer::Reject { reason: String::new() } };
    let event = tripline_protocol::link::up::Event { body, ..ride.unit.accept(assignment) };
    bap.tell(&mut ride.unit, vec![event]).await;
    bap.handle_due(time::now().plus_ms(5_000)).await;
    let callbacks = bap.callbacks().await;
    let (_, body) = callbacks.iter().find(|(action, _)| action == "on_confirm").expect("answered");
    assert_eq!(body["error"]["code"], "40006");
    assert_eq!(select(bap, 5).await.callbacks.len(), 3, "and free again");
}
