//! The stub BAP against a BPP that is simpler still.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tripline_protocol::signing::{KeyId, SecretKey, SignatureHeader, challenge, sign, verify};
use tripline_tests::bap::{Bap, BapSettings, Behavior, BppAddress};

const BAP_ID: &str = "bap.example";
const BPP_ID: &str = "bpp.example";
const UNIQUE_KEY_ID: &str = "k1";
const PICKUP: &str = "37.424800,-122.076400";
const DROP: &str = "37.424900,-122.077800";

/// Longer than anything takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Long enough for whatever would wrongly come.
const A_MOMENT: Duration = Duration::from_millis(50);

fn bap_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn key_id(subscriber_id: &str) -> KeyId {
    KeyId { subscriber_id: subscriber_id.into(), unique_key_id: Some(UNIQUE_KEY_ID.into()) }
}

/// Takes every request with a good signature, and answers it with what a booking goes on with.
struct FakeBpp {
    key: SecretKey,
    uri: String,
    http: reqwest::Client,
}

impl FakeBpp {
    async fn start() -> Arc<Self> {
        // Fails when another test of this process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}/bpp", listener.local_addr().expect("bound"));
        let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().expect("a client");
        let bpp = Arc::new(Self { key: SecretKey::from_seed(&[2; 32]), uri, http });
        let router = Router::new().route("/bpp/{action}", post(take)).with_state(Arc::clone(&bpp));
        tokio::spawn(axum::serve(listener, router).into_future());
        bpp
    }

    async fn bap(&self, listen: SocketAddr) -> Bap {
        let settings = BapSettings {
            subscriber_id: BAP_ID.into(),
            unique_key_id: UNIQUE_KEY_ID.into(),
            listen,
            key: bap_key(),
        };
        let bpp = BppAddress {
            uri: self.uri.clone(),
            subscriber_id: BPP_ID.into(),
            unique_key_id: UNIQUE_KEY_ID.into(),
            public_key: self.key.public(),
        };
        Bap::start(settings, bpp).await.expect("it starts")
    }

    /// Posts a callback, signed; returns the status and the body.
    async fn post(&self, uri: &str, action: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        let body = body.to_string();
        let authorization = self.sign(body.as_bytes(), BPP_ID);
        self.post_raw(uri, action, body, Some(authorization)).await
    }

    async fn post_raw(
        &self,
        uri: &str,
        action: &str,
        body: String,
        authorization: Option<String>,
    ) -> reqwest::Result<(u16, Value)> {
        let mut request = self.http.post(format!("{uri}/{action}")).body(body);
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_slice(&response.bytes().await?).unwrap_or_default()))
    }

    fn sign(&self, body: &[u8], subscriber_id: &str) -> String {
        let now_s = Timestamp::now().as_second();
        sign(body, &self.key, &key_id(subscriber_id), now_s, now_s + 60)
    }
}

fn callback(action: &str, message_id: &str, content: &Value) -> Value {
    let context = json!({
        "domain": "nic2004:60221", "country": "IND", "city": "std:080", "core_version": "0.9.4",
        "action": action, "bap_id": BAP_ID, "bap_uri": "https://bap.example", "bpp_id": BPP_ID,
        "transaction_id": "t1", "message_id": message_id, "timestamp": "2026-01-31T08:30:00.000Z",
    });
    let mut body = content.clone();
    body["context"] = context;
    body
}

fn on_status(message_id: &str, code: &str) -> Value {
    let fulfillment = json!({ "state": { "descriptor": { "code": code } } });
    let order = json!({ "id": "order-1", "fulfillment": fulfillment });
    callback("on_status", message_id, &json!({ "message": { "order": order } }))
}

async fn take(
    State(bpp): State<Arc<FakeBpp>>,
    Path(action): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_from_bap(&headers, &body) {
        let body = json!({
            "message": { "ack": { "status": "NACK" } },
            "error": { "code": "30000", "message": "who are you?" },
        });
        let challenge = [("WWW-Authenticate", challenge(BPP_ID))];
        return (StatusCode::UNAUTHORIZED, challenge, body.to_string()).into_response();
    }
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    if let Some(content) = content(&action, &request) {
        let action = format!("on_{action}");
        let message_id = request["context"]["message_id"].as_str().expect("an id");
        let answer = callback(&action, message_id, &content);
        let bap_uri = request["context"]["bap_uri"].as_str().expect("an address").to_owned();
        tokio::spawn(async move { bpp.post(&bap_uri, &action, &answer).await });
    }
    json!({ "message": { "ack": { "status": "ACK" } } }).to_string().into_response()
}

