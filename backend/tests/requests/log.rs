//! What is logged of requests: never what they say.

use serde_json::json;
use tracing::Level;

use crate::lines::lines;
use crate::world::{Ask, PICKUP, World, at};

const NAME: &str = "Ashalatha Venkataraman";
const PHONE: &str = "+91-9876501234";
const OTP: &str = "otp-55172839";

/// Requests that hold all of it, good ones and such as are refused in every way.
fn asks(item: &str) -> Vec<Ask> {
    let with = |message_id: &str| {
        let mut ask = Ask::select(message_id, item);
        ask.action = "init";
        ask.body["context"]["action"] = json!("init");
        let fulfillment = &mut ask.body["message"]["order"]["fulfillment"];
        fulfillment["customer"] =
            json!({ "person": { "name": NAME }, "contact": { "phone": PHONE } });
        fulfillment["start"]["authorization"] = json!({ "type": "OTP", "token": OTP });
        ask
    };
    let changed = |change: fn(&mut Ask)| {
        let mut ask = with("m-changed");
        change(&mut ask);
        ask
    };
    let text = |ask: &Ask| ask.body.to_string();
    vec![
        with("m-good"),
        changed(|ask| ask.life_s = 0),
        changed(|ask| ask.raw = Some(ask.bytes()[..600].to_vec())),
        changed(|ask| ask.body["message"]["order"]["items"][0]["id"] = json!(PHONE)),
        changed(|ask| ask.body["message"]["order"]["fulfillment"]["id"] = json!(OTP)),
        changed(|ask| ask.body["message"]["order"]["id"] = json!(OTP)),
        changed(|ask| ask.body["context"]["action"] = json!(PHONE)),
        changed(|ask| ask.body["context"]["bap_uri"] = json!(format!("http://{OTP}/"))),
        changed(|ask| ask.body["context"]["timestamp"] = json!(at(-600))),
        changed(|ask| {
            ask.body["message"]["order"]["fulfillment"]["end"]["location"]["gps"] = json!(OTP);
        }),
        changed(|ask| ask.body["message"]["order"]["fulfillment"]["customer"] = json!([[PHONE]])),
        {
            let mut ask = with("m-twice");
            let key = format!("{{\"{PHONE}\":1,\"{PHONE}\":2,");
            ask.raw = Some(text(&ask).replacen('{', &key, 1).into_bytes());
            ask
        },
        {
            let mut ask = with("m-good");
            ask.body["message"]["order"]["billing"] = json!({ "name": NAME });
            ask
        },
    ]
}

#[tokio::test]
async fn no_request_is_logged_in_its_own_words() {
    let (lines, subscriber) = lines(Level::TRACE);
    // The runtime of this test has one thread: this one.
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::fresh().await;
    let mut acks = 0;
    for ask in asks(&World::item_id()) {
        acks += u32::from(world.send(&ask).await.is_ack());
    }
    assert_eq!(acks, 2, "one was good, and one has a customer that is none");
    drop(guard);
    let written = lines.text();
    assert!(written.contains("request refused") && written.contains("request acknowledged"));
    let (lat, lon) = PICKUP.split_once(',').expect("two numbers");
    for secret in [NAME, PHONE, OTP, "9876501234", "Ashalatha", lat, lon, "55172839"] {
        let line = written.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
