//! The stub registry against subscribers that are simpler still.

use std::sync::Arc;
use std::time::Duration;

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt as _, KeyInit as _};
use anyhow::{Context as _, Result, ensure};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tripline_protocol::signing::{KeyId, SecretKey, decode_base64, encode_base64, sign};
use tripline_tests::registry::{Behavior, Lie, Outcome, Registry};
use x25519_dalek::{PublicKey, StaticSecret};

const ID: &str = "bpp.example";

/// Longer than anything takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Long enough for whatever would wrongly come.
const A_MOMENT: Duration = Duration::from_millis(50);

async fn registry() -> Result<Registry> {
    // Fails when another test of this process was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Registry::start(([127, 0, 0, 1], 0).into()).await
}

fn entry(id: &str, role: &str) -> Value {
    json!({
        "subscriber_id": id,
        "subscriber_url": format!("http://{id}/beckn"),
        "type": role,
        "domain": "nic2004:60221",
        "country": "IND",
        "city": "std:080",
        "signing_public_key": SecretKey::from_seed(&[1; 32]).public().to_string(),
        "unique_key_id": "k1",
        "status": "SUBSCRIBED",
    })
}

async fn ask(registry: &Registry, asked: &Value) -> Result<reqwest::Response> {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let url = format!("{}/lookup", registry.url());
    Ok(http.timeout(SOON).build()?.post(url).body(asked.to_string()).send().await?)
}

async fn found(registry: &Registry, asked: &Value) -> Result<Vec<Value>> {
    Ok(serde_json::from_slice(&ask(registry, asked).await?.bytes().await?)?)
}

