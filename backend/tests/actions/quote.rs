//! Quotes: what they hold, what booking one needs, and until when.

use serde_json::{Value, json};
use tripline_backend::time;

use crate::bap::Bap;
use crate::stage::{Ride, Stage};
use crate::unit::Unit;
use crate::world::{World, at, route};

#[tokio::test]
async fn a_quote_adds_up_and_what_a_rider_chooses_wrongly_is_refused_by_name() {
    let bap = Bap::fresh().await;
    let quoted = bap.select().await;
    let quote = &quoted.order()["quote"];
    let paise = |value: &Value| -> i64 {
        value.as_str().expect("a text").replace('.', "").parse().expect("a number")
    };
    let lines = quote["breakup"].as_array().expect("lines");
    let sum: i64 = lines.iter().map(|line| paise(&line["price"]["value"])).sum();
    assert_eq!(sum, paise(&quote["price"]["value"]));
    assert_eq!((&quote["value"], &quote["currency"]), (&quote["price"]["value"], &json!("INR")));
    assert!(quoted.order().get("payment").is_none(), "from init on");
    assert!(quoted.order().get("id").is_none(), "from init on");
    assert!(quoted.order()["fulfillment"].get("agent").is_none(), "nobody was chosen");

    let order = |more: Value| {
        let mut order = json!({ "items": [{ "id": World::item_id() }], "fulfillment": route() });
        order.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        json!({ "order": order })
    };
    for (more, code) in [
        (json!({ "items": [{ "id": "auto", "quantity": { "count": 2 } }] }), "40002"),
        (json!({ "offers": [{ "id": "NONE" }] }), "30006"),
    ] {
        assert_eq!(bap.ask("select", &order(more.clone())).await.error_code(), code, "{more}");
    }
    for (more, path) in [
        (json!({ "items": [{ "id": "boat" }] }), "message.order.items.0.id"),
        (json!({ "items": [] }), "message.order.items.0.id"),
        (json!({ "items": [{ "id": "auto" }, { "id": "auto" }] }), "message.order.items"),
        (json!({ "provider": { "id": "somebody" } }), "message.order.provider.id"),
    ] {
        assert_eq!(bap.ask("select", &order(more.clone())).await.answer.named(), path, "{more}");
    }
    let same = order(json!({ "provider": { "id": "example-cabs" } }));
    assert!(bap.ask("select", &same).await.order()["quote"].is_object());
}

#[tokio::test]
async fn booking_names_each_detail_that_is_missing_and_then_books_once() {
    let bap = Bap::fresh().await;
    let quoted = bap.select().await.order().clone();
    let initialized = bap.ask("init", &json!({ "order": quoted })).await.order().clone();
    let confirm = async |order: &Value| bap.ask("confirm", &json!({ "order": order })).await;
    let missing = confirm(&initialized).await;
    assert_eq!(missing.error_code(), "30000");
    let error = &missing.callback()["error"];
    assert_eq!(error["path"], "message.order.fulfillment.customer.person.name");
    let mut named = initialized.clone();
    named["customer"]["person"]["name"] = json!("Asha");
    let error = confirm(&named).await.callback()["error"].clone();
    assert_eq!(error["path"], "message.order.fulfillment.customer.contact.phone");
    // What is missing may come at the end, from wherever a platform writes it.
    named["billing"]["phone"] = json!("+91-98");
    let booked = confirm(&named).await;
    assert!(booked.answer.is_ack() && booked.callbacks.is_empty(), "{booked:?}");
    assert_eq!(confirm(&named).await.error_code(), "40000", "once");
    assert_eq!(bap.ask("init", &json!({ "order": named })).await.error_code(), "40000");
}

