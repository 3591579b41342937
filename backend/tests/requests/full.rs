//! A subscriber for whom too many callbacks wait.

use std::collections::HashSet;

use reqwest::header::RETRY_AFTER;
use serde_json::json;

use crate::world::{Ask, BAP, OTHER_BAP, World};

#[tokio::test]
async fn a_subscriber_that_takes_no_answers_is_refused_questions_but_not_its_bookings() {
    let world = World::fresh().await;
    world.platform.set_outboxes_full(HashSet::from([BAP.to_owned()]));
    let nobody = json!({ "order_id": "6f7f1c0e-64c2-4b5e-8a0e-4a7a0f6f7f10" });
    let status = Ask::new("status", "m3", &nobody);
    let asked = [Ask::search("m1"), Ask::select("m2", &World::item_id()), status];
    for ask in asked {
        let refused = world.send(&ask).await;
        assert_eq!((refused.status, refused.is_nack()), (503, true), "{}", ask.action);
        assert!(refused.headers.contains_key(RETRY_AFTER));
    }
    let cancel = world.send(&Ask::new("cancel", "m4", &nobody)).await;
    assert_eq!(cancel.status, 200, "it is looked at: {}", cancel.body);
    assert!(world.send(&Ask::search("m1").by(OTHER_BAP)).await.is_ack(), "others may ask");
    world.platform.set_outboxes_full(HashSet::new());
    assert!(world.send(&Ask::search("m1")).await.is_ack(), "it may ask again");
}
