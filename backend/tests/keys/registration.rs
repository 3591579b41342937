//! Asking a registry to take up a key: what it is told, and what it may say.

use serde_json::json;
use tripline_backend::network::registration::{Registrar, SubscriptionStatus};

use crate::both::on_both;
use crate::registry::Registry;
use crate::world::{US, World, configuration};

#[tokio::test]
async fn a_key_is_registered_and_its_challenge_may_come_before_the_answer() {
    on_both(|store| async {
        let world = World::start(store).await;
        let status = world.register("k1").await.expect("registered");
        assert_eq!(status, SubscriptionStatus::Subscribed);
        let asked = world.registry.kept().asked.clone();
        let (body, ring) = (&asked[0], world.ring());
        let expected = json!({
            "subscriber_id": US, "subscriber_url": world.url, "type": "BPP",
            "domain": "nic2004:60221", "country": "IND", "city": "std:080",
            "unique_key_id": "k1",
            "signing_public_key": ring.signing().signing.public().to_string(),
            "encr_public_key": ring.signing().encryption.public_base64(),
            "valid_from": body["valid_from"], "valid_until": body["valid_until"],
            "nonce": body["nonce"],
        });
        assert_eq!(*body, expected);
        let [from, until] = ["valid_from", "valid_until"].map(|key| {
            let text = body[key].as_str().expect("text");
            text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
        });
        let made_ms = ring.signing().made_at.unix_ms;
        assert_eq!(from, made_ms - 60_000, "also by clocks that are behind");
        assert!(until - made_ms >= 365 * 86_400_000, "a year");

        assert_eq!(world.register("k1").await.expect("again"), SubscriptionStatus::Subscribed);
        let asked = world.registry.kept().asked.clone();
        assert_ne!(asked[0]["nonce"], asked[1]["nonce"], "unique to every request");
    })
    .await;
}

#[tokio::test]
async fn what_a_registry_says_beside_a_status_is_an_error_with_its_words() {
    let world = World::on_sqlite().await;
    let says = |status, text: &str| {
        world.registry.kept().says = Some((status, text.into()));
    };
    for (status, text) in [
        (500, "no database"),
        (200, "no database"),
        (200, r#"{"message":{"ack":{"status":"ACK"}}}"#),
        (200, r#"{"status":"WHO KNOWS"}"#),
        (400, r#"{"status":"SUBSCRIBED"}"#),
        (302, ""),
    ] {
        says(status, text);
        let error = world.register("k1").await.expect_err(text).to_string();
        assert!(error.starts_with(&format!("the registry answered {status} ")), "{error}");
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
    says(200, &"x".repeat(20_000));
    let error = world.register("k1").await.expect_err("endless").to_string();
    assert!(error.contains("more than 16384 bytes"), "{error}");
    for status in SubscriptionStatus::ALL {
        says(201, &json!({ "status": status.code(), "more": 1 }).to_string());
        assert_eq!(world.register("k1").await.expect("a status"), status);
    }
}

#[tokio::test]
async fn without_what_a_registry_wants_to_know_nothing_is_asked_and_the_key_is_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (dir, registry) = (tempfile::tempdir().expect("a folder"), Registry::start().await);
    let config = configuration(dir.path(), &registry, "http://127.0.0.1:1/beckn");
    for key in ["url", "domain", "country", "city", "encryption_public_key"] {
        let mut lacking = config.registry.clone();
        let field = match key {
            "url" => &mut lacking.url,
            "domain" => &mut lacking.domain,
            "country" => &mut lacking.country,
            "city" => &mut lacking.city,
            _ => &mut lacking.encryption_public_key,
        };
        *field = None;
        let error = Registrar::new(&lacking, config.settings().identity).expect_err(key);
        assert!(error.to_string().starts_with(&format!("[registry] {key} is not set")), "{error}");
    }
}
