//! Each action in each state, as a table.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::bap::{Bap, Told};
use crate::stage::{Ride, Stage};

/// A place in town that is neither pickup nor drop.
const ELSEWHERE: &str = "12.9300000,77.6200000";

/// Requests that concern an order, by a word each.
fn requests(ride: &Ride) -> Vec<(&'static str, &'static str, Value)> {
    let id = ride.id();
    let update = |target: &str, more: Value| {
        let mut order = json!({ "id": id });
        let fields = order.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        json!({ "update_target": target, "order": order })
    };
    let place = |end: &str| json!({ "fulfillment": { end: { "location": { "gps": ELSEWHERE } } } });
    let mut init = ride.order.clone();
    init["fulfillment"]["customer"] =
        json!({ "person": { "name": "Asha" }, "contact": { "phone": "+91-98" } });
    vec![
        ("init", "init", json!({ "order": init })),
        ("confirm", "confirm", json!({ "order": { "id": id } })),
        ("status", "status", json!({ "order_id": id })),
        ("track", "track", json!({ "order_id": id })),
        ("cancel", "cancel", json!({ "order_id": id, "cancellation_reason_id": "1" })),
        (
            "pay before",
            "update",
            update("payment", json!({ "payment": { "type": "ON-ORDER", "collected_by": "BAP" } })),
        ),
        ("pickup", "update", update("order.fulfillment.start", place("start"))),
        ("drop", "update", update("fulfillment.end", place("end"))),
        ("accept", "update", update("quote", json!({ "quote": ride.order["quote"] }))),
        ("rate", "rating", json!({ "id": id, "rating_category": "DRIVER", "value": 4 })),
        ("support", "support", json!({ "ref_id": id })),
    ]
}

/// What came of a request, in a line.
fn summary(told: &Told) -> String {
    let mut line = if told.answer.is_ack() {
        "ACK".to_owned()
    } else {
        let error = &told.answer.body["error"];
        format!("NACK {}", error["code"].as_str().unwrap_or("?"))
    };
    if told.answer.is_ack() && told.callbacks.is_empty() {
        line.push_str(", answered later");
    }
    for (action, body) in &told.callbacks {
        let error = &body["error"];
        if error.is_object() {
            let text = |field: &str| error[field].as_str().unwrap_or("?").to_owned();
            write!(line, ", {action} {} {}", text("code"), text("message")).expect("a text");
            continue;
        }
        write!(line, ", {action}").expect("a text");
        let order = &body["message"]["order"];
        let state = order["fulfillment"]["state"]["descriptor"]["code"].as_str();
        for told in [
            order["state"].as_str(),
            state,
            order["quote"]["price"]["value"].as_str(),
            order["payment"]["type"].as_str(),
            order["payment"]["params"]["transaction_status"].as_str(),
            body["message"]["tracking"]["status"].as_str(),
        ]
        .into_iter()
        .flatten()
        {
            write!(line, " {told}").expect("a text");
        }
    }
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_action_in_each_state_gives_what_the_table_says() {
    let mut table = String::new();
    for stage in Stage::ALL {
        let bap = Bap::fresh().await;
        let count = requests(&bap.ride_at(stage).await).len();
        for place in 0..count {
            // Each on a ride of its own.
            let bap = Bap::fresh().await;
            let ride = bap.ride_at(stage).await;
            let (word, action, message) = requests(&ride).swap_remove(place);
            let told = bap.ask(action, &message).await;
            writeln!(table, "{stage:<19} {word:<10} {}", summary(&told)).expect("a text");
        }
    }
    insta::assert_snapshot!(table);
}