fn is_from_bap(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = headers.get("Authorization").and_then(|value| value.to_str().ok());
    let Some(Ok(header)) = header.map(SignatureHeader::parse) else { return false };
    header.key_id == key_id(BAP_ID)
        && verify(&header, body, &bap_key().public(), Timestamp::now().as_second()).is_ok()
}

/// The answer echoes the request's message, so that a test sees what the request carried.
fn content(action: &str, request: &Value) -> Option<Value> {
    let mut message = request["message"].clone();
    match action {
        "search" => {
            let asked = &message["intent"]["fulfillment"];
            Some(json!({ "message": { "catalog": { "bpp/fulfillments": [asked] } } }))
        }
        "init" | "confirm" => Some(json!({ "message": message })),
        "status" => Some(json!({ "message": { "order": { "id": message["order_id"] } } })),
        "track" => Some(json!({ "message": { "tracking": { "status": "active" } } })),
        "select" if message["order"]["items"][0]["id"] == "auto" => {
            message["order"]["fulfillment"]["id"] = json!("f1");
            Some(json!({ "message": message }))
        }
        "select" => Some(json!({
            "error": { "type": "DOMAIN-ERROR", "code": "30004", "message": "no such item" },
        })),
        _ => None,
    }
}

async fn pair() -> (Arc<FakeBpp>, Bap) {
    let bpp = FakeBpp::start().await;
    let bap = bpp.bap(([127, 0, 0, 1], 0).into()).await;
    (bpp, bap)
}

async fn wait_for_message(bap: &Bap, message_id: &str) {
    bap.wait_for_arrival(message_id, SOON, |entries| {
        entries.iter().any(|entry| entry.message_id == message_id).then_some(())
    })
    .await
    .expect("it arrives");
}

#[tokio::test]
async fn a_signed_callback_is_acknowledged_and_noted() {
    let (bpp, bap) = pair().await;
    let body = on_status("m1", "RIDE_STARTED");
    let answer = bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    assert_eq!(answer, (200, json!({ "message": { "ack": { "status": "ACK" } } })));
    let [entry] = bap.ledger().try_into().expect("one");
    assert!(entry.signature_valid && entry.fault.is_none());
    assert_eq!((entry.action.as_str(), entry.message_id.as_str()), ("on_status", "m1"));
    assert_eq!((entry.order_id.as_deref(), entry.answered), (Some("order-1"), Behavior::Ack));
    assert_eq!(entry.body, body);
    assert!((Timestamp::now().as_millisecond() - entry.at_unix_ms).abs() < 60_000);
    assert_eq!(bap.fulfillment_states("order-1"), ["RIDE_STARTED"]);
}

#[tokio::test]
async fn a_callback_without_a_good_signature_of_the_bpp_is_noted_and_refused() {
    let (bpp, bap) = pair().await;
    let body = on_status("m1", "RIDE_STARTED").to_string();
    for (authorization, why) in [
        (None, "no Authorization header"),
        (Some("Bearer x".to_owned()), "scheme"),
        (Some(bpp.sign(b"other bytes", BPP_ID)), "does not match"),
        (Some(bpp.sign(body.as_bytes(), "somebody.example")), "not the BPP"),
    ] {
        let posted = bpp.post_raw(&bap.uri(), "on_status", body.clone(), authorization).await;
        let (status, answer) = posted.expect("an answer");
        assert_eq!((status, &answer["message"]["ack"]["status"]), (401, &json!("NACK")));
        let entry = bap.ledger().pop().expect("noted");
        assert_eq!((entry.signature_valid, entry.answered), (false, Behavior::Nack));
        let fault = entry.fault.expect("a fault");
        assert!(fault.contains(why), "{fault}");
    }
    assert_eq!((bap.ledger().len(), bap.accepted().len()), (4, 0));
}

