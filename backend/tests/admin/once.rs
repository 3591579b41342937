//! What comes twice under one key has one effect.

use serde_json::json;
use tripline_backend::operate::Role;

use crate::world::{Answer, World, on_each};

const KEY: &str = "idempotency-key";

async fn names(world: &World, admin: &str) -> Vec<String> {
    let listed = world.get(admin, "/v1/tokens").await.good(200);
    let items = listed["items"].as_array().expect("items").iter();
    items.map(|item| item["name"].as_str().expect("text").to_owned()).collect()
}

async fn add(world: &World, admin: &str, key: &str, name: &str) -> Answer {
    let body = json!({"name": name, "role": "viewer"});
    world.ask("POST", "/v1/tokens").with(admin).header(KEY, key).json(&body).send().await
}

#[tokio::test]
async fn a_request_sent_again_under_its_key_has_one_effect_and_the_same_answer() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let other = world.token("other", Role::Admin).await;
        assert_eq!(add(&world, &admin, "k1", "asha").await.status, 201);
        // The secret was shown, and is not kept.
        let again = add(&world, &admin, "k1", "asha").await;
        assert_eq!((again.status, again.problem()), (409, "shown-once"));
        let changed = add(&world, &admin, "k1", "ravi").await;
        assert_eq!(
            (changed.status, &changed.body["errors"][0]["field"]),
            (422, &json!("Idempotency-Key"))
        );
        assert_eq!(add(&world, &other, "k1", "ravi").await.status, 201, "a key is its token's");

        let revoke = |key: &'static str| {
            world.ask("DELETE", "/v1/tokens/asha").with(&admin).header(KEY, key).send()
        };
        let first = revoke("k2").await;
        let again = revoke("k2").await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(
            (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
            ("", "true")
        );

        // What was not done may be sent again.
        assert_eq!(add(&world, &admin, "k3", "admin").await.problem(), "conflict");
        assert_eq!(add(&world, &admin, "k3", "maya").await.status, 201);
        assert_eq!(names(&world, &admin).await, ["admin", "asha", "maya", "other", "ravi"]);
        for key in ["", &"x".repeat(129)] {
            let answer = add(&world, &admin, key, "zoe").await;
            assert_eq!(answer.body["errors"][0]["field"], "Idempotency-Key", "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_requests_that_come_at_once_under_one_key_one_is_carried_out() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let (one, two, three) = tokio::join!(
            add(&world, &admin, "k", "asha"),
            add(&world, &admin, "k", "asha"),
            add(&world, &admin, "k", "asha"),
        );
        let mut statuses = [one.status, two.status, three.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409]);
        assert_eq!(names(&world, &admin).await, ["admin", "asha"]);
    })
    .await;
}
