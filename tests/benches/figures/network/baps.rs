//! Riders' platforms: they sign, and note when their callbacks come. One of them never answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tripline_protocol::signing::{KeyId, SecretKey, sign};
use tripline_tests::bap::order_said_anew;

/// Platforms that answer their callbacks and are measured.
pub(super) const HEALTHY: usize = 4;

/// One more that answers them.
pub(super) const SPARE: usize = HEALTHY;

/// One that takes callbacks and never answers.
pub(super) const HOLE: usize = HEALTHY + 1;

const COUNT: usize = HOLE + 1;

const ACK: &str = r#"{"message":{"ack":{"status":"ACK"}}}"#;
const DOMAIN: &str = "nic2004:60221";
const SIGNATURE_S: i64 = 60;

/// One load: when each of its requests was acknowledged and when its callback came, in microseconds after
/// the beginning; 0 is never.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) begun: Instant,
    pub(super) acknowledged_us: Vec<AtomicU64>,
    pub(super) called_us: Vec<AtomicU64>,
}

impl Run {
    pub(super) fn new(number: u64, begun: Instant, requests: usize) -> Self {
        let never = || (0..requests).map(|_| AtomicU64::new(0)).collect();
        Self { number, begun, acknowledged_us: never(), called_us: never() }
    }

    /// Notes that something happened to a request at this moment, if it did not before.
    pub(super) fn note(&self, times: &[AtomicU64], n: usize) {
        let us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(time) = times.get(n) {
            let _ = time.compare_exchange(0, us, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

type Current = Arc<Mutex<Option<Arc<Run>>>>;

struct Bap {
    id: String,
    uri: String,
    key: SecretKey,
}

/// All of them.
pub(super) struct Baps {
    pub(super) bpp_uri: String,
    all: Vec<Bap>,
    current: Current,
}

impl Baps {
    /// Starts to listen; the tasks end with the runtime.
    pub(super) async fn start(bpp_uri: &str) -> Result<Self> {
        let current = Current::default();
        let mut all = Vec::new();
        for n in 0..COUNT {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let uri = format!("http://{}/bap", listener.local_addr()?);
            let router = if n == HOLE {
                Router::new().route("/bap/{action}", post(swallow))
            } else {
                Router::new().route("/bap/{action}", post(take)).with_state(Arc::clone(&current))
            };
            tokio::spawn(axum::serve(listener, router).into_future());
            let seed = [u8::try_from(n + 1)?; 32];
            let id = format!("bap-{n}.bench");
            all.push(Bap { id, uri, key: SecretKey::from_seed(&seed) });
        }
        Ok(Self { bpp_uri: bpp_uri.into(), all, current })
    }

    /// Their entries, for the file of subscribers.
    pub(super) fn entries(&self) -> Value {
        let entry = |bap: &Bap| {
            json!({
                "subscriber_id": bap.id,
                "subscriber_url": bap.uri,
                "type": "BAP",
                "domain": DOMAIN,
                "signing_public_key": bap.key.public().to_string(),
                "unique_key_id": "k1",
                "status": "SUBSCRIBED",
            })
        };
        self.all.iter().map(entry).collect()
    }

    /// Callbacks that come from here on belong to this run.
    pub(super) fn begin(&self, run: &Arc<Run>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(run));
    }

    /// A request of one of them, and its `Authorization`.
    pub(super) fn request(&self, from: usize, run: u64, n: usize) -> (String, String) {
        let bap = &self.all[from];
        let now = Timestamp::now();
        let body = body(&bap.id, &bap.uri, &self.bpp_uri, &format!("{run}-{n}"), now);
        let key_id = KeyId { subscriber_id: bap.id.clone(), unique_key_id: Some("k1".into()) };
        let now_s = now.as_second();
        let header = sign(body.as_bytes(), &bap.key, &key_id, now_s, now_s + SIGNATURE_S);
        (body, header)
    }
}

/// An `init` that makes an order: the dearest of the requests that need no vehicle.
pub(super) fn body(id: &str, uri: &str, bpp_uri: &str, message_id: &str, now: Timestamp) -> String {
    let message = order_said_anew("auto", "12.9716000,77.5946000", "12.9352000,77.6245000");
    json!({
        "context": {
            "domain": DOMAIN,
            "country": "IND",
            "city": "std:080",
            "action": "init",
            "core_version": "0.9.4",
            "bap_id": id,
            "bap_uri": uri,
            "bpp_id": "bpp.example",
            "bpp_uri": bpp_uri,
            "transaction_id": message_id,
            "message_id": message_id,
            "timestamp": now.to_string(),
        },
        "message": message,
    })
    .to_string()
}

async fn take(State(current): State<Current>, body: Bytes) -> &'static str {
    let run = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let (Some(run), Some((number, n))) = (run, named(&body))
        && run.number == number
    {
        run.note(&run.called_us, n);
    }
    ACK
}

/// Takes it, and never answers.
async fn swallow(_: Bytes) -> &'static str {
    std::future::pending().await
}

/// Run and number of the request that a callback answers.
fn named(body: &[u8]) -> Option<(u64, usize)> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"message_id\":\"")?;
    let (run, n) = rest.split_once('"')?.0.split_once('-')?;
    Some((run.parse().ok()?, n.parse().ok()?))
}