#[tokio::test]
async fn a_callback_that_is_not_what_it_says_is_refused() {
    let (bpp, bap) = pair().await;
    let good = on_status("m1", "RIDE_STARTED");
    let with = |name: &str, value: &str| {
        let mut body = good.clone();
        body["context"][name] = json!(value);
        body
    };
    for (body, why) in [
        (with("action", "on_update"), "context.action"),
        (with("bap_id", "other.example"), "context.bap_id"),
        (with("bpp_id", "other.example"), "context.bpp_id"),
        (with("message_id", ""), "context.message_id"),
        (json!("text"), "no JSON object"),
    ] {
        let (status, answer) = bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
        assert_eq!(status, 400, "{body}");
        let message = answer["error"]["message"].as_str().expect("a reason");
        assert!(message.contains(why), "{message}");
    }
    assert!(bap.ledger().iter().all(|entry| entry.signature_valid && entry.fault.is_some()));
    assert!(bap.accepted().is_empty());
}

#[tokio::test]
async fn repetitions_are_acknowledged_and_accepted_once() {
    let (bpp, bap) = pair().await;
    for message_id in ["m1", "m1", "m2", "m1"] {
        let body = on_status(message_id, "RIDE_PAUSED");
        let (status, _) = bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
        assert_eq!(status, 200);
    }
    assert_eq!(bap.ledger().len(), 4);
    assert_eq!(bap.accepted().len(), 2);
    assert_eq!(bap.fulfillment_states("order-1"), ["RIDE_PAUSED", "RIDE_PAUSED"]);
}

#[tokio::test]
async fn refusals_and_breakdowns_are_answered_as_set() {
    let (bpp, bap) = pair().await;
    let body = on_status("m1", "RIDE_STARTED");
    bap.set_behavior(Behavior::Nack);
    let (status, answer) = bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    assert_eq!((status, &answer["message"]["ack"]["status"]), (200, &json!("NACK")));
    bap.set_behavior(Behavior::Error500);
    let (status, _) = bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    assert_eq!(status, 500);
    bap.set_behavior(Behavior::Unreachable);
    bpp.post(&bap.uri(), "on_status", &body).await.expect_err("closed without an answer");
    bap.set_behavior(Behavior::Ack);
    let (status, _) = bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    assert_eq!(status, 200);
    let answered: Vec<_> = bap.ledger().iter().map(|entry| entry.answered).collect();
    let set = [Behavior::Nack, Behavior::Error500, Behavior::Unreachable, Behavior::Ack];
    assert_eq!(answered, set);
    assert_eq!(bap.accepted().len(), 1);
}

#[tokio::test]
async fn silence_lasts_until_the_behavior_changes_and_is_no_answer() {
    let (bpp, bap) = pair().await;
    bap.set_behavior(Behavior::Silent);
    let uri = bap.uri();
    let body = on_status("m1", "RIDE_STARTED");
    let mut posting = tokio::spawn(async move { bpp.post(&uri, "on_status", &body).await });
    wait_for_message(&bap, "m1").await;
    bap.set_behavior(Behavior::Silent);
    tokio::time::timeout(A_MOMENT, &mut posting).await.expect_err("it is kept waiting");
    bap.set_behavior(Behavior::Ack);
    let posted = tokio::time::timeout(SOON, posting).await.expect("ends").expect("no panic");
    posted.expect_err("closed without an answer");
    assert_eq!(bap.ledger()[0].answered, Behavior::Silent);
    assert!(bap.accepted().is_empty());
}

#[tokio::test]
async fn a_stopped_platform_refuses_connections_and_comes_back_on_its_port() {
    let (bpp, bap) = pair().await;
    let body = on_status("m1", "RIDE_STARTED");
    bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    bap.stop().await;
    let uri = bap.uri();
    assert!(bpp.post(&uri, "on_status", &body).await.expect_err("refused").is_connect());
    assert_eq!(bap.ledger().len(), 1);

    let address = uri.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/bap"));
    let again = bpp.bap(address.expect("its form").parse().expect("an address")).await;
    assert_eq!(again.uri(), uri);
    bpp.post(&uri, "on_status", &body).await.expect("an answer");
    assert_eq!(again.accepted().len(), 1);
}