#[tokio::test]
async fn a_lookup_is_answered_by_what_it_asks_for_and_counted() -> Result<()> {
    let registry = registry().await?;
    registry.enter(entry("a.example", "BAP"));
    registry.enter(entry("b.example", "BPP"));
    let asked = json!({ "subscriber_id": "a.example", "type": "bap", "city": "std:080" });
    ensure!(found(&registry, &asked).await? == [entry("a.example", "BAP")]);
    let elsewhere = json!({ "subscriber_id": "a.example", "type": "bap", "city": "std:011" });
    ensure!(found(&registry, &elsewhere).await?.is_empty());
    ensure!(registry.lookups_of("a.example") == 2 && registry.lookups_of("b.example") == 0);

    registry.change("a.example", |entry| entry["status"] = json!("UNSUBSCRIBED"));
    ensure!(found(&registry, &asked).await?[0]["status"] == "UNSUBSCRIBED");
    registry.remove("a.example");
    ensure!(found(&registry, &asked).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_stopped_registry_comes_back_at_its_address_and_knows_what_it_knew() -> Result<()> {
    let registry = registry().await?;
    registry.enter(entry("a.example", "BAP"));
    registry.stop().await;
    let asked = json!({ "subscriber_id": "a.example" });
    ask(&registry, &asked).await.expect_err("connections are refused");
    registry.start_again().await?;
    ensure!(found(&registry, &asked).await?.len() == 1);
    Ok(())
}

#[tokio::test]
async fn every_lie_is_told_and_every_breakdown_happens() -> Result<()> {
    let registry = registry().await?;
    registry.enter(entry("a.example", "BAP"));
    registry.enter(entry("b.example", "BAP"));
    let asked = json!({ "subscriber_id": "a.example" });
    let truth = entry("a.example", "BAP");
    let lie = |lie| registry.set_behavior(Behavior::Lying(lie));

    lie(Lie::AnotherSubscriber);
    ensure!(found(&registry, &asked).await? == [entry("b.example", "BAP")]);
    for (told, key) in
        [(Lie::AnotherKey, "signing_public_key"), (Lie::AnotherUrl, "subscriber_url")]
    {
        lie(told);
        let mut found = found(&registry, &asked).await?;
        ensure!(found[0][key] != truth[key]);
        found[0][key] = truth[key].clone();
        ensure!(found == [truth.clone()], "{found:?}");
    }
    lie(Lie::NotJson);
    let body = ask(&registry, &asked).await?.text().await?;
    ensure!(serde_json::from_str::<Value>(&body).is_err());

    lie(Lie::Endless);
    let mut endless = ask(&registry, &asked).await?;
    let mut len = 0;
    while len < 10_000_000 {
        len += endless.chunk().await?.context("it ended")?.len();
    }
    drop(endless);

    lie(Lie::Redirect);
    let redirect = ask(&registry, &asked).await?;
    let location = redirect.headers()["Location"].to_str()?.to_owned();
    ensure!(redirect.status() == 307 && registry.redirects_followed() == 0);
    let onward = reqwest::Client::builder().no_proxy().build()?;
    onward.post(location).body(asked.to_string()).send().await?;
    ensure!(registry.redirects_followed() == 1);

    registry.set_behavior(Behavior::Error500);
    ensure!(ask(&registry, &asked).await?.status() == 500);
    registry.set_behavior(Behavior::Silent);
    tokio::time::timeout(A_MOMENT, ask(&registry, &asked)).await.expect_err("it is kept waiting");
    registry.set_behavior(Behavior::Honest);
    ensure!(found(&registry, &asked).await? == [truth]);
    Ok(())
}

/// A subscriber that reads challenges, or not.
struct Subscriber {
    key: SecretKey,
    next_key: SecretKey,
    encryption: StaticSecret,
    registry: Registry,
    reads: bool,
}

impl Subscriber {
    /// Starts to listen, with its first key entered.
    async fn start(registry: &Registry, reads: bool) -> Result<Arc<Self>> {
        let subscriber = Arc::new(Self {
            key: SecretKey::from_seed(&[1; 32]),
            next_key: SecretKey::from_seed(&[2; 32]),
            encryption: StaticSecret::from([3; 32]),
            registry: registry.clone(),
            reads,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut own = entry(ID, "BPP");
        own["subscriber_url"] = json!(format!("http://{}", listener.local_addr()?));
        registry.enter(own);
        let router = Router::new()
            .route("/on_subscribe", post(on_subscribe))
            .with_state(Arc::clone(&subscriber));
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(subscriber)
    }

    fn body(&self, nonce: &str) -> Value {
        json!({
            "subscriber_id": ID,
            "type": "BPP",
            "unique_key_id": "k2",
            "signing_public_key": self.next_key.public().to_string(),
            "encr_public_key": encode_base64(PublicKey::from(&self.encryption).as_bytes()),
            "valid_from": "2020-01-01T00:00:00Z",
            "valid_until": "2100-01-01T00:00:00Z",
            "nonce": nonce,
        })
    }

    /// Asks for the next key to be entered, signed by one of them; gives the status.
    async fn subscribe(&self, body: &Value, key: &SecretKey, key_id: &str) -> Result<u16> {
        let body = body.to_string();
        let key_id = KeyId { subscriber_id: ID.into(), unique_key_id: Some(key_id.into()) };
        let now_s = Timestamp::now().as_second();
        let authorization = sign(body.as_bytes(), key, &key_id, now_s, now_s + 60);
        let request = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}/subscribe", self.registry.url());
        let request = request.post(url).header("Authorization", authorization).body(body);
        Ok(request.send().await?.status().as_u16())
    }

    /// Reads a challenge: the other side of what the registry does, and nothing of its code.
    fn read(&self, challenge: &str) -> Option<String> {
        let registry: [u8; 32] =
            decode_base64(&self.registry.encryption_public_key())?.try_into().ok()?;
        let shared = self.encryption.diffie_hellman(&PublicKey::from(registry));
        let cipher = Aes256::new(&Array::from(*shared.as_bytes()));
        let mut bytes = decode_base64(challenge)?;
        for block in bytes.as_chunks_mut::<16>().0 {
            let mut sealed = Array::from(*block);
            cipher.decrypt_block(&mut sealed);
            *block = sealed.into();
        }
        let padding = usize::from(*bytes.last()?);
        bytes.truncate(bytes.len().checked_sub(padding)?);
        String::from_utf8(bytes).ok()
    }
}

async fn on_subscribe(State(own): State<Arc<Subscriber>>, Json(body): Json<Value>) -> Json<Value> {
    let challenge = body["challenge"].as_str().unwrap_or_default();
    let answer = own.reads.then(|| own.read(challenge)).flatten();
    Json(json!({ "answer": answer.unwrap_or_else(|| "no idea".into()) }))
}

#[tokio::test]
async fn a_further_key_is_entered_once_its_owner_has_read_the_challenge() -> Result<()> {
    let registry = registry().await?;
    let subscriber = Subscriber::start(&registry, true).await?;
    // Signed with the registered key; the key that is to be entered is as good.
    let (key, next_key) = (&subscriber.key, &subscriber.next_key);
    ensure!(subscriber.subscribe(&subscriber.body("n1"), key, "k1").await? == 200);
    ensure!(registry.wait_for_subscription("k2", SOON).await? == Outcome::Subscribed);
    let keys: Vec<_> =
        registry.entries_of(ID).iter().map(|entry| entry["unique_key_id"].clone()).collect();
    ensure!(keys == ["k1", "k2"], "{keys:?}");
    registry.remove_key(ID, "k2");
    ensure!(subscriber.subscribe(&subscriber.body("n2"), next_key, "k2").await? == 200);
    ensure!(registry.wait_for_subscription("k2", SOON).await? == Outcome::Subscribed);
    Ok(())
}

#[tokio::test]
async fn who_need_not_be_believed_is_not_and_gets_no_challenge() -> Result<()> {
    let registry = registry().await?;
    let subscriber = Subscriber::start(&registry, true).await?;
    let (key, next_key) = (&subscriber.key, &subscriber.next_key);
    let good = subscriber.body("n1");
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().expect("an object").remove(name);
        body
    };
    ensure!(subscriber.subscribe(&good, next_key, "k1").await? == 401, "another's signature");
    ensure!(subscriber.subscribe(&without("nonce"), key, "k1").await? == 401, "no nonce");
    ensure!(subscriber.subscribe(&without("encr_public_key"), key, "k1").await? == 401, "no key");
    ensure!(subscriber.subscribe(&good, key, "k1").await? == 401, "a nonce used before");
    let refused = |asked: &tripline_tests::registry::Subscription| {
        matches!(asked.outcome, Outcome::Refused(_))
    };
    let all = registry.subscriptions();
    ensure!(all.len() == 4 && all.iter().all(refused), "{all:?}");
    ensure!(registry.entries_of(ID).len() == 1);
    Ok(())
}

#[tokio::test]
async fn a_challenge_that_was_not_read_enters_nothing() -> Result<()> {
    let registry = registry().await?;
    let subscriber = Subscriber::start(&registry, false).await?;
    ensure!(subscriber.subscribe(&subscriber.body("n1"), &subscriber.key, "k1").await? == 200);
    let outcome = registry.wait_for_subscription("k2", SOON).await?;
    ensure!(
        matches!(&outcome, Outcome::Failed(why) if why.contains("did not read")),
        "{outcome:?}"
    );
    ensure!(registry.entries_of(ID).len() == 1);
    Ok(())
}
