//! A ride is called off: by whom, when, and what that costs.

use serde_json::{Value, json};
use tripline_backend::time;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::tariff::Cancellation;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Paise;

use crate::bap::{Bap, Told};
use crate::stage::{Ride, Stage};

/// What the last `on_cancel` of an order told: state, price, lines, and how it is to be paid.
async fn told(bap: &Bap, ride: &Ride) -> Value {
    let callbacks = bap.callbacks().await;
    let mut of_order = callbacks.iter().filter(|(action, body)| {
        action == "on_cancel" && body["message"]["order"]["id"] == ride.id()
    });
    let (_, body) = of_order.next().expect("one on_cancel");
    assert!(of_order.next().is_none(), "it is told once");
    let order = &body["message"]["order"];
    let titles: Vec<_> = order["quote"]["breakup"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| line["title"].clone())
        .collect();
    json!({
        "state": order["fulfillment"]["state"]["descriptor"]["code"],
        "price": order["quote"]["price"]["value"],
        "lines": titles,
        "payment": [
            order["payment"]["type"], order["payment"]["params"]["amount"],
            order["payment"]["params"]["transaction_status"],
        ],
    })
}

fn free() -> Value {
    json!({
        "state": "RIDE_CANCELLED", "price": "0.00", "lines": [],
        "payment": ["POST-FULFILLMENT", "0.00", "CANCELLED"],
    })
}

fn charged(price: &str, line: &str) -> Value {
    json!({
        "state": "RIDE_CANCELLED", "price": price, "lines": [line],
        "payment": ["POST-FULFILLMENT", price, "NOT-PAID"],
    })
}

/// The order's terms charge for cancelling, and its driver, if there is one, accepted a minute ago.
async fn charge(bap: &Bap, ride: &Ride) {
    let mut tx = bap.world.platform.store.write().await.expect("begins");
    let id = ride.id().parse().expect("an id");
    let mut stored = tx.order(id).await.expect("answers").expect("there");
    stored.order.terms.tariff.cancellation =
        Cancellation { free_s: 0, charge_paise: Paise(2_500), no_show_paise: Paise(4_000) };
    if let Some(trip) = &mut stored.order.trip {
        trip.accepted_at = trip.accepted_at.plus_ms(-60_000);
    }
    tx.save_order(&stored).await.expect("saved");
    tx.commit().await.expect("commits");
}

async fn cancelled_at(stage: Stage) -> (Bap, Ride, Told) {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(stage).await;
    charge(&bap, &ride).await;
    let told = Box::pin(bap.cancel(ride.id())).await;
    (bap, ride, told)
}

#[tokio::test]
async fn a_rider_who_cancels_is_charged_from_the_acceptance_on_and_never_once_aboard() {
    for stage in [Stage::Initialized, Stage::Offered, Stage::Reassigning] {
        let (bap, ride, answer) = cancelled_at(stage).await;
        assert_eq!(answer.callbacks[0].0, "on_cancel", "{stage}: the answer");
        let actions: Vec<_> = bap.callbacks().await.into_iter().map(|(action, _)| action).collect();
        assert_eq!(actions.last().map(String::as_str), Some("on_cancel"), "{stage}: the last word");
        let answered = actions.iter().filter(|action| *action == "on_confirm").count();
        assert_eq!(answered, usize::from(stage != Stage::Initialized), "{stage}: {actions:?}");
        assert_eq!(told(&bap, &ride).await, free(), "{stage}");
    }
    for stage in [Stage::Accepted, Stage::EnRoute, Stage::AtPickup] {
        let (bap, ride, answer) = cancelled_at(stage).await;
        assert_eq!(answer.callbacks[0].0, "on_cancel", "{stage}: the answer");
        assert_eq!(told(&bap, &ride).await, charged("25.00", "Cancellation charges"), "{stage}");
        let ours = bap.commands(&ride.unit.device()).await;
        let is_told = |body: &CommandBody| matches!(body, CommandBody::CancelTrip { .. });
        assert!(ours.iter().any(|(_, body)| is_told(body)), "{stage}: the driver is told");
    }
    for stage in [Stage::Started, Stage::Paused, Stage::Ended, Stage::NoShow, Stage::Unserved] {
        let (bap, ride, answer) = cancelled_at(stage).await;
        assert_eq!(answer.error_code(), "50001", "{stage}");
        let order = bap.order(ride.id()).await;
        assert!(order.cancelled.is_none() || stage == Stage::NoShow, "{stage}: as it was");
    }
}