#[tokio::test]
async fn the_last_handle_ends_the_platform() {
    let (bpp, bap) = pair().await;
    let (other, uri) = (bap.clone(), bap.uri());
    drop(bap);
    bpp.post(&uri, "on_status", &on_status("m1", "A")).await.expect("an answer");
    drop(other);
    let refused = async {
        while bpp.post(&uri, "on_status", &on_status("m2", "A")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, refused).await.expect("it ends");
}

#[tokio::test]
async fn a_wait_in_vain_says_for_what_and_what_came() {
    let (bpp, bap) = pair().await;
    for (action, message_id) in [("on_status", "m1"), ("on_update", "m2")] {
        let body = on_status(message_id, "RIDE_STARTED");
        bpp.post(&bap.uri(), action, &body).await.expect("an answer");
    }
    let waited = bap.wait_for("RIDE_ENDED", A_MOMENT, |accepted| {
        accepted.iter().find(|entry| entry.state_code() == Some("RIDE_ENDED")).cloned()
    });
    let error = waited.await.expect_err("it never came").to_string();
    assert_eq!(
        error,
        "RIDE_ENDED: not within 50ms; callbacks seen: on_status RIDE_STARTED, on_update \
         RIDE_STARTED [Nack: context.action is \"on_status\", not \"on_update\"]"
    );
}

#[tokio::test]
async fn a_booking_goes_from_search_to_confirmation() -> anyhow::Result<()> {
    let (_bpp, bap) = pair().await;
    let on_search = bap.search(PICKUP, DROP).await?;
    let start = on_search.pointer("/message/catalog/bpp~1fulfillments/0/start/location/gps");
    assert_eq!(start, Some(&json!(PICKUP)));
    let on_select = bap.select("auto", PICKUP, DROP).await?;
    let on_init = bap.init(&on_select, "Asha", "+91-80-5550100").await?;
    let order = on_init.pointer("/message/order").context("an order")?;
    assert_eq!(order["items"][0]["id"], "auto");
    assert_eq!(order["fulfillment"]["id"], "f1");
    assert_eq!(order["fulfillment"]["customer"]["person"]["name"], "Asha");
    assert_eq!(order["fulfillment"]["customer"]["contact"]["phone"], "+91-80-5550100");
    let message_id = bap.confirm(&on_init).await?;
    let on_confirm = bap.on_confirm(&message_id).await?;
    assert_eq!(on_confirm["message"], on_init["message"]);
    for order_id in ["o1", "o2"] {
        assert_eq!(bap.status(order_id).await?["message"]["order"]["id"], order_id);
    }
    assert_eq!(bap.track("o1").await?["context"]["action"], "on_track");
    assert_eq!(bap.accepted().len(), 7);
    Ok(())
}

#[tokio::test]
async fn a_refused_step_names_code_and_message_and_stays_in_the_ledger() {
    let (_bpp, bap) = pair().await;
    let error = bap.select("limousine", PICKUP, DROP).await.expect_err("refused").to_string();
    assert_eq!(error, "select failed: error 30004: no such item");
    let noted = bap.wait_for("on_select", Duration::ZERO, |accepted| accepted.first().cloned());
    assert_eq!(noted.await.expect("it is there").body["error"]["code"], "30004");
}

#[tokio::test]
async fn raw_requests_go_out_as_they_are() {
    let (_bpp, bap) = pair().await;
    let request = json!({ "context": bap.context("status", "m7"), "message": {} }).to_string();
    let body = request.into_bytes();
    let signed = bap.sign(&body);
    let answer = bap.request_raw("status", body.clone(), Some(signed.clone())).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.http_status, answer.ack, answer.message_id.as_str()), (200, true, "m7"));

    for (body, authorization) in [(b"{}".to_vec(), Some(signed)), (body, None)] {
        let answer = bap.request_raw("status", body, authorization).await.expect("an answer");
        assert_eq!((answer.http_status, answer.ack), (401, false));
        assert_eq!(answer.challenge.as_deref(), Some(challenge(BPP_ID).as_str()));
        assert_eq!(answer.body["error"]["code"], "30000");
    }
}

