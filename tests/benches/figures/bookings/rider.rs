//! The riders' platform: it signs its requests, and hands each callback to who waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tripline_protocol::signing::{KeyId, SecretKey, sign};
use uuid::Uuid;

use super::stage::{BPP_ID, Stage};

const ACK: &str = r#"{"message":{"ack":{"status":"ACK"}}}"#;
const ID: &str = "bap.bench";
const SIGNATURE_S: i64 = 60;

/// Longest wait for an answer, and for a callback.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two pickups, in degrees: some 10 m.
const STEP: f64 = 0.000_1;

/// Pickups in a row, before they begin anew a row further.
const ROW: u32 = 60;

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Value>>>>;

/// The platform, for all riders.
pub(super) struct Riders {
    uri: String,
    key: SecretKey,
    http: reqwest::Client,
    waiting: Waiting,
    booked: AtomicU32,
}

impl Riders {
    /// Starts to listen; the task ends with the runtime.
    pub(super) async fn start() -> Result<Self> {
        let waiting = Waiting::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let uri = format!("http://{}/bap", listener.local_addr()?);
        let router =
            Router::new().route("/bap/{action}", post(take)).with_state(Arc::clone(&waiting));
        tokio::spawn(axum::serve(listener, router).into_future());
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let key = SecretKey::from_seed(&[3; 32]);
        Ok(Self { uri, key, http, waiting, booked: AtomicU32::new(0) })
    }

    /// Its entry, for the file of subscribers.
    pub(super) fn entry(&self) -> Value {
        json!({
            "subscriber_id": ID,
            "subscriber_url": self.uri,
            "type": "BAP",
            "signing_public_key": self.key.public().to_string(),
            "unique_key_id": "k1",
            "status": "SUBSCRIBED",
        })
    }

    /// Books one ride, to its confirmation.
    pub(super) async fn book(&self, stage: &Stage) -> Result<()> {
        let n = self.booked.fetch_add(1, Ordering::Relaxed);
        let (north, east) = (f64::from(n % ROW) * STEP, f64::from(n / ROW % ROW) * STEP);
        let gps =
            |lat: f64, lon: f64| json!({ "location": { "gps": format!("{lat:.7},{lon:.7}") } });
        let (lat, lon) = (12.9716 + north, 77.5946 + east);
        let route = json!({ "start": gps(lat, lon), "end": gps(lat + 0.03, lon + 0.03) });

        let intent = json!({ "intent": { "fulfillment": route } });
        let catalog = self.ask(stage, "search", intent).await?.await?;
        let item = &catalog["message"]["catalog"]["bpp/providers"][0]["items"][0]["id"];
        ensure!(item.is_string(), "no item in {catalog}");

        let order = json!({ "order": { "items": [{ "id": item }], "fulfillment": route } });
        let quoted = self.ask(stage, "select", order).await?.await?;
        let mut order = quoted["message"]["order"].clone();
        order["fulfillment"]["customer"] = json!({
            "person": { "name": "Asha Rao" },
            "contact": { "phone": "+91-9800000000" },
        });
        let terms = self.ask(stage, "init", json!({ "order": order })).await?.await?;
        let order = terms["message"]["order"].clone();
        let id = order["id"].as_str().with_context(|| format!("no order in {terms}"))?.to_owned();
        let confirmed = self.ask(stage, "confirm", json!({ "order": order })).await?;
        stage.accept(&id).await?;
        let confirmed = confirmed.await?;
        ensure!(confirmed["message"]["order"]["id"] == id.as_str(), "not confirmed: {confirmed}");
        Ok(())
    }

    /// Sends a request; when it was acknowledged, gives its callback to be waited for.
    async fn ask(
        &self,
        stage: &Stage,
        action: &str,
        message: Value,
    ) -> Result<impl Future<Output = Result<Value>> + use<>> {
        let (id, now) = (Uuid::new_v4().to_string(), Timestamp::now());
        let mut context = json!({
            "domain": "nic2004:60221",
            "country": "IND",
            "city": "std:080",
            "action": action,
            "core_version": "0.9.4",
            "bap_id": ID,
            "bap_uri": self.uri,
            "transaction_id": id,
            "message_id": id,
            "timestamp": now.to_string(),
        });
        if action != "search" {
            context["bpp_id"] = json!(BPP_ID);
            context["bpp_uri"] = json!(stage.uri);
        }
        let body = json!({ "context": context, "message": message }).to_string();
        let key_id = KeyId { subscriber_id: ID.into(), unique_key_id: Some("k1".into()) };
        let now_s = now.as_second();
        let signature = sign(body.as_bytes(), &self.key, &key_id, now_s, now_s + SIGNATURE_S);
        let (called, callback) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, called);
        let request = self.http.post(format!("{}/{action}", stage.uri));
        let request = request.header(CONTENT_TYPE, "application/json");
        let answer = request.header(AUTHORIZATION, signature).body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(text.contains("\"ACK\""), "{action}: {status} {text}");
        let what = format!("no callback to {action}");
        Ok(async move {
            let called = tokio::time::timeout(PATIENCE, callback).await;
            called.with_context(|| what.clone())?.context(what)
        })
    }
}

async fn take(State(waiting): State<Waiting>, body: Bytes) -> &'static str {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = body["context"]["message_id"].as_str().unwrap_or_default();
    if let Some(called) = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
        let _ = called.send(body);
    }
    ACK
}
