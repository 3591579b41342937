//! After a ride, and beside it: ratings, what is asked with them, and help.

use serde_json::{Value, json};
use tripline_backend::domain::support::Support;
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::time;

use crate::bap::{Bap, Told};
use crate::stage::Stage;

async fn rate(bap: &Bap, of: &str, category: &str, value: Value) -> Told {
    let message = json!({
        "id": of, "rating_category": category, "value": value,
        "feedback_form": [{ "id": "driver-good", "answer": "Knew a\nshorter way" }],
    });
    bap.ask("rating", &message).await
}

#[tokio::test]
async fn a_ride_is_rated_once_a_category_by_either_id_and_after_its_end() {
    let bap = Bap::fresh().await;
    let early = bap.ride_at(Stage::Started).await;
    assert_eq!(rate(&bap, early.id(), "RIDE", json!(4)).await.error_code(), "30014");
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Ended).await;
    let fulfillment = ride.order["fulfillment"]["id"].as_str().expect("an id");
    for (of, category, value, code) in [
        ("nothing", "RIDE", json!(4), "30014"),
        (ride.id(), "MUSIC", json!(4), "50003"),
        (ride.id(), "RIDE", json!(0), "30015"),
        (ride.id(), "RIDE", json!(6), "30015"),
        (ride.id(), "RIDE", json!("many"), "30015"),
        (ride.id(), "RIDE", Value::Null, "30015"),
    ] {
        let told = rate(&bap, of, category, value.clone()).await;
        assert_eq!(told.error_code(), code, "{of} {category} {value}");
    }
    let told = rate(&bap, ride.id(), "RIDE", json!(4.5)).await;
    assert_eq!(told.callback()["message"], json!({ "rating_ack": true, "feedback_ack": true }));
    let told = rate(&bap, fulfillment, "VEHICLE", json!("3")).await;
    assert_eq!(told.callback()["message"]["rating_ack"], true, "by the fulfillment's id");
    assert_eq!(rate(&bap, fulfillment, "RIDE", json!(1)).await.error_code(), "50000", "once");
    // Somebody else's ride is none.
    let mut ask = crate::world::Ask::new(
        "rating",
        "m-other",
        &json!({ "id": ride.id(), "rating_category": "DRIVER", "value": 5 }),
    );
    ask = ask.by(crate::world::OTHER_BAP);
    assert!(bap.world.send(&ask).await.is_ack());
    let callbacks = bap.callbacks().await;
    let (_, body) = callbacks
        .iter()
        .find(|(_, body)| body["context"]["message_id"] == "m-other")
        .expect("answered");
    assert_eq!(body["error"]["code"], "30014");
}

#[tokio::test]
async fn what_can_be_rated_and_is_asked_is_told() {
    let bap = Bap::fresh().await;
    let told = bap.ask("get_rating_categories", &Value::Null).await;
    let (action, body) = &told.callbacks[0];
    assert_eq!(action, "rating_categories");
    assert_eq!(body["rating_categories"], json!(["RIDE", "DRIVER", "VEHICLE"]));
    assert_eq!(body["message"]["rating_categories"], body["rating_categories"]);
    let form = async |category: &str, value: Value| {
        let message = json!({ "rating_category": category, "rating_value": value });
        bap.ask("get_feedback_form", &message).await
    };
    let bad = form("DRIVER", json!("2")).await;
    let (action, body) = &bad.callbacks[0];
    assert_eq!(action, "feedback_form");
    let questions = body["message"]["feedback_form"].as_array().expect("questions");
    assert!(questions.iter().all(|asked| asked["question"].is_string() && asked["id"].is_string()));
    let good = form("DRIVER", json!(5)).await;
    assert_ne!(good.callback()["message"], *body.get("message").expect("one"), "other questions");
    assert_eq!(form("MUSIC", json!(5)).await.error_code(), "50003");
    assert_eq!(form("DRIVER", json!(9)).await.error_code(), "30015");
}

#[tokio::test]
async fn a_driver_s_mean_is_told_with_the_next_ride() {
    let bap = Bap::fresh().await;
    let text = r#"
[[driver]]
id = "raghav"
name = "Raghav"
phone = "+91-9812345678"

[[vehicle]]
registration = "KA 1"
category = "AUTO_RICKSHAW"
driver = "raghav"
"#;
    let mut tx = bap.world.platform.store.write().await.expect("begins");
    let source = Source { name: "more.toml".into(), rows: None, text: text.into() };
    let read = |name: &str| Err(format!("{name} is not there"));
    import(&mut tx, &Actor::cli(), &[source], &read, time::now()).await.expect("taken in");
    tx.commit().await.expect("commits");
    let ride = bap.ride_at(Stage::Paid).await;
    let status = bap.ask("status", &json!({ "order_id": ride.id() })).await;
    let agent = &status.order()["fulfillment"]["agent"];
    assert_eq!((&agent["name"], &agent["rateable"]), (&json!("Raghav"), &json!(true)));
    assert!(agent.get("rating").is_none(), "nobody rated");
    let told = rate(&bap, ride.id(), "DRIVER", json!(4.5)).await;
    assert_eq!(told.callback()["message"]["rating_ack"], true);
    let mut next =
        crate::stage::Ride { unit: ride.unit.clone(), ..bap.ride_at(Stage::Offered).await };
    bap.accept(&mut next).await;
    let status = bap.ask("status", &json!({ "order_id": next.id() })).await;
    assert_eq!(status.order()["fulfillment"]["agent"]["rating"], "4.5");
}

#[tokio::test]
async fn support_is_told_in_both_fields_and_the_operator_sees_who_asked() {
    let bap = Bap::fresh().await;
    let ride = bap.ride_at(Stage::Started).await;
    for _ in 0..2 {
        let told = bap.ask("support", &json!({ "ref_id": ride.id() })).await;
        let message = &told.callback()["message"];
        assert_eq!(message["url"], "https://fleet.example/help");
        assert_eq!(message["uri"], message["url"]);
        assert_eq!(message["phone"], "+91 80 4000 0000");
    }
    let cases = bap.order(ride.id()).await.cases;
    assert_eq!(cases.open(), 1, "one case, counted: {cases:?}");
    assert_eq!(bap.ask("support", &json!({ "ref_id": "nothing" })).await.error_code(), "50004");
    let bap = Bap::with(|settings| settings.support = Support::default()).await;
    let ride = bap.ride_at(Stage::Started).await;
    let told = bap.ask("support", &json!({ "ref_id": ride.id() })).await;
    assert_eq!(told.error_code(), "50004");
    assert_eq!(bap.order(ride.id()).await.cases.open(), 1, "the operator knows all the same");
}