#[tokio::test]
async fn its_registry_entry_and_context_agree() {
    let (_bpp, bap) = pair().await;
    let entry = bap.lookup_entry();
    let context = bap.context("select", "m1");
    assert_eq!(entry["subscriber_url"], context["bap_uri"]);
    assert_eq!(entry["subscriber_id"], context["bap_id"]);
    assert_eq!(entry["signing_public_key"], bap_key().public().to_string());
    assert_eq!(context["bpp_id"], BPP_ID);
    assert_eq!(bap.context("search", "m1").get("bpp_id"), None);
    for (name, value) in [("type", "BAP"), ("status", "SUBSCRIBED"), ("domain", "nic2004:60221")] {
        assert_eq!(entry[name], value);
    }
}

#[tokio::test]
async fn what_was_sent_is_kept_and_can_be_sent_again_byte_for_byte() -> anyhow::Result<()> {
    let (_bpp, bap) = pair().await;
    bap.status("o1").await?;
    bap.track("o1").await?;
    let sent = bap.sent();
    let actions: Vec<_> = sent.iter().map(|sent| sent.action.as_str()).collect();
    assert_eq!(actions, ["status", "track"]);
    let answer = bap.send_again(&sent[0]).await?;
    assert_eq!((answer.ack, answer.message_id), (true, sent[0].message_id.clone()));
    let told = bap.accepted();
    let body: Value = serde_json::from_slice(&sent[0].body)?;
    let (echo, message) = (&told[0].body["message"], &body["message"]);
    assert_eq!(echo["order"]["id"], message["order_id"], "it went out as it is kept");
    assert_eq!(bap.sent().len(), 2);
    Ok(())
}

#[tokio::test]
async fn both_sides_change_their_keys() {
    let (bpp, bap) = pair().await;
    let next = SecretKey::from_seed(&[7; 32]);
    bap.rotate_key("k2", next.clone());
    let body = json!({ "context": bap.context("status", "m1"), "message": {} }).to_string();
    let header = SignatureHeader::parse(&bap.sign(body.as_bytes())).expect("a header");
    assert_eq!(header.key_id.unique_key_id.as_deref(), Some("k2"));
    let now_s = Timestamp::now().as_second();
    verify(&header, body.as_bytes(), &next.public(), now_s).expect("signed with the new key");
    assert_eq!(bap.lookup_entry()["signing_public_key"], next.public().to_string());
    assert_eq!(bap.lookup_entry()["unique_key_id"], "k2");

    let told = on_status("m1", "RIDE_STARTED");
    let key_id = KeyId { subscriber_id: BPP_ID.into(), unique_key_id: Some("next".into()) };
    let uri = bap.uri();
    let post = async || {
        let told = told.to_string();
        let authorization = sign(told.as_bytes(), &next, &key_id, now_s, now_s + 60);
        let posted = bpp.post_raw(&uri, "on_status", told, Some(authorization)).await;
        posted.expect("an answer").0
    };
    assert_eq!(post().await, 401);
    bap.trust_key("next", next.public());
    assert_eq!(post().await, 200);
    assert_eq!(bpp.post(&bap.uri(), "on_status", &told).await.expect("an answer").0, 200);
    bap.distrust_key("next");
    assert_eq!(post().await, 401);
}

#[tokio::test]
async fn a_platform_that_was_down_has_the_ledger_it_had() {
    let (bpp, bap) = pair().await;
    let body = on_status("m1", "RIDE_STARTED");
    bap.set_behavior(Behavior::Error500);
    bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    bap.stop().await;
    assert!(bpp.post(&bap.uri(), "on_status", &body).await.expect_err("refused").is_connect());
    bap.set_behavior(Behavior::Ack);
    bap.start_again().await.expect("its port is free");
    bpp.post(&bap.uri(), "on_status", &body).await.expect("an answer");
    assert_eq!((bap.ledger().len(), bap.accepted().len()), (2, 1));
    assert_eq!(bap.faults_of_attempts(), Vec::<String>::new());
}
