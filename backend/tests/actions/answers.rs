//! How many answers a request gets, in which language, and what is told beside orders.

use serde_json::json;

use crate::bap::Bap;
use crate::stage::Stage;
use crate::world::{World, route};

#[tokio::test]
async fn a_request_that_wants_no_callback_gets_none_and_what_is_pushed_comes_all_the_same() {
    let bap = Bap::fresh().await;
    let select =
        json!({ "order": { "items": [{ "id": World::item_id() }], "fulfillment": route() } });
    for (max, expected) in [(0, 0), (1, 1), (3, 1), (-1, 1)] {
        let told =
            bap.ask_as("select", &select, |context| context["max_callbacks"] = json!(max)).await;
        assert!(told.answer.is_ack());
        assert_eq!(told.callbacks.len(), expected, "{max}");
    }
    let quoted = bap.select().await.order().clone();
    let initialized = bap.init(&quoted).await.order().clone();
    let message = json!({ "order": initialized });
    let told = bap.ask_as("confirm", &message, |context| context["max_callbacks"] = json!(0)).await;
    assert!(told.answer.is_ack());
    let mut ride =
        crate::stage::Ride { unit: crate::unit::Unit::new(1), trip: None, order: initialized };
    bap.accept(&mut ride).await;
    let trip = ride.trip();
    bap.step(&mut ride.unit, trip, tripline_protocol::trip::TripStep::Depart).await;
    // `on_init` was an answer, `on_status` is news; `on_confirm` would have been an answer.
    assert_eq!(
        bap.states(ride.id()).await,
        ["on_init AGENTS_FOUND", "on_status DRIVER_EN_ROUTE_TO_PICKUP"]
    );
}

#[tokio::test]
async fn the_rider_is_told_in_the_language_that_was_asked_for() {
    let names = async |language: Option<&str>| {
        let bap = Bap::fresh().await;
        let mut fulfillment = route();
        if let Some(language) = language {
            fulfillment["customer"]["person"]["tags"] = json!({
                "groups/1/descriptor/name": "Localization",
                "groups/1/display": false,
                "groups/1/list/1/descriptor/name": "Language",
                "groups/1/list/1/value": language,
            });
        }
        let order = json!({ "items": [{ "id": World::item_id() }], "fulfillment": fulfillment });
        let quoted = bap.ask("select", &json!({ "order": order })).await.order().clone();
        // The language was said at the start, and is not said again.
        let initialized = bap.init(&quoted).await.order().clone();
        assert!(bap.confirm(&initialized).await.answer.is_ack());
        let unit = crate::unit::Unit::new(1);
        let mut ride = crate::stage::Ride { unit, trip: None, order: initialized };
        bap.accept(&mut ride).await;
        let callbacks = bap.callbacks().await;
        let name = |(action, body): &(String, serde_json::Value)| {
            let name = &body["message"]["order"]["fulfillment"]["state"]["descriptor"]["name"];
            format!("{action}: {}", name.as_str().unwrap_or("-"))
        };
        callbacks.iter().map(name).collect::<Vec<_>>()
    };
    let english = names(None).await;
    assert_eq!(
        english,
        [
            "on_select: Drivers are near",
            "on_init: Drivers are near",
            "on_confirm: A driver has accepted"
        ]
    );
    assert_eq!(names(Some("ta")).await, english, "a language that we do not write");
    let hindi = names(Some("hi-IN")).await;
    assert!(hindi.iter().zip(&english).all(|(hindi, english)| hindi != english), "{hindi:?}");
    let kannada = names(Some("kn")).await;
    assert!(kannada.iter().zip(&hindi).all(|(kannada, hindi)| kannada != hindi), "{kannada:?}");
}

#[tokio::test]
async fn pauses_are_told_unless_that_is_switched_off() {
    for tell_pauses in [true, false] {
        let bap = Bap::with(|settings| settings.identity.tell_pauses = tell_pauses).await;
        let ride = bap.ride_at(Stage::Paused).await;
        let states = bap.states(ride.id()).await;
        let told = states.iter().any(|state| state == "on_status RIDE_PAUSED");
        assert_eq!(told, tell_pauses, "{states:?}");
        let asked = bap.ask("status", &json!({ "order_id": ride.id() })).await;
        let code = &asked.order()["fulfillment"]["state"]["descriptor"]["code"];
        assert_eq!(code, if tell_pauses { "RIDE_PAUSED" } else { "RIDE_STARTED" });
    }
}

#[tokio::test]
async fn version_0_9_1_is_taken_and_echoed() {
    let bap = Bap::fresh().await;
    let intent = json!({ "intent": { "fulfillment": route() } });
    let told =
        bap.ask_as("search", &intent, |context| context["core_version"] = json!("0.9.1")).await;
    assert_eq!(told.callback()["context"]["core_version"], "0.9.1");
}

#[tokio::test]
async fn positions_are_wanted_below_the_registered_address_or_not_at_all() {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Started).await;
    let ours = crate::world::uri_of(crate::world::BAP);
    for (url, taken) in [
        (format!("{ours}/positions"), true),
        (ours.clone(), true),
        (format!("{ours}-elsewhere/positions"), false),
        ("http://169.254.169.254/latest".into(), false),
        ("https://example.com/hook".into(), false),
        ("not a url".into(), false),
    ] {
        let told = bap.ask("track", &json!({ "order_id": ride.id(), "callback_url": url })).await;
        assert_eq!(told.answer.is_ack(), taken, "{url}");
        if !taken {
            assert_eq!(told.answer.named(), "message.callback_url", "{url}");
        }
    }
}