#[tokio::test]
async fn an_operator_cancels_for_nothing_and_a_rider_who_does_not_come_pays() {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::CancelledByOperator).await;
    assert_eq!(told(&bap, &ride).await, free());

    let bap = Bap::fresh().await;
    let mut ride = bap.ride_at(Stage::AtPickup).await;
    charge(&bap, &ride).await;
    ride.unit.drive(0, 600);
    let trip = ride.trip();
    bap.step(&mut ride.unit, trip, TripStep::NoShow).await;
    assert_eq!(told(&bap, &ride).await, charged("40.00", "No-show charges"));
}

#[tokio::test]
async fn a_driver_who_cancels_is_replaced_and_only_then_is_the_ride_called_off() {
    let bap = Bap::fresh().await;
    bap.add_vehicle(2).await;
    let mut ride = bap.ride_at(Stage::Accepted).await;
    let first_otp = bap.otp(ride.id()).await;
    let (trip, reason) = (ride.trip(), "a flat tyre".into());
    bap.step(&mut ride.unit, trip, TripStep::Cancel { reason }).await;
    bap.handle_due(time::now().plus_ms(5_000)).await;
    // The other one is asked, and gets another OTP to ask for.
    let mut second = crate::unit::Unit::new(2);
    let (assignment, _) = bap.offer_to(&second).await.expect("the other one is asked");
    let event = second.accept(assignment);
    bap.tell(&mut second, vec![event]).await;
    let states = bap.states(ride.id()).await;
    assert_eq!(
        states[states.len() - 2..],
        ["on_update AGENTS_FOUND", "on_update DRIVER_EN_ROUTE"],
        "{states:?}"
    );
    let callbacks = bap.callbacks().await;
    let (_, told_last) = callbacks
        .iter()
        .rfind(|(action, body)| {
            action == "on_update" && body["message"]["order"]["id"] == ride.id()
        })
        .expect("an on_update");
    let fulfillment = &told_last["message"]["order"]["fulfillment"];
    assert_eq!(fulfillment["vehicle"]["registration"], "KA 2");
    assert_eq!(fulfillment["agent"]["name"], "Driver 2");
    let otp = fulfillment["start"]["authorization"]["token"].as_str().expect("an OTP");
    assert_ne!(otp, first_otp, "the first driver knows that one");

    // Nobody else: called off for nothing, by nobody's fault.
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Reassigning).await;
    charge(&bap, &ride).await;
    bap.handle_due(time::now().plus_ms(3_600_000)).await;
    assert_eq!(told(&bap, &ride).await, free());
}

#[tokio::test]
async fn a_reason_is_one_of_the_list_or_in_words_and_is_kept() {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Accepted).await;
    let ask = |reason: Value| {
        let mut message = json!({ "order_id": ride.id() });
        message.as_object_mut().expect("one").extend(reason.as_object().expect("one").clone());
        message
    };
    let unknown = bap.ask("cancel", &ask(json!({ "cancellation_reason_id": "99" }))).await;
    assert_eq!(unknown.error_code(), "30011");
    assert_eq!(unknown.callback()["error"]["path"], "message.cancellation_reason_id");
    let list = bap.ask("get_cancellation_reasons", &json!({})).await;
    let (action, reasons) = &list.callbacks[0];
    assert_eq!(action, "cancellation_reasons");
    let reasons = reasons["message"]["cancellation_reasons"].as_array().expect("a list");
    assert_eq!(reasons.len(), 7);
    let words = json!({ "cancellation_reason_id": reasons[6]["id"], "descriptor": { "short_desc": "booked\nby mistake" } });
    let told = bap.ask("cancel", &ask(words)).await;
    assert_eq!(told.order()["state"], "CANCELLED");
    let kept = bap.order(ride.id()).await.cancelled.expect("called off").reason;
    assert_eq!(kept, "For another reason: booked by mistake");
}

#[tokio::test]
async fn a_cancelled_ride_frees_its_vehicle_once_the_device_knows() {
    let (bap, mut ride, _) = cancelled_at(Stage::Accepted).await;
    let device = ride.unit.device();
    let held = async || {
        let mut tx = bap.world.platform.store.read().await.expect("begins");
        !tx.held_among(std::slice::from_ref(&device)).await.expect("answers").is_empty()
    };
    assert!(held().await, "its driver is on the way and does not know yet");
    let is_it = |body: &CommandBody| matches!(body, CommandBody::CancelTrip { .. });
    bap.report(&mut ride.unit, is_it, CommandOutcome::Applied).await;
    assert!(!held().await);
}
