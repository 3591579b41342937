//! Tokens: who is let in, and until when.

use serde_json::json;
use tripline_backend::operate::Role;
use tripline_backend::time;

use crate::world::{World, on_each};

const DAY_MS: i64 = 86_400_000;

async fn status(world: &World, secret: &str) -> u16 {
    world.get(secret, "/v1/health").await.status
}

#[tokio::test]
async fn a_token_counts_until_its_time_is_over_or_it_is_revoked() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let body = json!({"name": "asha", "role": "viewer"});
        let made = world.post(&admin, "/v1/tokens", &body);
        let made = made.await.good(201);
        let asha = made["secret"].as_str().expect("text");
        assert_eq!(made["token"]["created_by"], "admin");
        assert_eq!(status(&world, asha).await, 200);

        let then = time::now().plus_ms(-2 * DAY_MS);
        let expired = world.token_at("expired", Role::Admin, Some(1), then).await;
        let lasting = world.token_at("lasting", Role::Viewer, Some(3), then).await;
        assert_eq!(status(&world, &expired).await, 401);
        assert_eq!(status(&world, &lasting).await, 200);

        let revoke = || world.ask("DELETE", "/v1/tokens/asha").with(&admin);
        let revoked = revoke().send().await.good(200);
        assert_eq!(revoked["state"], "revoked");
        assert_eq!(status(&world, asha).await, 401, "the next request is refused");
        assert_eq!(revoke().send().await.good(200), revoked, "once more has no effect");
        assert_eq!(status(&world, &admin).await, 200);

        let listed = world.get(&admin, "/v1/tokens").await.good(200);
        let states: Vec<_> = listed["items"].as_array().expect("items").iter().collect();
        let states: Vec<_> = states.iter().map(|t| (&t["name"], &t["state"])).collect();
        let expected = ["admin active", "asha revoked", "expired expired", "lasting active"];
        let expected = expected.map(|text| text.split_once(' ').expect("two"));
        let expected = expected.map(|(name, state)| (json!(name), json!(state)));
        assert_eq!(states, expected.iter().map(|(n, s)| (n, s)).collect::<Vec<_>>());
        assert!(!listed.to_string().contains("tripline_"), "no secret is shown again");
        assert!(listed["items"][0]["last_used_at_unix_ms"].is_i64());

        let trail = world.get(&admin, "/v1/audit?actor=admin").await.good(200);
        let trail: Vec<_> = trail["items"].as_array().expect("items").iter().collect();
        let trail: Vec<_> = trail.iter().map(|entry| &entry["kind"]).collect();
        assert_eq!(trail, ["token-revoked", "token-added"], "one entry a change, newest first");
    })
    .await;
}

#[tokio::test]
async fn whoever_shows_no_token_that_counts_is_told_how_and_not_for_ever() {
    on_each(|world| async move {
        let good = world.token("good", Role::Viewer).await;
        assert_eq!(status(&world, &good).await, 200);
        let unknown = format!("tripline_{}", "0".repeat(64));
        for wrong in ["", "x", &good[1..], &good.to_uppercase(), &unknown] {
            let answer = world.get(wrong, "/v1/health").await;
            assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{wrong}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        }
        let basic = world.ask("GET", "/v1/health").header("authorization", format!("Basic {good}"));
        assert_eq!(basic.send().await.status, 401);
        let nowhere = world.ask("GET", "/v1/nowhere").send().await;
        assert_eq!(nowhere.status, 401, "what there is nobody learns without a token");

        let fresh = world.token("fresh", Role::Viewer).await;
        let mut refused = 0;
        while world.get(&unknown, "/v1/health").await.problem() != "too-often" {
            refused += 1;
            assert!(refused < 100, "it goes on for ever");
        }
        let answer = world.get(&unknown, "/v1/health").await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
        assert_eq!(status(&world, &good).await, 200, "one that counted before is let in");
        // That one of which it is not known waits is what keeps the store from the flood.
        assert!([200, 429].contains(&status(&world, &fresh).await));
    })
    .await;
}

#[tokio::test]
async fn tokens_that_cannot_be_made_are_refused_by_field() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        for (body, field) in [
            (json!({"name": "Asha", "role": "viewer"}), "name"),
            (json!({"name": "cli", "role": "viewer"}), "name"),
            (json!({"name": "a", "role": "root"}), "role"),
            (json!({"name": "a", "role": "viewer", "expires_days": 0}), "expires_days"),
            (json!({"name": "a", "role": "viewer", "expires_days": 3651}), "expires_days"),
            (json!({"name": "a", "role": "viewer", "expires_days": -1}), "expires_days"),
            (json!({"name": "a", "role": "viewer", "expire_days": 1}), "expire_days"),
            (json!({"name": "a"}), "body"),
        ] {
            let answer = world.post(&admin, "/v1/tokens", &body).await;
            assert_eq!((answer.status, answer.problem()), (422, "invalid"), "{body}");
            assert_eq!(answer.body["errors"][0]["field"], field, "{answer:?}");
        }
        let body = json!({"name": "admin", "role": "viewer"});
        let taken = world.post(&admin, "/v1/tokens", &body);
        let taken = taken.await;
        assert_eq!((taken.status, taken.problem()), (409, "conflict"));
        assert_eq!(world.get(&admin, "/v1/tokens").await.body["items"][1], json!(null));
    })
    .await;
}
