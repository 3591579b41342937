//! The same request again: one effect, whenever and however often it comes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tripline_backend::beckn::v0_9;
use tripline_backend::service::Asked;
use tripline_backend::time;

use crate::keep::is_told;
use crate::world::{Ask, BAP, World, at, stores};

const RIDER: &str = r#"{"person":{"name":"Asha"},"contact":{"phone":"+91-98"}}"#;

/// A booking, up to the driver's offer: every kind of request once.
async fn book(world: &World) -> Vec<Ask> {
    let mut sent = vec![Ask::search("m-search"), Ask::select("m-select", &World::item_id())];
    for ask in &sent {
        assert!(world.send(ask).await.is_ack());
    }
    let (quoted, _) = world.callbacks("on_select").await.remove(0);
    let mut order =
        json!({ "fulfillment": { "id": quoted["message"]["order"]["fulfillment"]["id"] } });
    order["fulfillment"]["customer"] = serde_json::from_str(RIDER).expect("JSON");
    sent.push(Ask::new("init", "m-init", &json!({ "order": order })));
    assert!(world.send(&sent[2]).await.is_ack());
    let (initialized, _) = world.callbacks("on_init").await.remove(0);
    let id = &initialized["message"]["order"]["id"];
    sent.push(Ask::new("confirm", "m-confirm", &json!({ "order": { "id": id } })));
    sent.push(Ask::new("status", "m-status", &json!({ "order_id": id })));
    sent.push(Ask::new("track", "m-track", &json!({ "order_id": id })));
    for ask in &sent[3..] {
        let answer = world.send(ask).await;
        assert!(answer.is_ack(), "{answer:?}");
    }
    sent
}

#[tokio::test]
async fn every_kind_of_request_sent_three_times_has_one_effect_also_after_a_restart() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let mut world = World::over(&url).await;
        let sent = book(&world).await;
        let before = world.counts().await;
        assert_eq!(before, [6, 5, 1], "six requests, five answers, one order");
        for _ in 0..2 {
            for ask in (0..3).flat_map(|_| &sent) {
                let answer = world.send(ask).await;
                assert!(answer.is_ack(), "{}: {answer:?}", ask.action);
            }
            assert_eq!(world.counts().await, before);
            world = world.restarted().await;
        }
    }
}

#[tokio::test]
async fn whichever_backend_has_a_device_learns_that_there_is_a_command_for_it() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let world = World::over(&url).await;
        let before = time::now().plus_ms(-1);
        book(&world).await;
        let mut tx = world.platform.store.read().await.expect("begins");
        let signals = tx.signals_since(before).await.expect("answers");
        let devices: Vec<_> = signals.iter().map(|(device, _)| device.as_str()).collect();
        assert_eq!(devices, ["d1"], "it is offered the ride");
    }
}

#[tokio::test]
async fn what_only_looks_different_is_the_same_and_what_is_different_is_refused() {
    let world = World::fresh().await;
    let item = World::item_id();
    assert!(world.send(&Ask::select("m", &item)).await.is_ack());
    let before = world.counts().await;

    let mut spaced = Ask::select("m", &item);
    let body = spaced.body.clone();
    // Another order of the keys, other blanks, another transaction and another time.
    let text = format!(
        "{{\"message\" : {:#},\n\"context\":{}}}",
        body["message"],
        body["context"].to_string().replace("t-1", "t-2")
    );
    spaced.raw = Some(text.into_bytes());
    assert!(world.send(&spaced).await.is_ack());
    assert_eq!(world.counts().await, before);

    let mut other = Ask::select("m", &item);
    other.body["message"]["order"]["note"] = json!("other");
    let answer = world.send(&other).await;
    assert_eq!((answer.status, answer.named()), (200, "context.message_id"), "{answer:?}");
    // What was refused under an id does not use it up, and another subscriber's id is another.
    let mut wrong = Ask::select("m-2", "no such item");
    assert!(world.send(&wrong).await.is_nack());
    wrong.body["message"]["order"]["items"][0]["id"] = json!(item);
    assert!(world.send(&wrong).await.is_ack());
    assert!(world.send(&Ask::select("m", &item).by("other.example")).await.is_ack());
    assert_eq!(world.counts().await, [3, 3, 3]);
}

#[tokio::test]
async fn reads_never_conflict_and_each_has_one_answer() {
    let world = World::fresh().await;
    let mut here = Ask::search("m");
    let there = Ask::search("m");
    here.body["message"]["intent"]["fulfillment"]["end"]["location"]["gps"] = json!("12.95,77.6");
    for ask in [&here, &there, &here, &there] {
        assert!(world.send(ask).await.is_ack());
    }
    assert_eq!(world.counts().await, [2, 2, 0]);
}

#[tokio::test]
async fn one_request_that_comes_many_times_at_once_has_one_effect() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let world = std::sync::Arc::new(World::over(&url).await);
        let (item, mut tasks) = (World::item_id(), JoinSet::new());
        for _ in 0..40 {
            let (world, ask) = (std::sync::Arc::clone(&world), Ask::select("m", &item));
            tasks.spawn(async move { world.send(&ask).await.is_ack() });
        }
        assert!(tasks.join_all().await.into_iter().all(|ack| ack));
        assert_eq!(world.counts().await, [1, 1, 1], "{url}");
    }
}