#[tokio::test]
async fn the_name_may_be_said_first_and_the_phone_later() {
    let bap = Bap::fresh().await;
    let mut order = bap.select().await.order().clone();
    order["customer"] = json!({ "person": { "name": "Asha" } });
    let initialized = bap.ask("init", &json!({ "order": order })).await.order().clone();
    assert_eq!(initialized["fulfillment"]["customer"]["person"]["name"], "Asha");
    let order = json!({ "id": initialized["id"], "customer": { "person": { "phone": "+91-98" } } });
    assert!(bap.ask("confirm", &json!({ "order": order })).await.callbacks.is_empty());
    let id = initialized["id"].as_str().expect("an id");
    let rider = bap.order(id).await.rider.expect("a rider");
    assert_eq!((rider.name.as_str(), rider.phone.as_str()), ("Asha", "+91-98"));
}

#[tokio::test]
async fn another_price_than_the_quoted_one_books_nothing() {
    let bap = Bap::fresh().await;
    let quoted = bap.select().await.order().clone();
    let initialized = bap.init(&quoted).await.order().clone();
    let price = initialized["quote"]["price"]["value"].as_str().expect("a price").to_owned();
    for (quote, code) in [
        (json!({ "price": { "value": "1.00" } }), Some("40003")),
        (json!({ "value": "1" }), Some("40003")),
        (json!({ "value": price.trim_end_matches('0').trim_end_matches('.') }), None),
    ] {
        let mut order = initialized.clone();
        order["quote"] = quote.clone();
        let told = bap.ask("confirm", &json!({ "order": order })).await;
        match code {
            Some(code) => assert_eq!(told.error_code(), code, "{quote}"),
            None => assert!(told.callbacks.is_empty(), "{quote}: booked"),
        }
    }
    let mut order = initialized;
    order["quote"] = json!({ "price": { "value": "156 - 176 INR" } });
    let told = bap.ask("confirm", &json!({ "order": order })).await;
    assert_eq!(told.answer.named(), "message.order.quote.price.value");
}

#[tokio::test]
async fn a_confirmation_waits_for_a_driver_no_longer_than_its_sender_does() {
    let bap = Bap::fresh().await;
    let quoted = bap.select().await.order().clone();
    let initialized = bap.init(&quoted).await.order().clone();
    let message = json!({ "order": initialized });
    let told = bap.ask_as("confirm", &message, |context| context["ttl"] = json!("PT20S")).await;
    assert!(told.callbacks.is_empty(), "it waits");
    let unit = Unit::new(1);
    assert!(bap.offer_to(&unit).await.is_some());
    bap.handle_due(time::now().plus_ms(21_000)).await;
    let callbacks = bap.callbacks().await;
    let (_, body) = callbacks.iter().find(|(action, _)| action == "on_confirm").expect("answered");
    assert_eq!(body["error"]["code"], "40006");
    assert_eq!(body["context"]["message_id"], told_id(&bap).await);
    let commands = bap.commands(&unit.device()).await;
    let withdrawn = commands.iter().any(|(_, body)| {
        matches!(body, tripline_protocol::link::down::CommandBody::Withdraw { .. })
    });
    assert!(withdrawn, "the offer is taken back: {commands:?}");
}

/// The message id of the one `confirm` that was taken.
async fn told_id(bap: &Bap) -> String {
    let rows: Vec<(String,)> =
        bap.world.rows("SELECT message_id FROM inbox WHERE action = 'confirm'").await;
    rows.into_iter().next().expect("one").0
}

#[tokio::test]
async fn a_ride_booked_ahead_is_confirmed_at_once_and_its_driver_is_told_later() {
    let bap = Bap::fresh().await;
    let mut fulfillment = route();
    let lead_s = bap.world.platform.settings.dispatch.lead_ms / 1_000;
    fulfillment["start"]["time"] = json!({ "timestamp": at(lead_s + 30) });
    let order = json!({ "items": [{ "id": World::item_id() }], "fulfillment": fulfillment });
    let quoted = bap.ask("select", &json!({ "order": order })).await.order().clone();
    let initialized = bap.init(&quoted).await.order().clone();
    let confirmed = bap.confirm(&initialized).await;
    assert_eq!(confirmed.order()["state"], "CONFIRMED");
    assert!(confirmed.order()["fulfillment"].get("agent").is_none());
    let mut ride = Ride { unit: Unit::new(1), trip: None, order: initialized };
    assert!(bap.offer_to(&ride.unit).await.is_none(), "not yet");
    let due = bap.order(ride.id()).await.due_at().expect("due");
    bap.handle_due(due).await;
    bap.accept(&mut ride).await;
    assert_eq!(
        bap.states(ride.id()).await,
        ["on_init AGENTS_FOUND", "on_confirm -", "on_update DRIVER_EN_ROUTE"]
    );
}