#[tokio::test]
async fn requests_that_lock_each_others_orders_are_all_taken_once() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let world = std::sync::Arc::new(World::over(&url).await);
        for n in 0..6 {
            let ask = Ask::select(&format!("s-{n}"), &World::item_id());
            assert!(world.send(&ask).await.is_ack());
        }
        let ids: Vec<(String,)> = world.rows("SELECT order_id FROM ride_order").await;
        // At once no more than one worker takes: the orders' ids may send all to the same.
        for wave in [0..60, 60..120, 120..180] {
            let mut tasks = JoinSet::new();
            for n in wave {
                // As many ways through the orders as there are.
                let order = (n * 5 + n / 6 * (n / 36 + 1)) % ids.len();
                let message = json!({ "order_id": ids[order].0 });
                let ask =
                    Ask::new("status", Box::leak(format!("m-{n}").into_boxed_str()), &message);
                let world = std::sync::Arc::clone(&world);
                tasks.spawn(async move { world.send(&ask).await });
            }
            for answer in tasks.join_all().await {
                assert!(answer.is_ack(), "{answer:?}");
            }
        }
        assert_eq!(world.counts().await, [186, 186, 6], "{url}");
        let answered = world.callbacks("on_status").await;
        let ids = answered.iter().map(|(body, _)| body["context"]["message_id"].to_string());
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), 180, "each once");
    }
}

#[tokio::test]
async fn bookings_that_want_the_same_vehicle_are_all_taken_and_one_gets_it() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let world = std::sync::Arc::new(World::over(&url).await);
        for n in 0..8 {
            let ask = Ask::select(&format!("s-{n}"), &World::item_id());
            assert!(world.send(&ask).await.is_ack());
        }
        let orders: Vec<(String, String)> =
            world.rows("SELECT order_id, fulfillment_id FROM ride_order").await;
        for (order, _) in &orders {
            let mut message = json!({ "order": { "id": order, "fulfillment": {} } });
            message["order"]["fulfillment"]["customer"] =
                serde_json::from_str(RIDER).expect("JSON");
            assert!(world.send(&Ask::new("init", &format!("i-{order}"), &message)).await.is_ack());
        }
        let mut tasks = JoinSet::new();
        // The same orders under both of their names, and others that ask about them.
        for (order, fulfillment) in orders {
            let by_id = json!({ "order": { "id": order } });
            let by_fulfillment = json!({ "order": { "fulfillment": { "id": fulfillment } } });
            for (action, message) in [
                ("confirm", by_id),
                ("confirm", by_fulfillment),
                ("status", json!({ "order_id": order })),
            ] {
                let ask = Ask::new(action, &format!("{action}-{message}"), &message);
                let world = std::sync::Arc::clone(&world);
                tasks.spawn(async move { world.send(&ask).await });
            }
        }
        for answer in tasks.join_all().await {
            assert!(answer.is_ack(), "{answer:?}");
        }
        let held: Vec<(String,)> = world.rows("SELECT order_id FROM device_hold").await;
        assert_eq!(held.len(), 1, "{url}");
        let states: Vec<(String,)> = world.rows("SELECT DISTINCT state FROM ride_order").await;
        assert_eq!(states.len(), 1, "{url}: {states:?}");
    }
}

#[tokio::test]
async fn a_bap_that_hangs_up_loses_nothing() {
    let world = World::fresh().await;
    let ask = Ask::search("m");
    let received = v0_9::parse("search", &ask.bytes()).expect("good");
    let asked = Asked { subscriber_id: BAP.into(), received, too_late: None };
    let mut taking = Box::pin(world.intake.take_in(asked));
    // Handed in, and not waited for.
    assert!(!is_told(&mut taking).await);
    drop(taking);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while world.counts().await != [1, 1, 0] {
        assert!(std::time::Instant::now() < deadline, "it is not stored");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(world.send(&ask).await.is_ack());
    assert_eq!(world.counts().await, [1, 1, 0]);
}

#[tokio::test]
async fn answers_are_tried_for_the_ttl_and_say_it_but_news_of_a_booking_for_three_days() {
    let world = World::fresh().await;
    let mut late = Ask::search("m-late");
    late.body["context"]["timestamp"] = json!(at(-300));
    late.body["context"]["ttl"] = Value::Null;
    assert!(world.send(&late).await.is_ack());
    let (body, ms) = world.callbacks("on_search").await.remove(0);
    assert_eq!((body["context"].get("ttl"), ms), (None, 10_000), "long since sent");
    book(&world).await;
    for action in ["on_search", "on_select", "on_init", "on_track"] {
        let (body, ms) = world.callbacks(action).await.pop().expect("one");
        assert_eq!(body["context"]["ttl"], "PT30S", "{action}");
        assert!((10_000..=30_000).contains(&ms), "{action} is tried for {ms} ms");
    }
    // Where it stands is asked again by whoever still wants to know.
    let (body, ms) = world.callbacks("on_status").await.remove(0);
    assert_eq!(body["context"].get("ttl"), None);
    assert!((10_000..=30_000).contains(&ms), "on_status is tried for {ms} ms");
    let id = body["message"]["order"]["id"].clone();
    assert!(world.send(&Ask::new("cancel", "m-off", &json!({ "order_id": id }))).await.is_ack());
    let (body, ms) = world.callbacks("on_cancel").await.remove(0);
    assert_eq!((body["context"].get("ttl"), ms), (None, 72 * 3_600_000));
}