#[tokio::test]
async fn a_quote_that_ran_out_is_40003() {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Expired).await;
    assert_eq!(bap.confirm(&ride.order).await.error_code(), "40003");
}

#[tokio::test]
async fn another_way_at_init_is_quoted_anew_and_at_confirm_books_nothing() {
    let bap = Bap::fresh().await;
    let mut order = bap.select().await.order().clone();
    let before = order["quote"]["price"]["value"].clone();
    order["fulfillment"]["end"]["location"]["gps"] = json!("12.9800000,77.7000000");
    let initialized = bap.init(&order).await.order().clone();
    assert_ne!(initialized["quote"]["price"]["value"], before);
    assert_eq!(initialized["fulfillment"]["end"]["location"]["gps"], "12.9800000,77.7000000");
    let mut other = initialized.clone();
    other["fulfillment"]["start"]["location"]["gps"] = json!("12.9300000,77.6100000");
    assert_eq!(bap.confirm(&other).await.error_code(), "40003");
    assert!(bap.confirm(&initialized).await.callbacks.is_empty(), "booked as it was quoted");
}

#[tokio::test]
async fn nobody_books_beyond_the_days_that_rides_are_booked_ahead() {
    let bap = Bap::fresh().await;
    for (days, taken) in [(29, true), (31, false)] {
        let mut fulfillment = route();
        fulfillment["start"]["time"] = json!({ "timestamp": at(days * 86_400) });
        let order = json!({ "items": [{ "id": World::item_id() }], "fulfillment": fulfillment });
        let told = bap.ask("select", &json!({ "order": order })).await;
        assert_eq!(told.answer.is_ack(), taken, "{days} days");
        let intent = json!({ "intent": { "fulfillment": fulfillment } });
        assert_eq!(bap.ask("search", &intent).await.answer.is_ack(), taken, "{days} days");
        if !taken {
            assert_eq!(told.answer.named(), "message.order.fulfillment.start.time.timestamp");
        }
    }
}

#[tokio::test]
async fn what_is_paid_before_is_paid_once_its_platform_says_so() {
    let bap = Bap::fresh().await;
    let quoted = bap.select().await.order().clone();
    let pay = |payment: Value| {
        let mut order = quoted.clone();
        order["payment"] = payment;
        json!({ "order": order })
    };
    let both = json!({ "type": "PRE-FULFILLMENT", "collected_by": "BPP" });
    let refused = bap.ask("init", &pay(both)).await;
    assert_eq!(refused.answer.body["error"]["code"], "40004");
    assert_eq!(refused.answer.named(), "message.order.payment.collected_by");
    let waiting = bap.ask("init", &pay(json!({ "type": "PRE-FULFILLMENT" }))).await;
    let payment = &waiting.order()["payment"];
    assert_eq!((&payment["collected_by"], &payment["status"]), (&json!("BAP"), &json!("NOT-PAID")));
    let paid = json!({ "type": "PRE-FULFILLMENT", "params": { "transaction_status": "PAID" } });
    let told = bap.ask("init", &pay(paid)).await;
    assert_eq!(told.order()["payment"]["params"]["transaction_status"], "PAID");
    // Of cash it is the driver who says so.
    let cash = json!({ "type": "ON-FULFILLMENT", "collected_by": "BPP", "status": "PAID" });
    let told = bap.ask("init", &pay(cash)).await;
    assert_eq!(told.order()["payment"]["status"], "NOT-PAID");
}
